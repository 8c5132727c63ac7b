package backend_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/backend"
)

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// appended is a log with lines 0 to n-1, open as its writer has it.
func appended(t *testing.T, n int) *os.File {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(t.TempDir(), "a.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	for i := range n {
		fmt.Fprintln(log, "line", i)
	}
	return log
}

func TestCutLog(t *testing.T) {
	log := appended(t, 1000)
	path, all := log.Name(), read(t, log.Name())
	for _, most := range []int64{int64(len(all)), 1 << 30} {
		if cut, err := backend.CutLog(path, most); cut != 0 || err != nil || read(t, path) != all {
			t.Errorf("with %d bytes at most: cut %d, %v", most, cut, err)
		}
	}
	cut, err := backend.CutLog(path, 2000)
	if cut != int64(len(all)) || err != nil || read(t, path) != "" {
		t.Errorf("cut %d of %d, %v", cut, len(all), err)
	}
	kept := read(t, backend.EarlierLog(path))
	if !strings.HasSuffix(all, "\n"+kept) || !strings.HasPrefix(kept, "line ") || len(kept) > 2000 || len(kept) < 1980 {
		t.Errorf("kept %d bytes: %.20q…", len(kept), kept)
	}
	fmt.Fprintln(log, "after")
	if got := read(t, path); got != "after\n" {
		t.Errorf("the writer goes on with %q", got)
	}
	if cut, err := backend.CutLog(path, 5); cut != 6 || err != nil || read(t, backend.EarlierLog(path)) != "fter\n" {
		t.Errorf("the second time: cut %d, %v, kept %q", cut, err, read(t, backend.EarlierLog(path)))
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 2 {
		t.Errorf("%v, %v: want two files", files, err)
	}
	if info, err := os.Stat(backend.EarlierLog(path)); err != nil || info.Mode() != 0o640 {
		t.Errorf("what was cut off has mode %v, %v", info.Mode(), err)
	}
}

// The end begins with a line when it falls on its beginning, and in its middle
// when it is longer than what is looked through.
func TestCutLogAtALine(t *testing.T) {
	for text, want := range map[string]string{
		"ab\ncd\n":                               "cd\n",
		"ab\nc\n":                                "c\n",
		"abcdef":                                 "def",
		"ab\n" + strings.Repeat("x", 100):        "xxx",
		strings.Repeat("x", 100) + "\n" + "yy\n": "yy\n",
	} {
		path := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := backend.CutLog(path, 3); err != nil || read(t, backend.EarlierLog(path)) != want {
			t.Errorf("of %q there is %q, %v; want %q", text, read(t, backend.EarlierLog(path)), err, want)
		}
	}
}

func TestCutLogThatIsMissing(t *testing.T) {
	if cut, err := backend.CutLog(filepath.Join(t.TempDir(), "none"), 1); cut != 0 || err != nil {
		t.Errorf("cut %d, %v", cut, err)
	}
}

// TestCutLogThatCannotBeKept has no place for the end, as a full disk has none.
func TestCutLogThatCannotBeKept(t *testing.T) {
	log := appended(t, 1000)
	size := int64(len(read(t, log.Name())))
	if err := os.MkdirAll(filepath.Join(backend.EarlierLog(log.Name()), "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	cut, err := backend.CutLog(log.Name(), 100)
	if err == nil || cut != size || read(t, log.Name()) != "" {
		t.Errorf("cut %d of %d, %v: want it emptied and an error", cut, size, err)
	}
	if files, err := os.ReadDir(filepath.Dir(log.Name())); err != nil || len(files) != 2 {
		t.Errorf("%v, %v: want nothing unfinished", files, err)
	}
}
