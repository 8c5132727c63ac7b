package arrange

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// appendKeys appends numbers that are ordered as t's elements are, so that
// sorting and comparing need one implementation. NaN comes after every number
// and equals itself, as in NumPy's sorts; -0 equals 0. Complex numbers take two
// keys, real part first; perElement says how many.
func appendKeys(dst []uint64, t *tensor.Tensor) (keys []uint64, perElement int, err error) {
	switch t.DType() {
	case tensor.Float32:
		return floatKeys(dst, tensor.Data[float32](t)), 1, nil
	case tensor.Float64:
		return floatKeys(dst, tensor.Data[float64](t)), 1, nil
	case tensor.Float16:
		for _, v := range tensor.Data[tensor.Float16Bits](t) {
			dst = append(dst, floatKey(float64(v.Float32())))
		}
	case tensor.BFloat16:
		for _, v := range tensor.Data[tensor.BFloat16Bits](t) {
			dst = append(dst, floatKey(float64(v.Float32())))
		}
	case tensor.Int8, tensor.Int4, tensor.Int2:
		return signedKeys(dst, tensor.Data[int8](t)), 1, nil
	case tensor.Int16:
		return signedKeys(dst, tensor.Data[int16](t)), 1, nil
	case tensor.Int32:
		return signedKeys(dst, tensor.Data[int32](t)), 1, nil
	case tensor.Int64:
		return signedKeys(dst, tensor.Data[int64](t)), 1, nil
	case tensor.Uint8, tensor.Uint4, tensor.Uint2, tensor.Bool:
		return unsignedKeys(dst, tensor.Data[uint8](t)), 1, nil
	case tensor.Uint16:
		return unsignedKeys(dst, tensor.Data[uint16](t)), 1, nil
	case tensor.Uint32:
		return unsignedKeys(dst, tensor.Data[uint32](t)), 1, nil
	case tensor.Uint64:
		return append(dst, tensor.Data[uint64](t)...), 1, nil
	case tensor.Complex64:
		for _, v := range tensor.Data[complex64](t) {
			dst = append(dst, floatKey(float64(real(v))), floatKey(float64(imag(v))))
		}
		return dst, 2, nil
	case tensor.Complex128:
		for _, v := range tensor.Data[complex128](t) {
			dst = append(dst, floatKey(real(v)), floatKey(imag(v)))
		}
		return dst, 2, nil
	default:
		return dst, 1, op.Errorf("%v has no order", t.DType())
	}
	return dst, 1, nil
}

// floatKey orders floats by their bits: negative numbers turned round, below
// the positive ones.
func floatKey(v float64) uint64 {
	if v != v {
		return math.MaxUint64
	}
	bits := math.Float64bits(v + 0) // -0 + 0 is 0
	if bits>>63 != 0 {
		return ^bits
	}
	return bits | 1<<63
}

func floatKeys[T float32 | float64](dst []uint64, src []T) []uint64 {
	for _, v := range src {
		dst = append(dst, floatKey(float64(v)))
	}
	return dst
}

func signedKeys[T int8 | int16 | int32 | int64](dst []uint64, src []T) []uint64 {
	for _, v := range src {
		dst = append(dst, uint64(v)^1<<63)
	}
	return dst
}

func unsignedKeys[T uint8 | uint16 | uint32](dst []uint64, src []T) []uint64 {
	for _, v := range src {
		dst = append(dst, uint64(v))
	}
	return dst
}
