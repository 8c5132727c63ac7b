package gemm_test

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"golang.org/x/sys/unix"
)

// guarded hands out slices that end at, or begin after, a page that must not be
// touched: an assembly read or write out of bounds ends the test by a signal.
type guarded struct {
	t     *testing.T
	atEnd bool
}

const guardedBytes = 1 << 20

func (g guarded) floats(src []float32) []float32 {
	g.t.Helper()
	page := unix.Getpagesize()
	mem, err := unix.Mmap(-1, 0, guardedBytes+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() {
		if err := unix.Munmap(mem); err != nil {
			g.t.Error(err)
		}
	})
	for _, wall := range [][]byte{mem[:page], mem[page+guardedBytes:]} {
		if err := unix.Mprotect(wall, unix.PROT_NONE); err != nil {
			g.t.Fatal(err)
		}
	}
	room := unsafe.Slice((*float32)(unsafe.Pointer(&mem[page])), guardedBytes/4)
	if len(src) > len(room) {
		g.t.Fatalf("%d floats do not fit between the guards", len(src))
	}
	out := room[:len(src):len(src)]
	if g.atEnd {
		out = room[len(room)-len(src):]
	}
	copy(out, src)
	return out
}

func (g guarded) matrix(m matrix) matrix {
	if m.rows > 0 && m.cols > 0 {
		m.data = m.data[:(m.rows-1)*m.ld+m.cols]
	}
	m.data = g.floats(m.data)
	return m
}

func TestAssemblyStaysInBounds(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	eachKernel(t, func(t *testing.T, kr gemm.Kernel) {
		for _, atEnd := range []bool{false, true} {
			g := guarded{t, atEnd}
			for _, m := range []int{1, 2, 3, 4, 5, 7, 12, 14} {
				for _, n := range []int{1, 7, 15, 16, 24, 31, 33, 63, 96, 129} {
					for _, spare := range []int{0, 3} {
						guardedProduct(g, kr, newMatrix(r, m, 11, spare), newMatrix(r, 11, n, spare), newMatrix(r, m, n, spare))
					}
				}
			}
		}
	})
}

func guardedProduct(g guarded, kr gemm.Kernel, a, b, c matrix) {
	ep := gemm.Epilogue{ColBias: g.floats(make([]float32, c.cols)), RowBias: g.floats(make([]float32, c.rows)), Accumulate: true}
	ga, gb, gc := g.matrix(a), g.matrix(b), g.matrix(c)
	ws := &gemm.Workspace{Kernel: kr}
	gemm.Mul(ws, a.rows, b.cols, a.cols, ga.data, a.ld, false, gb.data, b.ld, false, gc.data, c.ld, ep)
	at, bt := g.floats(a.transposed().data), g.floats(b.transposed().data)
	gemm.Mul(ws, a.rows, b.cols, a.cols, at, a.rows, true, bt, b.rows, true, gc.data, c.ld, ep)
	kr.PackB(b.rows, b.cols, gb.data, b.ld, false).Mul(ws, a.rows, ga.data, a.ld, gc.data, c.ld, ep)
	kr.PackA(a.rows, a.cols, ga.data, a.ld, false).Mul(ws, b.cols, gb.data, b.ld, false, gc.data, c.ld, ep)
}

func TestVectorAssemblyStaysInBounds(t *testing.T) {
	src := newMatrix(rand.New(rand.NewPCG(17, 18)), 4, 70, 0).data
	eachKernel(t, func(t *testing.T, kr gemm.Kernel) {
		for _, atEnd := range []bool{false, true} {
			g := guarded{t, atEnd}
			for n := range 70 {
				dst, x, y, z := g.floats(src[:n]), g.floats(src[:n]), g.floats(src[:n]), g.floats(src[:n])
				kr.Dot(x, y)
				kr.Axpy(dst, 2, x)
				kr.ScaleShift(dst, x, y, z)
				kr.ExpInto(dst, x)
				kr.SigmoidInto(dst, x)
				kr.TanhInto(dst, x)
			}
		}
	})
}
