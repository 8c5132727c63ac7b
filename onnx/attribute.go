package onnx

import (
	"cmp"
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/greenlight-dev/greenlight/tensor"
)

// The attribute types that a file may carry and Attribute does not: sparse
// tensors are made dense, and no operator takes a list of types.
const (
	attrSparseTensor  AttrType = 11
	attrSparseTensors AttrType = 12
	attrTypeProtos    AttrType = 14
)

// attributeFields says which field of AttributeProto holds a type's value.
var attributeFields = map[AttrType]protowire.Number{
	AttrFloat: 2, AttrInt: 3, AttrString: 4, AttrTensor: 5, AttrGraph: 6,
	AttrFloats: 7, AttrInts: 8, AttrStrings: 9, AttrTensors: 10, AttrGraphs: 11,
	AttrTypeProto: 14, attrSparseTensor: 22, attrSparseTensors: 23,
}

// valueFields is the set of all fields that hold a value, type_protos (15)
// included, as bits by field number.
const valueFields = 1<<24 - 1<<22 | 1<<16 - 1<<14 | 1<<12 - 1<<2

var attributeTypeNames = map[AttrType]string{
	AttrFloat: "float", AttrInt: "int", AttrString: "string", AttrTensor: "tensor", AttrGraph: "graph",
	AttrFloats: "floats", AttrInts: "ints", AttrStrings: "strings", AttrTensors: "tensors", AttrGraphs: "graphs",
	AttrTypeProto: "type", attrSparseTensor: "sparse tensor", attrSparseTensors: "sparse tensors",
}

// String gives the name used in errors.
func (t AttrType) String() string {
	if name, ok := attributeTypeNames[t]; ok {
		return name
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// attribute reads an AttributeProto of a node that stands depth graphs deep.
func (d *decoder) attribute(data []byte, depth int) (*Attribute, error) {
	a := &Attribute{}
	content, err := d.attributeFields(a, data, depth)
	if err == nil {
		err = a.settle(content)
	}
	if err != nil {
		return nil, fmt.Errorf("attribute %q: %w", cmp.Or(a.Name, peek(data, 1)), err)
	}
	return a, nil
}

// attributeFields reads the fields and gives those that hold a value, as a
// set of bits by field number. It is flat because it is a table of fields.
func (d *decoder) attributeFields(a *Attribute, data []byte, depth int) (content uint32, err error) {
	w := d.walk(data)
	for w.next() {
		if w.num < 32 {
			content |= 1 << w.num & valueFields
		}
		switch w.num {
		case 1:
			a.Name = w.name("name")
		case 2:
			a.Float = w.float("f")
		case 3:
			a.Int = w.int("i")
		case 4:
			a.String = string(w.bytes("s"))
		case 5:
			w.message("t", d.tensorInto(&a.Tensor, d.namedTensor))
		case 6:
			w.message("g", d.graphInto(&a.Graph, depth))
		case 7:
			a.Floats = w.floats("floats", a.Floats)
		case 8:
			a.Ints = w.ints("ints", a.Ints)
		case 9:
			a.Strings = w.strings("strings", a.Strings)
		case 10:
			w.message("tensors", d.tensorInto(grow(&a.Tensors), d.namedTensor))
		case 11:
			w.message("graphs", d.graphInto(grow(&a.Graphs), depth))
		case 14:
			w.message("tp", func(b []byte) (err error) {
				a.TypeOf, err = d.typeProto(b, 1)
				return err
			})
		case 20:
			a.Type = attrType(w.int("type"))
		case 21:
			a.Ref = w.name("ref_attr_name")
		case 22:
			w.message("sparse_tensor", d.tensorInto(&a.Tensor, d.sparseTensor))
		case 23:
			w.message("sparse_tensors", d.tensorInto(grow(&a.Tensors), d.sparseTensor))
		}
	}
	return content, w.err
}

func attrType(v int64) AttrType {
	if v < 0 || v > 255 {
		return AttrType(255)
	}
	return AttrType(v)
}

// grow appends a zero element and gives its address.
func grow[T any](list *[]T) *T {
	var zero T
	*list = append(*list, zero)
	return &(*list)[len(*list)-1]
}

func (d *decoder) tensorInto(dst **tensor.Tensor, read func([]byte) (string, *tensor.Tensor, error)) func([]byte) error {
	return func(b []byte) (err error) {
		_, *dst, err = read(b)
		return err
	}
}

func (d *decoder) graphInto(dst **Graph, depth int) func([]byte) error {
	return func(b []byte) (err error) {
		*dst, err = d.graph(b, depth+1)
		return err
	}
}

// settle checks the attribute's type against the fields it came with, and
// folds the sparse types into the dense ones.
func (a *Attribute) settle(content uint32) error {
	field, known := attributeFields[a.Type]
	switch {
	case a.Name == "":
		return errors.New("it has no name")
	case a.Type == AttrUndefined:
		return errors.New("it has no type")
	case a.Type == attrTypeProtos:
		return errors.New("lists of types are not supported")
	case !known:
		return fmt.Errorf("%v is unknown", a.Type)
	case content&^(1<<field) != 0:
		return fmt.Errorf("its type is %v but it holds a value of another type", a.Type)
	case a.Ref != "":
		if content != 0 {
			return fmt.Errorf("it refers to %q and holds a value as well", a.Ref)
		}
	case content == 0 && (a.Type == AttrTensor || a.Type == AttrGraph || a.Type == AttrTypeProto || a.Type == attrSparseTensor):
		return fmt.Errorf("its type is %v but it holds none", a.Type)
	}
	switch a.Type {
	case attrSparseTensor:
		a.Type = AttrTensor
	case attrSparseTensors:
		a.Type = AttrTensors
	}
	return nil
}
