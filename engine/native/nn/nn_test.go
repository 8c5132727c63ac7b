package nn_test

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/nn"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// call is one operator with its attributes and inputs.
type call struct {
	domain, op string
	opset      int
	attrs      []*onnx.Attribute
	in         []*tensor.Tensor // nil for an omitted one
	constant   bool             // all inputs but the first are constants
	outputs    int              // 0 is 1
}

func ints(name string, v ...int64) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrInts, Ints: v}
}

func num(name string, v int64) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrInt, Int: v}
}

func flt(name string, v float32) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrFloat, Float: v}
}

func str(name, v string) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrString, String: v}
}

// build makes the kernel and a context with the inputs in place.
func (k call) build(t testing.TB) (op.Kernel, *op.Context, error) {
	t.Helper()
	i := slices.IndexFunc(nn.Ops(), func(d op.Def) bool { return d.Domain == k.domain && d.Name == k.op })
	if i < 0 {
		t.Fatalf("there is no operator %s", k.op)
	}
	n := &op.Node{Node: &onnx.Node{Domain: k.domain, Op: k.op, Opset: max(k.opset, 22), Attrs: k.attrs}}
	c := &op.Context{Ctx: context.Background(), MaxBytes: 1 << 28}
	c.Init(len(k.in), max(k.outputs, 1), nil)
	for range max(k.outputs, 1) {
		n.Outputs, n.Out = append(n.Outputs, "out"), append(n.Out, op.Arg{Name: "out"})
	}
	for j, x := range k.in {
		arg := op.Arg{}
		if x != nil {
			arg = op.Arg{Name: "in", Type: x.Type()}
			c.In[j] = x
			if k.constant && j > 0 {
				arg.Const = x
			}
		}
		n.Inputs, n.In = append(n.Inputs, arg.Name), append(n.In, arg)
	}
	def := nn.Ops()[i]
	if err := def.Infer(n); err != nil {
		t.Fatalf("%s: infer: %v", k.op, err)
	}
	kernel, err := def.Build(n)
	if err != nil {
		return nil, c, err
	}
	err = kernel.Run(c)
	if err == nil {
		checkInferred(t, n.Out[0].Type, c.Out[0].Type())
	}
	return kernel, c, err
}

// checkInferred compares what was known at load with the result.
func checkInferred(t testing.TB, want, got tensor.Type) {
	t.Helper()
	if want.Elem != got.Elem || (want.Ranked && len(want.Dims) != len(got.Dims)) {
		t.Errorf("inferred %v, got %v", want, got)
		return
	}
	for i, d := range want.Dims {
		if d.Known() && d.Size != got.Dims[i].Size {
			t.Errorf("inferred %v, got %v", want, got)
		}
	}
}

// run gives the outputs.
func (k call) run(t testing.TB) []*tensor.Tensor {
	t.Helper()
	_, c, err := k.build(t)
	if err != nil {
		t.Fatalf("%s: %v", k.op, err)
	}
	var out []*tensor.Tensor
	for _, v := range c.Out {
		out = append(out, v.(*tensor.Tensor))
	}
	return out
}

// want checks a float32 result.
func want(t *testing.T, got *tensor.Tensor, values []float32, shape ...int) {
	t.Helper()
	if !slices.Equal(got.Shape(), shape) {
		t.Fatalf("shape %v, want %v", got.Shape(), shape)
	}
	data := make([]float32, got.Len())
	op.ReadFloat32s(data, got)
	for i, v := range data {
		w := values[i]
		if !(math.Abs(float64(v-w)) <= 1e-5*math.Max(1, math.Abs(float64(w)))) && !(v != v && w != w) && v != w {
			t.Fatalf("element %d is %v, want %v\ngot  %v\nwant %v", i, v, w, data, values)
		}
	}
}

func f32(shape []int, v ...float32) *tensor.Tensor { return tensor.From(v, shape...) }

// ramp is a tensor of small, different numbers.
func ramp(shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i, d := 0, tensor.Data[float32](t); i < len(d); i++ {
		d[i] = float32((i*7)%23-11) / 8
	}
	return t
}

var nanValue = float32(math.NaN())
