package reduce

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// reduction says how one Reduce operator is computed: which term is folded,
// and what becomes of the fold at the end.
type reduction struct {
	name   string
	term   term
	finish finish
	// logExp folds e^x, shifted by the largest x so that it cannot overflow.
	logExp bool
	// axesInput is the first opset version in which the axes are input 1
	// instead of an attribute.
	axesInput int
	types     op.TypeSet
}

// finish is the step from a fold over n elements to the result.
type finish uint8

const (
	asIs finish = iota
	divide
	root
	logarithm
)

var (
	sumTypes = op.TypeSet{tensor.Float32, tensor.Float64, tensor.Float16, tensor.BFloat16,
		tensor.Int32, tensor.Int64, tensor.Uint32, tensor.Uint64}
	extremeTypes = append(append(op.TypeSet{}, sumTypes...), tensor.Int8, tensor.Uint8, tensor.Bool)
)

var reductions = []reduction{
	{name: "ReduceSum", term: sum, axesInput: 13, types: sumTypes},
	{name: "ReduceMean", term: sum, finish: divide, axesInput: 18, types: sumTypes},
	{name: "ReduceL1", term: sumAbs, axesInput: 18, types: sumTypes},
	{name: "ReduceL2", term: sumSquare, finish: root, axesInput: 18, types: sumTypes},
	{name: "ReduceLogSum", term: sum, finish: logarithm, axesInput: 18, types: sumTypes},
	{name: "ReduceLogSumExp", logExp: true, axesInput: 18, types: sumTypes},
	{name: "ReduceSumSquare", term: sumSquare, axesInput: 18, types: sumTypes},
	{name: "ReduceProd", term: product, axesInput: 18, types: sumTypes},
	{name: "ReduceMax", term: maximum, axesInput: 18, types: extremeTypes},
	{name: "ReduceMin", term: minimum, axesInput: 18, types: extremeTypes},
}

func (r reduction) def() op.Def {
	return op.Def{Name: r.name, Types: []op.TypeSet{r.types, op.Index}, Infer: r.infer, Build: r.build}
}

// reducer is a reduction built for one node.
type reducer struct {
	reduction
	axes           []int
	dynamic        bool // the axes come with input 1 at each run
	keepDims, noop bool
}

func (r reduction) read(n *op.Node) (*reducer, error) {
	a := n.ReadAttrs()
	k := &reducer{reduction: r, keepDims: a.Bool("keepdims", true), noop: a.Bool("noop_with_empty_axes", false)}
	switch {
	case n.Opset < r.axesInput:
		k.axes = a.Ints("axes")
	case n.Arg(1).Tensor() != nil:
		k.axes = op.AppendInts(nil, n.Arg(1).Tensor())
	default:
		k.dynamic = n.Has(1)
	}
	return k, a.Err()
}

func (r reduction) build(n *op.Node) (op.Kernel, error) {
	k, err := r.read(n)
	if err != nil {
		return nil, err
	}
	return k, nil
}

func (r reduction) infer(n *op.Node) error {
	in := n.Arg(0).Type
	out := tensor.Type{Kind: tensor.KindTensor, Elem: in.Elem}
	if k, err := r.read(n); err == nil && !k.dynamic && in.Ranked {
		var l layout
		if l.setMask(len(in.Dims), k.axes, k.noop) == nil {
			out.Ranked = true
			out.Dims = reducedDims(in.Dims, l.mask, k.keepDims)
		}
	}
	n.SetOut(0, out)
	return nil
}

func reducedDims(dims []tensor.Dim, mask []bool, keepDims bool) []tensor.Dim {
	var out []tensor.Dim
	for i, d := range dims {
		switch {
		case !mask[i]:
			out = append(out, d)
		case keepDims:
			out = append(out, tensor.Dim{Size: 1})
		}
	}
	return out
}

type reducerState struct {
	layout layout
	axes   []int
}

// Run reduces input 0. Reducing nothing gives the identity element of the
// operation: 0 for sums, 1 for products, the lowest value for maxima.
func (k *reducer) Run(c *op.Context) error {
	x, s := c.T(0), op.State[reducerState](c)
	axes := k.axes
	if k.dynamic {
		s.axes = op.AppendInts(s.axes[:0], c.T(1))
		axes = s.axes
	}
	l := &s.layout
	if err := l.set(x.Shape(), axes, k.keepDims, k.noop); err != nil {
		return err
	}
	if k.finish == divide && l.count == 0 && l.size > 0 && x.DType().IsInteger() {
		return op.Errorf("the mean of no elements is not defined for %v", x.DType())
	}
	out := c.NewOut(0, x.DType(), l.shape...)
	if k.term == maximum || k.term == minimum {
		return k.extreme(c, l, out, x)
	}
	return k.add(c, l, out, x)
}

// add runs the operations that accumulate.
func (k *reducer) add(c *op.Context, l *layout, out, x *tensor.Tensor) error {
	switch x.DType() {
	case tensor.Float64:
		foldFloats(k, c, l, out, tensor.Data[float64](x))
	case tensor.Float32, tensor.Float16, tensor.BFloat16:
		foldFloats(k, c, l, out, op.Float32s(c, 0, x))
	case tensor.Int32:
		foldInts(k, c, l, tensor.Data[int32](out), tensor.Data[int32](x))
	case tensor.Int64:
		foldInts(k, c, l, tensor.Data[int64](out), tensor.Data[int64](x))
	case tensor.Uint32:
		foldInts(k, c, l, tensor.Data[uint32](out), tensor.Data[uint32](x))
	case tensor.Uint64:
		foldInts(k, c, l, tensor.Data[uint64](out), tensor.Data[uint64](x))
	default:
		return op.Errorf("cannot reduce %v", x.DType())
	}
	return nil
}

// foldInts keeps whole numbers exact, wrapping as their type does; what needs
// roots or logarithms is computed in float64 and cut off.
func foldInts[T integer](k *reducer, c *op.Context, l *layout, out, x []T) {
	if k.logExp || k.finish == root || k.finish == logarithm {
		wide := op.Scratch[float64](c, 0, len(x))
		for i, v := range x {
			wide[i] = float64(v)
		}
		for i, v := range k.foldWide(c, l, wide) {
			out[i] = T(v)
		}
		return
	}
	fill(out, T(k.identity()))
	fold(k.term, l, out, x)
	if k.finish == divide {
		for i := range out {
			out[i] /= T(l.count)
		}
	}
}

func foldFloats[T float](k *reducer, c *op.Context, l *layout, out *tensor.Tensor, x []T) {
	numeric.Write(c, 2, out, foldFinish(k, c, l, x))
}

func (k *reducer) foldWide(c *op.Context, l *layout, x []float64) []float64 {
	return foldFinish(k, c, l, x)
}

// foldFinish gives the results in float64, in scratch slice 1.
func foldFinish[T float](k *reducer, c *op.Context, l *layout, x []T) []float64 {
	acc := op.Scratch[float64](c, 1, l.size)
	fill(acc, k.identity())
	if k.logExp {
		return logSumExp(c, l, acc, x)
	}
	fold(k.term, l, acc, x)
	switch k.finish {
	case divide:
		for i := range acc {
			acc[i] /= float64(l.count)
		}
	case root:
		for i, v := range acc {
			acc[i] = math.Sqrt(v)
		}
	case logarithm:
		for i, v := range acc {
			acc[i] = math.Log(v)
		}
	}
	return acc
}

func logSumExp[T float](c *op.Context, l *layout, acc []float64, x []T) []float64 {
	shift := op.Scratch[float64](c, 3, l.size)
	fill(shift, math.Inf(-1))
	fold(maximum, l, shift, x)
	for i, v := range shift {
		if math.IsInf(v, 0) || v != v {
			shift[i] = 0
		}
	}
	foldExp(l, acc, shift, x)
	for i, v := range acc {
		acc[i] = math.Log(v) + shift[i]
	}
	return acc
}

func (k *reducer) identity() float64 {
	if k.term == product {
		return 1
	}
	return 0
}
