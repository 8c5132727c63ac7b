package tree

import (
	"github.com/greenlight-dev/greenlight/engine/native/ml/score"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// Ops declares the tree ensembles.
func Ops() []op.Def {
	numbers := []op.TypeSet{{tensor.Float32, tensor.Float64, tensor.Int64, tensor.Int32}}
	floats := []op.TypeSet{{tensor.Float32, tensor.Float64, tensor.Float16}}
	return op.Require(1, []op.Def{
		{Domain: op.ML, Name: "TreeEnsembleClassifier", Types: numbers, Infer: inferClassifier, Build: buildClassifier},
		{Domain: op.ML, Name: "TreeEnsembleRegressor", Types: numbers, Infer: inferRegressor, Build: buildRegressor},
		{Domain: op.ML, Name: "TreeEnsemble", Since: 5, Types: floats, Infer: inferEnsemble, Build: buildEnsemble},
	}...)
}

func buildRegressor(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	tr, err := score.Parse(a.String("post_transform", "NONE"))
	if err != nil {
		return nil, err
	}
	e, err := readParallel(a, "target", a.Int("n_targets", 1))
	if err != nil {
		return nil, err
	}
	return newRegressor(n, e, tr, tensor.Float32)
}

func buildEnsemble(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	tr, err := score.Numbered(a.Int("post_transform", 0))
	if err != nil {
		return nil, err
	}
	e, err := readSplit(a)
	if err != nil {
		return nil, err
	}
	return newRegressor(n, e, tr, tensor.Undefined)
}

func inferClassifier(n *op.Node) error {
	labels, err := score.ReadLabels(n.ReadAttrs(), "classlabels_int64s", "classlabels_strings")
	if err != nil {
		return err
	}
	score.SetOut(n, 0, labels.DType(), 0)
	score.SetOut(n, 1, tensor.Float32, labels.Len())
	return nil
}

func inferRegressor(n *op.Node) error {
	score.SetOut(n, 0, tensor.Float32, n.ReadAttrs().Int("n_targets", 1))
	return nil
}

func inferEnsemble(n *op.Node) error {
	score.SetOut(n, 0, n.Elem(0), n.ReadAttrs().Int("n_targets", 1))
	return nil
}
