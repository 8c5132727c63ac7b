package tensor

import (
	"slices"
	"strconv"
	"strings"
)

// Value is what a model reads or writes: *Tensor, *Sequence, *Map or
// *Optional.
type Value interface {
	// Type describes the value as it is now.
	Type() Type
	// CloneValue is a deep copy that shares no memory.
	CloneValue() Value
}

// CloneValue is Clone as a Value.
func (t *Tensor) CloneValue() Value { return t.Clone() }

// Sequence is an ordered list of values of one type.
type Sequence struct {
	Elem  Type // type of the items; needed when there are none
	Items []Value
}

// Type is a sequence type.
func (s *Sequence) Type() Type {
	elem := s.Elem
	if elem.Kind == KindUnknown && len(s.Items) > 0 {
		elem = s.Items[0].Type()
		elem.Ranked, elem.Dims = false, nil
	}
	return Type{Kind: KindSequence, Of: &elem}
}

// CloneValue copies the sequence and its items.
func (s *Sequence) CloneValue() Value {
	c := &Sequence{Elem: s.Elem, Items: make([]Value, len(s.Items))}
	for i, v := range s.Items {
		c.Items[i] = v.CloneValue()
	}
	return c
}

// Map is an ONNX map: keys of one integer type or strings, and one value for
// each key. Exactly one of IntKeys and StringKeys is used; Values is a tensor
// of rank 1 with an element for each key, in the same order.
type Map struct {
	IntKeys    []int64
	StringKeys []string
	Values     *Tensor
}

// Type is a map type.
func (m *Map) Type() Type {
	key := Int64
	if m.StringKeys != nil {
		key = String
	}
	var of Type
	if m.Values != nil {
		of = Type{Kind: KindTensor, Elem: m.Values.DType()}
	}
	return Type{Kind: KindMap, Key: key, Of: &of}
}

// CloneValue copies keys and values.
func (m *Map) CloneValue() Value {
	c := &Map{IntKeys: slices.Clone(m.IntKeys), StringKeys: slices.Clone(m.StringKeys)}
	if m.Values != nil {
		c.Values = m.Values.Clone()
	}
	return c
}

// Optional holds a value or nothing.
type Optional struct {
	Elem  Type  // type of the value; needed when there is none
	Value Value // nil when empty
}

// Type is an optional type.
func (o *Optional) Type() Type {
	elem := o.Elem
	if o.Value != nil {
		elem = o.Value.Type()
	}
	return Type{Kind: KindOptional, Of: &elem}
}

// CloneValue copies the value, if any.
func (o *Optional) CloneValue() Value {
	c := &Optional{Elem: o.Elem}
	if o.Value != nil {
		c.Value = o.Value.CloneValue()
	}
	return c
}

// Kind tells the sorts of value apart.
type Kind uint8

// The sorts of value. KindUnknown is a type that has not been inferred.
const (
	KindUnknown Kind = iota
	KindTensor
	KindSequence
	KindMap
	KindOptional
)

// Dim is one dimension of a type: its size, or Size -1 with the name that the
// model gives it, if any.
type Dim struct {
	Size int
	Name string
}

// Known says whether the dimension has a fixed size.
func (d Dim) Known() bool { return d.Size >= 0 }

// Type describes a value before it exists.
type Type struct {
	Kind   Kind
	Elem   DType // element type of a tensor; Undefined when not known
	Ranked bool  // whether Dims is known; a rank of 0 is Ranked with no Dims
	Dims   []Dim
	Key    DType // key type of a map
	Of     *Type // items of a sequence, values of a map, content of an optional
}

// TensorType is a tensor type of known rank; -1 stands for an unknown
// dimension.
func TensorType(d DType, dims ...int) Type {
	t := Type{Kind: KindTensor, Elem: d, Ranked: true, Dims: make([]Dim, len(dims))}
	for i, n := range dims {
		t.Dims[i] = Dim{Size: n}
	}
	return t
}

// FixedShape is the shape when every dimension is known.
func (t Type) FixedShape() ([]int, bool) {
	if t.Kind != KindTensor || !t.Ranked {
		return nil, false
	}
	shape := make([]int, len(t.Dims))
	for i, d := range t.Dims {
		if !d.Known() {
			return nil, false
		}
		shape[i] = d.Size
	}
	return shape, true
}

// String writes the type as "float32[N,4]", "seq(map(string,float32))";
// unknown parts are "?".
func (t Type) String() string {
	switch t.Kind {
	case KindTensor:
		return t.tensorString()
	case KindSequence:
		return "seq(" + t.ofString() + ")"
	case KindMap:
		return "map(" + t.Key.String() + "," + t.ofString() + ")"
	case KindOptional:
		return "optional(" + t.ofString() + ")"
	}
	return "?"
}

func (t Type) ofString() string {
	if t.Of == nil {
		return "?"
	}
	return t.Of.String()
}

func (t Type) tensorString() string {
	elem := "?"
	if t.Elem != Undefined {
		elem = t.Elem.String()
	}
	if !t.Ranked {
		return elem
	}
	dims := make([]string, len(t.Dims))
	for i, d := range t.Dims {
		switch {
		case d.Known():
			dims[i] = strconv.Itoa(d.Size)
		case d.Name != "":
			dims[i] = d.Name
		default:
			dims[i] = "?"
		}
	}
	return elem + "[" + strings.Join(dims, ",") + "]"
}
