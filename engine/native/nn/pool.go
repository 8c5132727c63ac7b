package nn

import (
	"math"
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

var maxPoolTypes = slices.Concat(op.Floats, op.TypeSet{tensor.Int8, tensor.Uint8})

func poolOps() []op.Def {
	return []op.Def{
		{Name: "MaxPool", Types: []op.TypeSet{maxPoolTypes}, Infer: inferMaxPool, Build: buildMaxPool},
		{Name: "AveragePool", Types: []op.TypeSet{op.Floats}, Infer: inferPool, Build: buildAveragePool},
		{Name: "LpPool", Types: []op.TypeSet{op.Floats}, Infer: inferPool, Build: buildLpPool},
	}
}

// pool is MaxPool without indices, AveragePool and LpPool: a reduction over
// each window.
type pool struct {
	window   Window
	kind     reduction
	countPad bool    // AveragePool: padding counts as zeros
	p        float64 // LpPool
}

// reduction is what a pool does with the values of a window.
type reduction uint8

const (
	maximum reduction = iota
	mean
	norm
)

func buildMaxPool(n *op.Node) (op.Kernel, error) {
	w, err := ReadWindow(n)
	if err != nil {
		return nil, err
	}
	if n.Wants(1) {
		a := n.ReadAttrs()
		k := &argMaxPool{window: w, columnMajor: a.Bool("storage_order", false)}
		return k, a.Err()
	}
	return &pool{window: w, kind: maximum}, nil
}

func buildAveragePool(n *op.Node) (op.Kernel, error) {
	w, err := ReadWindow(n)
	if err != nil {
		return nil, err
	}
	a := n.ReadAttrs()
	k := &pool{window: w, kind: mean, countPad: a.Bool("count_include_pad", false)}
	return k, a.Err()
}

func buildLpPool(n *op.Node) (op.Kernel, error) {
	w, err := ReadWindow(n)
	if err != nil {
		return nil, err
	}
	p, err := readNorm(n)
	return &pool{window: w, kind: norm, p: p}, err
}

func readNorm(n *op.Node) (float64, error) {
	a := n.ReadAttrs()
	p := a.Int("p", 2)
	if err := a.Err(); err != nil {
		return 0, err
	}
	if p < 1 {
		return 0, op.Errorf("attribute p is %d, want 1 or more", p)
	}
	return float64(p), nil
}

// inferPool knows the element type and the number of dimensions.
func inferPool(n *op.Node) error {
	t := n.Arg(0).Type
	out := tensor.Type{Kind: tensor.KindTensor, Elem: t.Elem}
	if w, err := ReadWindow(n); err == nil && t.Ranked && len(t.Dims) > 2 {
		out = w.outType(t, nil, t.Dims[1])
	}
	n.SetOut(0, out)
	return nil
}

func inferMaxPool(n *op.Node) error {
	if err := inferPool(n); err != nil || len(n.Out) < 2 {
		return err
	}
	indices := n.Out[0].Type
	indices.Elem = tensor.Int64
	n.SetOut(1, indices)
	return nil
}

// outType is the type of what the window makes of an image of type t, with
// the spatial dimensions known where they are fixed.
func (w *Window) outType(t tensor.Type, kernel []int, channels tensor.Dim) tensor.Type {
	out := tensor.Type{Kind: tensor.KindTensor, Elem: t.Elem, Ranked: true}
	out.Dims = append(out.Dims, t.Dims[0], channels)
	image := tensor.Type{Kind: tensor.KindTensor, Ranked: true, Dims: t.Dims[2:]}
	spatial, fixed := image.FixedShape()
	var axes []Axis
	var err error
	if fixed {
		axes, err = w.Place(nil, spatial, kernel)
	}
	for i := range image.Dims {
		d := tensor.Dim{Size: -1}
		if fixed && err == nil {
			d.Size = axes[i].Out
		}
		out.Dims = append(out.Dims, d)
	}
	return out
}

// poolPlan is how a window slides over the image shape last seen.
type poolPlan struct {
	image   []int // spatial dimensions
	axes    []Axis
	shape   []int     // of the output
	spans   [3][]span // along depth, height and width, for each position
	step    [3]int    // dilations
	planeIn int
	covered bool // every position along the width has an input
}

// span is the part of a window along one axis: n inputs from lo on. size
// counts the padding, too.
type span struct{ lo, n, size int }

// prepare readies the plan for x.
func (pl *poolPlan) prepare(w *Window, x *tensor.Tensor) error {
	shape := x.Shape()
	if len(shape) < 3 {
		return op.Errorf("the input has shape %v, want [batch, channels, …]", slices.Clone(shape))
	}
	if !slices.Equal(pl.image, shape[2:]) {
		pl.image = pl.image[:0]
		axes, err := w.Place(pl.axes[:0], shape[2:], nil)
		if err != nil {
			return err
		}
		if err := sensible(axes); err != nil {
			return err
		}
		pl.axes, pl.planeIn = axes, op.Product(shape[2:])
		d, h, wd := inThree(axes)
		for i, a := range []Axis{d, h, wd} {
			pl.spans[i], pl.step[i] = appendSpans(pl.spans[i][:0], &a), a.Dilation
		}
		pl.covered = !slices.ContainsFunc(pl.spans[2], func(s span) bool { return s.n == 0 })
		pl.image = append(pl.image, shape[2:]...)
	}
	pl.shape = append(pl.shape[:0], shape[0], shape[1])
	for _, a := range pl.axes {
		pl.shape = append(pl.shape, a.Out)
	}
	return nil
}

// sensible refuses windows that reach far out of the image: nobody needs them,
// and their cost would have no relation to the size of the input.
func sensible(axes []Axis) error {
	for i, a := range axes {
		if framedSize(&a) > 4096+4*a.In {
			return op.Errorf("the kernel (%d with dilation %d) and the padding are far larger than spatial dimension %d of the image (%d)",
				a.Kernel, a.Dilation, i, a.In)
		}
	}
	return nil
}

func appendSpans(spans []span, a *Axis) []span {
	for o := range a.Out {
		lo, hi := a.taps(o)
		start := o*a.Stride - a.Begin
		size := min(a.Kernel, (a.In+a.End-start+a.Dilation-1)/a.Dilation)
		spans = append(spans, span{lo: start + lo*a.Dilation, n: hi - lo, size: size})
	}
	return spans
}

// Run reduces every window.
func (k *pool) Run(c *op.Context) error {
	pl := op.State[poolPlan](c)
	x := c.T(0)
	if err := pl.prepare(&k.window, x); err != nil {
		return err
	}
	out := c.NewOut(0, x.DType(), pl.shape...)
	switch x.DType() {
	case tensor.Float32:
		if k.kind == maximum && pl.halving() {
			pl.maxHalves(tensor.Data[float32](out), tensor.Data[float32](x))
			return nil
		}
		reducePlanes(k, c, pl, tensor.Data[float32](out), tensor.Data[float32](x))
	case tensor.Float64:
		reducePlanes(k, c, pl, tensor.Data[float64](out), tensor.Data[float64](x))
	case tensor.Int8:
		maxPlanes(c, pl, tensor.Data[int8](out), tensor.Data[int8](x), math.MinInt8)
	case tensor.Uint8:
		maxPlanes(c, pl, tensor.Data[uint8](out), tensor.Data[uint8](x), 0)
	default:
		src, dst := op.Float32s(c, 1, x), op.Scratch[float32](c, 2, out.Len())
		reducePlanes(k, c, pl, dst, src)
		op.WriteFloat32s(out, dst)
	}
	return nil
}
