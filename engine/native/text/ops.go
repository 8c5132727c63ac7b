// Package text holds the operators on strings: normalisation, splitting,
// tokenisation and the counting of n-grams. A case change follows Unicode, not
// the environment, so a model gives the same on every machine.
package text

import (
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// microsoft is the domain of ONNX Runtime's own operators. scikit-learn's text
// models are exported with its Tokenizer.
const microsoft = "com.microsoft"

// Ops declares the operators.
func Ops() []op.Def {
	strings := []op.TypeSet{op.Text}
	joined := op.Def{Name: "StringConcat", Since: 20, Types: strings, Infer: op.InferBroadcast, Build: op.Simple(concat)}
	return append(op.Require(2, joined), op.Require(1, []op.Def{
		{Name: "StringNormalizer", Since: 10, Types: strings, Infer: op.InferElem(tensor.String), Build: buildNormalizer},
		{Name: "StringSplit", Since: 20, Types: strings, Infer: inferSplit, Build: buildSplit},
		{Name: "RegexFullMatch", Since: 20, Types: strings, Infer: inferMatch, Build: buildMatch},
		{Name: "TfIdfVectorizer", Since: 9, Types: []op.TypeSet{{tensor.String, tensor.Int32, tensor.Int64}}, Infer: inferVectorizer, Build: buildVectorizer},
		{Domain: microsoft, Name: "Tokenizer", Types: strings, Infer: inferTokenizer, Build: buildTokenizer},
	}...)...)
}
