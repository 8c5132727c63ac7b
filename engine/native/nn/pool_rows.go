package nn

import (
	"cmp"
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// A window is reduced in two steps: the input rows that it spans are folded
// into one row, then that row, shifted by each tap of the kernel, into another.
// Both are operations on vectors, and windows that overlap share the first.

type float interface{ float32 | float64 }

type ordered interface {
	cmp.Ordered
	tensor.Element
}

// eachRow calls visit for each row of the output with the input plane that it
// comes from and the window's extent along depth and height.
func eachRow[T tensor.Element](pl *poolPlan, dst, src []T, visit func(dst, plane []T, d, h span)) {
	width := len(pl.spans[2])
	for len(dst) > 0 {
		plane := src[:pl.planeIn]
		src = src[pl.planeIn:]
		for _, d := range pl.spans[0] {
			for _, h := range pl.spans[1] {
				visit(dst[:width], plane, d, h)
				dst = dst[width:]
			}
		}
	}
}

// eachInput calls visit for each input row that the window spans.
func eachInput[T tensor.Element](pl *poolPlan, plane []T, d, h span, visit func(row []T)) {
	_, height, width := inThree(pl.axes)
	for i := range d.n {
		for j := range h.n {
			z, y := d.lo+i*pl.step[0], h.lo+j*pl.step[1]
			visit(plane[(z*height.In+y)*width.In:][:width.In])
		}
	}
}

// slide reduces every window. take folds an input row into a row of partial
// results that starts at neutral, fold joins two such rows, and finish
// completes an output row.
func slide[T ordered](c *op.Context, pl *poolPlan, dst, src []T, neutral T,
	take, fold func(dst, src []T), finish func(dst []T, d, h span)) {
	if len(dst) == 0 {
		return
	}
	_, _, w := inThree(pl.axes)
	line := op.Scratch[T](c, 0, framedSize(&w))
	acc := op.Scratch[T](c, 3, (w.Out-1)*w.Stride+1)
	eachRow(pl, dst, src, func(dst, plane []T, d, h span) {
		for i := range line {
			line[i] = neutral
		}
		eachInput(pl, plane, d, h, func(in []T) { take(line[w.Begin:][:w.In], in) })
		copy(acc, line)
		for tap := 1; tap < w.Kernel; tap++ {
			fold(acc, line[tap*w.Dilation:][:len(acc)])
		}
		for o := range dst {
			dst[o] = acc[o*w.Stride]
		}
		finish(dst, d, h)
	})
}

// maxPlanes takes each window's maximum; NaN when the window has one. A window
// that covers padding only gives 0. lowest is the least value of the type.
func maxPlanes[T ordered](c *op.Context, pl *poolPlan, dst, src []T, lowest T) {
	slide(c, pl, dst, src, lowest, maxInto[T], maxInto[T], func(dst []T, d, h span) {
		if d.n == 0 || h.n == 0 {
			clear(dst)
		}
		if pl.covered {
			return
		}
		for o, w := range pl.spans[2] {
			if w.n == 0 {
				dst[o] = 0
			}
		}
	})
}

func maxInto[T ordered](dst, src []T) {
	if floats, ok := any(dst).([]float32); ok {
		maxFloats(floats, any(src).([]float32))
		return
	}
	src = src[:len(dst)]
	for i, v := range src {
		dst[i] = max(dst[i], v)
	}
}

func addInto[T float](dst, src []T) {
	if floats, ok := any(dst).([]float32); ok {
		gemm.Axpy(floats, 1, any(src).([]float32))
		return
	}
	src = src[:len(dst)]
	for i, v := range src {
		dst[i] += v
	}
}

// reducePlanes reduces each window as k says.
func reducePlanes[T float](k *pool, c *op.Context, pl *poolPlan, dst, src []T) {
	switch k.kind {
	case maximum:
		maxPlanes(c, pl, dst, src, T(math.Inf(-1)))
	case mean:
		slide(c, pl, dst, src, 0, addInto[T], addInto[T], func(dst []T, d, h span) {
			for o, w := range pl.spans[2] {
				n := d.n * h.n * w.n
				if k.countPad {
					n = d.size * h.size * w.size
				}
				dst[o] /= T(max(n, 1)) // a window that covers padding only keeps its zero
			}
		})
	case norm:
		slide(c, pl, dst, src, 0, func(dst, in []T) { addPowers(dst, in, k.p) }, addInto[T],
			func(dst []T, _, _ span) { rootAll(dst, k.p) })
	}
}

// addPowers adds |v|ᵖ for each v of in.
func addPowers[T float](row, in []T, p float64) {
	for i, v := range in {
		switch p {
		case 1:
			row[i] += T(math.Abs(float64(v)))
		case 2:
			row[i] += v * v
		default:
			row[i] += T(math.Pow(math.Abs(float64(v)), p))
		}
	}
}

// rootAll takes the p-th roots.
func rootAll[T float](values []T, p float64) {
	for i, v := range values {
		switch p {
		case 1:
		case 2:
			values[i] = T(math.Sqrt(float64(v)))
		default:
			values[i] = T(math.Pow(float64(v), 1/p))
		}
	}
}
