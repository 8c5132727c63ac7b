package arrange

import (
	"testing"

	"github.com/greenlight-dev/greenlight/tensor"
)

func TestConcat(t *testing.T) {
	a, b := f32(dims{2, 2}, 1, 2, 3, 4), f32(dims{2, 1}, 5, 6)
	check(t, []example{
		{"columns", call("Concat", attrs{"axis": 1}), in(a, b), outs(f32(dims{2, 3}, 1, 2, 5, 3, 4, 6))},
		{"rows", call("Concat", attrs{"axis": -2}), in(a, a), outs(f32(dims{4, 2}, 1, 2, 3, 4, 1, 2, 3, 4))},
		{"single columns", call("Concat", attrs{"axis": 1}), in(b, b, b), outs(f32(dims{2, 3}, 5, 5, 5, 6, 6, 6))},
		{"empty part", call("Concat", attrs{"axis": 1}), in(f32(dims{2, 0}), a), outs(a)},
		{"all empty", call("Concat", attrs{"axis": 0}), in(f32(dims{0, 2}), f32(dims{0, 2})), outs(f32(dims{0, 2}))},
		{"text", call("Concat", attrs{"axis": 0}), in(text(dims{1}, "a"), text(dims{2}, "b", "c")),
			outs(text(dims{3}, "a", "b", "c"))},
		{"wide type", call("Concat", attrs{"axis": 0}), in(
			tensor.From([]complex128{1 + 2i}, 1), tensor.From([]complex128{3}, 1)),
			outs(tensor.From([]complex128{1 + 2i, 3}, 2))},
	})
	refuse(t, []failure{
		{call("Concat", attrs{"axis": 0}), in(a, b), "float32[2,2] and float32[2,1] cannot be joined along axis 0"},
		{call("Concat", attrs{"axis": 2}), in(a, a), "axis 2"},
		{call("Concat", attrs{"axis": 0}), in(a, list(1)), "do not go together"},
		{call("Concat", attrs{"axis": 0}), nil, "no inputs"},
	})
}

func TestSplit(t *testing.T) {
	x := count(2, 4)
	left, right := f32(dims{2, 2}, 0, 1, 4, 5), f32(dims{2, 2}, 2, 3, 6, 7)
	check(t, []example{
		{"equal", at(13, "Split", attrs{"axis": 1}), in(x), outs(left, right)},
		{"sizes", at(13, "Split", attrs{"axis": -1}), in(x, list(1, 3)),
			outs(f32(dims{2, 1}, 0, 4), f32(dims{2, 3}, 1, 2, 3, 5, 6, 7))},
		{"attribute", at(11, "Split", attrs{"axis": 1, "split": []int{2, 2}}), in(x), outs(left, right)},
		{"uneven", call("Split", attrs{"num_outputs": 3}), in(list(1, 2, 3, 4, 5, 6, 7)),
			outs(list(1, 2, 3), list(4, 5, 6), list(7))},
		{"more parts than elements", call("Split", attrs{"num_outputs": 3}), in(list(1, 2)), outs(list(1), list(2), list())},
		{"zero", at(13, "Split", nil), in(list(), list(0, 0)), outs(list(), list())},
	})
	two := at(13, "Split", nil)
	two.Outputs = 2
	refuse(t, []failure{
		{two, in(list(1, 2, 3)), "3 elements do not split into 2 equal parts"},
		{two, in(list(1, 2, 3), list(1, 1)), "cannot split"},
		{two, in(list(1, 2, 3), list(-1, 4)), "cannot split"},
		{two, in(list(1, 2, 3), list(1, 1, 1)), "into 2 parts"},
		{two, in(list(1), list(1<<62, -1<<62)), "cannot split"},
		{call("Split", attrs{"num_outputs": 3}), in(list(1)), "has 1 outputs"},
	})
}

func TestTile(t *testing.T) {
	x := f32(dims{2, 2}, 1, 2, 3, 4)
	check(t, []example{
		{"both", call("Tile", nil), in(x, list(2, 2)), outs(f32(dims{4, 4}, 1, 2, 1, 2, 3, 4, 3, 4, 1, 2, 1, 2, 3, 4, 3, 4))},
		{"once", call("Tile", nil), in(x, list(1, 1)), outs(x)},
		{"never", call("Tile", nil), in(x, list(1, 0)), outs(f32(dims{2, 0}))},
		{"text", call("Tile", nil), in(text(dims{1}, "a"), list(3)), outs(text(dims{3}, "a", "a", "a"))},
	})
	refuse(t, []failure{
		{call("Tile", nil), in(x, list(1)), "1 repeats"},
		{call("Tile", nil), in(x, list(1, -1)), "cannot be repeated"},
		{call("Tile", nil), in(x, list(1<<62, 1<<62)), "cannot be repeated"},
		{call("Tile", nil), in(x, list(1<<30, 1<<30)), "no tensor has the shape"},
	})
}

func TestExpand(t *testing.T) {
	x := f32(dims{3, 1}, 1, 2, 3)
	check(t, []example{
		{"wider", call("Expand", nil), in(x, list(2, 1, 2)), outs(f32(dims{2, 3, 2}, 1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3))},
		{"shorter", call("Expand", nil), in(x, list(2)), outs(f32(dims{3, 2}, 1, 1, 2, 2, 3, 3))},
		{"scalar", call("Expand", nil), in(scalar(4), list(2)), outs(list(4, 4))},
		{"to nothing", call("Expand", nil), in(x, list(3, 0)), outs(f32(dims{3, 0}))},
		{"bool", call("Expand", nil), in(bools(dims{1}, true), list(2)), outs(bools(dims{2}, true, true))},
	})
	refuse(t, []failure{
		{call("Expand", nil), in(x, list(2, 2)), "do not broadcast"},
		{call("Expand", nil), in(x, list(3, -1)), "no tensor has the shape"},
		{call("Expand", nil), in(x, list(1<<40, 3, 1<<40)), "no tensor has the shape"},
	})
}
