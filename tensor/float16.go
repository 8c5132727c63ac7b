package tensor

import "math"

// Float32 widens an IEEE binary16 exactly.
func (h Float16Bits) Float32() float32 {
	sign := uint32(h&0x8000) << 16
	exp := uint32(h>>10) & 0x1f
	frac := uint32(h & 0x3ff)
	switch {
	case exp == 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	case exp != 0:
		return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
	}
	f := float32(frac) * (1.0 / (1 << 24)) // subnormal: frac × 2⁻²⁴
	return math.Float32frombits(sign | math.Float32bits(f))
}

// ToFloat16 rounds to the nearest binary16, ties to even; what is too large
// becomes infinite.
func ToFloat16(f float32) Float16Bits {
	b := math.Float32bits(f)
	sign := uint16(b>>16) & 0x8000
	b &= 0x7fffffff
	switch {
	case b > 0x7f800000: // NaN, kept quiet
		return Float16Bits(sign | 0x7e00)
	case b >= 0x477ff000: // rounds to 65536 or more
		return Float16Bits(sign | 0x7c00)
	case b < 0x38800000: // subnormal in half precision: a multiple of 2⁻²⁴
		n := math.RoundToEven(float64(math.Float32frombits(b)) * (1 << 24))
		return Float16Bits(sign | uint16(n))
	}
	b += 0xfff + (b>>13)&1
	return Float16Bits(sign | uint16((b-0x38000000)>>13))
}

// Float32 widens a bfloat16 exactly.
func (h BFloat16Bits) Float32() float32 { return math.Float32frombits(uint32(h) << 16) }

// ToBFloat16 rounds to the nearest bfloat16, ties to even.
func ToBFloat16(f float32) BFloat16Bits {
	b := math.Float32bits(f)
	if b&0x7fffffff > 0x7f800000 {
		return BFloat16Bits(b>>16 | 0x40) // NaN, kept quiet
	}
	return BFloat16Bits((b + 0x7fff + (b>>16)&1) >> 16)
}
