package spec_test

import (
	"encoding"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"pgregory.net/rapid"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/spec"
)

// inputs are the descriptions in testdata.
func inputs(t testing.TB, folder string) (texts [][]byte) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatal(folder, err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, archive.Files[0].Data)
	}
	return texts
}

func TestEnvironment(t *testing.T) {
	for _, c := range []struct{ environments, given, want, wrong string }{
		{"", "", "dev", ""},
		{"", "dev", "dev", ""},
		{"{production: {}}", "", "production", ""},
		{"{production: {}, dev: {}}", "", "dev", ""},
		{"{production: {}, staging: {}}", "", "", "greenlight.yaml has the environments production, staging; name one of them"},
		{"{production: {}, staging: {}}", "prodution", "", `greenlight.yaml has no environment "prodution", only production, staging; did you mean "production"?`},
	} {
		text := "name: shop\nservices: {a: {run: x}}\n"
		if c.environments != "" {
			text += "environments: " + c.environments + "\n"
		}
		f, err := spec.Parse(spec.FileName, []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		system, err := f.Resolve(c.given, spec.ResolveOptions{})
		switch {
		case c.wrong != "" && (err == nil || err.Error() != c.wrong || greenlight.CodeOf(err) == greenlight.CodeInternal):
			t.Errorf("%s %q: got %v, want %s", c.environments, c.given, err, c.wrong)
		case c.wrong == "" && (err != nil || system.Environment.Name != c.want):
			t.Errorf("%s %q: got %+v, %v", c.environments, c.given, system, err)
		}
	}
}

// TestQuantitiesRoundTrip: what is written reads back as the same.
func TestQuantitiesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		duration := spec.Duration(rapid.Int64Range(0, math.MaxInt64).Draw(t, "duration"))
		size := spec.Bytes(rapid.Int64Range(0, 1<<52).Draw(t, "size"))
		cpu := spec.MilliCPU(rapid.Int64Range(0, 1e6).Draw(t, "cpu"))
		rate := spec.Rate(rapid.Float64Range(1e-6, 1e9).Draw(t, "rate"))
		percent := spec.Percent(rapid.IntRange(0, 1000).Draw(t, "percent"))
		same(t, duration, new(spec.Duration))
		same(t, size, new(spec.Bytes))
		same(t, cpu, new(spec.MilliCPU))
		same(t, rate, new(spec.Rate))
		same(t, percent, new(spec.Percent))
	})
}

func same[T interface {
	comparable
	encoding.TextMarshaler
}, P interface {
	*T
	encoding.TextUnmarshaler
}](t *rapid.T, v T, back P) {
	text, err := v.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	if err := back.UnmarshalText(text); err != nil || *back != v {
		t.Fatalf("%v is written %s and reads as %v, %v", v, text, *back, err)
	}
}

func TestQuantities(t *testing.T) {
	for text, want := range map[string]spec.Bytes{"1Ki": 1024, "1.5Gi": 3 << 29, "2k": 2000, "7": 7, "0.5Mi": 1 << 19} {
		var b spec.Bytes
		if err := b.UnmarshalText([]byte(text)); err != nil || b != want {
			t.Errorf("%s: got %d, %v", text, b, err)
		}
	}
	for _, text := range []string{"", "Mi", "-1Mi", "1e5", "NaN", "0x10", "9999999999Ti", "1.Mi", "1MiB", " 1Mi", "1_000", "Inf"} {
		for _, q := range []encoding.TextUnmarshaler{new(spec.Bytes), new(spec.Rate), new(spec.Percent), new(spec.Duration)} {
			if err := q.UnmarshalText([]byte(text)); err == nil {
				t.Errorf("%T reads %q as %v", q, text, q)
			}
		}
	}
	for text, want := range map[string]spec.MilliCPU{"2": 2000, "0.5": 500, "250m": 250} {
		var c spec.MilliCPU
		if err := c.UnmarshalText([]byte(text)); err != nil || c != want {
			t.Errorf("%s: got %d, %v", text, c, err)
		}
	}
}

// TestSuggestions is how far a word may be from what it meant.
func TestSuggestions(t *testing.T) {
	for word, want := range map[string]string{
		"modle": "model", "replcas": "replicas", "Replicas": "replicas", "dependson": "depends_on", "volums": "volumes",
		"cmd": "run", "environment": "env", "zzz": "", "x": "",
	} {
		list := errorsOf(t, "name: shop\nservices:\n  a:\n    image: x\n    "+word+": 1\nenvironments: {dev: {backend: mem}}\n")
		if got := list[0].Message; want != "" && !strings.Contains(got, `did you mean "`+want+`"?`) || want == "" && strings.Contains(got, "did you mean") {
			t.Errorf("%s: %s", word, got)
		}
	}
}
