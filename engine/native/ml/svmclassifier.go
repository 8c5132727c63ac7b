package ml

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"github.com/greenlight-dev/greenlight/engine/native/ml/score"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// svmClassifier decides between each two classes and counts votes, as libsvm
// does; without support vectors it is one linear score for each class.
type svmClassifier struct {
	kernel    *kernelFunc
	labels    score.Labels
	classes   int
	transform score.Transform

	// Of the form with support vectors, which are sorted by class: first has
	// the start of each class and the end; coefficients is [classes-1, vectors].
	pairwise     bool
	first        []int
	coefficients []float32
	rho          []float32
	probA, probB []float32 // of Platt's sigmoid for each pair; nil for raw scores
}

func buildSVMClassifier(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	labels, err := score.ReadLabels(a, "classlabels_ints", "classlabels_strings")
	if err != nil {
		return nil, err
	}
	k := &svmClassifier{
		labels: labels, classes: labels.Len(), coefficients: a.Floats("coefficients"),
		rho: a.Floats("rho"), probA: a.Floats("prob_a"), probB: a.Floats("prob_b"),
	}
	if k.transform, err = score.Parse(a.String("post_transform", "NONE")); err != nil {
		return nil, err
	}
	if per := a.Ints("vectors_per_class"); len(per) > 0 {
		return k, k.readPairwise(a, per)
	}
	return k, k.readLinear(a)
}

// pairs is the number of decisions between two classes.
func (k *svmClassifier) pairs() int { return k.classes * (k.classes - 1) / 2 }

func (k *svmClassifier) readPairwise(a *op.Attrs, per []int) (err error) {
	if k.classes < 2 || len(per) != k.classes {
		return op.Errorf("vectors_per_class has %d entries for %d classes", len(per), k.classes)
	}
	k.pairwise, k.first = true, []int{0}
	for _, n := range per {
		last := k.first[len(k.first)-1]
		if n < 0 || n > math.MaxInt32-last {
			return op.Errorf("vectors_per_class has %d", n)
		}
		k.first = append(k.first, last+n)
	}
	count := k.first[k.classes]
	if k.kernel, err = readKernel(a, count, a.Floats("support_vectors")); err != nil {
		return err
	}
	if want := (k.classes - 1) * count; len(k.coefficients) != want {
		return op.Errorf("attribute coefficients has %d values, %d classes and %d vectors need %d", len(k.coefficients), k.classes, count, want)
	}
	if len(k.rho) < k.pairs() {
		return op.Errorf("attribute rho has %d values for %d pairs of classes", len(k.rho), k.pairs())
	}
	if len(k.probA) != len(k.probB) || len(k.probA) > 0 && len(k.probA) < k.pairs() {
		return op.Errorf("attributes prob_a and prob_b have %d and %d values for %d pairs of classes", len(k.probA), len(k.probB), k.pairs())
	}
	return nil
}

func (k *svmClassifier) readLinear(a *op.Attrs) (err error) {
	if kind := a.String("kernel_type", "LINEAR"); kind != "LINEAR" {
		return op.Errorf("kernel_type %q needs support vectors", kind)
	}
	if len(k.rho) != 1 && len(k.rho) != k.classes {
		return op.Errorf("attribute rho has %d values, want 1 or one for each of %d classes", len(k.rho), k.classes)
	}
	k.kernel, err = readKernel(a, k.classes, k.coefficients)
	return err
}

// columns is the width of the scores: of each pair of more than two classes
// unless there are probabilities.
func (k *svmClassifier) columns() int {
	if k.pairwise && len(k.probA) == 0 && k.classes > 2 {
		return k.pairs()
	}
	return k.classes
}

type svmState struct {
	ws     gemm.Workspace
	scores []float32 // of each pair
	votes  []int
	couple coupling
}

// Run gives every row's class, [rows], and scores, [rows, columns].
func (k *svmClassifier) Run(c *op.Context) error {
	x, n, err := batch(c, k.kernel.features)
	if err != nil {
		return err
	}
	s, columns := op.State[svmState](c), k.columns()
	values := op.Scratch[float32](c, 1, n*k.kernel.count)
	k.kernel.eval(&s.ws, n, x, values)
	labels, out := c.NewOut(0, k.labels.DType(), n), c.NewOut(1, tensor.Float32, n, columns)
	dst := tensor.Data[float32](out)
	for i := range n {
		row := dst[i*columns : (i+1)*columns]
		v := values[i*k.kernel.count : (i+1)*k.kernel.count]
		class := 0
		if k.pairwise {
			class = k.decide(s, v, row)
		} else {
			class = k.decideLinear(v, row)
		}
		k.labels.Put(labels, i, class)
	}
	return nil
}

func (k *svmClassifier) decideLinear(v, row []float32) int {
	for j := range row {
		rho := k.rho[0]
		if len(k.rho) > 1 {
			rho = k.rho[j]
		}
		row[j] = v[j] + rho
	}
	class := argmax(row)
	if len(row) == 1 {
		row[0] = k.transform.Single(row[0])
	} else {
		k.transform.Apply(row)
	}
	return class
}

// decide turns the kernel values v of one row into its class and scores.
func (k *svmClassifier) decide(s *svmState, v, row []float32) int {
	if s.scores == nil {
		s.scores, s.votes = make([]float32, k.pairs()), make([]int, k.classes)
	}
	clear(s.votes)
	pair := 0
	for i := range k.classes {
		for j := i + 1; j < k.classes; j++ {
			sum := k.part(v, j-1, i) + k.part(v, i, j) + float64(k.rho[pair])
			s.scores[pair] = float32(sum)
			if sum > 0 {
				s.votes[i]++
			} else {
				s.votes[j]++
			}
			pair++
		}
	}
	k.scores(s, row)
	return argmax(s.votes)
}

// part sums over the vectors of a class with one row of the coefficients.
func (k *svmClassifier) part(v []float32, row, class int) float64 {
	sum, at := 0.0, row*k.kernel.count
	for m := k.first[class]; m < k.first[class+1]; m++ {
		sum += float64(k.coefficients[at+m] * v[m])
	}
	return sum
}

func (k *svmClassifier) scores(s *svmState, row []float32) {
	switch {
	case len(k.probA) > 0:
		s.couple.probabilities(row, s.scores, k.probA, k.probB)
		k.transform.Apply(row)
	case k.classes == 2:
		score.Pair(score.None, row, s.scores[0], k.transform != score.None)
	default:
		copy(row, s.scores)
		k.transform.Apply(row)
	}
}

func inferSVMClassifier(n *op.Node) error {
	labels, err := score.ReadLabels(n.ReadAttrs(), "classlabels_ints", "classlabels_strings")
	if err != nil {
		return err
	}
	score.SetOut(n, 0, labels.DType(), 0)
	score.SetOut(n, 1, tensor.Float32, -1)
	return nil
}
