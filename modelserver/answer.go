package modelserver

import (
	"fmt"
	"slices"
	"strconv"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/tensor"
)

// Answer reads a model's outputs as predictions, one for each row. It is
// valid as long as the outputs are.
type Answer struct {
	schema  *Schema
	outputs []tensor.Value
	rows    int
}

// newAnswer checks that the outputs have a row for each of computed rows, of
// the width that the model declares, so that reading them needs no checks.
// Only the first rows of them are answered.
func newAnswer(s *Schema, outputs []tensor.Value, rows, computed int) (Answer, error) {
	a := Answer{schema: s, outputs: outputs, rows: rows}
	for i, v := range outputs {
		if rowsOf(v) != computed {
			return Answer{}, greenlight.Errorf(greenlight.CodeUnsupported,
				"output %q is %v, which does not have one row for each of %d; read it through /v2/models/{model}/infer",
				s.outputs.infos[i].Name, v.Type(), computed)
		}
		t, ok := v.(*tensor.Tensor)
		if w := s.outputs.widths[i]; ok && w >= 0 && t.Len() != computed*w {
			return Answer{}, fmt.Errorf("output %q is %v, the model declares %v", s.outputs.infos[i].Name, t, s.outputs.infos[i].Type)
		}
	}
	if s.Task == TaskClassification {
		return a, a.checkClasses(computed)
	}
	return a, nil
}

// rowsOf is the number of rows of an output, -1 when it has none.
func rowsOf(v tensor.Value) int {
	switch v := v.(type) {
	case *tensor.Tensor:
		if v.Rank() == 0 {
			return 1
		}
		return v.Dim(0)
	case *tensor.Sequence:
		return len(v.Items)
	}
	return -1
}

// checkClasses checks what a classifier's types left open.
func (a *Answer) checkClasses(computed int) error {
	o := &a.schema.outputs
	if o.label >= 0 {
		if t, ok := a.outputs[o.label].(*tensor.Tensor); !ok || t.Len() != computed {
			return fmt.Errorf("output %q is %v, want one label for each of %d rows", o.infos[o.label].Name, a.outputs[o.label].Type(), computed)
		}
	}
	if o.scores < 0 || o.single || o.classes == 0 || hasScores(a.outputs[o.scores], computed, o.classes) {
		return nil
	}
	return fmt.Errorf("output %q is %v, want %d scores for each of %d rows",
		o.infos[o.scores].Name, a.outputs[o.scores].Type(), o.classes, computed)
}

// hasScores says whether each row has a score for each class.
func hasScores(v tensor.Value, rows, classes int) bool {
	switch v := v.(type) {
	case *tensor.Tensor:
		return v.Len() == rows*classes
	case *tensor.Sequence:
		return !slices.ContainsFunc(v.Items, func(item tensor.Value) bool {
			m, ok := item.(*tensor.Map)
			return !ok || m.Values == nil || m.Values.Len() != classes
		})
	}
	return false
}

// scores are the tensor that holds a row's scores and where they start.
func (a *Answer) scores(row int) (t *tensor.Tensor, at int) {
	switch v := a.outputs[a.schema.outputs.scores].(type) {
	case *tensor.Tensor:
		return v, row * rowWidth(v)
	case *tensor.Sequence:
		if m, ok := v.Items[row].(*tensor.Map); ok {
			return m.Values, 0
		}
	}
	return nil, 0
}

// Rows is the number of predictions.
func (a *Answer) Rows() int { return a.rows }

// AppendJSON appends the prediction of one row: {"label","probabilities"} for
// a classifier ("scores" where they are not probabilities), {"value"} for a
// regressor, else each output by its name. Floats are written with as many
// digits as tell them apart; NaN and infinities are null.
func (a *Answer) AppendJSON(dst []byte, row int) []byte {
	o := &a.schema.outputs
	switch a.schema.Task {
	case TaskClassification:
		return a.appendClass(dst, row)
	case TaskRegression:
		dst = append(dst, `{"value":`...)
		dst = appendRow(dst, a.outputs[o.value], row)
		return append(dst, '}')
	}
	dst = append(dst, '{')
	for i, v := range a.outputs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendText(dst, o.infos[i].Name)
		dst = append(dst, ':')
		dst = appendRow(dst, v, row)
	}
	return append(dst, '}')
}

func (a *Answer) appendClass(dst []byte, row int) []byte {
	o := &a.schema.outputs
	dst = append(dst, `{"label":`...)
	dst = a.appendLabel(dst, row)
	if o.scores < 0 {
		return append(dst, '}')
	}
	if o.logits {
		dst = append(dst, `,"scores":`...)
	} else {
		dst = append(dst, `,"probabilities":`...)
	}
	if o.classes == 0 { // ZipMap, or [N,?]: the value names its classes itself or nobody does
		dst = appendRow(dst, a.outputs[o.scores], row)
		return append(dst, '}')
	}
	for k := range o.classes {
		if k == 0 {
			dst = append(dst, '{')
		} else {
			dst = append(dst, ',')
		}
		dst = append(dst, o.classJSON[k]...)
		dst = a.appendScore(dst, row, k)
	}
	return append(dst, "}}"...)
}

func (a *Answer) appendScore(dst []byte, row, k int) []byte {
	t, at := a.scores(row)
	if !a.schema.outputs.single {
		return appendElement(dst, t, at+k)
	}
	v := floatAt(t, at)
	if k == 0 {
		v = a.schema.outputs.complement(v)
	}
	if t.DType() == tensor.Float64 {
		return appendFloat(dst, v, 64)
	}
	return appendFloat(dst, float64(float32(v)), 32)
}

// complement is the first class's score where the model gives the second's.
func (o *outputMeaning) complement(v float64) float64 {
	if o.logits {
		return -v
	}
	return 1 - v
}

// appendLabel appends the label as JSON: the class that the model chose, in
// the class names' own words where they are known, else as the model writes
// it; null when it cannot be told.
func (a *Answer) appendLabel(dst []byte, row int) []byte {
	if k := a.class(row); k >= 0 {
		return a.schema.appendClassName(dst, k)
	}
	if o := &a.schema.outputs; o.label >= 0 {
		return appendElement(dst, a.outputs[o.label].(*tensor.Tensor), row)
	}
	return append(dst, "null"...)
}

// class is the place of a row's label among the classes: by the model's
// label, or else the class with the highest score. It is -1 when the label
// is a text or a number that has no place.
func (a *Answer) class(row int) int {
	o := &a.schema.outputs
	if o.label < 0 {
		return a.bestClass(row)
	}
	if t := a.outputs[o.label].(*tensor.Tensor); o.positions != nil && t.DType() == tensor.Int64 {
		if k, ok := o.positions[tensor.Data[int64](t)[row]]; ok {
			return k
		}
	}
	return -1
}

// bestClass is the first class with the highest score, -1 when there is none
// or a score is NaN.
func (a *Answer) bestClass(row int) int {
	o := &a.schema.outputs
	t, at := a.scores(row)
	if o.single {
		switch v := floatAt(t, at); {
		case v != v:
			return -1
		case v > o.complement(v):
			return 1
		}
		return 0
	}
	width := o.classes
	if v, ok := a.outputs[o.scores].(*tensor.Tensor); ok {
		width = rowWidth(v)
	}
	best := -1
	for k := range width {
		v := floatAt(t, at+k)
		if v != v {
			return -1
		}
		if best < 0 || v > floatAt(t, at+best) {
			best = k
		}
	}
	return best
}

// appendClassName appends class k's name as a JSON text.
func (s *Schema) appendClassName(dst []byte, k int) []byte {
	if k < len(s.outputs.classJSON) {
		name := s.outputs.classJSON[k]
		return append(dst, name[:len(name)-1]...)
	}
	dst = append(dst, '"')
	dst = strconv.AppendInt(dst, int64(k), 10)
	return append(dst, '"')
}
