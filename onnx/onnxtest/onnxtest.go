// Package onnxtest builds ONNX models for tests, as files and as graphs:
//
//	m := onnxtest.Model(17,
//		onnxtest.Input("x", tensor.Float32, -1, 4),
//		onnxtest.Init("w", tensor.From(weights, 4, 2)),
//		onnxtest.Node("MatMul", "x w", "y", nil),
//		onnxtest.Output("y", tensor.Float32, -1, 2))
//
// It checks nothing itself and panics where a model cannot be read back.
package onnxtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// Part is something that a model has.
type Part func(*onnx.Model)

// Attrs are a node's attributes by name. A value is an int, int64, float64,
// float32, string, bool (0 or 1), a slice of int, int64, float32, float64 or
// string, a *tensor.Tensor, an *onnx.Graph, a tensor.Type, or a Ref.
type Attrs map[string]any

// Ref is an attribute that takes the value of the function's attribute Name.
type Ref struct {
	Name string
	Type onnx.AttrType
}

// Model builds a model and reads it back, so it is as Decode gives it.
func Model(opset int, parts ...Part) *onnx.Model {
	m, err := onnx.Decode(Encode(New(opset, parts...)), nil, onnx.Limits{})
	if err != nil {
		panic(fmt.Errorf("onnxtest: %w", err))
	}
	return m
}

// File builds a model file's bytes, unchecked.
func File(opset int, parts ...Part) []byte { return Encode(New(opset, parts...)) }

// New builds a model that nobody has checked: IR version 8, the given opset of
// ai.onnx, and opset 3 of ai.onnx.ml.
func New(opset int, parts ...Part) *onnx.Model {
	m := &onnx.Model{
		IRVersion: 8,
		Producer:  "onnxtest",
		Opsets:    map[string]int{"": opset, onnx.MLDomain: 3},
		Metadata:  map[string]string{},
		Graph:     &onnx.Graph{Name: "main"},
	}
	for _, part := range parts {
		part(m)
	}
	return m
}

// Graph builds a graph, for attributes of If, Loop and Scan.
func Graph(name string, parts ...Part) *onnx.Graph {
	g := New(0, parts...).Graph
	g.Name = name
	return g
}

// IR sets the IR version.
func IR(version int64) Part { return func(m *onnx.Model) { m.IRVersion = version } }

// Opset imports a domain.
func Opset(domain string, version int) Part {
	return func(m *onnx.Model) { m.Opsets[domain] = version }
}

// Meta adds a metadata property.
func Meta(key, value string) Part { return func(m *onnx.Model) { m.Metadata[key] = value } }

// Input adds a graph input; -1 is a dimension of any size.
func Input(name string, elem tensor.DType, dims ...int) Part {
	return InputOf(name, tensor.TensorType(elem, dims...))
}

// InputOf adds a graph input of any type.
func InputOf(name string, t tensor.Type) Part {
	return func(m *onnx.Model) {
		m.Graph.Inputs = append(m.Graph.Inputs, onnx.ValueInfo{Name: name, Type: t})
	}
}

// Output adds a graph output; -1 is a dimension of any size.
func Output(name string, elem tensor.DType, dims ...int) Part {
	return OutputOf(name, tensor.TensorType(elem, dims...))
}

// OutputOf adds a graph output of any type; the zero type leaves it open.
func OutputOf(name string, t tensor.Type) Part {
	return func(m *onnx.Model) {
		m.Graph.Outputs = append(m.Graph.Outputs, onnx.ValueInfo{Name: name, Type: t})
	}
}

// Init adds an initializer.
func Init(name string, t *tensor.Tensor) Part {
	return func(m *onnx.Model) {
		m.Graph.Initializers = append(m.Graph.Initializers, onnx.Initializer{Name: name, Value: t})
	}
}

// Function adds a local function.
func Function(f *onnx.Function) Part {
	return func(m *onnx.Model) { m.Functions = append(m.Functions, f) }
}

// Node adds a node, see NewNode.
func Node(op, inputs, outputs string, attrs Attrs) Part {
	return func(m *onnx.Model) {
		m.Graph.Nodes = append(m.Graph.Nodes, NewNode(op, inputs, outputs, attrs))
	}
}

// Named gives the model's last node a name.
func Named(name string) Part {
	return func(m *onnx.Model) { m.Graph.Nodes[len(m.Graph.Nodes)-1].Name = name }
}

// NewNode makes a node. The operator may have its domain before it,
// "ai.onnx.ml.Scaler"; names of inputs and outputs are parted by spaces, and
// "_" is one left out.
func NewNode(op, inputs, outputs string, attrs Attrs) *onnx.Node {
	n := &onnx.Node{Op: op, Inputs: names(inputs), Outputs: names(outputs)}
	if dot := strings.LastIndexByte(op, '.'); dot >= 0 {
		n.Domain, n.Op = op[:dot], op[dot+1:]
	}
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		n.Attrs = append(n.Attrs, Attribute(name, attrs[name]))
	}
	return n
}

func names(list string) []string {
	fields := strings.Fields(list)
	for i, f := range fields {
		if f == "_" {
			fields[i] = ""
		}
	}
	return fields
}

// Attribute makes an attribute of a value as Attrs takes it. It is flat
// because it is a table of types.
func Attribute(name string, value any) *onnx.Attribute {
	a := &onnx.Attribute{Name: name}
	switch v := value.(type) {
	case int:
		a.Type, a.Int = onnx.AttrInt, int64(v)
	case int64:
		a.Type, a.Int = onnx.AttrInt, v
	case bool:
		a.Type = onnx.AttrInt
		if v {
			a.Int = 1
		}
	case float64:
		a.Type, a.Float = onnx.AttrFloat, float32(v)
	case float32:
		a.Type, a.Float = onnx.AttrFloat, v
	case string:
		a.Type, a.String = onnx.AttrString, v
	case []int:
		a.Type, a.Ints = onnx.AttrInts, convert[int64](v)
	case []int64:
		a.Type, a.Ints = onnx.AttrInts, v
	case []float64:
		a.Type, a.Floats = onnx.AttrFloats, convert[float32](v)
	case []float32:
		a.Type, a.Floats = onnx.AttrFloats, v
	case []string:
		a.Type, a.Strings = onnx.AttrStrings, v
	case *tensor.Tensor:
		a.Type, a.Tensor = onnx.AttrTensor, v
	case *onnx.Graph:
		a.Type, a.Graph = onnx.AttrGraph, v
	case tensor.Type:
		a.Type, a.TypeOf = onnx.AttrTypeProto, v
	case Ref:
		a.Type, a.Ref = v.Type, v.Name
	default:
		panic(fmt.Sprintf("onnxtest: attribute %q has a %T", name, value))
	}
	return a
}

func convert[To, From int | int64 | float32 | float64](values []From) []To {
	out := make([]To, len(values))
	for i, v := range values {
		out[i] = To(v)
	}
	return out
}
