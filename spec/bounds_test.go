package spec_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/spec"
)

func errorsOf(t *testing.T, text string) spec.Errors {
	t.Helper()
	_, err := spec.Parse(spec.FileName, []byte(text))
	var list spec.Errors
	if !errors.As(err, &list) {
		t.Fatalf("got %v, want spec.Errors", err)
	}
	if greenlight.CodeOf(err) != greenlight.CodeInvalid {
		t.Errorf("code %s", greenlight.CodeOf(err))
	}
	return list
}

// TestHostileFiles gives what should neither take long nor grow the process.
func TestHostileFiles(t *testing.T) {
	const half = 1 << 19
	texts := map[string]string{
		"larger than the limit": strings.Repeat("#", spec.MaxFileBytes+1),
		"brackets":              "a: " + strings.Repeat("[", half),
		"braces":                strings.Repeat("{a: ", half/4),
		"list in list":          strings.Repeat("- ", half/2),
		"questions":             strings.Repeat("? ", half/2),
		"keys on a line":        strings.Repeat("a: ", half/3),
		"indentation":           indented(1000),
		"lines":                 strings.Repeat("a: b\n", half/5),
		"tags":                  "a: " + strings.Repeat("!x ", half/3),
		"anchors":               "a: " + strings.Repeat("&x ", half/3),
		"anchor of itself":      "name: &a [*a]\n",
		"merge of itself":       "a: &a\n  <<: *a\n",
		"documents":             strings.Repeat("---\na: b\n", half/9),
		"long key":              strings.Repeat("k", half) + ": 1\n",
		"long line":             "name: " + strings.Repeat("x", half) + "\n",
		"not text":              "name: \xff\xfe\n",
		"control characters":    "name: \x00\x1b[2J\n",
		"many services":         "name: shop\nservices:\n" + repeat(1001, "  s%d: {run: x}\n"),
		"many environments":     "name: shop\nservices: {a: {run: x}}\nenvironments:\n" + repeat(33, "  e%d: {}\n"),
		"many mistakes":         "name: shop\nservices:\n  a:\n    run: x\n" + repeat(5000, "    k%d: 1\n"),
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			list := errorsOf(t, text)
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("took %v", took)
			}
			if len(list) > 101 || len(list.Error()) > 100_000 {
				t.Errorf("%d errors in %d bytes", len(list), len(list.Error()))
			}
			if strings.ContainsAny(list.Error(), "\x00\x1b") {
				t.Errorf("control characters are shown: %q", list.Error())
			}
		})
	}
}

func indented(depth int) string {
	var b strings.Builder
	for i := range depth {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

func repeat(n int, line string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, line, i)
	}
	return b.String()
}

func TestManyServicesAreFast(t *testing.T) {
	text := "name: shop\nservices:\n" + repeat(1000, "  s%d: {model: model.onnx, replicas: 2}\n") +
		"environments:\n" + repeat(8, "  e%d: {services: {s1: {replicas: 3}}}\n")
	start := time.Now()
	f, err := spec.Parse(spec.FileName, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	system, err := f.Resolve("e3", spec.ResolveOptions{})
	if err != nil || len(system.Services) != 1000 {
		t.Fatalf("%v", err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestErrorPlaces(t *testing.T) {
	list := errorsOf(t, "name: shop\nservices:\n  iris:\n    model: model.onnx\n    replica: 2\n")
	e := list[0]
	if e.Line != 5 || e.Column != 5 || e.Path != "services.iris.replica" || e.Source != "    replica: 2" {
		t.Errorf("got %+v", e)
	}
	if want := `greenlight.yaml:5:5: services.iris.replica: unknown key; did you mean "replicas"?`; e.Error() != want {
		t.Errorf("got %s", e)
	}
}

// FuzzParse holds what must be so of any text: an answer, mistakes that lie in
// the file, and a right file that resolves.
func FuzzParse(f *testing.F) {
	for _, folder := range []string{"right", "wrong"} {
		for _, text := range inputs(f, folder) {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, err := spec.Parse(spec.FileName, text)
		if err == nil {
			resolveAll(t, file)
			return
		}
		var list spec.Errors
		if !errors.As(err, &list) || len(list) == 0 {
			t.Fatalf("got %v, want spec.Errors", err)
		}
		lines := strings.Count(string(text), "\n") + strings.Count(string(text), "\r") + 1
		for _, e := range list {
			if e.Line > lines || e.Message == "" || strings.Contains(e.Error(), "\x1b") {
				t.Errorf("%q: %+v", text, e)
			}
			_ = e.Excerpt()
		}
	})
}

// resolveAll resolves what Parse found right. Without variables, nothing that
// Parse did not look at may be wrong.
func resolveAll(t *testing.T, file *spec.File) {
	t.Helper()
	for _, env := range file.Environments() {
		system, err := file.Resolve(env, spec.ResolveOptions{})
		if err != nil {
			t.Fatalf("parsed, but does not resolve: %v", err)
		}
		for _, s := range system.Services {
			if s.Name == "" || s.Kind() == "" || s.Replicas.Min > s.Replicas.Max || s.Ready == (spec.Check{}) {
				t.Errorf("incomplete: %+v", s)
			}
		}
	}
}
