package elementwise

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// clipFn limits in to the scalars lo and hi, nil for none.
type clipFn func(c *op.Context, out, in, lo, hi *tensor.Tensor)

func clipDefs() []op.Def {
	impl := clipTable()
	return []op.Def{
		{
			Name:  "Clip",
			Until: 10,
			Types: []op.TypeSet{op.Floats},
			Infer: op.InferSame,
			Build: buildClipAttributes,
		},
		{
			Name:  "Clip",
			Since: 11,
			Types: []op.TypeSet{impl.types()},
			Infer: op.InferSame,
			Build: op.Simple(func(c *op.Context) error { return clip(c, &impl) }),
		},
	}
}

// buildClipAttributes serves the versions that had the bounds as attributes.
func buildClipAttributes(n *op.Node) (op.Kernel, error) {
	attrs := n.ReadAttrs()
	lo := attrs.Float("min", float32(math.Inf(-1)))
	hi := attrs.Float("max", float32(math.Inf(1)))
	return activationKernel("clip", lo, hi), attrs.Err()
}

func clip(c *op.Context, impl *table[clipFn]) error {
	in, lo, hi := c.T(0), c.T(1), c.T(2)
	f, err := impl.find(in.DType())
	if err != nil {
		return err
	}
	for i, bound := range [...]*tensor.Tensor{lo, hi} {
		if bound != nil && (bound.DType() != in.DType() || bound.Len() != 1) {
			return op.Errorf("input %d is %v, want one %v", i+1, bound, in.DType())
		}
	}
	f(c, c.OutLike(0, in.DType(), in), in, lo, hi)
	return nil
}

func clipTable() table[clipFn] {
	inf := math.Inf(1)
	return table[clipFn]{
		tensor.Float32:  clipAs(float32(-inf), float32(inf)),
		tensor.Float64:  clipAs(-inf, inf),
		tensor.Float16:  clipSmall,
		tensor.BFloat16: clipSmall,
		tensor.Int8:     clipAs[int8](math.MinInt8, math.MaxInt8),
		tensor.Int16:    clipAs[int16](math.MinInt16, math.MaxInt16),
		tensor.Int32:    clipAs[int32](math.MinInt32, math.MaxInt32),
		tensor.Int64:    clipAs[int64](math.MinInt64, math.MaxInt64),
		tensor.Uint8:    clipAs[uint8](0, math.MaxUint8),
		tensor.Uint16:   clipAs[uint16](0, math.MaxUint16),
		tensor.Uint32:   clipAs[uint32](0, math.MaxUint32),
		tensor.Uint64:   clipAs[uint64](0, math.MaxUint64),
	}
}

// clipAs serves one element type, whose least and greatest values are given.
func clipAs[T interface {
	number
	tensor.Element
}](least, greatest T) clipFn {
	return func(_ *op.Context, out, in, lo, hi *tensor.Tensor) {
		from, to := least, greatest
		if lo != nil {
			from = tensor.Data[T](lo)[0]
		}
		if hi != nil {
			to = tensor.Data[T](hi)[0]
		}
		clampRow(tensor.Data[T](out), tensor.Data[T](in), from, to)
	}
}

func clipSmall(c *op.Context, out, in, lo, hi *tensor.Tensor) {
	from, to := float32(math.Inf(-1)), float32(math.Inf(1))
	if lo != nil {
		from = op.Float32s(c, 1, lo)[0]
	}
	if hi != nil {
		to = op.Float32s(c, 1, hi)[0]
	}
	buf := op.Float32s(c, 0, in)
	clampRow(buf, buf, from, to)
	op.WriteFloat32s(out, buf)
}
