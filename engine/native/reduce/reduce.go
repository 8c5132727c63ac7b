// Package reduce holds the native engine's operators that summarise along
// axes: reductions, arg-extremes, running sums, the softmax family,
// normalisation and losses. Floats are accumulated in float64.
package reduce

import (
	"github.com/greenlight-dev/greenlight/engine/native/op"
)

// Ops lists the package's operators.
func Ops() []op.Def {
	var defs []op.Def
	for _, r := range reductions {
		defs = append(defs, op.Require(1, r.def())...)
	}
	for i, group := range byInputs {
		defs = append(defs, op.Require(i, group...)...)
	}
	return defs
}

var (
	numbers         = []op.TypeSet{op.Numbers}
	floats          = []op.TypeSet{op.Floats}
	cumulativeTypes = []op.TypeSet{sumTypes, op.Index}
	lossTypes       = []op.TypeSet{op.Floats, op.Index, op.Floats}
)

// byInputs are the operators other than reductions, by the number of inputs
// that they need.
var byInputs = [...][]op.Def{
	1: {
		{Name: "ArgMax", Types: numbers, Infer: inferArg, Build: buildArg},
		{Name: "ArgMin", Types: numbers, Infer: inferArg, Build: buildArg},
		{Name: "Softmax", Types: floats, Infer: op.InferSame, Build: buildSoftmax},
		{Name: "LogSoftmax", Types: floats, Infer: op.InferSame, Build: buildSoftmax},
		{Name: "Hardmax", Types: floats, Infer: op.InferSame, Build: buildSoftmax},
		{Name: "LpNormalization", Types: floats, Infer: op.InferSame, Build: buildLpNorm},
		{Name: "MeanVarianceNormalization", Types: floats, Infer: op.InferSame, Build: buildMeanVariance},
		{Name: "LRN", Types: floats, Infer: op.InferSame, Build: buildLRN},
	},
	2: {
		{Name: "CumSum", Types: cumulativeTypes, Infer: op.InferSame, Build: buildCumulative},
		{Name: "CumProd", Types: cumulativeTypes, Infer: op.InferSame, Build: buildCumulative},
		{Name: "LayerNormalization", Types: floats, Infer: inferLayerNorm, Build: buildLayerNorm},
		{Name: "RMSNormalization", Types: floats, Infer: op.InferSame, Build: buildLayerNorm},
		{Name: "NegativeLogLikelihoodLoss", Types: lossTypes, Infer: inferLoss, Build: buildLoss},
		{Name: "SoftmaxCrossEntropyLoss", Types: lossTypes, Infer: inferLoss, Build: buildLoss},
	},
	3: {
		{Name: "InstanceNormalization", Types: floats, Infer: op.InferSame, Build: buildGroupNorm},
		{Name: "GroupNormalization", Types: floats, Infer: op.InferSame, Build: buildGroupNorm},
	},
	5: {
		{Name: "BatchNormalization", Types: floats, Infer: inferBatchNorm, Build: buildBatchNorm},
	},
}
