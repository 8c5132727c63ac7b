package gemm_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/gemm"
)

// ulps is the distance from got to the float64 truth in units of the last
// place of a float32 of that size.
func ulps(got float32, want float64) float64 {
	rounded := float32(want)
	if got == rounded || (got != got && want != want) {
		return 0
	}
	unit := float64(math.Nextafter32(float32(math.Abs(want)), float32(math.Inf(1)))) - math.Abs(float64(float32(math.Abs(want))))
	return math.Abs(float64(got)-want) / unit
}

// sweep returns every 997th float32 of both signs, in order of their bits, and
// the values where something happens.
func sweep() []float32 {
	x := []float32{0, 88.72283, 88.72284, 88.8, -87.33655, -87.4, -103.27, -103.98, -104.2, 0.625, 0.62499994, 1, -1}
	for bits := uint64(0); bits < 0xff800000; bits += 997 {
		if v := math.Float32frombits(uint32(bits)); v == v {
			x = append(x, v)
		}
	}
	return append(x, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()))
}

func TestElementaryFunctions(t *testing.T) {
	functions := []struct {
		name    string
		into    func(kr gemm.Kernel, dst, src []float32)
		truth   func(float64) float64
		within  float64
		smaller float64 // results below this may be 0
	}{
		{"exp", gemm.Kernel.ExpInto, math.Exp, 2, 0},
		{"sigmoid", gemm.Kernel.SigmoidInto, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, 4, 0x1p-126},
		{"tanh", gemm.Kernel.TanhInto, math.Tanh, 4, 0},
	}
	src := sweep()
	dst := make([]float32, len(src))
	eachKernel(t, func(t *testing.T, kr gemm.Kernel) {
		for _, f := range functions {
			f.into(kr, dst, src)
			worst, at := 0.0, float32(0)
			for i, x := range src {
				want := f.truth(float64(x))
				if math.Abs(want) < f.smaller && dst[i] >= 0 && float64(dst[i]) < f.smaller {
					continue
				}
				if d := ulps(dst[i], want); !(d <= worst) {
					worst, at = d, x
				}
			}
			t.Logf("%s: worst %.2f units in the last place, at %v", f.name, worst, at)
			if !(worst <= f.within) {
				t.Errorf("%s(%v) is %.2f units off, allowed %v", f.name, at, worst, f.within)
			}
			samePositions(t, kr, f.name, f.into)
		}
	})
}

// samePositions checks that where an element stands does not change its bits.
func samePositions(t *testing.T, kr gemm.Kernel, name string, into func(kr gemm.Kernel, dst, src []float32)) {
	t.Helper()
	src := newMatrix(rand.New(rand.NewPCG(7, 8)), 1, 41, 0).data
	whole := make([]float32, len(src))
	into(kr, whole, src)
	for i := range src {
		for n := range len(src) - i {
			part := append([]float32(nil), src[i:i+n]...)
			into(kr, part, part)
			sameBits(t, name, matrix{1, n, n, part}, whole[i:], n)
		}
	}
}

func TestVectors(t *testing.T) {
	eachKernel(t, func(t *testing.T, kr gemm.Kernel) {
		r := rand.New(rand.NewPCG(9, 10))
		for n := range 100 {
			x, y, z, w := newMatrix(r, 1, n, 0).data, newMatrix(r, 1, n, 0).data, newMatrix(r, 1, n, 0).data, newMatrix(r, 1, n, 0).data
			var dot float64
			for i := range x {
				dot += float64(x[i]) * float64(y[i])
			}
			if got := kr.Dot(x, y); math.Abs(float64(got)-dot) > 1e-5 {
				t.Fatalf("Dot of %d: %v, want %v", n, got, dot)
			}
			scaled := make([]float32, n)
			kr.ScaleShift(scaled, x, y, z)
			axpy := append([]float32(nil), w...)
			kr.Axpy(axpy, -0.75, x)
			for i := range x {
				if want := float64(x[i])*float64(y[i]) + float64(z[i]); math.Abs(float64(scaled[i])-want) > 1e-6 {
					t.Fatalf("ScaleShift of %d: element %d is %v, want %v", n, i, scaled[i], want)
				}
				if want := float64(w[i]) - 0.75*float64(x[i]); math.Abs(float64(axpy[i])-want) > 1e-6 {
					t.Fatalf("Axpy of %d: element %d is %v, want %v", n, i, axpy[i], want)
				}
			}
		}
	})
}

func TestFinish(t *testing.T) {
	eachKernel(t, func(t *testing.T, kr gemm.Kernel) {
		c := []float32{-2, 5, 9, float32(math.NaN()), -1, 9}
		kr.Finish(2, 2, c, 3, gemm.Epilogue{RowBias: []float32{1, 0}, ColBias: []float32{0, 3}, Activation: gemm.Relu})
		want := []float32{0, 9, 9, float32(math.NaN()), 2, 9}
		for i, v := range c {
			if v != want[i] && v == v {
				t.Errorf("element %d is %v, want %v", i, v, want[i])
			}
		}
		if c[3] == c[3] {
			t.Errorf("NaN became %v", c[3])
		}
	})
}

func BenchmarkExp(b *testing.B) {
	src := newMatrix(rand.New(rand.NewPCG(1, 1)), 1, 1024, 0).data
	dst := make([]float32, len(src))
	for name, f := range map[string]func(dst, src []float32){"exp": gemm.ExpInto, "sigmoid": gemm.SigmoidInto, "tanh": gemm.TanhInto} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				f(dst, src)
			}
		})
	}
}
