package tensor

import (
	"math"
	"testing"
)

var mantissaFormats = []DType{Float8E4M3FN, Float8E4M3FNUZ, Float8E5M2, Float8E5M2FNUZ, Float4E2M1}

func TestSmallFloatRoundTripsEveryCode(t *testing.T) {
	for _, d := range mantissaFormats {
		codes := 256
		if d == Float4E2M1 {
			codes = 16
		}
		for i := range codes {
			v := SmallBits(i).Float32(d)
			back := ToSmall(d, float64(v), false)
			if v != v {
				if w := back.Float32(d); w == w {
					t.Errorf("%v %#02x: NaN became %v", d, i, w)
				}
				continue
			}
			if int(back) != i {
				t.Errorf("%v %#02x → %v → %#02x", d, i, v, back)
			}
		}
	}
}

// TestSmallFloatRounds checks every midpoint between neighbours, and numbers
// just beside it.
func TestSmallFloatRounds(t *testing.T) {
	for _, d := range mantissaFormats {
		f := formatOf(d)
		for code := range f.largest {
			lo, hi := float64(SmallBits(code).Float32(d)), float64(SmallBits(code+1).Float32(d))
			mid := (lo + hi) / 2
			even := code + code&1
			for _, c := range []struct {
				x    float64
				want uint8
			}{{mid, even}, {math.Nextafter(mid, 0), code}, {math.Nextafter(mid, hi), code + 1}} {
				if got := ToSmall(d, c.x, true); uint8(got) != c.want {
					t.Errorf("ToSmall(%v, %v) = %#02x, want %#02x", d, c.x, got, c.want)
				}
			}
		}
	}
}

func TestSmallFloatLimits(t *testing.T) {
	for _, c := range []struct {
		d        DType
		largest  float32
		smallest float32
	}{
		{Float8E4M3FN, 448, 1.0 / 512},
		{Float8E4M3FNUZ, 240, 1.0 / 1024},
		{Float8E5M2, 57344, 1.0 / 65536},
		{Float8E5M2FNUZ, 57344, 1.0 / 131072},
		{Float4E2M1, 6, 0.5},
	} {
		f := formatOf(c.d)
		if got := SmallBits(f.largest).Float32(c.d); got != c.largest {
			t.Errorf("%v: largest is %v, want %v", c.d, got, c.largest)
		}
		if got := SmallBits(1).Float32(c.d); got != c.smallest {
			t.Errorf("%v: smallest is %v, want %v", c.d, got, c.smallest)
		}
		for _, x := range []float64{1e30, math.Inf(1), math.MaxFloat64} {
			if got := ToSmall(c.d, -x, true).Float32(c.d); got != -c.largest {
				t.Errorf("ToSmall(%v, %v, saturate) = %v", c.d, -x, got)
			}
		}
	}
}

func TestSmallFloatWithoutSaturation(t *testing.T) {
	inf := math.Inf(1)
	for _, c := range []struct {
		d    DType
		x    float64
		want SmallBits
	}{
		{Float8E4M3FN, inf, 0x7f}, {Float8E4M3FN, -1e6, 0xff},
		{Float8E4M3FN, 464, 0x7e}, {Float8E4M3FN, 465, 0x7f},
		{Float8E4M3FNUZ, -inf, 0x80}, {Float8E4M3FNUZ, 1e6, 0x80},
		{Float8E5M2, inf, 0x7c}, {Float8E5M2, -1e6, 0xfc}, {Float8E5M2, 61440, 0x7c},
		{Float8E5M2FNUZ, inf, 0x80},
		{Float4E2M1, inf, 0x07}, {Float4E2M1, math.NaN(), 0x08},
		{Float8E5M2, math.Copysign(0, -1), 0x80}, {Float8E5M2FNUZ, math.Copysign(0, -1), 0},
		{Float8E5M2FNUZ, -1e-20, 0},
	} {
		if got := ToSmall(c.d, c.x, false); got != c.want {
			t.Errorf("ToSmall(%v, %v) = %#02x, want %#02x", c.d, c.x, got, c.want)
		}
	}
}

func TestFloat8E8M0(t *testing.T) {
	for i := range 255 {
		v := SmallBits(i).Float32(Float8E8M0)
		for _, mode := range []RoundMode{RoundUp, RoundDown, RoundNearest} {
			if got := ToFloat8E8M0(float64(v), false, mode); int(got) != i {
				t.Errorf("%#02x → %v → %#02x", i, v, got)
			}
		}
	}
	for _, c := range []struct {
		x        float64
		saturate bool
		mode     RoundMode
		want     SmallBits
	}{
		{1.25, true, RoundUp, 128}, {1.25, true, RoundDown, 127}, {1.25, true, RoundNearest, 127},
		{1.5, true, RoundNearest, 128}, {0, true, RoundUp, 0}, {0, false, RoundNearest, 0xff},
		{1e300, true, RoundUp, 0xfe}, {1e300, false, RoundUp, 0xff}, {1e-300, true, RoundUp, 0},
		{1e-300, false, RoundNearest, 0xff}, {math.NaN(), true, RoundUp, 0xff},
		{math.Inf(1), true, RoundUp, 0xfe}, {math.Inf(1), false, RoundUp, 0xff},
	} {
		if got := ToFloat8E8M0(c.x, c.saturate, c.mode); got != c.want {
			t.Errorf("ToFloat8E8M0(%v, %v, %v) = %#02x, want %#02x", c.x, c.saturate, c.mode, got, c.want)
		}
	}
	if v := SmallBits(0xff).Float32(Float8E8M0); v == v {
		t.Errorf("0xff is %v, want NaN", v)
	}
}
