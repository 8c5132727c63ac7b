package scan

import (
	"unicode/utf16"
	"unicode/utf8"
)

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
