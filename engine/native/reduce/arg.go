package reduce

import (
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// argExtreme is ArgMax or ArgMin: where along one axis the extreme stands. A
// NaN counts as the extreme.
type argExtreme struct {
	axis             int
	keepDims         bool
	lowest, lastWins bool
}

func readArg(n *op.Node) (*argExtreme, error) {
	a := n.ReadAttrs()
	k := &argExtreme{
		axis:     a.Int("axis", 0),
		keepDims: a.Bool("keepdims", true),
		lastWins: a.Bool("select_last_index", false),
		lowest:   n.Op == "ArgMin",
	}
	return k, a.Err()
}

func buildArg(n *op.Node) (op.Kernel, error) {
	k, err := readArg(n)
	if err != nil {
		return nil, err
	}
	return k, nil
}

func inferArg(n *op.Node) error {
	in := n.Arg(0).Type
	out := tensor.Type{Kind: tensor.KindTensor, Elem: tensor.Int64}
	if k, err := readArg(n); err == nil && in.Ranked {
		if axis, err := op.Axis(k.axis, len(in.Dims)); err == nil {
			mask := make([]bool, len(in.Dims))
			mask[axis] = true
			out.Ranked, out.Dims = true, reducedDims(in.Dims, mask, k.keepDims)
		}
	}
	n.SetOut(0, out)
	return nil
}

// Run writes the indices.
func (k *argExtreme) Run(c *op.Context) error {
	x := c.T(0)
	axis, err := op.Axis(k.axis, x.Rank())
	if err != nil {
		return err
	}
	s := op.State[[]int](c)
	*s = append((*s)[:0], x.Shape()[:axis]...)
	if k.keepDims {
		*s = append(*s, 1)
	}
	*s = append(*s, x.Shape()[axis+1:]...)
	out := c.NewOut(0, tensor.Int64, *s...)
	if x.Dim(axis) == 0 && out.Len() > 0 {
		return op.Errorf("axis %d of %v is empty: it has no extreme", axis, x)
	}
	return k.dispatch(c, out, x, axis)
}

func (k *argExtreme) dispatch(c *op.Context, out, x *tensor.Tensor, axis int) error {
	switch x.DType() {
	case tensor.Float32, tensor.Float16, tensor.BFloat16:
		argAlong(k, c, out, x, axis, op.Float32s(c, 0, x))
	case tensor.Float64:
		argAlong(k, c, out, x, axis, tensor.Data[float64](x))
	case tensor.Int8:
		argAlong(k, c, out, x, axis, tensor.Data[int8](x))
	case tensor.Int16:
		argAlong(k, c, out, x, axis, tensor.Data[int16](x))
	case tensor.Int32:
		argAlong(k, c, out, x, axis, tensor.Data[int32](x))
	case tensor.Int64:
		argAlong(k, c, out, x, axis, tensor.Data[int64](x))
	case tensor.Uint8:
		argAlong(k, c, out, x, axis, tensor.Data[uint8](x))
	case tensor.Uint16:
		argAlong(k, c, out, x, axis, tensor.Data[uint16](x))
	case tensor.Uint32:
		argAlong(k, c, out, x, axis, tensor.Data[uint32](x))
	case tensor.Uint64:
		argAlong(k, c, out, x, axis, tensor.Data[uint64](x))
	default:
		return op.Errorf("cannot compare %v", x.DType())
	}
	return nil
}

func argAlong[T number](k *argExtreme, c *op.Context, out, x *tensor.Tensor, axis int, v []T) {
	outer, n, inner := along(x.Shape(), axis)
	dst, best := tensor.Data[int64](out), op.Scratch[T](c, 1, inner)
	if len(dst) == 0 {
		return
	}
	if inner == 1 {
		for o := range outer {
			dst[o] = int64(argRow(v[o*n:(o+1)*n], k.lowest, k.lastWins))
		}
		return
	}
	for o := range outer {
		d, block := dst[o*inner:(o+1)*inner], v[o*n*inner:(o+1)*n*inner]
		clear(d)
		copy(best, block)
		for i := 1; i < n; i++ {
			for j, v := range block[i*inner : (i+1)*inner] {
				if beats(v, best[j], k.lowest, k.lastWins) {
					best[j], d[j] = v, int64(i)
				}
			}
		}
	}
}

// argRow finds the extreme of one row.
func argRow[T number](row []T, lowest, lastWins bool) int {
	at, best := 0, row[0]
	for i, v := range row {
		if v < best && !lowest || v > best && lowest {
			continue // the common case, without a call
		}
		if i > 0 && beats(v, best, lowest, lastWins) {
			at, best = i, v
		}
	}
	return at
}

// beats says whether v, found after best, takes its place.
func beats[T number](v, best T, lowest, lastWins bool) bool {
	switch {
	case v != v:
		return lastWins || best == best
	case v == best:
		return lastWins
	case lowest:
		return v < best
	}
	return v > best
}
