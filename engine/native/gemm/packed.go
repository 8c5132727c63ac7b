package gemm

import "fmt"

// Workspace keeps the packing buffers of one goroutine's products, so that
// products of the same shapes allocate nothing after the first. The zero value
// is ready for use. It must not be used by two goroutines at a time.
type Workspace struct {
	// Kernel is what Mul runs; packed operands bring their own.
	Kernel Kernel

	a, b    []float32
	strided stridedB
}

// grow returns buf with length n, its contents unspecified.
func grow(buf *[]float32, n int) []float32 {
	if cap(*buf) < n {
		*buf = make([]float32, n)
	}
	return (*buf)[:n]
}

// PackedB is a constant k × n right-hand side in the order the kernel reads it:
// panels of panelCols columns, each k rows, the last padded with zeros. It is
// read only and may be shared.
type PackedB struct {
	kernel Kernel
	k, n   int
	data   []float32
}

// PackB packs b, which is k × n with rows ldb apart, or n × k if trans is set.
func PackB(k, n int, b []float32, ldb int, trans bool) *PackedB {
	return Auto.PackB(k, n, b, ldb, trans)
}

// PackB is the function PackB for a given kernel.
func (kr Kernel) PackB(k, n int, b []float32, ldb int, trans bool) *PackedB {
	kr = kr.resolve()
	checkMatrix("B", b, k, n, ldb, trans)
	width := kr.geometry().panelCols
	pb := &PackedB{kernel: kr, k: k, n: n, data: make([]float32, ceilDiv(n, width)*width*k)}
	src := stridedB{b, ldb, trans}
	for j := 0; j < n && k > 0; j += width {
		src.PackPanel(pb.data[j*k:(j+width)*k], width, 0, k, j, min(j+width, n))
	}
	return pb
}

// Dims returns k and n.
func (pb *PackedB) Dims() (k, n int) { return pb.k, pb.n }

// PackedA is a constant m × k left-hand side: tiles of rows, each stored column
// by column. It is read only and may be shared.
type PackedA struct {
	kernel Kernel
	m, k   int
	data   []float32
}

// PackA packs a, which is m × k with rows lda apart, or k × m if trans is set.
func PackA(m, k int, a []float32, lda int, trans bool) *PackedA {
	return Auto.PackA(m, k, a, lda, trans)
}

// PackA is the function PackA for a given kernel.
func (kr Kernel) PackA(m, k int, a []float32, lda int, trans bool) *PackedA {
	kr = kr.resolve()
	checkMatrix("A", a, m, k, lda, trans)
	pa := &PackedA{kernel: kr, m: m, k: k, data: make([]float32, m*k)}
	if k == 0 {
		return pa
	}
	rows := splitRows(m, kr.geometry().tileRows)
	src := newStridedA(a, lda, trans)
	for t := range rows.tiles {
		i0, i1 := rows.start(t), rows.start(t+1)
		src.pack(pa.data[i0*k:i1*k], i0, i1, 0, k, 1)
	}
	return pa
}

// Dims returns m and k.
func (pa *PackedA) Dims() (m, k int) { return pa.m, pa.k }

// BPacker makes a right-hand side piece by piece, for example a convolution's
// patches straight from the image.
type BPacker interface {
	// PackPanel writes B[p][j] to dst[(p-p0)*stride+(j-j0)] for p0 ≤ p < p1 and
	// j0 ≤ j < j1, where j1-j0 ≤ stride ≤ 32. The rest of dst is of no
	// consequence.
	PackPanel(dst []float32, stride, p0, p1, j0, j1 int)
}

// stridedB packs from a matrix in memory.
type stridedB struct {
	data  []float32
	ld    int
	trans bool
}

func (s *stridedB) PackPanel(dst []float32, stride, p0, p1, j0, j1 int) {
	if s.trans {
		s.packTransposed(dst, stride, p0, p1, j0, j1)
		return
	}
	for p := p0; p < p1; p++ {
		copy(dst[(p-p0)*stride:], s.data[p*s.ld+j0:p*s.ld+j1])
	}
}

// packTransposed goes four columns at a time, so that it writes in runs.
func (s *stridedB) packTransposed(dst []float32, stride, p0, p1, j0, j1 int) {
	j := j0
	for ; j+4 <= j1; j += 4 {
		r0 := s.data[j*s.ld+p0 : j*s.ld+p1]
		r1 := s.data[(j+1)*s.ld+p0:][:len(r0)]
		r2 := s.data[(j+2)*s.ld+p0:][:len(r0)]
		r3 := s.data[(j+3)*s.ld+p0:][:len(r0)]
		out := j - j0
		for p, v := range r0 {
			run := dst[out : out+4 : out+4]
			run[0], run[1], run[2], run[3] = v, r1[p], r2[p], r3[p]
			out += stride
		}
	}
	for ; j < j1; j++ {
		out := j - j0
		for _, v := range s.data[j*s.ld+p0 : j*s.ld+p1] {
			dst[out] = v
			out += stride
		}
	}
}

// stridedA is a left-hand side in memory: A[i][p] is data[i*rs+p*cs].
type stridedA struct {
	data   []float32
	rs, cs int
}

func newStridedA(a []float32, lda int, trans bool) stridedA {
	if trans {
		return stridedA{a, 1, lda}
	}
	return stridedA{a, lda, 1}
}

// pack writes alpha·A[i0:i1, p0:p1] to dst, column by column.
func (s *stridedA) pack(dst []float32, i0, i1, p0, p1 int, alpha float32) {
	rows := i1 - i0
	for i := i0; i < i1; i++ {
		src, out := i*s.rs+p0*s.cs, i-i0
		for range p1 - p0 {
			dst[out] = alpha * s.data[src]
			src += s.cs
			out += rows
		}
	}
}

// rowSplit cuts m rows into tiles of nearly equal height, because two tiles of
// seven rows keep the processor busier than one of twelve and one of two.
type rowSplit struct{ tiles, height, taller int }

func splitRows(m, most int) rowSplit {
	if m == 0 {
		return rowSplit{}
	}
	tiles := ceilDiv(m, most)
	return rowSplit{tiles: tiles, height: m / tiles, taller: m % tiles}
}

// start returns the first row of tile t; start(tiles) is m.
func (r rowSplit) start(t int) int { return t*r.height + min(t, r.taller) }

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// checkMatrix panics unless data holds rows × cols (cols × rows if trans).
func checkMatrix[T any](name string, data []T, rows, cols, ld int, trans bool) {
	if trans {
		rows, cols = cols, rows
	}
	if rows < 0 || cols < 0 || ld < cols {
		panic(fmt.Sprintf("gemm: %s cannot be %d × %d with rows %d apart", name, rows, cols, ld))
	}
	need(name, data, rows > 0 && cols > 0, (rows-1)*ld+cols)
}

func need[T any](name string, data []T, used bool, n int) {
	if used && len(data) < n {
		panic(fmt.Sprintf("gemm: %s has %d elements and needs %d", name, len(data), n))
	}
}
