package attention

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// mask says which keys each query attends to, and what is added to their
// scores.
type mask[T float] struct {
	bias    []T    // -Inf where a key is excluded; nil for none
	strides [4]int // of bias, by sample, head, query and key; 0 repeats
	columns int    // keys that bias covers; further ones are excluded
	lengths []int64
	total   int
}

// newMask reads the mask of a call, input 3, and the lengths, input 6.
func newMask[T float](c *op.Context, e *extent) (m mask[T], err error) {
	m.total = e.total()
	if t := c.T(6); t != nil {
		if t.Len() != e.batch {
			return m, op.Errorf("nonpad_kv_seqlen is %v, want one length for each of %d samples", t, e.batch)
		}
		m.lengths = tensor.Data[int64](t)
	}
	t := c.T(3)
	if t == nil {
		return m, nil
	}
	if err := m.place(t, e); err != nil {
		return m, err
	}
	if t.DType() != tensor.Bool {
		m.bias = read[T](c, 3, t)
		return m, nil
	}
	m.bias = op.Scratch[T](c, 3, t.Len())
	for i, allowed := range tensor.Data[bool](t) {
		m.bias[i] = 0
		if !allowed {
			m.bias[i] = T(math.Inf(-1))
		}
	}
	return m, nil
}

// place checks the mask's shape and finds its strides.
func (m *mask[T]) place(t *tensor.Tensor, e *extent) error {
	want := [4]int{e.batch, e.queryHeads, e.queries, m.total}
	step := 1
	m.columns = m.total
	for i := range t.Rank() {
		axis, d := 3-i, t.Dim(-1-i)
		switch {
		case i >= 4:
			if d != 1 {
				return op.Errorf("the mask is %v, which does not broadcast to %v", t, want)
			}
		case d == 1 && want[axis] != 1:
		case axis == 3 && d <= want[axis]:
			m.strides[axis], m.columns = step, d
		case d == want[axis]:
			m.strides[axis] = step
		default:
			return op.Errorf("the mask is %v, which does not broadcast to %v", t, want)
		}
		step *= d
	}
	return nil
}

// apply masks query i's scores. It gives false when no key is left.
func (m *mask[T]) apply(row []T, sample, head, i, lo, hi int) bool {
	if m.lengths != nil {
		hi = int(min(int64(hi), max(0, m.lengths[sample])))
	}
	hi = min(hi, len(row))
	if m.bias != nil {
		hi = min(hi, m.columns)
	}
	lo = min(max(lo, 0), max(hi, 0))
	exclude(row[:lo])
	exclude(row[max(hi, lo):])
	if m.bias == nil {
		return hi > lo
	}
	left := false
	at := sample*m.strides[0] + head*m.strides[1] + i*m.strides[2] + lo*m.strides[3]
	for j := lo; j < hi; j++ {
		if b := m.bias[at]; math.IsInf(float64(b), -1) {
			row[j] = b
		} else {
			row[j] += b
			left = true
		}
		at += m.strides[3]
	}
	return left
}

func exclude[T float](row []T) {
	for j := range row {
		row[j] = T(math.Inf(-1))
	}
}

// window gives the keys [lo, hi) that query i of a sample may attend to by its
// position.
func (k *attention) window(e *extent, lengths []int64, sample, i int) (lo, hi int) {
	offset, far := e.past, e.total()+e.queries
	if lengths != nil && e.past == 0 {
		offset = int(min(max(lengths[sample], 0), int64(e.total()))) - e.queries
	}
	p := i + offset
	lo, hi = 0, e.total()
	if k.causal {
		hi = min(hi, p+1)
	}
	if k.right >= 0 {
		hi = min(hi, p+min(k.right, far)+1)
	}
	if k.left >= 0 {
		lo = p - min(k.left, far)
	}
	return lo, hi
}
