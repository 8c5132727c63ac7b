package reduce

import (
	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// cumulative is CumSum or CumProd along the axis that input 1 gives.
type cumulative struct {
	product, exclusive, reverse bool
}

func buildCumulative(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	k := &cumulative{
		product:   n.Op == "CumProd",
		exclusive: a.Bool("exclusive", false),
		reverse:   a.Bool("reverse", false),
	}
	return k, a.Err()
}

// Run writes the running sums or products.
func (k *cumulative) Run(c *op.Context) error {
	x, at := c.T(0), c.T(1)
	if at == nil || at.Len() != 1 {
		return op.Errorf("the axis must be one number, got %v", at)
	}
	var buf [1]int
	axis, err := op.Axis(op.AppendInts(buf[:0], at)[0], x.Rank())
	if err != nil {
		return err
	}
	out := c.OutLike(0, x.DType(), x)
	switch x.DType() {
	case tensor.Float64:
		cumulate[float64](k, c, tensor.Data[float64](out), tensor.Data[float64](x), x.Shape(), axis)
	case tensor.Float32, tensor.Float16, tensor.BFloat16:
		dst := numeric.Target[float32](c, 1, out)
		cumulate[float64](k, c, dst, op.Float32s(c, 0, x), x.Shape(), axis)
		numeric.Store(c, 1, out, dst)
	case tensor.Int32:
		cumulate[int32](k, c, tensor.Data[int32](out), tensor.Data[int32](x), x.Shape(), axis)
	case tensor.Int64:
		cumulate[int64](k, c, tensor.Data[int64](out), tensor.Data[int64](x), x.Shape(), axis)
	case tensor.Uint32:
		cumulate[uint32](k, c, tensor.Data[uint32](out), tensor.Data[uint32](x), x.Shape(), axis)
	case tensor.Uint64:
		cumulate[uint64](k, c, tensor.Data[uint64](out), tensor.Data[uint64](x), x.Shape(), axis)
	default:
		return op.Errorf("cannot accumulate %v", x.DType())
	}
	return nil
}

func cumulate[A, T number](k *cumulative, c *op.Context, dst, x []T, shape []int, axis int) {
	outer, n, inner := along(shape, axis)
	acc := op.Scratch[A](c, 2, inner)
	for o := range outer {
		start := A(0)
		if k.product {
			start = 1
		}
		fill(acc, start)
		for i := range n {
			if k.reverse {
				i = n - 1 - i
			}
			at := (o*n + i) * inner
			cumulateRow(k, acc, dst[at:at+inner], x[at:at+inner])
		}
	}
}

func cumulateRow[A, T number](k *cumulative, acc []A, dst, x []T) {
	for j, v := range x {
		next := acc[j] + A(v)
		if k.product {
			next = acc[j] * A(v)
		}
		if k.exclusive {
			dst[j] = T(acc[j])
		} else {
			dst[j] = T(next)
		}
		acc[j] = next
	}
}
