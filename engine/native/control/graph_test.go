package control_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/arrange"
	"github.com/greenlight-dev/greenlight/engine/native/control"
	"github.com/greenlight-dev/greenlight/engine/native/elementwise"
	"github.com/greenlight-dev/greenlight/engine/native/program"
	"github.com/greenlight-dev/greenlight/engine/native/sequence"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

const opset = 21

func i64(shape []int, v ...int64) *tensor.Tensor   { return tensor.From(v, shape...) }
func list(v ...int64) *tensor.Tensor               { return i64([]int{len(v)}, v...) }
func scalar(v int64) *tensor.Tensor                { return tensor.Scalar(v) }
func flag(v bool) *tensor.Tensor                   { return tensor.Scalar(v) }
func f32(shape []int, v ...float32) *tensor.Tensor { return tensor.From(v, shape...) }
func seq(v ...tensor.Value) *tensor.Sequence       { return &tensor.Sequence{Items: v} }
func values(v ...tensor.Value) []tensor.Value      { return v }

// node reads "a b -> c" as inputs and outputs; "_" is an omitted one.
func node(op, wires string, attrs ...*onnx.Attribute) *onnx.Node {
	in, out, _ := strings.Cut(wires, "->")
	return &onnx.Node{Op: op, Opset: opset, Inputs: names(in), Outputs: names(out), Attrs: attrs}
}

func names(s string) []string {
	list := strings.Fields(s)
	for i, n := range list {
		if n == "_" {
			list[i] = ""
		}
	}
	return list
}

// graph reads "a b -> c" as the graph's inputs and outputs, of any type.
func graph(wires string, nodes ...*onnx.Node) *onnx.Graph {
	in, out, _ := strings.Cut(wires, "->")
	g := &onnx.Graph{Name: "g", Nodes: nodes}
	for _, n := range names(in) {
		g.Inputs = append(g.Inputs, onnx.ValueInfo{Name: n})
	}
	for _, n := range names(out) {
		g.Outputs = append(g.Outputs, onnx.ValueInfo{Name: n})
	}
	return g
}

func body(name string, g *onnx.Graph) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrGraph, Graph: g}
}

func integer(name string, v int64) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrInt, Int: v}
}

func integers(name string, v ...int64) *onnx.Attribute {
	return &onnx.Attribute{Name: name, Type: onnx.AttrInts, Ints: v}
}

func constant(out string, v *tensor.Tensor) *onnx.Node {
	return node("Constant", "-> "+out, &onnx.Attribute{Name: "value", Type: onnx.AttrTensor, Tensor: v})
}

func compile(g *onnx.Graph, o program.Options) (*program.Program, error) {
	reg := program.NewRegistry(arrange.Ops(), sequence.Ops(), control.Ops(), elementwise.Ops())
	return program.Compile(g, reg, o)
}

func mustCompile(t *testing.T, g *onnx.Graph) *program.Program {
	t.Helper()
	p, err := compile(g, program.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func run(t *testing.T, p *program.Program, in ...tensor.Value) []tensor.Value {
	t.Helper()
	out := make([]tensor.Value, len(p.Outputs()))
	if err := p.Run(context.Background(), in, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// fails runs a graph that must be refused, at load or in the run, with a
// message that contains text.
func fails(t *testing.T, g *onnx.Graph, text string, in ...tensor.Value) {
	t.Helper()
	p, err := compile(g, program.Options{})
	if err == nil {
		err = p.Run(context.Background(), in, make([]tensor.Value, len(g.Outputs)))
	}
	if err == nil || !strings.Contains(err.Error(), text) {
		t.Errorf("error %q does not say %q", err, text)
	}
}

func same(t *testing.T, got []tensor.Value, want ...tensor.Value) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d values, want %d", len(got), len(want))
	}
	for i := range want {
		sameValue(t, got[i], want[i])
	}
}

func sameValue(t *testing.T, got, want tensor.Value) {
	t.Helper()
	if w, ok := want.(*tensor.Sequence); ok {
		same(t, got.(*tensor.Sequence).Items, w.Items...)
		return
	}
	g, w := got.(*tensor.Tensor), want.(*tensor.Tensor)
	switch {
	case g.String() != w.String():
		t.Fatalf("got %v, want %v", g, w)
	case g.DType() == tensor.Int64 && !bytes.Equal(g.Bytes(), w.Bytes()):
		t.Fatalf("got %v, want %v", tensor.Data[int64](g), tensor.Data[int64](w))
	case !bytes.Equal(g.Bytes(), w.Bytes()) || !slices.Equal(g.Strings(), w.Strings()):
		t.Fatalf("%v differs", g)
	}
}
