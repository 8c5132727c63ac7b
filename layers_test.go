package greenlight_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/greenlight-dev/greenlight"

// folder is one package of this module as its source says.
type folder struct {
	path     string // relative to the module, "." for the root
	name     string
	imports  []string // of the non-test files, those of this module relative to it
	comments []string // files that carry a package comment
}

// rule says what the packages that from matches must not import, and why.
type rule struct {
	why   string
	from  func(f folder) bool
	never func(f folder, imported string) bool
}

var rules = []rule{
	{
		why:   "the root is the vocabulary: everything may import it, so it imports only the standard library",
		from:  func(f folder) bool { return f.path == "." },
		never: func(_ folder, imported string) bool { return !standard(imported) },
	},
	{
		why: "pure packages take data and fs.FS as arguments: that is what makes them testable and fuzzable",
		from: func(f folder) bool {
			return within(f.path, "capacity", "tensor", "onnx", "plan", "release", "scale", "spec", "modelserver/scan", "engine/native") && !isMain(f)
		},
		never: func(_ folder, imported string) bool {
			return imported == "os" || imported == "net" || strings.HasPrefix(imported, "net/") && imported != "net/netip" && imported != "net/url"
		},
	},
	{
		why:  "an adapter knows its own port, the pure packages and what waits for processes, never a sibling: each can be replaced alone",
		from: func(f folder) bool { return adapter(f.path) != "" && !isMain(f) },
		never: func(f folder, imported string) bool {
			own := adapter(f.path)
			return ours(imported) && !within(imported, own) &&
				!slices.Contains([]string{".", path.Dir(own), "onnx", "pidfd", "tensor"}, imported)
		},
	},
	{
		why:   "only app chooses adapters; everything else works through the port",
		from:  func(f folder) bool { return adapter(f.path) == "" && f.path != "app" && !isMain(f) },
		never: func(_ folder, imported string) bool { return adapter(imported) != "" },
	},
	{
		why:   "app is the wiring: nobody but a program imports it",
		from:  func(f folder) bool { return !isMain(f) },
		never: func(_ folder, imported string) bool { return imported == "app" },
	},
	{
		why:   "handing sockets over is the same whatever is served on them",
		from:  func(f folder) bool { return f.path == "gateway/handover" },
		never: func(_ folder, imported string) bool { return ours(imported) && imported != "." },
	},
	{
		why:  "the control plane decides; what it decides about comes to it through ports, and who asks it is not its business",
		from: func(f folder) bool { return within(f.path, "control", "release") },
		never: func(_ folder, imported string) bool {
			return within(imported, "api", "console", "cli") || adapter(imported) != ""
		},
	},
	{
		why: "operators know their contract (op) and each other, not the engine that runs them",
		from: func(f folder) bool {
			return within(f.path, "engine/native") && !within(f.path, "engine/native/program", "engine/native/fuse") &&
				f.path != "engine/native" && !isMain(f)
		},
		never: func(_ folder, imported string) bool {
			return imported == "engine" || imported == "engine/native" || within(imported, "engine/native/program", "engine/native/fuse")
		},
	},
	{
		why: "ports and pure packages do not know who serves them",
		from: func(f folder) bool {
			return within(f.path, "tensor", "onnx", "engine", "backend", "store", "plan", "spec")
		},
		never: func(_ folder, imported string) bool { return within(imported, "modelserver", "gateway", "cli", "cmd") },
	},
}

// adapters stand below the port that they implement.
var adapters = []string{"engine/native", "engine/onnxruntime", "backend/mem", "backend/process", "store/sqlite"}

// adapter is the adapter that a package belongs to, "" for none.
func adapter(p string) string {
	for _, a := range adapters {
		if within(p, a) {
			return a
		}
	}
	return ""
}

func isMain(f folder) bool { return f.name == "main" }

func within(p string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(r string) bool { return p == r || strings.HasPrefix(p, r+"/") })
}

// standard tells the standard library's import paths: their first element
// has no dot.
func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".") && !ours(imported)
}

func ours(imported string) bool {
	_, err := os.Stat(filepath.Join(imported, "."))
	return err == nil && imported != ""
}

func TestLayers(t *testing.T) {
	for _, f := range folders(t) {
		for _, r := range rules {
			if !r.from(f) {
				continue
			}
			for _, imported := range f.imports {
				if r.never(f, imported) {
					t.Errorf("%s imports %s: %s", f.path, imported, r.why)
				}
			}
		}
	}
}

func TestOnePackageCommentAFolder(t *testing.T) {
	for _, f := range folders(t) {
		if len(f.comments) != 1 {
			t.Errorf("%s has %d package comments (%v), want exactly one", f.path, len(f.comments), f.comments)
		}
	}
}

// folders parses every package of the module.
func folders(t *testing.T) []folder {
	t.Helper()
	byPath := make(map[string]*folder)
	err := filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		return addFile(byPath, filepath.ToSlash(p))
	})
	if err != nil {
		t.Fatal(err)
	}
	var list []folder
	for _, f := range byPath {
		list = append(list, *f)
	}
	if len(list) < 5 {
		t.Fatalf("found only %d packages: the walk is broken", len(list))
	}
	return list
}

func addFile(byPath map[string]*folder, file string) error {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly|parser.ParseComments)
	if err != nil {
		return err
	}
	dir := path.Dir(file)
	f := byPath[dir]
	if f == nil {
		f = &folder{path: dir, name: parsed.Name.Name}
		byPath[dir] = f
	}
	if hasPackageComment(parsed) {
		f.comments = append(f.comments, file)
	}
	for _, spec := range parsed.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		if imported == module {
			imported = "."
		}
		f.imports = append(f.imports, strings.TrimPrefix(imported, module+"/"))
	}
	return nil
}

func hasPackageComment(f *ast.File) bool { return f.Doc != nil && f.Doc.Text() != "" }
