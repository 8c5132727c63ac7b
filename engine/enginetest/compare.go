package enginetest

import (
	"fmt"
	"math"
	"slices"

	"github.com/greenlight-dev/greenlight/tensor"
)

// Compare says how got differs from want: types, shapes and lengths exactly,
// floats within |got−want| ≤ absolute + relative×|want|, everything else
// exactly. Two NaNs are equal.
func Compare(got, want tensor.Value, relative, absolute float64) error {
	switch w := want.(type) {
	case *tensor.Tensor:
		g, ok := got.(*tensor.Tensor)
		if !ok {
			return mismatch(got, want)
		}
		return compareTensors(g, w, relative, absolute)
	case *tensor.Sequence:
		g, ok := got.(*tensor.Sequence)
		if !ok || len(g.Items) != len(w.Items) {
			return mismatch(got, want)
		}
		for i := range w.Items {
			if err := Compare(g.Items[i], w.Items[i], relative, absolute); err != nil {
				return fmt.Errorf("item %d: %w", i, err)
			}
		}
		return nil
	case *tensor.Map:
		g, ok := got.(*tensor.Map)
		if !ok || !slices.Equal(g.IntKeys, w.IntKeys) || !slices.Equal(g.StringKeys, w.StringKeys) {
			return mismatch(got, want)
		}
		return compareTensors(g.Values, w.Values, relative, absolute)
	case *tensor.Optional:
		return compareOptional(got, w, relative, absolute)
	}
	return fmt.Errorf("cannot compare %T", want)
}

// compareOptional accepts the value of a non-empty optional for the optional.
func compareOptional(got tensor.Value, want *tensor.Optional, relative, absolute float64) error {
	if g, ok := got.(*tensor.Optional); ok {
		got = g.Value
	}
	if want.Value == nil || got == nil {
		if want.Value == nil && got == nil {
			return nil
		}
		return fmt.Errorf("one is empty, the other is not")
	}
	return Compare(got, want.Value, relative, absolute)
}

func mismatch(got, want tensor.Value) error {
	if got == nil {
		return fmt.Errorf("got nothing, want %v", want.Type())
	}
	return fmt.Errorf("got %v, want %v", got.Type(), want.Type())
}

func compareTensors(got, want *tensor.Tensor, relative, absolute float64) error {
	if got.DType() != want.DType() || !slices.Equal(got.Shape(), want.Shape()) {
		return fmt.Errorf("got %v, want %v", got, want)
	}
	if want.DType() == tensor.String {
		return compareExact(got.Strings(), want.Strings())
	}
	if f, ok := floatReader(want.DType()); ok {
		return compareFloats(f(got), f(want), relative, absolute)
	}
	return compareExact(integers(got), integers(want))
}

func compareExact[T comparable](got, want []T) error {
	for i := range want {
		if got[i] != want[i] {
			return fmt.Errorf("element %d is %v, want %v", i, got[i], want[i])
		}
	}
	return nil
}

func compareFloats(got, want []float64, relative, absolute float64) error {
	worst, at := 0.0, -1
	for i, w := range want {
		g := got[i]
		if g == w || (math.IsNaN(g) && math.IsNaN(w)) {
			continue
		}
		d := math.Abs(g - w)
		if over := d - (absolute + relative*math.Abs(w)); !(over <= 0) && (at < 0 || d > worst || math.IsNaN(d)) {
			worst, at = d, i
		}
	}
	if at >= 0 {
		return fmt.Errorf("element %d is %v, want %v", at, got[at], want[at])
	}
	return nil
}

// floatReader gives the function that widens a float tensor to float64.
func floatReader(d tensor.DType) (func(*tensor.Tensor) []float64, bool) {
	switch d {
	case tensor.Float32:
		return widen(func(v float32) float64 { return float64(v) }), true
	case tensor.Float64:
		return widen(func(v float64) float64 { return v }), true
	case tensor.Float16:
		return widen(func(v tensor.Float16Bits) float64 { return float64(v.Float32()) }), true
	case tensor.BFloat16:
		return widen(func(v tensor.BFloat16Bits) float64 { return float64(v.Float32()) }), true
	case tensor.Complex64:
		return complexParts[complex64], true
	case tensor.Complex128:
		return complexParts[complex128], true
	}
	return nil, false
}

func widen[T tensor.Element](f func(T) float64) func(*tensor.Tensor) []float64 {
	return func(t *tensor.Tensor) []float64 {
		out := make([]float64, t.Len())
		for i, v := range tensor.Data[T](t) {
			out[i] = f(v)
		}
		return out
	}
}

func complexParts[T complex64 | complex128](t *tensor.Tensor) []float64 {
	out := make([]float64, 0, 2*t.Len())
	for _, v := range tensor.Data[T](t) {
		out = append(out, real(complex128(v)), imag(complex128(v)))
	}
	return out
}

// integers widens the bit patterns or values of a non-float tensor; types
// that are compared bit by bit (bool, float8) are read as bytes.
func integers(t *tensor.Tensor) []int64 {
	switch t.DType() {
	case tensor.Int64:
		return tensor.Data[int64](t)
	case tensor.Uint64:
		return asInt64(tensor.Data[uint64](t))
	case tensor.Int32:
		return asInt64(tensor.Data[int32](t))
	case tensor.Uint32:
		return asInt64(tensor.Data[uint32](t))
	case tensor.Int16:
		return asInt64(tensor.Data[int16](t))
	case tensor.Uint16:
		return asInt64(tensor.Data[uint16](t))
	}
	return asInt64(t.Bytes())
}

func asInt64[T uint64 | int32 | uint32 | int16 | uint16 | byte](src []T) []int64 {
	out := make([]int64, len(src))
	for i, v := range src {
		out[i] = int64(v)
	}
	return out
}
