package arrange

import (
	"github.com/greenlight-dev/greenlight/engine/native/arrange/strided"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

func transposeOps() []op.Def {
	return []op.Def{
		{Name: "Transpose", Infer: inferTranspose, Build: buildTranspose},
		{Name: "DepthToSpace", Infer: op.InferElemOf(0), Build: buildDepthToSpace},
		{Name: "SpaceToDepth", Infer: op.InferElemOf(0), Build: buildSpaceToDepth},
		{Name: "ReverseSequence", Infer: op.InferSame, Build: buildReverseSequence},
	}
}

// transpose permutes axes; nil reverses them.
type transpose struct{ perm []int }

func buildTranspose(n *op.Node) (op.Kernel, error) {
	at := n.ReadAttrs()
	perm := at.Ints("perm")
	if _, err := normAxes(nil, perm, len(perm)); err != nil {
		return nil, op.Errorf("perm %v is not a permutation", perm)
	}
	for i, p := range perm {
		perm[i], _ = op.Axis(p, len(perm))
	}
	return &transpose{perm}, at.Err()
}

func inferTranspose(n *op.Node) error {
	in := n.Arg(0).Type
	out := tensor.Type{Kind: tensor.KindTensor, Elem: in.Elem}
	k, err := buildTranspose(n)
	if err != nil {
		return err
	}
	perm := k.(*transpose).perm
	if in.Ranked && (perm == nil || len(perm) == len(in.Dims)) {
		out.Ranked = true
		for i := range in.Dims {
			out.Dims = append(out.Dims, in.Dims[axisFrom(perm, i, len(in.Dims))])
		}
	}
	n.SetOut(0, out)
	return nil
}

// axisFrom is the input axis that output axis i comes from.
func axisFrom(perm []int, i, rank int) int {
	if perm == nil {
		return rank - 1 - i
	}
	return perm[i]
}

func (k *transpose) Run(c *op.Context) error {
	in, err := need(c, 0)
	if err != nil {
		return err
	}
	rank := in.Rank()
	if k.perm != nil && len(k.perm) != rank {
		return op.Errorf("perm has %d axes for %v", len(k.perm), in)
	}
	w := workOf(c)
	w.shape = w.shape[:0]
	for i := range rank {
		w.shape = append(w.shape, in.Dim(axisFrom(k.perm, i, rank)))
	}
	w.at = op.Strides(w.at[:0], w.shape)
	w.at = op.Strides(w.at, in.Shape())
	to, from := w.at[:rank], w.at[rank:]
	w.grid.Reset(0, 0)
	for i, d := range w.shape {
		w.grid.Add(d, to[i], from[axisFrom(k.perm, i, rank)])
	}
	w.grid.Copy(c.NewOut(0, in.DType(), w.shape...), in)
	return nil
}

// depthToSpace moves blocks between the channels and the two spatial
// dimensions of [N,C,H,W].
type depthToSpace struct {
	block   int
	crd     bool // channels lead the block's rows and columns
	inverse bool // SpaceToDepth
}

func readBlock(n *op.Node, inverse bool) (op.Kernel, error) {
	at := n.ReadAttrs()
	k := &depthToSpace{block: at.Int("blocksize", 0), inverse: inverse}
	if at.Err() == nil && (k.block < 1 || k.block > 1<<20) {
		return nil, op.Errorf("blocksize is %d", k.block)
	}
	switch mode := at.String("mode", "DCR"); mode {
	case "DCR":
	case "CRD":
		k.crd = true
	default:
		return nil, op.Errorf("mode %q is neither DCR nor CRD", mode)
	}
	return k, at.Err()
}

func buildDepthToSpace(n *op.Node) (op.Kernel, error) { return readBlock(n, false) }
func buildSpaceToDepth(n *op.Node) (op.Kernel, error) { return readBlock(n, true) }

func (k *depthToSpace) Run(c *op.Context) error {
	in, err := need(c, 0)
	if err != nil {
		return err
	}
	if in.Rank() != 4 {
		return op.Errorf("input is %v, want [N,C,H,W]", in)
	}
	b, n := k.block, in.Dim(0)
	ch, h, w := in.Dim(1), in.Dim(2), in.Dim(3)
	if k.inverse {
		if h%b != 0 || w%b != 0 {
			return op.Errorf("%v does not divide into blocks of %d", in, b)
		}
		h, w = h/b, w/b
	} else {
		if ch%(b*b) != 0 {
			return op.Errorf("%v does not have a multiple of %d channels", in, b*b)
		}
		ch /= b * b
	}
	var out *tensor.Tensor
	if k.inverse {
		out = c.NewOut(0, in.DType(), n, ch*b*b, h, w)
	} else {
		out = c.NewOut(0, in.DType(), n, ch, h*b, w*b)
	}
	k.run(&workOf(c).grid, out, in, ch, h, w)
	return nil
}

// run copies with ch channels of the image and h×w blocks.
func (k *depthToSpace) run(g *strided.Grid, out, in *tensor.Tensor, ch, h, w int) {
	b, plane := k.block, h*w
	image := ch * b * b * plane
	rowStep, colStep, chStep := b*ch*plane, ch*plane, plane // in the deep tensor, DCR
	if k.crd {
		rowStep, colStep, chStep = b*plane, plane, b*b*plane
	}
	g.Reset(0, 0)
	add := func(size, space, depth int) {
		if k.inverse {
			g.Add(size, depth, space)
		} else {
			g.Add(size, space, depth)
		}
	}
	add(out.Dim(0), image, image)
	add(ch, b*b*plane, chStep)
	add(h, b*w*b, w)
	add(b, w*b, rowStep)
	add(w, b, 1)
	add(b, 1, colStep)
	g.Copy(out, in)
}

// reverseSequence turns round the first lens[b] steps of each sequence b.
type reverseSequence struct {
	batch, time int
	lens        intList
}

func buildReverseSequence(n *op.Node) (op.Kernel, error) {
	at := n.ReadAttrs()
	k := &reverseSequence{batch: at.Int("batch_axis", 1), time: at.Int("time_axis", 0)}
	if k.batch+k.time != 1 || k.batch*k.time != 0 {
		return nil, op.Errorf("batch_axis %d and time_axis %d must be 0 and 1 or 1 and 0", k.batch, k.time)
	}
	var err error
	if k.lens, err = listFrom(n, "", 1); err != nil {
		return nil, err
	}
	return k, at.Err()
}

func (k *reverseSequence) Run(c *op.Context) error {
	in, err := need(c, 0)
	if err != nil {
		return err
	}
	if in.Rank() < 2 {
		return op.Errorf("input is %v, want at least two dimensions", in)
	}
	w := workOf(c)
	lens, err := k.lens.read(c, &w.list)
	if err != nil {
		return err
	}
	if len(lens) != in.Dim(k.batch) {
		return op.Errorf("%d sequence lengths for a batch of %d", len(lens), in.Dim(k.batch))
	}
	out := c.OutLike(0, in.DType(), in)
	inner := op.Product(in.Shape()[2:])
	step := [2]int{in.Dim(1) * inner, inner}
	steps, dt, db := in.Dim(k.time), step[k.time], step[k.batch]
	for b, n := range lens {
		if n < 0 || n > steps {
			return op.Errorf("sequence %d has length %d of %d", b, n, steps)
		}
		w.grid.Reset(b*db, b*db+(n-1)*dt)
		w.grid.Add(n, dt, -dt)
		w.grid.Add(inner, 1, 1)
		w.grid.Copy(out, in)
		w.grid.Reset(b*db+n*dt, b*db+n*dt)
		w.grid.Add(steps-n, dt, dt)
		w.grid.Add(inner, 1, 1)
		w.grid.Copy(out, in)
	}
	return nil
}
