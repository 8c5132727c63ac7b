package attention

import (
	"math"
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"github.com/greenlight-dev/greenlight/engine/native/numeric"
)

// softcap sets each value to limit·tanh(value/limit).
func softcap[T float](values []T, limit float64) {
	if limit <= 0 {
		return
	}
	for i := range values {
		values[i] /= T(limit)
	}
	switch v := any(values).(type) {
	case []float32:
		gemm.TanhInto(v, v)
	case []float64:
		for i, x := range v {
			v[i] = math.Tanh(x)
		}
	}
	for i := range values {
		values[i] *= T(limit)
	}
}

// softmax turns a row of scores into probabilities. A row of -Inf alone
// becomes zero.
func softmax[T float](row []T) {
	top := T(math.Inf(-1))
	for _, v := range row {
		if v > top {
			top = v
		}
	}
	if math.IsInf(float64(top), -1) && !slices.ContainsFunc(row, func(v T) bool { return v != v }) {
		clear(row)
		return
	}
	for i := range row {
		row[i] -= top
	}
	numeric.Exp(row)
	share := T(1 / total(row))
	for i := range row {
		row[i] *= share
	}
}

// total adds in four interleaved float64 sums, which neither wait for each
// other nor lose the small terms of a long row.
func total[T float](row []T) float64 {
	var a, b, c, d float64
	for ; len(row) >= 4; row = row[4:] {
		a, b, c, d = a+float64(row[0]), b+float64(row[1]), c+float64(row[2]), d+float64(row[3])
	}
	for _, v := range row {
		a += float64(v)
	}
	return (a + b) + (c + d)
}
