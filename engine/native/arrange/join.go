package arrange

import (
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

func joinOps() []op.Def {
	return []op.Def{
		{Name: "Concat", Infer: inferConcat, Build: buildConcat},
		{Name: "Split", Infer: inferSplit, Build: buildSplit},
		{Name: "Tile", Infer: op.InferElemOf(0), Build: buildTile},
		{Name: "Expand", Infer: op.InferElemOf(0), Build: buildExpand},
	}
}

// concat joins tensors along an axis.
type concat struct{ axis int }

func buildConcat(n *op.Node) (op.Kernel, error) {
	at := n.ReadAttrs()
	if len(n.Inputs) == 0 {
		return nil, op.Errorf("Concat has no inputs")
	}
	return &concat{at.Int("axis", 1)}, at.Err()
}

// inferConcat adds up the axis where all inputs' shapes are known enough.
func inferConcat(n *op.Node) error {
	out := n.Arg(0).Type
	out.Dims = slices.Clone(out.Dims)
	axis, err := op.Axis(n.ReadAttrs().Int("axis", 1), len(out.Dims))
	for i, in := range n.In {
		if err != nil || !in.Type.Ranked || len(in.Type.Dims) != len(out.Dims) {
			n.SetOut(0, tensor.Type{Kind: tensor.KindTensor, Elem: n.Elem(0)})
			return nil
		}
		if i == 0 {
			continue
		}
		for d, dim := range in.Type.Dims {
			switch {
			case d != axis && !out.Dims[d].Known():
				out.Dims[d] = dim
			case d == axis && out.Dims[d].Known() && dim.Known():
				out.Dims[d] = tensor.Dim{Size: out.Dims[d].Size + dim.Size}
			case d == axis:
				out.Dims[d] = tensor.Dim{Size: -1}
			}
		}
	}
	n.SetOut(0, out)
	return nil
}

func (k *concat) Run(c *op.Context) error {
	first, err := need(c, 0)
	if err != nil {
		return err
	}
	axis, err := op.Axis(k.axis, first.Rank())
	if err != nil {
		return err
	}
	total := 0
	for i := range c.In {
		t, err := need(c, i)
		if err != nil {
			return err
		}
		if err := joinable(first, t, axis); err != nil {
			return err
		}
		total += t.Dim(axis)
	}
	w := workOf(c)
	w.shape = append(w.shape[:0], first.Shape()...)
	w.shape[axis] = total
	out := c.NewOut(0, first.DType(), w.shape...)
	outer, _, inner := splitAt(w.shape, axis)
	at := 0
	for i := range c.In {
		t := c.T(i)
		run := t.Dim(axis) * inner
		w.grid.Reset(at, 0)
		w.grid.Add(outer, total*inner, run)
		w.grid.Add(run, 1, 1)
		w.grid.Copy(out, t)
		at += run
	}
	return nil
}

// joinable says whether b can stand after a along axis.
func joinable(a, b *tensor.Tensor, axis int) error {
	if err := sameElem(a, b); err != nil {
		return err
	}
	same := a.Rank() == b.Rank()
	for i := 0; same && i < a.Rank(); i++ {
		same = i == axis || a.Dim(i) == b.Dim(i)
	}
	if !same {
		return op.Errorf("%v and %v cannot be joined along axis %d", a, b, axis)
	}
	return nil
}

// split cuts a tensor along an axis into as many parts as there are outputs.
type split struct {
	axis  int
	sizes intList
	parts int  // outputs
	even  bool // refuse parts of different sizes (before opset 18)
}

func inferSplit(n *op.Node) error {
	for i := range n.Out {
		n.SetOut(i, tensor.Type{Kind: tensor.KindTensor, Elem: n.Elem(0)})
	}
	return nil
}

func buildSplit(n *op.Node) (op.Kernel, error) {
	at := n.ReadAttrs()
	sizes, err := listFrom(n, "split", 1)
	if err != nil {
		return nil, err
	}
	parts := at.Int("num_outputs", len(n.Outputs))
	if parts != len(n.Outputs) && !n.Has(1) {
		return nil, op.Errorf("num_outputs is %d but the node has %d outputs", parts, len(n.Outputs))
	}
	return &split{at.Int("axis", 0), sizes, len(n.Outputs), !at.Has("num_outputs")}, at.Err()
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
	w := workOf(c)
	sizes, err := k.sizes.read(c, &w.list)
	if err != nil {
		return err
	}
	if sizes == nil {
		w.list, err = k.equalParts(w.list[:0], in.Dim(axis))
		if err != nil {
			return err
		}
		sizes = w.list
	}
	if err := k.check(sizes, in, axis); err != nil {
		return err
	}
	w.shape = append(w.shape[:0], in.Shape()...)
	outer, size, inner := splitAt(in.Shape(), axis)
	at := 0
	for i, part := range sizes {
		w.shape[axis] = part
		if c.Wants(i) {
			w.grid.Reset(0, at*inner)
			w.grid.Add(outer, part*inner, size*inner)
			w.grid.Add(part*inner, 1, 1)
			w.grid.Copy(c.NewOut(i, in.DType(), w.shape...), in)
		}
		at += part
	}
	return nil
}

// equalParts gives all parts the size rounded up and the last one the rest.
func (k *split) equalParts(dst []int, size int) ([]int, error) {
	if k.even && size%k.parts != 0 {
		return nil, op.Errorf("%d elements do not split into %d equal parts", size, k.parts)
	}
	each := (size + k.parts - 1) / k.parts
	for range k.parts {
		part := min(each, size)
		dst = append(dst, part)
		size -= part
	}
	return dst, nil
}

func (k *split) check(sizes []int, in *tensor.Tensor, axis int) error {
	sum := 0
	for _, s := range sizes {
		if s < 0 || s > in.Dim(axis) {
			return op.Errorf("cannot split %v along axis %d into parts of %v", in, axis, cloneInts(sizes))
		}
		sum += s
	}
	if sum != in.Dim(axis) || len(sizes) != k.parts {
		return op.Errorf("cannot split %v along axis %d into %d parts of %v", in, axis, k.parts, cloneInts(sizes))
	}
	return nil
}

// tileKernel repeats a tensor along each axis.
type tileKernel struct{ repeats intList }

func buildTile(n *op.Node) (op.Kernel, error) {
	repeats, err := listFrom(n, "", 1)
	return &tileKernel{repeats}, err
}

func (k *tileKernel) Run(c *op.Context) error {
	in, err := need(c, 0)
	if err != nil {
		return err
	}
	w := workOf(c)
	repeats, err := k.repeats.read(c, &w.list)
	if err != nil {
		return err
	}
	if len(repeats) != in.Rank() {
		return op.Errorf("%d repeats given for %v", len(repeats), in)
	}
	w.shape = w.shape[:0]
	for i, r := range repeats {
		if r < 0 || r > maxElements/max(in.Dim(i), 1) {
			return op.Errorf("%v cannot be repeated %v times", in, cloneInts(repeats))
		}
		w.shape = append(w.shape, in.Dim(i)*r)
	}
	if err := checkShape(w.shape); err != nil {
		return err
	}
	out := c.NewOut(0, in.DType(), w.shape...)
	w.at = op.Strides(w.at[:0], w.shape)
	w.at = op.Strides(w.at, in.Shape())
	to, from := w.at[:in.Rank()], w.at[in.Rank():]
	w.grid.Reset(0, 0)
	for i, r := range repeats {
		w.grid.Add(r, in.Dim(i)*to[i], 0)
		w.grid.Add(in.Dim(i), to[i], from[i])
	}
	w.grid.Copy(out, in)
	return nil
}

// expand broadcasts a tensor with a shape.
type expand struct{ shape intList }

func buildExpand(n *op.Node) (op.Kernel, error) {
	shape, err := listFrom(n, "", 1)
	return &expand{shape}, err
}

func (k *expand) Run(c *op.Context) error {
	in, err := need(c, 0)
	if err != nil {
		return err
	}
	w := workOf(c)
	want, err := k.shape.read(c, &w.list)
	if err != nil {
		return err
	}
	if w.shape, err = op.Broadcast(w.shape[:0], in.Shape(), want); err != nil {
		return err
	}
	if err := checkShape(w.shape); err != nil {
		return err
	}
	out := c.NewOut(0, in.DType(), w.shape...)
	w.at = op.Strides(w.at[:0], w.shape)
	w.at = op.BroadcastStrides(w.at, in.Shape(), w.shape)
	to, from := w.at[:len(w.shape)], w.at[len(w.shape):]
	w.grid.Reset(0, 0)
	for i, d := range w.shape {
		w.grid.Add(d, to[i], from[i])
	}
	w.grid.Copy(out, in)
	return nil
}
