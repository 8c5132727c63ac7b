package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/modelserver"
)

// maxLine bounds one JSON line.
const maxLine = 64 << 20

// jsonLines is one JSON row a line, an object or an array.
type jsonLines struct {
	scanner *bufio.Scanner
	line    int
	bytes   int64
}

func newJSONLines(in io.Reader) *jsonLines {
	f := &jsonLines{scanner: bufio.NewScanner(in)}
	f.scanner.Buffer(make([]byte, 1<<16), maxLine)
	return f
}

// read skips empty lines.
func (f *jsonLines) read() (record, error) {
	for f.scanner.Scan() {
		f.line++
		text := f.scanner.Bytes()
		f.bytes += int64(len(text)) + 1
		if text = bytes.TrimSpace(text); len(text) > 0 {
			return record{line: f.line, text: slices.Clone(text)}, nil
		}
	}
	if err := f.scanner.Err(); err != nil {
		return record{}, greenlight.Errorf(greenlight.CodeInvalid, "line %d: %w (a line holds at most %d bytes)", f.line+1, err, maxLine)
	}
	return record{}, io.EOF
}

func (f *jsonLines) consumed() int64 { return f.bytes }

func (f *jsonLines) header(*modelserver.Model) (out, rejects []byte, err error) { return nil, nil, nil }

func (f *jsonLines) add(b *modelserver.Batch, r record) error { return b.ReadLine(r.text) }

// append adds the member "prediction" to an object; an array becomes
// {"row": [...], "prediction": {...}}.
func (f *jsonLines) append(dst []byte, r record, a *modelserver.Answer, row int) []byte {
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
	dst = a.AppendJSON(dst, row)
	return append(dst, "}\n"...)
}

// reject writes {"line", "error", "row"}; a row that is not JSON stands there
// as text.
func (f *jsonLines) reject(dst []byte, r rejected) []byte {
	reason, _ := json.Marshal(reasonText(r.reason)) // a string always encodes
	row := r.text
	if !json.Valid(row) {
		row, _ = json.Marshal(string(row))
	}
	dst = append(dst, `{"line":`...)
	dst = strconv.AppendInt(dst, int64(r.line), 10)
	dst = fmt.Appendf(dst, `,"error":%s,"row":%s}`, reason, row)
	return append(dst, '\n')
}

// reasonText is an error without the row's number within its batch, which
// means nothing to a reader of the file.
func reasonText(err error) string {
	var row *modelserver.RowError
	if errors.As(err, &row) {
		return row.Reason()
	}
	return err.Error()
}
