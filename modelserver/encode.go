package modelserver

import (
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/greenlight-dev/greenlight/tensor"
)

// appendRow appends one row of an output as JSON: a scalar for [N] and
// [N,1], nested arrays for what is wider.
func appendRow(dst []byte, v tensor.Value, row int) []byte {
	switch v := v.(type) {
	case *tensor.Tensor:
		width := rowWidth(v)
		if v.Rank() <= 1 || v.Rank() == 2 && width == 1 {
			return appendElement(dst, v, row*width)
		}
		return appendNested(dst, v, v.Shape()[1:], row*width)
	case *tensor.Sequence:
		return appendValue(dst, v.Items[row])
	}
	return append(dst, "null"...)
}

// rowWidth is the number of elements of one row.
func rowWidth(t *tensor.Tensor) int {
	if t.Rank() == 0 {
		return 1
	}
	return elements(t.Shape()[1:])
}

// elements is the number of elements of a shape.
func elements(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

func appendNested(dst []byte, t *tensor.Tensor, dims []int, at int) []byte {
	if len(dims) == 0 {
		return appendElement(dst, t, at)
	}
	step := elements(dims[1:])
	dst = append(dst, '[')
	for i := range dims[0] {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendNested(dst, t, dims[1:], at+i*step)
	}
	return append(dst, ']')
}

// appendValue appends a whole value as JSON.
func appendValue(dst []byte, v tensor.Value) []byte {
	switch v := v.(type) {
	case *tensor.Tensor:
		return appendNested(dst, v, v.Shape(), 0)
	case *tensor.Sequence:
		dst = append(dst, '[')
		for i, item := range v.Items {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendValue(dst, item)
		}
		return append(dst, ']')
	case *tensor.Map:
		return appendMap(dst, v)
	case *tensor.Optional:
		if v.Value != nil {
			return appendValue(dst, v.Value)
		}
	}
	return append(dst, "null"...)
}

func appendMap(dst []byte, m *tensor.Map) []byte {
	dst = append(dst, '{')
	for i := range m.Values.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		if m.StringKeys != nil {
			dst = appendText(dst, m.StringKeys[i])
		} else {
			dst = append(dst, '"')
			dst = strconv.AppendInt(dst, m.IntKeys[i], 10)
			dst = append(dst, '"')
		}
		dst = append(dst, ':')
		dst = appendElement(dst, m.Values, i)
	}
	return append(dst, '}')
}

// appendElement appends element i as JSON; a float that JSON cannot write
// (NaN, infinite) is null.
func appendElement(dst []byte, t *tensor.Tensor, i int) []byte {
	switch t.DType() {
	case tensor.Float32:
		return appendFloat(dst, float64(tensor.Data[float32](t)[i]), 32)
	case tensor.Float64:
		return appendFloat(dst, tensor.Data[float64](t)[i], 64)
	case tensor.Float16, tensor.BFloat16:
		return appendFloat(dst, floatAt(t, i), 32)
	case tensor.String:
		return appendText(dst, t.Strings()[i])
	case tensor.Bool:
		return strconv.AppendBool(dst, tensor.Data[bool](t)[i])
	case tensor.Int64:
		return strconv.AppendInt(dst, tensor.Data[int64](t)[i], 10)
	case tensor.Int32:
		return strconv.AppendInt(dst, int64(tensor.Data[int32](t)[i]), 10)
	case tensor.Int16:
		return strconv.AppendInt(dst, int64(tensor.Data[int16](t)[i]), 10)
	case tensor.Int8, tensor.Int4, tensor.Int2:
		return strconv.AppendInt(dst, int64(tensor.Data[int8](t)[i]), 10)
	case tensor.Uint64:
		return strconv.AppendUint(dst, tensor.Data[uint64](t)[i], 10)
	case tensor.Uint32:
		return strconv.AppendUint(dst, uint64(tensor.Data[uint32](t)[i]), 10)
	case tensor.Uint16:
		return strconv.AppendUint(dst, uint64(tensor.Data[uint16](t)[i]), 10)
	case tensor.Uint8, tensor.Uint4, tensor.Uint2:
		return strconv.AppendUint(dst, uint64(tensor.Data[uint8](t)[i]), 10)
	}
	return append(dst, "null"...)
}

// floatAt reads one element of a float tensor of 16 bits or more; NaN for
// any other.
func floatAt(t *tensor.Tensor, i int) float64 {
	switch t.DType() {
	case tensor.Float32:
		return float64(tensor.Data[float32](t)[i])
	case tensor.Float64:
		return tensor.Data[float64](t)[i]
	case tensor.Float16:
		return float64(tensor.Data[tensor.Float16Bits](t)[i].Float32())
	case tensor.BFloat16:
		return float64(tensor.Data[tensor.BFloat16Bits](t)[i].Float32())
	}
	return math.NaN()
}

// appendFloat appends the shortest text that reads back as the same float of
// that many bits.
func appendFloat(dst []byte, v float64, bits int) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return append(dst, "null"...)
	}
	// The plain form where a reader expects it, the short one elsewhere.
	format := byte('f')
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, v, format, -1, bits)
}

const hexDigits = "0123456789abcdef"

// appendText appends a JSON string; invalid UTF-8 becomes U+FFFD.
func appendText(dst []byte, s string) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(append(dst, s[from:i]...), "\ufffd"...)
				from = i + 1
			}
			i += n
			continue
		}
		if c < ' ' || c == '"' || c == '\\' {
			dst = append(dst, s[from:i]...)
			dst = appendEscape(dst, c)
			from = i + 1
		}
		i++
	}
	return append(append(dst, s[from:]...), '"')
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\t':
		return append(dst, '\\', 't')
	case '\r':
		return append(dst, '\\', 'r')
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
