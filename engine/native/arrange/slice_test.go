package arrange

import (
	"math"
	"testing"
)

func TestSlice(t *testing.T) {
	x := f32(dims{2, 4}, 1, 2, 3, 4, 5, 6, 7, 8)
	v := list(0, 1, 2, 3, 4)
	check(t, []example{
		{"steps", call("Slice", nil), in(x, list(1, 0), list(2, 3), list(0, 1), list(1, 2)), outs(f32(dims{1, 2}, 5, 7))},
		{"default axes", call("Slice", nil), in(x, list(0, 1), list(-1, 1000)), outs(f32(dims{1, 3}, 2, 3, 4))},
		{"backwards", call("Slice", nil), in(v, list(-1), list(math.MinInt64), list(0), list(-1)), outs(list(4, 3, 2, 1, 0))},
		{"backwards by two", call("Slice", nil), in(v, list(100), list(0), list(0), list(-2)), outs(list(4, 2))},
		{"huge step", call("Slice", nil), in(v, list(1), list(math.MaxInt64), list(0), list(math.MaxInt64)), outs(list(1))},
		{"least step", call("Slice", nil), in(v, list(3), list(math.MinInt64), list(0), list(math.MinInt64)), outs(list(3))},
		{"nothing", call("Slice", nil), in(v, list(3), list(2)), outs(list())},
		{"past the end", call("Slice", nil), in(v, list(9), list(12)), outs(list())},
		{"attributes", at(9, "Slice", attrs{"starts": []int{1}, "ends": []int{3}, "axes": []int{-1}}), in(x),
			outs(f32(dims{2, 2}, 2, 3, 6, 7))},
		{"of nothing", call("Slice", nil), in(list(), list(-1), list(math.MinInt64), list(0), list(-1)), outs(list())},
		{"text", call("Slice", nil), in(text(dims{3}, "a", "b", "c"), list(2), list(-9), list(0), list(-2)),
			outs(text(dims{2}, "c", "a"))},
	})
	refuse(t, []failure{
		{call("Slice", nil), in(v, list(0), list(1), list(0), list(0)), "step of 0"},
		{call("Slice", nil), in(v, list(0), list(1), list(1)), "axis 1"},
		{call("Slice", nil), in(x, list(0, 0), list(1, 1), list(0, -2)), "given twice"},
		{call("Slice", nil), in(v, list(0), list(1, 2)), "1 starts, 2 ends"},
		{call("Slice", nil), in(v, list(0, 0), list(1, 1)), "2 starts"},
	})
}

func TestCenterCropPad(t *testing.T) {
	x := count(4, 3)
	check(t, []example{
		{"cut and pad", call("CenterCropPad", nil), in(x, list(2, 5)), outs(f32(dims{2, 5}, 0, 3, 4, 5, 0, 0, 6, 7, 8, 0))},
		{"odd", call("CenterCropPad", attrs{"axes": []int{-2}}), in(x, list(1)), outs(f32(dims{1, 3}, 3, 4, 5))},
		{"odd pad", call("CenterCropPad", nil), in(list(7, 8), list(5)), outs(list(0, 7, 8, 0, 0))},
	})
	refuse(t, []failure{
		{call("CenterCropPad", nil), in(x, list(1)), "1 sizes given for 2 axes"},
		{call("CenterCropPad", nil), in(x, list(-1, 1)), "no tensor has the shape"},
		{call("CenterCropPad", attrs{"axes": []int{2}}), in(x, list(1)), "axis 2"},
	})
}

func TestTrilu(t *testing.T) {
	x := f32(dims{2, 3}, 1, 2, 3, 4, 5, 6)
	check(t, []example{
		{"upper", call("Trilu", nil), in(x), outs(f32(dims{2, 3}, 1, 2, 3, 0, 5, 6))},
		{"lower", call("Trilu", attrs{"upper": 0}), in(x), outs(f32(dims{2, 3}, 1, 0, 0, 4, 5, 0))},
		{"above", call("Trilu", nil), in(x, scalar(1)), outs(f32(dims{2, 3}, 0, 2, 3, 0, 0, 6))},
		{"far", call("Trilu", attrs{"upper": 0}), in(x, scalar(math.MinInt64)), outs(f32(dims{2, 3}, 0, 0, 0, 0, 0, 0))},
		{"batch", call("Trilu", attrs{"upper": 0}), in(count(2, 2, 2), scalar(0)),
			outs(f32(dims{2, 2, 2}, 0, 0, 2, 3, 4, 0, 6, 7))},
		{"empty", call("Trilu", nil), in(f32(dims{2, 0})), outs(f32(dims{2, 0}))},
	})
	refuse(t, []failure{
		{call("Trilu", nil), in(vec(1)), "want a matrix"},
		{call("Trilu", nil), in(x, list(1, 2)), "want 1"},
	})
}

func TestPad(t *testing.T) {
	x := f32(dims{3, 2}, 1, 2, 3, 4, 5, 6)
	v := list(1, 2, 3)
	mode := func(m string) attrs { return attrs{"mode": m} }
	check(t, []example{
		{"constant", call("Pad", nil), in(x, list(0, 2, 0, 0), tensorOf(9)),
			outs(f32(dims{3, 4}, 9, 9, 1, 2, 9, 9, 3, 4, 9, 9, 5, 6))},
		{"zero", call("Pad", nil), in(v, list(1, 1)), outs(list(0, 1, 2, 3, 0))},
		{"cut", call("Pad", nil), in(v, list(-1, 2)), outs(list(2, 3, 0, 0))},
		{"cut all", call("Pad", nil), in(v, list(-5, 4)), outs(list(0, 0))},
		{"axes", call("Pad", nil), in(x, list(1, 0), nil, list(-2)), outs(f32(dims{4, 2}, 0, 0, 1, 2, 3, 4, 5, 6))},
		{"attributes", at(10, "Pad", attrs{"pads": []int{0, 1, 0, 0}, "value": 7.0}), in(x),
			outs(f32(dims{3, 3}, 7, 1, 2, 7, 3, 4, 7, 5, 6))},
		{"text", call("Pad", nil), in(text(dims{1}, "a"), list(1, 0)), outs(text(dims{2}, "", "a"))},
		{"edge", call("Pad", mode("edge")), in(v, list(2, 1)), outs(list(1, 1, 1, 2, 3, 3))},
		{"reflect", call("Pad", mode("reflect")), in(v, list(2, 2)), outs(list(3, 2, 1, 2, 3, 2, 1))},
		{"reflect again", call("Pad", mode("reflect")), in(list(1, 2), list(3, 2)), outs(list(2, 1, 2, 1, 2, 1, 2))},
		{"reflect one", call("Pad", mode("reflect")), in(list(4), list(1, 1)), outs(list(4, 4, 4))},
		{"wrap", call("Pad", mode("wrap")), in(v, list(4, 2)), outs(list(3, 1, 2, 3, 1, 2, 3, 1, 2))},
		{"edge 2-d", call("Pad", mode("edge")), in(x, list(1, 1, 0, 1)),
			outs(f32(dims{4, 4}, 1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6))},
		{"edge scalar", call("Pad", mode("edge")), in(scalar(3), list()), outs(scalar(3))},
	})
	refuse(t, []failure{
		{call("Pad", nil), in(v, list(1)), "1 pads given for 1 axes"},
		{call("Pad", nil), in(v, list(-2, -2)), "no tensor has the shape"},
		{call("Pad", nil), in(v, list(math.MaxInt64, math.MaxInt64)), "too large"},
		{call("Pad", nil), in(v, list(1, 1), tensorOf(1)), "want one int64"},
		{call("Pad", mode("edge")), in(list(), list(1, 1)), "no elements to pad with"},
		{call("Pad", mode("mirror")), in(v, list(1, 1)), `no mode "mirror"`},
		{call("Pad", nil), in(x, list(1, 1, 1, 1), nil, list(0, 0)), "given twice"},
	})
}
