// Package scan reads JSON request bodies token by token, without allocating,
// straight into tensors. It accepts exactly the texts that encoding/json
// accepts, which a fuzz test holds it to, and says where a text is wrong.
package scan

import (
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// MaxDepth bounds the nesting of arrays and objects.
const MaxDepth = 64

// Scanner walks one JSON text. The zero value with Reset is ready for use.
type Scanner struct {
	data []byte
	pos  int
	text []byte // unescaped string, reused
}

// SyntaxError says where a text is not the JSON that was wanted.
type SyntaxError struct {
	Offset int // bytes from the start of the text
	Want   string
	Got    string
}

// Error gives offset, expectation and finding.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("JSON at byte %d: expected %s, got %s", e.Offset, e.Want, e.Got)
}

// Reset starts over on another text. The text must not change while tokens
// of it are in use.
func (s *Scanner) Reset(data []byte) {
	s.data, s.pos = data, 0
}

// Offset is the position of the next byte to read.
func (s *Scanner) Offset() int { return s.pos }

// Len is the length of the text in bytes.
func (s *Scanner) Len() int { return len(s.data) }

// Peek is the first byte of the next token without consuming it; 0 at the
// end of the text.
func (s *Scanner) Peek() byte {
	for s.pos < len(s.data) {
		switch c := s.data[s.pos]; c {
		case ' ', '\n', '\r', '\t':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// Fail makes the error for the next token.
func (s *Scanner) Fail(want string) error {
	return &SyntaxError{Offset: s.pos, Want: want, Got: Describe(s.Peek())}
}

// Describe names for a person the token that starts with c, as Peek gives it.
func Describe(c byte) string {
	switch {
	case c == 0:
		return "the end of the text"
	case c == '"':
		return "text"
	case c == '{':
		return "an object"
	case c == '[':
		return "an array"
	case c == '-' || isDigit(c):
		return "a number"
	case c == 't' || c == 'f':
		return "true or false"
	case c == 'n':
		return "null"
	default:
		return strconv.QuoteRune(rune(c))
	}
}

// Expect consumes one punctuation byte.
func (s *Scanner) Expect(c byte) error {
	if s.Peek() != c || s.pos >= len(s.data) {
		return s.Fail(strconv.QuoteRune(rune(c)))
	}
	s.pos++
	return nil
}

// Accept consumes one punctuation byte if it is next.
func (s *Scanner) Accept(c byte) bool {
	if s.Peek() != c || s.pos >= len(s.data) {
		return false
	}
	s.pos++
	return true
}

// More says whether another element follows in an array or object that ends
// with close: call it after the opening bracket (first true) and after each
// element. It consumes the comma, and at the end the closing bracket.
func (s *Scanner) More(closing byte, first bool) (bool, error) {
	if s.Accept(closing) {
		return false, nil
	}
	if first {
		return true, nil
	}
	if !s.Accept(',') {
		return false, s.Fail("',' or " + strconv.QuoteRune(rune(closing)))
	}
	if s.Peek() == closing {
		return false, s.Fail("another element after ','")
	}
	return true, nil
}

// End checks that nothing but white space follows.
func (s *Scanner) End() error {
	if s.Peek() != 0 || s.pos < len(s.data) {
		return s.Fail("the end of the text")
	}
	return nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// number is a scanned JSON number: ±mantissa × 10^exponent, exactly so when
// exact is set.
type number struct {
	text     []byte
	mantissa uint64 // the first 19 significant digits
	digits   int    // significant digits seen
	exponent int
	negative bool
	integer  bool // neither fraction nor exponent
}

// string is the number's text, valid as long as the scanned text is.
func (n *number) string() string { return unsafe.String(unsafe.SliceData(n.text), len(n.text)) }

func (n *number) exact() bool { return n.digits <= 19 }

// digit takes in one more digit, of the integer part or of the fraction.
func (n *number) digit(c byte, fraction bool) {
	if n.digits < 19 {
		n.mantissa = n.mantissa*10 + uint64(c-'0')
		if n.mantissa != 0 {
			n.digits++
		}
		if fraction {
			n.exponent--
		}
		return
	}
	n.digits++
	if !fraction {
		n.exponent++
	}
}

// number consumes a number.
func (s *Scanner) number() (n number, err error) {
	s.Peek()
	i, d := s.pos, s.data
	if i < len(d) && d[i] == '-' {
		n.negative = true
		i++
	}
	first := i
	for ; i < len(d) && isDigit(d[i]); i++ {
		n.digit(d[i], false)
	}
	if i == first || (d[first] == '0' && i > first+1) {
		return n, s.Fail("a number")
	}
	n.integer = true
	if i < len(d) && d[i] == '.' {
		n.integer = false
		i++
		from := i
		for ; i < len(d) && isDigit(d[i]); i++ {
			n.digit(d[i], true)
		}
		if i == from {
			return n, s.Fail("a number")
		}
	}
	if i < len(d) && (d[i] == 'e' || d[i] == 'E') {
		n.integer = false
		e, length := exponentAt(d[i:])
		if length == 0 {
			return n, s.Fail("a number")
		}
		n.exponent += e
		i += length
	}
	n.text, s.pos = d[s.pos:i], i
	return n, nil
}

// exponentAt reads "e-12": its value and length, 0 when malformed. Values
// past ±9999 stay there: they are infinite or zero either way.
func exponentAt(d []byte) (value, length int) {
	i := 1
	negative := false
	if i < len(d) && (d[i] == '+' || d[i] == '-') {
		negative = d[i] == '-'
		i++
	}
	from := i
	for i < len(d) && isDigit(d[i]) {
		if value < 10000 {
			value = value*10 + int(d[i]-'0')
		}
		i++
	}
	if i == from {
		return 0, 0
	}
	if negative {
		value = -value
	}
	return value, i
}

var powersOfTen = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// Float consumes a number, rounded to the nearest float64. A number too
// large for one is an error.
func (s *Scanner) Float() (float64, error) {
	at := s.pos
	n, err := s.number()
	if err != nil {
		return 0, err
	}
	// Both operands exact, one rounding: the result is the nearest (Clinger,
	// "How to read floating point numbers accurately", 1990).
	if n.exact() && n.mantissa < 1<<53 && n.exponent >= -22 && n.exponent <= 22 {
		f := float64(n.mantissa)
		if n.exponent < 0 {
			f /= powersOfTen[-n.exponent]
		} else {
			f *= powersOfTen[n.exponent]
		}
		if n.negative {
			f = -f
		}
		return f, nil
	}
	f, err := strconv.ParseFloat(n.string(), 64)
	if err != nil {
		return 0, &SyntaxError{Offset: at, Want: "a number that fits 64 bits", Got: clip(n.text)}
	}
	return f, nil
}

// Int consumes a whole number that fits an int64; "3.0" and "3e0" are not
// whole numbers.
func (s *Scanner) Int() (int64, error) {
	at := s.pos
	n, err := s.number()
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseInt(n.string(), 10, 64)
	if !n.integer || err != nil {
		return 0, &SyntaxError{Offset: at, Want: "a whole number of 64 bits", Got: clip(n.text)}
	}
	return v, nil
}

// Uint consumes a whole number that fits a uint64.
func (s *Scanner) Uint() (uint64, error) {
	at := s.pos
	n, err := s.number()
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseUint(n.string(), 10, 64)
	if !n.integer || err != nil {
		return 0, &SyntaxError{Offset: at, Want: "a whole number from 0 to 2⁶⁴−1", Got: clip(n.text)}
	}
	return v, nil
}

func clip(text []byte) string {
	if len(text) > 40 {
		return string(text[:40]) + "…"
	}
	return string(text)
}

// literal consumes a fixed word.
func (s *Scanner) literal(word string) bool {
	s.Peek()
	if len(s.data)-s.pos < len(word) || string(s.data[s.pos:s.pos+len(word)]) != word {
		return false
	}
	s.pos += len(word)
	return true
}

// Null consumes null if it is next.
func (s *Scanner) Null() bool { return s.literal("null") }

// Bool consumes true or false.
func (s *Scanner) Bool() (bool, error) {
	switch {
	case s.literal("true"):
		return true, nil
	case s.literal("false"):
		return false, nil
	}
	return false, s.Fail("true or false")
}

// Text consumes a string. The bytes are valid until the next call or Reset,
// and must not be changed. Invalid UTF-8 and lone surrogates become U+FFFD,
// as in encoding/json.
func (s *Scanner) Text() ([]byte, error) {
	if s.Peek() != '"' {
		return nil, s.Fail("text")
	}
	start := s.pos + 1
	for i := start; i < len(s.data); i++ {
		switch c := s.data[i]; {
		case c == '"':
			s.pos = i + 1
			return s.data[start:i], nil
		case c == '\\' || c >= utf8.RuneSelf:
			return s.slowText(start, i)
		case c < ' ':
			s.pos = i
			return nil, s.Fail("text without control characters")
		}
	}
	s.pos = len(s.data)
	return nil, s.Fail("the end of a text")
}

// slowText unescapes a string whose first i-start bytes are plain ASCII.
func (s *Scanner) slowText(start, i int) ([]byte, error) {
	s.text = append(s.text[:0], s.data[start:i]...)
	for i < len(s.data) {
		switch c := s.data[i]; {
		case c == '"':
			s.pos = i + 1
			return s.text, nil
		case c == '\\':
			n := s.escape(i)
			if n == 0 {
				s.pos = i
				return nil, s.Fail("a valid escape in a text")
			}
			i += n
		case c < ' ':
			s.pos = i
			return nil, s.Fail("text without control characters")
		case c < utf8.RuneSelf:
			s.text = append(s.text, c)
			i++
		default:
			r, n := utf8.DecodeRune(s.data[i:])
			s.text = utf8.AppendRune(s.text, r)
			i += n
		}
	}
	s.pos = len(s.data)
	return nil, s.Fail("the end of a text")
}

// escape appends the escape at i and gives its length, 0 when malformed.
func (s *Scanner) escape(i int) int {
	if i+1 >= len(s.data) {
		return 0
	}
	switch c := s.data[i+1]; c {
	case '"', '\\', '/':
		s.text = append(s.text, c)
	case 'b':
		s.text = append(s.text, '\b')
	case 'f':
		s.text = append(s.text, '\f')
	case 'n':
		s.text = append(s.text, '\n')
	case 'r':
		s.text = append(s.text, '\r')
	case 't':
		s.text = append(s.text, '\t')
	case 'u':
		return s.unicodeEscape(i)
	default:
		return 0
	}
	return 2
}

func (s *Scanner) unicodeEscape(i int) int {
	r, ok := s.hex4(i)
	if !ok {
		return 0
	}
	if utf16.IsSurrogate(r) {
		if low, ok := s.hex4(i + 6); ok {
			if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
				s.text = utf8.AppendRune(s.text, pair)
				return 12
			}
		}
		r = utf8.RuneError
	}
	s.text = utf8.AppendRune(s.text, r)
	return 6
}

// hex4 reads `\uXXXX` at i.
func (s *Scanner) hex4(i int) (rune, bool) {
	if i+6 > len(s.data) || s.data[i] != '\\' || s.data[i+1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range s.data[i+2 : i+6] {
		switch {
		case isDigit(c):
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// Skip consumes one value of any kind, checking its syntax.
func (s *Scanner) Skip() error { return s.skip(0) }

func (s *Scanner) skip(depth int) error {
	if depth > MaxDepth {
		return s.Fail("less deeply nested JSON")
	}
	switch c := s.Peek(); c {
	case '{':
		return s.skipObject(depth)
	case '[':
		return s.skipArray(depth)
	case '"':
		_, err := s.Text()
		return err
	case 't', 'f':
		_, err := s.Bool()
		return err
	case 'n':
		if s.Null() {
			return nil
		}
		return s.Fail("a JSON value")
	default:
		if c == '-' || isDigit(c) {
			_, err := s.number()
			return err
		}
		return s.Fail("a JSON value")
	}
}

func (s *Scanner) skipArray(depth int) error {
	s.pos++
	for first := true; ; first = false {
		more, err := s.More(']', first)
		if !more {
			return err
		}
		if err := s.skip(depth + 1); err != nil {
			return err
		}
	}
}

func (s *Scanner) skipObject(depth int) error {
	s.pos++
	for first := true; ; first = false {
		more, err := s.More('}', first)
		if !more {
			return err
		}
		if _, err := s.Key(); err != nil {
			return err
		}
		if err := s.skip(depth + 1); err != nil {
			return err
		}
	}
}

// Key consumes an object's key and the colon after it; the bytes are valid
// as those of Text are.
func (s *Scanner) Key() ([]byte, error) {
	key, err := s.Text()
	if err != nil {
		return nil, err
	}
	if err := s.Expect(':'); err != nil {
		return nil, err
	}
	return key, nil
}
