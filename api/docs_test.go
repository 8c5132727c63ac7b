package api_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestDocumentedLines pastes the lines of docs/api.md.
func TestDocumentedLines(t *testing.T) {
	text, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	f := full(t)
	here := strings.NewReplacer("http://127.0.0.1:7070", f.Address,
		".greenlight/control.sock", strings.TrimPrefix(f.Socket, "unix://"), "curl ", "curl --fail-with-body ")
	lines := 0
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "curl ") {
			continue
		}
		lines++
		cmd := exec.CommandContext(t.Context(), "bash", "-c", here.Replace(line))
		cmd.Dir = t.TempDir()
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil && !(cut(err) && strings.Contains(line, "--max-time")) {
			t.Errorf("%s%v\n%s%s", line, err, out, stderr.String())
		}
		if len(out) == 0 && !strings.Contains(line, "-o ") && !strings.Contains(line, "/restart") {
			t.Errorf("%sanswers nothing", line)
		}
	}
	if lines < 10 {
		t.Errorf("found %d lines: the search is broken", lines)
	}
}

// cut tells whether curl ended a stream when its time was over.
func cut(err error) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.ExitCode() == 28
}
