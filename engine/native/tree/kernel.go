package tree

import (
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/ml/score"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// model is an ensemble packed for the precisions that its inputs may need.
// ONNX Runtime's rule: float64 inputs are compared and summed in float64, all
// others in float32 unless the model's own numbers are doubles.
type model struct {
	single *forest[float32]
	double *forest[float64]
}

func newModel(n *op.Node, e *ensemble) (m model, err error) {
	elem := n.Elem(0)
	if e.double || elem == tensor.Float64 || elem == tensor.Undefined {
		if m.double, err = pack[float64](e); err != nil {
			return m, err
		}
	}
	if !e.double && elem != tensor.Float64 {
		m.single, err = pack[float32](e)
	}
	return m, err
}

// useDouble says which forest serves a tensor.
func (m *model) useDouble(x *tensor.Tensor) bool {
	return m.single == nil || m.double != nil && x.DType() == tensor.Float64
}

// state is kept by each context: the walkers' memory.
type state struct {
	single walker[float32]
	double walker[float64]
	row    []float32 // scores of one row on their way out
}

// singles and doubles read the input in the precision of the walks.
func singles(c *op.Context, x *tensor.Tensor) []float32 { return op.Float32s(c, 0, x) }

func doubles(c *op.Context, x *tensor.Tensor) []float64 {
	switch x.DType() {
	case tensor.Float64:
		return tensor.Data[float64](x)
	case tensor.Int64:
		return converted(c, tensor.Data[int64](x))
	case tensor.Int32:
		return converted(c, tensor.Data[int32](x))
	}
	return converted(c, op.Float32s(c, 1, x))
}

func converted[S float32 | int32 | int64](c *op.Context, src []S) []float64 {
	dst := op.Scratch[float64](c, 0, len(src))
	for i, v := range src {
		dst[i] = float64(v)
	}
	return dst
}

// checkColumns refuses rows that are too short for the trees.
func (f *forest[A]) checkColumns(columns int) error {
	if columns < f.columns {
		return op.Errorf("rows have %d features, and the trees look at feature %d", columns, f.columns-1)
	}
	return nil
}

// checkBase wants no base values, one, or one for each target.
func checkBase(e *ensemble) error {
	if n := len(e.base); n > 1 && n != e.targets {
		return op.Errorf("attribute base_values has %d entries for %d targets", n, e.targets)
	}
	return nil
}

// regressor is TreeEnsembleRegressor and TreeEnsemble.
type regressor struct {
	model
	agg       aggregate
	targets   int
	base      []float64
	transform score.Transform
	// out is the output's type, Undefined for the input's.
	out tensor.DType
}

func newRegressor(n *op.Node, e *ensemble, tr score.Transform, out tensor.DType) (op.Kernel, error) {
	if err := checkBase(e); err != nil {
		return nil, err
	}
	m, err := newModel(n, e)
	if err != nil {
		return nil, err
	}
	return &regressor{model: m, agg: e.agg, targets: e.targets, base: e.base, transform: tr, out: out}, nil
}

// Run computes the scores of every row, [rows, targets].
func (k *regressor) Run(c *op.Context) error {
	x := c.T(0)
	n, columns, err := score.Rows(x)
	if err != nil {
		return err
	}
	d := k.out
	if d == tensor.Undefined {
		d = x.DType()
	}
	out, s := c.NewOut(0, d, n, k.targets), op.State[state](c)
	if k.useDouble(x) {
		return predict(k, k.double, &s.double, s, doubles(c, x), n, columns, out)
	}
	return predict(k, k.single, &s.single, s, singles(c, x), n, columns, out)
}

func predict[A real](k *regressor, f *forest[A], w *walker[A], s *state, x []A, n, columns int, out *tensor.Tensor) error {
	if err := f.checkColumns(columns); err != nil {
		return err
	}
	w.grow(f, n)
	for first, step := 0, f.rowsAtOnce(); first < n; first += step {
		size := min(step, n-first)
		t := f.block(w, x[first*columns:], size, columns)
		for i := range size {
			row := t.score[i*k.targets : (i+1)*k.targets]
			addBase(k, f, row)
		}
		writeScores(k.transform, s, out, first*k.targets, t.score, k.targets)
	}
	return nil
}

// addBase finishes the sums of a row.
func addBase[A real](k *regressor, f *forest[A], row []A) {
	if k.agg == average {
		for i := range row {
			row[i] /= A(f.trees)
		}
	}
	for i := range row {
		switch len(k.base) {
		case 0:
		case 1:
			row[i] += A(k.base[0])
		default:
			row[i] += A(k.base[i])
		}
	}
}

// writeScores transforms rows of scores and stores them at element at.
func writeScores[A real](tr score.Transform, s *state, out *tensor.Tensor, at int, scores []A, targets int) {
	if tr == score.None && out.DType() == tensor.Float64 {
		for i, v := range scores {
			tensor.Data[float64](out)[at+i] = float64(v)
		}
		return
	}
	s.row = slices.Grow(s.row[:0], targets)[:targets]
	for ; len(scores) > 0; scores = scores[targets:] {
		for i, v := range scores[:targets] {
			s.row[i] = float32(v)
		}
		if targets == 1 {
			s.row[0] = tr.Single(s.row[0])
		} else {
			tr.Apply(s.row)
		}
		store(out, at, s.row)
		at += targets
	}
}

func store(out *tensor.Tensor, at int, row []float32) {
	switch out.DType() {
	case tensor.Float32:
		copy(tensor.Data[float32](out)[at:], row)
	case tensor.Float64:
		for i, v := range row {
			tensor.Data[float64](out)[at+i] = float64(v)
		}
	case tensor.Float16:
		for i, v := range row {
			tensor.Data[tensor.Float16Bits](out)[at+i] = tensor.ToFloat16(v)
		}
	}
}
