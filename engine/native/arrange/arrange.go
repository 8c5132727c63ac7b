// Package arrange holds the operators that make, move and select elements
// without computing with them: constants, shapes, views, concatenation,
// slicing, padding, indexing, scattering, sorting by index and random numbers.
//
// Almost all of them serve every element type. They copy storage units (1, 2,
// 4, 8 or 16 bytes, or a string) and never look at values, through three
// primitives: strided.Grid, and take and put for blocks by offset.
package arrange

import (
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/arrange/strided"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// Ops lists the operators of this package.
func Ops() []op.Def {
	return slices.Concat(
		constantOps(), viewOps(), joinOps(), sliceOps(), transposeOps(), padOps(),
		gatherOps(), scatterOps(), selectOps(), randomOps(),
	)
}

// work is the memory that the kernels of this package keep from run to run of
// one frame.
type work struct {
	shape, list, at []int
	grid            strided.Grid
}

func workOf(c *op.Context) *work { return op.State[work](c) }

// intList is a list of whole numbers that a node takes from an attribute or an
// input. A constant input is read when the node is built.
type intList struct {
	input  int
	fixed  bool
	values []int
}

// listFrom reads the attribute name if the node carries it (older opsets), and
// input i otherwise.
func listFrom(n *op.Node, name string, i int) (intList, error) {
	at := n.ReadAttrs()
	if name != "" && at.Has(name) {
		return intList{fixed: true, values: at.Ints(name)}, at.Err()
	}
	t := n.Arg(i).Tensor()
	if t == nil {
		return intList{input: i, fixed: !n.Has(i)}, nil
	}
	values, err := appendInts([]int{}, t)
	return intList{fixed: true, values: values}, err
}

// read gives the list: the fixed one, or the input's elements in buf; nil when
// the input is omitted. The result must not be changed.
func (l *intList) read(c *op.Context, buf *[]int) ([]int, error) {
	if l.fixed {
		return l.values, nil
	}
	t := c.T(l.input)
	if t == nil {
		return nil, nil
	}
	if *buf == nil { // an empty list is not an omitted one
		*buf = make([]int, 0, 8)
	}
	var err error
	*buf, err = appendInts((*buf)[:0], t)
	return *buf, err
}

// appendInts appends t's elements, which must be whole numbers.
func appendInts(dst []int, t *tensor.Tensor) ([]int, error) {
	switch t.DType() {
	case tensor.Int64, tensor.Int32, tensor.Int8, tensor.Uint8:
		return op.AppendInts(dst, t), nil
	}
	return nil, op.Errorf("got %v where a list of integers is wanted", t.DType())
}

// need gives input i as a tensor, or an error when it is omitted.
func need(c *op.Context, i int) (*tensor.Tensor, error) {
	if t := c.T(i); t != nil {
		return t, nil
	}
	return nil, op.Errorf("input %d is missing", i)
}

// sameElem fails when two tensors that go into one do not match.
func sameElem(a, b *tensor.Tensor) error {
	if a.DType() != b.DType() {
		return op.Errorf("inputs of %v and %v do not go together", a.DType(), b.DType())
	}
	return nil
}

// normAxes appends axes counted from the start; an error when one is out of
// range or given twice.
func normAxes(dst, axes []int, rank int) ([]int, error) {
	for _, a := range axes {
		v, err := op.Axis(a, rank)
		if err != nil {
			return nil, err
		}
		if slices.Contains(dst, v) {
			return nil, op.Errorf("axis %d is given twice", a)
		}
		dst = append(dst, v)
	}
	return dst, nil
}

// splitAt gives a shape as (before axis, axis, after axis).
func splitAt(shape []int, axis int) (outer, size, inner int) {
	return op.Product(shape[:axis]), shape[axis], op.Product(shape[axis+1:])
}

// cloneInts copies a shape for an error message, so that the original does
// not escape to the heap on every run.
func cloneInts(s []int) []int { return slices.Clone(s) }
