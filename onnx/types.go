package onnx

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/greenlight-dev/greenlight/tensor"
)

// dtype checks a TensorProto.DataType; 0 stands for a type not given.
func dtype(v int64) (tensor.DType, error) {
	if v == 0 {
		return tensor.Undefined, nil
	}
	if v < 0 || v > 255 || !tensor.DType(v).Valid() {
		return 0, fmt.Errorf("element type %d is unknown", v)
	}
	return tensor.DType(v), nil
}

func (w *walker) dtype(field string) tensor.DType {
	d, err := dtype(w.int(field))
	w.err = cmp.Or(w.err, err)
	return d
}

// typeProto reads a TypeProto. Opaque types stay KindUnknown.
func (d *decoder) typeProto(data []byte, depth int) (t tensor.Type, err error) {
	if depth > d.limits.Depth {
		return t, fmt.Errorf("types are nested deeper than %d", d.limits.Depth)
	}
	into := func(read func([]byte, int) (tensor.Type, error)) func([]byte) error {
		return func(b []byte) (err error) {
			t, err = read(b, depth)
			return err
		}
	}
	w := d.walk(data)
	for w.next() {
		switch w.num {
		case 1:
			w.message("tensor_type", into(d.tensorType))
		case 4:
			w.message("sequence_type", into(d.wrapper(tensor.KindSequence)))
		case 5:
			w.message("map_type", into(d.mapType))
		case 8:
			w.message("sparse_tensor_type", into(d.tensorType))
		case 9:
			w.message("optional_type", into(d.wrapper(tensor.KindOptional)))
		}
	}
	return t, w.err
}

func (d *decoder) tensorType(data []byte, _ int) (tensor.Type, error) {
	t := tensor.Type{Kind: tensor.KindTensor}
	w := d.walk(data)
	for w.next() {
		switch w.num {
		case 1:
			t.Elem = w.dtype("elem_type")
		case 2:
			t.Ranked = true
			w.message("shape", func(b []byte) (err error) {
				t.Dims, err = d.shape(b)
				return err
			})
		}
	}
	return t, w.err
}

// shape reads a TensorShapeProto.
func (d *decoder) shape(data []byte) ([]tensor.Dim, error) {
	dims := []tensor.Dim{}
	w := d.walk(data)
	for w.next() {
		if w.num != 1 {
			continue
		}
		w.message("dim", func(b []byte) error {
			dim, err := d.dim(b)
			dims = append(dims, dim)
			return err
		})
		if len(dims) > d.limits.Rank {
			return nil, fmt.Errorf("the shape has more than %d dimensions", d.limits.Rank)
		}
	}
	return dims, w.err
}

// dim reads a Dimension. Some exporters write the size of a dimension they do
// not know as -1 rather than leave it out.
func (d *decoder) dim(data []byte) (tensor.Dim, error) {
	dim := tensor.Dim{Size: -1}
	w := d.walk(data)
	for w.next() {
		switch w.num {
		case 1:
			size := w.int("dim_value")
			if size < -1 || size > maxElements {
				return dim, fmt.Errorf("the shape has a dimension of %d", size)
			}
			dim.Size = int(size)
		case 2:
			dim.Name = w.name("dim_param")
		}
	}
	return dim, w.err
}

// wrapper reads TypeProto.Sequence and TypeProto.Optional, which differ in
// nothing but their meaning.
func (d *decoder) wrapper(kind tensor.Kind) func([]byte, int) (tensor.Type, error) {
	return func(data []byte, depth int) (tensor.Type, error) {
		t := tensor.Type{Kind: kind}
		w := d.walk(data)
		for w.next() {
			if w.num == 1 {
				w.message("elem_type", d.typeInto(&t.Of, depth))
			}
		}
		if w.err == nil && t.Of == nil {
			w.err = errors.New("the type does not say what it holds")
		}
		return t, w.err
	}
}

func (d *decoder) mapType(data []byte, depth int) (tensor.Type, error) {
	t := tensor.Type{Kind: tensor.KindMap}
	w := d.walk(data)
	for w.next() {
		switch w.num {
		case 1:
			t.Key = w.dtype("key_type")
		case 2:
			w.message("value_type", d.typeInto(&t.Of, depth))
		}
	}
	switch {
	case w.err != nil:
		return t, w.err
	case t.Key != tensor.String && !t.Key.IsInteger():
		return t, fmt.Errorf("a map cannot have keys of type %v", t.Key)
	case t.Of == nil:
		return t, errors.New("the map type does not say what it holds")
	}
	return t, nil
}

func (d *decoder) typeInto(dst **tensor.Type, depth int) func([]byte) error {
	return func(b []byte) error {
		t, err := d.typeProto(b, depth+1)
		*dst = &t
		return err
	}
}
