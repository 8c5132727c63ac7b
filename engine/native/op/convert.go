package op

import "github.com/greenlight-dev/greenlight/tensor"

// Float32s reads t as float32: t's own storage when it holds float32, else a
// converted copy in c's k-th scratch slice. It serves kernels that compute
// every float type in single precision. It panics on types without a plain
// numeric value.
func Float32s(c *Context, k int, t *tensor.Tensor) []float32 {
	if t.DType() == tensor.Float32 {
		return tensor.Data[float32](t)
	}
	dst := Scratch[float32](c, k, t.Len())
	ReadFloat32s(dst, t)
	return dst
}

// ReadFloat32s converts all of t to float32 into dst; see ReadFloats.
func ReadFloat32s(dst []float32, t *tensor.Tensor) { ReadFloats(dst, t) }

// ReadFloats converts all of t into dst. It panics on types without a plain
// numeric value.
func ReadFloats[T float32 | float64](dst []T, t *tensor.Tensor) {
	switch t.DType() {
	case tensor.Float32:
		convert(dst, tensor.Data[float32](t))
	case tensor.Float64:
		convert(dst, tensor.Data[float64](t))
	case tensor.Float16:
		for i, v := range tensor.Data[tensor.Float16Bits](t) {
			dst[i] = T(v.Float32())
		}
	case tensor.BFloat16:
		for i, v := range tensor.Data[tensor.BFloat16Bits](t) {
			dst[i] = T(v.Float32())
		}
	case tensor.Int64:
		convert(dst, tensor.Data[int64](t))
	case tensor.Int32:
		convert(dst, tensor.Data[int32](t))
	case tensor.Int16:
		convert(dst, tensor.Data[int16](t))
	case tensor.Int8, tensor.Int4, tensor.Int2:
		convert(dst, tensor.Data[int8](t))
	case tensor.Uint64:
		convert(dst, tensor.Data[uint64](t))
	case tensor.Uint32:
		convert(dst, tensor.Data[uint32](t))
	case tensor.Uint16:
		convert(dst, tensor.Data[uint16](t))
	case tensor.Uint8, tensor.Uint4, tensor.Uint2:
		convert(dst, tensor.Data[uint8](t))
	default:
		panic(Errorf("%v is not a number", t.DType()))
	}
}

type real interface {
	~float32 | ~float64 | ~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

func convert[D, S real](dst []D, src []S) {
	for i, v := range src {
		dst[i] = D(v)
	}
}

// WriteFloat32s stores src into t, rounding to t's float type.
func WriteFloat32s(t *tensor.Tensor, src []float32) {
	switch t.DType() {
	case tensor.Float32:
		copy(tensor.Data[float32](t), src)
	case tensor.Float64:
		convert(tensor.Data[float64](t), src)
	case tensor.Float16:
		for i, d := 0, tensor.Data[tensor.Float16Bits](t); i < len(d); i++ {
			d[i] = tensor.ToFloat16(src[i])
		}
	case tensor.BFloat16:
		for i, d := 0, tensor.Data[tensor.BFloat16Bits](t); i < len(d); i++ {
			d[i] = tensor.ToBFloat16(src[i])
		}
	default:
		panic(Errorf("float32 results cannot be stored as %v", t.DType()))
	}
}

// AppendInts appends an integer tensor's elements to dst; nil gives dst. It panics
// on other types.
func AppendInts(dst []int, t *tensor.Tensor) []int {
	if t == nil {
		return dst
	}
	switch t.DType() {
	case tensor.Int64:
		return appendInts(dst, tensor.Data[int64](t))
	case tensor.Int32:
		return appendInts(dst, tensor.Data[int32](t))
	case tensor.Uint8:
		return appendInts(dst, tensor.Data[uint8](t))
	case tensor.Int8:
		return appendInts(dst, tensor.Data[int8](t))
	}
	panic(Errorf("got %v where whole numbers are wanted", t.DType()))
}

func appendInts[S real](dst []int, src []S) []int {
	for _, v := range src {
		dst = append(dst, int(v))
	}
	return dst
}
