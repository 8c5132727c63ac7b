// Package ml holds the classical machine-learning operators of the ai.onnx.ml
// domain but for the tree ensembles: linear models, support vector machines,
// scaling and imputation, encoders, and the conversions to and from maps.
//
// What reads a batch computes each row as it would alone: the products use one
// order of summation, chosen by the model and never by the batch.
package ml

import (
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// Ops declares the operators.
func Ops() []op.Def {
	numbers := []op.TypeSet{{tensor.Float32, tensor.Float64, tensor.Int64, tensor.Int32}}
	keys := []op.TypeSet{{tensor.String, tensor.Int64, tensor.Float32, tensor.Int32, tensor.Int16, tensor.Float64}}
	names := []op.TypeSet{{tensor.String, tensor.Int64}}
	categories := []op.TypeSet{{tensor.String, tensor.Int64, tensor.Int32, tensor.Float32, tensor.Float64}}
	maps := []op.TypeSet{nil}
	extractor := op.Def{Domain: op.ML, Name: "ArrayFeatureExtractor", Types: []op.TypeSet{categories[0], {tensor.Int64}}, Infer: inferExtractor, Build: op.Simple(extract)}
	return append(op.Require(2, extractor), op.Require(1, []op.Def{
		{Domain: op.ML, Name: "LinearClassifier", Types: numbers, Infer: inferLinearClassifier, Build: buildLinearClassifier},
		{Domain: op.ML, Name: "LinearRegressor", Types: numbers, Infer: inferLinearRegressor, Build: buildLinearRegressor},
		{Domain: op.Internal, Name: scaled + "LinearClassifier", Types: numbers, Infer: inferLinearClassifier, Build: buildLinearClassifier},
		{Domain: op.Internal, Name: scaled + "LinearRegressor", Types: numbers, Infer: inferLinearRegressor, Build: buildLinearRegressor},
		{Domain: op.ML, Name: "SVMClassifier", Types: numbers, Infer: inferSVMClassifier, Build: buildSVMClassifier},
		{Domain: op.ML, Name: "SVMRegressor", Types: numbers, Infer: inferSVMRegressor, Build: buildSVMRegressor},
		{Domain: op.ML, Name: "Scaler", Types: numbers, Infer: inferFloat, Build: buildScaler},
		{Domain: op.Internal, Name: DividingScaler, Types: numbers[:1], Infer: inferFloat, Build: buildScaler},
		{Domain: op.ML, Name: "Normalizer", Types: numbers, Infer: inferFloat, Build: buildNormalizer},
		{Domain: op.ML, Name: "Imputer", Types: numbers, Infer: op.InferSame, Build: buildImputer},
		{Domain: op.ML, Name: "Binarizer", Types: numbers, Infer: op.InferSame, Build: buildBinarizer},
		{Domain: op.ML, Name: "OneHotEncoder", Types: categories, Infer: inferOneHot, Build: buildOneHot},
		{Domain: op.ML, Name: "LabelEncoder", Until: 1, Types: names, Infer: inferTranslation, Build: buildLabelEncoder1},
		{Domain: op.ML, Name: "LabelEncoder", Since: 2, Types: keys, Infer: inferLabelEncoder, Build: buildLabelEncoder},
		{Domain: op.ML, Name: "CategoryMapper", Types: names, Infer: inferTranslation, Build: buildCategoryMapper},
		{Domain: op.ML, Name: "FeatureVectorizer", Types: numbers, Infer: op.InferElem(tensor.Float32), Build: buildFeatureVectorizer},
		{Domain: op.ML, Name: "DictVectorizer", Types: maps, Infer: inferDictVectorizer, Build: buildDictVectorizer},
		{Domain: op.ML, Name: "CastMap", Types: maps, Infer: inferCastMap, Build: buildCastMap},
		{Domain: op.ML, Name: "ZipMap", Types: []op.TypeSet{{tensor.Float32}}, Infer: inferZipMap, Build: buildZipMap},
	}...)...)
}

// inferFloat gives output 0 the shape of input 0 with float32 elements.
func inferFloat(n *op.Node) error {
	t := n.Arg(0).Type
	t.Kind, t.Elem = tensor.KindTensor, tensor.Float32
	n.SetOut(0, t)
	return nil
}
