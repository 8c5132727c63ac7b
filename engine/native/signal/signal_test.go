package signal_test

import (
	"math"
	"math/cmplx"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/engine/native/signal"
	"github.com/greenlight-dev/greenlight/tensor"
)

var defs = signal.Ops()

func f32(shape []int, v ...float32) *tensor.Tensor { return tensor.From(v, shape...) }
func number(v int64) *tensor.Tensor                { return tensor.Scalar(v) }

// naive is the transform by its definition.
func naive(x []complex128) []complex128 {
	y := make([]complex128, len(x))
	for k := range y {
		for i, v := range x {
			y[k] += v * cmplx.Exp(complex(0, -2*math.Pi*float64(k*i%len(x))/float64(len(x))))
		}
	}
	return y
}

func pairs(x []complex128, shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float64, shape...)
	for i, v := range x {
		tensor.Data[float64](t)[2*i], tensor.Data[float64](t)[2*i+1] = real(v), imag(v)
	}
	return t
}

func TestDFTOfAnyLength(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{1, 2, 3, 4, 5, 7, 8, 12, 13, 30, 64, 97, 100} {
		x := make([]complex128, n)
		for i := range x {
			x[i] = complex(r.NormFloat64(), r.NormFloat64())
		}
		in := pairs(x, 1, n, 2)
		spectrum := optest.Run(t, defs, optest.Call{Op: "DFT"}, in).Out(0)
		optest.Want(t, spectrum, pairs(naive(x), 1, n, 2), 1e-11)
		back := optest.Run(t, defs, optest.Call{Op: "DFT", Attrs: optest.Attrs{"inverse": 1}}, spectrum).Out(0)
		optest.Want(t, back, in, 1e-12)
	}
}

func TestDFTOfRealSignals(t *testing.T) {
	x := f32([]int{1, 5, 1}, 0, 1, 2, 3, 4)
	whole := f32([]int{1, 5, 2}, 10, 0, -2.5, 3.440955, -2.5, 0.8122992, -2.5, -0.8122992, -2.5, -3.440955)
	optest.Want(t, optest.Run(t, defs, optest.Call{Op: "DFT", Opset: 17}, x).Out(0), whole, 1e-6)

	half := f32([]int{1, 3, 2}, 10, 0, -2.5, 3.440955, -2.5, 0.8122992)
	onesided := optest.Attrs{"onesided": 1}
	optest.Want(t, optest.Run(t, defs, optest.Call{Op: "DFT", Attrs: onesided}, x).Out(0), half, 1e-6)
	back := optest.Call{Op: "DFT", Attrs: optest.Attrs{"onesided": 1, "inverse": 1}}
	optest.Want(t, optest.Run(t, defs, back, half, number(5)).Out(0), x, 1e-6)
	// Without a length it is taken to be even.
	even := optest.Run(t, defs, back, f32([]int{3, 2}, 6, 0, -2, 2, -2, 0)).Out(0)
	optest.Want(t, even, f32([]int{4, 1}, 0, 1, 2, 3), 1e-6)
}

func TestDFTLengthAndAxis(t *testing.T) {
	x := f32([]int{1, 2, 2, 1}, 1, 2, 3, 4)
	// Along axis 1, with zeros behind; then cut to one element.
	got := optest.Run(t, defs, optest.Call{Op: "DFT"}, x, number(4), number(1)).Out(0)
	optest.Want(t, got, f32([]int{1, 4, 2, 2}, 4, 0, 6, 0, 1, -3, 2, -4, -2, 0, -2, 0, 1, 3, 2, 4), 1e-6)
	got = optest.Run(t, defs, optest.Call{Op: "DFT", Opset: 17, Attrs: optest.Attrs{"axis": 2}}, x, number(1)).Out(0)
	optest.Want(t, got, f32([]int{1, 2, 1, 2}, 1, 0, 3, 0), 0)
}

func TestDFTErrors(t *testing.T) {
	x := f32([]int{1, 2, 1}, 1, 2)
	for _, c := range []struct {
		in   []tensor.Value
		want string
	}{
		{[]tensor.Value{x, number(0)}, "length 0 is not possible"},
		{[]tensor.Value{x, number(1 << 40)}, "not possible"},
		{[]tensor.Value{x, nil, number(2)}, "axis 2 is that of the real and imaginary parts"},
		{[]tensor.Value{x, nil, number(9)}, "axis 9 is outside"},
		{[]tensor.Value{f32([]int{1, 3}, 1, 2, 3)}, "1 or 2 numbers"},
		{[]tensor.Value{x, tensor.From([]int64{1, 2}, 2)}, "must be one number"},
	} {
		if e := optest.Error(t, defs, optest.Call{Op: "DFT"}, c.in...); !strings.Contains(e, c.want) {
			t.Errorf("error %q does not say %q", e, c.want)
		}
	}
}

func TestSTFT(t *testing.T) {
	x, window := f32([]int{1, 6, 1}, 0, 1, 2, 3, 4, 5), f32([]int{4}, 0.5, 1, 1, 0.5)
	n := optest.Run(t, defs, optest.Call{Op: "STFT"}, x, number(2), window)
	optest.Want(t, n.Out(0), f32([]int{1, 2, 3, 2}, 4.5, 0, -2, 0.5, -0.5, 0, 10.5, 0, -3, -0.5, -0.5, 0), 1e-6)
	if allocs := n.Allocs(t); allocs != 0 {
		t.Errorf("%v allocations a run", allocs)
	}
	whole := optest.Run(t, defs, optest.Call{Op: "STFT", Attrs: optest.Attrs{"onesided": 0}}, x, number(3), nil, number(3)).Out(0)
	optest.Want(t, whole, f32([]int{1, 2, 3, 2}, 3, 0, -1.5, 0.8660254, -1.5, -0.8660254, 12, 0, -1.5, 0.8660254, -1.5, -0.8660254), 1e-6)
	for _, c := range []struct {
		in   []tensor.Value
		want string
	}{
		{[]tensor.Value{x, number(0), window}, "steps of 0"},
		{[]tensor.Value{x, number(1), nil, number(7)}, "do not fit a signal of 6"},
		{[]tensor.Value{x, number(1), window, number(3)}, "window has 4 elements, the frames 3"},
	} {
		if e := optest.Error(t, defs, optest.Call{Op: "STFT"}, c.in...); !strings.Contains(e, c.want) {
			t.Errorf("error %q does not say %q", e, c.want)
		}
	}
}

func TestWindows(t *testing.T) {
	for _, c := range []struct {
		op       string
		periodic int
		want     []float32
	}{
		{"HannWindow", 1, []float32{0, 0.3454915, 0.9045085, 0.9045085, 0.3454915}},
		{"HannWindow", 0, []float32{0, 0.5, 1, 0.5, 0}},
		{"HammingWindow", 1, []float32{0.08695652, 0.4024053, 0.9128121, 0.9128121, 0.4024053}},
		{"BlackmanWindow", 1, []float32{0, 0.2007702, 0.8492299, 0.8492299, 0.2007702}},
	} {
		got := optest.Run(t, defs, optest.Call{Op: c.op, Attrs: optest.Attrs{"periodic": c.periodic}}, number(5)).Out(0)
		optest.Want(t, got, f32([]int{5}, c.want...), 1e-6)
	}
	one := optest.Call{Op: "HannWindow", Attrs: optest.Attrs{"periodic": 0, "output_datatype": int(tensor.Float64)}}
	optest.Want(t, optest.Run(t, defs, one, number(1)).Out(0), tensor.From([]float64{1}, 1), 0)
	optest.Want(t, optest.Run(t, defs, one, number(0)).Out(0), tensor.New(tensor.Float64, 0), 0)
	if e := optest.Error(t, defs, one, number(-1)); !strings.Contains(e, "-1 elements") {
		t.Errorf("error %q", e)
	}
	text := optest.Call{Op: "HannWindow", Attrs: optest.Attrs{"output_datatype": int(tensor.String)}}
	if e := optest.Error(t, defs, text, number(1)); !strings.Contains(e, "output_datatype 8") {
		t.Errorf("error %q", e)
	}
}

func TestMelWeightMatrix(t *testing.T) {
	edge := func(hertz float32) *tensor.Tensor { return tensor.Scalar(hertz) }
	got := optest.Run(t, defs, optest.Call{Op: "MelWeightMatrix"}, number(4), number(16), number(8000), edge(0), edge(4000)).Out(0)
	optest.Want(t, got, f32([]int{9, 4}, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), 1e-6)
	call := optest.Call{Op: "MelWeightMatrix"}
	if e := optest.Error(t, defs, call, number(4), number(16), number(8000), edge(0), edge(9000)); !strings.Contains(e, "up to 4000 Hz") {
		t.Errorf("error %q", e)
	}
	if e := optest.Error(t, defs, call, number(-4), number(16), number(8000), edge(0), edge(1)); !strings.Contains(e, "not possible") {
		t.Errorf("error %q", e)
	}
}

func TestOddInputsAreErrors(t *testing.T) {
	optest.Monkey(t, defs, map[string][]any{
		"axis": {0, 1, -2, 5}, "inverse": {0, 1}, "onesided": {0, 1}, "periodic": {0, 1},
		"output_datatype": {1, 3, 7, 10, 8, -5, 300},
	}, optest.Seed{Call: optest.Call{Op: "DFT"}, In: []tensor.Value{f32([]int{1, 3, 1}, 1, 2, 3), number(5), number(1)}},
		optest.Seed{Call: optest.Call{Op: "STFT"}, In: []tensor.Value{f32([]int{1, 6, 1}, 0, 1, 2, 3, 4, 5), number(2), f32([]int{2}, 1, 1), number(2)}},
		optest.Seed{Call: optest.Call{Op: "MelWeightMatrix"}, In: []tensor.Value{number(4), number(16), number(8000),
			tensor.Scalar(float32(0)), tensor.Scalar(float32(4000))}})
}
