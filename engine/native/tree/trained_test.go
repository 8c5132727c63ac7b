package tree_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// trainedRows repeats the 64 rows of the example forest's test data.
func trainedRows(tb testing.TB, rows int) *tensor.Tensor {
	tb.Helper()
	data, err := os.ReadFile("../../../examples/bench/models/forest.json")
	if err != nil {
		tb.Fatal(err)
	}
	var file struct {
		Inputs []struct {
			Shape []int
			Data  []float32
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		tb.Fatal(err)
	}
	in := file.Inputs[0]
	x := tensor.New(tensor.Float32, rows, in.Shape[1])
	for at := 0; at < x.Len(); {
		at += copy(tensor.Data[float32](x)[at:], in.Data)
	}
	return x
}

// BenchmarkTrainedForest runs a forest that scikit-learn grew from data: 100
// trees of at most 32 leaves over 30 features.
func BenchmarkTrainedForest(b *testing.B) {
	m, err := onnx.Open(os.DirFS("../../../examples/bench/models"), "forest.onnx", onnx.DefaultLimits())
	if err != nil {
		b.Fatal(err)
	}
	s, err := native.New(native.Options{}).Load(context.Background(), m)
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for _, rows := range []int{1, 2, 3, 4, 8, 16, 64, 1000} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			all, x := trainedRows(b, max(rows, 64)), &tensor.Tensor{}
			in, out := []tensor.Value{x}, make([]tensor.Value, len(s.Outputs()))
			b.ReportAllocs()
			for from := 0; b.Loop(); from += rows { // other rows each time, as a server sees
				if from+rows > all.Dim(0) {
					from = 0
				}
				x.ViewRows(all, from, from+rows)
				if err := s.Run(context.Background(), in, out); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
		})
	}
}
