package control

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// loop runs its body while a condition holds, up to a number of times. The
// body takes the round's number, the condition and the carried values; it gives
// the next condition and carried values, and values to collect.
type loop struct {
	body     op.Program
	carried  int
	hasCond  bool          // without, the body's condition is ignored
	iterRank int           // 0 or 1: how the body declares the number and the condition
	condRank int           //
	collect  []tensor.Type // declared types of the collected values
}

func inferLoop(n *op.Node) error {
	g, err := graphAttr(n, "body")
	if err != nil {
		return err
	}
	for i := range n.Out {
		if i+1 < len(g.Outputs) {
			in := tensor.Type{}
			if i+2 < len(n.In) {
				in = n.In[i+2].Type
			}
			n.SetOut(i, carried(in, g.Outputs[i+1]))
		}
	}
	return nil
}

func buildLoop(n *op.Node) (op.Kernel, error) {
	if !n.Has(0) && !n.Has(1) {
		return nil, op.Errorf("a Loop without trip count and condition never ends")
	}
	count := max(len(n.Inputs)-2, 0)
	body, err := compile(n, "body", 2+count, max(1+count, 1+len(n.Outputs)))
	if err != nil {
		return nil, err
	}
	k := &loop{body: body, carried: count, hasCond: n.Has(1)}
	k.iterRank = min(len(body.Inputs()[0].Type.Dims), 1)
	k.condRank = min(len(body.Inputs()[1].Type.Dims), 1)
	for _, o := range body.Outputs()[1+count:] {
		k.collect = append(k.collect, o.Type)
	}
	return k, nil
}

// loopState is what a loop keeps between runs.
type loopState struct {
	rounds
	iter, cond tensor.Tensor
	collected  []collector
}

func (k *loop) Run(c *op.Context) error {
	trips, cond, err := k.limits(c)
	if err != nil {
		return err
	}
	s := op.State[loopState](c)
	k.start(s, c)
	defer s.end()
	var out []tensor.Value
	for i := 0; i < trips && cond; i++ {
		k.setRound(s, i, cond)
		if out, err = s.run(c, k.body); err != nil {
			return err
		}
		copy(s.in[2:], out[1:1+k.carried])
		for j := range s.collected {
			if err := s.collected[j].add(c, out[1+k.carried+j]); err != nil {
				return err
			}
		}
		next, ok := out[0].(*tensor.Tensor)
		if !ok {
			return op.Errorf("the body's condition is %v, want one bool", out[0].Type())
		}
		if k.hasCond {
			if cond, err = truth(next); err != nil {
				return err
			}
		}
	}
	return k.finish(c, s, out)
}

// limits reads the trip count and the first condition.
func (k *loop) limits(c *op.Context) (trips int, cond bool, err error) {
	trips, cond = math.MaxInt, true
	if t := c.T(0); t != nil {
		if t.Len() != 1 || t.DType() != tensor.Int64 {
			return 0, false, op.Errorf("trip count is %v, want one int64", t)
		}
		trips = int(tensor.Data[int64](t)[0])
	}
	if k.hasCond {
		cond, err = truth(c.T(1))
	}
	return trips, cond, err
}

func (k *loop) start(s *loopState, c *op.Context) {
	s.rounds.start(2+k.carried, len(k.body.Outputs()))
	if s.collected == nil {
		s.collected = make([]collector, len(k.collect))
	}
	for i := range s.collected {
		s.collected[i].reset()
	}
	copy(s.in[2:], c.In[min(2, len(c.In)):])
	one := [1]int{1}
	s.iter.Reset(tensor.Int64, one[:k.iterRank]...)
	s.cond.Reset(tensor.Bool, one[:k.condRank]...)
	s.in[0], s.in[1] = &s.iter, &s.cond
}

func (k *loop) setRound(s *loopState, i int, cond bool) {
	tensor.Data[int64](&s.iter)[0] = int64(i)
	tensor.Data[bool](&s.cond)[0] = cond
}

// finish gives the carried values, those that went in when there was no round,
// and what was collected.
func (k *loop) finish(c *op.Context, s *loopState, last []tensor.Value) error {
	for i := range k.carried {
		switch {
		case last != nil:
			c.Set(i, last[1+i])
		case s.in[2+i] == nil:
			return op.Errorf("input %d is missing", 2+i)
		case c.Wants(i):
			pass(c, i, s.in[2+i])
		}
	}
	for j := range s.collected {
		if err := s.collected[j].give(c, k.carried+j, k.collect[j]); err != nil {
			return err
		}
	}
	return nil
}

// collector joins one tensor a round along a new first axis.
type collector struct {
	dtype   tensor.DType
	shape   []int // of one item, after the number of rounds
	raw     []byte
	strings []string
}

func (a *collector) reset() {
	a.shape, a.raw = append(a.shape[:0], 0), a.raw[:0]
	clear(a.strings)
	a.strings = a.strings[:0]
}

func (a *collector) add(c *op.Context, v tensor.Value) error {
	t, ok := v.(*tensor.Tensor)
	if !ok {
		return op.Errorf("a collected output is %v, want a tensor", v.Type())
	}
	if a.shape[0] == 0 {
		a.dtype, a.shape = t.DType(), append(a.shape, t.Shape()...)
	} else if !a.like(t) {
		return op.Errorf("a collected output changes to %v", t)
	}
	size := len(a.raw) + len(t.Bytes()) + 16*(len(a.strings)+len(t.Strings()))
	if c.MaxBytes > 0 && size > c.MaxBytes {
		return op.Errorf("collected outputs would be larger than the limit of %d bytes", c.MaxBytes)
	}
	a.shape[0]++
	a.raw = append(a.raw, t.Bytes()...)
	a.strings = append(a.strings, t.Strings()...)
	return nil
}

func (a *collector) like(t *tensor.Tensor) bool {
	same := t.DType() == a.dtype && t.Rank() == len(a.shape)-1
	for i := 0; same && i < t.Rank(); i++ {
		same = t.Dim(i) == a.shape[i+1]
	}
	return same
}

// give makes all rounds output i; the declared type serves when there were
// none.
func (a *collector) give(c *op.Context, i int, declared tensor.Type) error {
	if !c.Wants(i) {
		return nil
	}
	if a.shape[0] == 0 {
		a.dtype = declared.Elem
		for _, d := range declared.Dims {
			a.shape = append(a.shape, max(d.Size, 0))
		}
		if a.dtype == tensor.Undefined {
			return op.Errorf("output %d has no rounds, and the body does not declare its type", i)
		}
	}
	out := c.NewOut(i, a.dtype, a.shape...)
	copy(out.Bytes(), a.raw)
	copy(out.Strings(), a.strings)
	return nil
}
