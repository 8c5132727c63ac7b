package elementwise_test

import (
	"math"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/tensor"
)

func TestArithmeticOnFloats(t *testing.T) {
	a := []float64{6, -3, 2, 8}
	b := []float64{2, 4, -0.5, 0.25}
	for name, want := range map[string][]float64{
		"Add": {8, 1, 1.5, 8.25}, "Sub": {4, -7, 2.5, 7.75}, "Mul": {12, -12, -1, 2}, "Div": {3, -0.75, -4, 32},
		"Max": {6, 4, 2, 8}, "Min": {2, -3, -0.5, 0.25}, "Sum": {8, 1, 1.5, 8.25}, "Mean": {4, 0.5, 0.75, 4.125},
		"PRelu": {6, -12, 2, 8}, "Mod": {0, 1, 0, 0}, "Pow": {36, 81, 0.70710678, 1.68179283},
	} {
		for _, f := range floatTypes {
			got := optest.Run(t, ops, optest.Call{Op: name}, as(f.d, a, 4), as(f.d, b, 4)).Out(0)
			t.Run(name+"/"+f.d.String(), func(t *testing.T) { optest.Want(t, got, as(f.d, want, 4), f.tolerance) })
		}
	}
}

func TestArithmeticOnIntegers(t *testing.T) {
	a := tensor.From([]int8{-7, 7, 127, 0}, 4)
	b := tensor.From([]int8{4, 2, -1, 5}, 4)
	for name, want := range map[string][]int8{
		"Add": {-3, 9, 126, 5}, "Sub": {-11, 5, -128, -5}, "Mul": {-28, 14, -127, 0}, "Div": {-1, 3, -127, 0},
		"Max": {4, 7, 127, 5}, "Min": {-7, 2, -1, 0}, "Mod": {1, 1, 0, 0}, "PRelu": {-28, 7, 127, 0},
		"BitwiseAnd": {0, 2, 127, 0}, "BitwiseOr": {-3, 7, -1, 5}, "BitwiseXor": {-3, 5, -128, 5},
	} {
		got := optest.Run(t, ops, optest.Call{Op: name}, a, b).Out(0)
		t.Run(name, func(t *testing.T) { optest.Want(t, got, tensor.From(want, 4), 0) })
	}
}

func TestModulo(t *testing.T) {
	a, b := tensor.From([]int64{-7, 7, -7}, 3), tensor.From([]int64{3, -3, -3}, 3)
	optest.Want(t, optest.Run(t, ops, optest.Call{Op: "Mod"}, a, b).Out(0), tensor.From([]int64{2, -2, -1}, 3), 0)
	trunc := optest.Call{Op: "Mod", Attrs: attrs{"fmod": 1}}
	optest.Want(t, optest.Run(t, ops, trunc, a, b).Out(0), tensor.From([]int64{-1, 1, -1}, 3), 0)
	x := tensor.From([]float64{-5.5, 5.5, inf, 1, 1, -1, 0}, 7)
	y := tensor.From([]float64{2, -2, 2, 0, inf, inf, -2}, 7)
	optest.Want(t, optest.Run(t, ops, optest.Call{Op: "Mod"}, x, y).Out(0), tensor.From([]float64{0.5, -0.5, nan, nan, 1, inf, 0}, 7), 0)
	optest.Want(t, optest.Run(t, ops, trunc, x, y).Out(0), tensor.From([]float64{-1.5, 1.5, nan, nan, 1, -1, 0}, 7), 0)
}

func TestIntegerDivisionByZero(t *testing.T) {
	zero := tensor.From([]int32{1, 0}, 2)
	for _, name := range []string{"Div", "Mod"} {
		if err := optest.Error(t, ops, optest.Call{Op: name}, zero, zero); !strings.Contains(err, "division by zero") {
			t.Errorf("%s: %s", name, err)
		}
	}
	least := tensor.From([]int64{math.MinInt64}, 1)
	optest.Want(t, optest.Run(t, ops, optest.Call{Op: "Div"}, least, tensor.From([]int64{-1}, 1)).Out(0), least, 0)
	floats := optest.Run(t, ops, optest.Call{Op: "Div"}, tensor.From([]float32{1, -1, 0}, 3), tensor.From([]float32{0}, 1)).Out(0)
	optest.Want(t, floats, as(tensor.Float32, []float64{inf, -inf, nan}, 3), 0)
}

func TestBitShift(t *testing.T) {
	for _, c := range []struct {
		direction string
		x, y, out *tensor.Tensor
	}{
		{"LEFT", tensor.From([]uint8{1, 2, 255, 1}, 4), tensor.From([]uint8{1, 2, 4, 8}, 4), tensor.From([]uint8{2, 8, 240, 0}, 4)},
		{"RIGHT", tensor.From([]uint8{16, 4, 1, 255}, 4), tensor.From([]uint8{1, 2, 3, 200}, 4), tensor.From([]uint8{8, 1, 0, 0}, 4)},
		{"RIGHT", tensor.From([]int32{-8, -8, 8, -1}, 4), tensor.From([]int32{1, 40, -1, -1}, 4), tensor.From([]int32{-4, -1, 0, -1}, 4)},
		{"LEFT", tensor.From([]int32{-8, 3, 3, math.MaxInt32}, 4), tensor.From([]int32{1, 32, -1, 1}, 4), tensor.From([]int32{-16, 0, 0, -2}, 4)},
	} {
		got := optest.Run(t, ops, optest.Call{Op: "BitShift", Attrs: attrs{"direction": c.direction}}, c.x, c.y).Out(0)
		optest.Want(t, got, c.out, 0)
	}
	optest.Error(t, ops, optest.Call{Op: "BitShift"}, tensor.New(tensor.Uint8, 1), tensor.New(tensor.Uint8, 1))
}

func TestComparison(t *testing.T) {
	a, b := []float64{1, 2, 3, nan}, []float64{2, 2, 2, nan}
	for name, want := range map[string][]bool{
		"Equal": {false, true, false, false}, "Less": {true, false, false, false}, "LessOrEqual": {true, true, false, false},
		"Greater": {false, false, true, false}, "GreaterOrEqual": {false, true, true, false},
	} {
		for _, f := range floatTypes {
			got := optest.Run(t, ops, optest.Call{Op: name}, as(f.d, a, 4), as(f.d, b, 4)).Out(0)
			optest.Want(t, got, tensor.From(want, 4), 0)
		}
		got := optest.Run(t, ops, optest.Call{Op: name}, tensor.From([]uint64{1, 1 << 63, math.MaxUint64}, 3), tensor.From([]uint64{1 << 63}, 1)).Out(0)
		optest.Want(t, got, tensor.From(want[:3], 3), 0)
	}
	text := optest.Run(t, ops, optest.Call{Op: "Equal"}, tensor.FromStrings([]string{"a", "b"}, 2, 1), tensor.FromStrings([]string{"b", "a"}, 2)).Out(0)
	optest.Want(t, text, tensor.From([]bool{false, true, true, false}, 2, 2), 0)
	truth := optest.Run(t, ops, optest.Call{Op: "Equal"}, tensor.From([]bool{true, false}, 2), tensor.Scalar(true)).Out(0)
	optest.Want(t, truth, tensor.From([]bool{true, false}, 2), 0)
	optest.Error(t, ops, optest.Call{Op: "Less"}, tensor.FromStrings([]string{"a"}, 1), tensor.FromStrings([]string{"b"}, 1))
}

func TestLogic(t *testing.T) {
	a := tensor.From([]bool{false, true}, 2, 1)
	b := tensor.From([]bool{false, true}, 2)
	for name, want := range map[string][]bool{
		"And": {false, false, false, true}, "Or": {false, true, true, true}, "Xor": {false, true, true, false},
	} {
		optest.Want(t, optest.Run(t, ops, optest.Call{Op: name}, a, b).Out(0), tensor.From(want, 2, 2), 0)
	}
	optest.Want(t, optest.Run(t, ops, optest.Call{Op: "Not"}, b).Out(0), tensor.From([]bool{true, false}, 2), 0)
}

func TestPow(t *testing.T) {
	for _, c := range []struct{ x, y, want *tensor.Tensor }{
		{tensor.From([]float32{-2, 3}, 2), tensor.From([]float32{2}, 1), tensor.From([]float32{4, 9}, 2)},
		{tensor.From([]float32{-2, 3}, 2), tensor.From([]int64{3}, 1), tensor.From([]float32{-8, 27}, 2)},
		{tensor.From([]float32{-2, 4}, 2), tensor.Scalar(float32(-1)), tensor.From([]float32{-0.5, 0.25}, 2)},
		{tensor.From([]float32{-2, 4}, 2), tensor.Scalar(1.0), tensor.From([]float32{-2, 4}, 2)},
		{tensor.From([]float32{-4, 4}, 2), tensor.Scalar(0.5), as(tensor.Float32, []float64{nan, 2}, 2)},
		{tensor.Scalar(float32(2)), tensor.From([]uint8{2, 10}, 2), tensor.From([]float32{4, 1024}, 2)},
		{tensor.From([]int64{3, -1, 10, 0}, 4), tensor.From([]int32{39, -3, -1, 0}, 4), tensor.From([]int64{4052555153018976267, -1, 0, 1}, 4)},
		{tensor.From([]int32{4, 9}, 2), tensor.From([]float32{0.5, 2}, 2), tensor.From([]int32{2, 81}, 2)},
		{tensor.From([]float64{4, 9}, 2), as(tensor.Float16, []float64{0.5, 2}, 2), tensor.From([]float64{2, 81}, 2)},
	} {
		optest.Want(t, optest.Run(t, ops, optest.Call{Op: "Pow"}, c.x, c.y).Out(0), c.want, 1e-7)
	}
}

// TestBroadcast compares every pairing of some shapes with plain indexing.
func TestBroadcast(t *testing.T) {
	shapes := [][]int{{}, {1}, {4}, {3, 1}, {3, 4}, {2, 1, 4}, {2, 3, 1}, {2, 3, 4}, {1, 1, 1, 1}, {5, 1, 3, 1}, {5, 2, 1, 4}}
	for _, sa := range shapes {
		for _, sb := range shapes {
			a, b := counting(1, sa...), counting(100, sb...)
			shape, err := op.Broadcast(nil, sa, sb)
			if err != nil {
				optest.Error(t, ops, optest.Call{Op: "Sub"}, a, b)
				continue
			}
			minus, plus := tensor.New(tensor.Float32, shape...), tensor.New(tensor.Float32, shape...)
			for i := range minus.Len() {
				tensor.Data[float32](minus)[i] = at(a, shape, i) - at(b, shape, i)
				tensor.Data[float32](plus)[i] = at(a, shape, i) + at(b, shape, i)
			}
			optest.Want(t, optest.Run(t, ops, optest.Call{Op: "Sub"}, a, b).Out(0), minus, 0)
			optest.Want(t, optest.Run(t, ops, optest.Call{Op: "Add"}, a, b).Out(0), plus, 0)
			optest.Want(t, optest.Run(t, ops, optest.Call{Op: "Sum"}, a, b).Out(0), plus, 0)
		}
	}
	optest.Error(t, ops, optest.Call{Op: "Add"}, tensor.New(tensor.Float32, 2), tensor.New(tensor.Float32, 3))
	optest.Error(t, ops, optest.Call{Op: "Add"}, tensor.New(tensor.Float32, 2), tensor.New(tensor.Float64, 2))
	empty := optest.Run(t, ops, optest.Call{Op: "Add"}, tensor.New(tensor.Float32, 0, 3), tensor.New(tensor.Float32, 2, 1, 1)).Out(0)
	optest.Want(t, empty, tensor.New(tensor.Float32, 2, 0, 3), 0)
}

// counting is a tensor with the elements from, from+1 and so on.
func counting(from float32, shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i := range t.Len() {
		tensor.Data[float32](t)[i] = from + float32(i)
	}
	return t
}

// at is element i of shape, read from t broadcast to it.
func at(t *tensor.Tensor, shape []int, i int) float32 {
	strides := op.BroadcastStrides(nil, t.Shape(), shape)
	offset := 0
	for d := len(shape) - 1; d >= 0; d-- {
		offset += i % shape[d] * strides[d]
		i /= shape[d]
	}
	return tensor.Data[float32](t)[offset]
}

func TestVariadic(t *testing.T) {
	a, b, c := []float64{1, 5}, []float64{4}, []float64{3, 2, 0}
	for name, want := range map[string][]float64{
		"Max": {4, 5, 4, 5, 4, 5}, "Min": {1, 3, 1, 2, 0, 0}, "Sum": {8, 12, 7, 11, 5, 9},
		"Mean": {8.0 / 3, 4, 7.0 / 3, 11.0 / 3, 5.0 / 3, 3},
	} {
		for _, f := range floatTypes {
			got := optest.Run(t, ops, optest.Call{Op: name}, as(f.d, a, 2), as(f.d, b, 1), as(f.d, c, 3, 1)).Out(0)
			optest.Want(t, got, as(f.d, want, 3, 2), f.tolerance)
			optest.Want(t, optest.Run(t, ops, optest.Call{Op: name}, as(f.d, a, 2)).Out(0), as(f.d, a, 2), 0)
		}
	}
	ints := optest.Run(t, ops, optest.Call{Op: "Max"}, tensor.From([]uint8{200, 3}, 2), tensor.From([]uint8{100}, 1)).Out(0)
	optest.Want(t, ints, tensor.From([]uint8{200, 100}, 2), 0)
	withNaN := optest.Run(t, ops, optest.Call{Op: "Max"}, tensor.From([]float32{1, float32(nan)}, 2), tensor.Scalar(float32(2))).Out(0)
	optest.Want(t, withNaN, as(tensor.Float32, []float64{2, nan}, 2), 0)
	optest.Error(t, ops, optest.Call{Op: "Max"}, tensor.New(tensor.Float32, 1), tensor.New(tensor.Float64, 1))
	optest.Error(t, ops, optest.Call{Op: "Sum"}, tensor.New(tensor.Float32, 1), nil)
}
