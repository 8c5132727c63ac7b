package gemm_test

import (
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/gemm"
)

var (
	nan = float32(math.NaN())
	inf = float32(math.Inf(1))
)

// TestNotANumber puts NaN and Inf into one row of A and one column of B: they
// must reach exactly the elements that depend on them, through any activation.
func TestNotANumber(t *testing.T) {
	eachKernel(t, func(t *testing.T, kr gemm.Kernel) {
		r := rand.New(rand.NewPCG(19, 20))
		for _, s := range [][3]int{{1, 10, 5}, {4, 70, 5}, {14, 39, 530}} {
			m, n, k := s[0], s[1], s[2]
			for _, act := range []gemm.Activation{gemm.Identity, gemm.Relu, gemm.Clip, gemm.LeakyRelu} {
				ep := gemm.Epilogue{Activation: act, Min: -1, Max: 1, Slope: 0.5}
				for name, path := range paths {
					a, b, c := newMatrix(r, m, k, 0), newMatrix(r, k, n, 0), newMatrix(r, m, n, 0)
					a.data[k/2], b.data[n-1] = nan, nan // row 0, column n-1
					path(kr, a, b, c, ep)
					for x, v := range c.data {
						want := x < n || x%n == n-1
						if got := v != v; got != want {
							t.Fatalf("%s %v activation %d: C[%d][%d] = %v", name, s, act, x/n, x%n, v)
						}
					}
				}
			}
		}
	})
}

func TestInfinity(t *testing.T) {
	eachKernel(t, func(t *testing.T, kr gemm.Kernel) {
		a := matrix{2, 2, 2, []float32{inf, 1, -inf, 1}}
		b := matrix{2, 3, 3, []float32{1, 0, -1, 1, 1, 1}}
		for name, path := range paths {
			c := matrix{2, 3, 3, make([]float32, 6)}
			path(kr, a, b, c, gemm.Epilogue{Activation: gemm.Relu})
			for i, want := range []float32{inf, nan, 0, 0, nan, inf} {
				if got := c.data[i]; got != want && (got == got || want == want) {
					t.Errorf("%s: element %d is %v, want %v", name, i, got, want)
				}
			}
		}
	})
}

// TestSteadyStateAllocatesNothing runs shapes that pack A, B, both or neither.
func TestSteadyStateAllocatesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	const m, n, k = 30, 70, 600
	a, b, c := newMatrix(r, m, k, 0), newMatrix(r, k, n, 0), newMatrix(r, m, n, 0)
	bias := make([]float32, n)
	eachKernel(t, func(t *testing.T, kr gemm.Kernel) {
		ws := &gemm.Workspace{Kernel: kr}
		pa, pb := kr.PackA(m, k, a.data, k, false), kr.PackB(k, n, b.data, n, false)
		var packer gemm.BPacker = b
		ep := gemm.Epilogue{Alpha: 2, ColBias: bias, Activation: gemm.Relu, Map: func(c []float32) { kr.TanhInto(c, c) }}
		allocs := testing.AllocsPerRun(3, func() {
			gemm.Mul(ws, m, n, k, a.data, k, false, b.data, n, false, c.data, n, ep)
			pb.Mul(ws, 1, a.data, k, c.data, n, ep)
			pb.Mul(ws, m, a.data, k, c.data, n, ep)
			pa.Mul(ws, n, b.data, n, false, c.data, n, ep)
			pa.MulPacker(ws, n, packer, c.data, n, ep)
		})
		if allocs != 0 {
			t.Errorf("%v allocations for five products", allocs)
		}
	})
}

// TestPackedOperandsAreShared multiplies with one PackedB and one PackedA from
// many goroutines; the race detector watches and every result must be the same.
func TestPackedOperandsAreShared(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 24))
	const m, n, k = 20, 50, 300
	a, b := newMatrix(r, m, k, 0), newMatrix(r, k, n, 0)
	eachKernel(t, func(t *testing.T, kr gemm.Kernel) {
		pa, pb := kr.PackA(m, k, a.data, k, false), kr.PackB(k, n, b.data, n, false)
		want := newMatrix(r, m, n, 0)
		pb.Mul(&gemm.Workspace{}, m, a.data, k, want.data, n, gemm.Epilogue{})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				ws := &gemm.Workspace{}
				for rows := 1; rows <= m; rows++ {
					c := matrix{rows, n, n, make([]float32, rows*n)}
					pb.Mul(ws, rows, a.data, k, c.data, n, gemm.Epilogue{})
					sameBits(t, "PackedB", c, want.data, n)
				}
				c := matrix{m, n, n, make([]float32, m*n)}
				pa.MulPacker(ws, n, b, c.data, n, gemm.Epilogue{})
				sameBits(t, "PackedA", c, want.data, n)
			})
		}
		wg.Wait()
	})
}

// TestShortSlicesPanic checks that a caller's mistake cannot reach the assembly.
func TestShortSlicesPanic(t *testing.T) {
	good := make([]float32, 6)
	ws := &gemm.Workspace{}
	pb := gemm.PackB(2, 3, good, 3, false)
	pa := gemm.PackA(3, 2, good, 2, false)
	mistakes := map[string]func(){
		"A short":         func() { pb.Mul(ws, 2, good[:3], 2, good, 3, gemm.Epilogue{}) },
		"C short":         func() { pb.Mul(ws, 2, good, 2, good[:5], 3, gemm.Epilogue{}) },
		"C narrow":        func() { pb.Mul(ws, 2, good, 2, good, 2, gemm.Epilogue{}) },
		"negative rows":   func() { pb.Mul(ws, -1, good, 2, good, 3, gemm.Epilogue{}) },
		"bias short":      func() { pb.Mul(ws, 1, good, 2, good, 3, gemm.Epilogue{ColBias: good[:2]}) },
		"row bias short":  func() { pb.Mul(ws, 2, good, 2, good, 3, gemm.Epilogue{RowBias: good[:1]}) },
		"B short":         func() { pa.Mul(ws, 2, good[:3], 2, false, make([]float32, 6), 2, gemm.Epilogue{}) },
		"B to pack short": func() { gemm.PackB(2, 4, good, 4, false) },
		"A to pack short": func() { gemm.PackA(4, 2, good, 2, false) },
		"lda below k":     func() { gemm.Mul(ws, 2, 2, 2, good, 1, false, good, 2, false, good, 2, gemm.Epilogue{}) },
		"vectors":         func() { gemm.ExpInto(good, good[:5]) },
		"zero points": func() {
			gemm.MulQuantized(1, 1, 1, []int8{1}, 1, []int8{1, 2}, []int8{1}, 1, nil, make([]int32, 1), 1)
		},
		"no such kernel": func() { gemm.Kernel(9).PackB(2, 3, good, 3, false) },
	}
	for name, mistake := range mistakes {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			mistake()
		})
	}
}
