package arrange

import (
	"math"
	"testing"

	"github.com/greenlight-dev/greenlight/tensor"
)

func TestConstant(t *testing.T) {
	check(t, []example{
		{"tensor", call("Constant", attrs{"value": vec(1, 2)}), nil, outs(vec(1, 2))},
		{"float", call("Constant", attrs{"value_float": 1.5}), nil, outs(tensor.Scalar[float32](1.5))},
		{"floats", call("Constant", attrs{"value_floats": []float64{1, 2}}), nil, outs(vec(1, 2))},
		{"int", call("Constant", attrs{"value_int": 7}), nil, outs(scalar(7))},
		{"ints", call("Constant", attrs{"value_ints": []int{7, 8}}), nil, outs(list(7, 8))},
		{"string", call("Constant", attrs{"value_string": "a"}), nil, outs(text(nil, "a"))},
		{"strings", call("Constant", attrs{"value_strings": []string{"a", "b"}}), nil, outs(text(dims{2}, "a", "b"))},
		{"sparse", call("Constant", attrs{"sparse_value": vec(0, 3)}), nil, outs(vec(0, 3))},
	})
	refuse(t, []failure{{call("Constant", nil), nil, "none of the value attributes"}})
}

func TestConstantOfShape(t *testing.T) {
	check(t, []example{
		{"default", call("ConstantOfShape", nil), in(list(2, 2)), outs(f32(dims{2, 2}, 0, 0, 0, 0))},
		{"value", call("ConstantOfShape", attrs{"value": list(5)}), in(list(3)), outs(list(5, 5, 5))},
		{"scalar", call("ConstantOfShape", attrs{"value": list(5)}), in(list()), outs(scalar(5))},
		{"empty", call("ConstantOfShape", nil), in(list(0, 3)), outs(f32(dims{0, 3}))},
		{"text", call("ConstantOfShape", attrs{"value": text(dims{1}, "x")}), in(list(2)), outs(text(dims{2}, "x", "x"))},
	})
	refuse(t, []failure{
		{call("ConstantOfShape", nil), in(list(-1)), "no tensor has the shape"},
		{call("ConstantOfShape", nil), in(list(math.MaxInt64, math.MaxInt64)), "no tensor has the shape"},
		{call("ConstantOfShape", attrs{"value": list(1, 2)}), in(list(1)), "2 elements"},
		{call("ConstantOfShape", nil), in(vec(1)), "float32"},
	})
}

func TestEyeLike(t *testing.T) {
	x := count(2, 3)
	check(t, []example{
		{"same type", call("EyeLike", nil), in(x), outs(f32(dims{2, 3}, 1, 0, 0, 0, 1, 0))},
		{"above", call("EyeLike", attrs{"k": 1, "dtype": 7}), in(x), outs(i64(dims{2, 3}, 0, 1, 0, 0, 0, 1))},
		{"below", call("EyeLike", attrs{"k": -1}), in(x), outs(f32(dims{2, 3}, 0, 0, 0, 1, 0, 0))},
		{"outside", call("EyeLike", attrs{"k": math.MinInt64}), in(x), outs(f32(dims{2, 3}, 0, 0, 0, 0, 0, 0))},
		{"bool", call("EyeLike", attrs{"k": 2, "dtype": 9}), in(x), outs(bools(dims{2, 3}, false, false, true, false, false, false))},
		{"half", call("EyeLike", attrs{"dtype": 10}), in(x), outs(f16(dims{2, 3}, 1, 0, 0, 0, 1, 0))},
	})
	refuse(t, []failure{
		{call("EyeLike", nil), in(vec(1)), "want a matrix"},
		{call("EyeLike", attrs{"dtype": 99}), in(x), "no element type"},
		{call("EyeLike", attrs{"dtype": 8}), in(x), "cannot make string"},
	})
}

func TestRange(t *testing.T) {
	f := func(v float32) *tensor.Tensor { return tensor.Scalar(v) }
	i16 := func(v int16) *tensor.Tensor { return tensor.Scalar(v) }
	check(t, []example{
		{"float", call("Range", nil), in(f(1), f(5), f(2)), outs(vec(1, 3))},
		{"down", call("Range", nil), in(scalar(10), scalar(4), scalar(-2)), outs(list(10, 8, 6))},
		{"none", call("Range", nil), in(scalar(4), scalar(4), scalar(1)), outs(list())},
		{"away", call("Range", nil), in(f(4), f(0), f(1)), outs(vec())},
		{"short", call("Range", nil), in(i16(-3), i16(3), i16(4)), outs(tensor.From([]int16{-3, 1}, 2))},
		{"double", call("Range", nil), in(tensor.Scalar(0.0), tensor.Scalar(0.3), tensor.Scalar(0.1)),
			outs(tensor.From([]float64{0, 0.1, 0.2}, 3))},
		{"half", call("Range", nil), in(f16(nil, 0), f16(nil, 1), f16(nil, 0.25)), outs(f16(dims{4}, 0, 0.25, 0.5, 0.75))},
		{"bfloat16", call("Range", nil), in(bf16(nil, 1), bf16(nil, 10), bf16(nil, 4)), outs(bf16(dims{3}, 1, 5, 9))},
		{"extreme", call("Range", nil), in(scalar(math.MinInt64), scalar(math.MaxInt64), scalar(math.MaxInt64)),
			outs(list(math.MinInt64, -1, math.MaxInt64-1))},
	})
	refuse(t, []failure{
		{call("Range", nil), in(scalar(0), scalar(1), scalar(0)), "delta of 0"},
		{call("Range", nil), in(f(0), f(1), f(0)), "has no length"},
		{call("Range", nil), in(f(0), f(float32(math.Inf(1))), f(1)), "has no length"},
		{call("Range", nil), in(scalar(0), scalar(math.MaxInt64), scalar(1)), "too long"},
		{call("Range", nil), in(scalar(0), f(1), scalar(1)), "want one int64"},
		{call("Range", nil), in(list(0, 1), scalar(1), scalar(1)), "want one int64"},
	})
}

func TestOneHot(t *testing.T) {
	values := vec(0, 1)
	check(t, []example{
		{"last", call("OneHot", nil), in(list(0, 2, -1), scalar(3), values),
			outs(f32(dims{3, 3}, 1, 0, 0, 0, 0, 1, 0, 0, 1))},
		{"first", call("OneHot", attrs{"axis": 0}), in(list(1, 0), list(3), values),
			outs(f32(dims{3, 2}, 0, 1, 1, 0, 0, 0))},
		{"outside", call("OneHot", nil), in(list(3, -4, 1), scalar(3), list(5, 6)),
			outs(i64(dims{3, 3}, 5, 5, 5, 5, 5, 5, 5, 6, 5))},
		{"float index", call("OneHot", nil), in(vec(1), tensor.Scalar[float32](2), values), outs(f32(dims{1, 2}, 0, 1))},
		{"text", call("OneHot", nil), in(scalar(1), scalar(2), text(dims{2}, "no", "yes")), outs(text(dims{2}, "no", "yes"))},
		{"middle", call("OneHot", attrs{"axis": 1}), in(i64(dims{2, 2}, 0, 1, 1, 0), scalar(2), values),
			outs(f32(dims{2, 2, 2}, 1, 0, 0, 1, 0, 1, 1, 0))},
		{"no depth", call("OneHot", nil), in(list(0, 1), scalar(0), values), outs(f32(dims{2, 0}))},
	})
	refuse(t, []failure{
		{call("OneHot", nil), in(list(0), scalar(-1), values), "depth is -1"},
		{call("OneHot", nil), in(list(0), scalar(1), vec(1)), "want one and two"},
		{call("OneHot", attrs{"axis": 3}), in(list(0), scalar(1), values), "axis 3"},
		{call("OneHot", nil), in(list(0), scalar(math.MaxInt64), values), "no tensor has the shape"},
	})
}
