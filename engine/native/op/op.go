// Package op is the contract between the native engine and its operators:
// what an operator declares (Def), what it is built from (Node), and what it
// runs in (Context). Operator packages beside it import this one and nothing
// of the engine, so each can be read and tested alone.
package op

import (
	"fmt"
	"slices"

	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// ML is the domain of the classical machine-learning operators.
const ML = "ai.onnx.ml"

// Internal is the domain of operators that only the engine's own graph
// rewriting introduces; no file may use it.
const Internal = "greenlight"

// Def declares one operator over a range of opset versions. An operator whose
// meaning changed between versions either has several Defs or looks at
// Node.Opset when it is built.
type Def struct {
	Domain string
	Name   string
	Since  int // first opset version that it serves; 0 is 1
	Until  int // last one; 0 is no end

	// Types lists the element types accepted for each input; the last entry
	// serves all further inputs, an empty entry accepts any. They are
	// checked at load where types are known, and again at each run.
	Types []TypeSet

	// Infer sets n.Out from n.In, as far as it can be known before a run.
	// Nil leaves the outputs' types unknown. It runs before Build.
	Infer func(n *Node) error

	// Build prepares the operator for one node: reads attributes, packs
	// constant inputs. Anything that it cannot serve it refuses here.
	Build func(n *Node) (Kernel, error)

	// Impure marks operators that must not be folded into constants
	// (random numbers).
	Impure bool

	// Alias says that output 0 may share input 0's memory (Reshape,
	// Identity): the planner keeps that memory alive for both.
	Alias bool
}

// Kernel is an operator prepared for one node. Run may be called for several
// contexts at once: what changes from call to call lives in the Context.
type Kernel interface {
	Run(c *Context) error
}

// Func is a Kernel without state.
type Func func(c *Context) error

// Run calls f.
func (f Func) Run(c *Context) error { return f(c) }

// Simple makes a Build function of a kernel that needs nothing of its node.
func Simple(f Func) func(*Node) (Kernel, error) {
	return func(*Node) (Kernel, error) { return f, nil }
}

// Arg is one input or output of a node as known at load. An omitted optional
// input has an empty Name.
type Arg struct {
	Name  string
	Type  tensor.Type  // KindUnknown when not inferred
	Const tensor.Value // the value when it is constant, else nil
}

// Tensor is the constant tensor, or nil when the input is not constant.
func (a Arg) Tensor() *tensor.Tensor {
	t, _ := a.Const.(*tensor.Tensor)
	return t
}

// Node is a graph node with what is known of its inputs at load.
type Node struct {
	*onnx.Node
	In  []Arg
	Out []Arg

	// Compile turns the subgraph of a graph attribute into a Program; set by
	// the engine.
	Compile func(g *onnx.Graph) (Program, error)
}

// Program is a compiled subgraph (the body of If, Loop, Scan, SequenceMap).
type Program interface {
	// Inputs and Outputs are the subgraph's own.
	Inputs() []onnx.ValueInfo
	Outputs() []onnx.ValueInfo
	// Run evaluates the subgraph inside c's frame. Values it captures from
	// outer graphs are found by the engine. An entry of out that holds a
	// tensor lends its memory to that output; nil entries are allocated.
	// What out holds afterwards belongs to the caller. in and out must not
	// share tensors.
	Run(c *Context, in, out []tensor.Value) error
}

// Arg gives input i, or an omitted one when the node has fewer.
func (n *Node) Arg(i int) Arg {
	if i < len(n.In) {
		return n.In[i]
	}
	return Arg{}
}

// Has says whether input i is given.
func (n *Node) Has(i int) bool { return n.Arg(i).Name != "" }

// Elem is the element type of input i, Undefined when not known.
func (n *Node) Elem(i int) tensor.DType { return n.Arg(i).Type.Elem }

// Wants says whether anybody reads output i.
func (n *Node) Wants(i int) bool { return i < len(n.Outputs) && n.Outputs[i] != "" }

// SetOut gives output i its type, when the node has that output.
func (n *Node) SetOut(i int, t tensor.Type) {
	if i < len(n.Out) {
		n.Out[i].Type = t
	}
}

// attr finds an attribute and checks its type.
func (n *Node) attr(name string, want onnx.AttrType) (*onnx.Attribute, error) {
	a := n.Attr(name)
	if a == nil {
		return nil, nil
	}
	if a.Type != want {
		return nil, fmt.Errorf("attribute %q has the wrong type", name)
	}
	return a, nil
}

// Attrs reads a node's attributes; the first one of a wrong type is kept in
// Err, so a Build function checks once.
type Attrs struct {
	n   *Node
	err error
}

// Attrs starts reading attributes.
func (n *Node) ReadAttrs() *Attrs { return &Attrs{n: n} }

// Err is the first attribute of a wrong type, if any.
func (a *Attrs) Err() error { return a.err }

func (a *Attrs) get(name string, want onnx.AttrType) *onnx.Attribute {
	found, err := a.n.attr(name, want)
	if err != nil && a.err == nil {
		a.err = err
	}
	return found
}

// Int is an integer attribute or def.
func (a *Attrs) Int(name string, def int) int {
	if at := a.get(name, onnx.AttrInt); at != nil {
		return int(at.Int)
	}
	return def
}

// Bool is an integer attribute read as a flag.
func (a *Attrs) Bool(name string, def bool) bool {
	d := 0
	if def {
		d = 1
	}
	return a.Int(name, d) != 0
}

// Float is a float attribute or def.
func (a *Attrs) Float(name string, def float32) float32 {
	if at := a.get(name, onnx.AttrFloat); at != nil {
		return at.Float
	}
	return def
}

// String is a string attribute or def.
func (a *Attrs) String(name, def string) string {
	if at := a.get(name, onnx.AttrString); at != nil {
		return at.String
	}
	return def
}

// Ints is a list of integers, nil when absent.
func (a *Attrs) Ints(name string) []int {
	at := a.get(name, onnx.AttrInts)
	if at == nil {
		return nil
	}
	out := make([]int, len(at.Ints))
	for i, v := range at.Ints {
		out[i] = int(v)
	}
	return out
}

// Floats is a list of floats, nil when absent.
func (a *Attrs) Floats(name string) []float32 {
	if at := a.get(name, onnx.AttrFloats); at != nil {
		return at.Floats
	}
	return nil
}

// Strings is a list of strings, nil when absent.
func (a *Attrs) Strings(name string) []string {
	if at := a.get(name, onnx.AttrStrings); at != nil {
		return at.Strings
	}
	return nil
}

// Tensor is a tensor attribute, nil when absent.
func (a *Attrs) Tensor(name string) *tensor.Tensor {
	if at := a.get(name, onnx.AttrTensor); at != nil {
		return at.Tensor
	}
	return nil
}

// Graph is a graph attribute, nil when absent.
func (a *Attrs) Graph(name string) *onnx.Graph {
	if at := a.get(name, onnx.AttrGraph); at != nil {
		return at.Graph
	}
	return nil
}

// Has says whether the node carries the attribute.
func (a *Attrs) Has(name string) bool { return a.n.Attr(name) != nil }

// TypeSet is a set of element types; empty means any.
type TypeSet []tensor.DType

// Has says whether the set allows d.
func (s TypeSet) Has(d tensor.DType) bool { return len(s) == 0 || slices.Contains(s, d) }

// Sets of element types that many operators share.
var (
	// SmallFloats are the 16-bit floats, computed in float32.
	SmallFloats = TypeSet{tensor.Float16, tensor.BFloat16}
	// Floats are the floating-point types of 16 bits and more.
	Floats = TypeSet{tensor.Float32, tensor.Float64, tensor.Float16, tensor.BFloat16}
	// Ints are the integers of 8 bits and more.
	Ints = TypeSet{tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64,
		tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64}
	// Numbers are Floats and Ints.
	Numbers = slices.Concat(Floats, Ints)
	// Index are the types that ONNX allows for indices.
	Index = TypeSet{tensor.Int32, tensor.Int64}
	// Bools is bool alone.
	Bools = TypeSet{tensor.Bool}
	// Text is string alone.
	Text = TypeSet{tensor.String}
	// Any accepts everything.
	Any = TypeSet{}
)
