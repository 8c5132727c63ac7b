package attention

import (
	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// linear is LinearAttention: attention without a softmax, whose state is one
// matrix for each head, updated token by token.
type linear struct {
	queryHeads, keyHeads int
	scale                float64
	gated, delta         bool
}

// The inputs of LinearAttention.
const (
	linQuery = iota
	linKey
	linValue
	linPast
	linDecay
	linBeta
)

func buildLinear(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	k := &linear{queryHeads: a.Int("q_num_heads", 0), keyHeads: a.Int("kv_num_heads", 0), scale: float64(a.Float("scale", 0))}
	rule := a.String("update_rule", "gated_delta")
	if err := a.Err(); err != nil {
		return nil, err
	}
	switch rule {
	case "linear":
	case "gated":
		k.gated = true
	case "delta":
		k.delta = true
	case "gated_delta":
		k.gated, k.delta = true, true
	default:
		return nil, op.Errorf("attribute update_rule is %q, want linear, gated, delta or gated_delta", rule)
	}
	if k.keyHeads < 1 || k.queryHeads < 1 || k.queryHeads%k.keyHeads != 0 {
		return nil, op.Errorf("attributes q_num_heads and kv_num_heads are %d and %d, want a multiple", k.queryHeads, k.keyHeads)
	}
	if n.Has(linDecay) != k.gated || n.Has(linBeta) != k.delta {
		return nil, op.Errorf("update_rule %q: input decay must be given for the gated rules only, beta for the delta rules only", rule)
	}
	return k, nil
}

func inferLinear(n *op.Node) error {
	n.SetOut(0, tensor.Type{Kind: tensor.KindTensor, Elem: n.Elem(linQuery)})
	state := n.Elem(linQuery)
	if n.Has(linPast) {
		state = n.Elem(linPast)
	}
	n.SetOut(1, tensor.Type{Kind: tensor.KindTensor, Elem: state})
	return nil
}

// linearCall is one run of LinearAttention.
type linearCall struct {
	*linear
	batch, steps, size, valueSize int
	query, key, value             []float32
	kept, beta                    []float32 // kept is e to the decay
	decayWidth, betaWidth         int       // elements a head, or a token
	state, out                    []float32
	update                        []float32 // one row of values
	factor                        float32
}

// Run updates the states and reads them.
func (k *linear) Run(c *op.Context) error {
	a, err := k.call(c)
	if err != nil {
		return err
	}
	y := c.NewOut(0, c.T(linQuery).DType(), a.batch, a.steps, k.queryHeads*a.valueSize)
	stateType := c.T(linQuery).DType()
	past := c.T(linPast)
	if past != nil {
		stateType = past.DType()
	}
	present := c.NewOut(1, stateType, a.batch, k.keyHeads, a.size, a.valueSize)
	if y.Len()+present.Len() == 0 {
		return nil
	}
	a.out, a.state = output[float32](c, 6, y), output[float32](c, 7, present)
	clear(a.state)
	if past != nil {
		copy(a.state, op.Float32s(c, linPast, past))
	}
	a.update = op.Scratch[float32](c, 8, a.valueSize)
	for b := range a.batch {
		for t := range a.steps {
			for h := range k.keyHeads {
				a.token(b, t, h)
			}
		}
	}
	write(y, a.out)
	write(present, a.state)
	return nil
}

// call checks the inputs.
func (k *linear) call(c *op.Context) (*linearCall, error) {
	q, key, value := c.T(linQuery), c.T(linKey), c.T(linValue)
	for _, t := range []*tensor.Tensor{q, key, value} {
		if t.Rank() != 3 || t.Dim(0) != q.Dim(0) || t.Dim(1) != q.Dim(1) {
			return nil, op.Errorf("queries are %v, keys %v and values %v, want [batch, length, …] for all", q, key, value)
		}
	}
	a := op.State[linearCall](c)
	*a = linearCall{linear: k, batch: q.Dim(0), steps: q.Dim(1), size: q.Dim(2) / k.queryHeads, valueSize: value.Dim(2) / k.keyHeads}
	if a.size*k.queryHeads != q.Dim(2) || a.size*k.keyHeads != key.Dim(2) || a.valueSize*k.keyHeads != value.Dim(2) {
		return nil, op.Errorf("queries are %v, keys %v and values %v, which cannot be split into %d query heads and %d key heads",
			q, key, value, k.queryHeads, k.keyHeads)
	}
	if past := c.T(linPast); past != nil && (past.Rank() != 4 || past.Dim(0) != a.batch || past.Dim(1) != k.keyHeads ||
		past.Dim(2) != a.size || past.Dim(3) != a.valueSize) {
		return nil, op.Errorf("past_state is %v, want [%d,%d,%d,%d]", past, a.batch, k.keyHeads, a.size, a.valueSize)
	}
	a.factor = float32(factor(k.scale, a.size))
	a.query, a.key, a.value = op.Float32s(c, 0, q), op.Float32s(c, 1, key), op.Float32s(c, 2, value)
	decay, width, err := a.gate(c, linDecay, k.keyHeads, k.keyHeads*a.size)
	if err != nil {
		return nil, err
	}
	a.kept, a.decayWidth = op.Scratch[float32](c, 9, len(decay)), width
	gemm.ExpInto(a.kept, decay)
	a.beta, a.betaWidth, err = a.gate(c, linBeta, k.keyHeads, 1)
	return a, err
}

// gate reads decay or beta, whose last dimension is one of two widths.
func (a *linearCall) gate(c *op.Context, i, one, other int) ([]float32, int, error) {
	t := c.T(i)
	if t == nil {
		return nil, 0, nil
	}
	if t.Rank() != 3 || t.Dim(0) != a.batch || t.Dim(1) != a.steps || (t.Dim(2) != one && t.Dim(2) != other) {
		return nil, 0, op.Errorf("input %d is %v, want [%d,%d,%d] or [%d,%d,%d]", i, t, a.batch, a.steps, one, a.batch, a.steps, other)
	}
	return op.Float32s(c, i, t), t.Dim(2), nil
}

// token takes key head h of one token in, and answers its query heads.
func (a *linearCall) token(b, t, h int) {
	at := b*a.steps + t
	key := a.key[(at*a.keyHeads+h)*a.size:][:a.size]
	state := a.state[(b*a.keyHeads+h)*a.size*a.valueSize:][:a.size*a.valueSize]
	copy(a.update, a.value[(at*a.keyHeads+h)*a.valueSize:])
	if a.gated {
		a.forget(state, at, h)
	}
	if a.delta {
		for d, v := range key {
			gemm.Axpy(a.update, -v, a.row(state, d))
		}
		beta := a.beta[at*a.betaWidth+h%a.betaWidth]
		for i := range a.update {
			a.update[i] *= beta
		}
	}
	for d, v := range key {
		gemm.Axpy(a.row(state, d), v, a.update)
	}
	group := a.queryHeads / a.keyHeads
	for g := h * group; g < (h+1)*group; g++ {
		out := a.out[(at*a.queryHeads+g)*a.valueSize:][:a.valueSize]
		clear(out)
		for d, v := range a.query[(at*a.queryHeads+g)*a.size:][:a.size] {
			gemm.Axpy(out, v*a.factor, a.row(state, d))
		}
	}
}

func (a *linearCall) row(state []float32, d int) []float32 {
	return state[d*a.valueSize:][:a.valueSize]
}

// forget scales the state by e to the decay, which is one number for the head
// or one for each row.
func (a *linearCall) forget(state []float32, at, h int) {
	perHead := a.decayWidth / a.keyHeads
	kept := a.kept[at*a.decayWidth+h*perHead:][:perHead]
	for d := range a.size {
		row, v := a.row(state, d), kept[d%perHead]
		for i := range row {
			row[i] *= v
		}
	}
}
