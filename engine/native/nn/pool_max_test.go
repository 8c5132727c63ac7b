package nn

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// randomFloats has NaN, infinities and zeros of both signs among them.
func randomFloats(r *rand.Rand, n int) []float32 {
	special := []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 0, float32(math.Copysign(0, -1))}
	out := make([]float32, n)
	for i := range out {
		if out[i] = r.Float32() - 0.5; r.IntN(8) == 0 {
			out[i] = special[r.IntN(len(special))]
		}
	}
	return out
}

func same(a, b float32) bool { return a == b || (a != a && b != b) }

// TestMaxima compares what the processor's vector instructions give with plain
// Go.
func TestMaxima(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for n := range 40 {
		a, b := randomFloats(r, n), randomFloats(r, n)
		plain := slices.Clone(a)
		maxTail(plain, b)
		if maxFloats(a, b); !slices.EqualFunc(a, plain, same) {
			t.Fatalf("%d elements: got %v, want %v", n, a, plain)
		}
	}
	for out := 1; out < 14; out++ {
		for odd := range 2 {
			h := halves{rows: 3, out: out, width: 2*out + odd, dst: make([]float32, 3*out)}
			h.src = randomFloats(r, 6*h.width)
			h.runGeneric()
			plain := slices.Clone(h.dst)
			if h.run(); !slices.EqualFunc(h.dst, plain, same) {
				t.Fatalf("%d outputs: got %v, want %v", out, h.dst, plain)
			}
		}
	}
}
