package modelserver

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/greenlight-dev/greenlight/modelserver/scan"
	"github.com/greenlight-dev/greenlight/tensor"
)

// MaxRows bounds the rows of one batch.
const MaxRows = 1 << 20

// Batch collects rows as a model's input tensors, and lends the memory for
// the outputs. It is reused from call to call, for one model only, and is not
// safe for concurrent use.
type Batch struct {
	// SkipUnknown passes over members of a row that are not columns: a file
	// of rows has identifiers and labels beside the features. Requests are
	// strict, so that a misspelt column is not taken for a missing one.
	SkipUnknown bool

	schema  *Schema
	rows    int
	inputs  []tensor.Tensor
	widths  []int // elements of one row of each input; -1 until the first row tells
	seen    []int // for each column, 1 + the last row that gave it
	given   int   // columns that the current row has given
	texts   interner
	scanner scan.Scanner
	sizes   []int // of the arrays of an input whose shape is being learnt

	values  []tensor.Value // the inputs
	outputs []tensor.Value
	parts   *parts // of a model with a fixed batch; nil until needed
}

// NewBatch makes an empty batch for a model of this schema.
func NewBatch(s *Schema) *Batch {
	b := &Batch{
		schema:  s,
		inputs:  make([]tensor.Tensor, len(s.inputs)),
		widths:  make([]int, len(s.inputs)),
		seen:    make([]int, len(s.Columns)),
		values:  make([]tensor.Value, len(s.inputs)),
		outputs: make([]tensor.Value, len(s.outputs.infos)),
	}
	for i := range b.inputs {
		b.values[i] = &b.inputs[i]
	}
	b.Reset()
	return b
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	b.rows, b.given = 0, 0
	clear(b.seen)
	b.forgetShapes()
}

// forgetShapes empties the inputs; dimensions of any size are learnt anew.
func (b *Batch) forgetShapes() {
	var buf [8]int
	for i := range b.inputs {
		in := &b.schema.inputs[i]
		b.widths[i] = in.width
		shape := append(append(buf[:0], 0), in.dims...)
		for k, d := range shape {
			shape[k] = max(d, 0)
		}
		b.inputs[i].Reset(in.elem, shape...)
	}
}

// Rows is the number of complete rows.
func (b *Batch) Rows() int { return b.rows }

// Inputs are the model's input tensors, valid until the batch is changed.
func (b *Batch) Inputs() []tensor.Value { return b.values }

// BeginRow starts another row. The columns are set next, then EndRow ends it
// or DropRow takes it back. A batch that is full is a *RowError.
func (b *Batch) BeginRow() error {
	if b.rows >= MaxRows {
		return &RowError{Row: -1, Expected: fmt.Sprintf("at most %d rows", MaxRows), Got: "more"}
	}
	b.given = 0
	b.setRows(b.rows + 1)
	return nil
}

func (b *Batch) setRows(n int) {
	for i := range b.inputs {
		if b.widths[i] >= 0 {
			b.inputs[i].SetRows(n)
		}
	}
}

// EndRow checks that every column was given and counts the row.
func (b *Batch) EndRow() error {
	if b.given == len(b.seen) {
		b.rows++
		return nil
	}
	for i, seen := range b.seen {
		if seen != b.rows+1 {
			c := &b.schema.Columns[i]
			return &RowError{Row: b.rows, Column: c.Name, Problem: "is missing", Expected: c.Expects()}
		}
	}
	return nil
}

// DropRow takes back the row that BeginRow started and EndRow has not
// counted.
func (b *Batch) DropRow() {
	if b.rows == 0 {
		b.Reset()
		return
	}
	b.setRows(b.rows)
	for i, seen := range b.seen {
		if seen == b.rows+1 {
			b.seen[i] = 0
		}
	}
}

// take marks column i as given in this row.
func (b *Batch) take(i int) error {
	if b.seen[i] == b.rows+1 {
		return &RowError{Row: b.rows, Column: b.schema.Columns[i].Name, Problem: "is given twice"}
	}
	b.seen[i] = b.rows + 1
	b.given++
	return nil
}

// SetText gives column i a value written as text, as CSV has it. In a column
// of floats an empty text, NA, NaN and null stand for a missing value.
func (b *Batch) SetText(i int, text string) error {
	if err := b.take(i); err != nil {
		return err
	}
	c := &b.schema.Columns[i]
	if c.Dims != nil {
		return &RowError{Row: b.rows, Column: c.Name, Expected: c.Expects(), Got: "one value"}
	}
	t, at := &b.inputs[c.input], b.position(c)
	if c.Elem == tensor.String {
		t.Strings()[at] = text
		return nil
	}
	text = strings.TrimSpace(text)
	if c.Elem.IsFloat() && isMissing(text) {
		putFloat(t, at, math.NaN())
		return nil
	}
	if !putNumberText(t, at, text) {
		return &RowError{Row: b.rows, Column: c.Name, Expected: c.Expects(), Got: strconv.Quote(clip(text))}
	}
	return nil
}

// isMissing knows the ways in which pandas and R write that a number is
// missing.
func isMissing(text string) bool {
	switch text {
	case "", "NA", "NaN", "nan", "null":
		return true
	}
	return false
}

// clip shortens a text for an error.
func clip(text string) string {
	const most = 40
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// position is where column c's part of the current row starts in its input.
func (b *Batch) position(c *Column) int { return b.rows*b.widths[c.input] + c.at }

// What an interner remembers between requests is bounded.
const maxInterned, maxInternedBytes = 1024, 64

// interner gives the same string again for bytes seen before, so that
// categories cost no allocation.
type interner struct{ seen map[string]string }

func (n *interner) text(b []byte) string {
	if s, ok := n.seen[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(s) <= maxInternedBytes && len(n.seen) < maxInterned {
		if n.seen == nil {
			n.seen = make(map[string]string)
		}
		n.seen[s] = s
	}
	return s
}
