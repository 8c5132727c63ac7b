package enginetest

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/engine"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/onnx/onnxtest"
	"github.com/greenlight-dev/greenlight/tensor"
)

// Run checks that an engine keeps the promises of engine.Engine and
// engine.Session.
func Run(t *testing.T, e engine.Engine) {
	s := suite{e}
	t.Run("computes", s.computes)
	t.Run("strings", s.strings)
	t.Run("empty batch", s.emptyBatch)
	t.Run("lent memory", s.lentMemory)
	t.Run("memory not shared", s.notShared)
	t.Run("batch independence", s.batchIndependence)
	t.Run("concurrency", s.concurrency)
	t.Run("wrong inputs", s.wrongInputs)
	t.Run("unknown operator", s.unknownOperator)
	t.Run("cancelled", s.cancelled)
}

type suite struct{ engine engine.Engine }

// open writes a model to a file and loads it: some engines read the file
// themselves.
func (s suite) open(t *testing.T, opset int, parts ...onnxtest.Part) *onnx.Model {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "model.onnx"), onnxtest.File(opset, parts...), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Open(os.DirFS(dir), "model.onnx", onnx.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	m.Path = filepath.Join(dir, "model.onnx")
	return m
}

func (s suite) load(t *testing.T, opset int, parts ...onnxtest.Part) engine.Session {
	t.Helper()
	session, err := s.engine.Load(context.Background(), s.open(t, opset, parts...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	})
	return session
}

// dense is y = relu(x·w + b), [N,4] → [N,3].
func (s suite) dense(t *testing.T) engine.Session {
	w := make([]float32, 12)
	for i := range w {
		w[i] = float32(i%5) - 1.7
	}
	return s.load(t, 17,
		onnxtest.Input("x", tensor.Float32, -1, 4),
		onnxtest.Init("w", tensor.From(w, 4, 3)),
		onnxtest.Init("b", tensor.From([]float32{0.1, -0.2, 0.3}, 3)),
		onnxtest.Node("Gemm", "x w b", "g", nil),
		onnxtest.Node("Relu", "g", "y", nil),
		onnxtest.Output("y", tensor.Float32, -1, 3))
}

// rows makes [n,4] inputs that differ in every element.
func rows(n int) *tensor.Tensor {
	x := tensor.New(tensor.Float32, n, 4)
	for i := range tensor.Data[float32](x) {
		tensor.Data[float32](x)[i] = float32(i%17)/3 - 2
	}
	return x
}

func run(t *testing.T, s engine.Session, in ...tensor.Value) []tensor.Value {
	t.Helper()
	out := make([]tensor.Value, len(s.Outputs()))
	if err := s.Run(context.Background(), in, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func (s suite) computes(t *testing.T) {
	session := s.dense(t)
	if in, out := session.Inputs(), session.Outputs(); len(in) != 1 || in[0].Name != "x" || len(out) != 1 || out[0].Name != "y" {
		t.Fatalf("inputs %v, outputs %v", in, out)
	}
	got := run(t, session, tensor.From([]float32{1, 2, 3, 4}, 1, 4))[0]
	// Columns of w: -1.7 1.3 -0.7 2.3 … computed by hand.
	w := []float32{-1.7, -0.7, 0.3, 1.3, 2.3, -1.7, -0.7, 0.3, 1.3, 2.3, -1.7, -0.7}
	want := make([]float32, 3)
	for j, b := range []float32{0.1, -0.2, 0.3} {
		sum := b
		for k, x := range []float32{1, 2, 3, 4} {
			sum += x * w[k*3+j]
		}
		want[j] = max(sum, 0)
	}
	if err := Compare(got, tensor.From(want, 1, 3), 1e-5, 1e-6); err != nil {
		t.Error(err)
	}
}

func (s suite) strings(t *testing.T) {
	session := s.load(t, 17,
		onnxtest.Input("c", tensor.String, -1),
		onnxtest.Opset(onnx.MLDomain, 2),
		onnxtest.Node("ai.onnx.ml.LabelEncoder", "c", "n", onnxtest.Attrs{
			"keys_strings": []string{"red", "grün"}, "values_int64s": []int64{7, 8}, "default_int64": -1}),
		onnxtest.Output("n", tensor.Int64, -1))
	got := run(t, session, tensor.FromStrings([]string{"grün", "", "red"}, 3))[0]
	if err := Compare(got, tensor.From([]int64{8, -1, 7}, 3), 0, 0); err != nil {
		t.Error(err)
	}
}

func (s suite) emptyBatch(t *testing.T) {
	got := run(t, s.dense(t), tensor.New(tensor.Float32, 0, 4))[0]
	if err := Compare(got, tensor.New(tensor.Float32, 0, 3), 0, 0); err != nil {
		t.Error(err)
	}
}

func (s suite) lentMemory(t *testing.T) {
	session := s.dense(t)
	lent := tensor.New(tensor.Float32, 8, 3)
	memory := &lent.Bytes()[0]
	out := []tensor.Value{lent}
	if err := session.Run(context.Background(), []tensor.Value{rows(5)}, out); err != nil {
		t.Fatal(err)
	}
	if out[0] != tensor.Value(lent) || &lent.Bytes()[0] != memory {
		t.Error("the lent tensor's memory was not used")
	}
	if err := Compare(lent, run(t, session, rows(5))[0], 0, 0); err != nil {
		t.Error(err)
	}
}

func (s suite) notShared(t *testing.T) {
	session := s.load(t, 17,
		onnxtest.Input("x", tensor.Float32, -1, 4),
		onnxtest.Init("c", tensor.From([]float32{1, 2}, 2)),
		onnxtest.Node("Identity", "x", "same", nil),
		onnxtest.Node("Identity", "c", "constant", nil),
		onnxtest.Output("same", tensor.Float32, -1, 4),
		onnxtest.Output("constant", tensor.Float32, 2))
	x := rows(2)
	first := run(t, session, x)
	clear(x.Bytes())
	if err := Compare(first[0], rows(2), 0, 0); err != nil {
		t.Errorf("an output shares memory with an input: %v", err)
	}
	clear(first[1].(*tensor.Tensor).Bytes())
	if err := Compare(run(t, session, rows(2))[1], tensor.From([]float32{1, 2}, 2), 0, 0); err != nil {
		t.Errorf("an output shares memory with the session: %v", err)
	}
}

func (s suite) batchIndependence(t *testing.T) {
	session := s.dense(t)
	x := rows(33)
	whole := run(t, session, x)[0].(*tensor.Tensor)
	for i := range 33 {
		var row tensor.Tensor
		row.ViewRows(x, i, i+1)
		alone := run(t, session, &row)[0].(*tensor.Tensor)
		if !bytes.Equal(alone.Bytes(), whole.Bytes()[i*12:(i+1)*12]) {
			t.Fatalf("row %d differs between a batch of 33 and alone", i)
		}
	}
}

func (s suite) concurrency(t *testing.T) {
	session := s.dense(t)
	want := run(t, session, rows(9))[0].(*tensor.Tensor)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			out := make([]tensor.Value, 1)
			for range 200 {
				if err := session.Run(context.Background(), []tensor.Value{rows(9)}, out); err != nil {
					t.Error(err)
					return
				}
				if !bytes.Equal(out[0].(*tensor.Tensor).Bytes(), want.Bytes()) {
					t.Error("a result changed under concurrency")
					return
				}
			}
		})
	}
	wg.Wait()
}

func (s suite) wrongInputs(t *testing.T) {
	session := s.dense(t)
	for name, in := range map[string][]tensor.Value{
		"none":       {},
		"missing":    {nil},
		"type":       {tensor.New(tensor.Float64, 1, 4)},
		"rank":       {tensor.New(tensor.Float32, 4)},
		"dimension":  {tensor.New(tensor.Float32, 1, 5)},
		"not tensor": {&tensor.Sequence{}},
	} {
		err := session.Run(context.Background(), in, make([]tensor.Value, 1))
		if greenlight.CodeOf(err) != greenlight.CodeInvalid {
			t.Errorf("%s: got %v, want an error of code invalid", name, err)
		}
		if name != "none" && (err == nil || !strings.Contains(err.Error(), `"x"`)) {
			t.Errorf("%s: %v does not name the input", name, err)
		}
	}
	run(t, session, rows(1)) // still serving
}

func (s suite) unknownOperator(t *testing.T) {
	m := s.open(t, 17,
		onnxtest.Input("x", tensor.Float32, -1),
		onnxtest.Node("NoSuchOperator", "x", "y", nil),
		onnxtest.Output("y", tensor.Float32, -1))
	_, err := s.engine.Load(context.Background(), m)
	if greenlight.CodeOf(err) != greenlight.CodeUnsupported || !strings.Contains(err.Error(), "NoSuchOperator") {
		t.Errorf("got %v, want an error of code unsupported that names the operator", err)
	}
}

func (s suite) cancelled(t *testing.T) {
	session := s.dense(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := session.Run(ctx, []tensor.Value{rows(1)}, make([]tensor.Value, 1))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
