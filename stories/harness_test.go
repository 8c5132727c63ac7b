package stories_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// greenlight is the program, built once for all stories.
var greenlight string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "greenlight-stories-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	greenlight = filepath.Join(dir, "greenlight")
	if out, err := exec.Command("go", "build", "-o", greenlight, "../cmd/greenlight").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// story is a copy of a story's folder, with its program built.
type story struct {
	t    *testing.T
	dir  string
	env  []string
	isUp bool
}

func newStory(t *testing.T, folder, program string, env ...string) *story {
	t.Helper()
	s := &story{t: t, dir: t.TempDir(), env: env}
	for _, pattern := range []string{"*.yaml", "*.jsonl", "*.sql"} {
		files, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			s.copyFile(file)
		}
	}
	build := exec.Command("go", "build", "-o", filepath.Join(s.dir, "bin", program), "./"+folder+"/app")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return s
}

func (s *story) copyFile(file string) {
	s.t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(filepath.Join(s.dir, filepath.Base(file)), text, 0o600)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// up brings the system up until the test ends, or what runs to another variant
// of it.
func (s *story) up(variant string) {
	s.t.Helper()
	if !s.isUp {
		s.isUp = true
		s.t.Cleanup(s.down)
	}
	s.env = append(s.env, variant)
	if code, said := s.run("up", "-d", "--gateway", "127.0.0.1:0", "--control", "127.0.0.1:0"); code != 0 {
		s.t.Fatalf("up, %s: exit code %d\n%s", variant, code, said)
	}
}

func (s *story) down() {
	if code, said := s.run("down", "--yes"); code != 0 {
		s.t.Errorf("down: exit code %d\n%s", code, said)
	}
}

// run runs greenlight in the story's folder, and gives its exit code and what
// stood on the screen.
func (s *story) run(args ...string) (code int, screen string) {
	s.t.Helper()
	var both bytes.Buffer
	c := exec.Command(greenlight, args...)
	c.Dir, c.Env, c.Stdout, c.Stderr = s.dir, append(os.Environ(), s.env...), &both, &both
	err := c.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		s.t.Fatalf("greenlight %s: %v", strings.Join(args, " "), err)
	}
	return c.ProcessState.ExitCode(), both.String()
}

// gate runs the story's load gate. Where something else keeps the generator
// from sending, it is run again: that is no part of the story. A lag of less
// than a second is, as it changes none of the verdicts.
func (s *story) gate() (code int, screen string) {
	s.t.Helper()
	for range 3 {
		code, screen = s.run("load", "--scenario", "gate", "--max-lag", "1s")
		s.t.Logf("exit code %d\n%s", code, screen)
		if code != 1 || !strings.Contains(screen, "void") {
			break
		}
	}
	return code, screen
}

// refuses checks that the gate fails, and that the screen says why; it gives
// the screen. Where other programs took the whole machine just then, and are
// named for that, the gate is run again.
func (s *story) refuses(evidence ...string) string {
	s.t.Helper()
	code, screen := s.gate()
	if code == 3 && strings.Contains(screen, "the machine: other programs") {
		code, screen = s.gate()
	}
	if code != 3 {
		s.t.Errorf("the gate of the faulty variant: exit code %d, want 3", code)
	}
	s.shows(screen, evidence...)
	return screen
}

// passes checks that the gate lets a variant through. It may be tried twice: a
// busy machine can only raise a false alarm.
func (s *story) passes(evidence ...string) {
	s.t.Helper()
	code, screen := s.gate()
	if code == 3 {
		code, screen = s.gate()
	}
	if code != 0 {
		s.t.Errorf("the gate of the healthy variant: exit code %d, want 0", code)
	}
	s.shows(screen, evidence...)
}

func (s *story) shows(screen string, evidence ...string) {
	s.t.Helper()
	for _, pattern := range evidence {
		if !regexp.MustCompile(pattern).MatchString(screen) {
			s.t.Errorf("nothing on the screen is like %s", pattern)
		}
	}
}
