package modelserver

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/greenlight-dev/greenlight/modelserver/scan"
	"github.com/greenlight-dev/greenlight/tensor"
)

// ReadJSON reads a prediction request: {"rows": [...]} or the array of rows
// alone, each row an object with the columns' names or an array in their
// order. Text that is not JSON is a *scan.SyntaxError, whatever else is wrong
// with it; rows that do not fit are a *RowError. After an error the batch
// needs a Reset.
func (b *Batch) ReadJSON(body []byte) error {
	b.scanner.Reset(body)
	return syntaxFirst(body, b.readRequest(&b.scanner))
}

// ReadLine reads one row as JSON, with nothing after it: a line of JSON
// lines. Its errors are those of ReadJSON; after one the batch is as before.
func (b *Batch) ReadLine(line []byte) error {
	b.scanner.Reset(line)
	if err := b.readLine(&b.scanner); err != nil {
		b.DropRow()
		return syntaxFirst(line, err)
	}
	return nil
}

func (b *Batch) readLine(s *scan.Scanner) error {
	if err := b.BeginRow(); err != nil {
		return err
	}
	if err := b.readRow(s); err != nil {
		return err
	}
	if err := s.End(); err != nil {
		return err
	}
	return b.EndRow()
}

// syntaxFirst gives the syntax error of a text that is not JSON rather than
// err, what was noticed first in it; so the two kinds never mix.
func syntaxFirst(text []byte, err error) error {
	if err == nil {
		return nil
	}
	var s scan.Scanner
	s.Reset(text)
	if syntax := s.Skip(); syntax != nil {
		return syntax
	}
	if syntax := s.End(); syntax != nil {
		return syntax
	}
	return err
}

const wantRequest = `{"rows": [...]} or an array of rows`

func (b *Batch) readRequest(s *scan.Scanner) error {
	switch s.Peek() {
	case '[':
		if err := b.readRows(s); err != nil {
			return err
		}
		return s.End()
	case '{':
		return b.readEnvelope(s)
	}
	return &RowError{Row: -1, Expected: wantRequest, Got: found(s)}
}

// readEnvelope reads the object around the rows.
func (b *Batch) readEnvelope(s *scan.Scanner) error {
	if err := s.Expect('{'); err != nil {
		return err
	}
	given := false
	for first := true; ; first = false {
		more, err := s.More('}', first)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		key, err := s.Key()
		if err != nil {
			return err
		}
		if string(key) != "rows" {
			return &RowError{Row: -1, Problem: fmt.Sprintf("the request has an unknown field %q", clip(string(key))), Expected: `"rows"`}
		}
		if given {
			return &RowError{Row: -1, Problem: `"rows" is given twice`}
		}
		given = true
		if err := b.readRows(s); err != nil {
			return err
		}
	}
	if !given {
		return &RowError{Row: -1, Expected: wantRequest, Got: `an object without "rows"`}
	}
	return s.End()
}

func (b *Batch) readRows(s *scan.Scanner) error {
	if s.Peek() != '[' {
		return &RowError{Row: -1, Expected: "an array of rows", Got: found(s)}
	}
	if err := s.Expect('['); err != nil {
		return err
	}
	for first := true; ; first = false {
		more, err := s.More(']', first)
		if err != nil || !more {
			return err
		}
		if err := b.ReadRow(s); err != nil {
			return err
		}
	}
}

// found describes the next token of s.
func found(s *scan.Scanner) string { return scan.Describe(s.Peek()) }

// ReadRow reads one row, an object or an array, from s. After an error
// DropRow takes the row back.
func (b *Batch) ReadRow(s *scan.Scanner) error {
	if err := b.BeginRow(); err != nil {
		return err
	}
	if err := b.readRow(s); err != nil {
		return err
	}
	return b.EndRow()
}

func (b *Batch) readRow(s *scan.Scanner) error {
	switch s.Peek() {
	case '{':
		return b.readObject(s)
	case '[':
		return b.readArray(s)
	}
	return &RowError{Row: b.rows, Expected: "an object with the columns' names, or an array", Got: found(s)}
}

func (b *Batch) readObject(s *scan.Scanner) error {
	if err := s.Expect('{'); err != nil {
		return err
	}
	next := 0
	for first := true; ; first = false {
		more, err := s.More('}', first)
		if err != nil || !more {
			return err
		}
		i, err := b.columnKey(s, next)
		if err != nil {
			return err
		}
		if i < 0 {
			if err := s.Skip(); err != nil {
				return err
			}
			continue
		}
		next = i + 1
		if err := b.readColumn(s, i); err != nil {
			return err
		}
	}
}

// columnKey reads the name of a column; rows usually list them in order. It
// is -1 for another member that is to be skipped.
func (b *Batch) columnKey(s *scan.Scanner, next int) (int, error) {
	if cols := b.schema.Columns; next < len(cols) && s.AcceptKey(cols[next].key) {
		return next, nil
	}
	key, err := s.Key()
	if err != nil {
		return 0, err
	}
	i, ok := b.schema.byName[string(key)]
	if !ok && b.SkipUnknown {
		return -1, nil
	}
	if !ok {
		return 0, &RowError{Row: b.rows, Column: clip(string(key)), Problem: "is not a column of this model",
			Expected: b.schema.columnList()}
	}
	return i, nil
}

// columnList names the columns for an error, the first ones of many.
func (s *Schema) columnList() string {
	const most = 12
	var names []string
	for i, c := range s.Columns {
		if i == most {
			names = append(names, fmt.Sprintf("and %d more", len(s.Columns)-most))
			break
		}
		names = append(names, strconv.Quote(c.Name))
	}
	return "one of " + strings.Join(names, ", ")
}

func (b *Batch) readArray(s *scan.Scanner) error {
	cols := b.schema.Columns
	if len(cols) == 1 && cols[0].Dims != nil {
		return b.readColumn(s, 0)
	}
	if err := s.Expect('['); err != nil {
		return err
	}
	for i := 0; ; i++ {
		more, err := s.More(']', i == 0)
		if err != nil {
			return err
		}
		if !more {
			if i < len(cols) {
				return b.ragged(strconv.Itoa(i))
			}
			return nil
		}
		if i >= len(cols) {
			return b.ragged("more")
		}
		if err := b.readColumn(s, i); err != nil {
			return err
		}
	}
}

func (b *Batch) ragged(got string) error {
	return &RowError{Row: b.rows, Expected: fmt.Sprintf("%d values, one for each column", len(b.schema.Columns)), Got: got}
}

// readColumn reads the value of column i.
func (b *Batch) readColumn(s *scan.Scanner, i int) error {
	if err := b.take(i); err != nil {
		return err
	}
	c := &b.schema.Columns[i]
	if c.Dims != nil {
		return b.readNested(s, c)
	}
	if s.Peek() == '[' {
		return b.readSingle(s, c)
	}
	return b.readElement(s, c, b.position(c))
}

// readSingle reads [v] as v: the input's own shape is [N,1].
func (b *Batch) readSingle(s *scan.Scanner, c *Column) error {
	if err := s.Expect('['); err != nil {
		return err
	}
	got := "an empty array"
	if s.Peek() != ']' {
		if err := b.readElement(s, c, b.position(c)); err != nil {
			return err
		}
		if s.Accept(']') {
			return nil
		}
		got = "an array of several"
	}
	return &RowError{Row: b.rows, Column: c.Name, Expected: c.Expects(), Got: got}
}

// readElement reads one value into element at of c's input.
func (b *Batch) readElement(s *scan.Scanner, c *Column, at int) error {
	if got, ok := readScalar(s, &b.inputs[c.input], at, &b.texts); !ok {
		return &RowError{Row: b.rows, Column: c.Name, Expected: c.Expects(), Got: got}
	}
	return nil
}

// readNested reads arrays nested to the column's shape. Unknown dimensions
// are learnt from the first row and then hold for all.
func (b *Batch) readNested(s *scan.Scanner, c *Column) error {
	t := &b.inputs[c.input]
	if b.widths[c.input] < 0 {
		if err := b.learnShape(s, c, t); err != nil {
			return err
		}
	}
	at := b.position(c)
	return b.readLevel(s, c, t.Shape()[1:], &at)
}

func (b *Batch) readLevel(s *scan.Scanner, c *Column, dims []int, at *int) error {
	if len(dims) == 0 {
		if s.Peek() == '[' {
			return &RowError{Row: b.rows, Column: c.Name, Expected: c.Expects(), Got: "a deeper array"}
		}
		*at++
		return b.readElement(s, c, *at-1)
	}
	if s.Peek() != '[' {
		return &RowError{Row: b.rows, Column: c.Name, Expected: c.Expects(), Got: found(s)}
	}
	if err := s.Expect('['); err != nil {
		return err
	}
	for i := 0; ; i++ {
		more, err := s.More(']', i == 0)
		if err != nil {
			return err
		}
		if !more && i == dims[0] {
			return nil
		}
		if !more || i >= dims[0] {
			got := strconv.Itoa(i)
			if more {
				got = "more"
			}
			return &RowError{Row: b.rows, Column: c.Name, Expected: c.Expects(),
				Problem: fmt.Sprintf("an array has %s elements where %d are wanted", got, dims[0])}
		}
		if err := b.readLevel(s, c, dims[1:], at); err != nil {
			return err
		}
	}
}

// learnShape looks ahead to find the sizes of the dimensions that the model
// leaves open.
func (b *Batch) learnShape(s *scan.Scanner, c *Column, t *tensor.Tensor) error {
	ahead := *s
	shape := append(b.sizes[:0], b.rows+1)
	empty := false // below an empty array nothing tells
	for _, d := range c.Dims {
		n := 0
		if !empty {
			var err error
			if n, err = countElements(ahead); err != nil || ahead.Expect('[') != nil {
				return &RowError{Row: b.rows, Column: c.Name, Expected: c.Expects(), Got: found(&ahead)}
			}
			empty = n == 0
		}
		if d >= 0 {
			n = d
		}
		shape = append(shape, n)
	}
	b.sizes = shape
	// Each element is a byte of text at least, so a shape with more of them
	// is wrong, and refused before anything is allocated.
	width, err := tensor.Elements(shape[1:])
	if err != nil || width > s.Len() {
		return &RowError{Row: b.rows, Column: c.Name, Expected: c.Expects(), Got: "arrays of other lengths"}
	}
	b.widths[c.input] = width
	t.Reset(c.Elem, shape...)
	return nil
}

// countElements counts the elements of the array that s stands before.
func countElements(s scan.Scanner) (int, error) {
	if err := s.Expect('['); err != nil {
		return 0, err
	}
	for n := 0; ; n++ {
		more, err := s.More(']', n == 0)
		if err != nil || !more {
			return n, err
		}
		if err := s.Skip(); err != nil {
			return 0, err
		}
	}
}
