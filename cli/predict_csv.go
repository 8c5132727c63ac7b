package cli

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/modelserver"
)

// openFormat starts reading in as the named format.
func openFormat(name string, in io.Reader, m *modelserver.Model) (format, error) {
	if name == "csv" {
		return openCSV(in, m)
	}
	return newJSONLines(in), nil
}

// csvFormat is CSV with a header.
type csvFormat struct {
	reader   *csv.Reader
	names    []string // the header as it came
	position []int    // the field that holds each of the model's columns
}

func openCSV(in io.Reader, m *modelserver.Model) (*csvFormat, error) {
	f := &csvFormat{reader: csv.NewReader(in)}
	f.reader.FieldsPerRecord = -1 // counted here, so that a ragged row can be rejected
	names, err := f.reader.Read()
	if err == io.EOF {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "no header; the first line names the columns")
	}
	if err != nil {
		return nil, greenlight.WithCode(greenlight.CodeInvalid, err)
	}
	names[0] = string(bytes.TrimPrefix([]byte(names[0]), []byte("\ufeff")))
	f.names = names
	for i := range m.Schema.Columns {
		c := &m.Schema.Columns[i]
		at := slices.Index(names, c.Name)
		switch {
		case at < 0:
			return nil, greenlight.Errorf(greenlight.CodeInvalid, "line 1: the header lacks column %q (%s)", c.Name, c.Expects())
		case c.Dims != nil:
			return nil, greenlight.Errorf(greenlight.CodeInvalid, "column %q takes %s, which CSV cannot hold; use JSON lines", c.Name, c.Expects())
		}
		f.position = append(f.position, at)
	}
	return f, nil
}

func (f *csvFormat) read() (record, error) {
	fields, err := f.reader.Read()
	if err == io.EOF {
		return record{}, err
	}
	if err != nil { // broken quoting: what follows cannot be told apart
		return record{}, greenlight.WithCode(greenlight.CodeInvalid, err)
	}
	line, _ := f.reader.FieldPos(0)
	return record{line: line, fields: fields}, nil
}

func (f *csvFormat) consumed() int64 { return f.reader.InputOffset() }

func (f *csvFormat) header(m *modelserver.Model) (out, rejects []byte, err error) {
	added := m.Schema.AnswerHeader()
	for _, name := range added {
		if slices.Contains(f.names, name) {
			return nil, nil, greenlight.Errorf(greenlight.CodeInvalid,
				"line 1: the input has a column %q already, which a prediction would add; rename or drop it", name)
		}
	}
	return csvLine(nil, slices.Concat(f.names, added)), csvLine(nil, slices.Concat(f.names, []string{"line", "error"})), nil
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

func (f *csvFormat) append(dst []byte, r record, a *modelserver.Answer, row int) []byte {
	return csvLine(dst, a.AppendFields(r.fields, row))
}

func (f *csvFormat) reject(dst []byte, r rejected) []byte {
	return csvLine(dst, slices.Concat(r.fields, []string{strconv.Itoa(r.line), reasonText(r.reason)}))
}

// csvLine appends one record.
func csvLine(dst []byte, fields []string) []byte {
	buf := bytes.NewBuffer(dst)
	w := csv.NewWriter(buf)
	_ = w.Write(fields) // a Buffer takes everything
	w.Flush()
	return buf.Bytes()
}
