package elementwise_test

import (
	"math/rand/v2"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/tensor"
)

// TestNothingPanics gives every operator inputs of random number, type and
// shape: it may refuse them, with an error, and nothing else. optest passes
// any other panic on.
func TestNothingPanics(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, def := range ops {
		ran := 0
		for range 400 {
			in := make([]tensor.Value, r.IntN(5))
			same := tensor.DType(1 + r.IntN(int(tensor.Int2)))
			for i := range in {
				in[i] = anyTensor(r, same)
			}
			call := optest.Call{Domain: def.Domain, Op: def.Name, Opset: max(def.Since, 1), Attrs: attrs{}, Outputs: 1 + r.IntN(3)}
			if r.IntN(2) == 0 {
				call.Attrs["to"] = r.IntN(30)
			}
			if n, err := optest.Build(ops, call, in...); err == nil && n.Run() == nil {
				ran++
			}
		}
		if ran == 0 && def.Domain == "" && def.Name != "BitShift" { // it needs its attribute
			t.Errorf("%s never ran", def.Name)
		}
	}
}

// anyTensor is mostly of type d and of a few elements, and sometimes nil.
func anyTensor(r *rand.Rand, d tensor.DType) tensor.Value {
	switch r.IntN(10) {
	case 0:
		return nil
	case 1:
		d = tensor.DType(1 + r.IntN(int(tensor.Int2)))
	case 2:
		d = tensor.Bool
	}
	shape := make([]int, r.IntN(4))
	for i := range shape {
		shape[i] = []int{1, 1, 2, 3, 0}[r.IntN(5)]
	}
	t := tensor.New(d, shape...)
	for i := range t.Bytes() {
		t.Bytes()[i] = byte(r.IntN(256))
		if d == tensor.Bool {
			t.Bytes()[i] &= 1
		}
	}
	return t
}
