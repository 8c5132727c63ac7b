package reduce

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// extreme runs ReduceMax and ReduceMin. A NaN among the elements is the
// result; on bool they are or and and.
func (k *reducer) extreme(c *op.Context, l *layout, out, x *tensor.Tensor) error {
	switch x.DType() {
	case tensor.Float16, tensor.BFloat16:
		v := op.Float32s(c, 0, x)
		dst := op.Scratch[float32](c, 1, l.size)
		extremes(k.term, l, dst, v, float32(math.Inf(-1)), float32(math.Inf(1)))
		op.WriteFloat32s(out, dst)
	case tensor.Float32:
		extremesOf(k.term, l, out, x, float32(math.Inf(-1)), float32(math.Inf(1)))
	case tensor.Float64:
		extremesOf(k.term, l, out, x, math.Inf(-1), math.Inf(1))
	case tensor.Int8:
		extremesOf[int8](k.term, l, out, x, math.MinInt8, math.MaxInt8)
	case tensor.Int32:
		extremesOf[int32](k.term, l, out, x, math.MinInt32, math.MaxInt32)
	case tensor.Int64:
		extremesOf[int64](k.term, l, out, x, math.MinInt64, math.MaxInt64)
	case tensor.Uint8:
		extremesOf[uint8](k.term, l, out, x, 0, math.MaxUint8)
	case tensor.Uint32:
		extremesOf[uint32](k.term, l, out, x, 0, math.MaxUint32)
	case tensor.Uint64:
		extremesOf[uint64](k.term, l, out, x, 0, math.MaxUint64)
	case tensor.Bool: // stored as a byte that is 0 or 1
		extremesOf[uint8](k.term, l, out, x, 0, 1)
	default:
		return op.Errorf("cannot reduce %v", x.DType())
	}
	return nil
}

func extremesOf[T number](t term, l *layout, out, x *tensor.Tensor, lowest, highest T) {
	extremes(t, l, tensor.Data[T](out), tensor.Data[T](x), lowest, highest)
}

func extremes[T number](t term, l *layout, out, x []T, lowest, highest T) {
	if t == maximum {
		fill(out, lowest)
	} else {
		fill(out, highest)
	}
	fold(t, l, out, x)
}
