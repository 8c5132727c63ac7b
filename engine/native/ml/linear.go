package ml

import (
	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"github.com/greenlight-dev/greenlight/engine/native/ml/score"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// linear is what LinearClassifier and LinearRegressor share: scores are
// x·weightsᵀ + bias, with x scaled first when a Scaler was folded in.
type linear struct {
	weights   *matrix
	bias      []float32
	scale     *scaling // nil for none
	transform score.Transform
}

func readLinear(n *op.Node, a *op.Attrs, outputs int) (l linear, err error) {
	weights := a.Floats("coefficients")
	if len(weights) == 0 || outputs < 1 || len(weights)%outputs != 0 {
		return l, op.Errorf("attribute coefficients has %d values for %d outputs", len(weights), outputs)
	}
	inputs := len(weights) / outputs
	l.weights = newMatrix(outputs, inputs, weights)
	if n.Domain == op.Internal {
		if l.scale, err = readScaling(a); err != nil {
			return l, err
		}
		if err = l.scale.fits(inputs); err != nil {
			return l, err
		}
	}
	l.transform, err = score.Parse(a.String("post_transform", "NONE"))
	if err == nil {
		err = a.Err()
	}
	return l, err
}

// linearState is kept by each context.
type linearState struct{ ws gemm.Workspace }

// scores computes dst[n, outputs] for the rows of x.
func (l *linear) scores(c *op.Context, x []float32, n int, dst []float32) {
	if l.scale != nil {
		y := op.Scratch[float32](c, 1, len(x))
		l.scale.apply(y, x, l.weights.inputs)
		x = y
	}
	l.weights.mul(&op.State[linearState](c).ws, n, x, dst, l.bias)
}

// batch reads the input as float32 rows of the width the weights have.
func batch(c *op.Context, width int) (x []float32, n int, err error) {
	t := c.T(0)
	n, columns, err := score.Rows(t)
	if err != nil {
		return nil, 0, err
	}
	if columns != width {
		return nil, 0, op.Errorf("rows have %d features, the model has %d", columns, width)
	}
	return op.Float32s(c, 0, t), n, nil
}

type linearClassifier struct {
	linear
	labels score.Labels
	// pair says that one score stands for two classes.
	pair bool
}

func buildLinearClassifier(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	labels, err := score.ReadLabels(a, "classlabels_ints", "classlabels_strings")
	if err != nil {
		return nil, err
	}
	bias := a.Floats("intercepts")
	outputs := len(bias)
	if outputs == 0 {
		outputs = labels.Len()
	}
	k := &linearClassifier{labels: labels, pair: outputs == 1 && labels.Len() == 2}
	if k.linear, err = readLinear(n, a, outputs); err != nil {
		return nil, err
	}
	k.bias = bias
	if outputs != labels.Len() && !k.pair {
		return nil, op.Errorf("%d intercepts for %d classes", outputs, labels.Len())
	}
	return k, nil
}

// Run gives every row's class, [rows], and scores, [rows, classes].
func (k *linearClassifier) Run(c *op.Context) error {
	x, n, err := batch(c, k.weights.inputs)
	if err != nil {
		return err
	}
	classes := k.labels.Len()
	labels, out := c.NewOut(0, k.labels.DType(), n), c.NewOut(1, tensor.Float32, n, classes)
	dst := tensor.Data[float32](out)
	if k.pair {
		k.runPair(c, x, n, labels, dst)
		return nil
	}
	k.scores(c, x, n, dst)
	for i := range n {
		row := dst[i*classes : (i+1)*classes]
		k.labels.Put(labels, i, argmax(row))
		if classes == 1 {
			row[0] = k.transform.Single(row[0])
		} else {
			k.transform.Apply(row)
		}
	}
	return nil
}

// runPair classifies by the sign of one score. As in ONNX Runtime, the other
// class gets what its score lacks to 1.
func (k *linearClassifier) runPair(c *op.Context, x []float32, n int, labels *tensor.Tensor, dst []float32) {
	raw := op.Scratch[float32](c, 2, n)
	k.scores(c, x, n, raw)
	for i, s := range raw {
		class := 0
		if s > 0 {
			class = 1
		}
		k.labels.Put(labels, i, class)
		score.Pair(k.transform, dst[2*i:2*i+2], s, true)
	}
}

// argmax is the first position of the largest value.
func argmax[T float32 | int](row []T) int {
	best := 0
	for i, v := range row {
		if v > row[best] {
			best = i
		}
	}
	return best
}

type linearRegressor struct {
	linear
}

func buildLinearRegressor(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	targets := a.Int("targets", 1)
	l, err := readLinear(n, a, targets)
	if err != nil {
		return nil, err
	}
	if l.bias = a.Floats("intercepts"); len(l.bias) == 0 {
		l.bias = nil
	} else if len(l.bias) != targets {
		return nil, op.Errorf("%d intercepts for %d targets", len(l.bias), targets)
	}
	return &linearRegressor{l}, nil
}

// Run computes the predictions, [rows, targets].
func (k *linearRegressor) Run(c *op.Context) error {
	x, n, err := batch(c, k.weights.inputs)
	if err != nil {
		return err
	}
	targets := k.weights.outputs
	dst := tensor.Data[float32](c.NewOut(0, tensor.Float32, n, targets))
	k.scores(c, x, n, dst)
	transformRows(k.transform, dst, targets)
	return nil
}

// transformRows applies a transform to rows of predictions.
func transformRows(t score.Transform, dst []float32, targets int) {
	if t == score.None {
		return
	}
	for ; len(dst) > 0; dst = dst[targets:] {
		if targets == 1 {
			dst[0] = t.Single(dst[0])
		} else {
			t.Apply(dst[:targets])
		}
	}
}

func inferLinearClassifier(n *op.Node) error {
	labels, err := score.ReadLabels(n.ReadAttrs(), "classlabels_ints", "classlabels_strings")
	if err != nil {
		return err
	}
	score.SetOut(n, 0, labels.DType(), 0)
	score.SetOut(n, 1, tensor.Float32, labels.Len())
	return nil
}

func inferLinearRegressor(n *op.Node) error {
	score.SetOut(n, 0, tensor.Float32, n.ReadAttrs().Int("targets", 1))
	return nil
}

// scaled is the prefix of the internal operators with a Scaler folded in.
const scaled = "Scaled"

// FoldScaler makes one node of a Scaler (or DividingScaler) and the LinearClassifier or
// LinearRegressor that alone reads it; false when the nodes are not such a
// pair. The new node takes the Scaler's input and gives the linear model's
// outputs, bit for bit the same: it scales a row on its way into the product.
// (Weights with the scale multiplied in would not do: for features whose mean
// is large beside their spread, the rounding of the products drowns the
// result.)
func FoldScaler(scaler, model *onnx.Node) (*onnx.Node, bool) {
	isScaler := scaler.Domain == op.ML && scaler.Op == "Scaler" || scaler.Domain == op.Internal && scaler.Op == DividingScaler
	if !isScaler || model.Domain != op.ML || model.Op != "LinearClassifier" && model.Op != "LinearRegressor" {
		return nil, false
	}
	if len(scaler.Inputs) != 1 || len(scaler.Outputs) != 1 || len(model.Inputs) != 1 || model.Inputs[0] != scaler.Outputs[0] {
		return nil, false
	}
	folded := *model
	folded.Domain, folded.Op = op.Internal, scaled+model.Op
	folded.Inputs = scaler.Inputs
	folded.Attrs = append(folded.Attrs[:len(folded.Attrs):len(folded.Attrs)], scaler.Attrs...)
	return &folded, true
}
