package arrange

import (
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/tensor"
)

// numberOf is v as a tensor of any numeric type.
func numberOf(t *testing.T, d tensor.DType, shape dims, v ...float32) *tensor.Tensor {
	t.Helper()
	out := tensor.New(d, shape...)
	switch {
	case op.Floats.Has(d):
		op.WriteFloat32s(out, v)
	case d.Size() == 1:
		store(tensor.Data[uint8](out), v)
	case d.Size() == 2:
		store(tensor.Data[uint16](out), v)
	case d.Size() == 4:
		store(tensor.Data[uint32](out), v)
	case d.Size() == 8:
		store(tensor.Data[uint64](out), v)
	}
	return out
}

func store[T uint8 | uint16 | uint32 | uint64](dst []T, v []float32) {
	for i, x := range v {
		dst[i] = T(int64(x))
	}
}

func TestEveryNumericType(t *testing.T) {
	for _, d := range op.Numbers {
		t.Run(d.String(), func(t *testing.T) {
			x := func(v ...float32) *tensor.Tensor { return numberOf(t, d, dims{len(v)}, v...) }
			eye := attrs{"dtype": int(d)}
			check(t, []example{
				{"", call("EyeLike", eye), in(f32(dims{1, 2}, 5, 5)), outs(numberOf(t, d, dims{1, 2}, 1, 0))},
				{"", call("OneHot", nil), in(x(2, 0), x(3), x(4, 7)), outs(numberOf(t, d, dims{2, 3}, 4, 4, 7, 7, 4, 4))},
				{"", call("TopK", nil), in(x(3, 9, 3, 1), list(3)), outs(x(9, 3, 3), list(1, 0, 2))},
				{"", call("Unique", nil), in(x(3, 1, 3)), outs(x(1, 3))},
				{"", call("NonZero", nil), in(x(0, 2)), outs(i64(dims{1, 1}, 1))},
				{"", call("ScatterElements", attrs{"reduction": "add"}), in(x(1, 2), list(1, 1), x(3, 4)), outs(x(1, 9))},
				{"", call("ScatterElements", nil), in(x(1, 2), list(1), x(3)), outs(x(1, 3))},
				{"", call("Pad", attrs{"mode": "wrap"}), in(x(1, 2), list(1, 0)), outs(x(2, 1, 2))},
				{"", call("Trilu", nil), in(numberOf(t, d, dims{2, 1}, 1, 2)), outs(numberOf(t, d, dims{2, 1}, 1, 0))},
				{"", call("Gather", nil), in(x(1, 2), list(-1)), outs(x(2))},
			})
		})
	}
}

func TestTextMoves(t *testing.T) {
	x := text(dims{2, 2}, "a", "b", "c", "d")
	check(t, []example{
		{"", call("Trilu", nil), in(x), outs(text(dims{2, 2}, "a", "b", "", "d"))},
		{"", call("Pad", attrs{"mode": "edge"}), in(x, list(0, 1, 0, 0)), outs(text(dims{2, 3}, "a", "a", "b", "c", "c", "d"))},
		{"", call("Compress", attrs{"axis": 1}), in(x, bools(dims{2}, false, true)), outs(text(dims{2, 1}, "b", "d"))},
		{"", call("ScatterND", nil), in(x, i64(dims{1, 1}, 0), text(dims{1, 2}, "e", "f")), outs(text(dims{2, 2}, "e", "f", "c", "d"))},
		{"", call("Unique", attrs{"axis": 0, "sorted": 0}), in(text(dims{2, 1}, "z", "a")), outs(text(dims{2, 1}, "z", "a"))},
	})
}

func TestMaxBytesBoundsOutputs(t *testing.T) {
	n, err := optest.Build(Ops(), call("ConstantOfShape", nil), list(1000))
	if err != nil {
		t.Fatal(err)
	}
	n.Context.MaxBytes = 3999
	if err := n.Run(); err == nil {
		t.Error("4000 bytes fit a limit of 3999")
	}
}
