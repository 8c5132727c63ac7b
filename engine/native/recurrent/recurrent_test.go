package recurrent_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/engine/native/recurrent"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

func num(name string, v int64) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrInt, Int: v}
}

func flt(name string, v ...float32) *onnx.Attribute {
	if name == "clip" {
		return &onnx.Attribute{Name: name, Type: onnx.AttrFloat, Float: v[0]}
	}
	return &onnx.Attribute{Name: name, Type: onnx.AttrFloats, Floats: v}
}

func str(name string, v ...string) *onnx.Attribute {
	if name == "direction" {
		return &onnx.Attribute{Name: name, Type: onnx.AttrString, String: v[0]}
	}
	return &onnx.Attribute{Name: name, Type: onnx.AttrStrings, Strings: v}
}

// ramp is a tensor of small, different numbers.
func ramp(shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i, d := 0, tensor.Data[float32](t); i < len(d); i++ {
		d[i] = float32((i*7)%23-11) / 8
	}
	return t
}

type call struct {
	op       string
	attrs    []*onnx.Attribute
	in       []*tensor.Tensor
	constant bool // the weights are constant
	outputs  int
}

func (k call) build(t testing.TB) (op.Kernel, *op.Context, error) {
	t.Helper()
	i := slices.IndexFunc(recurrent.Ops(), func(d op.Def) bool { return d.Name == k.op })
	def := recurrent.Ops()[i]
	n := &op.Node{Node: &onnx.Node{Op: k.op, Opset: 22, Attrs: k.attrs}}
	c := &op.Context{Ctx: context.Background(), MaxBytes: 1 << 28}
	c.Init(len(k.in), k.outputs, nil)
	for j, x := range k.in {
		var arg op.Arg
		if x != nil {
			arg = op.Arg{Name: "in", Type: x.Type()}
			c.In[j] = x
			if k.constant && (j >= 1 && j <= 3 || j == 7) {
				arg.Const = x
			}
		}
		n.Inputs, n.In = append(n.Inputs, arg.Name), append(n.In, arg)
	}
	n.Out = make([]op.Arg, k.outputs)
	if err := def.Infer(n); err != nil {
		t.Fatal(err)
	}
	kernel, err := def.Build(n)
	if err != nil {
		return nil, c, err
	}
	return kernel, c, kernel.Run(c)
}

func (k call) run(t testing.TB) []*tensor.Tensor {
	t.Helper()
	_, c, err := k.build(t)
	if err != nil {
		t.Fatal(err)
	}
	var out []*tensor.Tensor
	for _, v := range c.Out {
		out = append(out, v.(*tensor.Tensor))
	}
	return out
}

func check(t *testing.T, what string, got *tensor.Tensor, want []float32, tolerance float64) {
	t.Helper()
	data := make([]float32, got.Len())
	op.ReadFloat32s(data, got)
	if len(data) != len(want) {
		t.Fatalf("%s is %v, want %d elements", what, got, len(want))
	}
	for i, v := range data {
		if math.Abs(float64(v-want[i])) > tolerance {
			t.Fatalf("%s: element %d is %v, want %v\ngot  %v\nwant %v", what, i, v, want[i], data, want)
		}
	}
}

// The networks have three steps, two sequences of which the second is one
// step long, and two hidden units. Expected outputs are ONNX Runtime 1.32's.
var lengths = tensor.From([]int32{3, 1}, 2)

func network(name string, gates, directions int, l *tensor.Tensor, attrs ...*onnx.Attribute) call {
	in := []*tensor.Tensor{ramp(3, 2, 2), ramp(directions, gates*2, 2), ramp(directions, gates*2, 2), ramp(directions, gates*4), l, ramp(directions, 2, 2)}
	k := call{op: name, attrs: append(attrs, num("hidden_size", 2)), in: in, outputs: 2}
	if name == "LSTM" {
		cell := ramp(directions, 2, 2)
		for i, d := 0, tensor.Data[float32](cell); i < len(d); i++ {
			d[i] /= 2
		}
		k.in, k.outputs = append(k.in, cell), 3
	}
	return k
}

var cases = []struct {
	name string
	call call
	want [][]float32
}{
	{"LSTM, both ways, peepholes, clip", peepholes(network("LSTM", 4, 2, lengths, str("direction", "bidirectional"), flt("clip", 1.5))),
		[][]float32{
			{-0.5187727, -0.02485258, 0.08167667, -0.04223718, -0.2777388, -0.05289388, 0.05244265, -0.3530841,
				-0.3017553, -0.0154566, 0, 0, -0.163002, -0.1192522, 0, 0,
				-0.07828332, -0.08655621, 0, 0, -0.1149438, -0.05778021, 0, 0},
			{-0.07828332, -0.08655621, 0.08167667, -0.04223718, -0.2777388, -0.05289388, 0.05244265, -0.3530841},
			{-0.2165196, -0.2488755, 0.3152519, -0.1689788, -0.3537655, -0.1099053, 0.1295085, -0.9106652},
		}},
	{"LSTM, reverse, coupled", network("LSTM", 4, 1, nil, str("direction", "reverse"), num("input_forget", 1)),
		[][]float32{
			{-0.2778314, -0.02626971, 0.09466345, -0.2956452, -0.0581772, -0.03588007, 0.04388819, -0.2288709, -0.160101, -0.0007475017, 0.1758764, 0.05172286},
			{-0.2778314, -0.02626971, 0.09466345, -0.2956452},
			{-0.577832, -0.05318183, 0.3864714, -0.5773174},
		}},
	{"GRU, reverse", network("GRU", 3, 1, lengths, str("direction", "reverse")),
		[][]float32{
			{-1.236845, 0.9822978, -0.4810406, 0.9674416, -1.250333, 0.8894545, 0, 0, -1.293412, 0.6112593, 0, 0},
			{-1.236845, 0.9822978, -0.4810406, 0.9674416},
		}},
	{"GRU, both ways, linear before reset, other activations",
		network("GRU", 3, 2, lengths, str("direction", "bidirectional"), num("linear_before_reset", 1),
			str("activations", "HardSigmoid", "Softsign", "Sigmoid", "Tanh"), flt("activation_alpha", 0.3), flt("activation_beta", 0.4)),
		[][]float32{
			{-1.375, 0.733943, -0.003115277, 1.198265, 0.7400745, -0.02744746, 0.8726188, -0.9933522,
				-1.375, 0.536731, 0, 0, 0.2116983, 0.02344883, 0, 0,
				-1.103918, 0.2577405, 0, 0, -0.4073038, 0.07254705, 0, 0},
			{-1.103918, 0.2577405, -0.003115277, 1.198265, 0.7400745, -0.02744746, 0.8726188, -0.9933522},
		}},
	{"RNN, both ways, other activations",
		network("RNN", 1, 2, lengths, str("direction", "bidirectional"),
			str("activations", "LeakyRelu", "Affine"), flt("activation_alpha", 0.1, 0.5), flt("activation_beta", 0.25)),
		[][]float32{
			{3.28125, -0.153125, -0.328125, 4.15625, 0.7596436, -0.6108398, -0.125, 0.375,
				-0.4466406, 1.664062, 0, 0, 0.3134766, 0.2851562, 0, 0,
				-0.1421025, 3.553213, 0, 0, 0.7578125, -1.0625, 0, 0},
			{-0.1421025, 3.553213, -0.328125, 4.15625, 0.7596436, -0.6108398, -0.125, 0.375},
		}},
}

func peepholes(k call) call {
	k.in = append(k.in, ramp(2, 6))
	return k
}

func TestNetworks(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for _, constant := range []bool{false, true} {
				c.call.constant = constant
				for i, got := range c.call.run(t) {
					check(t, "output", got, c.want[i], 1e-5)
				}
			}
		})
	}
}

func TestNetworksInHalfPrecision(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := slices.Clone(c.call.in)
			for i, x := range in {
				if x != nil && x.DType() == tensor.Float32 {
					in[i] = tensor.New(tensor.Float16, x.Shape()...)
					op.WriteFloat32s(in[i], tensor.Data[float32](x))
				}
			}
			c.call.in = in
			for i, got := range c.call.run(t) {
				if got.DType() != tensor.Float16 {
					t.Fatalf("output %d is %v", i, got)
				}
				check(t, "output", got, c.want[i], 3e-3)
			}
		})
	}
}

// TestBatchFirst runs the same networks with the first two axes exchanged.
func TestBatchFirst(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			want := c.call.run(t)
			k := c.call
			k.attrs, k.in = append(slices.Clone(k.attrs), num("layout", 1)), slices.Clone(k.in)
			for _, i := range []int{0, 5, 6} {
				if i < len(k.in) {
					k.in[i] = exchange(k.in[i], []int{1, 0, 2})
				}
			}
			got := k.run(t)
			check(t, "Y", exchange(got[0], []int{1, 2, 0, 3}), tensor.Data[float32](want[0]), 0)
			for i := 1; i < len(got); i++ {
				check(t, "state", exchange(got[i], []int{1, 0, 2}), tensor.Data[float32](want[i]), 0)
			}
		})
	}
}

// exchange transposes: axis i of the result is axis perm[i] of t.
func exchange(t *tensor.Tensor, perm []int) *tensor.Tensor {
	strides := op.Strides(nil, t.Shape())
	shape, from := make([]int, len(perm)), make([]int, len(perm))
	for i, p := range perm {
		shape[i], from[i] = t.Dim(p), strides[p]
	}
	out := tensor.New(tensor.Float32, shape...)
	src, dst := tensor.Data[float32](t), tensor.Data[float32](out)
	for o := range dst {
		rest, at := o, 0
		for d := len(shape) - 1; d >= 0; d-- {
			at += rest % shape[d] * from[d]
			rest /= shape[d]
		}
		dst[o] = src[at]
	}
	return out
}

// TestSequencesAlone computes a sequence alone and in a batch.
func TestSequencesAlone(t *testing.T) {
	for name, gates := range map[string]int{"RNN": 1, "GRU": 3, "LSTM": 4} {
		const steps, batch, size, hidden = 4, 9, 5, 19
		x, w, r := ramp(steps, batch, size), ramp(1, gates*hidden, size), ramp(1, gates*hidden, hidden)
		k := call{op: name, attrs: []*onnx.Attribute{num("hidden_size", hidden)}, in: []*tensor.Tensor{x, w, r}, constant: true, outputs: 2}
		all := tensor.Data[float32](k.run(t)[1])
		for b := range batch {
			one := tensor.New(tensor.Float32, steps, 1, size)
			for s := range steps {
				copy(tensor.Data[float32](one)[s*size:][:size], tensor.Data[float32](x)[(s*batch+b)*size:])
			}
			k.in = []*tensor.Tensor{one, w, r}
			if got := tensor.Data[float32](k.run(t)[1]); !slices.Equal(got, all[b*hidden:][:hidden]) {
				t.Fatalf("%s: sequence %d differs when alone", name, b)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	replace := func(i int, x *tensor.Tensor) call {
		k := network("LSTM", 4, 1, lengths)
		k.in[i] = x
		return k
	}
	for _, c := range []struct {
		want string
		call call
	}{
		{"direction is \"up\"", network("GRU", 3, 1, lengths, str("direction", "up"))},
		{"names \"Sine\"", network("RNN", 1, 1, lengths, str("activations", "Sine"))},
		{"has 1 names", network("LSTM", 4, 1, lengths, str("activations", "Tanh"))},
		{"weights W have shape", replace(1, ramp(1, 7, 2))},
		{"biases B have shape", replace(3, ramp(1, 8))},
		{"last dimension to be hidden_size", replace(2, ramp(1, 8, 3))},
		{"want three dimensions", replace(2, ramp(8, 2))},
		{"the input has shape [3 2 3]", replace(0, ramp(3, 2, 3))},
		{"hidden size of at least 1", call{op: "RNN", outputs: 2, in: []*tensor.Tensor{ramp(3, 2, 2), ramp(1, 0, 2), ramp(1, 0, 0)}}},
		{"more memory than the limit", call{op: "RNN", outputs: 2, in: []*tensor.Tensor{ramp(1<<20, 1<<20, 0), ramp(1, 2, 0), ramp(1, 2, 2)}}},
		{"initial state has shape", replace(5, ramp(1, 3, 2))},
		{"sequence_lens[1] is 4", replace(4, tensor.From([]int32{1, 4}, 2))},
		{"sequence_lens has 1 elements", replace(4, tensor.From([]int32{1}, 1))},
	} {
		for _, constant := range []bool{false, true} {
			c.call.constant = constant
			_, _, err := c.call.build(t)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %q", err, c.want)
			}
		}
	}
}

func layer(name string, gates, steps, batch int) call {
	const size, hidden = 32, 64
	return call{op: name, attrs: []*onnx.Attribute{num("hidden_size", hidden)}, constant: true, outputs: 2, in: []*tensor.Tensor{
		ramp(steps, batch, size), ramp(1, gates*hidden, size), ramp(1, gates*hidden, hidden), ramp(1, 2*gates*hidden)}}
}

func TestNoAllocations(t *testing.T) {
	for name, gates := range map[string]int{"RNN": 1, "GRU": 3, "LSTM": 4} {
		kernel, c, err := layer(name, gates, 3, 2).build(t)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(10, func() {
			if err := kernel.Run(c); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations a run", name, n)
		}
	}
}

func benchmark(b *testing.B, k call) {
	kernel, c, err := k.build(b)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := kernel.Run(c); err != nil {
			b.Fatal(err)
		}
	}
}

// 16 steps of 32 features, 64 hidden units.
func BenchmarkLSTM1(b *testing.B)  { benchmark(b, layer("LSTM", 4, 16, 1)) }
func BenchmarkLSTM32(b *testing.B) { benchmark(b, layer("LSTM", 4, 16, 32)) }
func BenchmarkGRU1(b *testing.B)   { benchmark(b, layer("GRU", 3, 16, 1)) }
