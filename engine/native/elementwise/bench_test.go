package elementwise_test

import (
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/tensor"
)

// BenchmarkRun measures operators on the few elements of a tabular model's
// row, and on those of an image.
func BenchmarkRun(b *testing.B) {
	row, bias, image := counting(1, 1, 16), counting(1, 16), counting(1, 64, 56, 56)
	channel := counting(1, 64, 1, 1)
	for _, c := range []struct {
		name string
		call optest.Call
		in   []tensor.Value
	}{
		{"Relu/row", optest.Call{Op: "Relu"}, []tensor.Value{row}},
		{"Add/row", optest.Call{Op: "Add"}, []tensor.Value{row, bias}},
		{"Where/row", optest.Call{Op: "Where"}, []tensor.Value{tensor.From([]bool{true}, 1), row, bias}},
		{"Cast/row", cast(tensor.Int64), []tensor.Value{row}},
		{"Add/image", optest.Call{Op: "Add"}, []tensor.Value{image, image}},
		{"Mul/channels", optest.Call{Op: "Mul"}, []tensor.Value{image, channel}},
		{"Sub/channels", optest.Call{Op: "Sub"}, []tensor.Value{image, channel}},
		{"Div/scalar", optest.Call{Op: "Div"}, []tensor.Value{image, tensor.Scalar(float32(3))}},
		{"Relu/image", optest.Call{Op: "Relu"}, []tensor.Value{image}},
		{"Clip/image", optest.Call{Op: "Clip"}, []tensor.Value{image, tensor.Scalar(float32(0)), tensor.Scalar(float32(6))}},
		{"LeakyRelu/image", optest.Call{Op: "LeakyRelu"}, []tensor.Value{image}},
		{"HardSwish/image", optest.Call{Op: "HardSwish"}, []tensor.Value{image}},
		{"Sqrt/image", optest.Call{Op: "Sqrt"}, []tensor.Value{image}},
		{"Sigmoid/image", optest.Call{Op: "Sigmoid"}, []tensor.Value{image}},
		{"Erf/image", optest.Call{Op: "Erf"}, []tensor.Value{image}},
		{"Gelu/image", optest.Call{Op: "Gelu"}, []tensor.Value{image}},
		{"Pow2/image", optest.Call{Op: "Pow"}, []tensor.Value{image, tensor.Scalar(float32(2))}},
		{"Log/image", optest.Call{Op: "Log"}, []tensor.Value{image}},
		{"Cast/image", cast(tensor.Int64), []tensor.Value{image}},
		{"Cast16/image", cast(tensor.Float16), []tensor.Value{image}},
		{"Greater/image", optest.Call{Op: "Greater"}, []tensor.Value{image, tensor.Scalar(float32(3))}},
	} {
		b.Run(c.name, func(b *testing.B) {
			n := optest.Run(b, ops, c.call, c.in...)
			b.SetBytes(int64(n.Out(0).Len()))
			b.ReportAllocs()
			for b.Loop() {
				if err := n.Run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
