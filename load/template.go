package load

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// template is text with places that every request fills anew:
//
//	{{seq}}          the number of the request, from 0
//	{{uuid}}         a random UUID
//	{{random 1 100}} a whole number from 1 to 100
//	{{name}}         the column of the data row, as it stands there
//	{{json name}}    the same as a JSON value: quoted and escaped if it is text
//
// In JSON what is filled in is escaped for the string that it stands in, and
// "{{json name}}", alone in its quotes, stands for the value with its own.
type template struct {
	parts []part
}

type part struct {
	text   string
	value  bool                               // {{json …}}
	fill   func(dst []byte, v *values) []byte // nil: text
	escape escape                             // nil: as it is
}

// escape makes what was appended at from fit the place that it stands in.
type escape func(dst []byte, from int) []byte

// values is what places are filled from.
type values struct {
	number int64
	row    []value
	saved  []value // from the answers of earlier steps
	rng    *rand.PCG
}

// value is one cell of a data row.
type value struct {
	text string // as it stands in CSV, or JSON's text without quotes
	json string
}

func newValues() *values { return &values{rng: rand.NewPCG(0, 0)} }

func (t *template) fixed() bool {
	return len(t.parts) == 0 || len(t.parts) == 1 && t.parts[0].fill == nil
}

// literal tells whether any of the fixed parts is so.
func (t *template) literal(is func(string) bool) bool {
	return slices.ContainsFunc(t.parts, func(p part) bool { return p.fill == nil && is(p.text) })
}

func (t *template) append(dst []byte, v *values) []byte {
	for i := range t.parts {
		p := &t.parts[i]
		if p.fill == nil {
			dst = append(dst, p.text...)
			continue
		}
		from := len(dst)
		if dst = p.fill(dst, v); p.escape != nil {
			dst = p.escape(dst, from)
		}
	}
	return dst
}

// parseTemplate reads text; what a place inserts goes through escape.
func parseTemplate(text string, in *scope, escape escape) (*template, error) {
	t := &template{}
	for text != "" {
		before, rest, found := strings.Cut(text, "{{")
		if before != "" {
			t.parts = append(t.parts, part{text: before})
		}
		if !found {
			break
		}
		inner, after, closed := strings.Cut(rest, "}}")
		if !closed {
			return nil, fmt.Errorf("{{%s is not closed by }}", clip(rest))
		}
		words := strings.Fields(inner)
		fill, err := parsePlace(words, in)
		if err != nil {
			return nil, fmt.Errorf("{{%s}}: %w", clip(inner), err)
		}
		t.parts = append(t.parts, part{fill: fill, escape: escape, value: words[0] == "json"})
		text = after
	}
	return t, nil
}

func parsePlace(words []string, in *scope) (func([]byte, *values) []byte, error) {
	switch {
	case len(words) == 1 && words[0] == "seq":
		return func(dst []byte, v *values) []byte { return strconv.AppendInt(dst, v.number, 10) }, nil
	case len(words) == 1 && words[0] == "uuid":
		return appendUUID, nil
	case len(words) == 3 && words[0] == "random":
		return parseRandom(words[1], words[2])
	case len(words) == 2 && words[0] == "json":
		find, err := in.find(words[1])
		return func(dst []byte, v *values) []byte { return append(dst, find(v).json...) }, err
	case len(words) == 1:
		find, err := in.find(words[0])
		return func(dst []byte, v *values) []byte { return append(dst, find(v).text...) }, err
	}
	return nil, fmt.Errorf("want seq, uuid, random LOW HIGH, or a column of the data")
}

func parseRandom(low, high string) (func([]byte, *values) []byte, error) {
	a, errA := strconv.ParseInt(low, 10, 64)
	b, errB := strconv.ParseInt(high, 10, 64)
	if errA != nil || errB != nil || a > b || b-a < 0 || b-a == 1<<63-1 {
		return nil, fmt.Errorf("want two whole numbers, the lower one first")
	}
	return func(dst []byte, v *values) []byte {
		return strconv.AppendInt(dst, a+rand.New(v.rng).Int64N(b-a+1), 10) //nolint:gosec // not for secrets
	}, nil
}

// appendUUID writes a random UUID (version 4).
func appendUUID(dst []byte, v *values) []byte {
	high, low := v.rng.Uint64(), v.rng.Uint64()
	high = high&^0xf000 | 0x4000
	low = low&^(3<<62) | 2<<62
	return fmt.Appendf(dst, "%08x-%04x-%04x-%04x-%012x", high>>32, high>>16&0xffff, high&0xffff, low>>48, low&0xffffffffffff)
}

func escapePath(dst []byte, from int) []byte {
	return append(dst[:from], strings.ReplaceAll(url.QueryEscape(string(dst[from:])), "+", "%20")...)
}

// escapeHeader takes away what would end the field.
func escapeHeader(dst []byte, from int) []byte {
	for i := from; i < len(dst); i++ {
		if dst[i] < ' ' && dst[i] != '\t' || dst[i] == 0x7f {
			dst[i] = ' '
		}
	}
	return dst
}

// escapeJSON escapes for the inside of a string of JSON.
func escapeJSON(dst []byte, from int) []byte {
	if plainJSON(dst[from:]) {
		return dst
	}
	quoted, _ := json.Marshal(string(dst[from:])) // a string can always be written
	return append(dst[:from], quoted[1:len(quoted)-1]...)
}

func plainJSON(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c == '"' || c == '\\' {
			return false
		}
	}
	return utf8.Valid(b)
}

// parseJSONTemplate reads a JSON text: places stand in its strings, as they can
// nowhere else.
func parseJSONTemplate(text string, in *scope) (*template, error) {
	t, err := parseTemplate(text, in, escapeJSON)
	if err != nil {
		return nil, err
	}
	for i := 1; i < len(t.parts)-1; i++ {
		p, before, after := &t.parts[i], &t.parts[i-1], &t.parts[i+1]
		if p.value && strings.HasSuffix(before.text, `"`) && !escaped(before.text) && strings.HasPrefix(after.text, `"`) &&
			!strings.HasPrefix(strings.TrimLeft(after.text[1:], " \t\r\n"), ":") { // the name of a field stays text
			before.text, after.text, p.escape = before.text[:len(before.text)-1], after.text[1:], nil
		}
	}
	return t, nil
}

// escaped tells whether a quote that ends a text belongs to its string.
func escaped(text string) bool {
	text = text[:len(text)-1]
	return (len(text)-len(strings.TrimRight(text, `\`)))%2 == 1
}

// scope is what the places of a request may name.
type scope struct {
	rows  *Rows
	saved []string // by earlier steps; a name that is saved again means the last
}

// find gives where a name's value is taken from.
func (s *scope) find(name string) (func(*values) value, error) {
	for at := len(s.saved) - 1; at >= 0; at-- {
		if s.saved[at] == name {
			return func(v *values) value { return v.saved[at] }, nil
		}
	}
	at, err := s.rows.column(name)
	return func(v *values) value { return v.row[at] }, err
}

// Rows is data that templates take values from: request i takes row i, and
// after the last the first again.
type Rows struct {
	columns []string
	values  [][]value
}

func (r *Rows) column(name string) (int, error) {
	if r == nil {
		return 0, fmt.Errorf("no data is given; want seq, uuid or random LOW HIGH, or data with a column %q", name)
	}
	at := slices.Index(r.columns, name)
	if at < 0 {
		return 0, fmt.Errorf("the data has no column %q; it has %s", name, clip(strings.Join(r.columns, ", ")))
	}
	return at, nil
}

// cell is a value of CSV: as a JSON value it is a number where it reads as
// one, otherwise text.
func cell(text string) value {
	if json.Valid([]byte(text)) && strings.ContainsAny(text[:1], "-0123456789") {
		return value{text, text}
	}
	quoted, _ := json.Marshal(text) // a string can always be written
	return value{text, string(quoted)}
}
