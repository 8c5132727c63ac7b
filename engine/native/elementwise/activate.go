package elementwise

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// The activation functions that need arithmetic alone, in the precision of
// their type.

func leakyRelu[T float](alpha T) unaryRow[T, T] {
	return func(dst, src []T) {
		for i, v := range src[:len(dst)] {
			if v < 0 {
				v *= alpha
			}
			dst[i] = v
		}
	}
}

func thresholdedRelu[T float](alpha T) unaryRow[T, T] {
	return func(dst, src []T) {
		for i, v := range src[:len(dst)] {
			if v <= alpha {
				v = 0
			}
			dst[i] = v
		}
	}
}

func clamp[T number](lo, hi T) unaryRow[T, T] {
	return func(dst, src []T) { clampRow(dst, src, lo, hi) }
}

func clampRow[T number](dst, src []T, lo, hi T) {
	for i, v := range src[:len(dst)] {
		dst[i] = min(max(v, lo), hi)
	}
}

func affine[T float](alpha, beta T) unaryRow[T, T] {
	return func(dst, src []T) {
		for i, v := range src[:len(dst)] {
			dst[i] = alpha*v + beta
		}
	}
}

func hardSigmoid[T float](alpha, beta T) unaryRow[T, T] {
	return func(dst, src []T) {
		for i, v := range src[:len(dst)] {
			dst[i] = min(max(T(alpha*v)+beta, 0), 1)
		}
	}
}

func hardSwish[T float](dst, src []T) {
	for i, v := range src[:len(dst)] {
		dst[i] = v * min(max(T(v*(1.0/6))+0.5, 0), 1)
	}
}

func softsign[T float](dst, src []T) {
	for i, v := range src[:len(dst)] {
		dst[i] = v / (1 + T(math.Abs(float64(v))))
	}
}

// shrinkDef is Shrink, which serves integers too.
func shrinkDef() op.Def {
	return op.Def{
		Name:  "Shrink",
		Types: []op.TypeSet{op.Numbers},
		Infer: op.InferSame,
		Build: func(n *op.Node) (op.Kernel, error) {
			attrs := n.ReadAttrs()
			bias, lambd := float64(attrs.Float("bias", 0)), float64(attrs.Float("lambd", 0.5))
			return &unaryKernel{impl: shrinkTable(bias, lambd)}, attrs.Err()
		},
	}
}

func shrinkTable(bias, lambd float64) table[unaryFn] {
	t := unaryFloats(shrink[float32](bias, lambd), shrink[float64](bias, lambd))
	t[tensor.Int8], t[tensor.Uint8] = unary(shrink[int8](bias, lambd)), unary(shrink[uint8](bias, lambd))
	t[tensor.Int16], t[tensor.Uint16] = unary(shrink[int16](bias, lambd)), unary(shrink[uint16](bias, lambd))
	t[tensor.Int32], t[tensor.Uint32] = unary(shrink[int32](bias, lambd)), unary(shrink[uint32](bias, lambd))
	t[tensor.Int64], t[tensor.Uint64] = unary(shrink[int64](bias, lambd)), unary(shrink[uint64](bias, lambd))
	return t
}

func shrink[T number](bias, lambd float64) unaryRow[T, T] {
	return func(dst, src []T) {
		for i, v := range src[:len(dst)] {
			x := float64(v)
			switch {
			case x < -lambd:
				x += bias
			case x > lambd:
				x -= bias
			default:
				x = 0
			}
			dst[i] = T(x)
		}
	}
}
