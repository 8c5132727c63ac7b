package elementwise

import (
	"math"
	"strconv"
	"strings"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// parse fills out with the numbers that the strings write. Whole numbers keep
// all 64 bits; other literals go through float64.
func (k *castKernel) parse(c *op.Context, out *tensor.Tensor, text []string) error {
	if out.DType() == tensor.Int64 {
		return parseInto(tensor.Data[int64](out), text, parseInt)
	}
	if out.DType() == tensor.Uint64 {
		return parseInto(tensor.Data[uint64](out), text, parseUint)
	}
	number := tensor.Tensor{}
	number.Reset(tensor.Float64, len(text))
	if err := parseInto(tensor.Data[float64](&number), text, parseFloat); err != nil {
		return err
	}
	if out.DType() == tensor.Float64 {
		copy(out.Bytes(), number.Bytes())
		return nil
	}
	k.convert(c, out, source{Tensor: &number})
	return nil
}

func parseInto[T number](dst []T, text []string, parse func(string) (T, error)) error {
	for i, s := range text {
		v, err := parse(strings.TrimSpace(s))
		if err != nil {
			return op.Errorf("element %d, %.40q, is not a number", i, s)
		}
		dst[i] = v
	}
	return nil
}

// parseFloat accepts "INF", "+inf" and "NaN" in any case, as ONNX wants. What
// is too large becomes infinite.
func parseFloat(s string) (float64, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil && math.IsInf(v, 0) {
		return v, nil
	}
	return v, err
}

func parseInt(s string) (int64, error) {
	if v, err := strconv.ParseInt(s, 10, 64); err == nil {
		return v, nil
	}
	v, err := parseFloat(s)
	return int64(v), err
}

func parseUint(s string) (uint64, error) {
	if v, err := strconv.ParseUint(s, 10, 64); err == nil {
		return v, nil
	}
	v, err := parseInt(s)
	return uint64(v), err
}

// format writes numbers as text: integers in decimal, truth values as 1 and
// 0, floats with as few digits as tell them apart from their neighbours.
func format(dst []string, in *tensor.Tensor) {
	switch d := in.DType(); d {
	case tensor.Float64:
		formatFloats(dst, tensor.Data[float64](in), 64)
	case tensor.Uint64:
		for i, v := range tensor.Data[uint64](in) {
			dst[i] = strconv.FormatUint(v, 10)
		}
	default:
		if d.IsFloat() {
			formatFloats(dst, floats(in), 32)
			return
		}
		whole := make([]int64, in.Len())
		read(whole, source{Tensor: in})
		for i, v := range whole {
			dst[i] = strconv.FormatInt(v, 10)
		}
	}
}

// floats reads a float tensor of at most 32 bits.
func floats(in *tensor.Tensor) []float32 {
	if in.DType() == tensor.Float32 {
		return tensor.Data[float32](in)
	}
	return widen(&op.Context{}, in).wide
}

func formatFloats[T float](dst []string, src []T, bits int) {
	for i, v := range src {
		dst[i] = formatFloat(float64(v), bits)
	}
}

// formatFloat writes a number plainly, unless it is so large or small that
// mostly zeros would come out.
func formatFloat(v float64, bits int) string {
	switch a := math.Abs(v); {
	case v != v:
		return "NaN"
	case a > math.MaxFloat64 && v > 0:
		return "INF"
	case a > math.MaxFloat64:
		return "-INF"
	case a != 0 && (a < 1e-6 || a >= 1e21):
		return strconv.FormatFloat(v, 'e', -1, bits)
	}
	return strconv.FormatFloat(v, 'f', -1, bits)
}
