package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/modelserver"
)

// jsonLines is one JSON row a line, an object or an array.
type jsonLines struct {
	in    *bufio.Reader
	line  int // of the last one read
	bytes int64
}

func openJSONLines(in *bufio.Reader, m *modelserver.Model) (*jsonLines, error) {
	for _, c := range m.Schema.Columns {
		if c.Name == "prediction" {
			return nil, atLine(1, errors.New(`the model has a column "prediction" itself, the name under which predictions are added; use CSV`))
		}
	}
	return &jsonLines{in: in}, nil
}

// read skips empty lines.
func (f *jsonLines) read() (record, error) {
	for {
		text, err := f.readLine()
		if text = bytes.TrimSpace(text); len(text) > 0 && (err == nil || err == io.EOF) {
			return record{line: f.line, text: text}, nil
		}
		switch err {
		case nil:
		case io.EOF:
			return record{}, err
		default:
			return record{}, atLine(f.line, err)
		}
	}
}

// readLine gives the next line in memory of its own; io.EOF may come with the
// last one.
func (f *jsonLines) readLine() ([]byte, error) {
	f.line++
	var line []byte
	for {
		part, err := f.in.ReadSlice('\n')
		f.bytes += int64(len(part))
		if len(line)+len(part) > maxRecord {
			return nil, greenlight.Errorf(greenlight.CodeInvalid, "the line has more than %d bytes", maxRecord)
		}
		line = append(line, part...)
		if err != bufio.ErrBufferFull {
			return line, err
		}
	}
}

func (f *jsonLines) consumed() int64 { return f.bytes }

func (f *jsonLines) header() (out, rejects []byte) { return nil, nil }

func (f *jsonLines) add(b *modelserver.Batch, r record) error { return b.ReadLine(r.text) }

// append adds the member "prediction" to objects; an array becomes
// {"row": [...], "prediction": {...}}.
func (f *jsonLines) append(dst []byte, rows []record, a *modelserver.Answer) []byte {
	for i, r := range rows {
		if r.text[0] == '{' {
			body := bytes.TrimRight(r.text[:len(r.text)-1], " \t\r\n")
			dst = append(dst, body...)
			if len(body) > 1 {
				dst = append(dst, ',')
			}
		} else {
			dst = append(append(dst, `{"row":`...), r.text...)
			dst = append(dst, ',')
		}
		dst = append(dst, `"prediction":`...)
		dst = a.AppendJSON(dst, i)
		dst = append(dst, "}\n"...)
	}
	return dst
}

// reject writes {"line", "error", "row"}; a row that is not JSON stands there
// as text.
func (f *jsonLines) reject(dst []byte, rows []rejected) []byte {
	for _, r := range rows {
		reason, _ := json.Marshal(reasonText(r.reason)) // a string always encodes
		row := r.text
		if !json.Valid(row) {
			row, _ = json.Marshal(string(row))
		}
		dst = fmt.Appendf(dst, `{"line":%d,"error":%s,"row":%s}`+"\n", r.line, reason, row)
	}
	return dst
}
