package onnxruntime

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"unsafe"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/engine"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// session is one of the library's sessions. What a Run passes to the library
// is kept in bindings, as many as ever ran at once.
type session struct {
	engine          *Engine
	handle          handle
	inputs, outputs []onnx.ValueInfo
	lend            []shape     // of outputs whose memory Go can give, nil for others
	lending         atomic.Bool // there are some, and each had that shape so far

	names []uintptr // of inputs, then outputs; this and the strings are the library's memory

	mu   sync.Mutex
	free []*binding
}

func (s *session) Inputs() []onnx.ValueInfo  { return s.inputs }
func (s *session) Outputs() []onnx.ValueInfo { return s.outputs }

// prepare writes the names of inputs and outputs where the library can read
// them in every Run.
func (s *session) prepare() (err error) {
	s.lend = make([]shape, len(s.outputs))
	for i := range s.outputs {
		if s.lend[i] = lendable(s.inputs, &s.outputs[i].Type); s.lend[i] != nil {
			s.lending.Store(true)
		}
	}
	if s.names, err = s.engine.array(len(s.inputs) + len(s.outputs)); err != nil {
		return err
	}
	for i := range s.names {
		name := cBytes(s.name(i))
		memory, err := s.engine.alloc(len(name))
		if err != nil {
			return err
		}
		copy(unsafe.Slice((*byte)(memory), len(name)), name)
		s.names[i] = uintptr(memory)
	}
	return nil
}

func (s *session) name(i int) string {
	if i < len(s.inputs) {
		return s.inputs[i].Name
	}
	return s.outputs[i-len(s.inputs)].Name
}

// Close releases the session and everything of it.
func (s *session) Close() error {
	l := s.engine.library
	var errs []error
	for _, b := range s.free {
		errs = append(errs, b.close())
	}
	for _, name := range s.names {
		errs = append(errs, s.engine.dealloc(name))
	}
	if len(s.names) > 0 {
		errs = append(errs, s.engine.dealloc(addressOf(s.names)))
	}
	l.release(releaseSession, s.handle)
	s.free, s.names, s.handle = nil, nil, 0
	return errors.Join(errs...)
}

// Run lends the library the inputs' memory and, where the model declares the
// shape, the outputs'.
func (s *session) Run(ctx context.Context, in, out []tensor.Value) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := engine.CheckInputs(s.inputs, in); err != nil {
		return err
	}
	if len(out) != len(s.outputs) {
		return greenlight.Errorf(greenlight.CodeInvalid, "the model gives %d outputs, got place for %d", len(s.outputs), len(out))
	}
	b, err := s.take()
	if err != nil {
		return greenlight.WithCode(greenlight.CodeInternal, err)
	}
	defer s.put(b)
	if err := s.runLending(ctx, b, in, out); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return greenlight.WithCode(runCode(err), err)
	}
	return nil
}

// runLending runs with outputs lent. When that fails the model may have
// declared a shape that is not the output's, so it is tried without: should
// that work, outputs are never lent again.
func (s *session) runLending(ctx context.Context, b *binding, in, out []tensor.Value) error {
	if !s.lending.Load() {
		return b.run(ctx, in, out, nil)
	}
	err := b.run(ctx, in, out, s.lend)
	if err == nil || ctx.Err() != nil {
		return err
	}
	if again := b.run(ctx, in, out, nil); again != nil {
		return again
	}
	s.lending.Store(false)
	return nil
}

func (s *session) take() (*binding, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		b := s.free[n-1]
		s.free = s.free[:n-1]
		return b, nil
	}
	return newBinding(s)
}

func (s *session) put(b *binding) {
	s.mu.Lock()
	s.free = append(s.free, b)
	s.mu.Unlock()
}

// shape says where an output's dimensions come from.
type shape []dim

// dim is a fixed size, or that of an input's axis.
type dim struct {
	size        int // -1: the axis of the input
	input, axis int
}

// lendable is the shape of an output that is known before the model runs:
// every dimension is declared, by its size or by the name of an input's. It
// is nil when there is none, as for text, whose memory is not of one piece.
func lendable(inputs []onnx.ValueInfo, t *tensor.Type) shape {
	if t.Kind != tensor.KindTensor || !t.Ranked || t.Elem == tensor.String || t.Elem == tensor.Undefined {
		return nil
	}
	dims := make(shape, len(t.Dims))
	for i, d := range t.Dims {
		if d.Known() {
			dims[i] = dim{size: d.Size}
			continue
		}
		input, axis, ok := findDim(inputs, d.Name)
		if !ok {
			return nil
		}
		dims[i] = dim{size: -1, input: input, axis: axis}
	}
	return dims
}

func findDim(inputs []onnx.ValueInfo, name string) (input, axis int, ok bool) {
	for i := range inputs {
		if inputs[i].Type.Kind != tensor.KindTensor {
			continue
		}
		for k, d := range inputs[i].Type.Dims {
			if name != "" && d.Name == name && !d.Known() {
				return i, k, true
			}
		}
	}
	return 0, 0, false
}
