package spec_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/spec"
)

const (
	referenceFile  = "../docs/description.md"
	referenceBegin = "<!-- generated from the types below this line -->\n"
)

// keySchema is what the reference says of a key.
type keySchema struct {
	Ref         string `json:"$ref"`
	Description string
	Default     any
	Enum        []string
	Examples    []string
	Items       *keySchema
	AnyOf       []*keySchema
	// AdditionalProperties is false, or the schema of a map's values.
	AdditionalProperties json.RawMessage
}

type mapSchema struct {
	Properties map[string]*keySchema
	Required   []string
}

// TestReferenceIsCommitted holds docs/description.md, below its introduction,
// against the types that decode the file.
func TestReferenceIsCommitted(t *testing.T) {
	committed, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	intro, tables, found := strings.Cut(string(committed), referenceBegin)
	if !found {
		t.Fatalf("%s has no line %q", referenceFile, referenceBegin)
	}
	want := reference(t)
	if *update {
		if err := os.WriteFile(referenceFile, []byte(intro+referenceBegin+want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if tables != want {
		t.Errorf("%s is not what the types say; run go test ./spec -update", referenceFile)
	}
}

// reference writes a table for every map of the file, each where it is first
// spoken of.
func reference(t *testing.T) string {
	var root struct {
		mapSchema
		Defs map[string]mapSchema `json:"$defs"`
	}
	if err := json.Unmarshal(spec.Schema(), &root); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	seen := map[string]bool{}
	var write func(title string, order []string, m mapSchema)
	write = func(title string, order []string, m mapSchema) {
		fmt.Fprintf(&out, "\n## %s\n\n| key | |\n|---|---|\n", title)
		var next []string
		for _, key := range order {
			k := m.Properties[key]
			fmt.Fprintf(&out, "| `%s` | %s |\n", key, k.text())
			next = append(next, k.refs()...)
		}
		for _, name := range next {
			if !seen[name] {
				seen[name] = true
				m := root.Defs[name]
				write(name, slices.Sorted(maps.Keys(m.Properties)), m)
			}
		}
	}
	write("The file", []string{"name", "services", "gateway", "load", "environments"}, root.mapSchema)
	if len(seen) < 10 {
		t.Fatalf("only %d maps were found: the walk is broken", len(seen))
	}
	return out.String()
}

// text is a key's line: what it is, where it leads, and its default.
func (k *keySchema) text() string {
	s := strings.ReplaceAll(k.Description, "|", "\\|")
	for _, name := range k.refs() {
		s += fmt.Sprintf(" → [%s](#%s)", name, name)
	}
	if k.Default != nil {
		s += fmt.Sprintf(" Default: `%v`.", k.Default)
	}
	if len(k.Enum) > 0 {
		s += " One of `" + strings.Join(k.Enum, "`, `") + "`."
	}
	return s
}

// refs are the maps that a key's value may be, without those of overlays.
func (k *keySchema) refs() []string {
	if k == nil {
		return nil
	}
	var names []string
	if name := strings.TrimPrefix(k.Ref, "#/$defs/"); name != "" && !strings.HasSuffix(name, "-overlay") {
		names = append(names, name)
	}
	for _, option := range k.AnyOf {
		names = append(names, option.refs()...)
	}
	var values *keySchema
	if json.Unmarshal(k.AdditionalProperties, &values) == nil {
		names = append(names, values.refs()...)
	}
	return append(names, k.Items.refs()...)
}
