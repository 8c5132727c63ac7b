package quant_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/engine/native/quant"
	"github.com/greenlight-dev/greenlight/tensor"
)

var ops = quant.Ops()

type attrs = optest.Attrs

func f32(x ...float32) *tensor.Tensor { return tensor.From(x, len(x)) }

func scalar(x float32) *tensor.Tensor { return tensor.Scalar(x) }

func TestQuantizePerTensor(t *testing.T) {
	x := f32(0, 2, 3, 1000, -254, -1000, 5)
	for _, c := range []struct{ zero, want *tensor.Tensor }{
		{tensor.Scalar(uint8(128)), tensor.From([]uint8{128, 129, 130, 255, 1, 0, 130}, 7)},
		{tensor.Scalar(int8(-1)), tensor.From([]int8{-1, 0, 1, 127, -128, -128, 1}, 7)},
		{tensor.Scalar(uint16(1000)), tensor.From([]uint16{1000, 1001, 1002, 1500, 873, 500, 1002}, 7)},
		{tensor.Scalar(int16(0)), tensor.From([]int16{0, 1, 2, 500, -127, -500, 2}, 7)},
		{tensor.FromAs(tensor.Uint4, []uint8{1}), tensor.FromAs(tensor.Uint4, []uint8{1, 2, 3, 15, 0, 0, 3}, 7)},
		{tensor.FromAs(tensor.Int4, []int8{1}), tensor.FromAs(tensor.Int4, []int8{1, 2, 3, 7, -8, -8, 3}, 7)},
		{tensor.FromAs(tensor.Int2, []int8{0}), tensor.FromAs(tensor.Int2, []int8{0, 1, 1, 1, -2, -2, 1}, 7)},
		{tensor.FromAs(tensor.Uint2, []uint8{0}), tensor.FromAs(tensor.Uint2, []uint8{0, 1, 2, 3, 0, 0, 2}, 7)},
	} {
		got := optest.Run(t, ops, optest.Call{Op: "QuantizeLinear"}, x, scalar(2), c.zero).Out(0)
		optest.Want(t, got, c.want, 0)
	}
}

func TestQuantizeOutputType(t *testing.T) {
	x := f32(-3, 300)
	optest.Want(t, optest.Run(t, ops, optest.Call{Op: "QuantizeLinear"}, x, scalar(1)).Out(0), tensor.From([]uint8{0, 255}, 2), 0)
	toInt8 := optest.Call{Op: "QuantizeLinear", Attrs: attrs{"output_dtype": int(tensor.Int8)}}
	optest.Want(t, optest.Run(t, ops, toInt8, x, scalar(1)).Out(0), tensor.From([]int8{-3, 127}, 2), 0)
	optest.Error(t, ops, toInt8, x, scalar(1), tensor.Scalar(uint8(0)))
	optest.Error(t, ops, optest.Call{Op: "QuantizeLinear", Attrs: attrs{"output_dtype": int(tensor.Int64)}}, x, scalar(1))
	optest.Error(t, ops, optest.Call{Op: "QuantizeLinear", Attrs: attrs{"output_dtype": 256 + int(tensor.Int8)}}, x, scalar(1))
	optest.Error(t, ops, optest.Call{Op: "DequantizeLinear", Attrs: attrs{"output_dtype": int(tensor.Int8)}}, tensor.New(tensor.Int8, 1), scalar(1))
}

func TestQuantizeSpecialNumbers(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	got := optest.Run(t, ops, optest.Call{Op: "QuantizeLinear"}, f32(inf, -inf, nan, 1e38, -1e38), scalar(1e-3), tensor.Scalar(int8(0))).Out(0)
	optest.Want(t, got, tensor.From([]int8{127, -128, -128, 127, -128}, 5), 0)
	whole := optest.Run(t, ops, optest.Call{Op: "QuantizeLinear"}, tensor.From([]int32{7, -7}, 2), scalar(2), tensor.Scalar(int8(0))).Out(0)
	optest.Want(t, whole, tensor.From([]int8{4, -4}, 2), 0)
}

func TestQuantizeToFloat8(t *testing.T) {
	x := f32(0, 1, 2, 100000, -200)
	call := optest.Call{Op: "QuantizeLinear", Attrs: attrs{"output_dtype": int(tensor.Float8E4M3FN)}}
	got := optest.Run(t, ops, call, x, scalar(2)).Out(0)
	if codes := tensor.Data[tensor.SmallBits](got); !slices.Equal(codes, []tensor.SmallBits{0, 0x30, 0x38, 0x7e, 0xec}) {
		t.Errorf("got %#x", codes)
	}
	call.Attrs["saturate"] = 0
	got = optest.Run(t, ops, call, x, scalar(2)).Out(0)
	if codes := tensor.Data[tensor.SmallBits](got); codes[3] != 0x7f {
		t.Errorf("got %#x", codes)
	}
}

// TestQuantizePrecision has a quotient that rounds to the next integer in
// float16, and to the one below in float32.
func TestQuantizePrecision(t *testing.T) {
	x := f32(2049.4 / 2) // over 0.5 it is 2049.4; float16 has only even numbers there
	toInt16 := attrs{"output_dtype": int(tensor.Int16)}
	optest.Want(t, optest.Run(t, ops, optest.Call{Op: "QuantizeLinear", Attrs: toInt16}, x, scalar(0.5)).Out(0), tensor.From([]int16{2049}, 1), 0)
	half := tensor.From([]tensor.Float16Bits{tensor.ToFloat16(0.5)})
	optest.Want(t, optest.Run(t, ops, optest.Call{Op: "QuantizeLinear", Attrs: toInt16}, x, half).Out(0), tensor.From([]int16{2050}, 1), 0)
	toInt16["precision"] = int(tensor.Float32)
	optest.Want(t, optest.Run(t, ops, optest.Call{Op: "QuantizeLinear", Attrs: toInt16}, x, half).Out(0), tensor.From([]int16{2049}, 1), 0)
}

// TestGranularity quantizes and dequantizes with a scale for each axis index
// or block, on every axis of a tensor of 12 elements.
func TestGranularity(t *testing.T) {
	x := tensor.New(tensor.Float32, 2, 3, 2)
	for i := range x.Len() {
		tensor.Data[float32](x)[i] = float32(8 * (i + 1))
	}
	zeros := func(scale *tensor.Tensor) *tensor.Tensor {
		z := tensor.New(tensor.Int8, scale.Shape()...)
		for i := range z.Len() {
			tensor.Data[int8](z)[i] = int8(-i)
		}
		return z
	}
	for _, c := range []struct {
		attrs attrs
		scale *tensor.Tensor
		want  []int8
	}{
		{attrs{"axis": 0}, f32(1, 2), []int8{8, 16, 24, 32, 40, 48, 27, 31, 35, 39, 43, 47}},
		{attrs{"axis": 1}, f32(1, 2, 4), []int8{8, 16, 11, 15, 8, 10, 56, 64, 35, 39, 20, 22}},
		{attrs{"axis": -1}, f32(1, 2), []int8{8, 7, 24, 15, 40, 23, 56, 31, 72, 39, 88, 47}},
		{attrs{"axis": 1, "block_size": 2}, tensor.From([]float32{1, 2, 4, 8, 1, 2, 4, 8}, 2, 2, 2), []int8{8, 7, 24, 15, 8, 3, 52, 27, 68, 35, 16, 5}},
		{attrs{"axis": 2, "block_size": 2}, tensor.From([]float32{1, 2, 4, 8, 1, 2}, 2, 3, 1), []int8{8, 16, 11, 15, 8, 10, 4, 5, 68, 76, 39, 43}},
		{attrs{"axis": 0, "block_size": 2}, tensor.From([]float32{1, 2, 4, 8, 1, 2}, 1, 3, 2), []int8{8, 7, 4, 1, 36, 19, 56, 31, 16, 7, 84, 43}},
	} {
		zero := zeros(c.scale)
		got := optest.Run(t, ops, optest.Call{Op: "QuantizeLinear", Attrs: c.attrs}, x, c.scale, zero).Out(0)
		optest.Want(t, got, tensor.From(c.want, 2, 3, 2), 0)
		back := optest.Run(t, ops, optest.Call{Op: "DequantizeLinear", Attrs: c.attrs}, got, c.scale, zero).Out(0)
		optest.Want(t, back, x, 0)
	}
}

// TestBlockThatDoesNotDivide leaves one element for the last block.
func TestBlockThatDoesNotDivide(t *testing.T) {
	call := optest.Call{Op: "DequantizeLinear", Attrs: attrs{"axis": 1, "block_size": 2}}
	x := tensor.From([]int8{1, 2, 3, 4, 5, 6}, 2, 3)
	got := optest.Run(t, ops, call, x, tensor.From([]float32{1, 10, 100, 1000}, 2, 2)).Out(0)
	optest.Want(t, got, tensor.From([]float32{1, 2, 30, 400, 500, 6000}, 2, 3), 0)
	call.Attrs["axis"] = 0
	got = optest.Run(t, ops, call, tensor.From([]int8{1, 2, 3, 4, 5, 6}, 3, 2), tensor.From([]float32{1, 10, 100, 1000}, 2, 2)).Out(0)
	optest.Want(t, got, tensor.From([]float32{1, 20, 3, 40, 500, 6000}, 3, 2), 0)
}

func TestDequantize(t *testing.T) {
	for _, c := range []struct{ x, scale, zero, want *tensor.Tensor }{
		{tensor.From([]uint8{0, 3, 128, 255}, 4), scalar(2), tensor.Scalar(uint8(128)), f32(-256, -250, 0, 254)},
		{tensor.From([]int32{-5, 100000}, 2), scalar(0.5), nil, f32(-2.5, 50000)},
		{tensor.From([]uint16{30000}, 1), scalar(2), tensor.Scalar(uint16(32767)), f32(-5534)},
		{tensor.FromAs(tensor.Int4, []int8{-8, 7}, 2), scalar(2), tensor.FromAs(tensor.Int4, []int8{1}), f32(-18, 12)},
		{tensor.FromAs(tensor.Float8E5M2, []tensor.SmallBits{0x3c, 0xbc}, 2), scalar(2), nil, f32(2, -2)},
		{tensor.FromAs(tensor.Float4E2M1, []tensor.SmallBits{1, 15}, 2), scalar(2), nil, f32(1, -12)},
		{tensor.From([]int8{3}, 1), tensor.FromAs(tensor.Float8E8M0, []tensor.SmallBits{129}), nil, f32(12)},
	} {
		in := []tensor.Value{c.x, c.scale}
		if c.zero != nil {
			in = append(in, c.zero)
		}
		optest.Want(t, optest.Run(t, ops, optest.Call{Op: "DequantizeLinear"}, in...).Out(0), c.want, 0)
	}
	half := tensor.From([]tensor.Float16Bits{tensor.ToFloat16(0.5)})
	x := tensor.From([]int8{3}, 1)
	optest.Want(t, optest.Run(t, ops, optest.Call{Op: "DequantizeLinear"}, x, half).Out(0), tensor.From([]tensor.Float16Bits{tensor.ToFloat16(1.5)}, 1), 0)
	wide := optest.Call{Op: "DequantizeLinear", Attrs: attrs{"output_dtype": int(tensor.Float32)}}
	optest.Want(t, optest.Run(t, ops, wide, x, half).Out(0), f32(1.5), 0)
}

func TestLinearRefusesBadShapes(t *testing.T) {
	x := tensor.New(tensor.Float32, 2, 3)
	for _, c := range []struct {
		attrs       attrs
		scale, zero *tensor.Tensor
		says        string
	}{
		{attrs{"axis": 1}, f32(1, 2), tensor.New(tensor.Uint8, 2), "scale has shape [2]"},
		{attrs{"axis": 5}, f32(1, 2), tensor.New(tensor.Uint8, 2), "axis 5"},
		{attrs{"axis": 0}, f32(1, 2), tensor.New(tensor.Uint8, 1), "zero point"},
		{attrs{"axis": 1}, tensor.New(tensor.Float32, 2, 3), tensor.New(tensor.Uint8, 2, 3), "scale has shape [2 3]"},
		{attrs{"axis": 1, "block_size": 2}, tensor.New(tensor.Float32, 2, 3), tensor.New(tensor.Uint8, 2, 3), "blocks of 2"},
		{attrs{"block_size": -1}, f32(1), tensor.New(tensor.Uint8, 1), "block_size"},
	} {
		err := optest.Error(t, ops, optest.Call{Op: "QuantizeLinear", Attrs: c.attrs}, x, c.scale, c.zero)
		if !strings.Contains(err, c.says) {
			t.Errorf("%v: %s", c.attrs, err)
		}
	}
	optest.Error(t, ops, optest.Call{Op: "DequantizeLinear"}, tensor.New(tensor.Int8, 1), scalar(1), tensor.Scalar(uint8(0)))
	optest.Error(t, ops, optest.Call{Op: "QuantizeLinear"}, x)
	empty := tensor.New(tensor.Float32, 0, 3)
	optest.Want(t, optest.Run(t, ops, optest.Call{Op: "QuantizeLinear"}, empty, f32(1, 2, 3)).Out(0), tensor.New(tensor.Uint8, 0, 3), 0)
}

func TestDynamicQuantize(t *testing.T) {
	for _, c := range []struct {
		x     *tensor.Tensor
		want  []uint8
		scale float32
		zero  uint8
	}{
		{f32(0, 2, -3, -2.5, 1.34, 0.5), []uint8{153, 255, 0, 26, 221, 179}, 5.0 / 255, 153},
		{f32(1, 255), []uint8{1, 255}, 1, 0},
		{f32(-255, -1), []uint8{0, 254}, 1, 255},
		{f32(0, 0), []uint8{0, 0}, 1, 0},
		{tensor.New(tensor.Float32, 0), nil, 1, 0},
	} {
		n := optest.Run(t, ops, optest.Call{Op: "DynamicQuantizeLinear", Outputs: 3}, c.x)
		optest.Want(t, n.Out(0), tensor.From(c.want, len(c.want)), 0)
		optest.Want(t, n.Out(1), scalar(c.scale), 1e-7)
		optest.Want(t, n.Out(2), tensor.Scalar(c.zero), 0)
	}
}
