package load

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Bounds of files that a test reads.
const (
	MaxFileBytes = 256 << 20
	MaxRows      = 1_000_000
	MaxColumns   = 1000
)

// ReadRequests reads requests from JSON lines, one object a line:
//
//	{"method":"POST","path":"/predict","headers":{"X-Key":"1"},"body":{"rows":[[1,2]]},
//	 "name":"one row","weight":3,"expect":{"status":200,"contains":"value"}}
//
// Only path is needed. "save":{"token":"data.token"} keeps a part of a JSON
// answer, and "then":[…] lists the requests that the same client sends after
// it, in which {{token}} stands for that part. A body that is a string is sent as
// its text, with values as they are; anything else as JSON, with values escaped
// for the strings that they stand in. What is wrong is an error that names the
// line.
func ReadRequests(in io.Reader) ([]Request, error) {
	var requests []Request
	err := eachLine(in, func(line []byte) error {
		r, err := parseRequest(line)
		if err != nil {
			return err
		}
		if requests = append(requests, r); len(requests) > MaxRequests {
			return fmt.Errorf("more than %d requests", MaxRequests)
		}
		return nil
	})
	if err == nil && len(requests) == 0 {
		err = greenlight.Errorf(greenlight.CodeInvalid, "it holds no requests")
	}
	return requests, err
}

// givenRequest is a request as a file has it.
type givenRequest struct {
	Name    string            `json:"name"`
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
	Weight  float64           `json:"weight"`
	Expect  Expect            `json:"expect"`
	Save    map[string]string `json:"save"`
	Then    []givenRequest    `json:"then"`
}

func parseRequest(line []byte) (Request, error) {
	var given givenRequest
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&given); err != nil {
		return Request{}, withPlaces(line, err)
	}
	if d.More() {
		return Request{}, errors.New("more than one JSON value on a line")
	}
	return given.request()
}

// withPlaces adds how values are filled in to what is wrong with a line that
// may have one outside of quotes.
func withPlaces(line []byte, err error) error {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) || !bytes.Contains(line, []byte("{{")) {
		return err
	}
	return fmt.Errorf(`%w; values stand in quotes, as "{{name}}": with "{{json name}}" alone in them, numbers and texts get the quotes that they need`, err)
}

func (given *givenRequest) request() (Request, error) {
	if given.Path == "" {
		return Request{}, errors.New(`"path" is missing`)
	}
	r := Request{Name: given.Name, Method: given.Method, Path: given.Path, Weight: given.Weight, Expect: given.Expect, Save: given.Save}
	for _, name := range slices.Sorted(maps.Keys(given.Headers)) {
		r.Header = append(r.Header, Field{name, given.Headers[name]})
	}
	switch {
	case len(given.Body) == 0 || bytes.Equal(given.Body, []byte("null")):
	case given.Body[0] == '"':
		if err := json.Unmarshal(given.Body, &r.Body); err != nil {
			return Request{}, err
		}
	default:
		r.Body, r.JSON = string(given.Body), true
	}
	if r.Method == "" && r.Body != "" {
		r.Method = "POST"
	}
	for i := range given.Then {
		step, err := given.Then[i].request()
		if err != nil {
			return Request{}, fmt.Errorf("step %d: %w", i+2, err)
		}
		r.Then = append(r.Then, step)
	}
	return r, nil
}

// eachLine calls f for each line that is not blank; its errors get the
// line's number.
func eachLine(in io.Reader, f func([]byte) error) error {
	return eachNumberedLine(in, func(_ int, line []byte) error { return f(line) })
}

// eachNumberedLine also tells f the number, from 1.
func eachNumberedLine(in io.Reader, f func(number int, line []byte) error) error {
	limited := &io.LimitedReader{R: in, N: MaxFileBytes + 1}
	s := bufio.NewScanner(limited)
	s.Buffer(make([]byte, 64<<10), 2*MaxBody)
	n := 0
	for s.Scan() {
		n++
		line := bytes.TrimSpace(s.Bytes())
		if len(line) == 0 {
			continue
		}
		if err := f(n, line); err != nil {
			return greenlight.Errorf(greenlight.CodeInvalid, "line %d: %w", n, err)
		}
	}
	if err := s.Err(); err != nil {
		return greenlight.Errorf(greenlight.CodeInvalid, "line %d: %w", n+1, err)
	}
	if limited.N <= 0 {
		return greenlight.Errorf(greenlight.CodeInvalid, "it has more than %d MiB, which is more than is read", MaxFileBytes>>20)
	}
	return nil
}

// ReadCSVRows reads data for templates from CSV with a header.
func ReadCSVRows(in io.Reader) (*Rows, error) {
	r := csv.NewReader(io.LimitReader(in, MaxFileBytes))
	header, err := r.Read()
	if err != nil {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "the header: %w", err)
	}
	if len(header) > MaxColumns {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "%d columns; at most %d", len(header), MaxColumns)
	}
	rows := &Rows{columns: header}
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows.checked()
		}
		if err != nil {
			return nil, greenlight.WithCode(greenlight.CodeInvalid, err) // names the line
		}
		row := make([]value, len(fields))
		for i, f := range fields {
			row[i] = cell(f)
		}
		if rows.values = append(rows.values, row); len(rows.values) > MaxRows {
			return nil, greenlight.Errorf(greenlight.CodeInvalid, "more than %d rows", MaxRows)
		}
	}
}

// ReadJSONRows reads data for templates from JSON lines, one object a line;
// the first one names the columns, and the others have the same.
func ReadJSONRows(in io.Reader) (*Rows, error) {
	rows := &Rows{}
	err := eachLine(in, func(line []byte) error {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(line, &object); err != nil {
			return err
		}
		if rows.columns == nil {
			rows.columns = slices.Sorted(maps.Keys(object))
		}
		row, err := rows.row(object)
		rows.values = append(rows.values, row)
		if len(rows.values) > MaxRows {
			return fmt.Errorf("more than %d rows", MaxRows)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return rows.checked()
}

func (r *Rows) row(object map[string]json.RawMessage) ([]value, error) {
	if len(object) != len(r.columns) || len(object) > MaxColumns {
		return nil, fmt.Errorf("the row has %d fields, the first one %d (at most %d)", len(object), len(r.columns), MaxColumns)
	}
	row := make([]value, len(r.columns))
	for i, name := range r.columns {
		raw, has := object[name]
		if !has {
			return nil, fmt.Errorf("the row lacks %q", clip(name))
		}
		if row[i], has = jsonValue(raw); !has {
			return nil, fmt.Errorf("%q holds no JSON value", clip(name))
		}
	}
	return row, nil
}

func (r *Rows) checked() (*Rows, error) {
	if len(r.values) == 0 {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "the data has no rows")
	}
	return r, nil
}
