package gemm_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"pgregory.net/rapid"
)

// matrix is row-major with spare columns, filled with values in [-1, 1).
type matrix struct {
	rows, cols, ld int
	data           []float32
}

func newMatrix(r *rand.Rand, rows, cols, spare int) matrix {
	m := matrix{rows, cols, cols + spare, make([]float32, rows*(cols+spare))}
	for i := range m.data {
		m.data[i] = r.Float32()*2 - 1
	}
	return m
}

func (m matrix) transposed() matrix {
	t := matrix{m.cols, m.rows, m.rows, make([]float32, len(m.data))}
	for i := range m.rows {
		for j := range m.cols {
			t.data[j*t.ld+i] = m.data[i*m.ld+j]
		}
	}
	return t
}

// PackPanel makes matrix a BPacker.
func (m matrix) PackPanel(dst []float32, stride, p0, p1, j0, j1 int) {
	for p := p0; p < p1; p++ {
		copy(dst[(p-p0)*stride:], m.data[p*m.ld+j0:p*m.ld+j1])
	}
}

// reference computes the product and the epilogue in float64.
func reference(a, b, c matrix, ep gemm.Epilogue) []float64 {
	alpha := float64(ep.Alpha)
	if alpha == 0 {
		alpha = 1
	}
	out := make([]float64, a.rows*b.cols)
	for i := range a.rows {
		for j := range b.cols {
			var s float64
			for p := range a.cols {
				s += float64(a.data[i*a.ld+p]) * float64(b.data[p*b.ld+j])
			}
			s *= alpha
			if ep.Accumulate {
				s += float64(c.data[i*c.ld+j])
			}
			out[i*b.cols+j] = epilogue(s, i, j, ep)
		}
	}
	return out
}

func epilogue(s float64, i, j int, ep gemm.Epilogue) float64 {
	if ep.ColBias != nil {
		s += float64(ep.ColBias[j])
	}
	if ep.RowBias != nil {
		s += float64(ep.RowBias[i])
	}
	switch ep.Activation {
	case gemm.Relu:
		s = max(s, 0)
	case gemm.Clip:
		s = min(max(s, float64(ep.Min)), float64(ep.Max))
	case gemm.LeakyRelu:
		if s < 0 {
			s *= float64(ep.Slope)
		}
	}
	if ep.Map != nil {
		s = 2*s + 1
	}
	return s
}

// paths are all the ways to the same product, each writing into c.
var paths = map[string]func(kr gemm.Kernel, a, b, c matrix, ep gemm.Epilogue){
	"Mul": func(kr gemm.Kernel, a, b, c matrix, ep gemm.Epilogue) {
		ws := &gemm.Workspace{Kernel: kr}
		gemm.Mul(ws, a.rows, b.cols, a.cols, a.data, a.ld, false, b.data, b.ld, false, c.data, c.ld, ep)
	},
	"Mul/transA": func(kr gemm.Kernel, a, b, c matrix, ep gemm.Epilogue) {
		ws, t := &gemm.Workspace{Kernel: kr}, a.transposed()
		gemm.Mul(ws, a.rows, b.cols, a.cols, t.data, t.ld, true, b.data, b.ld, false, c.data, c.ld, ep)
	},
	"Mul/transB": func(kr gemm.Kernel, a, b, c matrix, ep gemm.Epilogue) {
		ws, t := &gemm.Workspace{Kernel: kr}, b.transposed()
		gemm.Mul(ws, a.rows, b.cols, a.cols, a.data, a.ld, false, t.data, t.ld, true, c.data, c.ld, ep)
	},
	"PackedB": func(kr gemm.Kernel, a, b, c matrix, ep gemm.Epilogue) {
		kr.PackB(a.cols, b.cols, b.data, b.ld, false).Mul(&gemm.Workspace{}, a.rows, a.data, a.ld, c.data, c.ld, ep)
	},
	"PackedB/trans": func(kr gemm.Kernel, a, b, c matrix, ep gemm.Epilogue) {
		t := b.transposed()
		kr.PackB(a.cols, b.cols, t.data, t.ld, true).Mul(&gemm.Workspace{}, a.rows, a.data, a.ld, c.data, c.ld, ep)
	},
	"PackedA": func(kr gemm.Kernel, a, b, c matrix, ep gemm.Epilogue) {
		kr.PackA(a.rows, a.cols, a.data, a.ld, false).Mul(&gemm.Workspace{}, b.cols, b.data, b.ld, false, c.data, c.ld, ep)
	},
	"PackedA/trans": func(kr gemm.Kernel, a, b, c matrix, ep gemm.Epilogue) {
		at, bt := a.transposed(), b.transposed()
		kr.PackA(a.rows, a.cols, at.data, at.ld, true).Mul(&gemm.Workspace{}, b.cols, bt.data, bt.ld, true, c.data, c.ld, ep)
	},
	"MulPacker": func(kr gemm.Kernel, a, b, c matrix, ep gemm.Epilogue) {
		kr.PackA(a.rows, a.cols, a.data, a.ld, false).MulPacker(&gemm.Workspace{}, b.cols, b, c.data, c.ld, ep)
	},
}

func eachKernel(t *testing.T, test func(t *testing.T, kr gemm.Kernel)) {
	t.Helper()
	for _, kr := range gemm.Available() {
		t.Run(kr.String(), func(t *testing.T) { test(t, kr) })
	}
}

// checkPath runs one path and compares it with the reference; nothing but the
// m × n elements of C may change.
func checkPath(t rapid.TB, name string, kr gemm.Kernel, a, b, c matrix, ep gemm.Epilogue) {
	t.Helper()
	want := reference(a, b, c, ep)
	got := c
	got.data = append([]float32(nil), c.data...)
	paths[name](kr, a, b, got, ep)
	tolerance := 1e-6 * float64(a.cols+4)
	for x, v := range got.data {
		i, j := x/c.ld, x%c.ld
		if j >= c.cols {
			if v != c.data[x] {
				t.Fatalf("%s: spare element %d of row %d was written", name, j, i)
			}
			continue
		}
		if d := math.Abs(float64(v) - want[i*c.cols+j]); !(d <= tolerance) {
			t.Fatalf("%s %dx%dx%d: C[%d][%d] = %v, want %v", name, a.rows, b.cols, a.cols, i, j, v, want[i*c.cols+j])
		}
	}
}

func TestProductsMatchReference(t *testing.T) {
	eachKernel(t, func(t *testing.T, kr gemm.Kernel) {
		r := rand.New(rand.NewPCG(1, 2))
		for m := range 27 {
			for _, n := range []int{0, 1, 3, 8, 10, 16, 17, 31, 32, 33, 64, 70, 128, 150, 161} {
				for _, k := range []int{0, 1, 2, 9, 33} {
					a, b, c := newMatrix(r, m, k, 3), newMatrix(r, k, n, 2), newMatrix(r, m, n, 5)
					for name := range paths {
						checkPath(t, name, kr, a, b, c, gemm.Epilogue{})
					}
				}
			}
		}
	})
}

// TestLargeProductsMatchReference crosses the limits of every block.
func TestLargeProductsMatchReference(t *testing.T) {
	eachKernel(t, func(t *testing.T, kr gemm.Kernel) {
		r := rand.New(rand.NewPCG(3, 4))
		for _, s := range [][3]int{{500, 35, 530}, {13, 4200, 5}, {3, 40, 1100}, {1, 2100, 600}, {25, 100, 520}} {
			a, b, c := newMatrix(r, s[0], s[2], 1), newMatrix(r, s[2], s[1], 1), newMatrix(r, s[0], s[1], 1)
			for name := range paths {
				checkPath(t, name, kr, a, b, c, gemm.Epilogue{Alpha: 0.5, Accumulate: true})
			}
		}
	})
}

func TestEpilogue(t *testing.T) {
	eachKernel(t, func(t *testing.T, kr gemm.Kernel) {
		rapid.Check(t, func(t *rapid.T) {
			r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
			m, n, k := rapid.IntRange(0, 30).Draw(t, "m"), rapid.IntRange(0, 80).Draw(t, "n"), rapid.IntRange(0, 40).Draw(t, "k")
			a, b, c := newMatrix(r, m, k, r.IntN(3)), newMatrix(r, k, n, r.IntN(3)), newMatrix(r, m, n, r.IntN(3))
			ep := gemm.Epilogue{
				Alpha:      rapid.SampledFrom([]float32{0, 1, -0.75}).Draw(t, "alpha"),
				Accumulate: rapid.Bool().Draw(t, "accumulate"),
				Activation: rapid.SampledFrom([]gemm.Activation{gemm.Identity, gemm.Relu, gemm.Clip, gemm.LeakyRelu}).Draw(t, "activation"),
				Min:        -0.5, Max: 0.25, Slope: 0.1,
			}
			if rapid.Bool().Draw(t, "column bias") {
				ep.ColBias = newMatrix(r, 1, n, 0).data
			}
			if rapid.Bool().Draw(t, "row bias") {
				ep.RowBias = newMatrix(r, m, 1, 0).data
			}
			if rapid.Bool().Draw(t, "map") {
				ep.Map = func(piece []float32) {
					for i, v := range piece {
						piece[i] = 2*v + 1
					}
				}
			}
			for name := range paths {
				checkPath(t, name, kr, a, b, c, ep)
			}
		})
	})
}

// TestBitsDoNotDependOnShape computes one large product, and then every row and
// many column ranges by themselves, along every path and on both assembly kernels.
func TestBitsDoNotDependOnShape(t *testing.T) {
	const m, n, k = 260, 2100, 530 // beyond every block
	r := rand.New(rand.NewPCG(5, 6))
	a, b := newMatrix(r, m, k, 0), newMatrix(r, k, n, 0)
	bias := newMatrix(r, 1, n, 0).data
	want := map[bool][]float32{}
	eachKernel(t, func(t *testing.T, kr gemm.Kernel) {
		assembly := kr != gemm.Generic
		if want[assembly] == nil {
			whole := newMatrix(r, m, n, 0)
			paths["PackedB"](kr, a, b, whole, gemm.Epilogue{ColBias: bias, Activation: gemm.LeakyRelu, Slope: 0.1})
			want[assembly] = whole.data
		}
		for _, rows := range []int{1, 2, 3, 4, 5, 7, 12, 13, 28, 255} {
			for _, cols := range [][2]int{{0, 150}, {3, 13}, {2016, n}, {n - 1, n}} {
				i0, w := r.IntN(m-rows+1), cols[1]-cols[0]
				part := matrix{rows, k, k, a.data[i0*k:]}
				bPart := matrix{k, w, n, b.data[cols[0]:]}
				ep := gemm.Epilogue{ColBias: bias[cols[0]:cols[1]], Activation: gemm.LeakyRelu, Slope: 0.1}
				for name, path := range paths {
					if name == "Mul/transB" || name == "Mul/transA" || name == "PackedA/trans" || name == "PackedB/trans" {
						part, bPart = compact(part), compact(bPart)
					}
					c := newMatrix(r, rows, w, 0)
					path(kr, part, bPart, c, ep)
					sameBits(t, fmt.Sprintf("%s %d rows from %d, columns %v", name, rows, i0, cols), c, want[assembly][i0*n+cols[0]:], n)
				}
			}
		}
	})
}

func compact(m matrix) matrix {
	out := matrix{m.rows, m.cols, m.cols, make([]float32, m.rows*m.cols)}
	for i := range m.rows {
		copy(out.data[i*m.cols:], m.data[i*m.ld:i*m.ld+m.cols])
	}
	return out
}

func sameBits(t *testing.T, what string, got matrix, want []float32, ldw int) {
	t.Helper()
	for i := range got.rows {
		for j := range got.cols {
			g, w := got.data[i*got.ld+j], want[i*ldw+j]
			if math.Float32bits(g) != math.Float32bits(w) {
				t.Errorf("%s: C[%d][%d] = %v, in the whole product %v", what, i, j, g, w) // not Fatal: goroutines call this
				return
			}
		}
	}
}
