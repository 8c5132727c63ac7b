// Package onnxruntime is the engine over ONNX Runtime's shared library, which
// is opened at run time without cgo. A program that imports it is linked
// against the system's C library; the model's file is read by the library
// itself.
package onnxruntime

import (
	"context"
	"errors"
	"unsafe"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/engine"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// Options shape the engine; the zero value has the library's defaults.
type Options struct {
	// Threads is how many threads share one operator's work; 0 lets the
	// library choose, one for each core. Operators run one after another.
	Threads int
}

// Engine is ONNX Runtime. Its sessions must be closed before it is.
type Engine struct {
	library   *library
	threads   int
	env       handle
	memory    handle // describes memory that is not the library's: Go's
	allocator handle // the library's own memory; it is never released
}

// New opens the library at a path ("libonnxruntime.so.1", looked up as the
// system's loader does, or a file's path). ONNX Runtime 1.15 or newer is
// needed.
func New(path string, o Options) (*Engine, error) {
	if path == "" {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "the path of ONNX Runtime's library is empty")
	}
	l, err := open(path)
	if err != nil {
		return nil, err
	}
	e := &Engine{library: l, threads: o.Threads}
	if err := e.prepare(); err != nil {
		return nil, errors.Join(greenlight.WithCode(greenlight.CodeInternal, err), e.Close())
	}
	return e, nil
}

func (e *Engine) prepare() error {
	l, name := e.library, cBytes("greenlight")
	if err := l.call(createEnv, loggingLevelFatal, uintptr(unsafe.Pointer(&name[0])), uintptr(unsafe.Pointer(&e.env))); err != nil {
		return err
	}
	if err := l.call(createCPUMemoryInfo, deviceAllocator, memTypeDefault, uintptr(unsafe.Pointer(&e.memory))); err != nil {
		return err
	}
	return l.call(getAllocatorWithDefaultOptions, uintptr(unsafe.Pointer(&e.allocator)))
}

// Close releases what the engine holds; the library stays loaded.
func (e *Engine) Close() error {
	e.library.release(releaseMemoryInfo, e.memory)
	e.library.release(releaseEnv, e.env)
	e.memory, e.env = 0, 0
	return nil
}

// Name is "onnxruntime".
func (e *Engine) Name() string { return "onnxruntime" }

// Version is the library's, "1.32.0".
func (e *Engine) Version() string { return e.library.version }

// Load opens the model's file, m.Path, which must be one that the system can
// open. Optional inputs and outputs, and elements narrower than a byte there,
// are not supported.
func (e *Engine) Load(_ context.Context, m *onnx.Model) (engine.Session, error) {
	if m.Path == "" {
		return nil, greenlight.Errorf(greenlight.CodeUnsupported, "the model was not read from a file, and ONNX Runtime needs one")
	}
	for _, v := range append(m.Graph.Inputs[:len(m.Graph.Inputs):len(m.Graph.Inputs)], m.Graph.Outputs...) {
		if !supported(&v.Type) {
			return nil, greenlight.Errorf(greenlight.CodeUnsupported, "%q is %v, which the ONNX Runtime engine does not pass", v.Name, v.Type)
		}
	}
	h, err := e.createSession(m.Path)
	if err != nil {
		return nil, greenlight.Errorf(loadCode(err), "%s: %w", m.Path, err)
	}
	s := &session{engine: e, handle: h, inputs: m.Graph.Inputs, outputs: m.Graph.Outputs}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(greenlight.WithCode(greenlight.CodeInternal, err), s.Close())
	}
	return s, nil
}

// supported says whether values of a type can be passed in and out. A type
// that the model does not declare may be.
func supported(t *tensor.Type) bool {
	switch t.Kind {
	case tensor.KindOptional:
		return false
	case tensor.KindSequence, tensor.KindMap:
		return t.Of == nil || supported(t.Of)
	}
	return !subByte(t.Elem)
}

// subByte says whether the library packs several elements into a byte.
func subByte(d tensor.DType) bool {
	switch d {
	case tensor.Uint4, tensor.Int4, tensor.Float4E2M1, tensor.Uint2, tensor.Int2:
		return true
	}
	return false
}

func (e *Engine) createSession(path string) (h handle, err error) {
	l, name := e.library, cBytes(path)
	var options handle
	if err := l.call(createSessionOptions, uintptr(unsafe.Pointer(&options))); err != nil {
		return 0, err
	}
	defer l.release(releaseSessionOptions, options)
	if err := l.call(setIntraOpNumThreads, options, uintptr(e.threads)); err != nil {
		return 0, err
	}
	if err := l.call(setInterOpNumThreads, options, 1); err != nil {
		return 0, err
	}
	err = l.call(createSession, e.env, uintptr(unsafe.Pointer(&name[0])), options, uintptr(unsafe.Pointer(&h)))
	return h, err
}

// cBytes is s with the NUL that ends a string in C.
func cBytes(s string) []byte { return append([]byte(s), 0) }
