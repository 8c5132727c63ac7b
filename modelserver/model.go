// Package modelserver keeps loaded models and answers for them: what their
// rows and outputs mean (Schema), that they still say what the training
// framework said (Proof), and the protocols over HTTP (Server).
//
// A request for predictions is rows: a Batch reads them into tensors, in one
// pass and reused memory, Model.Predict computes them, an Answer writes the
// outputs as predictions. One of the Open Inference Protocol is tensors in
// and tensors out, as the model declares them; a Proof is the same on file.
package modelserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/engine"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// DefaultModelFile is the file that stands for a folder.
const DefaultModelFile = "model.onnx"

// Model is a loaded model, proven and ready, safe for concurrent use.
type Model struct {
	Name      string
	ProofPath string // where the proof is, or would be
	File      *onnx.Model
	Engine    string
	Schema    *Schema
	SchemaErr error // why rows cannot be predicted; nil when they can
	Proof     *ProofResult
	Sample    *ProofCase // first case of the proof, for examples; nil without one
	// WarmUpErr is why the model refused the sample row that Load tried it
	// on; nil when it did not. Without a proof the row is made up (zeros and
	// empty texts), and a model may rightly refuse it.
	WarmUpErr error
	LoadedIn  time.Duration
	session   engine.Session
	calls     sync.Pool // *call
}

// Source names a model and where it is.
type Source struct {
	Name string // "" takes it from the path
	Path string // a file, or a folder that holds model.onnx
}

var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// ParseSource reads "[NAME=]PATH".
func ParseSource(arg string) (Source, error) {
	s := Source{Path: arg}
	if name, path, ok := strings.Cut(arg, "="); ok && validName.MatchString(name) {
		s = Source{Name: name, Path: path}
	}
	if s.Path == "" {
		return s, greenlight.Errorf(greenlight.CodeInvalid, "%q names no model; want [NAME=]PATH", arg)
	}
	if s.Name == "" {
		s.Name = nameFromPath(s.Path)
	}
	if !validName.MatchString(s.Name) {
		return s, greenlight.Errorf(greenlight.CodeInvalid,
			"%q cannot be a model's name (letters, digits, '.', '_' and '-', at most 63); write NAME=%s", s.Name, s.Path)
	}
	return s, nil
}

// nameFromPath is the folder's name for a folder or its model.onnx, else the
// file's name without extension.
func nameFromPath(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	base := filepath.Base(path)
	if base == DefaultModelFile {
		return filepath.Base(filepath.Dir(path))
	}
	return strings.TrimSuffix(base, ".onnx")
}

// location is a model's folder with the names of its files in it.
type location struct{ dir, model, proof string }

// locate finds the model file and the proof beside it.
func locate(path string) (location, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return location{}, greenlight.Errorf(greenlight.CodeNotFound, "no file or folder %s", path)
	}
	if err != nil {
		return location{}, greenlight.WithCode(greenlight.CodeInvalid, err)
	}
	if info.IsDir() {
		if _, err := os.Stat(filepath.Join(path, DefaultModelFile)); err != nil {
			return location{}, greenlight.Errorf(greenlight.CodeNotFound, "folder %s holds no %s", path, DefaultModelFile)
		}
		return location{path, DefaultModelFile, ProofName(DefaultModelFile)}, nil
	}
	base := filepath.Base(path)
	return location{filepath.Dir(path), base, ProofName(base)}, nil
}

// ProofName is the name of the proof beside a model's file: proof.json for
// model.onnx, NAME.proof.json for NAME.onnx.
func ProofName(model string) string {
	if model == DefaultModelFile {
		return "proof.json"
	}
	return strings.TrimSuffix(model, ".onnx") + ".proof.json"
}

// LoadOptions shape a load.
type LoadOptions struct {
	Engines []engine.Engine // tried in order; the first that can serve the model does
	Limits  onnx.Limits
	// SkipProof leaves the proof beside the model alone (for `prove`, which
	// replays it itself and wants the result even when it fails).
	SkipProof bool
}

// Load reads, prepares, warms up and proves a model. Its errors name the
// file.
func Load(ctx context.Context, src Source, o LoadOptions) (*Model, error) {
	start := time.Now()
	m, err := load(ctx, src, o)
	if err != nil {
		return nil, fmt.Errorf("model %s (%s): %w", src.Name, src.Path, err)
	}
	m.LoadedIn = time.Since(start)
	return m, nil
}

func load(ctx context.Context, src Source, o LoadOptions) (*Model, error) {
	loc, err := locate(src.Path)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(loc.dir)
	if err != nil {
		return nil, greenlight.WithCode(greenlight.CodeInvalid, err)
	}
	defer root.Close()
	file, err := onnx.Open(root.FS(), loc.model, o.Limits)
	if err != nil {
		return nil, greenlight.WithCode(greenlight.CodeInvalid, err)
	}
	file.Path = filepath.Join(loc.dir, loc.model)
	m := &Model{Name: src.Name, File: file, ProofPath: filepath.Join(loc.dir, loc.proof)}
	if err := m.chooseEngine(ctx, o.Engines); err != nil {
		return nil, err
	}
	m.Schema, m.SchemaErr = NewSchema(file, m.session.Inputs(), m.session.Outputs())
	m.calls.New = func() any { return &call{batch: NewBatch(m.Schema)} }
	if err := m.prove(ctx, root.FS(), loc.proof, o); err != nil {
		return nil, errors.Join(err, m.session.Close())
	}
	if err := m.warmUp(ctx); err != nil {
		return nil, errors.Join(err, m.session.Close())
	}
	return m, nil
}

// chooseEngine takes the first engine that can serve the model.
func (m *Model) chooseEngine(ctx context.Context, engines []engine.Engine) error {
	refusals := []error{}
	for _, e := range engines {
		s, err := e.Load(ctx, m.File)
		if err == nil {
			m.session, m.Engine = s, e.Name()
			return nil
		}
		refusals = append(refusals, fmt.Errorf("engine %s: %w", e.Name(), err))
	}
	if len(refusals) == 0 {
		return greenlight.Errorf(greenlight.CodeUnsupported, "no engine to load it with")
	}
	return errors.Join(refusals...)
}

// prove replays the proof beside the model, if there is one.
func (m *Model) prove(ctx context.Context, fsys fs.FS, name string, o LoadOptions) error {
	proof, err := ReadProof(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	sample := proof.Cases[0] // a copy: the other cases are not kept
	m.Sample = &sample
	if o.SkipProof {
		return nil
	}
	if m.Proof, err = proof.Replay(ctx, m.File, m.session); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// Inputs are the model's inputs in the order that Run takes them.
func (m *Model) Inputs() []onnx.ValueInfo { return m.session.Inputs() }

// Outputs are the model's outputs in the order that Run gives them.
func (m *Model) Outputs() []onnx.ValueInfo { return m.session.Outputs() }

// Run computes raw tensors; see engine.Session.
func (m *Model) Run(ctx context.Context, in, out []tensor.Value) error {
	return m.session.Run(ctx, in, out)
}

// Session is the engine's session.
func (m *Model) Session() engine.Session { return m.session }

// Close releases the model after its last use.
func (m *Model) Close() error { return m.session.Close() }

// warmUp predicts a sample row, so that the first request finds memory
// allotted.
func (m *Model) warmUp(ctx context.Context) error {
	if m.SchemaErr != nil {
		return nil // it takes no rows
	}
	c := m.calls.Get().(*call)
	defer m.calls.Put(c)
	if err := c.batch.sampleRow(m.Sample); err != nil {
		m.WarmUpErr = err
		return nil
	}
	_, m.WarmUpErr = m.Predict(ctx, c.batch)
	return ctx.Err()
}

// Predict computes a batch and reads the outputs as predictions, which are
// valid until the batch is changed. An empty batch is a *RowError.
func (m *Model) Predict(ctx context.Context, b *Batch) (Answer, error) {
	if b.rows == 0 {
		return Answer{}, &RowError{Row: -1, Expected: "at least one row", Got: "none"}
	}
	computed := b.rows
	var err error
	if fixed := m.Schema.FixedBatch; fixed > 0 && fixed != b.rows {
		computed, err = b.runParts(ctx, m.session, fixed)
	} else {
		err = m.session.Run(ctx, b.values, b.outputs)
	}
	if err != nil {
		return Answer{}, err
	}
	return newAnswer(m.Schema, b.outputs, b.rows, computed)
}
