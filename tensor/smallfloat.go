package tensor

import "math"

// RoundMode says how a number between two powers of two becomes a float8e8m0.
type RoundMode uint8

// The rounding modes of ONNX's Cast.
const (
	RoundUp      RoundMode = iota // to the larger power of two
	RoundDown                     // to the smaller one
	RoundNearest                  // to the nearer one, ties to the larger
)

// smallFormat describes a float of 8 or 4 bits: a sign, an exponent with a
// bias, and a mantissa. Their definitions: P. Micikevicius et al., "FP8 formats
// for deep learning" (2022); B. Noune et al., "8-bit numerical formats for
// deep neural networks" (2022) for the FNUZ ones; OCP Microscaling Formats
// (MX) v1.0 for float4e2m1.
type smallFormat struct {
	mantissa int
	bias     int
	sign     uint8 // the sign bit
	largest  uint8 // the code of the largest finite number
	inf, nan uint8 // codes; 0 when there is none
	unsigned bool  // zero and NaN have no sign (the FNUZ formats)
}

func formatOf(d DType) *smallFormat {
	switch d {
	case Float8E4M3FN:
		return &smallFormats[0]
	case Float8E4M3FNUZ:
		return &smallFormats[1]
	case Float8E5M2:
		return &smallFormats[2]
	case Float8E5M2FNUZ:
		return &smallFormats[3]
	case Float4E2M1:
		return &smallFormats[4]
	}
	return nil
}

var smallFormats = [...]smallFormat{
	{mantissa: 3, bias: 7, sign: 0x80, largest: 0x7e, nan: 0x7f},
	{mantissa: 3, bias: 8, sign: 0x80, largest: 0x7f, nan: 0x80, unsigned: true},
	{mantissa: 2, bias: 15, sign: 0x80, largest: 0x7b, inf: 0x7c, nan: 0x7e},
	{mantissa: 2, bias: 16, sign: 0x80, largest: 0x7f, nan: 0x80, unsigned: true},
	{mantissa: 1, bias: 1, sign: 0x08, largest: 0x07},
}

// IsSmallFloat says whether d is one of the float formats of a byte or less,
// which SmallBits holds.
func (d DType) IsSmallFloat() bool { return d == Float8E8M0 || formatOf(d) != nil }

// SmallValues gives the value of every code of a small float format; NaN for
// codes without one. It panics when d is not such a format. The array is
// shared and must not be changed.
func SmallValues(d DType) *[256]float32 {
	for i, f := range smallDTypes {
		if f == d {
			return &smallValues[i]
		}
	}
	panic("tensor: " + d.String() + " is not a float8 or float4 format")
}

var smallDTypes = [...]DType{
	Float8E4M3FN, Float8E4M3FNUZ, Float8E5M2, Float8E5M2FNUZ, Float4E2M1, Float8E8M0,
}

var smallValues = func() (v [len(smallDTypes)][256]float32) {
	for i, d := range smallDTypes {
		for code := range v[i] {
			if d == Float8E8M0 {
				v[i][code] = powerOfTwo(uint8(code))
			} else {
				v[i][code] = formatOf(d).value(uint8(code))
			}
		}
	}
	return v
}()

// Float32 is the exact value of b in format d; NaN has no payload. It panics
// when d is not a small float format.
func (b SmallBits) Float32(d DType) float32 { return SmallValues(d)[b] }

// powerOfTwo is the value of a float8e8m0 code: an exponent alone.
func powerOfTwo(code uint8) float32 {
	if code == 0xff {
		return float32(math.NaN())
	}
	return float32(math.Ldexp(1, int(code)-127))
}

func (f *smallFormat) value(code uint8) float32 {
	negative := code&f.sign != 0
	mag := code & (f.sign - 1)
	var v float64
	switch {
	case f.unsigned && code == f.nan, mag > f.largest && mag != f.inf:
		return float32(math.NaN())
	case mag > f.largest:
		v = math.Inf(1)
	case mag>>f.mantissa == 0: // subnormal
		v = math.Ldexp(float64(mag), 1-f.bias-f.mantissa)
	default:
		whole := 1<<f.mantissa | int(mag)&(1<<f.mantissa-1)
		v = math.Ldexp(float64(whole), int(mag>>f.mantissa)-f.bias-f.mantissa)
	}
	if negative {
		v = -v
	}
	return float32(v)
}

// ToSmall rounds x to the nearest number of format d, ties to even. Numbers
// out of range, infinities among them, become the largest finite number when
// saturate is set; else infinite, or NaN in formats without infinities. A
// float4e2m1 always saturates, and has no NaN: it gives -0 for one. It panics
// when d is none of the formats with a mantissa (see ToFloat8E8M0).
func ToSmall(d DType, x float64, saturate bool) SmallBits {
	f := formatOf(d)
	if f == nil {
		panic("tensor: " + d.String() + " is not a float8 or float4 format with a mantissa")
	}
	return SmallBits(f.encode(x, saturate))
}

func (f *smallFormat) encode(x float64, saturate bool) uint8 {
	var sign uint8
	if math.Signbit(x) {
		sign = f.sign
	}
	if x != x {
		return f.notANumber(sign)
	}
	mag := f.magnitude(math.Abs(x))
	switch {
	case mag <= int(f.largest):
		if mag == 0 && f.unsigned {
			return 0
		}
		return sign | uint8(mag)
	case saturate || f.nan == 0:
		return sign | f.largest
	case f.inf != 0:
		return sign | f.inf
	}
	return f.notANumber(sign)
}

func (f *smallFormat) notANumber(sign uint8) uint8 {
	switch {
	case f.nan == 0:
		return f.sign
	case f.unsigned:
		return f.nan
	}
	return sign | f.nan
}

// magnitude rounds a ≥ 0 to a code without sign, which may be past the
// largest one.
func (f *smallFormat) magnitude(a float64) int {
	const past = 0x100
	e := int(math.Float64bits(a)>>52) - 1023 // exponent of a
	if e > 127 {
		return past
	}
	least := 1 - f.bias // exponent of the smallest normal number
	e = max(e, least)
	// In units of the last place, a is a whole number to round. A carry out
	// of the mantissa moves to the next exponent by itself.
	scale := math.Float64frombits(uint64(1023+f.mantissa-e) << 52)
	return int(math.RoundToEven(a*scale)) + (e-least)<<f.mantissa
}

// ToFloat8E8M0 gives the power of two that stands for |x| under mode. Numbers
// outside 2⁻¹²⁷…2¹²⁷ become the nearest of these bounds when saturate is set,
// else NaN.
func ToFloat8E8M0(x float64, saturate bool, mode RoundMode) SmallBits {
	const nan, largest = 0xff, 0xfe
	x = math.Abs(x)
	if x != x {
		return nan
	}
	frac, e := math.Frexp(min(x, math.MaxFloat64)) // frac·2ᵉ with frac in [½, 1)
	code := e - 1 + 127
	if mode == RoundUp && frac > 0.5 || mode == RoundNearest && frac >= 0.75 {
		code++
	}
	switch {
	case x != 0 && code >= 0 && code <= largest:
		return SmallBits(code)
	case !saturate:
		return nan
	case x == 0 || code < 0:
		return 0
	}
	return largest
}
