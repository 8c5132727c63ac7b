package onnx_test

import (
	"maps"
	"runtime"
	"testing"

	"github.com/greenlight-dev/greenlight/onnx"
	ot "github.com/greenlight-dev/greenlight/onnx/onnxtest"
	"github.com/greenlight-dev/greenlight/tensor"
)

// fuzzLimits keeps what one input may use small enough to notice more.
var fuzzLimits = onnx.Limits{TensorBytes: 1 << 20, SparseBytes: 1 << 18, Nodes: 5000, Messages: 50_000}

// allowedBytes is what reading an input of n bytes may allocate in all: the
// tensors, the inlined functions, and some 200 bytes for each byte read (a
// node of two bytes becomes a Node).
func allowedBytes(n int) uint64 {
	return 16<<20 + 200*uint64(n)
}

func bounded(t *testing.T, n int, read func()) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	read()
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > allowedBytes(n) {
		t.Errorf("reading %d bytes allocated %d", n, used)
	}
}

func FuzzDecode(f *testing.F) {
	for _, c := range brokenFiles {
		if len(c.file) < 1<<16 {
			f.Add([]byte(c.file))
		}
	}
	f.Add(relu(17))
	f.Add([]byte(nested(5)))
	f.Add([]byte(bomb(3)))
	f.Add([]byte(sparse(1, 4)))
	f.Add([]byte(initializer(external("location", "w.bin"))))
	f.Add(ot.File(17, ot.Input("x", tensor.Float32, -1), ot.Init("w", tensor.FromStrings([]string{"a"}, 1)),
		ot.Node("ai.onnx.ml.LabelEncoder", "x", "y", ot.Attrs{"keys_strings": []string{"a", "b"}, "values_int64s": []int{1, 2}, "f": []float64{1}}),
		ot.Output("y", tensor.Int64, -1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m *onnx.Model
		var err error
		bounded(t, len(data), func() {
			m, err = onnx.Decode(data, nil, fuzzLimits)
		})
		if (m == nil) != (err != nil) {
			t.Fatalf("model %v comes with error %v", m, err)
		}
		if err == nil {
			sound(t, m.Graph, map[string]bool{})
		}
	})
}

// sound walks a graph that was accepted: every name that a node reads must
// have been defined before it, and known says which are.
func sound(t *testing.T, g *onnx.Graph, known map[string]bool) {
	known = maps.Clone(known)
	for _, v := range g.Inputs {
		known[v.Name] = true
	}
	for _, init := range g.Initializers {
		known[init.Name] = true
	}
	for _, n := range g.Nodes {
		for _, name := range n.Inputs {
			if name != "" && !known[name] {
				t.Fatalf("%s reads %q, which is not defined before", n.Op, name)
			}
		}
		for _, a := range n.Attrs {
			for _, sub := range append(a.Graphs, a.Graph) {
				if sub != nil {
					sound(t, sub, known)
				}
			}
		}
		for _, name := range n.Outputs {
			known[name] = true
		}
	}
	for _, v := range g.Outputs {
		if !known[v.Name] {
			t.Fatalf("output %q is not defined", v.Name)
		}
	}
}

func FuzzDecodeTensor(f *testing.F) {
	for _, t := range []*tensor.Tensor{
		tensor.From([]float32{1, 2}, 2), tensor.FromStrings([]string{"a", "b"}, 1, 2), tensor.From([]bool{true}, 1),
		tensor.FromAs(tensor.Int4, []int8{1, -1, 3}, 3), tensor.From([]complex128{1}, 1), tensor.New(tensor.Float32, 0, 1<<40),
	} {
		f.Add([]byte(ot.EncodeTensor("t", t)), uint8(tensor.KindTensor))
		f.Add([]byte(ot.Message(nil).Int(2, 1).Bytes(3, ot.EncodeTensor("", t))), uint8(tensor.KindSequence))
		f.Add([]byte(ot.Message(nil).Int(2, 1).Bytes(3, ot.EncodeTensor("", t))), uint8(tensor.KindOptional))
	}
	f.Add([]byte(proto(tensor.Int8, 2).Ints(5, 1, 2)), uint8(tensor.KindTensor))
	f.Add([]byte(ot.Message(nil).Ints(3, 7).Bytes(5, ot.Message(nil).Bytes(3, proto(tensor.Float32).Floats(4, 1)))), uint8(tensor.KindMap))
	f.Fuzz(func(t *testing.T, data []byte, kind uint8) {
		var v tensor.Value
		var err error
		bounded(t, len(data), func() {
			v, err = onnx.DecodeValue(data, tensor.Kind(kind), fuzzLimits)
		})
		if (v == nil) != (err != nil) {
			t.Fatalf("value %v comes with error %v", v, err)
		}
		if x, ok := v.(*tensor.Tensor); ok {
			again, err := onnx.DecodeTensor(ot.EncodeTensor("", x), onnx.Limits{})
			if err != nil {
				t.Fatalf("%v cannot be read again: %v", x, err)
			}
			sameTensor(t, again, x)
		}
	})
}
