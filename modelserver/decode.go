package modelserver

import (
	"fmt"
	"slices"
	"strings"

	"github.com/greenlight-dev/greenlight/modelserver/scan"
	"github.com/greenlight-dev/greenlight/tensor"
)

// decoder reads JSON documents that hold tensors: requests of the Open
// Inference Protocol and proofs. Its errors name the path to what is wrong.
type decoder struct {
	s     scan.Scanner
	texts interner
}

// decode reads a whole document with read. A text that is not JSON is a
// *scan.SyntaxError.
func decode(text []byte, read func(*decoder) error) error {
	d := &decoder{}
	d.s.Reset(text)
	err := read(d)
	if err == nil {
		err = d.s.End()
	}
	return syntaxFirst(text, err)
}

// object reads an object whose members are among fields, each at most once,
// handing each to member by its place among them.
func (d *decoder) object(fields []string, member func(field int) error) error {
	if err := d.s.Expect('{'); err != nil {
		return err
	}
	var given uint
	for first := true; ; first = false {
		more, err := d.s.More('}', first)
		if err != nil || !more {
			return err
		}
		key, err := d.s.Key()
		if err != nil {
			return err
		}
		i := indexOfText(fields, key)
		if i < 0 {
			return fmt.Errorf("unknown field %q; want %s", clip(string(key)), strings.Join(fields, ", "))
		}
		if given&(1<<i) != 0 {
			return fmt.Errorf("field %q is given twice", fields[i])
		}
		given |= 1 << i
		if err := member(i); err != nil {
			return err
		}
	}
}

func indexOfText(list []string, text []byte) int {
	for i, s := range list {
		if s == string(text) {
			return i
		}
	}
	return -1
}

// list reads an array, calling element for each; field names it in errors.
func (d *decoder) list(field string, element func(i int) error) error {
	if err := d.s.Expect('['); err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	for i := 0; ; i++ {
		more, err := d.s.More(']', i == 0)
		if err != nil || !more {
			return err
		}
		if err := element(i); err != nil {
			return fmt.Errorf("%s[%d]: %w", field, i, err)
		}
	}
}

func (d *decoder) text(field string) (string, error) {
	b, err := d.s.Text()
	if err != nil {
		return "", fmt.Errorf("%q: %w", field, err)
	}
	return d.texts.text(b), nil
}

// namedTensor is one tensor of a request or proof as the protocol writes it.
type namedTensor struct {
	name      string
	tensor    *tensor.Tensor
	tolerance *Tolerance // of a proof's output; nil where it says nothing
}

// tensors reads an array of tensors. Those of a proof may have a tolerance
// and no parameters.
func (d *decoder) tensors(field string, proof bool) (list []namedTensor, err error) {
	err = d.list(field, func(int) error {
		t, err := d.tensor(proof)
		list = append(list, t)
		return err
	})
	return list, err
}

var tensorFields = []string{"name", "shape", "datatype", "data", "parameters"}
var proofTensorFields = []string{"name", "shape", "datatype", "data", "tolerance"}

// tensorMembers are a tensor's members as read; data is kept as the
// scanner's position, since shape and datatype may come after it.
type tensorMembers struct {
	name, datatype string
	shape          []int // nil when missing
	data           *scan.Scanner
	tolerance      *Tolerance
}

// tensor reads one {"name","shape","datatype","data"} object, members in any
// order.
func (d *decoder) tensor(proof bool) (namedTensor, error) {
	fields := tensorFields
	if proof {
		fields = proofTensorFields
	}
	var m tensorMembers
	if err := d.object(fields, func(field int) error { return d.member(&m, fields[field]) }); err != nil {
		if m.name != "" {
			err = fmt.Errorf("tensor %q: %w", clip(m.name), err)
		}
		return namedTensor{}, err
	}
	if m.name == "" {
		return namedTensor{}, fmt.Errorf(`"name" is missing`)
	}
	t, err := d.build(&m)
	if err != nil {
		return namedTensor{}, fmt.Errorf("tensor %q: %w", clip(m.name), err)
	}
	return namedTensor{m.name, t, m.tolerance}, nil
}

func (d *decoder) member(m *tensorMembers, field string) (err error) {
	switch field {
	case "name":
		m.name, err = d.text(field)
	case "datatype":
		m.datatype, err = d.text(field)
	case "shape":
		m.shape, err = d.shape()
	case "data":
		at := d.s
		m.data = &at
		err = d.s.Skip()
	case "parameters":
		err = d.s.Skip()
	case "tolerance":
		m.tolerance, err = d.tolerance()
	}
	return err
}

// maxRank bounds the dimensions of a tensor that comes from outside.
const maxRank = 16

func (d *decoder) shape() ([]int, error) {
	shape := []int{}
	err := d.list(`"shape"`, func(i int) error {
		n, err := d.s.Int()
		if err != nil {
			return err
		}
		if n < 0 || i == maxRank {
			return fmt.Errorf("want at most %d dimensions of 0 or more", maxRank)
		}
		shape = append(shape, int(n))
		return nil
	})
	return shape, err
}

// build makes the tensor once all members are known.
func (d *decoder) build(m *tensorMembers) (*tensor.Tensor, error) {
	switch {
	case m.shape == nil:
		return nil, fmt.Errorf(`"shape" is missing`)
	case m.data == nil:
		return nil, fmt.Errorf(`"data" is missing`)
	case m.datatype == "":
		return nil, fmt.Errorf(`"datatype" is missing`)
	}
	elem, ok := dtypeOf(m.datatype)
	if !ok {
		return nil, fmt.Errorf("datatype %q is not one of %s", clip(m.datatype), datatypeNames())
	}
	n, err := elementsWithin(m.shape, m.data.Len()-m.data.Offset())
	if err != nil {
		return nil, err
	}
	t := &tensor.Tensor{}
	t.Reset(elem, m.shape...)
	got, err := d.elements(m.data, t, 0, 0)
	if err == nil && got != n {
		err = fmt.Errorf("shape %s wants %d elements, data has %d", shapeText(m.shape), n, got)
	}
	return t, err
}

// elementsWithin counts a shape's elements. A shape that wants more than so
// many bytes of text can hold is refused before anything is allocated: each
// element takes two at least, itself and a comma or bracket.
func elementsWithin(shape []int, text int) (int, error) {
	n, err := tensor.Elements(shape)
	if n == 0 && err == nil { // the other dimensions may still be absurd
		filled := slices.DeleteFunc(slices.Clone(shape), func(d int) bool { return d == 0 })
		if m, err := tensor.Elements(filled); err == nil && m <= maxRowElements {
			return 0, nil
		}
	}
	if err != nil || n == 0 || n > text/2 {
		return 0, fmt.Errorf("shape %s wants more elements than data has", shapeText(shape))
	}
	return n, nil
}

// elements reads flat or nested data in row-major order and counts it.
func (d *decoder) elements(s *scan.Scanner, t *tensor.Tensor, at, depth int) (int, error) {
	if depth > maxRank {
		return at, fmt.Errorf("data is nested more than %d deep", maxRank)
	}
	if err := s.Expect('['); err != nil {
		return at, fmt.Errorf(`"data": %w`, err)
	}
	for first := true; ; first = false {
		more, err := s.More(']', first)
		if err != nil || !more {
			return at, err
		}
		if s.Peek() == '[' {
			if at, err = d.elements(s, t, at, depth+1); err != nil {
				return at, err
			}
			continue
		}
		if at >= t.Len() {
			return at, fmt.Errorf("shape %s wants %d elements, data has more", shapeText(t.Shape()), t.Len())
		}
		if got, ok := readScalar(s, t, at, &d.texts); !ok {
			return at, fmt.Errorf("data element %d: expected %s for %s, got %s", at, expected(t.DType()), datatypeOf(t.DType()), got)
		}
		at++
	}
}
