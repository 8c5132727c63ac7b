// Package engine is the port that computes models. An adapter lives in a
// folder below: engine/native in pure Go, engine/onnxruntime over the shared
// library of that name. Each passes engine/enginetest.
package engine

import (
	"context"

	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// Engine turns models into sessions.
type Engine interface {
	// Name is the engine's name on screen, "native".
	Name() string

	// Load prepares a model. What the engine cannot serve (an operator, a
	// version, an element type) it refuses here, not at the first request,
	// with an error of code greenlight.CodeUnsupported that names the node. The model
	// is not changed and may be shared.
	Load(ctx context.Context, m *onnx.Model) (Session, error)
}

// Session is a loaded model, safe for concurrent use.
type Session interface {
	// Inputs and Outputs are the graph's, in the order that Run uses. A
	// dimension of size -1 takes any size.
	Inputs() []onnx.ValueInfo
	Outputs() []onnx.ValueInfo

	// Run computes the outputs of the inputs, given in the order of Inputs.
	// out has an entry for each output: a *tensor.Tensor lends its memory to
	// the result, a nil one is allocated. Afterwards out shares no memory
	// with in or with the session. Results do not depend on what else runs,
	// and those of one row not on the other rows of its batch. Inputs that
	// do not fit are an error of code greenlight.CodeInvalid. Run ends early, with
	// ctx's error, when ctx is done.
	Run(ctx context.Context, in, out []tensor.Value) error

	// Close releases what the session holds outside Go's memory. It is
	// called once, after the last Run.
	Close() error
}
