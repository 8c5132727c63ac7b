package modelserver_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/engine"
	"github.com/greenlight-dev/greenlight/engine/native"
	"github.com/greenlight-dev/greenlight/modelserver"
)

// TestModelsOfEveryExporter proves real exports: PyTorch's two exporters,
// tf2onnx and Keras' own, over the layers that people use.
func TestModelsOfEveryExporter(t *testing.T) {
	folders, err := filepath.Glob("testdata/exporters/*/proof.json")
	if err != nil {
		t.Fatal(err)
	}
	exporters := map[string]int{}
	for _, proof := range folders {
		dir := filepath.Dir(proof)
		name := filepath.Base(dir)
		exporters[name[strings.LastIndexByte(name, '-')+1:]]++
		m, err := modelserver.Load(context.Background(), modelserver.Source{Name: name, Path: dir},
			modelserver.LoadOptions{Engines: []engine.Engine{native.New(native.Options{})}})
		if err != nil {
			t.Error(err)
			continue
		}
		if m.Proof == nil || m.Proof.Values == 0 {
			t.Errorf("%s: nothing was proven", name)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, exporter := range []string{"dynamo", "script", "tf2onnx", "export"} {
		if exporters[exporter] != 6 {
			t.Errorf("%d models of exporter %s, want 6", exporters[exporter], exporter)
		}
	}
}
