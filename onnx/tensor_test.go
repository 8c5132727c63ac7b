package onnx_test

import (
	"math"
	"testing"
	"testing/fstest"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/greenlight-dev/greenlight/onnx"
	ot "github.com/greenlight-dev/greenlight/onnx/onnxtest"
	"github.com/greenlight-dev/greenlight/tensor"
)

// unpacked writes integers as separate fields.
func unpacked(p ot.Message, field int, values ...int64) ot.Message {
	for _, v := range values {
		p = p.Int(field, v)
	}
	return p
}

func TestTensorEncodings(t *testing.T) {
	pi := math.Pi
	for _, c := range []struct {
		name  string
		proto ot.Message
		want  *tensor.Tensor
	}{
		{"float32 packed", proto(tensor.Float32, 2).Floats(4, 1, -2), tensor.From([]float32{1, -2}, 2)},
		{"float32 unpacked", proto(tensor.Float32, 2).Float(4, 1).Float(4, -2), tensor.From([]float32{1, -2}, 2)},
		{"float32 mixed", proto(tensor.Float32, 3).Float(4, 1).Floats(4, -2, 3), tensor.From([]float32{1, -2, 3}, 3)},
		{"float32 raw", proto(tensor.Float32, 1).Bytes(9, []byte{0, 0, 0x80, 0x3f}), tensor.From([]float32{1}, 1)},
		{"packed dims", ot.Message(nil).Ints(1, 1, 2).Int(2, 1).Floats(4, 1, 2), tensor.From([]float32{1, 2}, 1, 2)},
		{"float64", proto(tensor.Float64).Double(10, pi), tensor.Scalar(pi)},
		{"complex64", proto(tensor.Complex64, 1).Floats(4, 1, 2), tensor.From([]complex64{1 + 2i}, 1)},
		{"complex128", proto(tensor.Complex128, 1).Double(10, 1).Double(10, 2), tensor.From([]complex128{1 + 2i}, 1)},
		{"int64", proto(tensor.Int64, 2).Ints(7, -1, math.MaxInt64), tensor.From([]int64{-1, math.MaxInt64}, 2)},
		{"int64 unpacked", unpacked(proto(tensor.Int64, 2), 7, -1, 5), tensor.From([]int64{-1, 5}, 2)},
		{"int32", proto(tensor.Int32, 2).Ints(5, -1, math.MaxInt32), tensor.From([]int32{-1, math.MaxInt32}, 2)},
		{"int32 in five bytes", proto(tensor.Int32, 1).Ints(5, math.MaxUint32), tensor.From([]int32{-1}, 1)},
		{"int16", proto(tensor.Int16, 2).Ints(5, -32768, 7), tensor.From([]int16{-32768, 7}, 2)},
		{"int8", unpacked(proto(tensor.Int8, 2), 5, -128, 7), tensor.From([]int8{-128, 7}, 2)},
		{"uint8", proto(tensor.Uint8, 2).Ints(5, 0, 255), tensor.From([]uint8{0, 255}, 2)},
		{"uint16", proto(tensor.Uint16, 1).Ints(5, 65535), tensor.From([]uint16{65535}, 1)},
		{"uint32", proto(tensor.Uint32, 1).Ints(11, math.MaxUint32), tensor.From([]uint32{math.MaxUint32}, 1)},
		{"uint64", proto(tensor.Uint64, 1).Ints(11, -1), tensor.From([]uint64{math.MaxUint64}, 1)},
		{"bool", proto(tensor.Bool, 3).Ints(5, 1, 0, 2), tensor.From([]bool{true, false, true}, 3)},
		{"bool raw", proto(tensor.Bool, 3).Bytes(9, []byte{1, 0, 255}), tensor.From([]bool{true, false, true}, 3)},
		{"float16", proto(tensor.Float16, 1).Ints(5, 0x3c00), tensor.From([]tensor.Float16Bits{0x3c00}, 1)},
		{"bfloat16 raw", proto(tensor.BFloat16, 1).Bytes(9, []byte{0x80, 0x3f}), tensor.From([]tensor.BFloat16Bits{0x3f80}, 1)},
		{"float8", proto(tensor.Float8E5M2, 2).Ints(5, 0x3c, 0xff), tensor.FromAs(tensor.Float8E5M2, []tensor.SmallBits{0x3c, 0xff}, 2)},
		{"float8 scale", proto(tensor.Float8E8M0, 1).Bytes(9, []byte{127}), tensor.FromAs(tensor.Float8E8M0, []tensor.SmallBits{127}, 1)},
		{"int4", proto(tensor.Int4, 3).Bytes(9, []byte{0x8f, 0x07}), tensor.FromAs(tensor.Int4, []int8{-1, -8, 7}, 3)},
		{"int4 typed", proto(tensor.Int4, 3).Ints(5, 0x8f, 7), tensor.FromAs(tensor.Int4, []int8{-1, -8, 7}, 3)},
		{"uint4", proto(tensor.Uint4, 5).Bytes(9, []byte{0x8f, 0x21, 0x0a}), tensor.FromAs(tensor.Uint4, []uint8{15, 8, 1, 2, 10}, 5)},
		{"float4", proto(tensor.Float4E2M1, 2).Bytes(9, []byte{0x72}), tensor.FromAs(tensor.Float4E2M1, []tensor.SmallBits{2, 7}, 2)},
		{"int2", proto(tensor.Int2, 5).Bytes(9, []byte{0b11100100, 0b10}), tensor.FromAs(tensor.Int2, []int8{0, 1, -2, -1, -2}, 5)},
		{"uint2", proto(tensor.Uint2, 6).Ints(5, 0b11100100, 0b0110), tensor.FromAs(tensor.Uint2, []uint8{0, 1, 2, 3, 2, 1}, 6)},
		{"strings", proto(tensor.String, 2).Text(6, "a", "b\xff"), tensor.FromStrings([]string{"a", "b\xff"}, 2)},
		{"no elements", proto(tensor.Float32, 0, 1<<40), tensor.From([]float32{}, 0, 1<<40)},
		{"no elements raw", proto(tensor.Float32, 0).Bytes(9, nil), tensor.From([]float32{}, 0)},
		{"no strings", proto(tensor.String, 2, 0), tensor.FromStrings(nil, 2, 0)},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := onnx.DecodeTensor(c.proto, onnx.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			sameTensor(t, got, c.want)
			again, err := onnx.DecodeTensor(ot.EncodeTensor("", c.want), onnx.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			sameTensor(t, again, c.want)
		})
	}
}

func TestSparseTensors(t *testing.T) {
	values := ot.EncodeTensor("w", tensor.From([]float32{5, 7}, 2))
	for name, indices := range map[string]*tensor.Tensor{
		"linear": tensor.From([]int64{1, 5}, 2),
		"places": tensor.From([]int64{0, 1, 1, 2}, 2, 2),
	} {
		sparse := ot.Message(nil).Bytes(1, values).Bytes(2, ot.EncodeTensor("", indices)).Ints(3, 2, 3)
		want := tensor.From([]float32{0, 5, 0, 0, 0, 7}, 2, 3)
		attr := ot.Message(nil).Text(1, "sparse_value").Bytes(22, sparse).Int(20, 11)
		node := ot.Message(nil).Text(2, "y").Text(4, "Constant").Bytes(5, attr)
		graph := ot.EncodeGraph(ot.Graph("main", ot.Output("y", tensor.Float32))).Bytes(1, node).Bytes(15, sparse)
		g := decode(t, modelWith(graph)).Graph
		t.Run(name, func(t *testing.T) {
			sameTensor(t, g.Initializers[0].Value, want)
			if a := g.Nodes[0].Attr("sparse_value"); a.Type != onnx.AttrTensor {
				t.Errorf("the attribute's type is %v", a.Type)
			} else {
				sameTensor(t, a.Tensor, want)
			}
		})
	}
}

func TestSparseStrings(t *testing.T) {
	sparse := ot.Message(nil).Bytes(1, ot.EncodeTensor("w", tensor.FromStrings([]string{"a"}, 1))).
		Bytes(2, ot.EncodeTensor("", tensor.From([]int64{1}, 1))).Ints(3, 3)
	graph := ot.EncodeGraph(ot.Graph("main", ot.Output("w", tensor.String))).Bytes(15, sparse)
	sameTensor(t, decode(t, modelWith(graph)).Graph.Initializers[0].Value, tensor.FromStrings([]string{"", "a", ""}, 3))
}

func TestExternalSmallElements(t *testing.T) {
	proto := ot.Message(nil).Int(1, 3).Int(2, int64(tensor.Int4)).Int(14, 1).Bytes(13, ot.Message(nil).Text(1, "location").Text(2, "w"))
	m, err := onnx.Open(fstest.MapFS{"model.onnx": {Data: initializer(proto)}, "w": {Data: []byte{0x8f, 0x07}}}, ".", onnx.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	sameTensor(t, m.Graph.Initializers[0].Value, tensor.FromAs(tensor.Int4, []int8{-1, -8, 7}, 3))
}

func TestDecodeValue(t *testing.T) {
	one, two := ot.EncodeTensor("", tensor.Scalar[int64](1)), ot.EncodeTensor("", tensor.From([]int64{2, 3}, 2))
	sequence := ot.Message(nil).Int(2, 1).Bytes(3, one).Bytes(3, two)
	strings := ot.Message(nil).Int(2, 1).Bytes(3, ot.EncodeTensor("", tensor.FromStrings([]string{"u", "v"}, 2)))
	for _, c := range []struct {
		name string
		kind tensor.Kind
		file ot.Message
		want string
	}{
		{"tensor", tensor.KindTensor, two, "int64[2]"},
		{"sequence", tensor.KindSequence, sequence, "seq(int64)"},
		{"sequence of sequences", tensor.KindSequence, ot.Message(nil).Int(2, 3).Bytes(5, sequence), "seq(seq(int64))"},
		{"optional", tensor.KindOptional, ot.Message(nil).Int(2, 1).Bytes(3, one), "optional(int64[])"},
		{"optional sequence", tensor.KindOptional, ot.Message(nil).Int(2, 3).Bytes(5, sequence), "optional(seq(int64))"},
		{"empty optional", tensor.KindOptional, ot.Message(nil).Int(2, 1), "optional(?)"},
		{"map of integers", tensor.KindMap, ot.Message(nil).Int(2, 7).Ints(3, 7, 8, 9).Bytes(5, sequence), "map(int64,int64)"},
		{"map of strings", tensor.KindMap, ot.Message(nil).Int(2, 8).Text(4, "a", "b").Bytes(5, strings), "map(string,string)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := onnx.DecodeValue(c.file, c.kind, onnx.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			if got := v.Type().String(); got != c.want {
				t.Errorf("the value is %s, not %s", got, c.want)
			}
		})
	}
	v, err := onnx.DecodeValue(ot.Message(nil).Ints(3, 7, 8, 9).Bytes(5, sequence), tensor.KindMap, onnx.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	sameTensor(t, v.(*tensor.Map).Values, tensor.From([]int64{1, 2, 3}, 3))
}

func TestBrokenValues(t *testing.T) {
	one := ot.EncodeTensor("", tensor.Scalar[int64](1))
	deep := ot.Message(nil)
	for range 40 {
		deep = ot.Message(nil).Bytes(5, deep)
	}
	for _, c := range []struct {
		name string
		kind tensor.Kind
		file ot.Message
		want string
	}{
		{"unknown kind", tensor.KindUnknown, one, "cannot be read"},
		{"mixed sequence", tensor.KindSequence, ot.Message(nil).Bytes(3, one).Bytes(3, ot.EncodeTensor("", tensor.Scalar(1.0))), "item 1 is float64[], item 0 is int64[]"},
		{"two optionals", tensor.KindOptional, ot.Message(nil).Bytes(3, one).Bytes(3, one), "it holds 2 values"},
		{"elem type", tensor.KindSequence, ot.Message(nil).Int(2, 9), "elem_type 9 is unknown"},
		{"deep", tensor.KindSequence, deep, "nested deeper than 32"},
		{"map keys", tensor.KindMap, ot.Message(nil).Ints(3, 1, 2).Bytes(5, ot.Message(nil).Bytes(3, one)), "2 keys and 1 values"},
		{"map of both", tensor.KindMap, ot.Message(nil).Ints(3, 1).Text(4, "a"), "both integers and strings"},
		{"cut", tensor.KindTensor, one[:3], "cut off"},
		{"group", tensor.KindTensor, protowire.AppendTag(nil, 1, protowire.StartGroupType), "cut off"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := onnx.DecodeValue(c.file, c.kind, onnx.Limits{})
			if v != nil {
				t.Error("a value comes with the error")
			}
			wantError(t, err, c.want)
		})
	}
}
