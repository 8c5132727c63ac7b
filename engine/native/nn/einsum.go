package nn

import (
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// Einsum is worked out two operands at a time. What two operands share and
// nobody needs afterwards is summed by a matrix product; everything else is
// bookkeeping with strides.

func einsumOps() []op.Def {
	return []op.Def{{Name: "Einsum", Since: 12, Types: []op.TypeSet{op.Numbers}, Infer: inferEinsum, Build: buildEinsum}}
}

// label names an axis: a letter's byte, or ellipsis + n for the n-th axis from
// the end that "..." stands for.
type label uint8

const (
	ellipsis    label = 128
	ellipsisMax int   = 32 // axes that "..." may stand for
)

// einsum is an equation: the labels of each operand and of the output, in
// which ellipsis stands for all of its axes.
type einsum struct {
	equation string
	terms    [][]label
	output   []label
}

func buildEinsum(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	equation := a.String("equation", "")
	if err := a.Err(); err != nil {
		return nil, err
	}
	k, err := parseEinsum(equation)
	if err != nil {
		return nil, err
	}
	if len(k.terms) != len(n.In) {
		return nil, op.Errorf("equation %q has %d terms for %d inputs", equation, len(k.terms), len(n.In))
	}
	return k, nil
}

// inferEinsum knows the rank where there is no ellipsis.
func inferEinsum(n *op.Node) error {
	out := tensor.Type{Kind: tensor.KindTensor, Elem: n.Elem(0)}
	k, err := parseEinsum(n.ReadAttrs().String("equation", ""))
	if err == nil && !slices.Contains(k.output, ellipsis) {
		out.Ranked, out.Dims = true, slices.Repeat([]tensor.Dim{{Size: -1}}, len(k.output))
	}
	n.SetOut(0, out)
	return nil
}

// axesOf are the labels of a term once the number of its axes is known.
func axesOf(term []label, rank int) ([]label, bool) {
	at := slices.Index(term, ellipsis)
	if at < 0 {
		return term, len(term) == rank
	}
	hidden := rank - (len(term) - 1)
	if hidden < 0 || hidden > ellipsisMax {
		return nil, false
	}
	axes := slices.Clone(term[:at])
	for i := hidden - 1; i >= 0; i-- {
		axes = append(axes, ellipsis+label(i))
	}
	return append(axes, term[at+1:]...), true
}

// einsumPlan is an equation applied to operands of given shapes.
type einsumPlan struct {
	shapes   [][]int // those that it was made for
	size     [256]int
	operands []axesView
	output   []label
	shape    []int
}

// axesView is how a row-major tensor is read: one entry for each distinct
// label, with the sum of its strides.
type axesView struct {
	labels  []label
	strides []int
}

// prepare works the labels out, unless the shapes are those of the last run.
func (pl *einsumPlan) prepare(k *einsum, c *op.Context) error {
	if pl.fits(c) {
		return nil
	}
	*pl = einsumPlan{}
	widest := 0
	var seen [256]bool
	var shapes [][]int
	for i, term := range k.terms {
		shape := slices.Clone(c.T(i).Shape())
		axes, ok := axesOf(term, len(shape))
		if !ok {
			return op.Errorf("input %d has shape %v, which does not fit its term in equation %q", i, shape, k.equation)
		}
		if c.T(i).DType() != c.T(0).DType() {
			return op.Errorf("inputs 0 and %d are %v and %v, want one type", i, c.T(0).DType(), c.T(i).DType())
		}
		if slices.Contains(term, ellipsis) {
			widest = max(widest, len(axes)-len(term)+1)
		}
		for j, l := range axes {
			switch s := pl.size[l]; {
			case !seen[l] || s == 1:
				pl.size[l], seen[l] = shape[j], true
			case shape[j] != 1 && shape[j] != s:
				return op.Errorf("input %d has shape %v: axis %d is %d in another place of equation %q", i, shape, j, s, k.equation)
			}
		}
		shapes = append(shapes, shape)
		pl.operands = append(pl.operands, viewAxes(axes, shape))
	}
	return pl.finish(k, shapes, widest)
}

func (pl *einsumPlan) fits(c *op.Context) bool {
	if len(pl.shapes) != len(c.In) {
		return false
	}
	for i, s := range pl.shapes {
		if !slices.Equal(s, c.T(i).Shape()) {
			return false
		}
	}
	return true
}

func viewAxes(axes []label, shape []int) axesView {
	var v axesView
	for i, stride := range op.Strides(nil, shape) {
		if shape[i] == 1 {
			stride = 0
		}
		if at := slices.Index(v.labels, axes[i]); at >= 0 {
			v.strides[at] += stride
			continue
		}
		v.labels, v.strides = append(v.labels, axes[i]), append(v.strides, stride)
	}
	return v
}

func (pl *einsumPlan) finish(k *einsum, shapes [][]int, widest int) error {
	for _, l := range k.output {
		if l != ellipsis {
			pl.output = append(pl.output, l)
			continue
		}
		for i := widest - 1; i >= 0; i-- {
			pl.output = append(pl.output, ellipsis+label(i))
		}
	}
	for _, l := range pl.output {
		pl.shape = append(pl.shape, pl.size[l])
	}
	pl.shapes = shapes
	return nil
}

// elements is how many elements a tensor with these axes has.
func (pl *einsumPlan) elements(labels []label) int {
	n := 1
	for _, l := range labels {
		n *= pl.size[l]
	}
	return n
}

// Run evaluates the equation.
func (k *einsum) Run(c *op.Context) error {
	pl := op.State[einsumState](c)
	for i := range k.terms {
		if c.T(i) == nil {
			return op.Errorf("input %d is missing", i)
		}
	}
	if err := pl.prepare(k, c); err != nil {
		return err
	}
	out := c.NewOut(0, c.T(0).DType(), pl.shape...)
	switch out.DType() {
	case tensor.Float32:
		return runEinsumIn[float32](pl, c, out)
	case tensor.Float64:
		return runEinsumIn[float64](pl, c, out)
	case tensor.Int64:
		return runEinsumIn[int64](pl, c, out)
	case tensor.Int32:
		return runEinsumIn[int32](pl, c, out)
	case tensor.Int16:
		return runEinsumNarrow[int16](pl, c, out)
	case tensor.Int8:
		return runEinsumNarrow[int8](pl, c, out)
	case tensor.Uint64:
		return runEinsumIn[uint64](pl, c, out)
	case tensor.Uint32:
		return runEinsumIn[uint32](pl, c, out)
	case tensor.Uint16:
		return runEinsumNarrow[uint16](pl, c, out)
	case tensor.Uint8:
		return runEinsumNarrow[uint8](pl, c, out)
	}
	return runEinsumSmall(pl, c, out)
}
