package api_test

import (
	"encoding/json"
	"flag"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write openapi.yaml anew")

// TestOpenAPI holds what is served against what is committed.
func TestOpenAPI(t *testing.T) {
	got := ask(t, start(t).Address, "GET", "/api/openapi.yaml", "")
	if *update {
		if err := os.WriteFile("openapi.yaml", []byte(got.body), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if got.body != string(want) {
		t.Error("openapi.yaml is not what the code says: run go test ./api -update and look at the difference")
	}
}

// document is openapi.json as a client reads it.
type document struct {
	operations map[string]described
	failed     response
	compiler   *jsonschema.Compiler
}

type described struct {
	OperationID string `json:"operationId"`
	Summary     string
	Security    []map[string][]string
	Parameters  []struct {
		Name, In string
		Schema   map[string]any
	}
	Responses map[string]response
	pointer   string // in the document
}

type response struct {
	Ref         string `json:"$ref"`
	Description string
	Content     map[string]struct{ Schema map[string]any }
}

func openDocument(t *testing.T, f *fixture) *document {
	t.Helper()
	text := ask(t, f.Address, "GET", "/api/openapi.json", "").body
	var raw struct {
		OpenAPI string
		Paths   map[string]map[string]described

		Components struct{ Responses struct{ Failed response } }
	}
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(raw.OpenAPI, "3.1.") {
		t.Fatalf("openapi %q", raw.OpenAPI)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	d := &document{operations: make(map[string]described), failed: raw.Components.Responses.Failed, compiler: jsonschema.NewCompiler()}
	d.compiler.DefaultDraft(jsonschema.Draft2020)
	d.compiler.AssertFormat()
	if err := d.compiler.AddResource("openapi.json", value); err != nil {
		t.Fatal(err)
	}
	for path, methods := range raw.Paths {
		for method, op := range methods {
			op.pointer = "/paths/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(path) + "/" + method
			d.operations[op.OperationID] = op
		}
	}
	return d
}

// check holds an answer against what the document says about it.
func (d *document) check(t *testing.T, id string, got answered) {
	t.Helper()
	op, ok := d.operations[id]
	if !ok {
		t.Fatalf("operation %s is not described", id)
	}
	status := strconv.Itoa(got.status)
	pointer := op.pointer + "/responses/" + status
	response, ok := op.Responses[status]
	if !ok && got.status >= 400 {
		response, pointer = d.failed, "/components/responses/failed"
	} else if !ok {
		t.Fatalf("%s answers %s, which is not described", id, status)
	}
	contentType, _, _ := strings.Cut(got.header.Get("Content-Type"), ";")
	if _, ok := response.Content[contentType]; !ok && got.body != "" {
		t.Fatalf("%s answers %s with %q, which is not described", id, status, contentType)
	}
	if contentType != "application/json" {
		return
	}
	schema, err := d.compiler.Compile("openapi.json#" + pointer + "/content/application~1json/schema")
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(got.body))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("%s answers what is not as described: %v\n%s", id, err, got.body)
	}
}

// TestDescriptionIsWhole looks for what a reader would miss.
func TestDescriptionIsWhole(t *testing.T) {
	d := openDocument(t, start(t))
	for id, op := range d.operations {
		if op.Summary == "" {
			t.Errorf("%s has no summary", id)
		}
		if len(op.Security) == 0 && id != "health" {
			t.Errorf("%s does not say that it needs a token", id)
		}
		for status, r := range op.Responses {
			for contentType := range r.Content {
				if contentType != "application/json" {
					continue
				}
				pointer := "openapi.json#" + op.pointer + "/responses/" + status + "/content/application~1json/schema"
				if _, err := d.compiler.Compile(pointer); err != nil {
					t.Errorf("%s %s: %v", id, status, err)
				}
			}
		}
		if op.Responses["default"].Ref != "#/components/responses/failed" {
			t.Errorf("%s does not describe its errors", id)
		}
	}
	text, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, never := range []string{"Huma", "ErrorModel", "problem+json", "$schema"} {
		if strings.Contains(string(text), never) {
			t.Errorf("openapi.yaml mentions %s", never)
		}
	}
}
