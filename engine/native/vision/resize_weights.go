package vision

import (
	"math"
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// taps says which elements, with which weights, make up each position along
// one axis: n for each position, held inside the axis. A position that is
// extrapolated has outside set.
type taps struct {
	n       int
	index   []int
	weight  []float64
	outside []bool
}

// weigh fills in the taps along an axis of in elements.
func (k *resize) weigh(s *resizeState, axis, in int) *taps {
	reach, stretch := 1.0, 1.0
	if k.mode == "cubic" {
		reach = 2
	}
	if k.antialias {
		stretch = min(s.scale[axis], 1)
	}
	t := &s.kernel
	first := int(math.Floor(-reach/stretch)) + 1
	t.n = 2 - 2*first
	t.index, t.weight, t.outside = t.index[:0], t.weight[:0], t.outside[:0]
	for i := range s.shape[axis] {
		x, outside := k.coordinate(s, axis, in, i)
		x = min(max(x, -float64(in)-reach), 2*float64(in)+reach) // an int from here on
		base := math.Floor(x)
		t.outside = append(t.outside, outside)
		k.weighOne(t, int(base)+first, in, func(j int) float64 {
			return k.kernel((float64(first+j) - (x - base)) * stretch)
		})
	}
	return t
}

// weighOne adds one position, whose taps start at the element from.
func (k *resize) weighOne(t *taps, from, in int, weight func(j int) float64) {
	start, sum := len(t.weight), 0.0
	for j := range t.n {
		w := weight(j)
		if at := from + j; k.excludeOutside && (at < 0 || at >= in) {
			w = 0
		}
		t.index = append(t.index, min(max(from+j, 0), in-1))
		t.weight = append(t.weight, w)
		sum += w
	}
	if sum == 0 || !k.antialias && !k.excludeOutside {
		return
	}
	for j := start; j < len(t.weight); j++ {
		t.weight[j] /= sum
	}
}

// kernel is the interpolation kernel at distance d.
func (k *resize) kernel(d float64) float64 {
	if k.mode == "linear" {
		return max(0, 1-math.Abs(d))
	}
	return keys(math.Abs(d), k.cubic)
}

// keys is the cubic convolution kernel at distance d ≥ 0: R. G. Keys, Cubic
// convolution interpolation for digital image processing (1981), equation 4.
func keys(d, a float64) float64 {
	switch {
	case d <= 1:
		return ((a+2)*d-(a+3))*d*d + 1
	case d < 2:
		return ((a*d-5*a)*d+8*a)*d - 4*a
	}
	return 0
}

// interpolate resizes axis after axis, from scratch slice to scratch slice.
// Axes that shrink come first, so nothing between is larger than the input or
// the output.
func interpolate[T numeric.Float](k *resize, c *op.Context, s *resizeState, out, x *tensor.Tensor) {
	s.order = s.order[:0]
	for axis, in := range x.Shape() {
		if k.changes(s, axis, in) {
			s.order = append(s.order, axis)
		}
	}
	slices.SortStableFunc(s.order, func(a, b int) int {
		switch {
		case s.scale[a] < s.scale[b]:
			return -1
		case s.scale[a] > s.scale[b]:
			return 1
		}
		return 0
	})
	src, dst := numeric.Read[T](c, 1, x), numeric.Target[T](c, 2, out)
	if len(s.order) == 0 {
		copy(dst, src)
	}
	shape := op.Scratch[int64](c, 5, x.Rank()) // as it is so far
	for i, d := range x.Shape() {
		shape[i] = int64(d)
	}
	for i, axis := range s.order {
		outer, inner := 1, 1
		for j, d := range shape {
			if j < axis {
				outer *= int(d)
			} else if j > axis {
				inner *= int(d)
			}
		}
		to := dst
		if i < len(s.order)-1 {
			to = op.Scratch[T](c, 3+i%2, outer*s.shape[axis]*inner)
		}
		alongAxis(k.weigh(s, axis, int(shape[axis])), to, src, outer, int(shape[axis]), inner, T(k.extrapolation))
		shape[axis] = int64(s.shape[axis])
		src = to
	}
	numeric.Store(c, 2, out, dst)
}

// alongAxis applies the taps to src as outer×n×inner.
func alongAxis[T numeric.Float](t *taps, dst, src []T, outer, n, inner int, blank T) {
	for o := range outer {
		block := src[o*n*inner : (o+1)*n*inner]
		for i, outside := range t.outside {
			row := dst[:inner]
			dst = dst[inner:]
			index, weight := t.index[i*t.n:(i+1)*t.n], t.weight[i*t.n:(i+1)*t.n]
			switch {
			case outside:
				for j := range row {
					row[j] = blank
				}
			case inner == 1:
				var sum T
				for j, at := range index {
					sum += T(weight[j]) * block[at]
				}
				row[0] = sum
			default:
				clear(row)
				for j, at := range index {
					addScaled(row, block[at*inner:(at+1)*inner], T(weight[j]))
				}
			}
		}
	}
}

func addScaled[T numeric.Float](dst, src []T, w T) {
	if w == 0 {
		return
	}
	for i, v := range src {
		dst[i] += w * v
	}
}
