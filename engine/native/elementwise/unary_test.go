package elementwise_test

import (
	"math"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/elementwise"
	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/tensor"
)

var (
	ops = elementwise.Ops()
	nan = math.NaN()
	inf = math.Inf(1)
)

// attrs shortens the tables of calls below.
type attrs = optest.Attrs

// floatTypes are the types that every function of real numbers serves, and
// how exact they are.
var floatTypes = []struct {
	d         tensor.DType
	tolerance float64
}{
	{tensor.Float32, 1e-6}, {tensor.Float64, 1e-8}, {tensor.Float16, 2e-3}, {tensor.BFloat16, 2e-2},
}

// as makes a tensor of float type d.
func as(d tensor.DType, x []float64, shape ...int) *tensor.Tensor {
	t := tensor.New(d, shape...)
	switch d {
	case tensor.Float64:
		copy(tensor.Data[float64](t), x)
	case tensor.Float32:
		for i, v := range x {
			tensor.Data[float32](t)[i] = float32(v)
		}
	case tensor.Float16:
		for i, v := range x {
			tensor.Data[tensor.Float16Bits](t)[i] = tensor.ToFloat16(float32(v))
		}
	case tensor.BFloat16:
		for i, v := range x {
			tensor.Data[tensor.BFloat16Bits](t)[i] = tensor.ToBFloat16(float32(v))
		}
	}
	return t
}

// around is a range where the functions do something.
var around = []float64{-3, -1, -0.25, 0, 0.25, 1, 3}

// TestRealFunctions checks every function and activation on all float types.
// The expected numbers are NumPy's, from the formulas of the specification.
func TestRealFunctions(t *testing.T) {
	for _, c := range []struct {
		op    string
		attrs attrs
		want  []float64
	}{
		{"Relu", nil, []float64{0, 0, 0, 0, 0.25, 1, 3}},
		{"LeakyRelu", attrs{"alpha": 0.1}, []float64{-0.3, -0.1, -0.025, 0, 0.25, 1, 3}},
		{"LeakyRelu", nil, []float64{-0.03, -0.01, -0.0025, 0, 0.25, 1, 3}},
		{"Elu", attrs{"alpha": 2.0}, []float64{-1.90042586, -1.26424112, -0.442398434, 0, 0.25, 1, 3}},
		{"Selu", nil, []float64{-1.67056873, -1.11133074, -0.388890199, 0, 0.262675256, 1.05070102, 3.15210307}},
		{"Celu", attrs{"alpha": 2.0}, []float64{-1.55373968, -0.786938681, -0.235006195, 0, 0.25, 1, 3}},
		{"ThresholdedRelu", attrs{"alpha": 0.5}, []float64{0, 0, 0, 0, 0, 1, 3}},
		{"Sigmoid", nil, []float64{0.0474258732, 0.268941421, 0.437823499, 0.5, 0.562176501, 0.731058579, 0.952574127}},
		{"HardSigmoid", nil, []float64{0, 0.3, 0.45, 0.5, 0.55, 0.7, 1}},
		{"HardSigmoid", attrs{"alpha": 0.5, "beta": 0.25}, []float64{0, 0, 0.125, 0.25, 0.375, 0.75, 1}},
		{"HardSwish", nil, []float64{0, -1.0 / 3, -0.114583333, 0, 0.135416667, 2.0 / 3, 3}},
		{"Swish", nil, []float64{-0.14227762, -0.268941421, -0.109455875, 0, 0.140544125, 0.731058579, 2.85772238}},
		{"Swish", attrs{"alpha": 2.0}, []float64{-0.00741786947, -0.119202922, -0.0943851672, 0, 0.155614833, 0.880797078, 2.99258213}},
		{"Mish", nil, []float64{-0.145647461, -0.303401461, -0.129926964, 0, 0.16957241, 0.865098388, 2.986535}},
		{"Gelu", nil, []float64{-0.00404969409, -0.158655254, -0.100323419, 0, 0.149676581, 0.841344746, 2.99595031}},
		{"Gelu", attrs{"approximate": "tanh"}, []float64{-0.00363739208, -0.158808009, -0.100324649, 0, 0.149675351, 0.841191991, 2.99636261}},
		{"Softplus", nil, []float64{0.0485873516, 0.313261688, 0.57593942, 0.693147181, 0.82593942, 1.31326169, 3.04858735}},
		{"Softsign", nil, []float64{-0.75, -0.5, -0.2, 0, 0.2, 0.5, 0.75}},
		{"Tanh", nil, []float64{-0.995054754, -0.761594156, -0.244918662, 0, 0.244918662, 0.761594156, 0.995054754}},
		{"Shrink", attrs{"lambd": 0.5, "bias": 0.25}, []float64{-2.75, -0.75, 0, 0, 0, 0.75, 2.75}},
		{"Exp", nil, []float64{0.0497870684, 0.367879441, 0.778800783, 1, 1.28402542, 2.71828183, 20.0855369}},
		{"Erf", nil, []float64{-0.99997791, -0.842700793, -0.27632639, 0, 0.27632639, 0.842700793, 0.99997791}},
		{"Sin", nil, []float64{-0.141120008, -0.841470985, -0.247403959, 0, 0.247403959, 0.841470985, 0.141120008}},
		{"Cos", nil, []float64{-0.989992497, 0.540302306, 0.968912422, 1, 0.968912422, 0.540302306, -0.989992497}},
		{"Tan", nil, []float64{0.142546543, -1.55740772, -0.255341921, 0, 0.255341921, 1.55740772, -0.142546543}},
		{"Atan", nil, []float64{-1.24904577, -0.785398163, -0.244978663, 0, 0.244978663, 0.785398163, 1.24904577}},
		{"Sinh", nil, []float64{-10.0178749, -1.17520119, -0.252612317, 0, 0.252612317, 1.17520119, 10.0178749}},
		{"Cosh", nil, []float64{10.067662, 1.54308063, 1.0314131, 1, 1.0314131, 1.54308063, 10.067662}},
		{"Asinh", nil, []float64{-1.81844646, -0.881373587, -0.247466462, 0, 0.247466462, 0.881373587, 1.81844646}},
		{"Abs", nil, []float64{3, 1, 0.25, 0, 0.25, 1, 3}},
		{"Neg", nil, []float64{3, 1, 0.25, 0, -0.25, -1, -3}},
		{"Sign", nil, []float64{-1, -1, -1, 0, 1, 1, 1}},
		{"Ceil", nil, []float64{-3, -1, 0, 0, 1, 1, 3}},
		{"Floor", nil, []float64{-3, -1, -1, 0, 0, 1, 3}},
	} {
		for _, f := range floatTypes {
			in := as(f.d, around, 7)
			got := optest.Run(t, ops, optest.Call{Op: c.op, Attrs: c.attrs}, in).Out(0)
			t.Run(c.op+"/"+f.d.String(), func(t *testing.T) { optest.Want(t, got, as(f.d, c.want, 7), f.tolerance) })
		}
	}
}

func TestFunctionsOfPartOfTheLine(t *testing.T) {
	for _, c := range []struct {
		op       string
		in, want []float32
	}{
		{"Asin", []float32{0.25, 0.5, 2}, []float32{0.25268026, 0.52359878, float32(nan)}},
		{"Acos", []float32{0.25, 0.5, 0.75}, []float32{1.31811607, 1.04719755, 0.72273425}},
		{"Atanh", []float32{0.25, 0.5, 1}, []float32{0.25541281, 0.54930614, float32(inf)}},
		{"Acosh", []float32{1, 1.5, 4}, []float32{0, 0.96242365, 2.06343707}},
		{"Log", []float32{1, 1.5, 0, -1}, []float32{0, 0.40546511, float32(-inf), float32(nan)}},
		{"Sqrt", []float32{1, 1.5, 4}, []float32{1, 1.22474487, 2}},
		{"Reciprocal", []float32{1, 1.5, 4, 0}, []float32{1, 0.66666667, 0.25, float32(inf)}},
		{"Round", []float32{0.5, 1.5, -2.5, 2.4}, []float32{0, 2, -2, 2}},
	} {
		got := optest.Run(t, ops, optest.Call{Op: c.op}, tensor.From(c.in, len(c.in))).Out(0)
		optest.Want(t, got, tensor.From(c.want, len(c.want)), 1e-6)
	}
}

// TestSpecialNumbers holds the functions at infinities, NaN and far out.
func TestSpecialNumbers(t *testing.T) {
	in := tensor.From([]float32{float32(-inf), -1e30, 1e30, float32(inf), float32(nan)}, 5)
	for _, c := range []struct {
		op   string
		want []float64
	}{
		{"Relu", []float64{0, 0, 1e30, inf, nan}},
		{"Sigmoid", []float64{0, 0, 1, 1, nan}},
		{"Tanh", []float64{-1, -1, 1, 1, nan}},
		{"Exp", []float64{0, 0, inf, inf, nan}},
		{"Erf", []float64{-1, -1, 1, 1, nan}},
		{"Elu", []float64{-1, -1, 1e30, inf, nan}},
		{"Softplus", []float64{0, 0, 1e30, inf, nan}},
		{"Softsign", []float64{nan, -1, 1, nan, nan}},
		{"Sign", []float64{-1, -1, 1, 1, nan}},
		{"Abs", []float64{inf, 1e30, 1e30, inf, nan}},
		{"HardSigmoid", []float64{0, 0, 1, 1, nan}},
	} {
		got := optest.Run(t, ops, optest.Call{Op: c.op}, in).Out(0)
		t.Run(c.op, func(t *testing.T) { optest.Want(t, got, as(tensor.Float32, c.want, 5), 1e-6) })
	}
}

// TestGeluAndMishFarOut checks that the products with vanishing factors are
// neither NaN nor wrong.
func TestGeluAndMishFarOut(t *testing.T) {
	in := tensor.From([]float32{-1e30, -50, -7, 7, 50, 1e30}, 6)
	for name, want := range map[string][]float64{
		"Gelu":  {0, 0, -8.9586902e-12, 7, 50, 1e30},
		"Mish":  {0, -50 * 1.9287498e-22, -0.0063802636, 6.9999884, 50, 1e30},
		"Swish": {0, -50 * 1.9287498e-22, -0.0063773631, 6.9936226, 50, 1e30},
	} {
		got := optest.Run(t, ops, optest.Call{Op: name}, in).Out(0)
		for i, v := range tensor.Data[float32](got) {
			if diff := math.Abs(float64(v) - want[i]); !(diff <= 1e-5*math.Abs(want[i])) {
				t.Errorf("%s(%v) = %v, want %v", name, tensor.Data[float32](in)[i], v, want[i])
			}
		}
	}
}

// TestFastFunctionsAreExact compares the float32 forms with the float64 ones
// in units of the last place.
func TestFastFunctionsAreExact(t *testing.T) {
	const n = 20001
	for _, c := range []struct {
		op     string
		lo, hi float64
		units  float64
	}{
		{"Erf", -5, 5, 2.5}, {"Gelu", -6, 8, 3}, {"Exp", -80, 80, 2.5}, {"Sigmoid", -80, 80, 4.5},
		{"Tanh", -12, 12, 4.5}, {"Swish", -20, 20, 6}, {"Mish", -20, 40, 6}, {"Elu", -20, 4, 3},
	} {
		x := make([]float64, n)
		for i := range x {
			x[i] = float64(float32(c.lo + (c.hi-c.lo)*float64(i)/(n-1)))
		}
		exact := optest.Run(t, ops, optest.Call{Op: c.op}, as(tensor.Float64, x, n)).Out(0)
		fast := optest.Run(t, ops, optest.Call{Op: c.op}, as(tensor.Float32, x, n)).Out(0)
		for i, v := range tensor.Data[float32](fast) {
			want := tensor.Data[float64](exact)[i]
			size := float32(math.Abs(want))
			unit := float64(math.Nextafter32(size, math.MaxFloat32) - size)
			if off := math.Abs(float64(v)-want) / unit; !(off <= c.units) {
				t.Errorf("%s(%v) = %v, want %v: %.1f units in the last place", c.op, x[i], v, want, off)
				break
			}
		}
	}
}

func TestIntegerFunctions(t *testing.T) {
	in := tensor.From([]int32{-3, 0, 5}, 3)
	for name, want := range map[string][]int32{
		"Abs": {3, 0, 5}, "Neg": {3, 0, -5}, "Sign": {-1, 0, 1}, "Relu": {0, 0, 5}, "BitwiseNot": {2, -1, -6},
	} {
		got := optest.Run(t, ops, optest.Call{Op: name}, in).Out(0)
		optest.Want(t, got, tensor.From(want, 3), 0)
	}
	unsigned := tensor.From([]uint8{0, 7, 255}, 3)
	optest.Want(t, optest.Run(t, ops, optest.Call{Op: "Sign"}, unsigned).Out(0), tensor.From([]uint8{0, 1, 1}, 3), 0)
	optest.Want(t, optest.Run(t, ops, optest.Call{Op: "BitwiseNot"}, unsigned).Out(0), tensor.From([]uint8{255, 248, 0}, 3), 0)
	shrunk := optest.Run(t, ops, optest.Call{Op: "Shrink", Attrs: attrs{"bias": 1.0, "lambd": 2.0}}, tensor.From([]int8{-4, -2, 0, 2, 4}, 5)).Out(0)
	optest.Want(t, shrunk, tensor.From([]int8{-3, 0, 0, 0, 3}, 5), 0)
}

func TestClassification(t *testing.T) {
	in := []float64{1, nan, inf, -inf}
	for _, f := range floatTypes {
		x := as(f.d, in, 4)
		for _, c := range []struct {
			op    string
			attrs attrs
			want  []bool
		}{
			{"IsNaN", nil, []bool{false, true, false, false}},
			{"IsInf", nil, []bool{false, false, true, true}},
			{"IsInf", attrs{"detect_negative": 0}, []bool{false, false, true, false}},
			{"IsInf", attrs{"detect_positive": 0}, []bool{false, false, false, true}},
		} {
			optest.Want(t, optest.Run(t, ops, optest.Call{Op: c.op, Attrs: c.attrs}, x).Out(0), tensor.From(c.want, 4), 0)
		}
	}
	small := tensor.FromAs(tensor.Float8E5M2, []tensor.SmallBits{0x3c, 0x7e, 0x7c, 0xfc}, 4)
	optest.Want(t, optest.Run(t, ops, optest.Call{Op: "IsInf"}, small).Out(0), tensor.From([]bool{false, false, true, true}, 4), 0)
	optest.Want(t, optest.Run(t, ops, optest.Call{Op: "IsNaN"}, small).Out(0), tensor.From([]bool{false, true, false, false}, 4), 0)
}

func TestEmptyAndScalarTensors(t *testing.T) {
	empty := tensor.New(tensor.Float32, 0, 3)
	for _, name := range []string{"Relu", "Gelu", "Exp", "Abs", "Mish", "Elu"} {
		optest.Want(t, optest.Run(t, ops, optest.Call{Op: name}, empty).Out(0), empty, 0)
	}
	optest.Want(t, optest.Run(t, ops, optest.Call{Op: "Neg"}, tensor.Scalar(float32(2))).Out(0), tensor.Scalar(float32(-2)), 0)
}

func TestSwiGLU(t *testing.T) {
	for _, f := range floatTypes {
		a, b := as(f.d, []float64{-1, 0.25, 1, 3}, 2, 2), as(f.d, []float64{2, 2, -1, 0.5}, 2, 2)
		want := as(f.d, []float64{-0.537882842, 0.28108825, -0.731058579, 1.42886119}, 2, 2)
		optest.Want(t, optest.Run(t, ops, optest.Call{Op: "SwiGLU"}, a, b).Out(0), want, f.tolerance)
	}
	optest.Error(t, ops, optest.Call{Op: "SwiGLU"}, tensor.New(tensor.Float32, 2), tensor.New(tensor.Float32, 1))
}

func TestBadAttributes(t *testing.T) {
	x := tensor.New(tensor.Float32, 1)
	optest.Error(t, ops, optest.Call{Op: "Gelu", Attrs: attrs{"approximate": "sigmoid"}}, x)
	optest.Error(t, ops, optest.Call{Op: "Elu", Attrs: attrs{"alpha": "1"}}, x)
	optest.Error(t, ops, optest.Call{Op: "Not"}, x)
	optest.Error(t, ops, optest.Call{Op: "Relu"}, nil)
}

func TestActivation(t *testing.T) {
	for _, c := range []struct {
		name        string
		alpha, beta float32
		want        []float64
	}{
		{"Relu", 0, 0, []float64{0, 0, 0, 0, 0.25, 1, 3}},
		{"AFFINE", 2, 1, []float64{-5, -1, 0.5, 1, 1.5, 3, 7}},
		{"ScaledTanh", 2, 1, []float64{-1.990109508, -1.523188312, -0.489837324, 0, 0.489837324, 1.523188312, 1.990109508}},
		{"clip", -1, 2, []float64{-1, -1, -0.25, 0, 0.25, 1, 2}},
		{"GeluTanh", 0, 0, []float64{-0.00363739208, -0.158808009, -0.100324649, 0, 0.149675351, 0.841191991, 2.99636261}},
	} {
		f, ok := elementwise.Activation(c.name, c.alpha, c.beta)
		if !ok {
			t.Fatalf("%s is not known", c.name)
		}
		x := as(tensor.Float32, around, 7)
		f(tensor.Data[float32](x))
		optest.Want(t, x, as(tensor.Float32, c.want, 7), 1e-6)
	}
	if _, ok := elementwise.Activation("Softmax", 0, 0); ok {
		t.Error("Softmax is no function of one number")
	}
	if alpha, beta := elementwise.ActivationDefaults("HardSigmoid"); alpha != 0.2 || beta != 0.5 {
		t.Errorf("HardSigmoid's parameters are %v and %v", alpha, beta)
	}
}
