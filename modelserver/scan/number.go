package scan

import (
	"strconv"
	"unsafe"
)

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
// past ±9999 are cut off as strconv does: they are infinite or zero, but for
// a number with as many zeros to make up for them.
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
	s.Peek()
	if f, ok := s.plain(); ok {
		return f, nil
	}
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

// plain consumes a number of at most 18 digits without exponent, as nearly
// all are; ok is false, and nothing consumed, for any other.
func (s *Scanner) plain() (f float64, ok bool) {
	d, i := s.data[s.pos:], 0
	if len(d) > 0 && d[0] == '-' {
		i = 1
	}
	first := i
	var mantissa uint64
	for ; i < len(d) && isDigit(d[i]); i++ {
		mantissa = mantissa*10 + uint64(d[i]-'0')
	}
	digits, fraction := i-first, 0
	if digits == 0 || digits > 1 && d[first] == '0' {
		return 0, false
	}
	if i < len(d) && d[i] == '.' {
		i++
		from := i
		for ; i < len(d) && isDigit(d[i]); i++ {
			mantissa = mantissa*10 + uint64(d[i]-'0')
		}
		if fraction = i - from; fraction == 0 {
			return 0, false
		}
	}
	if digits+fraction > 18 || mantissa >= 1<<53 || i < len(d) && (d[i] == 'e' || d[i] == 'E') {
		return 0, false
	}
	f = float64(mantissa) / powersOfTen[fraction] // both exact, as in Float
	if first == 1 {
		f = -f
	}
	s.pos += i
	return f, true
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
