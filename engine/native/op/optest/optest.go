// Package optest runs single operators in tests, without a model or an
// engine: an operator is picked from a package's definitions as the engine
// would pick it, built for one node, and run on literal tensors.
package optest

import (
	"context"
	"fmt"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// Attrs are a node's attributes: int, float64, string, []int, []float64,
// []string or *tensor.Tensor.
type Attrs map[string]any

// Call is one node to run. The zero Opset is 28, the zero Outputs 1.
type Call struct {
	Domain  string
	Op      string
	Opset   int
	Attrs   Attrs
	Outputs int
	// Const makes the inputs constants, known when the operator is built.
	Const bool
}

// Node is a call, built and ready to run any number of times.
type Node struct {
	Kernel  op.Kernel
	Context op.Context
	Node    *op.Node
}

// Build finds the operator in defs and builds it for inputs; nil stands for
// an omitted one. Inputs are typed by rank and element, as after inference.
func Build(defs []op.Def, call Call, inputs ...tensor.Value) (*Node, error) {
	if call.Opset == 0 {
		call.Opset = 28
	}
	if call.Outputs == 0 {
		call.Outputs = 1
	}
	def, err := find(defs, call)
	if err != nil {
		return nil, err
	}
	n := &Node{Node: newNode(call, inputs)}
	if err := checkTypes(def, n.Node); err != nil {
		return nil, err
	}
	if def.Infer != nil {
		if err := def.Infer(n.Node); err != nil {
			return nil, fmt.Errorf("infer: %w", err)
		}
	}
	if n.Kernel, err = def.Build(n.Node); err != nil {
		return nil, fmt.Errorf("build: %w", err)
	}
	n.Context.Ctx = context.Background()
	n.Context.Init(len(inputs), call.Outputs, nil)
	copy(n.Context.In, inputs)
	return n, nil
}

func find(defs []op.Def, call Call) (op.Def, error) {
	for _, d := range defs {
		if d.Domain == call.Domain && d.Name == call.Op && d.Since <= call.Opset && (d.Until == 0 || call.Opset <= d.Until) {
			return d, nil
		}
	}
	return op.Def{}, fmt.Errorf("no operator %q %s at opset %d", call.Domain, call.Op, call.Opset)
}

func newNode(call Call, inputs []tensor.Value) *op.Node {
	n := &op.Node{Node: &onnx.Node{Domain: call.Domain, Op: call.Op, Opset: call.Opset}}
	for name, v := range call.Attrs {
		n.Attrs = append(n.Attrs, attribute(name, v))
	}
	for i, v := range inputs {
		arg := op.Arg{}
		if v != nil {
			arg = op.Arg{Name: fmt.Sprint("in", i), Type: v.Type()}
			if call.Const {
				arg.Const = v
			}
		}
		n.In = append(n.In, arg)
		n.Inputs = append(n.Inputs, arg.Name)
	}
	for i := range call.Outputs {
		name := fmt.Sprint("out", i)
		n.Outputs = append(n.Outputs, name)
		n.Out = append(n.Out, op.Arg{Name: name})
	}
	return n
}

func attribute(name string, v any) *onnx.Attribute {
	a := &onnx.Attribute{Name: name}
	switch v := v.(type) {
	case int:
		a.Type, a.Int = onnx.AttrInt, int64(v)
	case float64:
		a.Type, a.Float = onnx.AttrFloat, float32(v)
	case string:
		a.Type, a.String = onnx.AttrString, v
	case []int:
		a.Type = onnx.AttrInts
		for _, x := range v {
			a.Ints = append(a.Ints, int64(x))
		}
	case []float64:
		a.Type = onnx.AttrFloats
		for _, x := range v {
			a.Floats = append(a.Floats, float32(x))
		}
	case []string:
		a.Type, a.Strings = onnx.AttrStrings, v
	case *tensor.Tensor:
		a.Type, a.Tensor = onnx.AttrTensor, v
	default:
		panic(fmt.Sprintf("attribute %s: unexpected %T", name, v))
	}
	return a
}

func checkTypes(def op.Def, n *op.Node) error {
	for i, in := range n.In {
		if len(def.Types) == 0 || in.Type.Kind != tensor.KindTensor {
			continue
		}
		if set := def.Types[min(i, len(def.Types)-1)]; !set.Has(in.Type.Elem) {
			return fmt.Errorf("input %d: %v is not served", i, in.Type.Elem)
		}
	}
	return nil
}

// Run runs the node once more; what an operator throws is its error, as in
// the engine.
func (n *Node) Run() (err error) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*op.Error)
			if !ok {
				panic(r)
			}
			err = e
		}
	}()
	return n.Kernel.Run(&n.Context)
}

// Out is output i as a tensor.
func (n *Node) Out(i int) *tensor.Tensor {
	t, _ := n.Context.Out[i].(*tensor.Tensor)
	return t
}

// Run builds and runs a call that must succeed.
func Run(t testing.TB, defs []op.Def, call Call, inputs ...tensor.Value) *Node {
	t.Helper()
	n, err := Build(defs, call, inputs...)
	if err == nil {
		err = n.Run()
	}
	if err != nil {
		t.Fatalf("%s: %v", call.Op, err)
	}
	return n
}

// Error is the error of a call that must fail, be it built or run.
func Error(t testing.TB, defs []op.Def, call Call, inputs ...tensor.Value) string {
	t.Helper()
	n, err := Build(defs, call, inputs...)
	if err == nil {
		err = n.Run()
	}
	if err == nil {
		t.Fatalf("%s: no error", call.Op)
	}
	return err.Error()
}

// Allocs is the number of allocations of a run at steady state.
func (n *Node) Allocs(t testing.TB) float64 {
	t.Helper()
	return testing.AllocsPerRun(20, func() {
		if err := n.Run(); err != nil {
			t.Fatal(err)
		}
	})
}

// Want compares a tensor with what it should be: type, shape, and elements
// within tolerance, absolute or relative; NaN equals NaN.
func Want(t testing.TB, got, want *tensor.Tensor, tolerance float64) {
	t.Helper()
	if got == nil || got.String() != want.String() {
		t.Fatalf("got %v, want %v", got, want)
	}
	g, w := Float64s(got), Float64s(want)
	for i := range w {
		if !near(g[i], w[i], tolerance) {
			t.Fatalf("element %d is %v, want %v\n got %v\nwant %v", i, g[i], w[i], g, w)
		}
	}
}

func near(got, want, tolerance float64) bool {
	if got == want || got != got && want != want {
		return true
	}
	diff, size := got-want, max(want, -want, 1)
	return max(diff, -diff) <= tolerance*size
}

// Float64s reads the elements of a numeric or bool tensor.
func Float64s(t *tensor.Tensor) []float64 {
	out := make([]float64, t.Len())
	switch t.DType() {
	case tensor.Float64:
		copy(out, tensor.Data[float64](t))
	case tensor.Int64:
		for i, v := range tensor.Data[int64](t) {
			out[i] = float64(v)
		}
	case tensor.Bool:
		for i, v := range tensor.Data[bool](t) {
			if v {
				out[i] = 1
			}
		}
	default:
		narrow := make([]float32, t.Len())
		op.ReadFloat32s(narrow, t)
		for i, v := range narrow {
			out[i] = float64(v)
		}
	}
	return out
}
