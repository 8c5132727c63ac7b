package tree

import (
	"github.com/greenlight-dev/greenlight/engine/native/ml/score"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// classifier is TreeEnsembleClassifier.
type classifier struct {
	model
	labels    score.Labels
	classes   int
	base      []float64
	transform score.Transform
	// lone says that of two classes only one is voted for, so the other's
	// score follows from it; votes, that no weight is negative.
	lone, votes bool
}

func buildClassifier(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	labels, err := score.ReadLabels(a, "classlabels_int64s", "classlabels_strings")
	if err != nil {
		return nil, err
	}
	k := &classifier{labels: labels, classes: labels.Len()}
	if k.transform, err = score.Parse(a.String("post_transform", "NONE")); err != nil {
		return nil, err
	}
	e, err := readParallel(a, "class", k.classes)
	if err != nil {
		return nil, err
	}
	if err := checkBase(e); err != nil {
		return nil, err
	}
	k.base = e.base
	k.survey(e)
	k.model, err = newModel(n, e)
	return k, err
}

// survey sets lone and votes.
func (k *classifier) survey(e *ensemble) {
	k.votes, k.lone = true, k.classes == 2
	only := int32(-1)
	for i := range e.nodes {
		for _, v := range e.nodes[i].votes {
			k.votes = k.votes && v.weight >= 0
			k.lone = k.lone && (only < 0 || v.target == only)
			only = v.target
		}
	}
}

// Run gives every row's class, [rows], and scores, [rows, classes].
func (k *classifier) Run(c *op.Context) error {
	x := c.T(0)
	n, columns, err := score.Rows(x)
	if err != nil {
		return err
	}
	s := op.State[state](c)
	if k.useDouble(x) {
		return classify(k, c, k.double, &s.double, doubles(c, x), n, columns)
	}
	return classify(k, c, k.single, &s.single, singles(c, x), n, columns)
}

func classify[A real](k *classifier, c *op.Context, f *forest[A], w *walker[A], x []A, n, columns int) error {
	if err := f.checkColumns(columns); err != nil {
		return err
	}
	w.grow(f, n)
	labels, out := c.NewOut(0, k.labels.DType(), n), c.NewOut(1, tensor.Float32, n, k.classes)
	scores := tensor.Data[float32](out)
	for first, step := 0, f.rowsAtOnce(); first < n; first += step {
		size := min(step, n-first)
		t := f.block(w, x[first*columns:], size, columns)
		for i := range size {
			row := first + i
			class := decide(k, t.row(i, k.classes), scores[row*k.classes:(row+1)*k.classes])
			k.labels.Put(labels, row, class)
		}
	}
	return nil
}

// decide writes a row's scores and gives its class. Where the specification
// is silent (two classes with votes for one only, few base values) it follows
// ONNX Runtime.
func decide[A real](k *classifier, t tally[A], dst []float32) int {
	if k.classes == 2 && !t.has[1] && len(k.base) < 2 || k.lone && len(k.base) < 2 {
		return decidePair(k, t, dst)
	}
	addClassBase(k, t)
	class := -1
	for i, v := range t.score {
		if t.has[i] && (class < 0 || v > t.score[class]) {
			class = i
		}
	}
	for i, v := range t.score {
		dst[i] = float32(v)
	}
	if k.classes == 1 {
		dst[0] = k.transform.Single(dst[0])
	} else {
		k.transform.Apply(dst)
	}
	return max(class, 0)
}

func addClassBase[A real](k *classifier, t tally[A]) {
	for i := range k.base {
		t.score[i] += A(k.base[i])
		t.has[i] = true
	}
}

// decidePair is decide for two classes of which only one gets votes: usually
// the first, whose score then means the second. Votes for the second leave the
// first at 0.
func decidePair[A real](k *classifier, t tally[A], dst []float32) int {
	s := t.score[0]
	if t.has[1] {
		s = t.score[1]
	}
	if len(k.base) == 1 {
		s += A(k.base[0])
	}
	if t.has[1] {
		dst[0], dst[1] = 0, float32(s)
		k.transform.Apply(dst)
	} else {
		score.Pair(k.transform, dst, s, k.votes)
	}
	threshold := A(0)
	if k.votes {
		threshold = 0.5
	}
	if s > threshold {
		return 1
	}
	return 0
}
