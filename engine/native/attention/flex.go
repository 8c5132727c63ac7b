package attention

import (
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// flex is FlexAttention: attention whose scores and probabilities are changed
// by subgraphs.
type flex struct {
	scale     float64
	precision tensor.DType // what the subgraphs work in; Undefined follows the input
	score     op.Program   // may be nil
	prob      op.Program   // may be nil
}

func buildFlex(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	k := &flex{scale: float64(a.Float("scale", 0)), precision: tensor.DType(a.Int("softmax_precision", 0))}
	if err := a.Err(); err != nil {
		return nil, err
	}
	if k.precision != tensor.Undefined && !op.Floats.Has(k.precision) {
		return nil, op.Errorf("attribute softmax_precision is %d, want 1, 10, 11 or 16", k.precision)
	}
	var err error
	if k.score, err = modifier(n, a, "score_mod"); err != nil {
		return nil, err
	}
	k.prob, err = modifier(n, a, "prob_mod")
	return k, err
}

// modifier compiles a subgraph of one input and one output.
func modifier(n *op.Node, a *op.Attrs, name string) (op.Program, error) {
	g := a.Graph(name)
	if g == nil {
		return nil, a.Err()
	}
	if len(g.Inputs) != 1 || len(g.Outputs) != 1 {
		return nil, op.Errorf("attribute %s has %d inputs and %d outputs, want one of each", name, len(g.Inputs), len(g.Outputs))
	}
	return n.Compile(g)
}

// Run attends.
func (k *flex) Run(c *op.Context) error {
	e, err := (&attention{}).extent(c)
	if err != nil {
		return err
	}
	if e.packed {
		return op.Errorf("queries are %v, want four dimensions", c.T(0))
	}
	precision := k.precision
	if precision == tensor.Undefined {
		precision = tensor.Float32
		if c.T(0).DType() == tensor.Float64 {
			precision = tensor.Float64
		}
	}
	if precision == tensor.Float64 || c.T(0).DType() == tensor.Float64 {
		return flexAttend[float64](k, c, &e, precision)
	}
	return flexAttend[float32](k, c, &e, precision)
}

// flexState is what a node keeps between runs.
type flexState struct {
	ws     gemm.Workspace
	scores tensor.Tensor
	out    [2]tensor.Value // results of the subgraphs
}

func flexAttend[T float](k *flex, c *op.Context, e *extent, precision tensor.DType) error {
	st := op.State[flexState](c)
	shape := []int{e.batch, e.queryHeads, e.queries, e.keys}
	if n, err := tensor.Elements(shape); err != nil || (c.MaxBytes > 0 && n > c.MaxBytes/8) {
		return op.Errorf("the scores would have shape %v, which is larger than the limit", shape)
	}
	y := c.NewOut(0, c.T(2).DType(), e.batch, e.queryHeads, e.queries, e.valueSize)
	if y.Len() == 0 {
		return nil
	}
	query := viewHeads(read[T](c, 0, c.T(0)), false, e.queryHeads, e.queries, e.size)
	key := viewHeads(read[T](c, 1, c.T(1)), false, e.keyHeads, e.keys, e.size)
	value := viewHeads(read[T](c, 2, c.T(2)), false, e.keyHeads, e.keys, e.valueSize)
	st.scores.Reset(precision, shape...)
	scores := output[T](c, 3, &st.scores)
	each := func(visit func(b, h, shared int, part []T)) {
		for b := range e.batch {
			for h := range e.queryHeads {
				visit(b, h, h/(e.queryHeads/e.keyHeads), scores[(b*e.queryHeads+h)*e.queries*e.keys:][:e.queries*e.keys])
			}
		}
	}
	each(func(b, h, shared int, part []T) {
		product(&st.ws, e.queries, e.keys, e.size, query.matrix(b, h, 0), query.ld,
			key.matrix(b, shared, 0), key.ld, true, part, e.keys, factor(k.scale, e.size))
	})
	if err := modify(c, k.score, st, 0, scores); err != nil {
		return err
	}
	for i := 0; i < len(scores); i += e.keys {
		softmax(scores[i:][:e.keys])
	}
	if err := modify(c, k.prob, st, 1, scores); err != nil {
		return err
	}
	dst := output[T](c, 4, y)
	out := viewHeads(dst, false, e.queryHeads, e.queries, e.valueSize)
	each(func(b, h, shared int, part []T) {
		product(&st.ws, e.queries, e.valueSize, e.keys, part, e.keys,
			value.matrix(b, shared, 0), value.ld, false, out.matrix(b, h, 0), out.ld, 1)
	})
	write(y, dst)
	return nil
}

// modify replaces the scores by what a subgraph makes of them.
func modify[T float](c *op.Context, p op.Program, st *flexState, i int, scores []T) error {
	if p == nil {
		return nil
	}
	write(&st.scores, scores)
	if err := p.Run(c, []tensor.Value{&st.scores}, st.out[i:i+1]); err != nil {
		return err
	}
	got, ok := st.out[i].(*tensor.Tensor)
	if !ok || got.DType() != st.scores.DType() || !slices.Equal(got.Shape(), st.scores.Shape()) {
		return op.Errorf("the subgraph gave %v, want %v", st.out[i].Type(), &st.scores)
	}
	copy(scores, read[T](c, 5+i, got))
	return nil
}
