package program

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// Program is a compiled graph. It is safe for concurrent use; each run works
// in a frame of its own, and frames are reused.
type Program struct {
	name     string
	inputs   []onnx.ValueInfo
	outputs  []onnx.ValueInfo
	in, out  []int // value numbers of inputs and outputs
	types    []tensor.Type
	consts   []tensor.Value // by value number; nil where not constant
	steps    []step
	buffers  int
	captures []capture
	maxBytes int
	nested   bool // a subgraph of another program
	frames   sync.Pool
}

// step is one node, prepared.
type step struct {
	node     *onnx.Node
	label    string
	kernel   op.Kernel
	alias    bool
	in, out  []int // value numbers; -1 for an omitted input
	captures []int // values that the node's subgraphs read
	buffers  []int // planned memory of each output; -1 for none
	late     []lateCheck
}

// capture brings a value of the outer graph into a subgraph.
type capture struct{ from, to int }

// frame is the memory of one run.
type frame struct {
	values   []tensor.Value
	contexts []op.Context
	buffers  [][]byte
	step     int // the step being run, for errors
}

func (p *Program) newFrame() *frame {
	f := &frame{
		values:   make([]tensor.Value, len(p.types)),
		contexts: make([]op.Context, len(p.steps)),
		buffers:  make([][]byte, p.buffers),
	}
	copy(f.values, p.consts)
	for i := range p.steps {
		st, c := &p.steps[i], &f.contexts[i]
		shared := make([]*[]byte, len(st.out))
		for k, b := range st.buffers {
			if b >= 0 {
				shared[k] = &f.buffers[b]
			}
		}
		c.Init(len(st.in), len(st.out), shared)
		c.Captured = f
		c.MaxBytes = p.maxBytes
	}
	return f
}

// Inputs are the graph's inputs, in the order that Run takes them.
func (p *Program) Inputs() []onnx.ValueInfo { return p.inputs }

// Outputs are the graph's outputs, in the order that Run gives them.
func (p *Program) Outputs() []onnx.ValueInfo { return p.outputs }

// Steps is the number of kernels that a run calls.
func (p *Program) Steps() int { return len(p.steps) }

// Run evaluates the graph. in has a value for each input; out has an entry
// for each output: a tensor lends its memory to the result, nil is allocated.
// Nothing in out shares memory with in or with the program afterwards.
func (p *Program) Run(ctx context.Context, in, out []tensor.Value) error {
	if len(in) != len(p.in) || len(out) != len(p.out) {
		return fmt.Errorf("graph %q takes %d inputs and gives %d outputs, got %d and %d",
			p.name, len(p.in), len(p.out), len(in), len(out))
	}
	f := p.frames.Get().(*frame)
	err := p.runGuarded(ctx, f, in, out)
	if err == nil {
		p.release(f)
	}
	return err
}

// runGuarded turns a panic into an error that names the node. The frame of a
// failed run is dropped, for its state is not known.
func (p *Program) runGuarded(ctx context.Context, f *frame, in, out []tensor.Value) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = p.failure(f, r)
		}
	}()
	return p.run(ctx, f, in, out)
}

func (p *Program) failure(f *frame, r any) error {
	label := "graph " + p.name
	if f.step < len(p.steps) {
		label = p.steps[f.step].label
	}
	var failed *op.Error
	if e, ok := r.(error); ok {
		if errors.As(e, &failed) {
			return fmt.Errorf("%s: %w", label, e)
		}
		return fmt.Errorf("%s: its inputs do not fit the operator: %w", label, e)
	}
	return fmt.Errorf("%s: its inputs do not fit the operator: %v", label, r)
}

func (p *Program) run(ctx context.Context, f *frame, in, out []tensor.Value) error {
	for i, v := range p.in {
		f.values[v] = in[i]
	}
	cancellable := ctx.Done() != nil
	for i := range p.steps {
		f.step = i
		if cancellable && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := p.runStep(ctx, f, i); err != nil {
			return fmt.Errorf("%s: %w", p.steps[i].label, err)
		}
	}
	f.step = len(p.steps)
	for i, v := range p.out {
		if f.values[v] == nil {
			return fmt.Errorf("output %q was not computed", p.outputs[i].Name)
		}
		out[i] = p.deliver(out[i], f.values[v])
	}
	return nil
}

func (p *Program) runStep(ctx context.Context, f *frame, i int) error {
	st, c := &p.steps[i], &f.contexts[i]
	c.Ctx = ctx
	for k, v := range st.in {
		if v >= 0 {
			c.In[k] = f.values[v]
		}
	}
	for _, late := range st.late {
		if t, ok := c.In[late.input].(*tensor.Tensor); ok && !late.set.Has(t.DType()) {
			return op.Errorf("input %d is %v, which this operator does not support here", late.input, t.DType())
		}
	}
	if err := st.kernel.Run(c); err != nil {
		return err
	}
	for k, v := range st.out {
		f.values[v] = c.Out[k]
	}
	return nil
}

// deliver copies a result out of the frame, into lent memory where it fits.
// Sequences hold no frame memory and are never changed, so a subgraph's need
// no copy: a loop that builds one would copy it in each round.
func (p *Program) deliver(lent, v tensor.Value) tensor.Value {
	src, isTensor := v.(*tensor.Tensor)
	if !isTensor && p.nested {
		return v
	}
	dst, ok := lent.(*tensor.Tensor)
	if !isTensor || !ok || dst == nil {
		return v.CloneValue()
	}
	dst.CopyFrom(src)
	return dst
}

// release forgets the caller's values, so that a pooled frame does not keep
// them alive, and returns the frame.
func (p *Program) release(f *frame) {
	for _, v := range p.in {
		f.values[v] = nil
	}
	for i := range f.contexts {
		c := &f.contexts[i]
		c.Ctx = nil
		clear(c.In)
	}
	for _, c := range p.captures {
		f.values[c.to] = p.consts[c.to]
	}
	p.frames.Put(f)
}

// body is a Program as the subgraph of a node.
type body struct{ *Program }

// Run evaluates the subgraph; c is the context of the node that owns it.
func (b body) Run(c *op.Context, in, out []tensor.Value) error {
	if len(in) != len(b.in) || len(out) != len(b.out) {
		return op.Errorf("subgraph %q takes %d inputs and gives %d outputs, got %d and %d",
			b.name, len(b.in), len(b.out), len(in), len(out))
	}
	parent := c.Captured.(*frame)
	f := b.frames.Get().(*frame)
	for _, cp := range b.captures {
		f.values[cp.to] = parent.values[cp.from]
	}
	if err := b.runGuarded(c.Ctx, f, in, out); err != nil {
		return err
	}
	b.release(f)
	return nil
}
