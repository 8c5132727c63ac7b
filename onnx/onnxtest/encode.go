package onnxtest

import (
	"maps"
	"slices"

	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// Encode writes a model as a ModelProto. Initializers whose Input is set are
// listed among the inputs as well.
func Encode(m *onnx.Model) Message {
	p := Message(nil).Int(1, m.IRVersion).Name(2, m.Producer).Name(4, m.Domain).Int(5, m.Version).Name(6, m.Doc)
	if m.Graph != nil {
		p = p.Bytes(7, EncodeGraph(m.Graph))
	}
	p = opsets(p, 8, m.Opsets)
	for _, key := range slices.Sorted(maps.Keys(m.Metadata)) {
		p = p.Bytes(14, Message(nil).Text(1, key).Text(2, m.Metadata[key]))
	}
	for _, f := range m.Functions {
		p = p.Bytes(25, EncodeFunction(f))
	}
	return p
}

func opsets(p Message, field int, versions map[string]int) Message {
	for _, domain := range slices.Sorted(maps.Keys(versions)) {
		p = p.Bytes(field, Message(nil).Text(1, domain).Int(2, int64(versions[domain])))
	}
	return p
}

// EncodeGraph writes a GraphProto.
func EncodeGraph(g *onnx.Graph) Message {
	var p Message
	for _, n := range g.Nodes {
		p = p.Bytes(1, EncodeNode(n))
	}
	p = p.Name(2, g.Name)
	for _, init := range g.Initializers {
		p = p.Bytes(5, EncodeTensor(init.Name, init.Value))
		if init.Input {
			p = p.Bytes(11, encodeInfo(onnx.ValueInfo{Name: init.Name, Type: init.Value.Type()}))
		}
	}
	for i, infos := range [][]onnx.ValueInfo{g.Inputs, g.Outputs, g.Values} {
		for _, v := range infos {
			p = p.Bytes(11+i, encodeInfo(v))
		}
	}
	return p
}

// EncodeFunction writes a FunctionProto.
func EncodeFunction(f *onnx.Function) Message {
	p := Message(nil).Name(1, f.Name).Text(4, f.Inputs...).Text(5, f.Outputs...).Text(6, f.AttributeNames...)
	for _, n := range f.Nodes {
		p = p.Bytes(7, EncodeNode(n))
	}
	p = opsets(p, 9, f.Opsets).Name(10, f.Domain)
	for _, a := range f.AttributeDefaults {
		p = p.Bytes(11, EncodeAttribute(a))
	}
	return p.Name(13, f.Overload)
}

// EncodeNode writes a NodeProto.
func EncodeNode(n *onnx.Node) Message {
	p := Message(nil).Text(1, n.Inputs...).Text(2, n.Outputs...).Name(3, n.Name).Name(4, n.Op)
	for _, a := range n.Attrs {
		p = p.Bytes(5, EncodeAttribute(a))
	}
	return p.Name(7, n.Domain).Name(8, n.Overload)
}

// EncodeAttribute writes an AttributeProto.
func EncodeAttribute(a *onnx.Attribute) Message {
	p := Message(nil).Name(1, a.Name)
	if a.Ref == "" {
		p = attributeValue(p, a)
	}
	return p.Int(20, int64(a.Type)).Name(21, a.Ref)
}

func attributeValue(p Message, a *onnx.Attribute) Message {
	switch a.Type {
	case onnx.AttrFloat:
		return p.Float(2, a.Float)
	case onnx.AttrInt:
		return p.Int(3, a.Int)
	case onnx.AttrString:
		return p.Text(4, a.String)
	case onnx.AttrTensor:
		return p.Bytes(5, EncodeTensor("", a.Tensor))
	case onnx.AttrGraph:
		return p.Bytes(6, EncodeGraph(a.Graph))
	case onnx.AttrFloats:
		return p.Floats(7, a.Floats...)
	case onnx.AttrInts:
		return p.Ints(8, a.Ints...)
	case onnx.AttrStrings:
		return p.Text(9, a.Strings...)
	case onnx.AttrTypeProto:
		return p.Bytes(14, EncodeType(a.TypeOf))
	}
	for _, t := range a.Tensors {
		p = p.Bytes(10, EncodeTensor("", t))
	}
	for _, g := range a.Graphs {
		p = p.Bytes(11, EncodeGraph(g))
	}
	return p
}

func encodeInfo(v onnx.ValueInfo) Message {
	p := Message(nil).Name(1, v.Name)
	if v.Type.Kind != tensor.KindUnknown {
		p = p.Bytes(2, EncodeType(v.Type))
	}
	return p.Name(3, v.Doc)
}

// EncodeType writes a TypeProto.
func EncodeType(t tensor.Type) Message {
	switch t.Kind {
	case tensor.KindSequence:
		return Message(nil).Bytes(4, Message(nil).Bytes(1, EncodeType(*t.Of)))
	case tensor.KindMap:
		return Message(nil).Bytes(5, Message(nil).Int(1, int64(t.Key)).Bytes(2, EncodeType(*t.Of)))
	case tensor.KindOptional:
		return Message(nil).Bytes(9, Message(nil).Bytes(1, EncodeType(*t.Of)))
	}
	p := Message(nil).Int(1, int64(t.Elem))
	if t.Ranked {
		var shape Message
		for _, d := range t.Dims {
			var dim Message
			if d.Known() {
				dim = dim.Int(1, int64(d.Size))
			}
			shape = shape.Bytes(1, dim.Name(2, d.Name))
		}
		p = p.Bytes(2, shape)
	}
	return Message(nil).Bytes(1, p)
}

// EncodeTensor writes a TensorProto with raw data, or with string_data. The
// name may be empty.
func EncodeTensor(name string, t *tensor.Tensor) Message {
	var p Message
	for _, n := range t.Shape() {
		p = p.Int(1, int64(n))
	}
	p = p.Int(2, int64(t.DType())).Text(6, t.Strings()...).Name(8, name)
	if t.DType() == tensor.String {
		return p
	}
	return p.Bytes(9, pack(t))
}

// pack gives raw data: elements narrower than a byte share one, the first in
// the lowest bits.
func pack(t *tensor.Tensor) []byte {
	bits := 8
	switch t.DType() {
	case tensor.Int4, tensor.Uint4, tensor.Float4E2M1:
		bits = 4
	case tensor.Int2, tensor.Uint2:
		bits = 2
	default:
		return t.Bytes()
	}
	packed := make([]byte, (t.Len()*bits+7)/8)
	for i, b := range t.Bytes() {
		at := i * bits
		packed[at/8] |= b & (1<<bits - 1) << (at % 8)
	}
	return packed
}
