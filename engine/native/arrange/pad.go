package arrange

import (
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

func padOps() []op.Def {
	return []op.Def{{
		Name:  "Pad",
		Types: []op.TypeSet{op.Any, {tensor.Int64}, op.Any, op.Index},
		Infer: op.InferElemOf(0),
		Build: buildPad,
	}}
}

// padMode says what stands around the input.
type padMode uint8

const (
	padConstant padMode = iota
	padEdge             // the nearest element
	padReflect          // mirrored at the edge element
	padWrap             // the input repeated
)

var padModes = map[string]padMode{
	"constant": padConstant, "edge": padEdge, "reflect": padReflect, "wrap": padWrap,
}

// pad adds elements before and after each axis, or removes them where the
// number is negative.
type pad struct {
	mode       padMode
	value      float32 // the attribute of opsets before 11
	pads, axes intList
}

func buildPad(n *op.Node) (op.Kernel, error) {
	at := n.ReadAttrs()
	k := &pad{value: at.Float("value", 0)}
	name := at.String("mode", "constant")
	mode, ok := padModes[name]
	if !ok {
		return nil, op.Errorf("Pad has no mode %q", name)
	}
	k.mode = mode
	var err error
	if k.pads, err = listFrom(n, "pads", 1); err != nil {
		return nil, err
	}
	if k.axes, err = listFrom(n, "", 3); err != nil {
		return nil, err
	}
	return k, at.Err()
}

// padState is what a pad keeps between runs.
type padState struct {
	work
	axes, before []int
	table        [][]int // for each axis, where each output index comes from
	value        tensor.Tensor
}

func (k *pad) Run(c *op.Context) error {
	in, err := need(c, 0)
	if err != nil {
		return err
	}
	s := op.State[padState](c)
	if err := k.read(c, s, in); err != nil {
		return err
	}
	out := c.NewOut(0, in.DType(), s.shape...)
	s.at = op.Strides(s.at[:0], s.shape)
	s.at = op.Strides(s.at, in.Shape())
	if k.mode == padConstant {
		return k.constant(c, s, out, in)
	}
	return k.around(s, out, in)
}

// read resolves the pads into the elements before each axis and the shape of
// the output.
func (k *pad) read(c *op.Context, s *padState, in *tensor.Tensor) error {
	pads, err := k.pads.read(c, &s.list)
	if err != nil {
		return err
	}
	axes, err := k.axes.read(c, &s.axes)
	if err != nil {
		return err
	}
	rank := in.Rank()
	if s.at, err = normAxes(s.at[:0], axes, rank); err != nil {
		return err
	}
	if axes == nil {
		for i := range rank {
			s.at = append(s.at, i)
		}
	}
	if len(pads) != 2*len(s.at) {
		return op.Errorf("%d pads given for %d axes of %v, want two for each", len(pads), len(s.at), in)
	}
	s.shape = append(s.shape[:0], in.Shape()...)
	s.before = s.before[:0]
	for range rank {
		s.before = append(s.before, 0)
	}
	for i, axis := range s.at {
		before, after := pads[i], pads[len(s.at)+i]
		if max(before, -before, after, -after) > maxElements {
			return op.Errorf("pads %v are too large", cloneInts(pads))
		}
		s.before[axis] = before
		s.shape[axis] += before + after
	}
	return checkShape(s.shape)
}

// constant surrounds the input with one value.
func (k *pad) constant(c *op.Context, s *padState, out, in *tensor.Tensor) error {
	value := c.T(2)
	switch {
	case value == nil && k.value == 0:
		s.value.Reset(in.DType())
		s.value.Zero()
		value = &s.value
	case value == nil:
		s.value.Reset(in.DType())
		op.WriteFloat32s(&s.value, []float32{k.value})
		value = &s.value
	case value.Len() != 1 || value.DType() != in.DType():
		return op.Errorf("constant_value is %v, want one %v", value, in.DType())
	}
	s.grid.Fill(out, value)
	to, from := s.at[:in.Rank()], s.at[in.Rank():]
	s.grid.Reset(0, 0)
	for i, d := range in.Shape() {
		b := s.before[i]
		first, last := max(b, 0), min(b+d, s.shape[i])
		s.grid.Shift(first*to[i], 0)
		s.grid.Shift(0, (first-b)*from[i])
		s.grid.Add(max(last-first, 0), to[i], from[i])
	}
	s.grid.Copy(out, in)
	return nil
}

// around fills every element from the input's own, by a table for each axis.
func (k *pad) around(s *padState, out, in *tensor.Tensor) error {
	if out.Len() == 0 {
		return nil
	}
	if in.Len() == 0 {
		return op.Errorf("%v has no elements to pad with", in)
	}
	if in.Rank() == 0 {
		copyAll(out, in)
		return nil
	}
	for len(s.table) < in.Rank() {
		s.table = append(s.table, nil)
	}
	from := s.at[in.Rank():]
	for axis, n := range s.shape {
		t := s.table[axis][:0]
		for i := range n {
			t = append(t, k.source(i-s.before[axis], in.Dim(axis))*from[axis])
		}
		s.table[axis] = t
	}
	// The last axis is taken from one row at a time: rows are the offsets of
	// all others.
	last := in.Rank() - 1
	rows := append(s.at[:0], 0)
	for axis := range last {
		rows = crossSum(rows, s.table[axis])
	}
	s.at = rows
	takeRows(out, in, rows, s.table[last])
	return nil
}

// crossSum replaces each offset of rows by its sums with all of t.
func crossSum(rows, t []int) []int {
	n := len(rows)
	for range len(t) - 1 {
		rows = append(rows, rows[:n]...)
	}
	for i := n - 1; i >= 0; i-- {
		base := rows[i]
		for j := len(t) - 1; j >= 0; j-- {
			rows[i*len(t)+j] = base + t[j]
		}
	}
	return rows
}

// source is the input index that index i, counted from the input's first
// element, repeats.
func (k *pad) source(i, n int) int {
	switch k.mode {
	case padReflect:
		if n == 1 {
			return 0
		}
		period := 2 * (n - 1)
		i = (i%period + period) % period
		return min(i, period-i)
	case padWrap:
		return (i%n + n) % n
	}
	return min(max(i, 0), n-1)
}

// takeRows writes, for each row offset, the elements at that offset plus each
// of cols.
func takeRows(dst, src *tensor.Tensor, rows, cols []int) {
	switch dst.DType().Size() {
	case 0:
		takeRowUnits(dst.Strings(), src.Strings(), rows, cols)
	case 1:
		takeRowUnits(tensor.Data[uint8](dst), tensor.Data[uint8](src), rows, cols)
	case 2:
		takeRowUnits(tensor.Data[uint16](dst), tensor.Data[uint16](src), rows, cols)
	case 4:
		takeRowUnits(tensor.Data[uint32](dst), tensor.Data[uint32](src), rows, cols)
	case 8:
		takeRowUnits(tensor.Data[uint64](dst), tensor.Data[uint64](src), rows, cols)
	case 16:
		takeRowUnits(tensor.Data[complex128](dst), tensor.Data[complex128](src), rows, cols)
	}
}

func takeRowUnits[T any](dst, src []T, rows, cols []int) {
	for _, r := range rows {
		row := dst[:len(cols)]
		for i, c := range cols {
			row[i] = src[r+c]
		}
		dst = dst[len(cols):]
	}
}
