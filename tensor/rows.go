package tensor

import "slices"

// SetRows gives t another first dimension and keeps the elements that both
// shapes have; new ones are unspecified. Memory grows by doubling, so adding
// rows one by one is cheap. It panics on a tensor of rank 0.
func (t *Tensor) SetRows(rows int) {
	t.shape[0] = rows
	t.n = mustElements(t.shape)
	if t.dtype == String {
		t.strings = slices.Grow(t.strings, max(0, t.n-len(t.strings)))[:t.n]
		return
	}
	size := t.n * t.dtype.Size()
	if size > cap(t.raw) {
		grown := aligned(max(size, 2*cap(t.raw)))
		copy(grown, t.raw)
		t.raw = grown
	}
	t.raw = t.raw[:size]
}

// ViewRows makes t a view of rows from to to (exclusive) of src, sharing
// memory. It panics where a slice expression would.
func (t *Tensor) ViewRows(src *Tensor, from, to int) {
	width := 1
	for _, d := range src.shape[1:] {
		width *= d
	}
	t.dtype, t.n = src.dtype, (to-from)*width
	t.shape = append(t.shape[:0], src.shape...)
	t.shape[0] = to - from
	if src.dtype == String {
		t.raw, t.strings = nil, src.strings[from*width:to*width]
		return
	}
	size := width * src.dtype.Size()
	t.raw, t.strings = src.raw[from*size:to*size:to*size], nil
}
