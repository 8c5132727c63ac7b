package elementwise

import (
	"math"
	"strings"

	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// activation is one activation function with its parameters bound.
type activation struct {
	f32 unaryRow[float32, float32]
	f64 unaryRow[float64, float64]
}

// scalar makes an activation of a function of one number.
func scalar(f func(float64) float64) activation {
	return activation{each[float32](f), each[float64](f)}
}

// Activation gives the named function, bound to its parameters and applied in
// place, for fusion into other operators and for the activations of RNN, GRU
// and LSTM. Names are those of ONNX, in any case, and also:
//
//	Affine       alpha·x + beta
//	ScaledTanh   alpha·tanh(beta·x)
//	Clip         min(max(x, alpha), beta)
//	GeluTanh     Gelu with approximate = "tanh"
//
// Selu takes its gamma as beta; functions with fewer parameters ignore the
// rest (see ActivationDefaults). It gives false for a name it does not know.
func Activation(name string, alpha, beta float32) (func(x []float32), bool) {
	a, ok := newActivation(strings.ToLower(name), alpha, beta)
	if !ok {
		return nil, false
	}
	return func(x []float32) { a.f32(x, x) }, true
}

// ActivationDefaults are the parameters that ONNX gives an activation whose
// node sets none.
func ActivationDefaults(name string) (alpha, beta float32) {
	switch strings.ToLower(name) {
	case "leakyrelu":
		return 0.01, 0
	case "elu", "celu", "thresholdedrelu", "swish", "affine":
		return 1, 0
	case "hardsigmoid":
		return 0.2, 0.5
	case "scaledtanh":
		return 1, 1
	case "selu":
		return 1.67326319217681884765625, 1.05070102214813232421875
	case "clip":
		return float32(math.Inf(-1)), float32(math.Inf(1))
	}
	return 0, 0
}

// newActivation finds an activation by its name in lower case.
func newActivation(name string, alpha, beta float32) (activation, bool) {
	a, b := float64(alpha), float64(beta)
	switch name {
	case "relu":
		return activation{relu[float32], relu[float64]}, true
	case "leakyrelu":
		return activation{leakyRelu(alpha), leakyRelu(a)}, true
	case "thresholdedrelu":
		return activation{thresholdedRelu(alpha), thresholdedRelu(a)}, true
	case "clip":
		return activation{clamp(alpha, beta), clamp(a, b)}, true
	case "affine":
		return activation{affine(alpha, beta), affine(a, b)}, true
	case "hardsigmoid":
		return activation{hardSigmoid(alpha, beta), hardSigmoid(a, b)}, true
	case "hardswish":
		return activation{hardSwish[float32], hardSwish[float64]}, true
	case "softsign":
		return activation{softsign[float32], softsign[float64]}, true
	case "sigmoid":
		return activation{gemm.SigmoidInto, each[float64](sigmoid)}, true
	case "tanh":
		return activation{gemm.TanhInto, each[float64](math.Tanh)}, true
	}
	return exponential(name, alpha, beta)
}

// exponential are the activations that need an exponential and more.
func exponential(name string, alpha, beta float32) (activation, bool) {
	a, b := float64(alpha), float64(beta)
	switch name {
	case "scaledtanh":
		return scalar(func(x float64) float64 { return a * math.Tanh(b*x) }), true
	case "softplus":
		return scalar(softplus), true
	case "swish":
		return activation{swishRow(alpha), each[float64](func(x float64) float64 { return x * sigmoid(a*x) })}, true
	case "mish":
		return activation{mishRow, each[float64](mish)}, true
	case "gelu":
		return activation{geluRow, each[float64](gelu)}, true
	case "gelutanh":
		return activation{geluTanhRow, each[float64](geluTanh)}, true
	case "elu":
		return activation{eluRow(alpha, 1, 1), each[float64](elu(a, 1, 1))}, true
	case "selu":
		return activation{eluRow(alpha, 1, beta), each[float64](elu(a, 1, b))}, true
	case "celu":
		return activation{eluRow(alpha, 1/alpha, 1), each[float64](elu(a, 1/a, 1))}, true
	}
	return activation{}, false
}

// activationAttrs names the attributes that hold an operator's parameters.
var activationAttrs = []struct{ op, alpha, beta string }{
	{op: "LeakyRelu", alpha: "alpha"},
	{op: "ThresholdedRelu", alpha: "alpha"},
	{op: "HardSigmoid", alpha: "alpha", beta: "beta"},
	{op: "Elu", alpha: "alpha"},
	{op: "Celu", alpha: "alpha"},
	{op: "Selu", alpha: "alpha", beta: "gamma"},
	{op: "Swish", alpha: "alpha"},
	{op: "Sigmoid"}, {op: "Tanh"}, {op: "Softplus"}, {op: "Softsign"},
	{op: "HardSwish"}, {op: "Mish"},
}

func activationOps() []op.Def {
	defs := []op.Def{unaryDef("Relu", unarySigned("Relu")), geluDef(), shrinkDef()}
	for _, a := range activationAttrs {
		defs = append(defs, op.Def{
			Name:  a.op,
			Types: []op.TypeSet{op.Floats},
			Infer: op.InferSame,
			Build: func(n *op.Node) (op.Kernel, error) { return buildActivation(n, a.alpha, a.beta) },
		})
	}
	return defs
}

func buildActivation(n *op.Node, alphaName, betaName string) (op.Kernel, error) {
	alpha, beta := ActivationDefaults(n.Op)
	attrs := n.ReadAttrs()
	if alphaName != "" {
		alpha = attrs.Float(alphaName, alpha)
	}
	if betaName != "" {
		beta = attrs.Float(betaName, beta)
	}
	return activationKernel(strings.ToLower(n.Op), alpha, beta), attrs.Err()
}

func activationKernel(name string, alpha, beta float32) op.Kernel {
	a, ok := newActivation(name, alpha, beta)
	if !ok {
		panic("elementwise: no activation named " + name)
	}
	return &unaryKernel{impl: unaryFloats(a.f32, a.f64)}
}

func geluDef() op.Def {
	return op.Def{
		Name:  "Gelu",
		Types: []op.TypeSet{op.Floats},
		Infer: op.InferSame,
		Build: func(n *op.Node) (op.Kernel, error) {
			attrs := n.ReadAttrs()
			switch mode := attrs.String("approximate", "none"); mode {
			case "none":
				return activationKernel("gelu", 0, 0), attrs.Err()
			case "tanh":
				return activationKernel("gelutanh", 0, 0), attrs.Err()
			default:
				return nil, op.Errorf("attribute \"approximate\" is %q, want none or tanh", mode)
			}
		},
	}
}

func swigluDef() op.Def {
	return op.Def{
		Name:  "SwiGLU",
		Types: []op.TypeSet{op.Floats, op.Floats},
		Infer: op.InferSame,
		Build: func(n *op.Node) (op.Kernel, error) {
			attrs := n.ReadAttrs()
			alpha := attrs.Float("alpha", 1)
			return op.Func(func(c *op.Context) error { return swiglu(c, alpha) }), attrs.Err()
		},
	}
}

// swiglu gates input 1 with the swish of input 0.
func swiglu(c *op.Context, alpha float32) error {
	a, b := c.T(0), c.T(1)
	if a.DType() != b.DType() || !sameShape(a.Shape(), b.Shape()) {
		return op.Errorf("inputs must have the same type and shape, got %v and %v", a, b)
	}
	out := c.OutLike(0, a.DType(), a)
	if a.DType() == tensor.Float64 {
		x, y, dst := tensor.Data[float64](a), tensor.Data[float64](b), tensor.Data[float64](out)
		for i, v := range x {
			dst[i] = v * sigmoid(float64(alpha)*v) * y[i]
		}
		return nil
	}
	x, y := op.Float32s(c, 0, a), op.Float32s(c, 1, b)
	swish := swishRow(alpha)
	dst := numeric.Target[float32](c, 2, out)
	swish(dst, x)
	mul(dst, dst, y)
	numeric.Store(c, 2, out, dst)
	return nil
}

func sameShape(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
