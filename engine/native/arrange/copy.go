package arrange

import "github.com/greenlight-dev/greenlight/tensor"

// take copies blocks of elements into consecutive blocks of dst. For each of
// outer slices of src, step elements apart, it takes the blocks that start at
// the offsets in at.
func take(dst, src *tensor.Tensor, outer, step, block int, at []int) {
	if block == 0 || len(at) == 0 || outer == 0 {
		return
	}
	switch dst.DType().Size() {
	case 0:
		takeUnits(dst.Strings(), src.Strings(), outer, step, block, at)
	case 1:
		takeUnits(tensor.Data[uint8](dst), tensor.Data[uint8](src), outer, step, block, at)
	case 2:
		takeUnits(tensor.Data[uint16](dst), tensor.Data[uint16](src), outer, step, block, at)
	case 4:
		takeUnits(tensor.Data[uint32](dst), tensor.Data[uint32](src), outer, step, block, at)
	case 8:
		takeUnits(tensor.Data[uint64](dst), tensor.Data[uint64](src), outer, step, block, at)
	case 16:
		takeUnits(tensor.Data[complex128](dst), tensor.Data[complex128](src), outer, step, block, at)
	}
}

func takeUnits[T any](dst, src []T, outer, step, block int, at []int) {
	for o := range outer {
		from := src[o*step:]
		to := dst[o*len(at)*block : (o+1)*len(at)*block]
		if block == 1 {
			for i, a := range at {
				to[i] = from[a]
			}
			continue
		}
		for i, a := range at {
			copy(to[i*block:(i+1)*block], from[a:a+block])
		}
	}
}

// put copies consecutive blocks of src to the offsets at of dst; a later block
// overwrites an earlier one.
func put(dst, src *tensor.Tensor, block int, at []int) {
	if block == 0 || len(at) == 0 {
		return
	}
	switch dst.DType().Size() {
	case 0:
		putUnits(dst.Strings(), src.Strings(), block, at)
	case 1:
		putUnits(tensor.Data[uint8](dst), tensor.Data[uint8](src), block, at)
	case 2:
		putUnits(tensor.Data[uint16](dst), tensor.Data[uint16](src), block, at)
	case 4:
		putUnits(tensor.Data[uint32](dst), tensor.Data[uint32](src), block, at)
	case 8:
		putUnits(tensor.Data[uint64](dst), tensor.Data[uint64](src), block, at)
	case 16:
		putUnits(tensor.Data[complex128](dst), tensor.Data[complex128](src), block, at)
	}
}

func putUnits[T any](dst, src []T, block int, at []int) {
	if block == 1 {
		for i, a := range at {
			dst[a] = src[i]
		}
		return
	}
	for i, a := range at {
		copy(dst[a:a+block], src[i*block:(i+1)*block])
	}
}

// copyAll makes dst's elements those of src, which has as many.
func copyAll(dst, src *tensor.Tensor) {
	copy(dst.Bytes(), src.Bytes())
	copy(dst.Strings(), src.Strings())
}
