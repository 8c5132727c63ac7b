package fuse

import (
	"math"
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/ml"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// A rule gives the node that does the work of first and then second, which
// alone reads first's output; nil when they do not fit.
type rule func(e *editor, first, second *onnx.Node) *onnx.Node

var rules = []rule{divisionIntoSubtraction, scalerIntoLinear, batchNormIntoConv, biasIntoMatMul, activationIntoProduct}

// fusedNames maps the operators that can take an activation to their fused
// forms.
var fusedNames = map[string]string{
	"Gemm": "FusedGemm", "MatMul": "FusedMatMul", "Conv": "FusedConv",
	"FusedGemm": "FusedGemm", "FusedMatMul": "FusedMatMul", "FusedConv": "FusedConv",
}

func scalerIntoLinear(_ *editor, first, second *onnx.Node) *onnx.Node {
	fused, ok := ml.FoldScaler(first, second)
	if !ok {
		return nil
	}
	return fused
}

// divisionIntoSubtraction joins Sub and Div of constant rows, a scaler that
// really divides, as exported with the option div. The constants must be as
// wide as the rows, so that neither widens the other: that is known of the
// graph's own inputs.
func divisionIntoSubtraction(e *editor, first, second *onnx.Node) *onnx.Node {
	if first.Domain != "" || first.Op != "Sub" || second.Domain != "" || second.Op != "Div" ||
		len(second.Inputs) != 2 || second.Inputs[0] != first.Outputs[0] {
		return nil
	}
	width := e.inputWidth(first.Inputs[0])
	offset, scale := e.constRow(first, width), e.constRow(second, width)
	if offset == nil || scale == nil {
		return nil
	}
	fused := with(first, op.Internal, ml.DividingScaler, second,
		&onnx.Attribute{Name: "offset", Type: onnx.AttrFloats, Floats: offset},
		&onnx.Attribute{Name: "scale", Type: onnx.AttrFloats, Floats: scale},
		&onnx.Attribute{Name: "divide", Type: onnx.AttrInt, Int: 1})
	fused.Inputs = first.Inputs[:1]
	return fused
}

// inputWidth is the fixed last dimension of a float32 matrix that is an input
// of the graph; 0 for everything else.
func (e *editor) inputWidth(name string) int {
	for _, in := range e.source.Inputs {
		if in.Name == name && in.Type.Elem == tensor.Float32 && in.Type.Ranked && len(in.Type.Dims) == 2 && in.Type.Dims[1].Known() {
			return in.Type.Dims[1].Size
		}
	}
	return 0
}

// constRow is the second input of n when it is one constant row of this width.
func (e *editor) constRow(n *onnx.Node, width int) []float32 {
	t := e.float32Const(n, 1)
	if t == nil || width == 0 || t.Len() != width || t.Rank() < 1 || t.Rank() > 2 || t.Dim(-1) != width {
		return nil
	}
	return tensor.Data[float32](t)
}

// biasIntoMatMul joins MatMul by a constant matrix and Add of a constant row.
func biasIntoMatMul(e *editor, first, second *onnx.Node) *onnx.Node {
	if first.Domain != "" || first.Op != "MatMul" || second.Domain != "" || second.Op != "Add" {
		return nil
	}
	weights := e.float32Const(first, 1)
	bias := otherInput(second, first.Outputs[0])
	row := e.consts[bias]
	if weights == nil || weights.Rank() != 2 || row == nil || row.DType() != tensor.Float32 ||
		row.Rank() != 1 || row.Dim(0) != weights.Dim(1) {
		return nil
	}
	fused := with(first, op.Internal, "FusedMatMul", second)
	fused.Inputs = []string{first.Inputs[0], first.Inputs[1], bias}
	return fused
}

// otherInput is the input of a binary node that is not the given one; "" when
// both are.
func otherInput(n *onnx.Node, not string) string {
	if len(n.Inputs) != 2 {
		return ""
	}
	for _, in := range n.Inputs {
		if in != not {
			return in
		}
	}
	return ""
}

// float32Const is input i of n when it is a float32 constant: it settles that
// the whole product is in float32.
func (e *editor) float32Const(n *onnx.Node, i int) *tensor.Tensor {
	if i >= len(n.Inputs) {
		return nil
	}
	t := e.consts[n.Inputs[i]]
	if t == nil || t.DType() != tensor.Float32 {
		return nil
	}
	return t
}

// activationIntoProduct joins a product or convolution by constant weights
// with the activation after it.
func activationIntoProduct(e *editor, first, second *onnx.Node) *onnx.Node {
	name, ok := fusedNames[first.Op]
	if !ok || second.Domain != "" || first.Attr("activation") != nil || e.float32Const(first, 1) == nil {
		return nil
	}
	if first.Domain != "" && first.Domain != op.Internal {
		return nil
	}
	attrs, ok := e.activation(second)
	if !ok {
		return nil
	}
	return with(first, op.Internal, name, second, attrs...)
}

// activation describes an activation node as attributes of a fused one.
func (e *editor) activation(n *onnx.Node) ([]*onnx.Attribute, bool) {
	attrs := []*onnx.Attribute{{Name: "activation", Type: onnx.AttrString, String: n.Op}}
	param := func(name string, v float32) {
		attrs = append(attrs, &onnx.Attribute{Name: name, Type: onnx.AttrFloat, Float: v})
	}
	switch n.Op {
	case "Relu", "Tanh", "Sigmoid", "HardSwish":
		return attrs, true
	case "LeakyRelu", "Elu", "HardSigmoid":
		for _, name := range []string{"alpha", "beta"} {
			if a := n.Attr(name); a != nil {
				param("activation_"+name, a.Float)
			}
		}
		return attrs, true
	case "Clip":
		low, high, ok := e.clipBounds(n)
		param("activation_alpha", low)
		param("activation_beta", high)
		return attrs, ok
	}
	return nil, false
}

// clipBounds reads Clip's bounds, attributes before opset 11 and constant
// inputs since; absent ones are the type's limits.
func (e *editor) clipBounds(n *onnx.Node) (low, high float32, ok bool) {
	bounds := [2]float32{-math.MaxFloat32, math.MaxFloat32}
	for i, name := range []string{"min", "max"} {
		if a := n.Attr(name); a != nil {
			bounds[i] = a.Float
		}
		if i+1 >= len(n.Inputs) || n.Inputs[i+1] == "" {
			continue
		}
		t := e.float32Const(n, i+1)
		if t == nil || t.Len() != 1 {
			return 0, 0, false
		}
		bounds[i] = tensor.Data[float32](t)[0]
	}
	return bounds[0], bounds[1], true
}

// batchNormIntoConv multiplies a convolution's constant weights by the scale
// of the batch normalisation after it and adds its shift to the bias,
// computing in float64.
func batchNormIntoConv(e *editor, first, second *onnx.Node) *onnx.Node {
	if first.Domain != "" || first.Op != "Conv" || second.Domain != "" || second.Op != "BatchNormalization" ||
		len(second.Inputs) != 5 || second.Inputs[0] != first.Outputs[0] {
		return nil
	}
	if a := second.Attr("training_mode"); a != nil && a.Int != 0 {
		return nil
	}
	weights := e.float32Const(first, 1)
	if weights == nil || weights.Rank() < 3 {
		return nil
	}
	channels := weights.Dim(0)
	bias := make([]float32, channels)
	if len(first.Inputs) > 2 && first.Inputs[2] != "" {
		b := e.float32Const(first, 2)
		if b == nil || b.Len() != channels {
			return nil
		}
		copy(bias, tensor.Data[float32](b))
	}
	norm, ok := e.normalisation(second, channels)
	if !ok {
		return nil
	}
	w := weights.Clone()
	norm.apply(tensor.Data[float32](w), bias)
	fused := with(first, "", "Conv", second)
	fused.Inputs = []string{first.Inputs[0],
		e.addConst(second.Outputs[0]+"/weights", w),
		e.addConst(second.Outputs[0]+"/bias", tensor.From(bias, channels))}
	return fused
}

// normalisation is a batch normalisation's constants, one for each channel.
type normalisation struct {
	scale, shift, mean, variance []float32
	epsilon                      float64
}

func (e *editor) normalisation(n *onnx.Node, channels int) (normalisation, bool) {
	norm := normalisation{epsilon: 1e-5}
	if a := n.Attr("epsilon"); a != nil {
		norm.epsilon = float64(a.Float)
	}
	for i, dst := range []*[]float32{&norm.scale, &norm.shift, &norm.mean, &norm.variance} {
		t := e.float32Const(n, i+1)
		if t == nil || !slices.Equal(t.Shape(), []int{channels}) {
			return norm, false
		}
		*dst = tensor.Data[float32](t)
	}
	return norm, true
}

// apply changes weights, [channels, …], and bias in place.
func (n *normalisation) apply(weights, bias []float32) {
	width := len(weights) / max(len(bias), 1)
	for c := range bias {
		factor := float64(n.scale[c]) / math.Sqrt(float64(n.variance[c])+n.epsilon)
		for i, w := range weights[c*width : (c+1)*width] {
			weights[c*width+i] = float32(float64(w) * factor)
		}
		bias[c] = float32((float64(bias[c])-float64(n.mean[c]))*factor + float64(n.shift[c]))
	}
}
