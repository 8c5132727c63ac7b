package capacity

import (
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	greenlight "github.com/greenlight-dev/greenlight"
)

// MaxFileBytes bounds a file of measurements.
const MaxFileBytes = 4 << 20

// ReadPoints reads measurements from CSV: a header that names the columns n
// and x, in any order and among others, then one measurement a line. Lines
// that begin with # are comments. What is wrong is an error that names line
// and column.
func ReadPoints(in io.Reader) ([]Point, error) {
	r := csv.NewReader(io.LimitReader(in, MaxFileBytes))
	r.Comment = '#'
	r.FieldsPerRecord = -1 // counted here, to say which line
	r.TrimLeadingSpace = true
	r.ReuseRecord = true
	header, err := r.Read()
	if err != nil {
		return nil, csvError(err, "no header; the first line names the columns: n,x")
	}
	nAt, xAt, err := findColumns(header)
	if err != nil {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "%w", err)
	}
	width := len(header)
	var points []Point
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, csvError(err, "")
		}
		line, _ := r.FieldPos(0)
		if len(fields) != width {
			return nil, greenlight.Errorf(greenlight.CodeInvalid, "line %d has %d fields, the header %d", line, len(fields), width)
		}
		p, err := readPoint(r, fields, nAt, xAt)
		if err != nil {
			return nil, err
		}
		if points = append(points, p); len(points) > MaxPoints {
			return nil, greenlight.Errorf(greenlight.CodeInvalid, "line %d: more than %d measurements", line, MaxPoints)
		}
	}
	if r.InputOffset() >= MaxFileBytes {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "the file has more than %d bytes", MaxFileBytes)
	}
	return points, nil
}

func findColumns(header []string) (n, x int, err error) {
	names := make([]string, len(header))
	for i, h := range header {
		names[i] = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(h, "\ufeff")))
	}
	for _, c := range []struct {
		name string
		at   *int
	}{{"n", &n}, {"x", &x}} {
		*c.at = slices.Index(names, c.name)
		switch {
		case *c.at < 0:
			return 0, 0, greenlight.Errorf(greenlight.CodeInvalid, "line 1: the header lacks column %q; it names the columns n (how many) and x (throughput)", c.name)
		case slices.Contains(names[*c.at+1:], c.name):
			return 0, 0, greenlight.Errorf(greenlight.CodeInvalid, "line 1: the header has column %q twice", c.name)
		}
	}
	return n, x, nil
}

func readPoint(r *csv.Reader, fields []string, nAt, xAt int) (Point, error) {
	n, err := readNumber(r, fields, nAt, "n")
	if err != nil {
		return Point{}, err
	}
	x, err := readNumber(r, fields, xAt, "x")
	if err != nil {
		return Point{}, err
	}
	p := Point{N: n, X: x}
	if err := p.check(); err != nil {
		line, _ := r.FieldPos(0)
		return Point{}, greenlight.Errorf(greenlight.CodeInvalid, "line %d: %w", line, err)
	}
	return p, nil
}

func readNumber(r *csv.Reader, fields []string, at int, name string) (float64, error) {
	text := strings.TrimSpace(fields[at])
	v, err := strconv.ParseFloat(text, 64)
	if err == nil {
		return v, nil
	}
	line, column := r.FieldPos(at)
	what := strconv.Quote(clip(text)) + " is not a number"
	if text == "" {
		what = "it is empty"
	}
	return 0, greenlight.Errorf(greenlight.CodeInvalid, "line %d, column %d: %s: %s", line, column, name, what)
}

// clip shortens what a message quotes.
func clip(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

func csvError(err error, empty string) error {
	var broken *csv.ParseError
	switch {
	case errors.Is(err, io.EOF):
		return greenlight.Errorf(greenlight.CodeInvalid, "%s", empty)
	case errors.As(err, &broken):
		return greenlight.Errorf(greenlight.CodeInvalid, "line %d, column %d: %w", broken.Line, broken.Column, broken.Err)
	}
	return greenlight.WithCode(greenlight.CodeInvalid, err)
}
