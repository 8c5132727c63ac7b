// Package native is the engine in pure Go. It compiles a graph into prepared
// kernels over flat arrays (package program), after rewriting it into fewer
// and larger steps (package fuse). The operators live in the folders beside.
package native

import (
	"context"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/engine"
	"github.com/greenlight-dev/greenlight/engine/native/arrange"
	"github.com/greenlight-dev/greenlight/engine/native/attention"
	"github.com/greenlight-dev/greenlight/engine/native/control"
	"github.com/greenlight-dev/greenlight/engine/native/elementwise"
	"github.com/greenlight-dev/greenlight/engine/native/fuse"
	"github.com/greenlight-dev/greenlight/engine/native/ml"
	"github.com/greenlight-dev/greenlight/engine/native/nn"
	"github.com/greenlight-dev/greenlight/engine/native/program"
	"github.com/greenlight-dev/greenlight/engine/native/quant"
	"github.com/greenlight-dev/greenlight/engine/native/recurrent"
	"github.com/greenlight-dev/greenlight/engine/native/reduce"
	"github.com/greenlight-dev/greenlight/engine/native/sequence"
	"github.com/greenlight-dev/greenlight/engine/native/signal"
	"github.com/greenlight-dev/greenlight/engine/native/text"
	"github.com/greenlight-dev/greenlight/engine/native/tree"
	"github.com/greenlight-dev/greenlight/engine/native/vision"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// Options shape the engine; the zero value has defaults.
type Options struct {
	// MaxTensorBytes bounds one intermediate tensor; 0 is 2 GiB.
	MaxTensorBytes int
	// NoFuse runs every node as the file has it, to tell a fault of fusing
	// from one of an operator.
	NoFuse bool
}

// Engine is the native engine.
type Engine struct {
	registry *program.Registry
	options  program.Options
}

// New makes the engine with all its operators.
func New(o Options) *Engine {
	e := &Engine{registry: Registry(), options: program.Options{MaxTensorBytes: o.MaxTensorBytes}}
	if !o.NoFuse {
		e.options.Rewrites = []func(*onnx.Graph) *onnx.Graph{fuse.Rewrite}
	}
	return e
}

// Registry holds every operator that the engine serves.
func Registry() *program.Registry {
	return program.NewRegistry(
		arrange.Ops(), attention.Ops(), control.Ops(), elementwise.Ops(), ml.Ops(), nn.Ops(), quant.Ops(),
		recurrent.Ops(), reduce.Ops(), sequence.Ops(), signal.Ops(), text.Ops(), tree.Ops(), vision.Ops(),
	)
}

// Name is "native".
func (e *Engine) Name() string { return "native" }

// Load compiles the model's graph.
func (e *Engine) Load(_ context.Context, m *onnx.Model) (engine.Session, error) {
	p, err := program.Compile(m.Graph, e.registry, e.options)
	if err != nil {
		return nil, greenlight.WithCode(greenlight.CodeUnsupported, err)
	}
	return &session{p}, nil
}

// session is a compiled program behind the port.
type session struct{ program *program.Program }

func (s *session) Inputs() []onnx.ValueInfo  { return s.program.Inputs() }
func (s *session) Outputs() []onnx.ValueInfo { return s.program.Outputs() }
func (s *session) Close() error              { return nil }

// Run checks the inputs against the graph and evaluates it.
func (s *session) Run(ctx context.Context, in, out []tensor.Value) error {
	if err := engine.CheckInputs(s.program.Inputs(), in); err != nil {
		return err
	}
	if err := s.program.Run(ctx, in, out); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return greenlight.WithCode(greenlight.CodeInvalid, err)
	}
	return nil
}
