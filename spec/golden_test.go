package spec_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/tools/txtar"

	"github.com/greenlight-dev/greenlight/spec"
)

var update = flag.Bool("update", false, "write what comes out as what should")

// golden is one case in testdata: greenlight.yaml, what should come of it, and
// optionally "resolve: ENV" in the comment, with variables and files beside it.
type golden struct {
	path    string
	archive *txtar.Archive
}

func (g *golden) file(name string) ([]byte, bool) {
	for _, f := range g.archive.Files {
		if f.Name == name {
			return f.Data, true
		}
	}
	return nil, false
}

// resolves is the environment that the case resolves, and with what.
func (g *golden) resolves() (env string, o spec.ResolveOptions, ok bool) {
	_, rest, found := strings.Cut(string(g.archive.Comment), "resolve:")
	if !found {
		return "", o, false
	}
	line, _, _ := strings.Cut(rest, "\n")
	variables, files := map[string]string{}, fstest.MapFS{}
	for _, f := range g.archive.Files {
		files[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	text, _ := g.file("variables")
	for _, line := range strings.Fields(string(text)) {
		name, value, _ := strings.Cut(line, "=")
		variables[name] = value
	}
	o.FS = files
	o.Lookup = func(name string) (string, bool) { v, ok := variables[name]; return v, ok }
	return strings.TrimSpace(line), o, true
}

// compare holds the section against what came out, or writes it.
func (g *golden) compare(t *testing.T, section string, got []byte) {
	t.Helper()
	if *update {
		i := slices.IndexFunc(g.archive.Files, func(f txtar.File) bool { return f.Name == section })
		if i < 0 {
			i = len(g.archive.Files)
			g.archive.Files = append(g.archive.Files, txtar.File{Name: section})
		}
		g.archive.Files[i].Data = got
		if err := os.WriteFile(g.path, txtar.Format(g.archive), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, _ := g.file(section)
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func cases(t *testing.T, folder string) map[string]*golden {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no cases in %s: %v", folder, err)
	}
	list := make(map[string]*golden)
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		list[strings.TrimSuffix(filepath.Base(path), ".txt")] = &golden{path, archive}
	}
	return list
}

// outcome is what the case comes to.
func (g *golden) outcome(t *testing.T) (*spec.System, error) {
	t.Helper()
	input, ok := g.file(spec.FileName)
	if !ok {
		t.Fatalf("%s holds no %s", g.path, spec.FileName)
	}
	file, err := spec.Parse(spec.FileName, input)
	if err != nil {
		return nil, err
	}
	env, o, _ := g.resolves()
	return file.Resolve(env, o)
}

// TestWrongFiles holds every message that a wrong description gives, with the
// line it shows.
func TestWrongFiles(t *testing.T) {
	all := cases(t, "wrong")
	if len(all) < 30 {
		t.Errorf("%d wrong files; there were thirty", len(all))
	}
	for name, g := range all {
		t.Run(name, func(t *testing.T) {
			system, err := g.outcome(t)
			var list spec.Errors
			if !errors.As(err, &list) {
				t.Fatalf("got %v, %v; want spec.Errors", system, err)
			}
			if strings.Contains(list.Error(), "hunter2") {
				t.Errorf("a secret is shown:\n%s", list.Error())
			}
			if text, err := json.Marshal(list); err != nil || bytes.Contains(text, []byte("hunter2")) {
				t.Errorf("as JSON: %s, %v", text, err)
			}
			g.compare(t, "errors", []byte(list.Error()+"\n"))
		})
	}
}

// TestRightFiles holds the desired state that a description resolves to.
func TestRightFiles(t *testing.T) {
	for name, g := range cases(t, "right") {
		t.Run(name, func(t *testing.T) {
			system, err := g.outcome(t)
			if err != nil {
				t.Fatal(err)
			}
			var got bytes.Buffer
			e := json.NewEncoder(&got)
			e.SetEscapeHTML(false)
			e.SetIndent("", "  ")
			if err := e.Encode(system); err != nil {
				t.Fatal(err)
			}
			g.compare(t, "system.json", got.Bytes())
			var back spec.System
			if err := json.Unmarshal(got.Bytes(), &back); err != nil {
				t.Errorf("the JSON does not read back: %v", err)
			}
		})
	}
}
