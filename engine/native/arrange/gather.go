package arrange

import (
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

func gatherOps() []op.Def {
	ind := []op.TypeSet{op.Any, op.Index}
	return []op.Def{
		{Name: "Gather", Types: ind, Infer: inferGather, Build: buildGather},
		{Name: "GatherElements", Types: ind, Infer: op.InferElemOf(0), Build: buildGatherElements},
		{Name: "GatherND", Types: ind, Infer: op.InferElemOf(0), Build: buildGatherND},
		{Name: "Compress", Types: []op.TypeSet{op.Any, op.Bools}, Infer: op.InferElemOf(0), Build: buildCompress},
	}
}

func axisAttr(n *op.Node, def int) (int, error) {
	at := n.ReadAttrs()
	return at.Int("axis", def), at.Err()
}

// gather takes slices along an axis by index.
type gather struct {
	axis    int
	indices intList
}

func buildGather(n *op.Node) (op.Kernel, error) {
	axis, err := axisAttr(n, 0)
	if err != nil {
		return nil, err
	}
	indices, err := listFrom(n, "", 1)
	return &gather{axis, indices}, err
}

func inferGather(n *op.Node) error {
	data, ind := n.Arg(0).Type, n.Arg(1).Type
	out := tensor.Type{Kind: tensor.KindTensor, Elem: data.Elem}
	axis, err := axisAttr(n, 0)
	if err != nil {
		return err
	}
	if axis, err = op.Axis(axis, len(data.Dims)); err == nil && data.Ranked && ind.Ranked {
		out.Ranked = true
		out.Dims = append(out.Dims, data.Dims[:axis]...)
		out.Dims = append(out.Dims, ind.Dims...)
		out.Dims = append(out.Dims, data.Dims[axis+1:]...)
	}
	n.SetOut(0, out)
	return nil
}

func (k *gather) Run(c *op.Context) error {
	in, err := need(c, 0)
	if err != nil {
		return err
	}
	ind, err := need(c, 1)
	if err != nil {
		return err
	}
	axis, err := op.Axis(k.axis, in.Rank())
	if err != nil {
		return err
	}
	w := workOf(c)
	indices, err := k.indices.read(c, &w.list)
	if err != nil {
		return err
	}
	outer, size, inner := splitAt(in.Shape(), axis)
	if w.at, err = blockOffsets(w.at[:0], indices, size, inner); err != nil {
		return err
	}
	w.shape = append(w.shape[:0], in.Shape()[:axis]...)
	w.shape = append(w.shape, ind.Shape()...)
	w.shape = append(w.shape, in.Shape()[axis+1:]...)
	out := c.NewOut(0, in.DType(), w.shape...)
	take(out, in, outer, size*inner, inner, w.at)
	return nil
}

// blockOffsets appends where the blocks of these indices start along an axis
// of this size; negative indices count from the end.
func blockOffsets(dst, indices []int, size, block int) ([]int, error) {
	for _, v := range indices {
		i := v
		if i < 0 {
			i += size
		}
		if i < 0 || i >= size {
			return nil, op.Errorf("index %d is outside [%d, %d]", v, -size, size-1)
		}
		dst = append(dst, i*block)
	}
	return dst, nil
}

// gatherElements takes single elements: the index replaces one coordinate.
type gatherElements struct {
	axis    int
	indices intList
}

func buildGatherElements(n *op.Node) (op.Kernel, error) {
	axis, err := axisAttr(n, 0)
	if err != nil {
		return nil, err
	}
	indices, err := listFrom(n, "", 1)
	return &gatherElements{axis, indices}, err
}

func (k *gatherElements) Run(c *op.Context) error {
	in, err := need(c, 0)
	if err != nil {
		return err
	}
	ind, err := need(c, 1)
	if err != nil {
		return err
	}
	w := workOf(c)
	indices, err := k.indices.read(c, &w.list)
	if err != nil {
		return err
	}
	if err := elementOffsets(w, in, ind, indices, k.axis); err != nil {
		return err
	}
	take(c.OutLike(0, in.DType(), ind), in, 1, 0, 1, w.at)
	return nil
}

// elementOffsets sets w.at to the offsets in data of the elements that ind,
// whose numbers are indices, names along an axis.
func elementOffsets(w *work, data, ind *tensor.Tensor, indices []int, axis int) error {
	axis, err := op.Axis(axis, data.Rank())
	if err != nil {
		return err
	}
	fits := ind.Rank() == data.Rank()
	for d := 0; fits && d < ind.Rank(); d++ {
		fits = d == axis || ind.Dim(d) <= data.Dim(d)
	}
	if !fits {
		return op.Errorf("indices %v do not fit %v along axis %d", ind, data, axis)
	}
	size, rank := data.Dim(axis), data.Rank()
	w.shape = op.Strides(w.shape[:0], data.Shape())
	for range rank {
		w.shape = append(w.shape, 0)
	}
	steps, pos := w.shape[:rank], w.shape[rank:]
	w.at = w.at[:0]
	base := 0 // offset of pos without the axis
	for _, v := range indices {
		i := v
		if i < 0 {
			i += size
		}
		if i < 0 || i >= size {
			return op.Errorf("index %d is outside [%d, %d]", v, -size, size-1)
		}
		w.at = append(w.at, base+i*steps[axis])
		for d := rank - 1; d >= 0; d-- {
			step := steps[d]
			if d == axis {
				step = 0
			}
			pos[d]++
			base += step
			if pos[d] < ind.Dim(d) {
				break
			}
			base -= pos[d] * step
			pos[d] = 0
		}
	}
	return nil
}

// gatherND takes slices by tuples of indices, after some batch dimensions.
type gatherND struct {
	batch   int
	indices intList
}

func buildGatherND(n *op.Node) (op.Kernel, error) {
	at := n.ReadAttrs()
	indices, err := listFrom(n, "", 1)
	if err != nil {
		return nil, err
	}
	return &gatherND{at.Int("batch_dims", 0), indices}, at.Err()
}

func (k *gatherND) Run(c *op.Context) error {
	in, err := need(c, 0)
	if err != nil {
		return err
	}
	ind, err := need(c, 1)
	if err != nil {
		return err
	}
	w := workOf(c)
	indices, err := k.indices.read(c, &w.list)
	if err != nil {
		return err
	}
	block, err := tupleOffsets(w, in, ind, indices, k.batch)
	if err != nil {
		return err
	}
	depth := ind.Dim(-1)
	w.shape = append(w.shape[:0], ind.Shape()[:ind.Rank()-1]...)
	w.shape = append(w.shape, in.Shape()[k.batch+depth:]...)
	take(c.NewOut(0, in.DType(), w.shape...), in, 1, 0, block, w.at)
	return nil
}

// tupleOffsets sets w.at to the offsets in data of the blocks that the tuples
// in ind's last dimension name, and gives the size of a block.
func tupleOffsets(w *work, data, ind *tensor.Tensor, indices []int, batch int) (int, error) {
	if ind.Rank() == 0 || batch < 0 || batch >= ind.Rank() || batch+ind.Dim(-1) > data.Rank() {
		return 0, op.Errorf("indices %v with %d batch dimensions do not fit %v", ind, batch, data)
	}
	for d := range batch {
		if data.Dim(d) != ind.Dim(d) {
			return 0, op.Errorf("indices %v and data %v differ in batch dimension %d", ind, data, d)
		}
	}
	depth := ind.Dim(-1)
	tuples := op.Product(ind.Shape()[:ind.Rank()-1])
	batches := op.Product(ind.Shape()[:batch])
	block := op.Product(data.Shape()[batch+depth:])
	item := op.Product(data.Shape()[batch:])
	w.at = w.at[:0]
	for t := range tuples {
		at := 0
		for d, v := range indices[t*depth : (t+1)*depth] {
			size, i := data.Dim(batch+d), v
			if i < 0 {
				i += size
			}
			if i < 0 || i >= size {
				return 0, op.Errorf("index %d is outside [%d, %d]", v, -size, size-1)
			}
			at = at*size + i
		}
		w.at = append(w.at, t/(tuples/batches)*item+at*block)
	}
	return block, nil
}

// compress keeps the slices along an axis, or the elements of all, for which a
// condition holds.
type compress struct {
	axis int
	flat bool
}

func buildCompress(n *op.Node) (op.Kernel, error) {
	at := n.ReadAttrs()
	return &compress{at.Int("axis", 0), !at.Has("axis")}, at.Err()
}

func (k *compress) Run(c *op.Context) error {
	in, err := need(c, 0)
	if err != nil {
		return err
	}
	cond, err := need(c, 1)
	if err != nil {
		return err
	}
	w := workOf(c)
	outer, size, inner := 1, in.Len(), 1
	w.shape = w.shape[:0]
	axis := 0
	if k.flat {
		w.shape = append(w.shape, 0)
	} else {
		if axis, err = op.Axis(k.axis, in.Rank()); err != nil {
			return err
		}
		outer, size, inner = splitAt(in.Shape(), axis)
		w.shape = append(w.shape, in.Shape()...)
	}
	if cond.Len() > size {
		return op.Errorf("condition has %d elements for %d", cond.Len(), size)
	}
	w.at = w.at[:0]
	for i, keep := range tensor.Data[bool](cond) {
		if keep {
			w.at = append(w.at, i*inner)
		}
	}
	w.shape[axis] = len(w.at)
	take(c.NewOut(0, in.DType(), w.shape...), in, outer, size*inner, inner, w.at)
	return nil
}
