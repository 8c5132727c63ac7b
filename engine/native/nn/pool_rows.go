package nn

import (
	"cmp"
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// A window is reduced in two steps: the input rows that it spans are folded
// into one row, then that row is reduced for each position along the width.
// Windows that overlap share the first step.

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

// maxPlanes takes each window's maximum; NaN when the window has one. A window
// that covers padding only gives 0.
func maxPlanes[T ordered](c *op.Context, pl *poolPlan, dst, src []T) {
	if len(dst) == 0 {
		return
	}
	_, _, width := inThree(pl.axes)
	paired := width.Kernel == 2 && width.Stride == 2 && width.Dilation == 1 && width.Begin == 0 && width.Out*2 <= width.In
	row := op.Scratch[T](c, 0, width.In)
	eachRow(pl, dst, src, func(dst, plane []T, d, h span) {
		if d.n == 0 || h.n == 0 {
			clear(dst)
			return
		}
		first := true
		eachInput(pl, plane, d, h, func(in []T) {
			if first {
				copy(row, in)
				first = false
				return
			}
			maxInto(row, in)
		})
		if paired {
			maxPairs(dst, row)
			return
		}
		maxAlong(dst, row, pl.spans[2], width.Dilation)
	})
}

func maxInto[T ordered](row, in []T) {
	in = in[:len(row)]
	for i, v := range in {
		row[i] = max(row[i], v)
	}
}

func maxPairs[T ordered](dst, row []T) {
	row = row[:2*len(dst)]
	for i := range dst {
		dst[i] = max(row[2*i], row[2*i+1])
	}
}

func maxAlong[T ordered](dst, row []T, spans []span, step int) {
	for o, s := range spans {
		var m T
		if s.n > 0 {
			m = row[s.lo]
		}
		for i := 1; i < s.n; i++ {
			m = max(m, row[s.lo+i*step])
		}
		dst[o] = m
	}
}

// reducePlanes reduces each window as k says.
func reducePlanes[T float](k *pool, c *op.Context, pl *poolPlan, dst, src []T) {
	if k.kind == maximum {
		maxPlanes(c, pl, dst, src)
		return
	}
	_, _, width := inThree(pl.axes)
	row := op.Scratch[T](c, 0, width.In)
	eachRow(pl, dst, src, func(dst, plane []T, d, h span) {
		clear(row)
		eachInput(pl, plane, d, h, func(in []T) {
			if k.kind == norm {
				addPowers(row, in, k.p)
				return
			}
			for i, v := range in {
				row[i] += v
			}
		})
		sumAlong(dst, row, pl.spans[2], width.Dilation)
		switch {
		case k.kind == norm:
			rootAll(dst, k.p)
		case k.countPad:
			divideBySize(dst, pl.spans[2], d.size*h.size)
		default:
			divideByCount(dst, pl.spans[2], d.n*h.n)
		}
	})
}

func sumAlong[T float](dst, row []T, spans []span, step int) {
	for o, s := range spans {
		var sum T
		for i := range s.n {
			sum += row[s.lo+i*step]
		}
		dst[o] = sum
	}
}

func divideBySize[T float](dst []T, spans []span, rows int) {
	for o, s := range spans {
		dst[o] /= T(rows * s.size)
	}
}

// divideByCount leaves the zero of a window that covers padding only.
func divideByCount[T float](dst []T, spans []span, rows int) {
	for o, s := range spans {
		dst[o] /= T(max(1, rows*s.n))
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
