package elementwise

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// classify is a table of a test on floats of every width, which all convert
// to float64 exactly.
func classify(f func(float64) bool) table[unaryFn] {
	t := table[unaryFn]{
		tensor.Float32:  unary(test[float32](f)),
		tensor.Float64:  unary(test[float64](f)),
		tensor.Float16:  classifySmall(f),
		tensor.BFloat16: classifySmall(f),
	}
	for _, d := range []tensor.DType{tensor.Float8E4M3FN, tensor.Float8E4M3FNUZ, tensor.Float8E5M2, tensor.Float8E5M2FNUZ} {
		values := tensor.SmallValues(d)
		t[d] = unary(func(dst []bool, src []tensor.SmallBits) {
			for i, v := range src[:len(dst)] {
				dst[i] = f(float64(values[v]))
			}
		})
	}
	return t
}

func test[T float](f func(float64) bool) unaryRow[bool, T] {
	return func(dst []bool, src []T) {
		for i, v := range src[:len(dst)] {
			dst[i] = f(float64(v))
		}
	}
}

func classifySmall(f func(float64) bool) unaryFn {
	row := test[float32](f)
	return func(c *op.Context, out, in *tensor.Tensor) {
		row(tensor.Data[bool](out), op.Float32s(c, 0, in))
	}
}

func isNaNDef() op.Def {
	k := &unaryKernel{impl: classify(math.IsNaN), out: tensor.Bool}
	def := unaryDef("IsNaN", k.impl)
	def.Infer = inferBinary(tensor.Bool)
	def.Build = func(*op.Node) (op.Kernel, error) { return k, nil }
	return def
}

func isInfDef() op.Def {
	def := unaryDef("IsInf", classify(math.IsNaN))
	def.Infer = inferBinary(tensor.Bool)
	def.Build = func(n *op.Node) (op.Kernel, error) {
		attrs := n.ReadAttrs()
		negative, positive := attrs.Bool("detect_negative", true), attrs.Bool("detect_positive", true)
		f := func(v float64) bool {
			return positive && v > math.MaxFloat64 || negative && v < -math.MaxFloat64
		}
		return &unaryKernel{impl: classify(f), out: tensor.Bool}, attrs.Err()
	}
	return def
}
