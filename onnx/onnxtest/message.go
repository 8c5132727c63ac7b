package onnxtest

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Message is a protobuf message being put together. Its methods append one
// field and give the longer message; field numbers are those of onnx-ml.proto.
type Message []byte

// Int appends a varint.
func (m Message) Int(field int, v int64) Message {
	m = protowire.AppendTag(m, protowire.Number(field), protowire.VarintType)
	return protowire.AppendVarint(m, uint64(v))
}

// Float appends a 4-byte float.
func (m Message) Float(field int, v float32) Message {
	m = protowire.AppendTag(m, protowire.Number(field), protowire.Fixed32Type)
	return protowire.AppendFixed32(m, math.Float32bits(v))
}

// Double appends an 8-byte float.
func (m Message) Double(field int, v float64) Message {
	m = protowire.AppendTag(m, protowire.Number(field), protowire.Fixed64Type)
	return protowire.AppendFixed64(m, math.Float64bits(v))
}

// Bytes appends a length-delimited field: bytes or a message.
func (m Message) Bytes(field int, v []byte) Message {
	m = protowire.AppendTag(m, protowire.Number(field), protowire.BytesType)
	return protowire.AppendBytes(m, v)
}

// Text appends strings, each as a field of its own.
func (m Message) Text(field int, values ...string) Message {
	for _, v := range values {
		m = m.Bytes(field, []byte(v))
	}
	return m
}

// Name appends a string unless it is empty.
func (m Message) Name(field int, v string) Message {
	if v == "" {
		return m
	}
	return m.Text(field, v)
}

// Ints appends a packed list of varints.
func (m Message) Ints(field int, values ...int64) Message {
	var packed []byte
	for _, v := range values {
		packed = protowire.AppendVarint(packed, uint64(v))
	}
	return m.Bytes(field, packed)
}

// Floats appends a packed list of 4-byte floats.
func (m Message) Floats(field int, values ...float32) Message {
	var packed []byte
	for _, v := range values {
		packed = protowire.AppendFixed32(packed, math.Float32bits(v))
	}
	return m.Bytes(field, packed)
}
