package onnx_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// TestBackendCases reads every model and every value of a folder of ONNX
// backend test cases, when GREENLIGHT_ONNX_CASES names one.
func TestBackendCases(t *testing.T) {
	dir := os.Getenv("GREENLIGHT_ONNX_CASES")
	if dir == "" {
		t.Skip("GREENLIGHT_ONNX_CASES is not set")
	}
	cases, err := filepath.Glob(filepath.Join(dir, "*", "model.onnx"))
	if err != nil || len(cases) == 0 {
		t.Fatalf("no cases in %s (%v)", dir, err)
	}
	values := 0
	for _, file := range cases {
		folder := filepath.Dir(file)
		m, err := onnx.Open(os.DirFS(folder), ".", onnx.Limits{})
		if err != nil {
			// The cases hold three models of opset 1, which is not read.
			if !strings.Contains(err.Error(), "opset 1 of ai.onnx is not supported") {
				t.Errorf("%s: %v", filepath.Base(folder), err)
			}
			continue
		}
		values += readValues(t, folder, "input", m.Graph.Inputs)
		values += readValues(t, folder, "output", m.Graph.Outputs)
	}
	t.Logf("%d models, %d values", len(cases), values)
}

// readValues reads the values of one direction against their declared types.
func readValues(t *testing.T, folder, direction string, infos []onnx.ValueInfo) int {
	n := 0
	files, _ := filepath.Glob(filepath.Join(folder, "test_data_set_*", direction+"_*.pb"))
	for _, file := range files {
		var i int
		base := strings.TrimSuffix(filepath.Base(file), ".pb")
		for _, c := range strings.TrimPrefix(base, direction+"_") {
			i = 10*i + int(c-'0')
		}
		if i >= len(infos) {
			t.Errorf("%s: the model has %d %ss", file, len(infos), direction)
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		v, err := onnx.DecodeValue(data, infos[i].Type.Kind, onnx.Limits{})
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if got, want := v.Type(), infos[i].Type; got.Kind != want.Kind || (want.Kind == tensor.KindTensor && got.Elem != want.Elem) {
			t.Errorf("%s: is %v, declared %v", file, got, want)
		}
		n++
	}
	return n
}
