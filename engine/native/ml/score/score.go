// Package score turns the raw scores of the classical models (linear models,
// support vector machines, tree ensembles) into what they put out: the post
// transforms of the ai.onnx.ml domain, and the second column of classifiers
// that compute only one.
package score

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"github.com/greenlight-dev/greenlight/engine/native/op"
)

// Transform is a post_transform of the ai.onnx.ml domain. The numbers are
// those of TreeEnsemble-5.
type Transform uint8

// The transforms.
const (
	None Transform = iota
	Softmax
	Logistic
	SoftmaxZero // softmax that leaves zero scores zero
	Probit      // inverse of the normal distribution function
	transforms
)

var names = [transforms]string{"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"}

// Parse finds a transform by its name in a model.
func Parse(name string) (Transform, error) {
	for i, n := range names {
		if n == name {
			return Transform(i), nil
		}
	}
	return None, op.Errorf("post_transform %q is unknown; want one of %v", name, names)
}

// Numbered is the transform that TreeEnsemble-5 numbers so.
func Numbered(n int) (Transform, error) {
	if n < 0 || n >= int(transforms) {
		return None, op.Errorf("post_transform %d is unknown; want 0 to %d", n, transforms-1)
	}
	return Transform(n), nil
}

// Apply transforms the scores of one row in place.
func (t Transform) Apply(row []float32) {
	switch t {
	case Softmax:
		softmax(row)
	case Logistic:
		for i, v := range row {
			row[i] = Sigmoid(v)
		}
	case SoftmaxZero:
		softmaxZero(row)
	case Probit:
		for i, v := range row {
			row[i] = probit(v)
		}
	}
}

// Single transforms the score of a model with one output. A softmax of one
// score would always be 1, so the score is left as it is.
func (t Transform) Single(v float32) float32 {
	switch t {
	case Logistic:
		return Sigmoid(v)
	case Probit:
		return probit(v)
	}
	return v
}

// Pair writes the two columns of a binary classifier that computes one score,
// that of its positive class. The other column is the transform of the opposite
// score; but a model with votes (weights that are never negative) scores in
// [0, 1] without a transform, so there it is what is missing to 1. Softmax
// counts as no transform, as in ONNX Runtime.
func Pair[A float32 | float64](t Transform, dst []float32, s A, votes bool) {
	switch {
	case t == Probit:
		p := probit(float32(s))
		dst[0], dst[1] = 1-p, p
	case t == Logistic:
		dst[0], dst[1] = Sigmoid(float32(-s)), Sigmoid(float32(s))
	case votes:
		dst[0], dst[1] = float32(1-s), float32(s)
	default:
		dst[0], dst[1] = float32(-s), float32(s)
	}
}

// Sigmoid is 1/(1+e⁻ˣ), computed on the side where it does not overflow.
func Sigmoid(x float32) float32 {
	v := 1 / (1 + exp(-abs(x)))
	if x < 0 {
		return 1 - v
	}
	return v
}

func exp(x float32) float32 { return float32(math.Exp(float64(x))) }

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) }

func largest(row []float32) float32 {
	top := float32(-math.MaxFloat32)
	for _, v := range row {
		if v > top {
			top = v
		}
	}
	return top
}

func softmax(row []float32) {
	top, sum := largest(row), float32(0)
	for i := range row {
		row[i] -= top
	}
	gemm.ExpInto(row, row)
	for _, v := range row {
		sum += v
	}
	for i := range row {
		row[i] /= sum
	}
}

func softmaxZero(row []float32) {
	const zero = 1e-7 // scores closer to zero than this count as zero
	top, sum := largest(row), float32(0)
	shift := exp(-top)
	for i, v := range row {
		if v > zero || v < -zero {
			row[i] = exp(v - top)
			sum += row[i]
		} else {
			row[i] = v * shift
		}
	}
	if sum == 0 {
		return // nothing but zeros
	}
	for i := range row {
		row[i] /= sum
	}
}

// probit is √2·erf⁻¹(2x−1) with Winitzki's approximation of erf⁻¹ (2008,
// a = 0.147), which is what ONNX Runtime computes; its error is below 0.004.
func probit(x float32) float32 {
	const a = 0.147
	y := 2*x - 1
	ln := float32(math.Log(float64((1 - y) * (1 + y))))
	half := 2/(float32(3.14159)*a) + 0.5*ln
	root := float32(math.Sqrt(float64(half*half - ln/a)))
	v := float32(math.Sqrt2) * float32(math.Sqrt(float64(root-half)))
	if y < 0 {
		return -v
	}
	return v
}
