package arrange

import (
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

func viewOps() []op.Def {
	return []op.Def{
		{Name: "Identity", Infer: op.InferSame, Build: op.Simple(identity), Alias: true},
		{Name: "Reshape", Infer: inferReshape, Build: buildReshape, Alias: true},
		{Name: "Flatten", Infer: inferFlatten, Build: buildFlatten, Alias: true},
		{Name: "Squeeze", Infer: inferSqueeze, Build: buildSqueeze, Alias: true},
		{Name: "Unsqueeze", Infer: inferUnsqueeze, Build: buildUnsqueeze, Alias: true},
		{Name: "Shape", Infer: inferShape, Build: buildShape},
		{Name: "Size", Infer: inferSize, Build: op.Simple(size)},
	}
}

func identity(c *op.Context) error {
	if len(c.In) == 0 || c.In[0] == nil {
		return op.Errorf("input 0 is missing")
	}
	switch v := c.In[0].(type) {
	case *tensor.Tensor:
		c.ViewOut(0, v, v.Shape()...)
	default:
		c.Set(0, v.CloneValue())
	}
	return nil
}

// reshape views its input under another shape, in which 0 keeps a dimension
// (unless allowzero) and -1 takes what is left.
type reshape struct {
	shape     intList
	allowZero bool
}

func buildReshape(n *op.Node) (op.Kernel, error) {
	at := n.ReadAttrs()
	shape, err := listFrom(n, "shape", 1)
	if err != nil {
		return nil, err
	}
	return &reshape{shape, at.Bool("allowzero", false)}, at.Err()
}

func (k *reshape) Run(c *op.Context) error {
	in, err := need(c, 0)
	if err != nil {
		return err
	}
	w := workOf(c)
	want, err := k.shape.read(c, &w.list)
	if err != nil {
		return err
	}
	w.shape = append(w.shape[:0], want...)
	if err := k.resolve(w.shape, in); err != nil {
		return err
	}
	c.ViewOut(0, in, w.shape...)
	return nil
}

// resolve replaces the special numbers in shape.
func (k *reshape) resolve(shape []int, in *tensor.Tensor) error {
	free, n := -1, 1
	for i, d := range shape {
		switch {
		case d == 0 && !k.allowZero:
			if i >= in.Rank() {
				return op.Errorf("shape %v keeps dimension %d, which %v does not have", cloneInts(shape), i, in)
			}
			shape[i] = in.Dim(i)
		case d == -1 && free < 0:
			free = i
			continue
		case d < 0:
			return op.Errorf("shape %v has more than one unknown dimension", cloneInts(shape))
		}
		if d = shape[i]; d > 0 && n > maxElements/d {
			return op.Errorf("%v does not fit the shape %v", in, cloneInts(shape))
		}
		n *= shape[i]
	}
	if free >= 0 {
		if n == 0 && in.Len() == 0 {
			shape[free] = 0
			return nil
		}
		if n == 0 || in.Len()%n != 0 {
			return op.Errorf("%v does not fit the shape %v", in, cloneInts(shape))
		}
		shape[free] = in.Len() / n
		return nil
	}
	if n != in.Len() {
		return op.Errorf("%v does not fit the shape %v", in, cloneInts(shape))
	}
	return nil
}

type flatten struct{ axis int }

func buildFlatten(n *op.Node) (op.Kernel, error) {
	at := n.ReadAttrs()
	return &flatten{at.Int("axis", 1)}, at.Err()
}

func (k *flatten) Run(c *op.Context) error {
	in, err := need(c, 0)
	if err != nil {
		return err
	}
	axis := k.axis
	if axis < 0 {
		axis += in.Rank()
	}
	if axis < 0 || axis > in.Rank() {
		return op.Errorf("axis %d is outside [%d, %d]", k.axis, -in.Rank(), in.Rank())
	}
	s := in.Shape()
	c.ViewOut(0, in, op.Product(s[:axis]), op.Product(s[axis:]))
	return nil
}

// squeeze drops dimensions of size 1: those of axes, or all.
type squeeze struct{ axes intList }

func buildSqueeze(n *op.Node) (op.Kernel, error) {
	axes, err := listFrom(n, "axes", 1)
	return &squeeze{axes}, err
}

func (k *squeeze) Run(c *op.Context) error {
	in, err := need(c, 0)
	if err != nil {
		return err
	}
	w := workOf(c)
	axes, err := k.axes.read(c, &w.list)
	if err != nil {
		return err
	}
	if w.at, err = normAxes(w.at[:0], axes, in.Rank()); err != nil {
		return err
	}
	w.shape = w.shape[:0]
	for i, d := range in.Shape() {
		drop := axes == nil && d == 1 || slices.Contains(w.at, i)
		if drop && d != 1 {
			return op.Errorf("axis %d of %v has size %d, only 1 can be dropped", i, in, d)
		}
		if !drop {
			w.shape = append(w.shape, d)
		}
	}
	c.ViewOut(0, in, w.shape...)
	return nil
}

// unsqueeze inserts dimensions of size 1 at axes of the result.
type unsqueeze struct{ axes intList }

func buildUnsqueeze(n *op.Node) (op.Kernel, error) {
	axes, err := listFrom(n, "axes", 1)
	return &unsqueeze{axes}, err
}

func (k *unsqueeze) Run(c *op.Context) error {
	in, err := need(c, 0)
	if err != nil {
		return err
	}
	w := workOf(c)
	axes, err := k.axes.read(c, &w.list)
	if err != nil {
		return err
	}
	rank := in.Rank() + len(axes)
	if w.at, err = normAxes(w.at[:0], axes, rank); err != nil {
		return err
	}
	w.shape = w.shape[:0]
	next := 0
	for i := range rank {
		if slices.Contains(w.at, i) {
			w.shape = append(w.shape, 1)
			continue
		}
		w.shape = append(w.shape, in.Dim(next))
		next++
	}
	c.ViewOut(0, in, w.shape...)
	return nil
}

// shapeOf gives dimensions start to end of its input's shape.
type shapeOf struct {
	start, end int
	toEnd      bool
}

func readShapeOf(n *op.Node) (*shapeOf, error) {
	at := n.ReadAttrs()
	k := &shapeOf{at.Int("start", 0), at.Int("end", 0), !at.Has("end")}
	return k, at.Err()
}

func inferShape(n *op.Node) error {
	k, err := readShapeOf(n)
	if err != nil {
		return err
	}
	size := -1
	if t := n.Arg(0).Type; t.Ranked {
		from, to := k.bounds(len(t.Dims))
		size = to - from
	}
	n.SetOut(0, tensor.TensorType(tensor.Int64, size))
	return nil
}

func buildShape(n *op.Node) (op.Kernel, error) { return readShapeOf(n) }

// bounds clamps start and end to the rank; from is never past to.
func (k *shapeOf) bounds(rank int) (from, to int) {
	clamp := func(v int) int {
		if v < 0 {
			v += rank
		}
		return min(max(v, 0), rank)
	}
	from, to = clamp(k.start), rank
	if !k.toEnd {
		to = clamp(k.end)
	}
	return min(from, to), to
}

func (k *shapeOf) Run(c *op.Context) error {
	in, err := need(c, 0)
	if err != nil {
		return err
	}
	from, to := k.bounds(in.Rank())
	out := tensor.Data[int64](c.NewOut(0, tensor.Int64, to-from))
	for i := range out {
		out[i] = int64(in.Dim(from + i))
	}
	return nil
}

func inferSize(n *op.Node) error {
	n.SetOut(0, tensor.TensorType(tensor.Int64))
	return nil
}

func size(c *op.Context) error {
	in, err := need(c, 0)
	if err != nil {
		return err
	}
	tensor.Data[int64](c.NewOut(0, tensor.Int64))[0] = int64(in.Len())
	return nil
}
