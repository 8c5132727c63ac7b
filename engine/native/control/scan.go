package control

import (
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/arrange/strided"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// scan runs its body along an axis of some inputs, carrying states, and joins
// what the body gives along an axis of the outputs.
type scan struct {
	body    op.Program
	states  int
	scanned int
	// batched is the operator of opset 8: sequence lengths come first, axis 0
	// of everything is a batch of independent sequences, axis 1 is scanned.
	batched bool
	in, out []track
}

// track is how one input or output is scanned.
type track struct {
	axis    int
	reverse bool
}

func inferScan(n *op.Node) error {
	g, err := graphAttr(n, "body")
	if err != nil {
		return err
	}
	for i := range min(len(n.Out), len(g.Outputs)) {
		n.SetOut(i, loose(g.Outputs[i].Type))
	}
	return nil
}

func buildScan(n *op.Node) (op.Kernel, error) {
	at := n.ReadAttrs()
	k := &scan{scanned: at.Int("num_scan_inputs", 0), batched: n.Opset == 8}
	if at.Err() != nil {
		return nil, at.Err()
	}
	k.states = len(n.Inputs) - k.first() - k.scanned
	if k.scanned < 1 || k.states < 0 {
		return nil, op.Errorf("Scan with %d inputs cannot scan %d of them", len(n.Inputs), k.scanned)
	}
	var err error
	if k.body, err = compile(n, "body", k.states+k.scanned, max(k.states, len(n.Outputs))); err != nil {
		return nil, err
	}
	directions := "scan_input_directions"
	if k.batched {
		directions = "directions"
	}
	if k.in, err = tracks(k.scanned, at.Ints("scan_input_axes"), at.Ints(directions)); err != nil {
		return nil, err
	}
	collected := len(k.body.Outputs()) - k.states
	k.out, err = tracks(collected, at.Ints("scan_output_axes"), at.Ints("scan_output_directions"))
	if err != nil {
		return nil, err
	}
	return k, at.Err()
}

// tracks pairs the attributes of n inputs or outputs; omitted ones are 0.
func tracks(n int, axes, directions []int) ([]track, error) {
	if len(axes) > n || len(directions) > n {
		return nil, op.Errorf("Scan has %d axes and %d directions for %d values", len(axes), len(directions), n)
	}
	t := make([]track, n)
	for i, a := range axes {
		t[i].axis = a
	}
	for i, d := range directions {
		t[i].reverse = d != 0
	}
	return t, nil
}

// first is the first input that is a state or scanned.
func (k *scan) first() int {
	if k.batched {
		return 1
	}
	return 0
}

// scanState is what a scan keeps between runs.
type scanState struct {
	rounds
	items  []tensor.Tensor // what goes into the body: initial states of a batch item, scanned elements
	spans  []span          // of the scanned inputs
	joined []span          // of the collected outputs
	shape  []int
	grid   strided.Grid
}

// span is a tensor seen as [batch, outer, steps, inner], scanned along steps.
type span struct {
	t                         *tensor.Tensor
	outer, steps, inner, item int // item is the number of elements of a batch item
	reverse                   bool
}

// newSpan sees t from axis on, counted without the batch.
func newSpan(t *tensor.Tensor, lead, axis int, reverse bool) span {
	s := t.Shape()[lead:]
	return span{
		t: t, outer: op.Product(s[:axis]), steps: s[axis], inner: op.Product(s[axis+1:]),
		item: op.Product(s), reverse: reverse,
	}
}

// at is the offset of step i of a batch item of n steps.
func (s *span) at(batch, i, n int) int {
	if s.reverse {
		i = n - 1 - i
	}
	return batch*s.item + i*s.inner
}

func (k *scan) Run(c *op.Context) error {
	s := op.State[scanState](c)
	s.start(k.states+k.scanned, len(k.body.Outputs()))
	defer k.end(s)
	if s.items == nil {
		s.items = make([]tensor.Tensor, k.states+k.scanned)
		s.spans = make([]span, k.scanned)
		s.joined = make([]span, len(k.out))
	}
	batches, err := k.measure(c, s)
	if err != nil {
		return err
	}
	for b := range batches {
		steps, err := k.steps(c, s, b)
		if err != nil {
			return err
		}
		if err := k.sequence(c, s, b, batches, steps); err != nil {
			return err
		}
	}
	return k.empty(c, s, batches)
}

func (k *scan) end(s *scanState) {
	s.rounds.end()
	clear(s.spans)
	clear(s.joined)
}

// measure looks at the scanned inputs and gives the size of the batch, 1
// without one.
func (k *scan) measure(c *op.Context, s *scanState) (int, error) {
	lead, batches := k.first(), 1
	for i := range k.states + k.scanned {
		t := c.T(k.first() + i)
		if i < k.states && !k.batched {
			continue // any value can be a state
		}
		if t == nil || t.Rank() < lead {
			return 0, op.Errorf("input %d is %v, which has no batch", k.first()+i, t)
		}
		if k.batched {
			if i > 0 && t.Dim(0) != batches {
				return 0, op.Errorf("input %d is %v, want a batch of %d", k.first()+i, t, batches)
			}
			batches = t.Dim(0)
		}
		if i < k.states {
			continue
		}
		tr := k.in[i-k.states]
		axis, err := op.Axis(tr.axis, t.Rank()-lead)
		if err != nil {
			return 0, err
		}
		sp := newSpan(t, lead, axis, tr.reverse)
		s.spans[i-k.states] = sp
		if sp.steps != s.spans[0].steps {
			return 0, op.Errorf("scanned inputs have %d and %d steps", s.spans[0].steps, sp.steps)
		}
	}
	return batches, nil
}

// steps is the number of steps of batch item b.
func (k *scan) steps(c *op.Context, s *scanState, b int) (int, error) {
	most := s.spans[0].steps
	if !k.batched || c.T(0) == nil {
		return most, nil
	}
	lens := c.T(0)
	if lens.DType() != tensor.Int64 || b >= lens.Len() {
		return 0, op.Errorf("sequence lengths are %v, want an int64 for each batch item", lens)
	}
	n := tensor.Data[int64](lens)[b]
	if n < 0 || n > int64(most) {
		return 0, op.Errorf("sequence %d has %d steps of %d", b, n, most)
	}
	return int(n), nil
}

// sequence scans one batch item.
func (k *scan) sequence(c *op.Context, s *scanState, b, batches, steps int) error {
	if err := k.initial(c, s, b); err != nil {
		return err
	}
	out := s.in[:k.states]
	for i := range steps {
		for j := range s.spans {
			k.element(s, j, b, i, steps)
		}
		var err error
		if out, err = s.run(c, k.body); err != nil {
			return err
		}
		copy(s.in, out[:k.states])
		for j := range s.joined {
			if err := k.join(c, s, j, out[k.states+j], place{b, batches, i, steps}); err != nil {
				return err
			}
		}
	}
	for i := range k.states {
		if err := k.final(c, s, i, out[i], b, batches, steps > 0); err != nil {
			return err
		}
	}
	return nil
}

// initial sets the states before the first step.
func (k *scan) initial(c *op.Context, s *scanState, b int) error {
	for i := range k.states {
		v := c.In[k.first()+i]
		if v == nil {
			return op.Errorf("input %d is missing", k.first()+i)
		}
		if k.batched {
			t, item := v.(*tensor.Tensor), &s.items[i]
			item.Reset(t.DType(), t.Shape()[1:]...)
			s.grid.Reset(0, b*item.Len())
			s.grid.Add(item.Len(), 1, 1)
			s.grid.Copy(item, t)
			v = item
		}
		s.in[i] = v
	}
	return nil
}

// element cuts step i of scanned input j out.
func (k *scan) element(s *scanState, j, b, i, steps int) {
	sp, item := &s.spans[j], &s.items[k.states+j]
	shape := sp.t.Shape()[k.first():]
	axis := k.in[j].axis
	if axis < 0 {
		axis += len(shape)
	}
	s.shape = append(append(s.shape[:0], shape[:axis]...), shape[axis+1:]...)
	item.Reset(sp.t.DType(), s.shape...)
	s.grid.Reset(0, sp.at(b, i, steps))
	s.grid.Add(sp.outer, sp.inner, sp.steps*sp.inner)
	s.grid.Add(sp.inner, 1, 1)
	s.grid.Copy(item, sp.t)
	s.in[k.states+j] = item
}

// place is a step of one batch item.
type place struct{ batch, batches, step, steps int }

// join puts what the body gave for output j into its place; the first step
// says how large the output is.
func (k *scan) join(c *op.Context, s *scanState, j int, v tensor.Value, p place) error {
	t, ok := v.(*tensor.Tensor)
	if !ok {
		return op.Errorf("a collected output is %v, want a tensor", v.Type())
	}
	sp := &s.joined[j]
	if sp.t == nil {
		if err := k.newOutput(c, s, j, t.DType(), t.Shape(), p.batches); err != nil {
			return err
		}
	}
	if t.DType() != sp.t.DType() || t.Len() != sp.outer*sp.inner || t.Rank()+1+k.first() != sp.t.Rank() {
		return op.Errorf("a collected output changes to %v", t)
	}
	s.grid.Reset(sp.at(p.batch, p.step, p.steps), 0)
	s.grid.Add(sp.outer, sp.steps*sp.inner, sp.inner)
	s.grid.Add(sp.inner, 1, 1)
	s.grid.Copy(sp.t, t)
	return nil
}

// newOutput makes collected output j for elements of this shape.
func (k *scan) newOutput(c *op.Context, s *scanState, j int, d tensor.DType, shape []int, batches int) error {
	axis, err := op.Axis(k.out[j].axis, len(shape)+1)
	if err != nil {
		return err
	}
	s.shape = s.shape[:0]
	if k.batched {
		s.shape = append(s.shape, batches)
	}
	s.shape = append(s.shape, shape[:axis]...)
	s.shape = append(s.shape, s.spans[0].steps)
	s.shape = append(s.shape, shape[axis:]...)
	out := c.NewOut(k.states+j, d, s.shape...)
	if k.batched {
		out.Zero() // the steps after a short sequence
	}
	s.joined[j] = newSpan(out, k.first(), axis, k.out[j].reverse)
	return nil
}

// final gives state i after the last step; ran says whether there was one.
func (k *scan) final(c *op.Context, s *scanState, i int, v tensor.Value, b, batches int, ran bool) error {
	if !k.batched {
		if ran {
			c.Set(i, v)
		} else if c.Wants(i) {
			pass(c, i, v)
		}
		return nil
	}
	t, ok := v.(*tensor.Tensor)
	if !ok {
		return op.Errorf("state %d is %v, want a tensor", i, v.Type())
	}
	if !c.Wants(i) {
		return nil
	}
	if b == 0 {
		s.shape = append(append(s.shape[:0], batches), t.Shape()...)
		c.NewOut(i, t.DType(), s.shape...)
	}
	out := c.Out[i].(*tensor.Tensor)
	if out.DType() != t.DType() || !slices.Equal(out.Shape()[1:], t.Shape()) {
		return op.Errorf("state %d changes to %v", i, t)
	}
	s.grid.Reset(b*t.Len(), 0)
	s.grid.Add(t.Len(), 1, 1)
	s.grid.Copy(out, t)
	return nil
}

// empty makes the outputs that no step has made, by their declared types.
func (k *scan) empty(c *op.Context, s *scanState, batches int) error {
	for j := range s.joined {
		if s.joined[j].t != nil || !c.Wants(k.states+j) {
			continue
		}
		declared := k.body.Outputs()[k.states+j].Type
		if declared.Elem == tensor.Undefined {
			return op.Errorf("output %d has no steps, and the body does not declare its type", k.states+j)
		}
		var shape []int
		for _, d := range declared.Dims {
			shape = append(shape, max(d.Size, 0))
		}
		if err := k.newOutput(c, s, j, declared.Elem, shape, batches); err != nil {
			return err
		}
	}
	for i := range k.states {
		if k.batched && batches == 0 && c.Wants(i) {
			t := c.T(k.first() + i)
			c.OutLike(i, t.DType(), t)
		}
	}
	return nil
}
