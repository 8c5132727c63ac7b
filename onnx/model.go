// Package onnx reads ONNX files into a typed graph. It decides nothing about
// how a graph is run; engines do. Sizes, depths and counts of what it reads
// are bounded, and nothing in a file is ever executed.
package onnx

import (
	"github.com/greenlight-dev/greenlight/tensor"
)

// Model is one ONNX file, decoded.
type Model struct {
	Path      string // the file it was read from; empty when read from memory
	SHA256    string // hex digest of the file's bytes
	Size      int64  // bytes of the file, external data not included
	IRVersion int64
	Producer  string // "skl2onnx 1.19.1"
	Domain    string
	Version   int64
	Doc       string
	Opsets    map[string]int // by domain; the default domain is ""
	Metadata  map[string]string
	Graph     *Graph
	Functions []*Function // local functions as written; the graph's calls of them are inlined
}

// Function is a model-local function.
type Function struct {
	Domain, Name, Overload string
	Inputs, Outputs        []string
	AttributeNames         []string     // attributes a caller may leave out only when they have a default below
	AttributeDefaults      []*Attribute // attributes with a default value
	Opsets                 map[string]int
	Nodes                  []*Node
}

// Graph is a list of nodes in topological order, with what goes in and out.
type Graph struct {
	Name         string
	Inputs       []ValueInfo // without those that merely give an initializer's type
	Outputs      []ValueInfo
	Values       []ValueInfo // declared types of intermediate values
	Initializers []Initializer
	Nodes        []*Node
}

// Initializer is a named constant of a graph.
type Initializer struct {
	Name  string
	Value *tensor.Tensor
	// Input says that the graph also lists the name as an input, so that a
	// caller may override the constant (IR version 4 and later).
	Input bool
}

// ValueInfo names a value and gives its type.
type ValueInfo struct {
	Name string
	Type tensor.Type
	Doc  string
}

// Node is one operator call.
type Node struct {
	Name     string
	Domain   string // "" is ai.onnx
	Op       string
	Overload string
	Inputs   []string // "" stands for an omitted optional input
	Outputs  []string // "" stands for an output nobody reads
	Attrs    []*Attribute
	// Opset is the version of the node's domain in force where the node
	// stands; a function's body may differ from the model.
	Opset int
}

// AttrType tells an attribute's content; the numbers are ONNX's.
type AttrType uint8

// The attribute types.
const (
	AttrUndefined AttrType = 0
	AttrFloat     AttrType = 1
	AttrInt       AttrType = 2
	AttrString    AttrType = 3
	AttrTensor    AttrType = 4
	AttrGraph     AttrType = 5
	AttrFloats    AttrType = 6
	AttrInts      AttrType = 7
	AttrStrings   AttrType = 8
	AttrTensors   AttrType = 9
	AttrGraphs    AttrType = 10
	AttrTypeProto AttrType = 13 // a type: TypeProto
)

// Attribute is one named constant argument of a node. Only the fields of its
// Type are set. Sparse tensors are read as dense ones.
type Attribute struct {
	Name    string
	Type    AttrType
	Ref     string // inside a function body: the caller's attribute to take the value from
	Float   float32
	Int     int64
	String  string
	Tensor  *tensor.Tensor
	Graph   *Graph
	TypeOf  tensor.Type
	Floats  []float32
	Ints    []int64
	Strings []string
	Tensors []*tensor.Tensor
	Graphs  []*Graph
}

// Attr finds an attribute by name; nil when the node does not carry it.
func (n *Node) Attr(name string) *Attribute {
	for _, a := range n.Attrs {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// Qualified is the operator with its domain, "Conv" or "ai.onnx.ml.Scaler".
func (n *Node) Qualified() string {
	if n.Domain == "" {
		return n.Op
	}
	return n.Domain + "." + n.Op
}
