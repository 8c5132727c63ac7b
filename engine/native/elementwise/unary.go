package elementwise

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// unaryKernel runs an operator of one input.
type unaryKernel struct {
	impl table[unaryFn]
	out  tensor.DType // element type of the output; Undefined: that of the input
}

func (k *unaryKernel) Run(c *op.Context) error {
	in := c.T(0)
	f, err := k.impl.find(in.DType())
	if err != nil {
		return err
	}
	d := k.out
	if d == tensor.Undefined {
		d = in.DType()
	}
	f(c, c.OutLike(0, d, in), in)
	return nil
}

// unaryDef declares an operator of one input without attributes.
func unaryDef(name string, impl table[unaryFn]) op.Def {
	k := &unaryKernel{impl: impl}
	return op.Def{
		Name:  name,
		Types: []op.TypeSet{impl.types()},
		Infer: op.InferSame,
		Build: func(*op.Node) (op.Kernel, error) { return k, nil },
	}
}

// unaryOps are the operators of one input that are no activations.
func unaryOps() []op.Def {
	defs := []op.Def{
		unaryDef("Abs", unaryNumbers("Abs")),
		unaryDef("Neg", unarySigned("Neg")),
		unaryDef("Sign", unaryNumbers("Sign")),
		unaryDef("Sqrt", unaryFloats(sqrtRow[float32], sqrtRow[float64])),
		unaryDef("Reciprocal", unaryFloats(reciprocalRow[float32], reciprocalRow[float64])),
		unaryDef("Exp", unaryFloats(gemm.ExpInto, each[float64](math.Exp))),
		unaryDef("Erf", unaryFloats(erfRow, each[float64](math.Erf))),
		unaryDef("Not", table[unaryFn]{tensor.Bool: unary(notRow)}),
		unaryDef("BitwiseNot", bitwiseNot()),
		isNaNDef(),
		isInfDef(),
	}
	for _, m := range mathFunctions {
		defs = append(defs, unaryDef(m.name, unaryFloats(each[float32](m.f), each[float64](m.f))))
	}
	return defs
}

// mathFunctions are computed in float64 for every float type.
var mathFunctions = []struct {
	name string
	f    func(float64) float64
}{
	{"Ceil", math.Ceil}, {"Floor", math.Floor}, {"Round", math.RoundToEven}, {"Log", math.Log},
	{"Sin", math.Sin}, {"Cos", math.Cos}, {"Tan", math.Tan},
	{"Asin", math.Asin}, {"Acos", math.Acos}, {"Atan", math.Atan},
	{"Sinh", math.Sinh}, {"Cosh", math.Cosh},
	{"Asinh", math.Asinh}, {"Acosh", math.Acosh}, {"Atanh", math.Atanh},
}

// each applies a scalar function to every element.
func each[T float](f func(float64) float64) unaryRow[T, T] {
	return func(dst, src []T) {
		for i, v := range src[:len(dst)] {
			dst[i] = T(f(float64(v)))
		}
	}
}

// unarySigned is a table for floats and signed integers.
func unarySigned(name string) table[unaryFn] {
	t := unaryFloats(signedRow[float32](name), signedRow[float64](name))
	t[tensor.Int8] = unary(signedRow[int8](name))
	t[tensor.Int16] = unary(signedRow[int16](name))
	t[tensor.Int32] = unary(signedRow[int32](name))
	t[tensor.Int64] = unary(signedRow[int64](name))
	return t
}

// unaryNumbers is a table for all numbers.
func unaryNumbers(name string) table[unaryFn] {
	t := unarySigned(name)
	t[tensor.Uint8] = unary(signedRow[uint8](name))
	t[tensor.Uint16] = unary(signedRow[uint16](name))
	t[tensor.Uint32] = unary(signedRow[uint32](name))
	t[tensor.Uint64] = unary(signedRow[uint64](name))
	return t
}

func signedRow[T number](name string) unaryRow[T, T] {
	switch name {
	case "Abs":
		return abs[T]
	case "Neg":
		return neg[T]
	case "Sign":
		return sign[T]
	case "Relu":
		return relu[T]
	}
	panic("elementwise: no function named " + name)
}

func abs[T number](dst, src []T) {
	for i, v := range src[:len(dst)] {
		if v <= 0 { // -0 too becomes 0
			v = 0 - v
		}
		dst[i] = v
	}
}

func neg[T number](dst, src []T) {
	for i, v := range src[:len(dst)] {
		dst[i] = -v
	}
}

// sign is -1, 0 or 1; a NaN stays one.
func sign[T number](dst, src []T) {
	one := T(1)
	for i, v := range src[:len(dst)] {
		switch {
		case v > 0:
			v = one
		case v < 0:
			v = -one
		}
		dst[i] = v
	}
}

func relu[T number](dst, src []T) {
	for i, v := range src[:len(dst)] {
		dst[i] = max(v, 0)
	}
}

func sqrtRow[T float](dst, src []T) {
	for i, v := range src[:len(dst)] {
		dst[i] = T(math.Sqrt(float64(v)))
	}
}

func reciprocalRow[T float](dst, src []T) {
	for i, v := range src[:len(dst)] {
		dst[i] = 1 / v
	}
}

func notRow(dst, src []bool) {
	for i, v := range src[:len(dst)] {
		dst[i] = !v
	}
}

func bitwiseNot() table[unaryFn] {
	return table[unaryFn]{
		tensor.Int8: unary(complement[int8]), tensor.Uint8: unary(complement[uint8]),
		tensor.Int16: unary(complement[int16]), tensor.Uint16: unary(complement[uint16]),
		tensor.Int32: unary(complement[int32]), tensor.Uint32: unary(complement[uint32]),
		tensor.Int64: unary(complement[int64]), tensor.Uint64: unary(complement[uint64]),
	}
}

func complement[T integer](dst, src []T) {
	for i, v := range src[:len(dst)] {
		dst[i] = ^v
	}
}
