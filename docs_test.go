package greenlight_test

import (
	"bufio"
	"encoding/json"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/spec"
)

// TestDocumentedCommands runs the blocks of commands in READMEs,
// CONTRIBUTING.md and the guides as a reader would paste them, in a folder with
// the examples and a file rows.csv. Lines that start a server or a system run
// in the background, on free ports; a line of make only has to name a target,
// as those are what runs the tests. The blocks of a guide are read one after
// the other: what one starts, the next ones use.
func TestDocumentedCommands(t *testing.T) {
	shown := 0
	binary := filepath.Join(t.TempDir(), "greenlight")
	if out, err := exec.Command("go", "build", "-o", binary, "./cmd/greenlight").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dir := readersFolder(t)
	for _, file := range markdown(t) {
		blocks := commandBlocks(t, file)
		switch name := filepath.Base(file); {
		case guides[filepath.ToSlash(file)]:
			blocks = []block{joined(blocks)}
		case name != "README.md" && name != "CONTRIBUTING.md":
			continue
		}
		for _, b := range blocks {
			t.Run(file, func(t *testing.T) { b.run(t, dir, binary) })
			if b.shown != "" {
				shown++
			}
		}
	}
	if shown == 0 {
		t.Error("no document shows an answer: the search is broken")
	}
}

// guides are read from the first block to the last.
var guides = map[string]bool{"docs/load.md": true, "docs/capacity.md": true}

func joined(blocks []block) (all block) {
	for _, b := range blocks {
		all.lines = append(all.lines, b.lines...)
	}
	return all
}

// readersFolder makes a folder in which the commands find what they name.
func readersFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, example := range []string{"penguins", "digits", "co2"} {
		if err := os.CopyFS(filepath.Join(dir, "examples", example), os.DirFS(filepath.Join("examples", example))); err != nil {
			t.Fatal(err)
		}
	}
	rows := "bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,island,sex\n46.5,13.5,210,4550,Biscoe,female\n"
	if err := os.WriteFile(filepath.Join(dir, "rows.csv"), []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// block is a run of commands, and the JSON that the document shows after it
// as an answer to one of them, "" where there is none.
type block struct {
	lines []string
	shown string
}

var (
	fence    = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$\n(?:(?:[^`\n][^\n]*)?\n)*(?:```json\n(.*?)^```$)?")
	indented = regexp.MustCompile(`(?m)(?:^    (?:go run|make|curl) .*\n)+`)
)

// commandBlocks finds the blocks of sh and the indented ones of a document.
func commandBlocks(t *testing.T, file string) []block {
	t.Helper()
	text := readText(t, file)
	var blocks []block
	for _, m := range fence.FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, block{lines: commandLines(m[1]), shown: m[2]})
	}
	for _, m := range indented.FindAllString(text, -1) {
		blocks = append(blocks, block{lines: commandLines(m)})
	}
	return blocks
}

func commandLines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

const (
	run               = "go run ./cmd/greenlight "
	documentedAddress = "127.0.0.1:8080"
	documentedControl = "127.0.0.1:7070"
)

func (b block) run(t *testing.T, dir, binary string) {
	address, control := documentedAddress, documentedControl
	answered := b.shown == ""
	for _, line := range b.lines {
		command, greenlight := strings.CutPrefix(line, run)
		switch {
		case strings.HasPrefix(line, "make "):
			checkTarget(t, line)
			continue
		case greenlight && strings.HasPrefix(command, "serve "):
			address = startServer(t, dir, binary, command)
			continue
		case greenlight && strings.HasPrefix(command, "up "):
			address, control = startSystem(t, dir, binary, command)
			continue
		case greenlight && strings.HasPrefix(command, "down "):
			line = binary + " " + command + " --yes"
		case greenlight && needsQuiet.MatchString(command):
			checkFlags(t, binary, command)
			continue
		case greenlight && strings.HasPrefix(command, "load ") && strings.Contains(command, "--rate"):
			line = binary + " " + command + " --max-lag 1m" // a busy machine is no fault of the document
		case greenlight:
			line = binary + " " + command
		}
		line = strings.ReplaceAll(line, documentedAddress, address)
		line = strings.ReplaceAll(line, documentedControl, control)
		line = strings.ReplaceAll(line, "curl -s ", "curl -sS --fail-with-body ")
		out := paste(t, dir, line)
		answered = answered || sameJSON(out, b.shown)
	}
	if !answered {
		t.Errorf("no command answers what the document shows:\n%s", b.shown)
	}
}

// paste runs a line as it is pasted and gives what it prints.
func paste(t *testing.T, dir, line string) string {
	t.Helper()
	cmd := exec.Command("bash", "-c", line)
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s\n%v\n%s%s", line, err, out, stderr.String())
	}
	if strings.HasPrefix(string(out), "{") && !json.Valid(out) {
		t.Errorf("%s\ndoes not answer JSON:\n%s", line, out)
	}
	if len(out) == 0 && !strings.Contains(line, ">") {
		t.Errorf("%s\nanswers nothing", line)
	}
	return string(out)
}

var readyAt = regexp.MustCompile(` is ready at http://(\S+?)/`)

// startServer runs a server until the test ends, and gives its address.
func startServer(t *testing.T, dir, binary, command string) string {
	t.Helper()
	cmd := exec.Command("bash", "-c", "exec "+binary+" "+command+" --addr 127.0.0.1:0")
	cmd.Dir = dir
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", command, err)
		}
	})
	overdue := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() }) // ends the scan
	defer overdue.Stop()
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if m := readyAt.FindStringSubmatch(lines.Text()); m != nil {
			return m[1]
		}
	}
	t.Fatalf("%s does not get ready", command)
	return ""
}

// startSystem brings a system up until the test ends, and gives the addresses
// of its gateway and its control plane.
func startSystem(t *testing.T, dir, binary, command string) (gateway, control string) {
	t.Helper()
	paste(t, dir, binary+" "+command+" -d --gateway 127.0.0.1:0 --control 127.0.0.1:0")
	folder := command[strings.LastIndexByte(command, ' ')+1:]
	t.Cleanup(func() { paste(t, dir, binary+" down "+folder+" --yes") })
	var status struct{ Gateway, Control struct{ Address string } }
	if err := json.Unmarshal([]byte(paste(t, dir, binary+" status "+folder+" --json")), &status); err != nil {
		t.Fatal(err)
	}
	return status.Gateway.Address, status.Control.Address
}

// needsQuiet are the commands that measure for minutes and refuse to on a
// machine with other work: they have tests of their own, and here only need to
// have the flags that the document gives them.
var needsQuiet = regexp.MustCompile(`^(load (knee|compare http)|capacity (plan|check|what-if)) `)

var flagName = regexp.MustCompile(`(?:^| )(--[a-z0-9-]+)`)

func checkFlags(t *testing.T, binary, command string) {
	t.Helper()
	words := strings.Fields(command)
	help := paste(t, ".", binary+" "+words[0]+" "+words[1]+" --help")
	for _, m := range flagName.FindAllStringSubmatch(command, -1) {
		if !strings.Contains(help, " "+m[1]+" ") {
			t.Errorf("%s: there is no %s", command, m[1])
		}
	}
}

// checkTarget checks that the Makefile has the targets of a line of make.
func checkTarget(t *testing.T, line string) {
	t.Helper()
	line, _, _ = strings.Cut(line, "#")
	makefile := readText(t, "Makefile")
	for _, target := range strings.Fields(line)[1:] {
		if !strings.Contains(makefile, "\n"+target+":") {
			t.Errorf("%s: the Makefile has no target %q", line, target)
		}
	}
}

// sameJSON compares two texts as JSON, numbers to five decimals.
func sameJSON(got, want string) bool {
	var a, b any
	if json.Unmarshal([]byte(got), &a) != nil || json.Unmarshal([]byte(want), &b) != nil {
		return false
	}
	return same(a, b)
}

func same(a, b any) bool {
	switch a := a.(type) {
	case float64:
		b, ok := b.(float64)
		return ok && math.Abs(a-b) < 1e-5
	case map[string]any:
		b, ok := b.(map[string]any)
		for key := range a {
			ok = ok && same(a[key], b[key])
		}
		return ok && len(a) == len(b)
	case []any:
		b, ok := b.([]any)
		ok = ok && len(a) == len(b)
		for i := range a {
			ok = ok && same(a[i], b[i])
		}
		return ok
	}
	return a == b
}

var link = regexp.MustCompile(`\]\(([^)#\s]+)(?:#[^)]*)?\)`)

func TestDocumentLinks(t *testing.T) {
	links := 0
	for _, file := range markdown(t) {
		for _, m := range link.FindAllStringSubmatch(readText(t, file), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			links++
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", file, m[1])
			}
		}
	}
	if links == 0 {
		t.Error("there are no links: the search is broken")
	}
}

// markdown lists the repository's documents.
func markdown(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if strings.HasSuffix(path, ".md") {
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func readText(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestDocumentedDescriptions reads every YAML block of the documents that is
// a whole description.
func TestDocumentedDescriptions(t *testing.T) {
	yaml := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")
	read := 0
	for _, file := range markdown(t) {
		for _, m := range yaml.FindAllStringSubmatch(readText(t, file), -1) {
			if !strings.Contains(m[1], "services:") || within(filepath.ToSlash(filepath.Dir(file)), "docs/plans") { // plans hold what goes into one
				continue
			}
			if _, err := spec.Parse(file, []byte(m[1])); err != nil {
				t.Errorf("%s: %v", file, err)
			}
			read++
		}
	}
	if read == 0 {
		t.Error("no document holds a description: the search is broken")
	}
}
