package vision

import (
	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// nearest copies elements of any type. Each axis has a map from positions of
// the output to positions of the input, -1 where the extrapolation value
// stands.
func (k *resize) nearest(s *resizeState, out, x *tensor.Tensor) error {
	for len(s.maps) < x.Rank() {
		s.maps = append(s.maps, nil)
	}
	for axis, in := range x.Shape() {
		m := s.maps[axis][:0]
		moved := k.changes(s, axis, in)
		for i := range s.shape[axis] {
			if moved {
				m = append(m, k.nearestTo(s, axis, in, i))
			} else {
				m = append(m, int32(i))
			}
		}
		s.maps[axis] = m
	}
	maps, shape := s.maps[:x.Rank()], x.Shape()
	if x.DType() == tensor.String {
		gather(out.Strings(), x.Strings(), maps, shape, "")
		return nil
	}
	return k.gatherBytes(out, x, maps, shape)
}

func (k *resize) nearestTo(s *resizeState, axis, in, i int) int32 {
	x, outside := k.coordinate(s, axis, in, i)
	if outside {
		return -1
	}
	return int32(min(max(k.rounding(x, s.scale[axis] < 1), 0), float64(in-1)))
}

// gatherBytes moves elements by their size, whatever they mean.
func (k *resize) gatherBytes(out, x *tensor.Tensor, maps [][]int32, shape []int) error {
	blank := tensor.New(x.DType(), 1)
	if op.Numbers.Has(x.DType()) {
		var c op.Context
		numeric.Write(&c, 0, blank, []float64{k.extrapolation})
	}
	switch x.DType().Size() {
	case 1:
		gatherElements[uint8](out, x, maps, shape, blank)
	case 2:
		gatherElements[uint16](out, x, maps, shape, blank)
	case 4:
		gatherElements[uint32](out, x, maps, shape, blank)
	case 8:
		gatherElements[uint64](out, x, maps, shape, blank)
	case 16:
		gatherElements[complex128](out, x, maps, shape, blank)
	default:
		return op.Errorf("cannot resize %v", x.DType())
	}
	return nil
}

func gatherElements[T tensor.Element](out, x *tensor.Tensor, maps [][]int32, shape []int, blank *tensor.Tensor) {
	gather(tensor.Data[T](out), tensor.Data[T](x), maps, shape, tensor.Data[T](blank)[0])
}

func gather[T any](dst, src []T, maps [][]int32, shape []int, blank T) {
	if len(maps) == 0 {
		copy(dst, src)
		return
	}
	m := maps[0]
	if len(maps) == 1 {
		for i, at := range m {
			if dst[i] = blank; at >= 0 {
				dst[i] = src[at]
			}
		}
		return
	}
	in, out := len(src)/shape[0], len(dst)/len(m)
	for i, at := range m {
		part := dst[i*out : (i+1)*out]
		switch {
		case at < 0:
			for j := range part {
				part[j] = blank
			}
		case i > 0 && m[i-1] == at:
			copy(part, dst[(i-1)*out:])
		default:
			gather(part, src[int(at)*in:int(at+1)*in], maps[1:], shape[1:], blank)
		}
	}
}
