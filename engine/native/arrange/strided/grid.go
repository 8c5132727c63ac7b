// Package strided copies elements between tensors along shapes with steps:
// what transposing, slicing, joining, tiling and broadcasting come down to. It
// moves storage units of 1, 2, 4, 8 or 16 bytes, or strings, and never looks at
// values, so every element type is served.
package strided

import "github.com/greenlight-dev/greenlight/tensor"

// Grid copies elements along a shape in which every dimension has its own
// step in the destination and in the source, in elements. Steps may be
// negative, and 0 in the source. The order of dimensions is free as long as no
// element of the destination is written twice. The zero Grid is ready for
// Reset, and keeps its memory from use to use.
type Grid struct {
	size, dst, src []int
	pos            []int // where the outer dimensions stand
	dstAt, srcAt   int   // the first element
	empty          bool
}

// Reset starts a grid at these elements.
func (g *Grid) Reset(dstAt, srcAt int) {
	g.size, g.dst, g.src = g.size[:0], g.dst[:0], g.src[:0]
	g.dstAt, g.srcAt, g.empty = dstAt, srcAt, false
}

// Shift moves the first elements on by these many.
func (g *Grid) Shift(dst, src int) {
	g.dstAt += dst
	g.srcAt += src
}

// Add appends a dimension inside those before it, merging it with the last one
// where the two are one run.
func (g *Grid) Add(size, dstStep, srcStep int) {
	if size == 1 {
		return
	}
	if size <= 0 {
		g.empty = true
		return
	}
	if k := len(g.size) - 1; k >= 0 && g.dst[k] == size*dstStep && g.src[k] == size*srcStep {
		g.size[k] *= size
		g.dst[k], g.src[k] = dstStep, srcStep
		return
	}
	g.push(size, dstStep, srcStep)
}

func (g *Grid) push(size, dstStep, srcStep int) {
	g.size = append(g.size, size)
	g.dst = append(g.dst, dstStep)
	g.src = append(g.src, srcStep)
}

// Copy runs the grid over two tensors of one element type, which must have
// the elements that it names.
func (g *Grid) Copy(dst, src *tensor.Tensor) {
	if g.empty {
		return
	}
	g.plan()
	switch dst.DType().Size() {
	case 0:
		copyGrid(g, dst.Strings(), src.Strings())
	case 1:
		copyGrid(g, tensor.Data[uint8](dst), tensor.Data[uint8](src))
	case 2:
		copyGrid(g, tensor.Data[uint16](dst), tensor.Data[uint16](src))
	case 4:
		copyGrid(g, tensor.Data[uint32](dst), tensor.Data[uint32](src))
	case 8:
		copyGrid(g, tensor.Data[uint64](dst), tensor.Data[uint64](src))
	case 16:
		copyGrid(g, tensor.Data[complex128](dst), tensor.Data[complex128](src))
	}
}

// plan gives the grid at least two dimensions, and brings the dimension that
// is contiguous in the source next to the one that is so in the destination:
// those two can be copied tile by tile.
func (g *Grid) plan() {
	for len(g.size) < 2 {
		g.push(1, 0, 0)
		k := len(g.size) - 1
		g.swap(0, k)
	}
	last := len(g.size) - 1
	g.bring(g.dst, last)
	if g.src[last] != 1 {
		g.bring(g.src[:last], last-1)
	}
	g.pos = append(g.pos[:0], g.size[:last-1]...)
	clear(g.pos)
}

// bring moves the dimension whose step in steps is 1 to position to.
func (g *Grid) bring(steps []int, to int) {
	for i, s := range steps {
		if s == 1 && g.size[i] > 1 {
			g.swap(i, to)
			return
		}
	}
}

func (g *Grid) swap(i, j int) {
	g.size[i], g.size[j] = g.size[j], g.size[i]
	g.dst[i], g.dst[j] = g.dst[j], g.dst[i]
	g.src[i], g.src[j] = g.src[j], g.src[i]
}

func copyGrid[T any](g *Grid, dst, src []T) {
	k := len(g.size) - 2
	p := plane{
		rows: g.size[k], dstRow: g.dst[k], srcRow: g.src[k],
		cols: g.size[k+1], dstCol: g.dst[k+1], srcCol: g.src[k+1],
	}
	d, s := g.dstAt, g.srcAt
	for {
		copyPlane(&p, dst, src, d, s)
		i := k - 1
		for ; i >= 0; i-- {
			g.pos[i]++
			d += g.dst[i]
			s += g.src[i]
			if g.pos[i] < g.size[i] {
				break
			}
			d -= g.size[i] * g.dst[i]
			s -= g.size[i] * g.src[i]
			g.pos[i] = 0
		}
		if i < 0 {
			return
		}
	}
}

// plane is the two innermost dimensions of a grid.
type plane struct {
	rows, dstRow, srcRow int
	cols, dstCol, srcCol int
}

func copyPlane[T any](p *plane, dst, src []T, d, s int) {
	if p.dstCol == 1 && p.srcCol != 1 && p.srcRow == 1 && p.rows > 1 {
		transposePlane(p, dst, src, d, s)
		return
	}
	for range p.rows {
		switch {
		case p.dstCol == 1 && p.srcCol == 1:
			copy(dst[d:d+p.cols], src[s:s+p.cols])
		case p.dstCol == 1 && p.srcCol == 0:
			fill(dst[d:d+p.cols], src[s])
		case p.dstCol == 1:
			at := s
			row := dst[d : d+p.cols]
			for i := range row {
				row[i] = src[at]
				at += p.srcCol
			}
		default:
			to, at := d, s
			for range p.cols {
				dst[to] = src[at]
				to += p.dstCol
				at += p.srcCol
			}
		}
		d += p.dstRow
		s += p.srcRow
	}
}

func fill[T any](dst []T, v T) {
	for i := range dst {
		dst[i] = v
	}
}

// tile is the side of the squares in which planes are transposed: both sides
// of 8-byte elements stay in the first-level cache.
const tile = 16

// transposePlane copies a plane whose rows are contiguous in the destination
// and whose columns are contiguous in the source.
func transposePlane[T any](p *plane, dst, src []T, d, s int) {
	for r0 := 0; r0 < p.rows; r0 += tile {
		r1 := min(r0+tile, p.rows)
		for c0 := 0; c0 < p.cols; c0 += tile {
			c1 := min(c0+tile, p.cols)
			for r := r0; r < r1; r++ {
				to := d + r*p.dstRow
				row := dst[to+c0 : to+c1]
				at := s + r + c0*p.srcCol
				for i := range row {
					row[i] = src[at]
					at += p.srcCol
				}
			}
		}
	}
}

// Fill sets every element of dst to the first element of value.
func (g *Grid) Fill(dst, value *tensor.Tensor) {
	g.Reset(0, 0)
	g.Add(dst.Len(), 1, 0)
	g.Copy(dst, value)
}
