package attention_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/attention"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

func num(name string, v int64) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrInt, Int: v}
}

func flt(name string, v float32) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrFloat, Float: v}
}

func str(name, v string) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrString, String: v}
}

// ramp is a tensor of small, different numbers, shifted.
func ramp(shift float32, shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i, d := 0, tensor.Data[float32](t); i < len(d); i++ {
		d[i] = float32((i*7)%23-11)/8 + shift
	}
	return t
}

type call struct {
	op      string
	attrs   []*onnx.Attribute
	in      []*tensor.Tensor
	outputs int
	graph   op.Program // what Compile gives
}

func (k call) build(t testing.TB) (op.Kernel, *op.Context, error) {
	t.Helper()
	i := slices.IndexFunc(attention.Ops(), func(d op.Def) bool { return d.Name == k.op })
	def := attention.Ops()[i]
	n := &op.Node{Node: &onnx.Node{Op: k.op, Opset: 27, Attrs: k.attrs}, Out: make([]op.Arg, max(1, k.outputs))}
	n.Compile = func(*onnx.Graph) (op.Program, error) { return k.graph, nil }
	c := &op.Context{Ctx: context.Background(), MaxBytes: 1 << 28}
	c.Init(len(k.in), max(1, k.outputs), nil)
	for j, x := range k.in {
		var arg op.Arg
		if x != nil {
			arg, c.In[j] = op.Arg{Name: "in", Type: x.Type()}, x
		}
		n.Inputs, n.In = append(n.Inputs, arg.Name), append(n.In, arg)
	}
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

func check(t *testing.T, got *tensor.Tensor, tolerance float64, want ...float32) {
	t.Helper()
	data := make([]float32, got.Len())
	op.ReadFloat32s(data, got)
	if len(data) != len(want) {
		t.Fatalf("got %v, want %d elements", got, len(want))
	}
	for i, v := range data {
		if !(math.Abs(float64(v-want[i])) <= tolerance) {
			t.Fatalf("element %d is %v, want %v\ngot  %v\nwant %v", i, v, want[i], data, want)
		}
	}
}

var (
	query = ramp(0, 1, 2, 2, 2)
	key   = ramp(0.25, 1, 2, 3, 2)
	value = ramp(0, 1, 2, 3, 1)
)

// Expected outputs are those of ONNX's reference implementation 1.22.
var attentionCases = []struct {
	name string
	call call
	want [][]float32 // nil for an output that is not compared
}{
	{"causal, bool mask, probabilities", call{op: "Attention", outputs: 4, attrs: []*onnx.Attribute{num("is_causal", 1), num("qk_matmul_output_mode", 3)},
		in: []*tensor.Tensor{query, key, value, tensor.From([]bool{true, false, true, false, true, true}, 2, 3)}},
		[][]float32{{-1.375, -0.5, 1.25, -0.75}, nil, nil, {1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0}}},
	{"shared heads side by side, softcap, short mask", call{op: "Attention",
		attrs: []*onnx.Attribute{num("q_num_heads", 4), num("kv_num_heads", 2), flt("softcap", 0.75), flt("scale", 0.5)},
		in:    []*tensor.Tensor{ramp(0, 1, 2, 8), ramp(0, 1, 3, 4), ramp(0, 1, 3, 2), tensor.From([]float32{0.5, -1}, 1, 2)}},
		[][]float32{{-1.114071, -0.9318161, -0.2583867, 0.1798671, -1.001913, -1.113942, -0.371399, -0.278736}}},
	{"past and present", call{op: "Attention", outputs: 4, attrs: []*onnx.Attribute{num("is_causal", 1)},
		in: []*tensor.Tensor{query, key, value, nil, ramp(0, 1, 2, 2, 2), ramp(0, 1, 2, 2, 1)}},
		[][]float32{
			{-1.327662, -0.6033112, 0.7286561, 1.083554},
			{-1.375, -0.5, 0.375, 1.25, -1.125, -0.25, 0.625, 1.5, -0.5, 0.375, -0.75, 0.125, 1, -1, 1.25, -0.75, 0.125, 1, -1, -0.125},
			{-1.375, -0.5, -1.375, -0.5, 0.375, 0.375, 1.25, 1.25, -0.75, 0.125},
			{1.51365, -0.8065437, 1.182194, -1.138, 0.3535534, -0.8065437, 1.204291, -0.5192816, 1.491553, 0.1988738,
				0.4087962, -0.6187184, -0.7292039, 0.02209708, 0.5192816, -0.6187184, 1.414214, 1.414214, -0.6187184, -0.6187185},
		}},
	{"lengths, causal, rows without a key", call{op: "Attention", attrs: []*onnx.Attribute{num("is_causal", 1)},
		in: []*tensor.Tensor{twice(query), twice(key), twice(value), nil, nil, nil, tensor.From([]int64{2, 1}, 2)}},
		[][]float32{{-1.375, -0.6033113, 1.25, 1.018423, 0, -1.375, 0, 1.25}}},
	{"window", call{op: "Attention", attrs: []*onnx.Attribute{num("left_window_size", 0), num("right_window_size", 1)},
		in: []*tensor.Tensor{query, key, value}},
		[][]float32{{-1.296719, -0.3115254, -0.1089242, -0.3125}}},
}

// twice repeats a batch of one.
func twice(t *tensor.Tensor) *tensor.Tensor {
	shape := slices.Clone(t.Shape())
	shape[0] = 2
	return tensor.From(slices.Repeat(tensor.Data[float32](t), 2), shape...)
}

func TestAttention(t *testing.T) {
	for _, c := range attentionCases {
		for d, tolerance := range map[tensor.DType]float64{tensor.Float32: 1e-5, tensor.Float64: 1e-5, tensor.Float16: 3e-3} {
			t.Run(d.String()+" "+c.name, func(t *testing.T) {
				k := c.call
				k.in = convertAll(d, k.in)
				for i, got := range k.run(t) {
					if got.DType() != d {
						t.Fatalf("output %d is %v", i, got)
					}
					if c.want[i] != nil {
						check(t, got, tolerance, c.want[i]...)
					}
				}
			})
		}
	}
}

func convertAll(d tensor.DType, in []*tensor.Tensor) []*tensor.Tensor {
	out := slices.Clone(in)
	for i, x := range in {
		if x != nil && x.DType() == tensor.Float32 {
			out[i] = tensor.New(d, x.Shape()...)
			op.WriteFloat32s(out[i], tensor.Data[float32](x))
		}
	}
	return out
}

// TestAttentionIgnoresMaskedGarbage has NaN among the keys that the mask
// excludes, and a query without any key.
func TestAttentionIgnoresMaskedGarbage(t *testing.T) {
	k := call{op: "Attention", in: []*tensor.Tensor{
		tensor.From([]float32{1, 2}, 1, 1, 2, 1),
		tensor.From([]float32{1, float32(math.NaN())}, 1, 1, 2, 1),
		tensor.From([]float32{3, 5}, 1, 1, 2, 1),
		tensor.From([]bool{true, false, false, false}, 2, 2),
	}}
	check(t, k.run(t)[0], 0, 3, 0)
}

// TestAttentionBlocks has more scores than are kept at a time.
func TestAttentionBlocks(t *testing.T) {
	const queries, keys = 9, 1 << 15
	v := tensor.New(tensor.Float32, 1, 1, keys, 1)
	for i, d := 0, tensor.Data[float32](v); i < keys; i++ {
		d[i] = 1
	}
	k := call{op: "Attention", in: []*tensor.Tensor{ramp(0, 1, 1, queries, 4), ramp(0, 1, 1, keys, 4), v}}
	check(t, k.run(t)[0], 1e-4, slices.Repeat([]float32{1}, queries)...)
}

func TestLinearAttention(t *testing.T) {
	decay := ramp(0, 1, 2, 1)
	for i, d := 0, tensor.Data[float32](decay); i < len(d); i++ {
		d[i] = -d[i] * d[i]
	}
	out := call{op: "LinearAttention", outputs: 2, attrs: []*onnx.Attribute{num("q_num_heads", 2), num("kv_num_heads", 1)},
		in: []*tensor.Tensor{ramp(0, 1, 2, 4), ramp(0, 1, 2, 2), ramp(0, 1, 2, 2), ramp(0, 1, 1, 2, 2), decay, ramp(0, 1, 2, 1)}}.run(t)
	check(t, out[0], 1e-5, 3.57873, 1.066946, -1.815036, -0.4181723, 1.391798, 0.4934602, -0.4924394, 0.0461519)
	check(t, out[1], 1e-5, -3.009997, -1.129627, -2.313582, -1.194895)
	out = call{op: "LinearAttention", outputs: 2, in: []*tensor.Tensor{ramp(0, 1, 2, 4), ramp(0, 1, 2, 4), ramp(0, 1, 2, 2)},
		attrs: []*onnx.Attribute{num("q_num_heads", 2), num("kv_num_heads", 2), str("update_rule", "linear"), flt("scale", 2)}}.run(t)
	check(t, out[0], 1e-5, -5.886719, -1.703125, -2.230469, 5.875)
	check(t, out[1], 1e-5, 1.609375, 0.734375, 1.0625, -1.875)
}

func TestRotaryEmbedding(t *testing.T) {
	packed := call{op: "RotaryEmbedding", attrs: []*onnx.Attribute{num("num_heads", 2), num("rotary_embedding_dim", 2)},
		in: []*tensor.Tensor{ramp(0, 1, 2, 8), ramp(0, 5, 1), ramp(-0.5, 5, 1), tensor.From([]int64{3, 1}, 1, 2)}}
	check(t, packed.run(t)[0], 1e-6, -1.34375, -1.65625, 0.375, 1.25, -1.03125, -0.40625, 1, -1,
		0.8125, -0.25, -1.25, -0.375, 1.125, -1.1875, -0.625, 0.25)
	interleaved := call{op: "RotaryEmbedding", attrs: []*onnx.Attribute{num("interleaved", 1)},
		in: []*tensor.Tensor{ramp(0, 1, 1, 2, 4), ramp(0, 1, 2, 2), ramp(-0.5, 1, 2, 2)}}
	check(t, interleaved.run(t)[0], 1e-6, 0.953125, 3.265625, 1.0625, -1, -0.265625, 0.140625, 2, -0.5)
}

// program is a subgraph in Go.
type program func(*tensor.Tensor) *tensor.Tensor

func (program) Inputs() []onnx.ValueInfo  { return nil }
func (program) Outputs() []onnx.ValueInfo { return nil }
func (f program) Run(_ *op.Context, in, out []tensor.Value) error {
	out[0] = f(in[0].(*tensor.Tensor))
	return nil
}

func TestFlexAttention(t *testing.T) {
	graph := &onnx.Graph{Inputs: make([]onnx.ValueInfo, 1), Outputs: make([]onnx.ValueInfo, 1)}
	firstKeyOnly := program(func(scores *tensor.Tensor) *tensor.Tensor {
		out := scores.Clone()
		d := tensor.Data[float64](out)
		for i := range d {
			if i%3 != 0 {
				d[i] = math.Inf(-1)
			}
		}
		return out
	})
	k := call{op: "FlexAttention", graph: firstKeyOnly, in: []*tensor.Tensor{query, key, value},
		attrs: []*onnx.Attribute{num("softmax_precision", int64(tensor.Float64)), {Name: "score_mod", Type: onnx.AttrGraph, Graph: graph}}}
	check(t, k.run(t)[0], 1e-6, -1.375, -1.375, 1.25, 1.25)
	wrong := k
	wrong.graph = program(func(s *tensor.Tensor) *tensor.Tensor { return tensor.Scalar(float32(1)) })
	if _, _, err := wrong.build(t); err == nil || !strings.Contains(err.Error(), "the subgraph gave float32[]") {
		t.Errorf("got error %v", err)
	}
	plain := call{op: "FlexAttention", in: k.in}.run(t)[0]
	check(t, plain, 1e-6, tensor.Data[float32](call{op: "Attention", in: k.in}.run(t)[0])...)
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		want string
		call call
	}{
		{"three or four dimensions", call{op: "Attention", in: []*tensor.Tensor{ramp(0, 2, 2), key, value}}},
		{"cannot be split into 0 heads", call{op: "Attention", in: []*tensor.Tensor{ramp(0, 1, 2, 4), ramp(0, 1, 2, 4), ramp(0, 1, 2, 4)}}},
		{"do not match", call{op: "Attention", in: []*tensor.Tensor{query, key, ramp(0, 1, 2, 2, 1)}}},
		{"cannot share", call{op: "Attention", in: []*tensor.Tensor{ramp(0, 1, 3, 2, 2), key, value}}},
		{"does not broadcast", call{op: "Attention", in: []*tensor.Tensor{query, key, value, ramp(0, 3, 3)}}},
		{"a past state is", call{op: "Attention", in: []*tensor.Tensor{query, key, value, nil, ramp(0, 1, 2, 2, 3), ramp(0, 1, 2, 2, 1)}}},
		{"given together", call{op: "Attention", in: []*tensor.Tensor{query, key, value, nil, ramp(0, 1, 2, 2, 2)}}},
		{"one length for each", call{op: "Attention", in: []*tensor.Tensor{query, key, value, nil, nil, nil, tensor.From([]int64{1, 2}, 2)}}},
		{"qk_matmul_output_mode is 4", call{op: "Attention", attrs: []*onnx.Attribute{num("qk_matmul_output_mode", 4)}, in: []*tensor.Tensor{query, key, value}}},
		{"update_rule is \"best\"", call{op: "LinearAttention", attrs: []*onnx.Attribute{str("update_rule", "best")}, in: []*tensor.Tensor{query}}},
		{"gated rules only", call{op: "LinearAttention", attrs: []*onnx.Attribute{num("q_num_heads", 2), num("kv_num_heads", 2)}, in: []*tensor.Tensor{query}}},
		{"position_ids element 1 is 5", call{op: "RotaryEmbedding", in: []*tensor.Tensor{ramp(0, 1, 1, 2, 2), ramp(0, 5, 1), ramp(0, 5, 1), tensor.From([]int64{3, 5}, 1, 2)}}},
		{"the caches are", call{op: "RotaryEmbedding", in: []*tensor.Tensor{ramp(0, 1, 1, 2, 2), ramp(0, 1, 2, 2), ramp(0, 1, 2, 2)}}},
	} {
		if _, _, err := c.call.build(t); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want one with %q", c.call.op, err, c.want)
		}
	}
}

// Eight heads of 64, 128 tokens.
func BenchmarkAttention(b *testing.B) {
	x := ramp(0, 1, 8, 128, 64)
	kernel, c, err := call{op: "Attention", attrs: []*onnx.Attribute{num("is_causal", 1)}, in: []*tensor.Tensor{x, x, x}}.build(b)
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
