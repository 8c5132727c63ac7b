package reduce_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/tensor"
)

// ramp is 0, 1, 2… in this shape, squared when asked.
func ramp(square bool, shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i, d := 0, tensor.Data[float32](t); i < len(d); i++ {
		d[i] = float32(i)
		if square {
			d[i] *= d[i]
		}
	}
	return t
}

func TestSoftmaxFamily(t *testing.T) {
	x := f32([]int{2, 2, 2}, 1, 2, 3, 4, 0, 0, 1, 5)
	for _, c := range []struct {
		op    string
		opset int
		attrs optest.Attrs
		want  []float32
	}{
		{"Softmax", 13, optest.Attrs{"axis": 1}, []float32{0.1192029, 0.1192029, 0.880797, 0.880797, 0.2689414, 0.006692851, 0.7310586, 0.9933072}},
		{"Softmax", 13, nil, []float32{0.2689414, 0.7310586, 0.2689414, 0.7310586, 0.5, 0.5, 0.0179862, 0.9820138}},
		// Before opset 13 all dimensions from the axis on are one.
		{"Softmax", 11, nil, []float32{0.0320586, 0.08714432, 0.2368828, 0.6439143, 0.006530337, 0.006530337, 0.0177513, 0.969188}},
		{"LogSoftmax", 11, optest.Attrs{"axis": 2}, []float32{-1.313262, -0.3132617, -1.313262, -0.3132617, -0.6931472, -0.6931472, -4.01815, -0.01814996}},
		{"LogSoftmax", 13, optest.Attrs{"axis": 0}, []float32{-0.3132617, -0.126928, -0.126928, -1.313262, -1.313262, -2.126928, -2.126928, -0.3132617}},
		{"Hardmax", 11, nil, []float32{0, 0, 0, 1, 0, 0, 0, 1}},
		{"Hardmax", 13, nil, []float32{0, 1, 0, 1, 1, 0, 0, 1}},
		{"Hardmax", 13, optest.Attrs{"axis": 1}, []float32{0, 0, 1, 1, 0, 0, 1, 1}},
	} {
		got := optest.Run(t, defs, optest.Call{Op: c.op, Opset: c.opset, Attrs: c.attrs}, x).Out(0)
		optest.Want(t, got, f32([]int{2, 2, 2}, c.want...), 1e-6)
	}
}

func TestSoftmaxKeepsToItsRange(t *testing.T) {
	got := optest.Run(t, defs, optest.Call{Op: "Softmax"}, f32([]int{2, 2}, 10000, 10001, -inf, 3)).Out(0)
	optest.Want(t, got, f32([]int{2, 2}, 0.2689414, 0.7310586, 0, 1), 1e-6)
	half := tensor.From([]tensor.Float16Bits{tensor.ToFloat16(1), tensor.ToFloat16(1)}, 2)
	got = optest.Run(t, defs, optest.Call{Op: "Softmax"}, half).Out(0)
	optest.Want(t, got, tensor.From([]tensor.Float16Bits{tensor.ToFloat16(0.5), tensor.ToFloat16(0.5)}, 2), 0)
	got = optest.Run(t, defs, optest.Call{Op: "Softmax"}, tensor.From([]float64{0, 0, 0, 0}, 4)).Out(0)
	optest.Want(t, got, tensor.From([]float64{0.25, 0.25, 0.25, 0.25}, 4), 1e-15)
	optest.Want(t, optest.Run(t, defs, optest.Call{Op: "Softmax"}, tensor.New(tensor.Float32, 0, 3)).Out(0), tensor.New(tensor.Float32, 0, 3), 0)
	if e := optest.Error(t, defs, optest.Call{Op: "Softmax", Attrs: optest.Attrs{"axis": 2}}, half); !strings.Contains(e, "axis 2") {
		t.Errorf("error %q", e)
	}
}

func TestLayerNormalization(t *testing.T) {
	x, scale, bias := ramp(true, 2, 3), f32([]int{3}, 1, 2, 3), f32([]int{3}, 0, 1, 0)
	n := optest.Run(t, defs, optest.Call{Op: "LayerNormalization", Outputs: 3}, x, scale, bias)
	want := f32([]int{2, 3}, -0.980579, 0.2155369, 4.118432, -1.170669, 0.7964056, 3.817399)
	optest.Want(t, n.Out(0), want, 1e-6)
	optest.Want(t, n.Out(1), f32([]int{2, 1}, 1.666667, 16.66667), 1e-6)
	optest.Want(t, n.Out(2), f32([]int{2, 1}, 0.5883474, 0.152696), 1e-6)

	// A scale that differs by row is spread over the input.
	byRow := optest.Run(t, defs, optest.Call{Op: "LayerNormalization"}, x, f32([]int{2, 1}, 1, 10)).Out(0)
	optest.Want(t, byRow, f32([]int{2, 3}, -0.980579, -0.3922316, 1.372811, -11.70669, -1.017973, 12.72466), 1e-5)

	if e := optest.Error(t, defs, optest.Call{Op: "LayerNormalization"}, x, f32([]int{2}, 1, 2)); !strings.Contains(e, "does not broadcast") {
		t.Errorf("error %q", e)
	}
	if e := optest.Error(t, defs, optest.Call{Op: "LayerNormalization", Attrs: optest.Attrs{"stash_type": 7}}, x, scale); !strings.Contains(e, "stash_type 7") {
		t.Errorf("error %q", e)
	}
}

func TestRMSNormalization(t *testing.T) {
	got := optest.Run(t, defs, optest.Call{Op: "RMSNormalization", Attrs: optest.Attrs{"epsilon": 0.0}},
		f32([]int{1, 2}, 3, 4), f32([]int{2}, 1, 10)).Out(0)
	optest.Want(t, got, f32([]int{1, 2}, 0.8485281, 11.313708), 1e-6)
}

func TestGroupNormalizations(t *testing.T) {
	x, scale, bias := ramp(false, 2, 3, 2), f32([]int{3}, 1, 2, 3), f32([]int{3}, 0.5, 0, -1)
	got := optest.Run(t, defs, optest.Call{Op: "InstanceNormalization"}, x, scale, bias).Out(0)
	optest.Want(t, got, f32([]int{2, 3, 2}, -0.49998, 1.49998, -1.99996, 1.99996, -3.999939, 1.999941,
		-0.49998, 1.49998, -1.999962, 1.999958, -3.999939, 1.999943), 1e-5)

	x = ramp(true, 2, 4, 2)
	call := optest.Call{Op: "GroupNormalization", Opset: 21, Attrs: optest.Attrs{"num_groups": 2}}
	got = optest.Run(t, defs, call, x, f32([]int{4}, 1, 2, 3, 4), f32([]int{4}, 0, 1, 0, 1)).Out(0)
	want := f32([]int{2, 4, 2}, -0.9999996, -0.7142854, 1.285714, 4.142856, -3.76855, -1.58036, 2.458794, 6.673086,
		-1.293134, -0.4937419, 1.799392, 3.774359, -3.923389, -1.440232, 2.655438, 6.496056)
	optest.Want(t, got, want, 1e-5)
	// Opset 18 gives scale and bias by group.
	call.Opset = 18
	a := optest.Run(t, defs, call, x, f32([]int{2}, 1, 3), f32([]int{2}, 0, 1)).Out(0)
	call.Opset = 21
	b := optest.Run(t, defs, call, x, f32([]int{4}, 1, 1, 3, 3), f32([]int{4}, 0, 0, 1, 1)).Out(0)
	optest.Want(t, a, b, 0)

	call.Attrs["num_groups"] = 3
	if e := optest.Error(t, defs, call, x, f32([]int{4}, 1, 1, 1, 1), f32([]int{4}, 0, 0, 0, 0)); !strings.Contains(e, "do not divide") {
		t.Errorf("error %q", e)
	}
}

func TestBatchNormalization(t *testing.T) {
	x := ramp(false, 2, 3, 2)
	in := []tensor.Value{x, f32([]int{3}, 1, 2, 3), f32([]int{3}, 0.5, 0, -1), f32([]int{3}, 1, 2, 3), f32([]int{3}, 4, 1, 0.25)}
	want := f32([]int{2, 3, 2}, 0, 0.5, 0, 1.99999, 4.99988, 10.99976, 2.999997, 3.499996, 11.99994, 13.99993, 40.99916, 46.99904)
	for _, call := range []optest.Call{
		{Op: "BatchNormalization"}, {Op: "BatchNormalization", Const: true},
		{Op: "BatchNormalization", Opset: 9}, {Op: "BatchNormalization", Opset: 7},
	} {
		optest.Want(t, optest.Run(t, defs, call, in...).Out(0), want, 2e-6)
	}
	// Opset 7 could give every feature its own statistics.
	six := f32([]int{3, 2}, 1, 2, 3, 4, 5, 6)
	got := optest.Run(t, defs, optest.Call{Op: "BatchNormalization", Opset: 7, Attrs: optest.Attrs{"spatial": 0}},
		x, six, tensor.New(tensor.Float32, 3, 2), f32([]int{3, 2}, 1, 1, 1, 1, 1, 1), six).Out(0)
	optest.Want(t, got, f32([]int{2, 3, 2}, -0.999995, 0, 1.732048, 3.999995, 6.708198, 9.797951,
		4.999975, 8.485259, 12.12434, 15.99998, 20.12459, 24.49488), 1e-5)
	if e := optest.Error(t, defs, optest.Call{Op: "BatchNormalization"}, x, in[1], in[2], in[3], f32([]int{2}, 1, 1)); !strings.Contains(e, "input 4 has 2 elements, want 3") {
		t.Errorf("error %q", e)
	}
}

func TestBatchNormalizationInTraining(t *testing.T) {
	x := f32([]int{2, 1, 2}, 1, 3, 5, 7) // mean 4, variance 5
	call := optest.Call{Op: "BatchNormalization", Outputs: 3, Attrs: optest.Attrs{"training_mode": 1, "momentum": 0.5, "epsilon": 0.0}}
	one := func(v float32) *tensor.Tensor { return f32([]int{1}, v) }
	n := optest.Run(t, defs, call, x, one(1), one(0), one(0), one(1))
	optest.Want(t, n.Out(0), f32([]int{2, 1, 2}, -1.3416408, -0.4472136, 0.4472136, 1.3416408), 1e-6)
	optest.Want(t, n.Out(1), one(2), 1e-6)
	optest.Want(t, n.Out(2), one(3), 1e-6)
}

func TestOtherNormalizations(t *testing.T) {
	lp := func(p int, x *tensor.Tensor) *tensor.Tensor {
		return optest.Run(t, defs, optest.Call{Op: "LpNormalization", Attrs: optest.Attrs{"axis": 0, "p": p}}, x).Out(0)
	}
	x := f32([]int{2, 2}, 3, 0, -4, 0)
	optest.Want(t, lp(2, x), f32([]int{2, 2}, 0.6, 0, -0.8, 0), 1e-6)
	optest.Want(t, lp(1, x), f32([]int{2, 2}, 3.0/7, 0, -4.0/7, 0), 1e-6)

	got := optest.Run(t, defs, optest.Call{Op: "MeanVarianceNormalization"}, ramp(true, 2, 2, 1, 2)).Out(0)
	optest.Want(t, got, f32([]int{2, 2, 1, 2}, -1, -0.9047619, -1.098521, -0.8305889, 0.5238096, 1.380952, 0.6162434, 1.312866), 1e-6)

	lrn := func(size int) *tensor.Tensor {
		attrs := optest.Attrs{"size": size, "alpha": 3.0, "beta": 1.0, "bias": 2.0}
		return optest.Run(t, defs, optest.Call{Op: "LRN", Attrs: attrs}, f32([]int{1, 4, 1}, 1, 2, 3, 4)).Out(0)
	}
	// The window of 3 is 1²+2², 1²+2²+3², …; that of 4 reaches one further up.
	optest.Want(t, lrn(3), f32([]int{1, 4, 1}, 1.0/7, 2.0/16, 3.0/31, 4.0/27), 1e-6)
	optest.Want(t, lrn(4), f32([]int{1, 4, 1}, 1/12.5, 2/24.5, 3/23.75, 4/20.75), 1e-6)
}

func TestLosses(t *testing.T) {
	x := ramp(false, 2, 3, 2)
	labels := tensor.From([]int64{2, 1, 0, 2}, 2, 2)
	nll := func(attrs optest.Attrs, in ...tensor.Value) *tensor.Tensor {
		return optest.Run(t, defs, optest.Call{Op: "NegativeLogLikelihoodLoss", Attrs: attrs}, in...).Out(0)
	}
	optest.Want(t, nll(nil, x, labels), f32(nil, -6), 0)
	optest.Want(t, nll(optest.Attrs{"reduction": "none"}, x, labels), f32([]int{2, 2}, -4, -3, -6, -11), 0)
	weights := f32([]int{3}, 1, 2, 3)
	optest.Want(t, nll(optest.Attrs{"reduction": "sum"}, x, labels, weights), f32(nil, -57), 0)
	optest.Want(t, nll(optest.Attrs{"ignore_index": 2}, x, labels, weights), f32(nil, -4), 0)

	n := optest.Run(t, defs, optest.Call{Op: "SoftmaxCrossEntropyLoss", Outputs: 2},
		f32([]int{2, 3}, 1, 2, 3, 0, 1, 0), ints(2, 0), f32([]int{3}, 1, 2, 0.5))
	optest.Want(t, n.Out(0), f32(nil, 1.170165), 1e-6)
	optest.Want(t, n.Out(1), f32([]int{2, 3}, -2.407606, -1.407606, -0.4076059, -1.551445, -0.5514446, -1.551445), 1e-6)

	call := optest.Call{Op: "NegativeLogLikelihoodLoss"}
	if e := optest.Error(t, defs, call, x, tensor.From([]int64{0, 0, 0, 3}, 2, 2)); !strings.Contains(e, "label 3 is not one of 3 classes") {
		t.Errorf("error %q", e)
	}
	if e := optest.Error(t, defs, call, x, ints(1, 2)); !strings.Contains(e, "do not fit") {
		t.Errorf("error %q", e)
	}
}

// hot are the calls that serving runs all the time, with the axis that holds
// the batch being the first.
func hot() map[string]func(rows int, x *tensor.Tensor) (optest.Call, []tensor.Value) {
	vector := func(v float32) *tensor.Tensor { return f32([]int{5}, v, 2*v, 3*v, 4*v, 5*v) }
	plain := func(call optest.Call, more ...tensor.Value) func(int, *tensor.Tensor) (optest.Call, []tensor.Value) {
		return func(_ int, x *tensor.Tensor) (optest.Call, []tensor.Value) {
			return call, append([]tensor.Value{x}, more...)
		}
	}
	return map[string]func(int, *tensor.Tensor) (optest.Call, []tensor.Value){
		"softmax":        plain(optest.Call{Op: "Softmax"}),
		"softmax middle": plain(optest.Call{Op: "Softmax", Attrs: optest.Attrs{"axis": 1}}),
		"logsoftmax":     plain(optest.Call{Op: "LogSoftmax"}),
		"argmax":         plain(optest.Call{Op: "ArgMax", Attrs: optest.Attrs{"axis": 2}}),
		"sum":            plain(optest.Call{Op: "ReduceSum"}, ints(-1)),
		"mean middle":    plain(optest.Call{Op: "ReduceMean"}, ints(1)),
		"l2":             plain(optest.Call{Op: "ReduceL2"}, ints(1, 2)),
		"max":            plain(optest.Call{Op: "ReduceMax"}, ints(2)),
		"layernorm":      plain(optest.Call{Op: "LayerNormalization"}, vector(1), vector(2)),
		"rmsnorm":        plain(optest.Call{Op: "RMSNormalization"}, vector(1)),
		"batchnorm":      plain(optest.Call{Op: "BatchNormalization"}, vector(1), vector(2), vector(3), vector(4)),
		"instancenorm":   plain(optest.Call{Op: "InstanceNormalization"}, vector(1), vector(2)),
		"cumsum":         plain(optest.Call{Op: "CumSum"}, tensor.Scalar(int64(2))),
	}
}

func random(rows int) *tensor.Tensor {
	r := rand.New(rand.NewPCG(1, 2))
	x := tensor.New(tensor.Float32, rows, 5, 5)
	for i, d := 0, tensor.Data[float32](x); i < len(d); i++ {
		d[i] = float32(r.NormFloat64())
	}
	return x
}

func TestNoAllocationsAtSteadyState(t *testing.T) {
	for name, make := range hot() {
		call, in := make(3, random(3))
		if n := optest.Run(t, defs, call, in...).Allocs(t); n != 0 {
			t.Errorf("%s allocates %v times a run", name, n)
		}
	}
}

func TestResultsDoNotDependOnTheBatch(t *testing.T) {
	for name, make := range hot() {
		x := random(3)
		call, in := make(3, x)
		all := optest.Run(t, defs, call, in...).Out(0).Bytes()
		for row := range 3 {
			one := tensor.From(tensor.Data[float32](x)[row*25:(row+1)*25], 1, 5, 5)
			call, in := make(1, one)
			got := optest.Run(t, defs, call, in...).Out(0).Bytes()
			if !bytes.Equal(got, all[row*len(got):(row+1)*len(got)]) {
				t.Errorf("%s: row %d alone differs from the same row in a batch", name, row)
			}
		}
	}
}

func BenchmarkHot(b *testing.B) {
	x := tensor.New(tensor.Float32, 64, 5, 5)
	copy(tensor.Data[float32](x), tensor.Data[float32](random(64)))
	for name, make := range hot() {
		call, in := make(64, x)
		b.Run(name, func(b *testing.B) {
			n := optest.Run(b, defs, call, in...)
			b.SetBytes(int64(len(x.Bytes())))
			for b.Loop() {
				if err := n.Run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
