package nn_test

import (
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// chain runs calls one after another, each on the first output of the one
// before.
func chain(b *testing.B, calls ...call) {
	var kernels []op.Kernel
	var contexts []*op.Context
	for i, k := range calls {
		if i > 0 {
			k.in[0] = contexts[i-1].Out[0].(*tensor.Tensor)
		}
		kernel, c, err := k.build(b)
		if err != nil {
			b.Fatal(err)
		}
		kernels, contexts = append(kernels, kernel), append(contexts, c)
	}
	b.ReportAllocs()
	for b.Loop() {
		for i, k := range kernels {
			if err := k.Run(contexts[i]); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func dense(x *tensor.Tensor, out, in int, act string) call {
	return call{domain: op.Internal, op: "FusedGemm", attrs: append(relu(act), num("transB", 1)),
		in: []*tensor.Tensor{x, ramp(out, in), ramp(out)}, constant: true}
}

func convRelu(x *tensor.Tensor, filters, channels int) call {
	return call{domain: op.Internal, op: "FusedConv", attrs: append(relu("Relu"), ints("pads", 1, 1, 1, 1)),
		in: []*tensor.Tensor{x, ramp(filters, channels, 3, 3), ramp(filters)}, constant: true}
}

// pool2 halves both sides of the image before it.
func pool2(x *tensor.Tensor) call {
	return call{op: "MaxPool", attrs: attrs(ints("kernel_shape", 2, 2), ints("strides", 2, 2)), in: tensors(x)}
}

func BenchmarkMLP(b *testing.B) {
	chain(b, dense(ramp(1, 64), 128, 64, "Relu"), dense(nil, 10, 128, ""))
}

// digits is the convolutional part of a network for 8 × 8 digits.
func digits(b *testing.B, batch int) {
	chain(b, convRelu(ramp(batch, 1, 8, 8), 16, 1), pool2(nil), convRelu(nil, 32, 16), pool2(nil))
}

func BenchmarkDigits1(b *testing.B)  { digits(b, 1) }
func BenchmarkDigits32(b *testing.B) { digits(b, 32) }

func BenchmarkConv8x8x16x32(b *testing.B) { chain(b, convRelu(ramp(1, 16, 8, 8), 32, 16)) }
func BenchmarkConv4x4x16x32(b *testing.B) { chain(b, convRelu(ramp(1, 16, 4, 4), 32, 16)) }
func BenchmarkConv8x8x1x16(b *testing.B)  { chain(b, convRelu(ramp(1, 1, 8, 8), 16, 1)) }
func BenchmarkPool16x8x8(b *testing.B)    { chain(b, pool2(ramp(1, 16, 8, 8))) }
func BenchmarkConv56x56x64(b *testing.B)  { chain(b, convRelu(ramp(1, 64, 56, 56), 64, 64)) }

func relu(name string) []*onnx.Attribute {
	if name == "" {
		return nil
	}
	return []*onnx.Attribute{str("activation", name)}
}

func BenchmarkDepthwise64x56x56(b *testing.B) {
	chain(b, call{op: "Conv", attrs: attrs(ints("pads", 1, 1, 1, 1), num("group", 64)),
		in: tensors(ramp(1, 64, 56, 56), ramp(64, 1, 3, 3), ramp(64)), constant: true})
}

func BenchmarkPointwise64x56x56(b *testing.B) {
	chain(b, call{op: "Conv", in: tensors(ramp(1, 64, 56, 56), ramp(64, 64, 1, 1), ramp(64)), constant: true})
}

func BenchmarkMaxPool3x3(b *testing.B) {
	chain(b, call{op: "MaxPool", in: tensors(ramp(1, 64, 56, 56)),
		attrs: attrs(ints("kernel_shape", 3, 3), ints("strides", 2, 2), ints("pads", 1, 1, 1, 1))})
}

func BenchmarkConvTranspose(b *testing.B) {
	chain(b, call{op: "ConvTranspose", in: tensors(ramp(1, 32, 28, 28), ramp(32, 16, 2, 2)), attrs: attrs(ints("strides", 2, 2)), constant: true})
}

func BenchmarkEinsum(b *testing.B) {
	chain(b, einsum("bhid,bhjd->bhij", ramp(1, 8, 64, 32), ramp(1, 8, 64, 32)))
}
