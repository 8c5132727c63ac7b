package arrange

import (
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

func sliceOps() []op.Def {
	ind := []op.TypeSet{op.Any, op.Index}
	return []op.Def{
		{Name: "Slice", Types: ind, Infer: op.InferElemOf(0), Build: buildSlice},
		{Name: "CenterCropPad", Types: ind, Infer: op.InferElemOf(0), Build: buildCenterCropPad},
		{Name: "Trilu", Infer: op.InferSame, Build: buildTrilu},
	}
}

// slice takes every step-th index from start up to end along some axes.
type slice struct{ starts, ends, axes, steps intList }

func buildSlice(n *op.Node) (op.Kernel, error) {
	k := &slice{}
	for i, l := range []*intList{&k.starts, &k.ends, &k.axes} {
		var err error
		if *l, err = listFrom(n, [...]string{"starts", "ends", "axes"}[i], i+1); err != nil {
			return nil, err
		}
	}
	var err error
	k.steps, err = listFrom(n, "", 4)
	return k, err
}

// sliceState is what a slice keeps between runs: its lists as read, and the
// first index, count and step along every axis.
type sliceState struct {
	work
	lists              [4][]int
	start, count, step []int
	set                []bool
}

func (k *slice) Run(c *op.Context) error {
	in, err := need(c, 0)
	if err != nil {
		return err
	}
	s := op.State[sliceState](c)
	if err := k.read(c, s, in); err != nil {
		return err
	}
	out := c.NewOut(0, in.DType(), s.count...)
	s.at = op.Strides(s.at[:0], s.count)
	s.at = op.Strides(s.at, in.Shape())
	to, from := s.at[:in.Rank()], s.at[in.Rank():]
	first := 0
	for i, v := range s.start {
		first += v * from[i]
	}
	s.grid.Reset(0, first)
	for i, n := range s.count {
		s.grid.Add(n, to[i], s.step[i]*from[i])
	}
	s.grid.Copy(out, in)
	return nil
}

func (k *slice) read(c *op.Context, s *sliceState, in *tensor.Tensor) error {
	var lists [4][]int
	for i, l := range [...]*intList{&k.starts, &k.ends, &k.axes, &k.steps} {
		var err error
		if lists[i], err = l.read(c, &s.lists[i]); err != nil {
			return err
		}
	}
	starts, ends, axes, steps := lists[0], lists[1], lists[2], lists[3]
	if len(starts) != len(ends) || axes != nil && len(axes) != len(starts) ||
		steps != nil && len(steps) != len(starts) || len(starts) > in.Rank() {
		return op.Errorf("slice of %v has %d starts, %d ends, %d axes and %d steps",
			in, len(starts), len(ends), len(axes), len(steps))
	}
	s.start, s.step, s.set = s.start[:0], s.step[:0], s.set[:0]
	for range in.Rank() {
		s.start, s.step, s.set = append(s.start, 0), append(s.step, 1), append(s.set, false)
	}
	s.count = append(s.count[:0], in.Shape()...)
	for i := range starts {
		axis, step := i, 1
		if axes != nil {
			var err error
			if axis, err = op.Axis(axes[i], in.Rank()); err != nil {
				return err
			}
		}
		if steps != nil {
			step = steps[i]
		}
		if step == 0 || s.set[axis] {
			return op.Errorf("slice of %v along axis %d has a step of 0, or is given twice", in, axis)
		}
		s.set[axis] = true
		s.start[axis], s.count[axis], s.step[axis] = sliceRange(starts[i], ends[i], step, in.Dim(axis))
	}
	return nil
}

// sliceRange resolves a slice of an axis with n elements: its first index,
// number of elements and step.
func sliceRange(start, end, step, n int) (first, count, by int) {
	step = min(max(step, -n-1), n+1) // a longer step cannot take a second element
	if start < 0 {
		start += n
	}
	if end < 0 {
		end += n
	}
	if step > 0 {
		start, end = min(max(start, 0), n), min(max(end, 0), n)
		return start, max(0, (end-start+step-1)/step), step
	}
	start, end = min(max(start, 0), n-1), min(max(end, -1), n-1)
	count = max(0, (start-end-step-1)/-step)
	if count == 0 {
		start = 0
	}
	return start, count, step
}

// centerCropPad cuts or zero-pads axes evenly on both sides to given sizes.
type centerCropPad struct {
	shape intList
	axes  []int // nil: all
}

func buildCenterCropPad(n *op.Node) (op.Kernel, error) {
	at := n.ReadAttrs()
	shape, err := listFrom(n, "", 1)
	if err != nil {
		return nil, err
	}
	return &centerCropPad{shape, at.Ints("axes")}, at.Err()
}

func (k *centerCropPad) Run(c *op.Context) error {
	in, err := need(c, 0)
	if err != nil {
		return err
	}
	w := workOf(c)
	sizes, err := k.shape.read(c, &w.list)
	if err != nil {
		return err
	}
	w.shape = append(w.shape[:0], in.Shape()...)
	if k.axes == nil && len(sizes) != in.Rank() || k.axes != nil && len(sizes) != len(k.axes) {
		return op.Errorf("%d sizes given for %d axes of %v", len(sizes), max(len(k.axes), in.Rank()), in)
	}
	if w.at, err = normAxes(w.at[:0], k.axes, in.Rank()); err != nil {
		return err
	}
	for i, size := range sizes {
		axis := i
		if k.axes != nil {
			axis = w.at[i]
		}
		w.shape[axis] = size
	}
	if err := checkShape(w.shape); err != nil {
		return err
	}
	out := c.NewOut(0, in.DType(), w.shape...)
	out.Zero()
	w.at = op.Strides(w.at[:0], w.shape)
	w.at = op.Strides(w.at, in.Shape())
	to, from := w.at[:in.Rank()], w.at[in.Rank():]
	w.grid.Reset(0, 0)
	for i, d := range in.Shape() {
		if cut := d - w.shape[i]; cut > 0 {
			w.grid.Shift(0, cut/2*from[i])
		} else {
			w.grid.Shift(-cut/2*to[i], 0)
		}
		w.grid.Add(min(d, w.shape[i]), to[i], from[i])
	}
	w.grid.Copy(out, in)
	return nil
}

// trilu keeps the triangle above or below a diagonal of each matrix.
type trilu struct {
	upper bool
	k     intList
}

func buildTrilu(n *op.Node) (op.Kernel, error) {
	at := n.ReadAttrs()
	k, err := listFrom(n, "", 1)
	if err != nil {
		return nil, err
	}
	return &trilu{at.Bool("upper", true), k}, at.Err()
}

func (t *trilu) Run(c *op.Context) error {
	in, err := need(c, 0)
	if err != nil {
		return err
	}
	if in.Rank() < 2 {
		return op.Errorf("input is %v, want a matrix", in)
	}
	k, err := t.k.read(c, &workOf(c).list)
	if err != nil {
		return err
	}
	if len(k) > 1 {
		return op.Errorf("k has %d elements, want 1", len(k))
	}
	rows, cols := in.Dim(-2), in.Dim(-1)
	diag := 0
	if len(k) == 1 {
		diag = min(max(k[0], -rows), cols)
	}
	out := c.OutLike(0, in.DType(), in)
	copyAll(out, in)
	if out.Len() == 0 {
		return nil
	}
	for r := range out.Len() / cols {
		first := min(max(r%rows+diag, 0), cols) // of the diagonal's right side
		if t.upper {
			clearUnits(out, r*cols, r*cols+first)
		} else {
			clearUnits(out, r*cols+min(max(r%rows+diag+1, 0), cols), (r+1)*cols)
		}
	}
	return nil
}

// clearUnits zeroes elements from up to to.
func clearUnits(t *tensor.Tensor, from, to int) {
	if s := t.Strings(); s != nil {
		clear(s[from:to])
		return
	}
	size := t.DType().Size()
	clear(t.Bytes()[from*size : to*size])
}
