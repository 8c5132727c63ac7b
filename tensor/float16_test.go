package tensor

import (
	"math"
	"testing"
)

func TestFloat16RoundTripsEveryPattern(t *testing.T) {
	for i := range 1 << 16 {
		h := Float16Bits(i)
		f := h.Float32()
		if f != f {
			if back := ToFloat16(f).Float32(); back == back {
				t.Fatalf("%#04x: NaN became %v", i, back)
			}
			continue
		}
		if got := ToFloat16(f); got != h {
			t.Fatalf("%#04x → %v → %#04x", i, f, got)
		}
	}
}

func TestBFloat16RoundTripsEveryPattern(t *testing.T) {
	for i := range 1 << 16 {
		h := BFloat16Bits(i)
		f := h.Float32()
		if f != f {
			continue
		}
		if got := ToBFloat16(f); got != h {
			t.Fatalf("%#04x → %v → %#04x", i, f, got)
		}
	}
}

func TestFloat16Rounding(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		in   float32
		want float32
	}{
		{65504, 65504}, {65519.99, 65504}, {65520, inf}, {-65520, -inf},
		{1 + 1.0/2048, 1}, {1 + 3.0/2048, 1 + 1.0/512},
		{1.0 / (1 << 25), 0}, {1.5 / (1 << 24), 2.0 / (1 << 24)}, {2.5 / (1 << 24), 2.0 / (1 << 24)},
	} {
		if got := ToFloat16(c.in).Float32(); got != c.want {
			t.Errorf("ToFloat16(%v) = %v, want %v", c.in, got, c.want)
		}
	}
}
