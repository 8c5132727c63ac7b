package arrange

import (
	"testing"

	"github.com/greenlight-dev/greenlight/tensor"
)

func TestGather(t *testing.T) {
	x := f32(dims{3, 2}, 1, 2, 3, 4, 5, 6)
	i32 := tensor.From([]int32{2, 0}, 2)
	check(t, []example{
		{"rows", call("Gather", nil), in(x, i64(dims{2, 2}, 0, 1, 1, 2)),
			outs(f32(dims{2, 2, 2}, 1, 2, 3, 4, 3, 4, 5, 6))},
		{"columns", call("Gather", attrs{"axis": 1}), in(x, list(-1)), outs(f32(dims{3, 1}, 2, 4, 6))},
		{"int32", call("Gather", nil), in(list(7, 8, 9), i32), outs(list(9, 7))},
		{"scalar index", call("Gather", attrs{"axis": -1}), in(x, scalar(0)), outs(vec(1, 3, 5))},
		{"no index", call("Gather", nil), in(x, list()), outs(f32(dims{0, 2}))},
		{"text", call("Gather", nil), in(text(dims{2}, "a", "b"), list(1, 1)), outs(text(dims{2}, "b", "b"))},
		{"half", call("Gather", nil), in(f16(dims{2}, 1, 2), list(1)), outs(f16(dims{1}, 2))},
	})
	refuse(t, []failure{
		{call("Gather", nil), in(x, list(3)), "index 3 is outside [-3, 2]"},
		{call("Gather", nil), in(x, list(-4)), "index -4"},
		{call("Gather", attrs{"axis": 2}), in(x, list(0)), "axis 2"},
		{call("Gather", nil), in(x, vec(0)), "float32"},
		{call("Gather", nil), in(f32(dims{0}), list(0)), "index 0"},
	})
}

func TestGatherElements(t *testing.T) {
	x := f32(dims{3, 3}, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	check(t, []example{
		{"axis 0", call("GatherElements", nil), in(x, i64(dims{2, 3}, -1, 2, 0, 2, 0, 0)),
			outs(f32(dims{2, 3}, 7, 8, 3, 7, 2, 3))},
		{"axis 1", call("GatherElements", attrs{"axis": -1}), in(x, i64(dims{2, 1}, 2, 0)), outs(f32(dims{2, 1}, 3, 4))},
		{"nothing", call("GatherElements", nil), in(x, i64(dims{0, 3})), outs(f32(dims{0, 3}))},
	})
	refuse(t, []failure{
		{call("GatherElements", nil), in(x, i64(dims{1, 1}, 3)), "index 3"},
		{call("GatherElements", nil), in(x, i64(dims{1, 4}, 0, 0, 0, 0)), "do not fit"},
		{call("GatherElements", nil), in(x, list(0)), "do not fit"},
	})
}

func TestGatherND(t *testing.T) {
	x := i64(dims{2, 2}, 0, 1, 2, 3)
	y := count(2, 2, 2)
	check(t, []example{
		{"elements", call("GatherND", nil), in(x, i64(dims{2, 2}, 0, 0, 1, -1)), outs(list(0, 3))},
		{"rows", call("GatherND", nil), in(x, i64(dims{2, 1}, 1, 0)), outs(i64(dims{2, 2}, 2, 3, 0, 1))},
		{"blocks", call("GatherND", nil), in(y, i64(dims{2, 1, 2}, 0, 1, 1, 0)), outs(f32(dims{2, 1, 2}, 2, 3, 4, 5))},
		{"batch", call("GatherND", attrs{"batch_dims": 1}), in(y, i64(dims{2, 1}, 1, 0)), outs(f32(dims{2, 2}, 2, 3, 4, 5))},
		{"whole", call("GatherND", nil), in(x, i64(dims{1, 0})), outs(i64(dims{1, 2, 2}, 0, 1, 2, 3))},
	})
	refuse(t, []failure{
		{call("GatherND", nil), in(x, i64(dims{1, 2}, 0, 2)), "index 2"},
		{call("GatherND", nil), in(x, i64(dims{1, 3}, 0, 0, 0)), "do not fit"},
		{call("GatherND", nil), in(x, scalar(0)), "do not fit"},
		{call("GatherND", attrs{"batch_dims": 1}), in(y, i64(dims{1, 1}, 0)), "batch dimension 0"},
		{call("GatherND", attrs{"batch_dims": 1}), in(y, list(0, 0)), "do not fit"},
	})
}

func TestCompress(t *testing.T) {
	x := f32(dims{3, 2}, 1, 2, 3, 4, 5, 6)
	check(t, []example{
		{"rows", call("Compress", attrs{"axis": 0}), in(x, bools(dims{3}, false, true, true)), outs(f32(dims{2, 2}, 3, 4, 5, 6))},
		{"columns", call("Compress", attrs{"axis": -1}), in(x, bools(dims{2}, false, true)), outs(f32(dims{3, 1}, 2, 4, 6))},
		{"flat", call("Compress", nil), in(x, bools(dims{5}, false, true, false, false, true)), outs(vec(2, 5))},
		{"none", call("Compress", attrs{"axis": 1}), in(x, bools(dims{0})), outs(f32(dims{3, 0}))},
	})
	refuse(t, []failure{
		{call("Compress", attrs{"axis": 1}), in(x, bools(dims{3}, true, true, true)), "3 elements for 2"},
		{call("Compress", attrs{"axis": 2}), in(x, bools(dims{1}, true)), "axis 2"},
	})
}

func TestScatterElements(t *testing.T) {
	x := vec(1, 2, 3, 4)
	u := vec(10, 20)
	reduce := func(r string) attrs { return attrs{"reduction": r} }
	check(t, []example{
		{"axis 1", call("ScatterElements", attrs{"axis": 1}),
			in(f32(dims{1, 5}, 1, 2, 3, 4, 5), i64(dims{1, 2}, 1, -2), f32(dims{1, 2}, 1.5, 2.5)),
			outs(f32(dims{1, 5}, 1, 1.5, 3, 2.5, 5))},
		{"old name", at(9, "Scatter", nil), in(x, list(3, 0), u), outs(vec(20, 2, 3, 10))},
		{"last wins", call("ScatterElements", nil), in(x, list(1, 1), u), outs(vec(1, 20, 3, 4))},
		{"add", call("ScatterElements", reduce("add")), in(x, list(1, 1), u), outs(vec(1, 32, 3, 4))},
		{"mul", call("ScatterElements", reduce("mul")), in(x, list(1, 1), u), outs(vec(1, 400, 3, 4))},
		{"max", call("ScatterElements", reduce("max")), in(x, list(1, 1), vec(-1, 1)), outs(x)},
		{"min", call("ScatterElements", reduce("min")), in(x, list(1, 1), vec(5, 1)), outs(vec(1, 1, 3, 4))},
		{"half", call("ScatterElements", reduce("add")), in(f16(dims{1}, 1), list(0, 0), f16(dims{2}, 2, 4)), outs(f16(dims{1}, 7))},
		{"bfloat16", call("ScatterElements", reduce("mul")), in(bf16(dims{1}, 3), list(0), bf16(dims{1}, 2)), outs(bf16(dims{1}, 6))},
		{"bytes", call("ScatterElements", reduce("max")), in(tensor.From([]uint8{1}, 1), list(0), tensor.From([]uint8{200}, 1)),
			outs(tensor.From([]uint8{200}, 1))},
		{"text", call("ScatterElements", nil), in(text(dims{2}, "a", "b"), list(1), text(dims{1}, "c")), outs(text(dims{2}, "a", "c"))},
	})
	refuse(t, []failure{
		{call("ScatterElements", nil), in(x, list(4), vec(1)), "index 4"},
		{call("ScatterElements", nil), in(x, list(0), u), "updates are float32[2]"},
		{call("ScatterElements", nil), in(x, list(0), list(1)), "do not go together"},
		{call("ScatterElements", reduce("mean")), in(x, list(0), vec(1)), `no reduction "mean"`},
		{call("ScatterElements", reduce("add")), in(text(dims{1}, "a"), list(0), text(dims{1}, "b")), "does not work on string"},
	})
}

func TestScatterND(t *testing.T) {
	x := vec(1, 2, 3, 4, 5, 6, 7, 8)
	m := f32(dims{2, 2}, 1, 2, 3, 4)
	check(t, []example{
		{"elements", call("ScatterND", nil), in(x, i64(dims{4, 1}, 4, 3, 1, 7), vec(9, 10, 11, 12)),
			outs(vec(1, 11, 3, 10, 9, 6, 7, 12))},
		{"rows", call("ScatterND", nil), in(m, i64(dims{1, 1}, -1), f32(dims{1, 2}, 8, 9)), outs(f32(dims{2, 2}, 1, 2, 8, 9))},
		{"add", call("ScatterND", attrs{"reduction": "add"}), in(m, i64(dims{2, 1}, 0, 0), f32(dims{2, 2}, 1, 1, 1, 1)),
			outs(f32(dims{2, 2}, 3, 4, 3, 4))},
		{"nothing", call("ScatterND", nil), in(m, i64(dims{0, 1}), f32(dims{0, 2})), outs(m)},
	})
	refuse(t, []failure{
		{call("ScatterND", nil), in(m, i64(dims{1, 1}, 2), f32(dims{1, 2}, 8, 9)), "index 2"},
		{call("ScatterND", nil), in(m, i64(dims{1, 1}, 0), vec(8)), "does not match"},
	})
}

func TestTensorScatter(t *testing.T) {
	past := f32(dims{2, 3, 1}, 1, 2, 3, 4, 5, 6)
	update := f32(dims{2, 2, 1}, 10, 20, 30, 40)
	check(t, []example{
		{"start", call("TensorScatter", nil), in(past, update), outs(f32(dims{2, 3, 1}, 10, 20, 3, 30, 40, 6))},
		{"each its own", call("TensorScatter", nil), in(past, update, list(1, 0)), outs(f32(dims{2, 3, 1}, 1, 10, 20, 30, 40, 6))},
		{"circular", call("TensorScatter", attrs{"mode": "circular"}), in(past, update, list(2, 1)),
			outs(f32(dims{2, 3, 1}, 20, 2, 10, 4, 30, 40))},
	})
	refuse(t, []failure{
		{call("TensorScatter", nil), in(past, update, list(2, 0)), "2 steps at 2 do not fit a cache of 3"},
		{call("TensorScatter", nil), in(past, update, list(-1, 0)), "do not fit"},
		{call("TensorScatter", nil), in(past, update, list(1<<62, 0)), "do not fit"},
		{call("TensorScatter", nil), in(past, update, list(0)), "batch of 2"},
		{call("TensorScatter", attrs{"axis": 0}), in(past, update), "axis 0 is the batch"},
		{call("TensorScatter", attrs{"mode": "ring"}), in(past, update), "neither linear nor circular"},
	})
}
