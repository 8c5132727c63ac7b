// Package quant holds the operators of quantized models: conversion between
// real numbers and integers with a scale and a zero point, and products and
// convolutions of such integers.
package quant

import (
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// Ops are the operators of this package.
func Ops() []op.Def {
	return slices.Concat(linearOps(), matMulOps(), convOps())
}

// bytes are the element types of quantized products.
var bytes = op.TypeSet{tensor.Int8, tensor.Uint8}

// span is the range of an integer type.
func span(d tensor.DType) (lo, hi float32, ok bool) {
	switch d {
	case tensor.Int8:
		return -128, 127, true
	case tensor.Uint8:
		return 0, 255, true
	case tensor.Int16:
		return -32768, 32767, true
	case tensor.Uint16:
		return 0, 65535, true
	case tensor.Int4:
		return -8, 7, true
	case tensor.Uint4:
		return 0, 15, true
	case tensor.Int2:
		return -2, 1, true
	case tensor.Uint2:
		return 0, 3, true
	}
	return 0, 0, false
}

// nearest rounds v, ties to even, within ±2²⁰; that is outside of every range
// to quantize to. A NaN stays one.
func nearest(v float32) float32 {
	const limit = 1 << 20
	const shifter = 0x1.8p23 // adding it rounds to a whole number
	v = min(max(v, -limit), limit)
	return (v + shifter) - shifter
}

// saturate limits v to [lo, hi]; a NaN becomes lo.
func saturate(v, lo, hi float32) float32 {
	if !(v >= lo) {
		return lo
	}
	return min(v, hi)
}

// floats reads any real tensor as float32, in c's k-th scratch slice when it
// holds something else.
func floats(c *op.Context, k int, t *tensor.Tensor) []float32 {
	if !t.DType().IsSmallFloat() {
		return op.Float32s(c, k, t)
	}
	values, dst := tensor.SmallValues(t.DType()), op.Scratch[float32](c, k, t.Len())
	for i, code := range tensor.Data[tensor.SmallBits](t) {
		dst[i] = values[code]
	}
	return dst
}

// elemLike gives output 0 the shape of input 0 with elements d.
func elemLike(n *op.Node, d tensor.DType) {
	t := n.Arg(0).Type
	t.Kind, t.Elem = tensor.KindTensor, d
	n.SetOut(0, t)
}
