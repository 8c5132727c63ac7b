package elementwise_test

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/tensor"
)

func cast(to tensor.DType) optest.Call {
	return optest.Call{Op: "Cast", Attrs: attrs{"to": int(to)}}
}

// smallNumbers are the numbers 0, 1 and -1 (2 where there is no sign) in
// every element type that holds them.
func smallNumbers(d tensor.DType) *tensor.Tensor {
	third := -1.0
	if d.IsUnsigned() || d == tensor.Float8E8M0 {
		third = 2
	}
	n := []float64{0, 1, third}
	switch {
	case op.Floats.Has(d):
		return as(d, n, 3)
	case d == tensor.Bool:
		return tensor.From([]bool{false, true, true}, 3)
	case d == tensor.String:
		return tensor.FromStrings([]string{"0", "1", "-1"}, 3)
	case d == tensor.Float8E8M0:
		return tensor.FromAs(d, []tensor.SmallBits{0, 127, 128}, 3)
	case d.IsSmallFloat():
		return tensor.FromAs(d, []tensor.SmallBits{tensor.ToSmall(d, 0, true), tensor.ToSmall(d, 1, true), tensor.ToSmall(d, -1, true)}, 3)
	}
	t := tensor.New(d, 3)
	// Little-endian: the low byte comes first.
	for i, v := range n {
		for b := range d.Size() {
			t.Bytes()[i*d.Size()+b] = byte(int64(v) >> (8 * b))
		}
	}
	return t
}

// TestCastBetweenAllTypes casts 0, 1 and the third number from every type to
// every other.
func TestCastBetweenAllTypes(t *testing.T) {
	for from := tensor.Float32; from <= tensor.Int2; from++ {
		for to := tensor.Float32; to <= tensor.Int2; to++ {
			if isComplex(from) || isComplex(to) {
				continue
			}
			got := optest.Run(t, ops, cast(to), smallNumbers(from)).Out(0)
			like := optest.Run(t, ops, optest.Call{Op: "CastLike"}, smallNumbers(from), tensor.New(to, 1)).Out(0)
			if got.DType() != to || !bytes.Equal(got.Bytes(), like.Bytes()) || !slices.Equal(got.Strings(), like.Strings()) {
				t.Errorf("%v → %v: Cast gives %v %v, CastLike %v %v", from, to, got, got.Bytes(), like, like.Bytes())
			}
			checkCast(t, from, to, got)
		}
	}
}

func isComplex(d tensor.DType) bool { return d == tensor.Complex64 || d == tensor.Complex128 }

// checkCast looks at the numbers 0 and 1, and at the third one where both
// types know it.
func checkCast(t *testing.T, from, to tensor.DType, got *tensor.Tensor) {
	t.Helper()
	want := smallNumbers(to)
	if from == tensor.Float8E8M0 && to == tensor.Bool || to == tensor.String {
		return // 2⁻¹²⁷ is not false; texts have a test of their own
	}
	n := 2 * want.DType().Size()
	third := from.IsUnsigned() == to.IsUnsigned() && (from == tensor.Bool) == (to == tensor.Bool) &&
		from != tensor.Float8E8M0 && to != tensor.Float8E8M0 && !from.IsUnsigned()
	if third {
		n = len(want.Bytes())
	}
	first := 0
	if from == tensor.Float8E8M0 {
		first = want.DType().Size() // it has no zero
	}
	if !bytes.Equal(got.Bytes()[first:n], want.Bytes()[first:n]) {
		t.Errorf("%v → %v: got %v, want %v", from, to, got.Bytes(), want.Bytes())
	}
}

func TestCastKeepsLowBits(t *testing.T) {
	for _, c := range []struct{ in, want *tensor.Tensor }{
		{tensor.From([]int16{200, -1, 256}, 3), tensor.From([]int8{-56, -1, 0}, 3)},
		{tensor.From([]int64{1<<40 + 7, -1}, 2), tensor.From([]uint32{7, math.MaxUint32}, 2)},
		{tensor.From([]float32{2.9, -2.9, 100}, 3), tensor.From([]int32{2, -2, 100}, 3)},
		{tensor.From([]float32{-9, 9, 15}, 3), tensor.FromAs(tensor.Int4, []int8{7, -7, -1}, 3)},
		{tensor.From([]int32{-3, 3, 2, 4}, 4), tensor.FromAs(tensor.Int2, []int8{1, -1, -2, 0}, 4)},
		{tensor.From([]int32{-1, 17}, 2), tensor.FromAs(tensor.Uint4, []uint8{15, 1}, 2)},
		{tensor.From([]float32{0, 0.5, float32(nan)}, 3), tensor.From([]bool{false, true, true}, 3)},
		{tensor.From([]float64{1e300, -1e300, 1e-300}, 3), as(tensor.Float32, []float64{inf, -inf, 0}, 3)},
		{tensor.From([]int64{1<<53 + 1}, 1), tensor.From([]float64{1 << 53}, 1)},
		{tensor.From([]uint64{math.MaxUint64}, 1), tensor.From([]float32{1 << 63 * 2}, 1)},
	} {
		optest.Want(t, optest.Run(t, ops, cast(c.want.DType()), c.in).Out(0), c.want, 0)
	}
}

// TestCastRoundsOnce has a number that rounds up to float16 by way of
// float32, and down when rounded once.
func TestCastRoundsOnce(t *testing.T) {
	half := 1 + 0x1p-11 // between two float16
	in := tensor.From([]float64{half - 0x1p-40, half, half + 0x1p-40, -half - 0x1p-40}, 4)
	want := as(tensor.Float16, []float64{1, 1, 1 + 0x1p-10, -1 - 0x1p-10}, 4)
	optest.Want(t, optest.Run(t, ops, cast(tensor.Float16), in).Out(0), want, 0)
}

func TestCastToSmallFloats(t *testing.T) {
	in := tensor.From([]float32{1e6, float32(-inf), 0.3}, 3)
	for _, c := range []struct {
		to       tensor.DType
		saturate int
		mode     string
		want     []tensor.SmallBits
	}{
		{tensor.Float8E4M3FN, 1, "up", []tensor.SmallBits{0x7e, 0xfe, 0x2a}},
		{tensor.Float8E4M3FN, 0, "up", []tensor.SmallBits{0x7f, 0xff, 0x2a}},
		{tensor.Float8E5M2, 0, "up", []tensor.SmallBits{0x7c, 0xfc, 0x35}},
		{tensor.Float4E2M1, 0, "up", []tensor.SmallBits{0x07, 0x0f, 0x01}},
		{tensor.Float8E8M0, 1, "up", []tensor.SmallBits{147, 254, 126}},
		{tensor.Float8E8M0, 1, "down", []tensor.SmallBits{146, 254, 125}},
		{tensor.Float8E8M0, 0, "nearest", []tensor.SmallBits{147, 255, 125}},
	} {
		call := optest.Call{Op: "Cast", Attrs: attrs{"to": int(c.to), "saturate": c.saturate, "round_mode": c.mode}}
		if got := tensor.Data[tensor.SmallBits](optest.Run(t, ops, call, in).Out(0)); !slices.Equal(got, c.want) {
			t.Errorf("%v, saturate %d, %s: got %#x, want %#x", c.to, c.saturate, c.mode, got, c.want)
		}
	}
}

func TestCastFromText(t *testing.T) {
	text := tensor.FromStrings([]string{" 12", "-3.75", "1e3", "+INF", "-inf", "nan"}, 6)
	optest.Want(t, optest.Run(t, ops, cast(tensor.Float32), text).Out(0), as(tensor.Float32, []float64{12, -3.75, 1000, inf, -inf, nan}, 6), 0)
	optest.Want(t, optest.Run(t, ops, cast(tensor.Float64), text).Out(0), as(tensor.Float64, []float64{12, -3.75, 1000, inf, -inf, nan}, 6), 0)
	whole := tensor.FromStrings([]string{"9223372036854775807", "-5", "100.5"}, 3)
	optest.Want(t, optest.Run(t, ops, cast(tensor.Int64), whole).Out(0), tensor.From([]int64{math.MaxInt64, -5, 100}, 3), 0)
	big := optest.Run(t, ops, cast(tensor.Uint64), tensor.FromStrings([]string{"18446744073709551615"}, 1)).Out(0)
	if got := tensor.Data[uint64](big)[0]; got != math.MaxUint64 {
		t.Errorf("got %d", got)
	}
	for _, to := range []tensor.DType{tensor.Float32, tensor.Int64, tensor.Uint64, tensor.Bool} {
		err := optest.Error(t, ops, cast(to), tensor.FromStrings([]string{"1", "Hello"}, 2))
		if !strings.Contains(err, `element 1, "Hello"`) {
			t.Errorf("%v: %s", to, err)
		}
	}
}

func TestCastToText(t *testing.T) {
	for _, c := range []struct {
		in   *tensor.Tensor
		want []string
	}{
		{as(tensor.Float32, []float64{1, 0.1, 314.15926, inf, -inf, nan, 1e-7}, 7), []string{"1", "0.1", "314.15927", "INF", "-INF", "NaN", "1e-07"}},
		{tensor.From([]float64{0.1, 1e20, 1e21}, 3), []string{"0.1", "100000000000000000000", "1e+21"}},
		{tensor.From([]int64{math.MinInt64, 7}, 2), []string{"-9223372036854775808", "7"}},
		{tensor.From([]uint64{math.MaxUint64}, 1), []string{"18446744073709551615"}},
		{tensor.From([]bool{true, false}, 2), []string{"1", "0"}},
		{as(tensor.Float16, []float64{0.5, -2}, 2), []string{"0.5", "-2"}},
	} {
		if got := optest.Run(t, ops, cast(tensor.String), c.in).Out(0).Strings(); !slices.Equal(got, c.want) {
			t.Errorf("%v: got %q, want %q", c.in, got, c.want)
		}
	}
}

func TestBitCast(t *testing.T) {
	bitCast := func(to tensor.DType) optest.Call {
		return optest.Call{Op: "BitCast", Attrs: attrs{"to": int(to)}}
	}
	for _, c := range []struct{ in, want *tensor.Tensor }{
		{tensor.From([]float32{1, -2}, 2), tensor.From([]int32{0x3f800000, -0x40000000}, 2)},
		{tensor.From([]int8{-1}, 1), tensor.From([]uint8{255}, 1)},
		{tensor.From([]uint16{0x3c00}, 1), as(tensor.Float16, []float64{1}, 1)},
		{tensor.FromAs(tensor.Uint4, []uint8{15, 7}, 2), tensor.FromAs(tensor.Int4, []int8{-1, 7}, 2)},
		{tensor.FromAs(tensor.Int4, []int8{-1, 7}, 2), tensor.FromAs(tensor.Uint4, []uint8{15, 7}, 2)},
	} {
		optest.Want(t, optest.Run(t, ops, bitCast(c.want.DType()), c.in).Out(0), c.want, 0)
	}
	optest.Error(t, ops, bitCast(tensor.Int64), tensor.New(tensor.Float32, 1))
	optest.Error(t, ops, bitCast(tensor.Uint8), tensor.New(tensor.Uint4, 1))
	optest.Error(t, ops, bitCast(tensor.String), tensor.FromStrings([]string{"a"}, 1))
	optest.Error(t, ops, bitCast(tensor.Uint8), tensor.FromStrings([]string{"a"}, 1))
}

func TestCastRefusesBadAttributes(t *testing.T) {
	x := tensor.New(tensor.Float32, 1)
	optest.Error(t, ops, optest.Call{Op: "Cast"}, x)
	optest.Error(t, ops, optest.Call{Op: "Cast", Attrs: attrs{"to": 99}}, x)
	optest.Error(t, ops, optest.Call{Op: "Cast", Attrs: attrs{"to": -1}}, x)
	optest.Error(t, ops, cast(tensor.Complex64), x)
	optest.Error(t, ops, optest.Call{Op: "Cast", Attrs: attrs{"to": 1, "round_mode": "sideways"}}, x)
}

// TestNothingIsAllocated holds the kernels of small networks to their
// promise at steady state.
func TestNothingIsAllocated(t *testing.T) {
	x, y := counting(1, 8, 16), counting(1, 16)
	for _, c := range []struct {
		call optest.Call
		in   []tensor.Value
	}{
		{optest.Call{Op: "Add"}, []tensor.Value{x, y}},
		{optest.Call{Op: "Sum"}, []tensor.Value{x, y, x}},
		{optest.Call{Op: "Mean"}, []tensor.Value{x, y, x}},
		{optest.Call{Op: "Less"}, []tensor.Value{x, y}},
		{optest.Call{Op: "Pow"}, []tensor.Value{x, tensor.Scalar(int64(2))}},
		{optest.Call{Op: "Where"}, []tensor.Value{tensor.From([]bool{true}, 1), x, y}},
		{optest.Call{Op: "Clip"}, []tensor.Value{x, tensor.Scalar(float32(0)), tensor.Scalar(float32(6))}},
		{optest.Call{Op: "Relu"}, []tensor.Value{x}},
		{optest.Call{Op: "Sigmoid"}, []tensor.Value{x}},
		{optest.Call{Op: "Gelu"}, []tensor.Value{x}},
		{optest.Call{Op: "Swish"}, []tensor.Value{x}},
		{optest.Call{Op: "Elu"}, []tensor.Value{x}},
		{optest.Call{Op: "Mul"}, []tensor.Value{as(tensor.Float16, []float64{1, 2}, 2), as(tensor.Float16, []float64{3}, 1)}},
		{optest.Call{Op: "Exp"}, []tensor.Value{as(tensor.BFloat16, []float64{1, 2}, 2)}},
		{cast(tensor.Int64), []tensor.Value{x}},
		{cast(tensor.Float16), []tensor.Value{x}},
		{cast(tensor.Bool), []tensor.Value{x}},
	} {
		n := optest.Run(t, ops, c.call, c.in...)
		if got := n.Allocs(t); got != 0 {
			t.Errorf("%s allocates %v times a run", c.call.Op, got)
		}
	}
}
