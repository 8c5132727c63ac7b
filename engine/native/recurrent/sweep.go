package recurrent

import (
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// state is what a node keeps between runs.
type state struct {
	ws         gemm.Workspace
	directions []direction // with weights that are not constant
	pass       pass
}

// axisSteps says how far apart, in rows, neighbours along each axis stand.
type axisSteps struct{ time, batch, direction int }

// pass is one direction's pass over the sequences of one run.
type pass struct {
	*layer
	*direction
	ws    *gemm.Workspace
	gates []float32 // for each time and sequence: what the input gives to each gate
	in    axisSteps // of gates
	h, c  []float32 // state of each sequence
	temp  []float32 // one row for each sequence
	y     []float32 // nil when nobody reads it
	out   axisSteps // of y
	step  step
}

// sequences are rows of the batch that go together through the same steps.
type sequences struct{ first, n, steps int }

// shape is the extent of a run.
type shape struct{ steps, batch, size, hidden, directions int }

// Run passes over the sequences in each direction.
func (l *layer) Run(c *op.Context) error {
	st := op.State[state](c)
	directions, err := l.prepared(c, st)
	if err != nil {
		return err
	}
	s, err := l.shape(c, directions[0].inSize)
	if err != nil {
		return err
	}
	lengths, err := lengths(c.T(inLengths), s)
	if err != nil {
		return err
	}
	x := op.Float32s(c, 0, c.T(inX))
	cells := s.batch * s.hidden
	p := &st.pass
	*p = pass{layer: l, ws: &st.ws, in: s.inputSteps(l.batchFirst)}
	p.gates = op.Scratch[float32](c, 1, s.steps*s.batch*l.family.gates*s.hidden)
	p.h, p.c = op.Scratch[float32](c, 2, cells), op.Scratch[float32](c, 3, cells)
	p.temp = op.Scratch[float32](c, 4, cells)
	outs := l.newOutputs(c, s)
	p.y, p.out = outs.y, s.outputSteps(l.batchFirst)
	for i := range directions {
		p.direction = &directions[i]
		l.loadState(c, p.h, s, i, inH)
		l.loadState(c, p.c, s, i, inC)
		n := l.family.gates * s.hidden
		p.input.Mul(p.ws, s.steps*s.batch, x, s.size, p.gates, n, gemm.Epilogue{ColBias: p.bias})
		p.sweepAll(s, i, lengths)
		l.saveState(outs.h, p.h, s, i)
		l.saveState(outs.c, p.c, s, i)
	}
	outs.store()
	return nil
}

// prepared gives the directions with their weights packed.
func (l *layer) prepared(c *op.Context, st *state) ([]direction, error) {
	if l.fixed {
		return l.directions, nil
	}
	st.directions = append(st.directions[:0], l.directions...)
	return st.directions, l.pack(c.T(inW), c.T(inR), c.T(inB), c.T(inP), st.directions)
}

func (l *layer) shape(c *op.Context, size int) (shape, error) {
	x := c.T(inX)
	if x.Rank() != 3 || x.Dim(2) != size {
		return shape{}, op.Errorf("the input has shape %v, want three dimensions with %d last", slices.Clone(x.Shape()), size)
	}
	s := shape{steps: x.Dim(0), batch: x.Dim(1), size: size, hidden: c.T(inR).Dim(2), directions: len(l.directions)}
	if l.batchFirst {
		s.steps, s.batch = s.batch, s.steps
	}
	if c.MaxBytes > 0 && float64(s.steps)*float64(s.batch)*float64(l.family.gates*s.hidden) > float64(c.MaxBytes/4) {
		return s, op.Errorf("%d steps of %d sequences need more memory than the limit of %d bytes", s.steps, s.batch, c.MaxBytes)
	}
	want := []int{s.directions, s.batch, s.hidden}
	if l.batchFirst {
		want[0], want[1] = want[1], want[0]
	}
	for _, i := range []int{inH, inC} {
		if t := c.T(i); t != nil && !slices.Equal(t.Shape(), want) {
			return s, op.Errorf("the initial state has shape %v, want %v", slices.Clone(t.Shape()), slices.Clone(want))
		}
	}
	return s, nil
}

// lengths gives sequence_lens, nil when every sequence takes all steps.
func lengths(t *tensor.Tensor, s shape) ([]int32, error) {
	if t == nil {
		return nil, nil
	}
	if t.Len() != s.batch {
		return nil, op.Errorf("sequence_lens has %d elements, want one for each of %d sequences", t.Len(), s.batch)
	}
	all, full := tensor.Data[int32](t), true
	for i, n := range all {
		if n < 0 || int(n) > s.steps {
			return nil, op.Errorf("sequence_lens[%d] is %d, want 0 to %d", i, n, s.steps)
		}
		full = full && int(n) == s.steps
	}
	if full {
		return nil, nil
	}
	return all, nil
}

func (s shape) inputSteps(batchFirst bool) axisSteps {
	if batchFirst {
		return axisSteps{time: 1, batch: s.steps}
	}
	return axisSteps{time: s.batch, batch: 1}
}

func (s shape) outputSteps(batchFirst bool) axisSteps {
	if batchFirst {
		return axisSteps{time: s.directions, batch: s.steps * s.directions, direction: 1}
	}
	return axisSteps{time: s.directions * s.batch, batch: 1, direction: s.batch}
}

// stateSteps are those of initial and last states.
func (s shape) stateSteps(batchFirst bool) axisSteps {
	if batchFirst {
		return axisSteps{batch: s.directions, direction: 1}
	}
	return axisSteps{batch: 1, direction: s.batch}
}

// loadState sets the state of every sequence to input i, or to zero.
func (l *layer) loadState(c *op.Context, dst []float32, s shape, direction, i int) {
	t := c.T(i)
	if t == nil {
		clear(dst)
		return
	}
	src, at := op.Float32s(c, i, t), s.stateSteps(l.batchFirst)
	for b := range s.batch {
		copy(dst[b*s.hidden:][:s.hidden], src[(b*at.batch+direction*at.direction)*s.hidden:])
	}
}

func (l *layer) saveState(dst, src []float32, s shape, direction int) {
	if dst == nil {
		return
	}
	at := s.stateSteps(l.batchFirst)
	for b := range s.batch {
		copy(dst[(b*at.batch+direction*at.direction)*s.hidden:], src[b*s.hidden:][:s.hidden])
	}
}

// sweepAll takes every sequence through its steps: together when they are
// equally long, else one by one.
func (p *pass) sweepAll(s shape, direction int, lengths []int32) {
	if lengths == nil {
		p.sweep(sequences{0, s.batch, s.steps}, direction, s.hidden)
		return
	}
	for b, n := range lengths {
		p.sweep(sequences{b, 1, int(n)}, direction, s.hidden)
		for t := int(n); t < s.steps && p.y != nil; t++ {
			clear(p.outRow(t, b, direction, s.hidden))
		}
	}
}

func (p *pass) outRow(t, b, direction, hidden int) []float32 {
	row := t*p.out.time + b*p.out.batch + direction*p.out.direction
	return p.y[row*hidden:][:hidden]
}

func (p *pass) sweep(q sequences, direction, hidden int) {
	if q.n == 0 || hidden == 0 {
		return
	}
	n := p.family.gates * hidden
	for i := range q.steps {
		t := i
		if p.reverse {
			t = q.steps - 1 - i
		}
		from := (t*p.in.time + q.first*p.in.batch) * n
		p.step = step{
			rows: q.n, hidden: hidden, gates: p.gates[from:], ld: p.in.batch * n,
			h: p.h[q.first*hidden:], c: p.c[q.first*hidden:], temp: p.temp[q.first*hidden:],
		}
		p.cell.step(p, &p.step)
		for b := 0; b < q.n && p.y != nil; b++ {
			copy(p.outRow(t, q.first+b, direction, hidden), p.step.of(p.h, q.first+b))
		}
	}
}

// outputs are the slices to write results to.
type outputs struct {
	y, h, c []float32
	tensors [3]*tensor.Tensor
}

// newOutputs makes the outputs that the node has.
func (l *layer) newOutputs(c *op.Context, s shape) outputs {
	var o outputs
	elem := c.T(inX).DType()
	steps := [4]int{s.steps, s.directions, s.batch, s.hidden}
	last := [3]int{s.directions, s.batch, s.hidden}
	if l.batchFirst {
		steps, last = [4]int{s.batch, s.steps, s.directions, s.hidden}, [3]int{s.batch, s.directions, s.hidden}
	}
	for i, dst := range []*[]float32{&o.y, &o.h, &o.c} {
		if !c.Wants(i) {
			continue
		}
		if i == 0 {
			o.tensors[i] = c.NewOut(i, elem, steps[:]...)
		} else {
			o.tensors[i] = c.NewOut(i, elem, last[:]...)
		}
		if *dst = op.Scratch[float32](c, inP+1+i, o.tensors[i].Len()); elem == tensor.Float32 {
			*dst = tensor.Data[float32](o.tensors[i])
		}
	}
	return o
}

// store rounds the results of 16-bit types.
func (o *outputs) store() {
	for i, src := range [][]float32{o.y, o.h, o.c} {
		if t := o.tensors[i]; t != nil && t.DType() != tensor.Float32 {
			op.WriteFloat32s(t, src)
		}
	}
}
