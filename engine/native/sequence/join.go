package sequence

import (
	"github.com/greenlight-dev/greenlight/engine/native/arrange/strided"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

func joinOps() []op.Def {
	return []op.Def{
		{Name: "SplitToSequence", Types: []op.TypeSet{op.Any, op.Index}, Infer: inferSplit, Build: buildSplit},
		{Name: "ConcatFromSequence", Infer: inferAt, Build: buildConcat},
	}
}

// split cuts a tensor along an axis into a sequence.
type split struct {
	axis int
	keep bool // keep the axis when no sizes are given
}

func inferSplit(n *op.Node) error {
	n.SetOut(0, sequenceOf(n.Elem(0)))
	return nil
}

func buildSplit(n *op.Node) (op.Kernel, error) {
	at := n.ReadAttrs()
	return &split{at.Int("axis", 0), at.Bool("keepdims", true)}, at.Err()
}

func (k *split) Run(c *op.Context) error {
	in, err := need(c, 0)
	if err != nil {
		return err
	}
	axis, err := op.Axis(k.axis, in.Rank())
	if err != nil {
		return err
	}
	sizes, err := partSizes(c.T(1), in.Dim(axis))
	if err != nil {
		return err
	}
	shape := append([]int(nil), in.Shape()...)
	drop := c.T(1) == nil && !k.keep
	outer, inner := op.Product(shape[:axis]), op.Product(shape[axis+1:])
	size := in.Dim(axis)
	s := &tensor.Sequence{Elem: itemType(in), Items: make([]tensor.Value, len(sizes))}
	var g strided.Grid
	at := 0
	for i, part := range sizes {
		shape[axis] = part
		item := tensor.New(in.DType(), shape...)
		g.Reset(0, at*inner)
		g.Add(outer, part*inner, size*inner)
		g.Add(part*inner, 1, 1)
		g.Copy(item, in)
		if drop {
			whole := item
			item = &tensor.Tensor{}
			item.View(whole, append(append([]int(nil), shape[:axis]...), shape[axis+1:]...)...)
		}
		s.Items[i] = item
		at += part
	}
	return set(c, s)
}

// partSizes reads how an axis of n elements is split: into parts of one size
// and a rest, or into the parts listed.
func partSizes(t *tensor.Tensor, n int) ([]int, error) {
	if t != nil && t.Rank() > 0 {
		sizes, sum := op.AppendInts(nil, t), 0
		for _, s := range sizes {
			if s < 0 || s > n {
				return nil, op.Errorf("cannot split %d elements into %v", n, sizes)
			}
			sum += s
		}
		if sum != n {
			return nil, op.Errorf("cannot split %d elements into %v", n, sizes)
		}
		return sizes, nil
	}
	each := 1
	if t != nil {
		each = op.AppendInts(nil, t)[0]
	}
	if each < 1 {
		return nil, op.Errorf("cannot split into parts of %d elements", each)
	}
	var sizes []int
	for n > 0 {
		sizes = append(sizes, min(each, n))
		n -= min(each, n)
	}
	return sizes, nil
}

// concat joins the items of a sequence along an axis, or stacks them along a
// new one.
type concat struct {
	axis  int
	stack bool
}

// joinState is the memory that concat keeps between runs.
type joinState struct {
	shape []int
	grid  strided.Grid
}

func buildConcat(n *op.Node) (op.Kernel, error) {
	at := n.ReadAttrs()
	if n.Attr("axis") == nil {
		return nil, op.Errorf("attribute \"axis\" is missing")
	}
	return &concat{at.Int("axis", 0), at.Bool("new_axis", false)}, at.Err()
}

func (k *concat) Run(c *op.Context) error {
	s, err := input(c, 0)
	if err != nil {
		return err
	}
	if len(s.Items) == 0 {
		return op.Errorf("an empty sequence cannot be joined")
	}
	first, ok := s.Items[0].(*tensor.Tensor)
	if !ok {
		return op.Errorf("items are %v, want tensors", s.Items[0].Type())
	}
	rank := first.Rank()
	if k.stack {
		rank++
	}
	axis, err := op.Axis(k.axis, rank)
	if err != nil {
		return err
	}
	st := op.State[joinState](c)
	total := 0
	for _, item := range s.Items {
		part, err := k.part(first, item, axis)
		if err != nil {
			return err
		}
		total += part
	}
	st.shape = append(append(st.shape[:0], first.Shape()[:axis]...), total)
	if k.stack {
		st.shape = append(st.shape, first.Shape()[axis:]...)
	} else {
		st.shape = append(st.shape, first.Shape()[axis+1:]...)
	}
	out := c.NewOut(0, first.DType(), st.shape...)
	outer, inner := op.Product(st.shape[:axis]), op.Product(st.shape[axis+1:])
	at := 0
	for _, item := range s.Items {
		t := item.(*tensor.Tensor)
		part, _ := k.part(first, t, axis)
		st.grid.Reset(at*inner, 0)
		st.grid.Add(outer, total*inner, part*inner)
		st.grid.Add(part*inner, 1, 1)
		st.grid.Copy(out, t)
		at += part
	}
	return nil
}

// part is how many elements along the axis an item takes; an error when it
// does not fit beside the first one.
func (k *concat) part(first *tensor.Tensor, v tensor.Value, axis int) (int, error) {
	t, ok := v.(*tensor.Tensor)
	fits := ok && t.DType() == first.DType() && t.Rank() == first.Rank()
	for d := 0; fits && d < t.Rank(); d++ {
		fits = d == axis && !k.stack || t.Dim(d) == first.Dim(d)
	}
	if !fits {
		return 0, op.Errorf("%v and %v cannot be joined along axis %d", first, v.Type(), axis)
	}
	if k.stack {
		return 1, nil
	}
	return t.Dim(axis), nil
}
