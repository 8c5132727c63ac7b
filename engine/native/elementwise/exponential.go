package elementwise

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/gemm"
)

// The activation functions with an exponential: in float64, then as row
// functions on float32 that hand the exponential to vector code block by
// block. dst and src may be the same.

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func softplus(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

func mish(x float64) float64 { return x * math.Tanh(softplus(x)) }

func gelu(x float64) float64 { return 0.5 * x * math.Erfc(-x/math.Sqrt2) }

func geluTanh(x float64) float64 { return x * sigmoid(geluTanhArgument(x)) }

// geluTanhArgument is such that its sigmoid is (1+tanh(√(2/π)(x+0.044715x³)))/2.
func geluTanhArgument(x float64) float64 {
	return 2 * math.Sqrt2 / math.SqrtPi * (x + 0.044715*x*x*x)
}

// elu is scale·alpha·(exp(rate·x)-1) below zero, scale·x above.
func elu(alpha, rate, scale float64) func(float64) float64 {
	return func(x float64) float64 {
		if x < 0 {
			x = alpha * math.Expm1(rate*x)
		}
		return scale * x
	}
}

// block is how many elements are computed at a time.
const block = 256

// swishRow is x·sigmoid(alpha·x).
func swishRow(alpha float32) unaryRow[float32, float32] {
	return func(dst, src []float32) {
		var buf [block]float32
		for o := 0; o < len(dst); o += block {
			x := src[o:min(o+block, len(dst))]
			y := buf[:len(x)]
			for i, v := range x {
				y[i] = alpha * v
			}
			gemm.SigmoidInto(y, y)
			mul(dst[o:][:len(x)], x, y)
		}
	}
}

func geluTanhRow(dst, src []float32) {
	var buf [block]float32
	for o := 0; o < len(dst); o += block {
		x := src[o:min(o+block, len(dst))]
		y := buf[:len(x)]
		for i, v := range x {
			y[i] = 2 * math.Sqrt2 / math.SqrtPi * (v + 0.044715*v*v*v)
		}
		gemm.SigmoidInto(y, y)
		mul(dst[o:][:len(x)], x, y)
	}
}

// mishRow uses that tanh(ln(1+e)) is e(e+2)/(e(e+2)+2). Beyond 30 it is 1.
func mishRow(dst, src []float32) {
	var buf [block]float32
	for o := 0; o < len(dst); o += block {
		x := src[o:min(o+block, len(dst))]
		y := buf[:len(x)]
		gemm.ExpInto(y, x)
		for i, v := range x {
			if v < 30 {
				e := y[i] * (y[i] + 2)
				v *= e / (e + 2)
			}
			dst[o+i] = v
		}
	}
}

// eluRow is elu for float32.
func eluRow(alpha, rate, scale float32) unaryRow[float32, float32] {
	return func(dst, src []float32) {
		var buf [block]float32
		for o := 0; o < len(dst); o += block {
			x := src[o:min(o+block, len(dst))]
			y := buf[:len(x)]
			for i, v := range x {
				y[i] = rate * v
			}
			gemm.ExpInto(y, y)
			for i, v := range x {
				if v < 0 {
					v = alpha * expm1(rate*v, y[i])
				}
				dst[o+i] = scale * v
			}
		}
	}
}

// expm1 is eˣ-1 for a negative x whose exponential is e; by its series where
// the difference would cancel.
func expm1(x, e float32) float32 {
	if x < -0.5 {
		return e - 1
	}
	return x * (1 + x*(1.0/2+x*(1.0/6+x*(1.0/24+x*(1.0/120+x*(1.0/720+x*(1.0/5040+x*(1.0/40320))))))))
}
