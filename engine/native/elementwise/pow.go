package elementwise

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// powDef is Pow, whose exponent may have another element type than its base
// and result.
func powDef() op.Def {
	base := op.TypeSet{tensor.Float32, tensor.Float64, tensor.Float16, tensor.BFloat16, tensor.Int32, tensor.Int64}
	return op.Def{
		Name:  "Pow",
		Since: 7,
		Types: []op.TypeSet{base, op.Numbers},
		Infer: op.InferBroadcast,
		Build: op.Simple(pow),
	}
}

func pow(c *op.Context) error {
	x, y := c.T(0), c.T(1)
	w := op.State[walk](c)
	if err := w.plan(x.Shape(), y.Shape()); err != nil {
		return err
	}
	out := c.NewOut(0, x.DType(), w.shape...)
	switch x.DType() {
	case tensor.Float64:
		eachRow(w, tensor.Data[float64](out), tensor.Data[float64](x), powers(c, y), powRow[float64])
	case tensor.Int32:
		powInts[int32](c, w, out, x, y)
	case tensor.Int64:
		powInts[int64](c, w, out, x, y)
	default:
		base, exponent := op.Float32s(c, 1, x), op.Float32s(c, 2, y)
		dst := out
		if dst.DType() == tensor.Float32 {
			eachRow(w, tensor.Data[float32](dst), base, exponent, powRow[float32])
			return nil
		}
		buf := op.Scratch[float32](c, 0, out.Len())
		eachRow(w, buf, base, exponent, powRow[float32])
		op.WriteFloat32s(out, buf)
	}
	return nil
}

// powers reads exponents as float64.
func powers(c *op.Context, y *tensor.Tensor) []float64 {
	if y.DType() == tensor.Float64 {
		return tensor.Data[float64](y)
	}
	buf := op.Scratch[float64](c, 1, y.Len())
	read(buf, widen(c, y))
	return buf
}

// powInts computes whole exponents in integers, so that no digit is lost, and
// others in float64.
func powInts[T int32 | int64](c *op.Context, w *walk, out, x, y *tensor.Tensor) {
	base, dst := tensor.Data[T](x), tensor.Data[T](out)
	if y.DType().IsFloat() {
		wide := op.Scratch[float64](c, 2, x.Len())
		convertRow(wide, base)
		result := op.Scratch[float64](c, 3, out.Len())
		eachRow(w, result, wide, powers(c, y), powRow[float64])
		convertRow(dst, result)
		return
	}
	exponents := op.Scratch[int64](c, 1, y.Len())
	read(exponents, source{Tensor: y})
	wide := op.Scratch[int64](c, 2, x.Len())
	convertRow(wide, base)
	result := op.Scratch[int64](c, 3, out.Len())
	eachRow(w, result, wide, exponents, powIntRow)
	convertRow(dst, result)
}

// powRow treats the exponents that models mostly use apart: they are an order
// of magnitude faster and at least as exact.
func powRow[T float](dst, a, b []T) {
	if len(b) != 1 || len(a) != len(dst) {
		powAny(dst, a, b)
		return
	}
	a = a[:len(dst)]
	switch b[0] {
	case 1:
		copy(dst, a)
	case 2:
		for i, v := range a {
			dst[i] = v * v
		}
	case 3:
		for i, v := range a {
			x := float64(v)
			dst[i] = T(x * x * x)
		}
	case -1:
		for i, v := range a {
			dst[i] = 1 / v
		}
	default:
		powAny(dst, a, b)
	}
}

func powAny[T float](dst, a, b []T) {
	ma, mb := mask(a), mask(b)
	for i := range dst {
		dst[i] = T(math.Pow(float64(a[i&ma]), float64(b[i&mb])))
	}
}

func powIntRow(dst, a, b []int64) {
	ma, mb := mask(a), mask(b)
	for i := range dst {
		dst[i] = powInt(a[i&ma], b[i&mb])
	}
}

// powInt is xⁿ with the high bits of too large results discarded. Negative
// exponents give the truncated quotient 1/x⁻ⁿ, and 0 for an x of 0.
func powInt(x, n int64) int64 {
	if n < 0 {
		switch x {
		case 1:
			return 1
		case -1:
			return 1 - 2*(n&1)
		}
		return 0
	}
	r := int64(1)
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			r *= x
		}
		x *= x
	}
	return r
}
