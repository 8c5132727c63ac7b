package modelserver

import (
	"context"
	"encoding/json"
	"fmt"
	"math"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/engine"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// ProofResult is what replaying a proof measured.
type ProofResult struct {
	Framework string
	Cases     int
	Rows      int
	Values    int     // floats compared within a tolerance
	Exact     int     // whole numbers and texts compared exactly
	Deviation float64 // largest |got−want| of the floats; infinite when one of the two is no number
	Output    string  // the output that has it; "" when every float was equal

	beyond int        // values beyond their tolerance
	worst  *deviation // of those
}

// MarshalJSON writes an infinite deviation as null.
func (r *ProofResult) MarshalJSON() ([]byte, error) {
	var largest *float64
	if !math.IsInf(r.Deviation, 0) {
		largest = &r.Deviation
	}
	return json.Marshal(struct {
		Framework string   `json:"framework,omitempty"`
		Cases     int      `json:"cases"`
		Rows      int      `json:"rows"`
		Values    int      `json:"values"`
		Exact     int      `json:"exact"`
		Deviation *float64 `json:"max_deviation"`
		Output    string   `json:"worst_output,omitempty"`
	}{r.Framework, r.Cases, r.Rows, r.Values, r.Exact, largest, r.Output})
}

// Replay runs every case and compares. When values are beyond their
// tolerance, the error, of code greenlight.CodeRefused, shows the worst row;
// the result is complete nonetheless. Where the proof belongs to another
// model, or does not fit it, there is no result.
func (p *Proof) Replay(ctx context.Context, m *onnx.Model, s engine.Session) (*ProofResult, error) {
	if p.ModelSHA256 != "" && m.SHA256 != "" && p.ModelSHA256 != m.SHA256 {
		return nil, greenlight.Errorf(greenlight.CodeRefused,
			"the proof belongs to another model file (sha256 %.12s…, this one is %.12s…); export model and proof together",
			p.ModelSHA256, m.SHA256)
	}
	r := &ProofResult{Framework: p.Framework, Cases: len(p.Cases)}
	for i := range p.Cases {
		if err := p.Cases[i].replay(ctx, s, r); err != nil {
			return nil, fmt.Errorf("proof case %q: %w", p.Cases[i].Name, err)
		}
	}
	if r.worst != nil {
		return r, r.worst.refusal(r.beyond)
	}
	return r, nil
}

func (c *ProofCase) replay(ctx context.Context, s engine.Session, r *ProofResult) error {
	in, err := inOrder(s.Inputs(), c.inputs)
	if err != nil {
		return err
	}
	out := make([]tensor.Value, len(s.Outputs()))
	if err := s.Run(ctx, in, out); err != nil {
		return err
	}
	if len(c.inputs) > 0 {
		r.Rows += rowsOf(c.inputs[0].tensor)
	}
	for _, want := range c.outputs {
		i := indexByName(s.Outputs(), want.name)
		if i < 0 {
			return greenlight.Errorf(greenlight.CodeInvalid, "the model has no output %q; its outputs are %s", clip(want.name), nameList(s.Outputs()))
		}
		got, ok := out[i].(*tensor.Tensor)
		if !ok {
			return greenlight.Errorf(greenlight.CodeUnsupported, "output %q is %v; proofs compare tensors", want.name, out[i].Type())
		}
		if err := r.compare(c.Name, got, want); err != nil {
			return err
		}
	}
	return nil
}

// deviation is one value beyond its tolerance.
type deviation struct {
	inCase    string
	got, want *tensor.Tensor
	output    string
	at        int // element
	by        float64
	allowed   string // "" when the values should be equal
}

// refusal is the error that shows the deviation, the worst of so many.
func (d *deviation) refusal(of int) error {
	others := ""
	if of > 1 {
		others = fmt.Sprintf("; the worst of %d such values", of)
	}
	if d.allowed == "" {
		return greenlight.Errorf(greenlight.CodeRefused, "proof case %q, output %q, row %d: got %s, the framework gave %s%s",
			d.inCase, d.output, rowAt(d.want, d.at), rowText(d.got, d.at), rowText(d.want, d.at), others)
	}
	return greenlight.Errorf(greenlight.CodeRefused, "proof case %q, output %q, row %d: got %s, the framework gave %s, a deviation of %.3g beyond %s%s",
		d.inCase, d.output, rowAt(d.want, d.at), rowText(d.got, d.at), rowText(d.want, d.at), d.by, d.allowed, others)
}

// refuse counts a value beyond its tolerance; the first of the worst is kept.
func (r *ProofResult) refuse(d deviation) {
	r.beyond++
	if r.worst == nil || d.by > r.worst.by {
		r.worst = &d
	}
}

// compare takes one output into the result. Shapes may differ in dimensions
// of 1, as frameworks have labels [N] or [N,1].
func (r *ProofResult) compare(inCase string, got *tensor.Tensor, want namedTensor) error {
	w := want.tensor
	if got.Len() != w.Len() || rowsOf(got) != rowsOf(w) {
		return greenlight.Errorf(greenlight.CodeRefused, "output %q has shape %s, the framework's %s",
			want.name, shapeText(got.Shape()), shapeText(w.Shape()))
	}
	d := deviation{inCase: inCase, got: got, want: w, output: want.name}
	if !isFloats(got.Type()) || !isFloats(w.Type()) {
		r.compareExactly(d)
		return nil
	}
	tolerance := DefaultTolerance
	if want.tolerance != nil {
		tolerance = *want.tolerance
	}
	r.compareFloats(d, tolerance)
	return nil
}

func (r *ProofResult) compareFloats(d deviation, tolerance Tolerance) {
	r.Values += d.want.Len()
	d.allowed = fmt.Sprintf("%.3g + %.3g×|value|", tolerance.Absolute, tolerance.Relative)
	for i := range d.want.Len() {
		got, want := floatAt(d.got, i), floatAt(d.want, i)
		if got == want || got != got && want != want {
			continue
		}
		d.at, d.by = i, math.Abs(got-want)
		if math.IsNaN(d.by) {
			d.by = math.Inf(1)
		}
		if d.by > r.Deviation {
			r.Deviation, r.Output = d.by, d.output
		}
		if math.IsInf(d.by, 1) || d.by > tolerance.Absolute+tolerance.Relative*math.Abs(want) {
			r.refuse(d)
		}
	}
}

// compareExactly compares by what is written, so that a label's type may be
// another than the framework's.
func (r *ProofResult) compareExactly(d deviation) {
	r.Exact += d.want.Len()
	d.by = math.Inf(1)
	for d.at = range d.want.Len() {
		if elementField(d.got, d.at) != elementField(d.want, d.at) {
			r.refuse(d)
		}
	}
}

// rowAt is the row that element i belongs to.
func rowAt(t *tensor.Tensor, i int) int {
	if width := rowWidth(t); width > 0 {
		return i / width
	}
	return 0
}

// rowText writes the row that element i belongs to, the first values of a
// long one.
func rowText(t *tensor.Tensor, i int) string {
	const most = 16
	width := rowWidth(t)
	from := rowAt(t, i) * width
	if width == 1 {
		return string(appendElement(nil, t, from))
	}
	b := []byte{'['}
	for k := range min(width, most) {
		if k > 0 {
			b = append(b, ' ')
		}
		b = appendElement(b, t, from+k)
	}
	if width > most {
		b = append(b, " …"...)
	}
	return string(append(b, ']'))
}
