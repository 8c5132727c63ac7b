package nn_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// windowCases have their expected outputs from ONNX Runtime 1.32.
var windowCases = []struct {
	name  string
	call  call
	shape []int
	want  []float32
}{
	{"strides, uneven padding, dilation",
		call{op: "Conv", in: tensors(ramp(1, 2, 5, 6), ramp(2, 2, 3, 2), ramp(2)),
			attrs: attrs(ints("pads", 1, 0, 0, 2), ints("strides", 2, 1), ints("dilations", 1, 2))},
		[]int{1, 2, 2, 6},
		[]float32{-3.3125, 0.28125, -2.59375, -2.234375, 0.421875, -1.109375, -2.78125, -2.984375, 2.203125, -2.3125, -1.65625, 1.15625,
			3.140625, -3.140625, 0.640625, 1.90625, -1.5625, -1.5625, 0.90625, 3.140625, -5.40625, 0.78125, 1.046875, -1.75}},
	{"groups along one dimension",
		call{op: "Conv", in: tensors(ramp(2, 4, 5), ramp(4, 2, 3)), attrs: attrs(num("group", 2), ints("pads", 1, 1))},
		[]int{2, 4, 5},
		[]float32{0.53125, 1.5625, 2.953125, -2.484375, -2.0625, 0.90625, -1.703125, 1.015625, -1.65625, 0.96875,
			-2.1875, 0.640625, -1.0625, 1.546875, 0.8125, -2.0625, 0.953125, -1.9375, 0.921875, 0,
			0.34375, 1.34375, 1.65625, -1.265625, 1.546875, 0.21875, -1.953125, 1.125, 0.96875, -2.03125,
			-1.9375, 1.078125, 1.171875, -1.96875, 0.1875, -2.3125, 0.640625, 0.984375, -1.90625, 0.3125}},
	{"depthwise, SAME_LOWER",
		call{op: "Conv", in: tensors(ramp(1, 3, 4, 4), ramp(3, 1, 3, 3)),
			attrs: attrs(num("group", 3), str("auto_pad", "SAME_LOWER"), ints("strides", 2, 2))},
		[]int{1, 3, 2, 2},
		[]float32{1.703125, -1.5, -0.0625, 2.75, 1.046875, 0.859375, -0.15625, 1.15625, 1.921875, 1.203125, 2.046875, -0.40625}},
	{"three dimensions",
		call{op: "Conv", in: tensors(ramp(1, 1, 3, 3, 3), ramp(1, 1, 2, 2, 2)),
			attrs: attrs(ints("strides", 1, 1, 2), ints("pads", 0, 0, 0, 0, 0, 1))},
		[]int{1, 1, 2, 2, 2},
		[]float32{0.078125, -0.8125, -3.296875, -0.625, 0.734375, -0.25, -0.484375, 2.8125}},
	{"transposed, uneven padding, output padding",
		call{op: "ConvTranspose", in: tensors(ramp(1, 2, 2, 3), ramp(2, 1, 2, 3), ramp(1)),
			attrs: attrs(ints("strides", 2, 1), ints("pads", 0, 1, 1, 0), ints("output_padding", 1, 0))},
		[]int{1, 1, 4, 4},
		[]float32{-2, -1.40625, -1.5, -1.21875, -2.96875, 0.078125, -1.1875, -1.28125,
			-2.96875, 0.078125, -1.1875, -1.28125, -5.125, 0.5, -0.625, -1.21875}},
	{"transposed, groups",
		call{op: "ConvTranspose", in: tensors(ramp(1, 2, 3), ramp(2, 2, 2)), attrs: attrs(num("group", 2), ints("strides", 2))},
		[]int{1, 4, 6},
		[]float32{1.890625, 0.6875, 0.6875, 0.25, -0.515625, -0.1875, -0.515625, -1.71875, -0.1875, -0.625, 0.140625, 0.46875,
			-0.9375, 0.15625, 0.5625, -0.09375, -0.09375, 0.015625, 1.25, -1.25, -0.75, 0.75, 0.125, -0.125}},
	{"maximum, rounded up",
		call{op: "MaxPool", in: tensors(ramp(1, 1, 5, 6)), attrs: attrs(ints("kernel_shape", 2, 2), ints("strides", 2, 2), num("ceil_mode", 1))},
		[]int{1, 1, 3, 3},
		[]float32{1, 1.25, 0.125, 1.375, 0.25, 1.125, 0.375, 1.25, 1}},
	{"maximum, dilation",
		call{op: "MaxPool", in: tensors(ramp(1, 1, 7)), attrs: attrs(ints("kernel_shape", 3), ints("dilations", 2))},
		[]int{1, 1, 3},
		[]float32{0.375, 1.25, 1}},
	{"mean without padding",
		call{op: "AveragePool", in: tensors(ramp(1, 1, 4, 4)),
			attrs: attrs(ints("kernel_shape", 3, 3), ints("strides", 2, 2), ints("pads", 1, 1, 1, 1))},
		[]int{1, 1, 2, 2},
		[]float32{-0.625, 0.2083333, 0.3125, 0.02777778}},
	{"mean with padding, rounded up",
		call{op: "AveragePool", in: tensors(ramp(1, 1, 4, 5)),
			attrs: attrs(ints("kernel_shape", 3, 3), ints("strides", 2, 2), ints("pads", 1, 1, 1, 1), num("count_include_pad", 1), num("ceil_mode", 1))},
		[]int{1, 1, 3, 3},
		[]float32{-0.08333334, 0.1111111, 0.125, 0.09722222, 0.1805556, 0.25, 0.2291667, 0.04166667, 0.1458333}},
	{"norm",
		call{op: "LpPool", in: tensors(ramp(1, 1, 4)), attrs: attrs(ints("kernel_shape", 2), num("p", 3))},
		[]int{1, 1, 3}, []float32{1.396695, 0.5622427, 1.26115}},
	{"global norm",
		call{op: "GlobalLpPool", in: tensors(ramp(1, 2, 3)), attrs: attrs(num("p", 1))},
		[]int{1, 2, 1}, []float32{2.25, 2.125}},
	{"global mean",
		call{op: "GlobalAveragePool", in: tensors(f32([]int{1, 2, 1, 3}, 1, 2, 6, -1, 0, 4))},
		[]int{1, 2, 1, 1}, []float32{3, 1}},
	{"global maximum",
		call{op: "GlobalMaxPool", in: tensors(f32([]int{1, 2, 1, 3}, 1, 2, 6, -1, -3, -4))},
		[]int{1, 2, 1, 1}, []float32{6, -1}},
	{"causal, bias, past",
		call{op: "CausalConvWithState", in: tensors(f32([]int{1, 1, 3}, 1, 2, 3), f32([]int{1, 1, 3}, 1, 10, 100), f32([]int{1}, 0.5), f32([]int{1, 1, 2}, 4, 5)),
			outputs: 2},
		[]int{1, 1, 3}, []float32{154.5, 215.5, 321.5}},
}

func tensors(t ...*tensor.Tensor) []*tensor.Tensor { return t }

func attrs(a ...*onnx.Attribute) []*onnx.Attribute { return a }

func TestWindows(t *testing.T) {
	for _, c := range windowCases {
		t.Run(c.name, func(t *testing.T) {
			want(t, c.call.run(t)[0], c.want, c.shape...)
			c.call.constant = true
			want(t, c.call.run(t)[0], c.want, c.shape...)
		})
	}
}

// TestWindowTypes runs every case in the other float types.
func TestWindowTypes(t *testing.T) {
	for _, d := range []tensor.DType{tensor.Float64, tensor.Float16} {
		for _, c := range windowCases {
			if d == tensor.Float64 && c.call.op == "CausalConvWithState" {
				continue // has no such type
			}
			t.Run(d.String()+" "+c.name, func(t *testing.T) {
				c.call.in = convertAll(d, c.call.in)
				got := c.call.run(t)[0]
				if got.DType() != d {
					t.Fatalf("the output is %v", got)
				}
				rounded := tensor.New(d, c.shape...)
				op.WriteFloat32s(rounded, c.want)
				values := make([]float32, len(c.want))
				op.ReadFloat32s(values, rounded)
				want(t, got, values, c.shape...)
			})
		}
	}
}

func convertAll(d tensor.DType, in []*tensor.Tensor) []*tensor.Tensor {
	out := slices.Clone(in)
	for i, x := range in {
		if x != nil {
			out[i] = tensor.New(d, x.Shape()...)
			op.WriteFloat32s(out[i], tensor.Data[float32](x))
		}
	}
	return out
}

func TestMaxPoolIndices(t *testing.T) {
	out := call{op: "MaxPool", in: tensors(ramp(1, 1, 5, 5)), outputs: 2, attrs: attrs(ints("kernel_shape", 3, 2),
		ints("strides", 2, 2), ints("pads", 1, 1, 1, 0), num("storage_order", 1))}.run(t)
	want(t, out[0], []float32{0.125, 1, 1.25, 0.25, 1.125, 1.375, 0.25, 1.125, 0.875}, 1, 1, 3, 3)
	if got := tensor.Data[int64](out[1]); !slices.Equal(got, []int64{1, 6, 15, 3, 8, 17, 3, 8, 23}) {
		t.Errorf("indices %v", got)
	}
}

func TestMaxPoolSpecialValues(t *testing.T) {
	nan := f32([]int{1, 1, 2, 4}, 1, 2, -1, -2, 3, nanValue, -3, -0.5)
	pool := call{op: "MaxPool", in: tensors(nan), attrs: attrs(ints("kernel_shape", 2, 2), ints("strides", 2, 2))}
	want(t, pool.run(t)[0], []float32{nanValue, -0.5}, 1, 1, 1, 2)
	pool.attrs = attrs(ints("kernel_shape", 2, 3))
	want(t, pool.run(t)[0], []float32{nanValue, nanValue}, 1, 1, 1, 2)
	bytes := tensor.From([]uint8{1, 200, 3, 4, 5, 6, 7, 255}, 1, 1, 2, 4)
	got := call{op: "MaxPool", in: tensors(bytes), attrs: attrs(ints("kernel_shape", 2, 2), ints("strides", 2, 2))}.run(t)[0]
	if !slices.Equal(tensor.Data[uint8](got), []uint8{200, 255}) {
		t.Errorf("got %v", tensor.Data[uint8](got))
	}
}

func TestFusedActivation(t *testing.T) {
	base := call{op: "Conv", in: tensors(ramp(1, 2, 4, 4), ramp(3, 2, 3, 3), ramp(3)), constant: true}
	plain := tensor.Data[float32](base.run(t)[0])
	for _, c := range []struct {
		attrs []*onnx.Attribute
		f     func(float32) float32
	}{
		{attrs(str("activation", "Relu")), func(v float32) float32 { return max(v, 0) }},
		{attrs(str("activation", "Clip"), flt("activation_alpha", -1), flt("activation_beta", 0.5)), func(v float32) float32 { return min(max(v, -1), 0.5) }},
		{attrs(str("activation", "LeakyRelu"), flt("activation_alpha", 0.25)), func(v float32) float32 { return max(v, 0.25*v) }},
		{attrs(str("activation", "HardSigmoid")), func(v float32) float32 { return min(max(0.2*v+0.5, 0), 1) }},
	} {
		fused := base
		fused.domain, fused.op, fused.attrs = op.Internal, "FusedConv", c.attrs
		expected := slices.Clone(plain)
		for i, v := range expected {
			expected[i] = c.f(v)
		}
		want(t, fused.run(t)[0], expected, 1, 3, 2, 2)
	}
}

// TestConvBatch computes images alone and in a batch.
func TestConvBatch(t *testing.T) {
	for _, side := range []int{1, 3, 4, 5, 8, 13, 20, 37} {
		k := call{op: "Conv", in: tensors(ramp(3, 2, side, side+1), ramp(5, 2, 3, 3)), attrs: attrs(ints("pads", 1, 1, 1, 1)), constant: true}
		all := tensor.Data[float32](k.run(t)[0])
		image := 2 * side * (side + 1)
		for i := range 3 {
			one := tensor.From(tensor.Data[float32](k.in[0])[i*image:][:image], 1, 2, side, side+1)
			got := tensor.Data[float32](call{op: "Conv", in: tensors(one, k.in[1]), attrs: k.attrs, constant: true}.run(t)[0])
			if !slices.Equal(got, all[i*len(got):][:len(got)]) {
				t.Fatalf("side %d: image %d differs when alone", side, i)
			}
		}
	}
}

// TestConvAgainstLoops compares shapes around the panels' edges with float64.
func TestConvAgainstLoops(t *testing.T) {
	for _, side := range []int{2, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33} {
		for _, stride := range []int64{1, 2} {
			k := call{op: "Conv", in: tensors(ramp(1, 3, side, side), ramp(13, 3, 3, 3), ramp(13)),
				attrs: attrs(ints("pads", 1, 1, 1, 1), ints("strides", stride, stride))}
			got := k.run(t)[0]
			k.in = convertAll(tensor.Float64, k.in)
			exact := k.run(t)[0]
			values := make([]float32, exact.Len())
			op.ReadFloat32s(values, exact)
			want(t, got, values, exact.Shape()...)
		}
	}
}

// TestDepthwiseAgainstLoops compares filters of one channel each with float64.
func TestDepthwiseAgainstLoops(t *testing.T) {
	for _, k := range []call{
		{in: tensors(ramp(2, 3, 7, 9), ramp(3, 1, 3, 3), ramp(3)), attrs: attrs(ints("pads", 1, 1, 1, 1))},
		{in: tensors(ramp(2, 3, 7, 9), ramp(6, 1, 3, 2)), attrs: attrs(ints("strides", 2, 3), ints("pads", 0, 1, 2, 0))},
		{in: tensors(ramp(1, 2, 5, 4, 6), ramp(4, 1, 2, 3, 2), ramp(4)), attrs: attrs(ints("strides", 2, 1, 2), ints("pads", 1, 1, 1, 0, 1, 0))},
		{in: tensors(ramp(1, 4, 20), ramp(4, 1, 5), ramp(4)), attrs: attrs(ints("dilations", 2), ints("pads", 4, 4))},
		{in: tensors(ramp(1, 4, 20), ramp(4, 1, 1)), attrs: attrs(ints("strides", 3))},
	} {
		k.op, k.attrs = "Conv", append(k.attrs, num("group", int64(k.in[0].Dim(1))))
		got := k.run(t)[0]
		k.in = convertAll(tensor.Float64, k.in)
		exact := k.run(t)[0]
		values := make([]float32, exact.Len())
		op.ReadFloat32s(values, exact)
		want(t, got, values, exact.Shape()...)
	}
}

func TestWindowErrors(t *testing.T) {
	image, weights := ramp(1, 2, 4, 4), ramp(3, 2, 3, 3)
	for _, c := range []struct {
		want string
		call call
	}{
		{"does not fit", call{op: "Conv", in: tensors(ramp(1, 2, 2, 2), weights)}},
		{"channels in the image", call{op: "Conv", in: tensors(ramp(1, 3, 4, 4), weights)}},
		{"multiple of 2 filters", call{op: "Conv", in: tensors(ramp(1, 4, 4, 4), weights), attrs: attrs(num("group", 2))}},
		{"attribute group is 0", call{op: "Conv", in: tensors(image, weights), attrs: attrs(num("group", 0))}},
		{"attribute strides has 0", call{op: "Conv", in: tensors(image, weights), attrs: attrs(ints("strides", 0, 1))}},
		{"pads has 3 entries", call{op: "Conv", in: tensors(image, weights), attrs: attrs(ints("pads", 0, 1, 1))}},
		{"auto_pad is \"SAME\"", call{op: "Conv", in: tensors(image, weights), attrs: attrs(str("auto_pad", "SAME"))}},
		{"kernel_shape is [2 2]", call{op: "Conv", in: tensors(image, weights), attrs: attrs(ints("kernel_shape", 2, 2))}},
		{"bias has 2 elements", call{op: "Conv", in: tensors(image, weights, ramp(2))}},
		{"limit", call{op: "Conv", in: tensors(image, weights), attrs: attrs(ints("pads", 1<<20, 1<<20, 1<<20, 1<<20), ints("strides", 1<<20, 1<<20))}},
		{"limit", call{op: "ConvTranspose", in: tensors(ramp(1, 1, 1<<12, 1), ramp(1, 1<<8, 1<<12, 1))}},
		{"far larger than spatial dimension", call{op: "MaxPool", in: tensors(image), attrs: attrs(str("auto_pad", "SAME_UPPER"), ints("kernel_shape", 1<<20, 1))}},
		{"kernel_shape is missing", call{op: "MaxPool", in: tensors(image)}},
		{"[batch, channels", call{op: "AveragePool", in: tensors(ramp(4)), attrs: attrs(ints("kernel_shape", 1))}},
		{"attribute p is 0", call{op: "LpPool", in: tensors(image), attrs: attrs(num("p", 0), ints("kernel_shape", 1, 1))}},
		{"nothing to pool", call{op: "GlobalMaxPool", in: tensors(ramp(1, 2, 0))}},
		{"past_state is", call{op: "CausalConvWithState", in: tensors(ramp(1, 2, 4), ramp(2, 1, 3), nil, ramp(1, 2, 3)), outputs: 2}},
	} {
		_, _, err := guarded(t, c.call)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got error %v, want one with %q", c.call.op, err, c.want)
		}
	}
}

// guarded turns the errors that a context panics with into results, as the
// engine does.
func guarded(t *testing.T, k call) (kernel op.Kernel, c *op.Context, err error) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*op.Error)
			if !ok {
				panic(r)
			}
			err = e
		}
	}()
	return k.build(t)
}

// TestEmptyBatches has very many images without an element.
func TestEmptyBatches(t *testing.T) {
	for _, d := range []tensor.DType{tensor.Float32, tensor.Float64} {
		in := convertAll(d, tensors(ramp(1<<20, 0, 3, 3), ramp(0, 0, 2, 2)))
		want(t, call{op: "Conv", in: in}.run(t)[0], nil, 1<<20, 0, 2, 2)
		want(t, call{op: "ConvTranspose", in: in}.run(t)[0], nil, 1<<20, 0, 4, 4)
	}
	want(t, call{op: "CausalConvWithState", outputs: 2, in: tensors(ramp(1<<20, 2, 0), ramp(2, 1, 1))}.run(t)[0], nil, 1<<20, 2, 0)
	want(t, call{op: "MaxPool", in: tensors(ramp(1<<20, 0, 3)), attrs: attrs(ints("kernel_shape", 2))}.run(t)[0], nil, 1<<20, 0, 2)
	bias := call{op: "Conv", in: tensors(ramp(2, 0, 3), ramp(2, 0, 2), f32([]int{2}, 1, 2))}
	want(t, bias.run(t)[0], []float32{1, 1, 2, 2, 1, 1, 2, 2}, 2, 2, 2)
}

func TestNoAllocations(t *testing.T) {
	for _, k := range []call{
		{op: "Conv", in: tensors(ramp(2, 3, 8, 8), ramp(4, 3, 3, 3), ramp(4)), attrs: attrs(ints("pads", 1, 1, 1, 1)), constant: true},
		{op: "Conv", in: tensors(ramp(2, 3, 8, 8), ramp(4, 3, 1, 1), ramp(4)), constant: true},
		{op: "Conv", in: tensors(ramp(2, 3, 8, 8), ramp(3, 1, 3, 3), ramp(3)), attrs: attrs(num("group", 3)), constant: true},
		{op: "MaxPool", in: tensors(ramp(2, 3, 8, 8)), attrs: attrs(ints("kernel_shape", 2, 2), ints("strides", 2, 2))},
		{op: "MaxPool", in: tensors(ramp(2, 3, 8, 8)), attrs: attrs(ints("kernel_shape", 3, 3), ints("strides", 2, 2))},
		{op: "AveragePool", in: tensors(ramp(2, 3, 8, 8)), attrs: attrs(ints("kernel_shape", 2, 2))},
		{op: "GlobalAveragePool", in: tensors(ramp(2, 3, 8, 8))},
		{op: "MatMul", in: tensors(ramp(2, 3, 4), ramp(4, 5)), constant: true},
		{op: "MatMul", in: tensors(ramp(2, 3, 4), ramp(2, 4, 5))},
		{op: "Gemm", in: tensors(ramp(3, 4), ramp(4, 5), ramp(5)), constant: true},
		{op: "Gemm", in: tensors(ramp(3, 4), ramp(4, 5), ramp(3, 1))},
	} {
		kernel, c, err := k.build(t)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(20, func() {
			if err := kernel.Run(c); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s of %v: %v allocations a run", k.op, k.in[0], n)
		}
	}
}
