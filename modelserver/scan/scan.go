// Package scan reads JSON request bodies token by token, without allocating,
// straight into tensors. It accepts exactly the texts that encoding/json
// accepts, which a fuzz test holds it to, and says where a text is wrong.
package scan

import (
	"fmt"
	"strconv"
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

// AcceptKey consumes a key and the colon after it if the key is written just
// as quoted, with quotes and escapes. A reader that knows which key comes next
// saves unescaping and looking it up.
func (s *Scanner) AcceptKey(quoted string) bool {
	s.Peek()
	start, end := s.pos, s.pos+len(quoted)
	if end > len(s.data) || string(s.data[start:end]) != quoted {
		return false
	}
	s.pos = end
	if s.Accept(':') {
		return true
	}
	s.pos = start
	return false
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
