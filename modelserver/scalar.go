package modelserver

import (
	"errors"
	"math"
	"strconv"

	"github.com/greenlight-dev/greenlight/modelserver/scan"
	"github.com/greenlight-dev/greenlight/tensor"
)

// readScalar reads one JSON value as an element of t's type: a text, true or
// false (or 1 or 0), or a number; null is a float's NaN and a text's "". When
// that cannot be, got says what stands there instead.
func readScalar(s *scan.Scanner, t *tensor.Tensor, at int, texts *interner) (got string, ok bool) {
	switch d := t.DType(); {
	case d.IsFloat():
		return readFloat(s, t, at)
	case d == tensor.String:
		return readText(s, t, at, texts)
	case d == tensor.Bool:
		return readBool(s, t, at)
	case d == tensor.Uint64:
		first := s.Peek()
		v, err := s.Uint()
		if err != nil {
			return numberFound(err, first), false
		}
		tensor.Data[uint64](t)[at] = v
		return "", true
	}
	first := s.Peek()
	v, err := s.Int()
	if err != nil {
		return numberFound(err, first), false
	}
	if !putInt(t, at, v) {
		return strconv.FormatInt(v, 10), false
	}
	return "", true
}

func readFloat(s *scan.Scanner, t *tensor.Tensor, at int) (got string, ok bool) {
	first := s.Peek()
	if first == 'n' && s.Null() {
		return "", putFloat(t, at, math.NaN())
	}
	v, err := s.Float()
	if err != nil {
		return numberFound(err, first), false
	}
	if t.DType() == tensor.Float32 && math.Abs(v) <= math.MaxFloat32 { // nearly always
		tensor.Data[float32](t)[at] = float32(v)
		return "", true
	}
	if !putFloat(t, at, v) {
		return strconv.FormatFloat(v, 'g', -1, 64) + ", too large for " + t.DType().String(), false
	}
	return "", true
}

func readText(s *scan.Scanner, t *tensor.Tensor, at int, texts *interner) (got string, ok bool) {
	first := s.Peek()
	if first == 'n' && s.Null() {
		t.Strings()[at] = ""
		return "", true
	}
	text, err := s.Text()
	if err != nil {
		return scan.Describe(first), false
	}
	t.Strings()[at] = texts.text(text)
	return "", true
}

func readBool(s *scan.Scanner, t *tensor.Tensor, at int) (got string, ok bool) {
	var v bool
	var err error
	first := s.Peek()
	if first == '0' || first == '1' {
		var n int64
		if n, err = s.Int(); n > 1 {
			return strconv.FormatInt(n, 10), false
		}
		v = n == 1
	} else {
		v, err = s.Bool()
	}
	if err != nil {
		return numberFound(err, first), false
	}
	tensor.Data[bool](t)[at] = v
	return "", true
}

// numberFound names what stands where a number is wanted: the number itself
// where it is one, of the wrong kind or size.
func numberFound(err error, first byte) string {
	var syntax *scan.SyntaxError
	if got := scan.Describe(first); got != "a number" || !errors.As(err, &syntax) {
		return got
	}
	return syntax.Got
}
