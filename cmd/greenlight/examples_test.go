package main

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/greenlight-dev/greenlight/app"
	"github.com/greenlight-dev/greenlight/modelserver"
)

// expectation is one output in expected.json, which the training script wrote
// from the framework's own answer to request.json.
type expectation struct {
	Name      string
	Shape     []int
	Data      []any
	Tolerance modelserver.Tolerance
}

// TestExamplesAnswerAsTheirFramework asks /predict as a user does.
func TestExamplesAnswerAsTheirFramework(t *testing.T) {
	for _, name := range []string{"penguins", "digits", "co2"} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join("../../examples", name)
			answers := predict(t, dir)
			compared := 0
			for _, want := range readExpected(t, filepath.Join(dir, "expected.json")) {
				compared += want.compare(t, answers)
			}
			if compared == 0 {
				t.Error("nothing was compared")
			}
		})
	}
}

// prediction is an answer of /predict to one row.
type prediction struct {
	Label         string
	Probabilities map[string]float64
	Value         any
}

func predict(t *testing.T, dir string) []prediction {
	t.Helper()
	m, err := modelserver.Load(context.Background(), modelserver.Source{Name: "m", Path: dir}, modelserver.LoadOptions{Engines: app.Engines()})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	server, err := modelserver.NewServer([]*modelserver.Model{m}, modelserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewServer(server.Handler())
	defer ts.Close()
	response, err := http.Post(ts.URL+"/predict", "application/json", bytes.NewReader(readFile(t, filepath.Join(dir, "request.json"))))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Predictions []prediction
		Error       string
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s%v", response.Status, answer.Error, err)
	}
	return answer.Predictions
}

func readExpected(t *testing.T, path string) []expectation {
	t.Helper()
	var file struct{ Outputs []expectation }
	if err := json.Unmarshal(readFile(t, path), &file); err != nil {
		t.Fatal(err)
	}
	return file.Outputs
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// classes are the penguins' in the order of their probabilities; the digits
// are their own places.
var classes = []string{"Adelie", "Chinstrap", "Gentoo"}

// compare compares the output with the answers and counts the values.
func (e *expectation) compare(t *testing.T, answers []prediction) int {
	t.Helper()
	if len(answers) != e.Shape[0] {
		t.Fatalf("%d predictions, the framework gave %d", len(answers), e.Shape[0])
	}
	width := len(e.Data) / e.Shape[0]
	for row, a := range answers {
		for k, want := range e.Data[row*width : (row+1)*width] {
			got := a.element(e.Name, width, k)
			if !e.agree(got, want) {
				t.Errorf("%s, row %d, element %d: got %v, the framework gave %v (tolerance %v)", e.Name, row, k, got, want, e.Tolerance)
			}
		}
	}
	return len(e.Data)
}

// element is element k of the named output in the prediction, nil when it is
// not there.
func (p *prediction) element(output string, width, k int) any {
	switch {
	case output == "label":
		return p.Label
	case output == "probabilities":
		class := strconv.Itoa(k)
		if width == len(classes) {
			class = classes[k]
		}
		if v, ok := p.Probabilities[class]; ok {
			return v
		}
		return nil
	}
	if values, ok := p.Value.([]any); ok && k < len(values) {
		return values[k]
	}
	return p.Value
}

func (e *expectation) agree(got, want any) bool {
	number, ok := want.(float64)
	if !ok {
		return got == want
	}
	value, ok := got.(float64)
	return ok && math.Abs(value-number) <= e.Tolerance.Absolute+e.Tolerance.Relative*math.Abs(number)
}
