package native_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/greenlight-dev/greenlight/engine"
	"github.com/greenlight-dev/greenlight/engine/native"
	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// realModels are models that real frameworks trained and exported.
var realModels = []string{
	"penguins/model.onnx", "digits/model.onnx", "co2/model.onnx",
	"bench/models/forest.onnx", "bench/models/logistic.onnx", "bench/models/mlp.onnx",
}

func loadReal(t testing.TB, name string) engine.Session {
	t.Helper()
	m, err := onnx.Open(os.DirFS(filepath.Join("..", "..", "examples")), name, onnx.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	s, err := native.New(native.Options{}).Load(context.Background(), m)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// inputsFor makes rows that differ from each other, of the model's types.
func inputsFor(s engine.Session, rows int) []tensor.Value {
	var in []tensor.Value
	for k, info := range s.Inputs() {
		shape := []int{rows}
		for _, d := range info.Type.Dims[1:] {
			shape = append(shape, d.Size)
		}
		t := tensor.New(info.Type.Elem, shape...)
		if t.DType() == tensor.String {
			for i := range t.Strings() {
				t.Strings()[i] = []string{"Biscoe", "Dream", "male", ""}[(i+k)%4]
			}
		} else {
			for i := range tensor.Data[float32](t) {
				tensor.Data[float32](t)[i] = float32((i*7+k*3)%23)/11 + float32(k)
			}
		}
		in = append(in, t)
	}
	return in
}

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	if optest.RaceEnabled {
		t.Log("the race detector makes pools drop frames at random: only results are checked")
	}
	for _, name := range realModels {
		s := loadReal(t, name)
		in, out := inputsFor(s, 8), make([]tensor.Value, len(s.Outputs()))
		run := func() {
			if err := s.Run(context.Background(), in, out); err != nil {
				t.Fatal(err)
			}
		}
		run()
		if n := testing.AllocsPerRun(200, run); n >= 1 && !optest.RaceEnabled {
			t.Errorf("%s: %v allocations a run", name, n)
		}
	}
}

func TestRowsDoNotDependOnTheirBatch(t *testing.T) {
	for _, name := range realModels {
		s := loadReal(t, name)
		const rows = 67
		in := inputsFor(s, rows)
		whole := make([]tensor.Value, len(s.Outputs()))
		if err := s.Run(context.Background(), in, whole); err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{1, 3, 16} {
			for from := 0; from+size <= rows; from += 13 {
				compareRows(t, name, s, in, whole, from, from+size)
			}
		}
	}
}

// compareRows computes some rows alone and compares the bits.
func compareRows(t *testing.T, name string, s engine.Session, in, whole []tensor.Value, from, to int) {
	t.Helper()
	part := make([]tensor.Value, len(in))
	for i, v := range in {
		var rows tensor.Tensor
		rows.ViewRows(v.(*tensor.Tensor), from, to)
		part[i] = &rows
	}
	out := make([]tensor.Value, len(whole))
	if err := s.Run(context.Background(), part, out); err != nil {
		t.Fatal(err)
	}
	for i, v := range whole {
		var want tensor.Tensor
		want.ViewRows(v.(*tensor.Tensor), from, to)
		if got := out[i].(*tensor.Tensor); !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Fatalf("%s: rows %d to %d of %s differ alone and in a batch", name, from, to, s.Outputs()[i].Name)
		}
	}
}

func BenchmarkModels(b *testing.B) {
	for _, name := range realModels {
		for _, rows := range []int{1, 64} {
			s := loadReal(b, name)
			in, out := inputsFor(s, rows), make([]tensor.Value, len(s.Outputs()))
			b.Run(filepath.Dir(name)+"/"+map[int]string{1: "1row", 64: "64rows"}[rows]+"/"+filepath.Base(name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := s.Run(context.Background(), in, out); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
