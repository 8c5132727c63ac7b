package elementwise

import (
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

type integer interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

type float interface{ float32 | float64 }

type number interface{ integer | float }

// implementation is a function that a table holds for one element type.
type implementation interface {
	unaryFn | binaryFn | variadicFn | clipFn
}

// table holds one implementation of an operator for each element type of its
// first input; nil where there is none.
type table[F implementation] [tensor.Int2 + 1]F

// types is the set of element types that t serves.
func (t *table[F]) types() op.TypeSet {
	var set op.TypeSet
	for d, f := range t {
		if f != nil {
			set = append(set, tensor.DType(d))
		}
	}
	return set
}

// find gives the implementation for element type d.
func (t *table[F]) find(d tensor.DType) (F, error) {
	if f := t[d]; f != nil {
		return f, nil
	}
	return nil, op.Errorf("element type %v is not supported", d)
}

// unaryFn computes out from in; both have the same shape.
type unaryFn func(c *op.Context, out, in *tensor.Tensor)

// binaryFn computes out from a and b along w, which is planned for them.
type binaryFn func(c *op.Context, w *walk, out, a, b *tensor.Tensor)

// unaryRow and binaryRow compute a run of elements. The inputs of a binaryRow
// are as long as dst, or a single element that repeats.
type (
	unaryRow[D, S any]  func(dst []D, src []S)
	binaryRow[D, S any] func(dst []D, a, b []S)
)

// unary makes a unaryFn of a row function.
func unary[D, S tensor.Element](f unaryRow[D, S]) unaryFn {
	return func(_ *op.Context, out, in *tensor.Tensor) {
		f(tensor.Data[D](out), tensor.Data[S](in))
	}
}

// unarySmall serves the 16-bit floats with a float32 row function.
func unarySmall(f unaryRow[float32, float32]) unaryFn {
	return func(c *op.Context, out, in *tensor.Tensor) {
		buf := op.Float32s(c, 0, in)
		f(buf, buf)
		op.WriteFloat32s(out, buf)
	}
}

// unaryFloats is a table for all float types.
func unaryFloats(f32 unaryRow[float32, float32], f64 unaryRow[float64, float64]) table[unaryFn] {
	return table[unaryFn]{
		tensor.Float32:  unary(f32),
		tensor.Float64:  unary(f64),
		tensor.Float16:  unarySmall(f32),
		tensor.BFloat16: unarySmall(f32),
	}
}

// binary makes a binaryFn of a row function.
func binary[D, S tensor.Element](f binaryRow[D, S]) binaryFn {
	return func(_ *op.Context, w *walk, out, a, b *tensor.Tensor) {
		eachRow(w, tensor.Data[D](out), tensor.Data[S](a), tensor.Data[S](b), f)
	}
}

// binarySmall serves the 16-bit floats with a float32 row function.
func binarySmall(f binaryRow[float32, float32]) binaryFn {
	return func(c *op.Context, w *walk, out, a, b *tensor.Tensor) {
		x, y := op.Float32s(c, 0, a), op.Float32s(c, 1, b)
		dst := op.Scratch[float32](c, 2, out.Len())
		eachRow(w, dst, x, y, f)
		op.WriteFloat32s(out, dst)
	}
}

// compareSmall compares 16-bit floats as float32.
func compareSmall(f binaryRow[bool, float32]) binaryFn {
	return func(c *op.Context, w *walk, out, a, b *tensor.Tensor) {
		x, y := op.Float32s(c, 0, a), op.Float32s(c, 1, b)
		eachRow(w, tensor.Data[bool](out), x, y, f)
	}
}
