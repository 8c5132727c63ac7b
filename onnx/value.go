package onnx

import (
	"errors"
	"fmt"

	"github.com/greenlight-dev/greenlight/tensor"
)

// DecodeTensor reads a file that holds one TensorProto, whose data must be in
// it.
func DecodeTensor(data []byte, limits Limits) (*tensor.Tensor, error) {
	_, t, err := newDecoder(limits).namedTensor(data)
	return t, err
}

// DecodeValue reads a file that holds one value of the given kind: a
// TensorProto, SequenceProto, MapProto or OptionalProto.
func DecodeValue(data []byte, kind tensor.Kind, limits Limits) (tensor.Value, error) {
	return newDecoder(limits).value(data, kind, 1)
}

func (d *decoder) value(data []byte, kind tensor.Kind, depth int) (tensor.Value, error) {
	if depth > d.limits.Depth {
		return nil, fmt.Errorf("values are nested deeper than %d", d.limits.Depth)
	}
	switch kind {
	case tensor.KindTensor:
		_, t, err := d.namedTensor(data)
		return orNil(t, err)
	case tensor.KindSequence:
		s, err := d.sequence(data, depth)
		return orNil(s, err)
	case tensor.KindMap:
		m, err := d.mapValue(data, depth)
		return orNil(m, err)
	case tensor.KindOptional:
		o, err := d.optional(data, depth)
		return orNil(o, err)
	}
	return nil, fmt.Errorf("a value of kind %d cannot be read", kind)
}

// orNil keeps a nil pointer from becoming a Value that is not nil.
func orNil[T tensor.Value](v T, err error) (tensor.Value, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

// holds maps the elem_type of SequenceProto and OptionalProto, which is also
// the order of their value fields: those start at field 3.
var holds = []tensor.Kind{
	tensor.KindUnknown, tensor.KindTensor, tensor.KindTensor, tensor.KindSequence, tensor.KindMap, tensor.KindOptional,
}

const sparseElem = 2

// items reads the fields that SequenceProto and OptionalProto share: the kind
// of what they hold, and the values.
func (d *decoder) items(data []byte, depth int) (elem tensor.Kind, items []tensor.Value, err error) {
	w := d.walk(data)
	for w.next() {
		switch {
		case w.num == 2:
			v := w.int("elem_type")
			if v < 0 || v >= int64(len(holds)) {
				return 0, nil, fmt.Errorf("elem_type %d is unknown", v)
			}
			elem = holds[v]
		case w.num >= 3 && int(w.num)-2 < len(holds):
			which := int(w.num) - 2
			w.message("value", func(b []byte) error {
				v, err := d.item(b, which, depth)
				items = append(items, v)
				return err
			})
		}
	}
	return elem, items, w.err
}

func (d *decoder) item(data []byte, which, depth int) (tensor.Value, error) {
	if which == sparseElem {
		_, t, err := d.sparseTensor(data)
		return orNil(t, err)
	}
	return d.value(data, holds[which], depth+1)
}

func (d *decoder) sequence(data []byte, depth int) (*tensor.Sequence, error) {
	elem, items, err := d.items(data, depth)
	if err != nil {
		return nil, err
	}
	s := &tensor.Sequence{Elem: tensor.Type{Kind: elem}, Items: items}
	for i, v := range items {
		t := v.Type()
		if first := items[0].Type(); t.Kind != first.Kind || t.Elem != first.Elem {
			return nil, fmt.Errorf("sequence: item %d is %v, item 0 is %v", i, t, first)
		}
		t.Ranked, t.Dims = false, nil
		s.Elem = t
	}
	return s, nil
}

func (d *decoder) optional(data []byte, depth int) (*tensor.Optional, error) {
	elem, items, err := d.items(data, depth)
	switch {
	case err != nil:
		return nil, err
	case len(items) > 1:
		return nil, fmt.Errorf("optional: it holds %d values", len(items))
	}
	o := &tensor.Optional{Elem: tensor.Type{Kind: elem}}
	if len(items) == 1 {
		o.Value = items[0]
		o.Elem = items[0].Type()
		o.Elem.Ranked, o.Elem.Dims = false, nil
	}
	return o, nil
}

// mapValue reads a MapProto, whose values are a SequenceProto of tensors of
// one element each, or one tensor with them all.
func (d *decoder) mapValue(data []byte, depth int) (*tensor.Map, error) {
	m := &tensor.Map{}
	var values *tensor.Sequence
	w := d.walk(data)
	for w.next() {
		switch w.num {
		case 3:
			m.IntKeys = w.ints("keys", m.IntKeys)
		case 4:
			m.StringKeys = w.strings("string_keys", m.StringKeys)
		case 5:
			w.message("values", func(b []byte) (err error) {
				values, err = d.sequence(b, depth+1)
				return err
			})
		}
	}
	if w.err != nil {
		return nil, fmt.Errorf("map: %w", w.err)
	}
	if len(m.IntKeys) > 0 && len(m.StringKeys) > 0 {
		return nil, errors.New("map: its keys are both integers and strings")
	}
	var err error
	if m.Values, err = join(values); err != nil {
		return nil, fmt.Errorf("map: %w", err)
	}
	if keys := len(m.IntKeys) + len(m.StringKeys); keys != m.Values.Len() {
		return nil, fmt.Errorf("map: it has %d keys and %d values", keys, m.Values.Len())
	}
	return m, nil
}

// join lays the elements of a sequence of tensors in one of rank 1.
func join(s *tensor.Sequence) (*tensor.Tensor, error) {
	if s == nil || len(s.Items) == 0 {
		return tensor.New(tensor.Float32, 0), nil
	}
	n := 0
	for _, v := range s.Items {
		t, ok := v.(*tensor.Tensor)
		if !ok {
			return nil, fmt.Errorf("its values are %v, not tensors", v.Type())
		}
		n += t.Len()
	}
	all := tensor.New(s.Elem.Elem, n)
	at := 0
	for _, v := range s.Items {
		t := v.(*tensor.Tensor)
		copy(all.Bytes()[min(at*t.DType().Size(), len(all.Bytes())):], t.Bytes())
		copy(all.Strings()[min(at, len(all.Strings())):], t.Strings())
		at += t.Len()
	}
	return all, nil
}
