package nn

import (
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// argMaxPool is MaxPool with its second output: where in the input, counted
// over the whole tensor, each maximum stands.
type argMaxPool struct {
	window      Window
	columnMajor bool // count within a plane with the first dimension innermost
}

// Run finds each window's first maximum.
func (k *argMaxPool) Run(c *op.Context) error {
	pl := op.State[poolPlan](c)
	x := c.T(0)
	if err := pl.prepare(&k.window, x); err != nil {
		return err
	}
	out := c.NewOut(0, x.DType(), pl.shape...)
	at := tensor.Data[int64](c.NewOut(1, tensor.Int64, pl.shape...))
	switch x.DType() {
	case tensor.Float32:
		argMax(k, pl, tensor.Data[float32](out), tensor.Data[float32](x), at)
	case tensor.Float64:
		argMax(k, pl, tensor.Data[float64](out), tensor.Data[float64](x), at)
	case tensor.Int8:
		argMax(k, pl, tensor.Data[int8](out), tensor.Data[int8](x), at)
	case tensor.Uint8:
		argMax(k, pl, tensor.Data[uint8](out), tensor.Data[uint8](x), at)
	default:
		src, dst := op.Float32s(c, 1, x), op.Scratch[float32](c, 2, out.Len())
		argMax(k, pl, dst, src, at)
		op.WriteFloat32s(out, dst)
	}
	return nil
}

func argMax[T ordered](k *argMaxPool, pl *poolPlan, dst, src []T, at []int64) {
	o := 0
	for start := 0; o < len(dst); start += pl.planeIn {
		plane := src[start : start+pl.planeIn]
		for _, d := range pl.spans[0] {
			for _, h := range pl.spans[1] {
				for _, w := range pl.spans[2] {
					z, y, x := locateMax(pl, plane, d, h, w)
					dst[o], at[o] = 0, -1 // a window that covers padding only
					if z >= 0 {
						dst[o], at[o] = plane[pl.offset(z, y, x)], int64(start+k.index(pl, z, y, x))
					}
					o++
				}
			}
		}
	}
}

// locateMax gives the coordinates of the window's first maximum, or of its
// first NaN; negative ones when it covers no input.
func locateMax[T ordered](pl *poolPlan, plane []T, d, h, w span) (z, y, x int) {
	var best T
	z = -1
	for i := range d.n {
		for j := range h.n {
			for l := range w.n {
				cz, cy, cx := d.lo+i*pl.step[0], h.lo+j*pl.step[1], w.lo+l*pl.step[2]
				v := plane[pl.offset(cz, cy, cx)]
				if z < 0 || v > best || (v != v && best == best) {
					best, z, y, x = v, cz, cy, cx
				}
			}
		}
	}
	return z, y, x
}

func (pl *poolPlan) offset(z, y, x int) int {
	_, h, w := inThree(pl.axes)
	return (z*h.In+y)*w.In + x
}

func (k *argMaxPool) index(pl *poolPlan, z, y, x int) int {
	if !k.columnMajor {
		return pl.offset(z, y, x)
	}
	d, h, _ := inThree(pl.axes)
	return (x*h.In+y)*d.In + z
}
