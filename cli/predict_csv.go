package cli

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/modelserver"
)

// csvFormat is CSV with a header.
type csvFormat struct {
	reader   *csv.Reader
	limit    *recordLimit
	line     int      // of the last record
	names    []string // the header as it came
	added    []string // what predictions add to it
	position []int    // the field that holds each of the model's columns
}

func openCSV(in io.Reader, m *modelserver.Model) (*csvFormat, error) {
	limit := &recordLimit{in: in}
	f := &csvFormat{reader: csv.NewReader(limit), limit: limit, added: m.Schema.AnswerHeader()}
	f.reader.FieldsPerRecord = -1 // counted here, so that a ragged row can be rejected
	first, err := f.read()
	if err == io.EOF {
		return nil, atLine(1, errors.New("no header; the first line names the columns"))
	}
	if err != nil {
		return nil, err
	}
	f.names = first.fields
	if err := f.findColumns(m.Schema.Columns); err != nil {
		return nil, atLine(first.line, err)
	}
	return f, nil
}

// findColumns finds the model's columns in the header.
func (f *csvFormat) findColumns(columns []modelserver.Column) error {
	for i := range columns {
		c := &columns[i]
		at := slices.Index(f.names, c.Name)
		switch {
		case c.Dims != nil:
			return fmt.Errorf("column %q takes %s, which CSV cannot hold; use JSON lines", c.Name, c.Expects())
		case at < 0:
			return fmt.Errorf("the header lacks column %q (%s); it has %s", c.Name, c.Expects(), quoteSome(f.names))
		case slices.Contains(f.names[at+1:], c.Name):
			return fmt.Errorf("the header has column %q twice", c.Name)
		}
		f.position = append(f.position, at)
	}
	for _, name := range f.added {
		if slices.Contains(f.names, name) {
			return fmt.Errorf("the header has a column %q already, which a prediction would add; rename or drop it", name)
		}
	}
	return nil
}

// quoteSome lists names, the first ones of many.
func quoteSome(names []string) string {
	const most = 12
	var quoted []string
	for _, name := range names[:min(most, len(names))] {
		quoted = append(quoted, strconv.Quote(name))
	}
	if len(names) > most {
		quoted = append(quoted, fmt.Sprintf("and %d more", len(names)-most))
	}
	return strings.Join(quoted, ", ")
}

func (f *csvFormat) read() (record, error) {
	f.limit.begin()
	fields, err := f.reader.Read()
	var broken *csv.ParseError
	switch {
	case err == nil:
		f.line, _ = f.reader.FieldPos(0)
		return record{line: f.line, fields: fields}, nil
	case err == io.EOF:
		return record{}, err
	case errors.As(err, &broken): // what follows cannot be told apart
		return record{}, atLine(broken.StartLine, fmt.Errorf("broken quoting in line %d, column %d: %w", broken.Line, broken.Column, broken.Err))
	}
	return record{}, atLine(f.line+1, err)
}

func (f *csvFormat) consumed() int64 { return f.reader.InputOffset() }

func (f *csvFormat) header() (out, rejects []byte) {
	return csvLine(slices.Concat(f.names, f.added)), csvLine(slices.Concat(f.names, []string{"line", "error"}))
}

func (f *csvFormat) add(b *modelserver.Batch, r record) error {
	if len(r.fields) != len(f.names) {
		return fmt.Errorf("the row has %d fields, the header %d", len(r.fields), len(f.names))
	}
	if err := b.BeginRow(); err != nil {
		return err
	}
	for i, at := range f.position {
		if err := b.SetText(i, r.fields[at]); err != nil {
			b.DropRow()
			return err
		}
	}
	return b.EndRow()
}

func (f *csvFormat) append(dst []byte, rows []record, a *modelserver.Answer) []byte {
	buf := bytes.NewBuffer(dst)
	w := csv.NewWriter(buf)
	var fields []string
	for i, r := range rows {
		fields = a.AppendFields(append(fields[:0], r.fields...), i)
		_ = w.Write(fields) // a Buffer takes everything
	}
	w.Flush()
	return buf.Bytes()
}

func (f *csvFormat) reject(dst []byte, rows []rejected) []byte {
	for _, r := range rows {
		dst = append(dst, csvLine(slices.Concat(r.fields, []string{strconv.Itoa(r.line), reasonText(r.reason)}))...)
	}
	return dst
}

// csvLine writes one record.
func csvLine(fields []string) []byte {
	var buf bytes.Buffer
	w := csv.NewWriter(&buf)
	_ = w.Write(fields) // a Buffer takes everything
	w.Flush()
	return buf.Bytes()
}

// recordLimit bounds what is read for one record: behind a quotation mark
// that is never closed, all of the input would be one field.
type recordLimit struct {
	in          io.Reader
	read, begun int64
}

// begin starts another record.
func (l *recordLimit) begin() { l.begun = l.read }

func (l *recordLimit) Read(p []byte) (int, error) {
	if l.read-l.begun > maxRecord {
		return 0, greenlight.Errorf(greenlight.CodeInvalid, "a row has more than %d bytes; is a quotation mark left open?", maxRecord)
	}
	n, err := l.in.Read(p)
	l.read += int64(n)
	return n, err
}
