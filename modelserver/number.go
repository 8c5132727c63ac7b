package modelserver

import (
	"math"
	"strconv"

	"github.com/greenlight-dev/greenlight/tensor"
)

// Numbers are rounded as the training side rounds them: text to the nearest
// float64, as Python reads JSON and CSV, and from there to the column's own
// type, as numpy's astype does. A number that no finite value of the type is
// near to does not fit.

// putFloat stores a number in a tensor of a float type of 16 bits or more;
// false when it does not fit the type.
func putFloat(t *tensor.Tensor, at int, v float64) bool {
	switch t.DType() {
	case tensor.Float32:
		f := float32(v)
		tensor.Data[float32](t)[at] = f
		return finite(v, float64(f))
	case tensor.Float64:
		tensor.Data[float64](t)[at] = v
		return true
	case tensor.Float16:
		h := tensor.ToFloat16(roundToOdd(v))
		tensor.Data[tensor.Float16Bits](t)[at] = h
		return finite(v, float64(h.Float32()))
	case tensor.BFloat16:
		h := tensor.ToBFloat16(roundToOdd(v))
		tensor.Data[tensor.BFloat16Bits](t)[at] = h
		return finite(v, float64(h.Float32()))
	}
	return false
}

// finite says whether stored is not an infinity that v was not.
func finite(v, stored float64) bool { return !math.IsInf(stored, 0) || math.IsInf(v, 0) }

// roundToOdd narrows v so that rounding the result once more, to a half,
// gives what rounding v once would have (Boldo and Melquiond, "Emulation of
// FMA and correctly rounded sums", 2008).
func roundToOdd(v float64) float32 {
	f := float32(v)
	if float64(f) == v || v != v || math.Abs(v) > math.MaxFloat32 {
		return f
	}
	bits := math.Float32bits(f)
	if math.Abs(float64(f)) > math.Abs(v) {
		bits-- // towards zero
	}
	return math.Float32frombits(bits | 1)
}

// putInt stores a whole number; false when it does not fit the type.
func putInt(t *tensor.Tensor, at int, v int64) bool {
	switch t.DType() {
	case tensor.Int64:
		tensor.Data[int64](t)[at] = v
		return true
	case tensor.Int32:
		return narrow(tensor.Data[int32](t), at, v)
	case tensor.Int16:
		return narrow(tensor.Data[int16](t), at, v)
	case tensor.Int8:
		return narrow(tensor.Data[int8](t), at, v)
	case tensor.Uint32:
		return narrow(tensor.Data[uint32](t), at, v)
	case tensor.Uint16:
		return narrow(tensor.Data[uint16](t), at, v)
	case tensor.Uint8:
		return narrow(tensor.Data[uint8](t), at, v)
	}
	return false
}

func narrow[T int32 | int16 | int8 | uint32 | uint16 | uint8](dst []T, at int, v int64) bool {
	dst[at] = T(v)
	return int64(dst[at]) == v
}

// putNumberText stores a number, or a truth value, written as text; false
// when it is none or does not fit.
func putNumberText(t *tensor.Tensor, at int, text string) bool {
	switch d := t.DType(); {
	case d == tensor.Bool:
		v, err := strconv.ParseBool(text)
		if err != nil {
			return false
		}
		tensor.Data[bool](t)[at] = v
		return true
	case d.IsFloat():
		v, err := strconv.ParseFloat(text, 64)
		return err == nil && putFloat(t, at, v)
	case d == tensor.Uint64:
		v, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return false
		}
		tensor.Data[uint64](t)[at] = v
		return true
	}
	v, err := strconv.ParseInt(text, 10, 64)
	return err == nil && putInt(t, at, v)
}
