package ml

import (
	"github.com/greenlight-dev/greenlight/engine/native/ml/score"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// vectorizer puts the columns of its inputs side by side.
type vectorizer struct {
	widths []int // how many columns of each input; fewer are filled up with 0
	total  int
}

// maxWidth bounds the row that a FeatureVectorizer builds.
const maxWidth = 1 << 28

func buildFeatureVectorizer(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	k := &vectorizer{widths: a.Ints("inputdimensions")}
	if len(k.widths) != len(n.In) {
		return nil, op.Errorf("inputdimensions has %d entries for %d inputs", len(k.widths), len(n.In))
	}
	for _, w := range k.widths {
		if w < 0 || k.total+w > maxWidth {
			return nil, op.Errorf("inputdimensions has %d", w)
		}
		k.total += w
	}
	return k, a.Err()
}

// Run gives [rows, sum of the widths].
func (k *vectorizer) Run(c *op.Context) error {
	rows, _, err := score.Rows(c.T(0))
	if err != nil {
		return err
	}
	dst := tensor.Data[float32](c.NewOut(0, tensor.Float32, rows, k.total))
	clear(dst)
	at := 0
	for i, width := range k.widths {
		x := c.T(i)
		if x == nil {
			return op.Errorf("input %d is missing", i)
		}
		n, columns, err := score.Rows(x)
		if err != nil {
			return err
		}
		if n != rows {
			return op.Errorf("input %d has %d rows, input 0 has %d", i, n, rows)
		}
		src := op.Float32s(c, 0, x)
		for r := range rows {
			copy(dst[r*k.total+at:][:width], src[r*columns:(r+1)*columns])
		}
		at += width
	}
	return nil
}

// extract is ArrayFeatureExtractor: it selects positions of the last
// dimension. A vector counts as one row.
func extract(c *op.Context) error {
	x, picks := c.T(0), tensor.Data[int64](c.T(1))
	if x.Rank() == 0 {
		return op.Errorf("input is a scalar, want at least one dimension")
	}
	columns := x.Dim(-1)
	for i, p := range picks {
		if p < 0 || p >= int64(columns) {
			return op.Errorf("index %d is %d, outside [0, %d)", i, p, columns)
		}
	}
	var buf [8]int
	shape := append(buf[:0], x.Shape()...)
	shape[len(shape)-1] = len(picks)
	if x.Rank() == 1 {
		shape = append(buf[:0], 1, len(picks))
	}
	out := c.NewOut(0, x.DType(), shape...)
	if out.Len() == 0 {
		return nil
	}
	switch {
	case x.DType() == tensor.String:
		extractFrom(out.Strings(), x.Strings(), columns, picks)
	case x.DType().Size() == 4:
		extractFrom(tensor.Data[uint32](out), tensor.Data[uint32](x), columns, picks)
	default:
		extractFrom(tensor.Data[uint64](out), tensor.Data[uint64](x), columns, picks)
	}
	return nil
}

func extractFrom[T any](dst, src []T, columns int, picks []int64) {
	for ; len(src) > 0; src = src[columns:] {
		for j, p := range picks {
			dst[j] = src[p]
		}
		dst = dst[len(picks):]
	}
}

func inferExtractor(n *op.Node) error {
	t := n.Arg(0).Type
	if t.Ranked && len(t.Dims) > 0 {
		last := tensor.Dim{Size: -1}
		if picks := n.Arg(1).Tensor(); picks != nil {
			last.Size = picks.Len()
		}
		dims := append([]tensor.Dim(nil), t.Dims...)
		dims[len(dims)-1] = last
		if len(dims) == 1 {
			dims = []tensor.Dim{{Size: 1}, last}
		}
		t.Dims = dims
	}
	n.SetOut(0, t)
	return nil
}
