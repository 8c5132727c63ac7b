package quant_test

import (
	"math/rand/v2"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/tensor"
)

// TestNothingPanics gives every operator inputs of allowed types and random
// shapes: it may refuse them, with an error, and nothing else. optest passes
// any other panic on.
func TestNothingPanics(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, def := range ops {
		ran := 0
		for range 3000 {
			in := make([]tensor.Value, r.IntN(10))
			if r.IntN(2) == 0 {
				in = make([]tensor.Value, []int{1, 2, 3, 8}[r.IntN(4)])
			}
			rank := r.IntN(5)
			for i := range in {
				set := def.Types[min(i, len(def.Types)-1)]
				d := set[r.IntN(len(set))]
				if set.Has(tensor.Uint8) && r.IntN(10) > 0 {
					d = tensor.Uint8
				}
				factor := i == 0 || i == 1 && len(in) < 8 || i == 3
				in[i] = someTensor(r, d, rank, factor)
			}
			call := optest.Call{Op: def.Name, Outputs: 1 + r.IntN(3), Attrs: attrs{"axis": r.IntN(4) - 2, "block_size": r.IntN(3)}}
			if n, err := optest.Build(ops, call, in...); err == nil && n.Run() == nil {
				ran++
			}
		}
		if ran == 0 {
			t.Errorf("%s never ran", def.Name)
		}
	}
}

// someTensor has a few elements. A factor has mostly the rank given, a
// parameter is mostly a scalar; sometimes there is nil.
func someTensor(r *rand.Rand, d tensor.DType, rank int, factor bool) tensor.Value {
	if r.IntN(40) == 0 {
		return nil
	}
	if !factor && r.IntN(5) > 0 {
		rank = 0
	}
	shape := make([]int, rank)
	for i := range shape {
		shape[i] = []int{1, 1, 1, 1, 1, 1, 2, 2, 2, 0}[r.IntN(10)]
	}
	t := tensor.New(d, shape...)
	for i := range t.Bytes() {
		t.Bytes()[i] = byte(r.IntN(4))
	}
	return t
}
