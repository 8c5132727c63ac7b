package arrange

import (
	"math"
	"slices"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/tensor"
)

func TestTopK(t *testing.T) {
	x := f32(dims{2, 4}, 0, 1, 2, 3, 7, 6, 5, 4)
	nan := float32(math.NaN())
	check(t, []example{
		{"rows", call("TopK", nil), in(x, list(2)), outs(f32(dims{2, 2}, 3, 2, 7, 6), i64(dims{2, 2}, 3, 2, 0, 1))},
		{"columns", call("TopK", attrs{"axis": 0}), in(x, list(1)), outs(f32(dims{1, 4}, 7, 6, 5, 4), i64(dims{1, 4}, 1, 1, 1, 1))},
		{"smallest", call("TopK", attrs{"largest": 0}), in(x, list(3)),
			outs(f32(dims{2, 3}, 0, 1, 2, 4, 5, 6), i64(dims{2, 3}, 0, 1, 2, 3, 2, 1))},
		{"attribute", at(7, "TopK", attrs{"k": 1}), in(x), outs(f32(dims{2, 1}, 3, 7), i64(dims{2, 1}, 3, 0))},
		{"ties", call("TopK", nil), in(list(5, 5, 1, 5, 9), list(3)), outs(list(9, 5, 5), list(4, 0, 1))},
		{"smallest ties", call("TopK", attrs{"largest": 0}), in(list(5, 1, 1, 5, 1), list(4)), outs(list(1, 1, 1, 5), list(1, 2, 4, 0))},
		{"none", call("TopK", nil), in(list(1, 2), list(0)), outs(list(), list())},
		{"signed zero", call("TopK", nil), in(vec(float32(math.Copysign(0, -1)), 0, -1), list(2)),
			outs(vec(float32(math.Copysign(0, -1)), 0), list(0, 1))},
		{"NaN is largest", call("TopK", nil), in(vec(1, nan, 2), list(2)), outs(vec(nan, 2), list(1, 2))},
		{"NaN is not smallest", call("TopK", attrs{"largest": 0}), in(vec(1, nan, -2), list(2)), outs(vec(-2, 1), list(2, 0))},
		{"half", call("TopK", nil), in(f16(dims{3}, -1, -3, -2), list(2)), outs(f16(dims{2}, -1, -2), list(0, 2))},
		{"unsigned", call("TopK", nil), in(tensor.From([]uint64{1, math.MaxUint64}, 2), list(1)),
			outs(tensor.From([]uint64{math.MaxUint64}, 1), list(1))},
		{"signed", call("TopK", nil), in(tensor.From([]int8{-128, 127, -1}, 3), list(3)),
			outs(tensor.From([]int8{127, -1, -128}, 3), list(1, 2, 0))},
	})
	refuse(t, []failure{
		{call("TopK", nil), in(x, list(5)), "K is [5] for an axis of 4 elements"},
		{call("TopK", nil), in(x, list(-1)), "K is [-1]"},
		{call("TopK", attrs{"axis": 2}), in(x, list(1)), "axis 2"},
		{call("TopK", nil), in(text(dims{1}, "a"), list(1)), "string"},
	})
}

// TestTopKAgainstSort compares every k with a stable sort.
func TestTopKAgainstSort(t *testing.T) {
	x := tensor.New(tensor.Int64, 40)
	data := tensor.Data[int64](x)
	for i := range data {
		data[i] = int64(i * 7919 % 13)
	}
	order := make([]int64, len(data))
	for i := range order {
		order[i] = int64(i)
	}
	slices.SortStableFunc(order, func(a, b int64) int { return int(data[b] - data[a]) })
	for k := range len(data) + 1 {
		call := call("TopK", nil)
		call.Outputs = 2
		n := optest.Run(t, Ops(), call, x, list(int64(k)))
		same(t, n.Out(1), list(order[:k]...))
	}
}

func TestUnique(t *testing.T) {
	x := vec(2, 1, 1, 3, 4, 3)
	m := i64(dims{3, 2}, 3, 1, 0, 1, 3, 1)
	nan := float32(math.NaN())
	check(t, []example{
		{"sorted", call("Unique", nil), in(x), outs(vec(1, 2, 3, 4), list(1, 0, 3, 4), list(1, 0, 0, 2, 3, 2), list(2, 1, 2, 1))},
		{"in order", call("Unique", attrs{"sorted": 0}), in(x),
			outs(vec(2, 1, 3, 4), list(0, 1, 3, 4), list(0, 1, 1, 2, 3, 2), list(1, 2, 2, 1))},
		{"rows", call("Unique", attrs{"axis": 0}), in(m), outs(i64(dims{2, 2}, 0, 1, 3, 1), list(1, 0), list(1, 0, 1), list(1, 2))},
		{"columns", call("Unique", attrs{"axis": -1}), in(i64(dims{2, 3}, 1, 0, 1, 2, 5, 2)),
			outs(i64(dims{2, 2}, 0, 1, 5, 2), list(1, 0), list(1, 0, 1), list(1, 2))},
		{"text", call("Unique", nil), in(text(dims{3}, "b", "a", "b")),
			outs(text(dims{2}, "a", "b"), list(1, 0), list(1, 0, 1), list(1, 2))},
		{"nothing", call("Unique", nil), in(vec()), outs(vec(), list(), list(), list())},
		{"NaN", call("Unique", nil), in(vec(nan, 1, nan)), outs(vec(1, nan), list(1, 0), list(1, 0, 1), list(1, 2))},
		{"bool", call("Unique", nil), in(bools(dims{3}, true, false, true)),
			outs(bools(dims{2}, false, true), list(1, 0), list(1, 0, 1), list(1, 2))},
		{"complex", call("Unique", nil), in(tensor.From([]complex64{1 + 2i, 1 + 1i, 1 + 2i}, 3)),
			outs(tensor.From([]complex64{1 + 1i, 1 + 2i}, 2), list(1, 0), list(1, 0, 1), list(1, 2))},
	})
	refuse(t, []failure{{call("Unique", attrs{"axis": 2}), in(m), "axis 2"}})
}

func TestNonZero(t *testing.T) {
	minus := float32(math.Copysign(0, -1))
	check(t, []example{
		{"bool", call("NonZero", nil), in(bools(dims{2, 2}, true, false, true, true)), outs(i64(dims{2, 3}, 0, 1, 1, 0, 0, 1))},
		{"float", call("NonZero", nil), in(vec(0, minus, 2, float32(math.NaN()))), outs(i64(dims{1, 2}, 2, 3))},
		{"half", call("NonZero", nil), in(f16(dims{2}, minus, 1)), outs(i64(dims{1, 1}, 1))},
		{"text", call("NonZero", nil), in(text(dims{2}, "", "a")), outs(i64(dims{1, 1}, 1))},
		{"none", call("NonZero", nil), in(list(0, 0)), outs(i64(dims{1, 0}))},
		{"scalar", call("NonZero", nil), in(scalar(3)), outs(i64(dims{1, 1}, 0))},
		{"empty", call("NonZero", nil), in(f32(dims{0, 3})), outs(i64(dims{2, 0}))},
		{"int16", call("NonZero", nil), in(tensor.From([]int16{-1, 0}, 2)), outs(i64(dims{1, 1}, 0))},
	})
}

func TestNoAllocations(t *testing.T) {
	x := count(8, 6)
	for _, n := range []*optest.Node{
		optest.Run(t, Ops(), call("Concat", attrs{"axis": 1}), x, x),
		optest.Run(t, Ops(), call("Reshape", nil), x, list(-1)),
		optest.Run(t, Ops(), call("Gather", attrs{"axis": 1}), x, list(1, 3)),
		optest.Run(t, Ops(), call("GatherElements", nil), x, i64(dims{1, 6}, 0, 1, 2, 3, 4, 5)),
		optest.Run(t, Ops(), call("GatherND", nil), x, i64(dims{2, 1}, 0, 1)),
		optest.Run(t, Ops(), call("Slice", nil), x, list(0), list(2), list(1), list(1)),
		optest.Run(t, Ops(), optest.Call{Op: "Split", Attrs: attrs{"num_outputs": 2, "axis": 1}, Outputs: 2}, x),
		optest.Run(t, Ops(), call("Transpose", nil), x),
		optest.Run(t, Ops(), call("Expand", nil), x, list(2, 8, 6)),
		optest.Run(t, Ops(), call("Tile", nil), x, list(1, 2)),
		optest.Run(t, Ops(), call("Pad", nil), x, list(0, 1, 0, 1)),
		optest.Run(t, Ops(), call("Pad", attrs{"mode": "edge"}), x, list(0, 1, 0, 1)),
		optest.Run(t, Ops(), call("ScatterND", nil), x, i64(dims{1, 1}, 0), f32(dims{1, 6}, 1, 1, 1, 1, 1, 1)),
		optest.Run(t, Ops(), call("Shape", nil), x),
		optest.Run(t, Ops(), call("ConstantOfShape", nil), list(4)),
		optest.Run(t, Ops(), call("OneHot", nil), list(1, 2), scalar(3), vec(0, 1)),
		optest.Run(t, Ops(), optest.Call{Op: "TopK", Outputs: 2}, x, list(3)),
		optest.Run(t, Ops(), call("NonZero", nil), x),
		optest.Run(t, Ops(), call("Range", nil), scalar(0), scalar(9), scalar(2)),
		optest.Run(t, Ops(), call("Compress", attrs{"axis": 0}), x, bools(dims{2}, true, true)),
	} {
		if a := n.Allocs(t); a != 0 {
			t.Errorf("%s allocates %v times", n.Node.Op, a)
		}
	}
}
