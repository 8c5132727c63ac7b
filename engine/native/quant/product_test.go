package quant_test

import (
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/tensor"
)

func TestMatMulInteger(t *testing.T) {
	a := tensor.From([]uint8{11, 7, 3, 10, 6, 2, 9, 5, 1, 8, 4, 0}, 4, 3)
	b := tensor.From([]uint8{1, 4, 2, 5, 3, 6}, 3, 2)
	got := optest.Run(t, ops, optest.Call{Op: "MatMulInteger"}, a, b, tensor.From([]uint8{12}, 1), tensor.From([]uint8{0}, 1)).Out(0)
	optest.Want(t, got, tensor.From([]int32{-38, -83, -44, -98, -50, -113, -56, -128}, 4, 2), 0)
	plain := optest.Run(t, ops, optest.Call{Op: "MatMulInteger"}, a, b).Out(0)
	optest.Want(t, plain, tensor.From([]int32{34, 97, 28, 82, 22, 67, 16, 52}, 4, 2), 0)
	vector := optest.Run(t, ops, optest.Call{Op: "MatMulInteger"}, tensor.From([]int8{-1, 2, 3}, 3), b).Out(0)
	optest.Want(t, vector, tensor.From([]int32{12, 24}, 2), 0)
	column := optest.Run(t, ops, optest.Call{Op: "MatMulInteger"}, a, tensor.From([]int8{1, 0, -1}, 3)).Out(0)
	optest.Want(t, column, tensor.From([]int32{8, 8, 8, 8}, 4), 0)
}

// lines are a stack of two matrices and one matrix, with zero points for each
// row and column; the numbers are NumPy's.
func lines() (a, b, zeroA, zeroB *tensor.Tensor, product []int32) {
	a = tensor.From([]uint8{106, 152, 249, 131, 184, 200, 0, 21, 253, 147, 202, 107}, 2, 2, 3)
	b = tensor.From([]int8{121, 41, 10, 21, -9, 38}, 3, 2)
	zeroA = tensor.From([]uint8{10, 250}, 2)
	zeroB = tensor.From([]int8{5, -7}, 2)
	return a, b, zeroA, zeroB, []int32{8500, 19339, -13434, -9810, -4507, 10763, -10186, -12723}
}

func TestMatMulIntegerByLine(t *testing.T) {
	a, b, zeroA, zeroB, want := lines()
	got := optest.Run(t, ops, optest.Call{Op: "MatMulInteger"}, a, b, zeroA, zeroB).Out(0)
	optest.Want(t, got, tensor.From(want, 2, 2, 2), 0)
	each := tensor.From([]uint8{10, 250, 10, 250}, 2, 2, 1)
	got = optest.Run(t, ops, optest.Call{Op: "MatMulInteger"}, a, b, each, zeroB).Out(0)
	optest.Want(t, got, tensor.From(want, 2, 2, 2), 0)
}

func TestQLinearMatMul(t *testing.T) {
	a, b, zeroA, zeroB, _ := lines()
	scaleB := f32(0.5, 0.25)
	got := optest.Run(t, ops, optest.Call{Op: "QLinearMatMul"}, a, scalar(0.02), zeroA, b, scaleB, zeroB, scalar(3), tensor.Scalar(uint8(100))).Out(0)
	optest.Want(t, got, tensor.From([]uint8{128, 132, 55, 84, 85, 118, 66, 79}, 2, 2, 2), 0)
	signed := optest.Run(t, ops, optest.Call{Op: "QLinearMatMul"}, a, scalar(0.02), zeroA, b, scaleB, zeroB, scalar(0.75), tensor.Scalar(int8(0))).Out(0)
	optest.Want(t, signed, tensor.From([]int8{113, 127, -128, -65, -60, 72, -128, -85}, 2, 2, 2), 0)
	byRow := optest.Run(t, ops, optest.Call{Op: "QLinearMatMul"}, tensor.From([]int8{1, 2}, 2, 1), f32(1, 0.5), tensor.Scalar(int8(0)),
		tensor.From([]int8{10}, 1, 1), scalar(1), tensor.Scalar(int8(0)), scalar(1), tensor.Scalar(int8(0))).Out(0)
	optest.Want(t, byRow, tensor.From([]int8{10, 10}, 2, 1), 0)
}

func TestQLinearMatMulOfFloat8(t *testing.T) {
	const d = tensor.Float8E4M3FN
	e4m3 := func(shape []int, x ...float64) *tensor.Tensor {
		codes := make([]tensor.SmallBits, len(x))
		for i, v := range x {
			codes[i] = tensor.ToSmall(d, v, true)
		}
		return tensor.FromAs(d, codes, shape...)
	}
	a, b := e4m3([]int{2, 2}, 1, 2, 3, 4), e4m3([]int{2, 2}, 1, 0, 0.5, -1)
	zero := e4m3(nil, 0)
	n := optest.Run(t, ops, optest.Call{Op: "QLinearMatMul"}, a, f32(1, 10), zero, b, f32(1, 2), zero, scalar(2), zero)
	// By rows and columns: [2·1 -2·2; 5·10 -4·2·10] over 2; 25 is a tie and goes to the even 24.
	for i, want := range []float32{1, -2, 24, -40} {
		if got := tensor.Data[tensor.SmallBits](n.Out(0))[i].Float32(d); got != want {
			t.Errorf("element %d is %v, want %v", i, got, want)
		}
	}
	mixed := optest.Run(t, ops, optest.Call{Op: "QLinearMatMul"}, a, scalar(1), zero, b, scalar(1), zero, scalar(0.5), tensor.Scalar(int8(1))).Out(0)
	optest.Want(t, mixed, tensor.From([]int8{5, -3, 11, -7}, 2, 2), 0)
	optest.Error(t, ops, optest.Call{Op: "QLinearMatMul"}, a, f32(1, 2, 3), zero, b, scalar(1), zero, scalar(1), zero)
}

func TestProductsRefuseBadInputs(t *testing.T) {
	a, b := tensor.New(tensor.Uint8, 2, 3), tensor.New(tensor.Int8, 3, 4)
	mm := optest.Call{Op: "MatMulInteger"}
	optest.Error(t, ops, mm, a, tensor.New(tensor.Int8, 2, 4))
	optest.Error(t, ops, mm, a, tensor.New(tensor.Int8))
	optest.Error(t, ops, mm, a, b, tensor.New(tensor.Uint8, 3))
	optest.Error(t, ops, mm, a, b, tensor.New(tensor.Int8, 1))
	optest.Error(t, ops, mm, tensor.New(tensor.Uint8, 2, 2, 3), tensor.New(tensor.Int8, 3, 3, 4))
	optest.Error(t, ops, mm, a)
	zero := tensor.New(tensor.Uint8)
	optest.Error(t, ops, optest.Call{Op: "QLinearMatMul"}, a, scalar(1), zero, b, f32(1, 2, 3), tensor.New(tensor.Int8), scalar(1), zero)
	optest.Error(t, ops, optest.Call{Op: "QLinearMatMul"}, a, scalar(1), zero, b, scalar(1), tensor.New(tensor.Int8), f32(1, 2), zero)
	optest.Error(t, ops, optest.Call{Op: "QLinearMatMul"}, a, f32(), zero, b, scalar(1), tensor.New(tensor.Int8), scalar(1), zero)
	optest.Error(t, ops, optest.Call{Op: "QLinearMatMul"}, a, scalar(1), zero, b)
	none := optest.Run(t, ops, mm, tensor.New(tensor.Uint8, 0, 3), b).Out(0)
	optest.Want(t, none, tensor.New(tensor.Int32, 0, 4), 0)
}

func TestConvInteger(t *testing.T) {
	x := tensor.From([]uint8{2, 3, 4, 5, 6, 7, 8, 9, 10}, 1, 1, 3, 3)
	w := tensor.From([]uint8{1, 1, 1, 1}, 1, 1, 2, 2)
	zero := tensor.Scalar(uint8(1))
	got := optest.Run(t, ops, optest.Call{Op: "ConvInteger"}, x, w, zero).Out(0)
	optest.Want(t, got, tensor.From([]int32{12, 16, 24, 28}, 1, 1, 2, 2), 0)
	padded := optest.Run(t, ops, optest.Call{Op: "ConvInteger", Attrs: attrs{"pads": []int{1, 1, 1, 1}}}, x, w, zero).Out(0)
	optest.Want(t, padded, tensor.From([]int32{1, 3, 5, 3, 5, 12, 16, 9, 11, 24, 28, 15, 7, 15, 17, 9}, 1, 1, 4, 4), 0)
	line := optest.Run(t, ops, optest.Call{Op: "ConvInteger", Attrs: attrs{"strides": []int{2}}}, tensor.From([]int8{1, 2, 3, 4, 5}, 1, 1, 5), tensor.From([]int8{1, -1, 2}, 1, 1, 3)).Out(0)
	optest.Want(t, line, tensor.From([]int32{5, 9}, 1, 1, 2), 0)
}

// grouped is a convolution in two groups, padded at the top and on the right.
func grouped() (x, w, zeroX, zeroW *tensor.Tensor, a attrs) {
	x, w = tensor.New(tensor.Uint8, 1, 2, 3, 3), tensor.New(tensor.Int8, 4, 1, 2, 2)
	for i := range x.Len() {
		tensor.Data[uint8](x)[i] = uint8(7 * i)
	}
	for i := range w.Len() {
		tensor.Data[int8](w)[i] = int8(5*i - 40)
	}
	return x, w, tensor.Scalar(uint8(20)), tensor.From([]int8{0, 1, -2, 3}, 4), attrs{"group": 2, "pads": []int{1, 0, 0, 1}}
}

func TestConvIntegerInGroups(t *testing.T) {
	x, w, zeroX, zeroW, a := grouped()
	got := optest.Run(t, ops, optest.Call{Op: "ConvInteger", Attrs: a}, x, w, zeroX, zeroW).Out(0)
	optest.Want(t, got, tensor.From([]int32{
		925, 540, 180, 1025, 115, -210, -1705, -2615, -1680, 298, 179, 66, 569, 191, -39, -565, -943, -711,
		1366, 1569, 684, 2411, 2677, 1050, 3209, 3475, 1344, 2761, 3174, 1539, 5831, 6517, 3075, 7889, 8575, 3999,
	}, 1, 4, 3, 3), 0)
}

func TestQLinearConv(t *testing.T) {
	x, w, zeroX, zeroW, a := grouped()
	bias := tensor.From([]int32{100, -200, 300, 0}, 4)
	n := optest.Run(t, ops, optest.Call{Op: "QLinearConv", Attrs: a}, x, scalar(0.0625), zeroX, w, f32(0.5, 0.25, 0.125, 1), zeroW, scalar(2), tensor.Scalar(int8(-3)), bias)
	optest.Want(t, n.Out(0), tensor.From([]int8{
		13, 7, 1, 15, 0, -5, -28, -42, -28, -2, -3, -4, 0, -3, -5, -9, -12, -10,
		4, 4, 1, 8, 9, 2, 11, 12, 3, 83, 96, 45, 127, 127, 93, 127, 127, 122,
	}, 1, 4, 3, 3), 0)
	if got := n.Allocs(t); got != 0 {
		t.Errorf("a run allocates %v times", got)
	}
}

func TestConvolutionsRefuseBadInputs(t *testing.T) {
	x, w := tensor.New(tensor.Uint8, 1, 2, 3, 3), tensor.New(tensor.Int8, 4, 2, 2, 2)
	zero, one := tensor.New(tensor.Uint8), scalar(1)
	for _, in := range [][]tensor.Value{
		{x, tensor.New(tensor.Int8, 4, 3, 2, 2)},
		{x, w, tensor.New(tensor.Uint8, 2)},
		{x, w, tensor.New(tensor.Int8)},
		{x, w, zero, tensor.New(tensor.Int8, 3)},
		{x},
	} {
		optest.Error(t, ops, optest.Call{Op: "ConvInteger"}, in...)
	}
	zeroW := tensor.New(tensor.Int8)
	for _, in := range [][]tensor.Value{
		{x, f32(1, 2), zero, w, one, zeroW, one, zero},
		{x, one, zero, w, f32(1, 2), zeroW, one, zero},
		{x, one, zero, w, one, zeroW, one, tensor.New(tensor.Uint8, 2)},
		{x, one, zero, w, one, zeroW, one, zero, tensor.New(tensor.Int32, 3)},
		{x, one, zero, w, one, zeroW, one},
	} {
		optest.Error(t, ops, optest.Call{Op: "QLinearConv"}, in...)
	}
	none := optest.Run(t, ops, optest.Call{Op: "ConvInteger"}, tensor.New(tensor.Uint8, 0, 2, 3, 3), w).Out(0)
	optest.Want(t, none, tensor.New(tensor.Int32, 0, 4, 2, 2), 0)
}
