package elementwise_test

import (
	"slices"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/tensor"
)

func TestWhere(t *testing.T) {
	cond := tensor.From([]bool{true, false}, 2, 1)
	for _, c := range []struct{ x, y, want *tensor.Tensor }{
		{tensor.From([]float32{1, 2}, 2), tensor.Scalar(float32(9)), tensor.From([]float32{1, 2, 9, 9}, 2, 2)},
		{tensor.From([]int64{1, 2}, 2), tensor.From([]int64{3, 4}, 2), tensor.From([]int64{1, 2, 3, 4}, 2, 2)},
		{tensor.From([]uint8{1, 2}, 2), tensor.From([]uint8{3, 4}, 2), tensor.From([]uint8{1, 2, 3, 4}, 2, 2)},
		{as(tensor.Float16, []float64{1, 2}, 2), as(tensor.Float16, []float64{3, 4}, 2), as(tensor.Float16, []float64{1, 2, 3, 4}, 2, 2)},
		{tensor.From([]bool{true, false}, 2), tensor.From([]bool{false, true}, 2), tensor.From([]bool{true, false, false, true}, 2, 2)},
	} {
		optest.Want(t, optest.Run(t, ops, optest.Call{Op: "Where"}, cond, c.x, c.y).Out(0), c.want, 0)
	}
	text := optest.Run(t, ops, optest.Call{Op: "Where"}, cond, tensor.FromStrings([]string{"a", "b"}, 2), tensor.FromStrings([]string{"c"}, 1)).Out(0)
	if got := text.Strings(); !slices.Equal(got, []string{"a", "b", "c", "c"}) {
		t.Errorf("got %q", got)
	}
	complexes := optest.Run(t, ops, optest.Call{Op: "Where"}, cond, tensor.Scalar(complex128(1i)), tensor.Scalar(complex128(2))).Out(0)
	if got := tensor.Data[complex128](complexes); got[0] != 1i || got[1] != 2 {
		t.Errorf("got %v", got)
	}
	optest.Error(t, ops, optest.Call{Op: "Where"}, cond, tensor.New(tensor.Float32, 1), tensor.New(tensor.Float64, 1))
	optest.Error(t, ops, optest.Call{Op: "Where"}, cond, tensor.New(tensor.Float32, 3), tensor.New(tensor.Float32, 3, 3))
}

func TestClip(t *testing.T) {
	in := []float64{-2, 0, 2, nan}
	for _, f := range floatTypes {
		x := as(f.d, in, 4)
		lo, hi := as(f.d, []float64{-1}), as(f.d, []float64{1})
		for _, c := range []struct {
			lo, hi tensor.Value
			want   []float64
		}{
			{lo, hi, []float64{-1, 0, 1, nan}},
			{nil, hi, []float64{-2, 0, 1, nan}},
			{lo, nil, []float64{-1, 0, 2, nan}},
			{hi, lo, []float64{-1, -1, -1, nan}},
		} {
			optest.Want(t, optest.Run(t, ops, optest.Call{Op: "Clip"}, x, c.lo, c.hi).Out(0), as(f.d, c.want, 4), 0)
		}
		optest.Want(t, optest.Run(t, ops, optest.Call{Op: "Clip"}, x).Out(0), x, 0)
	}
	ints := optest.Run(t, ops, optest.Call{Op: "Clip"}, tensor.From([]int8{-128, 5, 127}, 3), nil, tensor.Scalar(int8(6))).Out(0)
	optest.Want(t, ints, tensor.From([]int8{-128, 5, 6}, 3), 0)
	old := optest.Call{Op: "Clip", Opset: 7, Attrs: attrs{"min": -0.5, "max": 0.5}}
	optest.Want(t, optest.Run(t, ops, old, as(tensor.Float32, in, 4)).Out(0), as(tensor.Float32, []float64{-0.5, 0, 0.5, nan}, 4), 0)
	optest.Error(t, ops, optest.Call{Op: "Clip"}, tensor.New(tensor.Float32, 1), tensor.New(tensor.Float32, 2))
	optest.Error(t, ops, optest.Call{Op: "Clip"}, tensor.New(tensor.Float32, 1), tensor.New(tensor.Float64, 1))
}

// TestOptimizers holds one step of each against the numbers of the
// specification's formulas.
func TestOptimizers(t *testing.T) {
	const domain = "ai.onnx.preview.training"
	r, count := tensor.Scalar(float32(0.1)), tensor.Scalar(int64(1))
	x, g := tensor.From([]float32{1, 2}, 2), tensor.From([]float32{0.5, -1}, 2)
	v, h := tensor.From([]float32{0.2, 0.4}, 2), tensor.From([]float32{1, 4}, 2)
	for _, c := range []struct {
		call optest.Call
		in   []tensor.Value
		want [][]float32
	}{
		{
			optest.Call{Op: "Momentum", Attrs: attrs{"alpha": 0.9, "beta": 0.5, "norm_coefficient": 0.1, "mode": "standard"}},
			[]tensor.Value{r, count, x, g, v},
			[][]float32{{0.952, 2.004}, {0.48, -0.04}},
		},
		{
			optest.Call{Op: "Momentum", Attrs: attrs{"alpha": 0.9, "beta": 0.5, "norm_coefficient": 0.1, "mode": "nesterov"}},
			[]tensor.Value{r, count, x, g, v},
			[][]float32{{0.8968, 2.0836}, {0.48, -0.04}},
		},
		{
			optest.Call{Op: "Adagrad", Attrs: attrs{"decay_factor": 1.0, "epsilon": 0.0}},
			[]tensor.Value{r, count, x, g, h},
			[][]float32{{0.97763932, 2.0223607}, {1.25, 5}},
		},
		{
			optest.Call{Op: "Adam", Attrs: attrs{"alpha": 0.5, "beta": 0.75, "epsilon": 0.0}},
			[]tensor.Value{r, count, x, g, v, h},
			[][]float32{{0.96117099, 2.01664101}, {0.35, -0.3}, {0.8125, 3.25}},
		},
	} {
		c.call.Domain, c.call.Opset, c.call.Outputs = domain, 1, len(c.want)
		n := optest.Run(t, ops, c.call, c.in...)
		for i, want := range c.want {
			optest.Want(t, n.Out(i), tensor.From(want, 2), 1e-6)
		}
	}
	bad := optest.Call{Domain: domain, Op: "Adam", Opset: 1, Outputs: 3}
	optest.Error(t, ops, bad, r, count, x, g, v)
	optest.Error(t, ops, bad, r, count, x, g, v, tensor.New(tensor.Float32, 3))
}
