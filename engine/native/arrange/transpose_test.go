package arrange

import (
	"fmt"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/tensor"
)

func TestTranspose(t *testing.T) {
	check(t, []example{
		{"matrix", call("Transpose", nil), in(count(2, 3)), outs(f32(dims{3, 2}, 0, 3, 1, 4, 2, 5))},
		{"blocks", call("Transpose", attrs{"perm": []int{1, 0, 2}}), in(count(2, 2, 2)),
			outs(f32(dims{2, 2, 2}, 0, 1, 4, 5, 2, 3, 6, 7))},
		{"scalar", call("Transpose", nil), in(scalar(1)), outs(scalar(1))},
		{"empty", call("Transpose", nil), in(f32(dims{0, 2})), outs(f32(dims{2, 0}))},
		{"text", call("Transpose", nil), in(text(dims{2, 2}, "a", "b", "c", "d")), outs(text(dims{2, 2}, "a", "c", "b", "d"))},
		{"bytes", call("Transpose", nil), in(tensor.From([]uint8{1, 2, 3, 4}, 2, 2)), outs(tensor.From([]uint8{1, 3, 2, 4}, 2, 2))},
	})
	refuse(t, []failure{
		{call("Transpose", attrs{"perm": []int{0, 0}}), in(count(2, 2)), "not a permutation"},
		{call("Transpose", attrs{"perm": []int{0, 2}}), in(count(2, 2)), "not a permutation"},
		{call("Transpose", attrs{"perm": []int{1, 0}}), in(count(2)), "perm has 2 axes for float32[2]"},
	})
}

// TestTransposeEveryPermutation compares all permutations of shapes larger
// than a tile with the definition.
func TestTransposeEveryPermutation(t *testing.T) {
	x := count(3, 19, 1, 18)
	for _, perm := range permutations([]int{0, 1, 2, 3}) {
		t.Run(fmt.Sprint(perm), func(t *testing.T) {
			n := optest.Run(t, Ops(), call("Transpose", attrs{"perm": perm}), x)
			same(t, n.Out(0), transposed(x, perm))
		})
	}
}

func transposed(x *tensor.Tensor, perm []int) *tensor.Tensor {
	shape := make([]int, len(perm))
	for i, p := range perm {
		shape[i] = x.Dim(p)
	}
	out := tensor.New(tensor.Float32, shape...)
	from, to := op.Strides(nil, x.Shape()), op.Strides(nil, shape)
	for i := range out.Len() {
		at := 0
		for d := range shape {
			at += i / to[d] % shape[d] * from[perm[d]]
		}
		tensor.Data[float32](out)[i] = tensor.Data[float32](x)[at]
	}
	return out
}

func permutations(items []int) [][]int {
	if len(items) == 0 {
		return [][]int{{}}
	}
	var all [][]int
	for i, v := range items {
		rest := append(append([]int{}, items[:i]...), items[i+1:]...)
		for _, p := range permutations(rest) {
			all = append(all, append([]int{v}, p...))
		}
	}
	return all
}

func TestDepthToSpace(t *testing.T) {
	x := count(1, 8, 1, 2)
	dcr := f32(dims{1, 2, 2, 4}, 0, 4, 1, 5, 8, 12, 9, 13, 2, 6, 3, 7, 10, 14, 11, 15)
	crd := f32(dims{1, 2, 2, 4}, 0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15)
	check(t, []example{
		{"DCR", call("DepthToSpace", attrs{"blocksize": 2}), in(x), outs(dcr)},
		{"CRD", call("DepthToSpace", attrs{"blocksize": 2, "mode": "CRD"}), in(x), outs(crd)},
		{"inverse", call("SpaceToDepth", attrs{"blocksize": 2}), in(dcr), outs(x)},
		{"inverse CRD", call("SpaceToDepth", attrs{"blocksize": 2, "mode": "CRD"}), in(crd), outs(x)},
	})
	refuse(t, []failure{
		{call("DepthToSpace", attrs{"blocksize": 3}), in(x), "multiple of 9 channels"},
		{call("SpaceToDepth", attrs{"blocksize": 2}), in(x), "blocks of 2"},
		{call("DepthToSpace", attrs{"blocksize": 0}), in(x), "blocksize is 0"},
		{call("DepthToSpace", attrs{"blocksize": 2, "mode": "RDC"}), in(x), "neither DCR nor CRD"},
		{call("DepthToSpace", attrs{"blocksize": 2}), in(vec(1)), "want [N,C,H,W]"},
	})
}

func TestReverseSequence(t *testing.T) {
	x := count(4, 2)
	check(t, []example{
		{"time first", call("ReverseSequence", nil), in(x, list(4, 2)), outs(f32(dims{4, 2}, 6, 3, 4, 1, 2, 5, 0, 7))},
		{"batch first", call("ReverseSequence", attrs{"batch_axis": 0, "time_axis": 1}), in(count(2, 3), list(3, 1)),
			outs(f32(dims{2, 3}, 2, 1, 0, 3, 4, 5))},
		{"vectors", call("ReverseSequence", attrs{"batch_axis": 0, "time_axis": 1}), in(count(1, 2, 2), list(2)),
			outs(f32(dims{1, 2, 2}, 2, 3, 0, 1))},
		{"none", call("ReverseSequence", nil), in(x, list(0, 1)), outs(x)},
	})
	refuse(t, []failure{
		{call("ReverseSequence", nil), in(x, list(5, 1)), "length 5 of 4"},
		{call("ReverseSequence", nil), in(x, list(1)), "1 sequence lengths for a batch of 2"},
		{call("ReverseSequence", attrs{"time_axis": 1}), in(x, list(1, 1)), "must be 0 and 1"},
	})
}

func BenchmarkTranspose(b *testing.B) {
	for _, c := range []struct {
		shape, perm []int
	}{
		{dims{512, 512}, dims{1, 0}}, {dims{1, 64, 56, 56}, dims{0, 2, 3, 1}}, {dims{8, 128, 12, 64}, dims{0, 2, 1, 3}},
	} {
		n, err := optest.Build(Ops(), call("Transpose", attrs{"perm": []int(c.perm)}), count(c.shape...))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint(c.shape, c.perm), func(b *testing.B) {
			b.SetBytes(int64(4 * op.Product(c.shape)))
			for b.Loop() {
				if err := n.Run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
