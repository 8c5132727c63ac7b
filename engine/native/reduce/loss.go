package reduce

import (
	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// loss is NegativeLogLikelihoodLoss, or SoftmaxCrossEntropyLoss when it takes
// the logarithm of the softmax first. Input 0 is [N, C, d...], the labels of
// input 1 [N, d...], the optional class weights of input 2 [C].
type loss struct {
	softmax   bool
	logProb   bool // output 1 is wanted
	reduction string
	ignore    int
	hasIgnore bool
}

func buildLoss(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	k := &loss{
		softmax:   n.Op == "SoftmaxCrossEntropyLoss",
		logProb:   n.Wants(1),
		reduction: a.String("reduction", "mean"),
		ignore:    a.Int("ignore_index", 0),
		hasIgnore: a.Has("ignore_index"),
	}
	switch k.reduction {
	case "none", "mean", "sum":
		return k, a.Err()
	}
	return nil, op.Errorf(`reduction %q: want "none", "mean" or "sum"`, k.reduction)
}

func inferLoss(n *op.Node) error {
	n.SetOut(0, tensor.Type{Kind: tensor.KindTensor, Elem: n.Elem(0)})
	n.SetOut(1, n.Arg(0).Type)
	return nil
}

type lossState struct{ labels []int }

// Run computes the loss.
func (k *loss) Run(c *op.Context) error {
	x, labels, weights := c.T(0), c.T(1), c.T(2)
	if err := checkLoss(x, labels, weights); err != nil {
		return err
	}
	s := op.State[lossState](c)
	s.labels = op.AppendInts(s.labels[:0], labels)
	for _, v := range s.labels {
		if (v < 0 || v >= x.Dim(1)) && !k.ignores(v) {
			return op.Errorf("label %d is not one of %d classes", v, x.Dim(1))
		}
	}
	if x.DType() == tensor.Float64 {
		computeLoss(k, c, tensor.Data[float64](x), s.labels)
	} else {
		computeLoss(k, c, op.Float32s(c, 0, x), s.labels)
	}
	return nil
}

func checkLoss(x, labels, weights *tensor.Tensor) error {
	if x.Rank() < 2 {
		return op.Errorf("scores must be [N, C, ...], got %v", x)
	}
	fits := labels.Rank() == x.Rank()-1 && labels.Dim(0) == x.Dim(0)
	for i := 1; fits && i < labels.Rank(); i++ {
		fits = labels.Dim(i) == x.Dim(i+1)
	}
	if !fits {
		return op.Errorf("labels %v do not fit scores %v", labels, x)
	}
	if weights != nil && weights.Len() != x.Dim(1) {
		return op.Errorf("%d class weights for %d classes", weights.Len(), x.Dim(1))
	}
	return nil
}

func (k *loss) ignores(label int) bool { return k.hasIgnore && label == k.ignore }

func computeLoss[T float](k *loss, c *op.Context, x []T, labels []int) {
	shape := c.T(0).Shape()
	batch, classes, inner := along(shape, 1)
	if k.softmax {
		x = logProbabilities(k, c, x, batch, classes, inner)
	}
	weights := numeric.Read[T](c, 5, c.T(2))
	each := op.Scratch[float64](c, 6, len(labels))
	var total, weight float64
	for i, label := range labels {
		each[i] = 0
		if k.ignores(label) {
			continue
		}
		w := 1.0
		if weights != nil {
			w = float64(weights[label])
		}
		each[i] = -w * float64(x[(i/inner*classes+label)*inner+i%inner])
		total += each[i]
		weight += w
	}
	k.write(c, each, total, weight)
}

// logProbabilities gives the logarithm of the softmax over the classes, and
// puts it out when it is wanted.
func logProbabilities[T float](k *loss, c *op.Context, x []T, batch, classes, inner int) []T {
	dst := op.Scratch[T](c, 1, len(x)) // 2 and 3 are the softmax's own
	softmaxBlocks(logged, c, dst, x, batch, classes, inner)
	if k.logProb {
		numeric.Write(c, 4, c.OutLike(1, c.T(0).DType(), c.T(0)), dst)
	}
	return dst
}

func (k *loss) write(c *op.Context, each []float64, total, weight float64) {
	d := c.T(0).DType()
	switch k.reduction {
	case "none":
		numeric.Write(c, 7, c.OutLike(0, d, c.T(1)), each)
		return
	case "mean":
		total /= weight
	}
	result := [1]float64{total}
	numeric.Write(c, 7, c.NewOut(0, d), result[:])
}
