package spec_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/greenlight-dev/greenlight/spec"
)

const schemaFile = "greenlight.schema.json"

func TestSchemaIsCommitted(t *testing.T) {
	if *update {
		if err := os.WriteFile(schemaFile, spec.Schema(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(committed, spec.Schema()) {
		t.Errorf("%s is not what the types say; run go test ./spec -update", schemaFile)
	}
}

// onlyParse are wrong files that the schema cannot tell from right ones.
var onlyParse = []string{
	"dependency_cycle", "dependency_unknown", "route_conflicts", // between services
	"overlay_merged", "image_without_container", // between environments
	"overlay_excluded",
	"variable_missing", "model_missing", // outside the file
	"too_little_memory", // bounds of numbers with units
}

// notYAML are wrong files that another YAML reader refuses too, or reads
// otherwise.
var notYAML = []string{
	"alias_bomb", "alias_unknown", "deep", "duplicate_keys", "two_documents",
	"secret_syntax", "syntax_bracket", "syntax_colon", "syntax_indentation", "syntax_quote", "syntax_reserved", "syntax_tab",
}

// TestSchemaAgreesWithParse holds the schema against every file in testdata.
func TestSchemaAgreesWithParse(t *testing.T) {
	schema := compileSchema(t)
	for name, g := range cases(t, "right") {
		if err := schema.Validate(instance(t, g)); err != nil {
			t.Errorf("right/%s: the schema refuses it: %v", name, err)
		}
	}
	for name, g := range cases(t, "wrong") {
		if slices.Contains(notYAML, name) {
			continue
		}
		err := schema.Validate(instance(t, g))
		if accepted := slices.Contains(onlyParse, name); accepted != (err == nil) {
			t.Errorf("wrong/%s: the schema says %v", name, err)
		}
	}
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(spec.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(spec.SchemaURL, doc); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile(spec.SchemaURL)
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// instance is the case's file as the schema library wants it.
func instance(t *testing.T, g *golden) any {
	t.Helper()
	input, _ := g.file(spec.FileName)
	var v any
	if err := yaml.Unmarshal(bytes.TrimPrefix(input, []byte("\xef\xbb\xbf")), &v); err != nil {
		t.Fatalf("%s: %v", g.path, err)
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("%s: %v", g.path, fmt.Errorf("as JSON: %w", err))
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}
