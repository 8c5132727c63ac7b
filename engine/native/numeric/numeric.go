// Package numeric lets operators compute in float32 or float64 whatever the
// element types of their tensors are: it reads any numeric tensor as such a
// slice, without a copy where it already is one, and rounds results back.
package numeric

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// Float is what operators compute in.
type Float interface{ float32 | float64 }

// Integer are the whole-number element types.
type Integer interface {
	int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

// Number is any element type with plain arithmetic.
type Number interface{ Integer | Float }

// Wide says whether elements of type d need float64: float32 would lose
// digits of them.
func Wide(d tensor.DType) bool {
	switch d {
	case tensor.Float64, tensor.Int32, tensor.Int64, tensor.Uint32, tensor.Uint64:
		return true
	}
	return false
}

// Read gives t's elements as T: t's own storage when it holds T, else
// converted in c's scratch slice k. Nil gives nil; it panics with an op.Error
// on types that are not numbers.
func Read[T Float](c *op.Context, k int, t *tensor.Tensor) []T {
	if t == nil {
		return nil
	}
	if t.DType() == tensor.Of[T]() {
		return tensor.Data[T](t)
	}
	dst := op.Scratch[T](c, k, t.Len())
	op.ReadFloats(dst, t)
	return dst
}

// Convert converts src into dst, element by element, as Go converts.
func Convert[D, S Number](dst []D, src []S) {
	for i, v := range src {
		dst[i] = D(v)
	}
}

// Target gives the slice to compute out in: its own storage when it holds T,
// else scratch slice k. Store finishes the work.
func Target[T Float](c *op.Context, k int, out *tensor.Tensor) []T {
	if out.DType() == tensor.Of[T]() {
		return tensor.Data[T](out)
	}
	return op.Scratch[T](c, k, out.Len())
}

// Store rounds what was computed in Target's slice into out. It uses no
// other scratch than Target did.
func Store[T Float](c *op.Context, k int, out *tensor.Tensor, src []T) {
	if out.DType() != tensor.Of[T]() {
		Write(c, k, out, src)
	}
}

// Write rounds src into out: to the nearest float, or the nearest whole
// number (ties to even), held within the type's range. Scratch slice k, which
// may hold src itself, serves the step to 16-bit floats.
func Write[T Float](c *op.Context, k int, out *tensor.Tensor, src []T) {
	switch out.DType() {
	case tensor.Float32:
		Convert(tensor.Data[float32](out), src)
	case tensor.Float64:
		Convert(tensor.Data[float64](out), src)
	case tensor.Float16, tensor.BFloat16:
		// When src is scratch k too, each element is read before the
		// narrower ones written so far reach it.
		narrow := op.Scratch[float32](c, k, len(src))
		Convert(narrow, src)
		op.WriteFloat32s(out, narrow)
	case tensor.Int8:
		round(tensor.Data[int8](out), src, math.MinInt8, math.MaxInt8)
	case tensor.Int16:
		round(tensor.Data[int16](out), src, math.MinInt16, math.MaxInt16)
	case tensor.Int32:
		round(tensor.Data[int32](out), src, math.MinInt32, math.MaxInt32)
	case tensor.Int64:
		round(tensor.Data[int64](out), src, math.MinInt64, math.MaxInt64)
	case tensor.Uint8:
		round(tensor.Data[uint8](out), src, 0, math.MaxUint8)
	case tensor.Uint16:
		round(tensor.Data[uint16](out), src, 0, math.MaxUint16)
	case tensor.Uint32:
		round(tensor.Data[uint32](out), src, 0, math.MaxUint32)
	case tensor.Uint64:
		round(tensor.Data[uint64](out), src, 0, math.MaxUint64)
	default:
		panic(op.Errorf("%v is not a number", out.DType()))
	}
}

func round[D Integer, S Float](dst []D, src []S, lowest, highest D) {
	for i, v := range src {
		switch r := math.RoundToEven(float64(v)); {
		case r >= float64(highest): // the highest itself may have no float64
			dst[i] = highest
		case r >= float64(lowest):
			dst[i] = D(r)
		default:
			dst[i] = lowest
		}
	}
}

// Exp replaces every element by its exponential: to 2 units in the last place
// in float32, and alike wherever in x it stands.
func Exp[T Float](x []T) {
	switch v := any(x).(type) {
	case []float32:
		gemm.ExpInto(v, v)
	case []float64:
		for i, e := range v {
			v[i] = math.Exp(e)
		}
	}
}
