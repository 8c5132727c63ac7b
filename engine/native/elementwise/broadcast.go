package elementwise

import "github.com/greenlight-dev/greenlight/engine/native/op"

// maxInputs is the largest number of inputs that one walk follows (Where).
const maxInputs = 3

// walk visits a broadcast output in rows: runs of neighbouring elements along
// which each input either advances by one or stays. It lives in a context's
// state, so that its slices are reused from run to run.
type walk struct {
	shape []int // of the output
	other []int // the last but one intermediate shape

	// The output's dimensions, innermost first, without those of size 1 and
	// with neighbours merged that every input reads alike.
	dims    []int
	strides [][maxInputs]int
	index   []int
	offset  [maxInputs]int
}

// plan prepares the walk over what shapes broadcast to.
func (w *walk) plan(shapes ...[]int) error {
	w.shape = append(w.shape[:0], shapes[0]...)
	for _, s := range shapes[1:] {
		wider, err := op.Broadcast(w.other[:0], w.shape, s)
		if err != nil {
			return err
		}
		w.shape, w.other = wider, w.shape
	}
	w.merge(shapes)
	return nil
}

// planOnto prepares the walk over shape out, to which s must broadcast.
func (w *walk) planOnto(out, s []int) error {
	if err := w.plan(s, out); err != nil {
		return err
	}
	if op.Product(w.shape) != op.Product(out) || len(w.shape) != len(out) {
		return op.Errorf("shape %v does not broadcast to %v", clone(s), clone(out))
	}
	return nil
}

// clone copies a shape for an error message, so that the original need not
// live on the heap.
func clone(s []int) []int { return append([]int(nil), s...) }

func (w *walk) merge(shapes [][]int) {
	w.dims, w.strides = w.dims[:0], w.strides[:0]
	var size [maxInputs]int // elements of each input inside the dimension
	for k := range size {
		size[k] = 1
	}
	for i := 1; i <= len(w.shape); i++ {
		var stride [maxInputs]int
		for k, s := range shapes {
			if i <= len(s) && s[len(s)-i] != 1 {
				stride[k] = size[k]
				size[k] *= s[len(s)-i]
			}
		}
		if d := w.shape[len(w.shape)-i]; d != 1 {
			w.add(d, stride)
		}
	}
	if len(w.dims) == 0 {
		w.add(1, [maxInputs]int{})
	}
	w.index = w.index[:0]
	for range w.dims {
		w.index = append(w.index, 0)
	}
	w.offset = [maxInputs]int{}
}

// add appends the next outer dimension, or widens the last one.
func (w *walk) add(d int, stride [maxInputs]int) {
	last := len(w.dims) - 1
	if last < 0 {
		w.dims, w.strides = append(w.dims, d), append(w.strides, stride)
		return
	}
	for k := range stride {
		if stride[k] != w.strides[last][k]*w.dims[last] {
			w.dims, w.strides = append(w.dims, d), append(w.strides, stride)
			return
		}
	}
	w.dims[last] *= d
}

// next moves to the following row.
func (w *walk) next() {
	for i := 1; i < len(w.dims); i++ {
		w.index[i]++
		for k := range w.offset {
			w.offset[k] += w.strides[i][k]
		}
		if w.index[i] < w.dims[i] {
			return
		}
		for k := range w.offset {
			w.offset[k] -= w.strides[i][k] * w.dims[i]
		}
		w.index[i] = 0
	}
}

// row is what input k contributes to the current row: a slice as long as the
// row, or one element that repeats.
func row[T any](w *walk, k int, data []T) []T {
	o := w.offset[k]
	if w.strides[0][k] == 0 {
		return data[o : o+1]
	}
	return data[o : o+w.dims[0]]
}

// eachRow computes dst row by row from two broadcast inputs.
func eachRow[S, D any](w *walk, dst []D, a, b []S, f func(dst []D, a, b []S)) {
	n := w.dims[0]
	for o := 0; o < len(dst); o += n {
		f(dst[o:o+n], row(w, 0, a), row(w, 1, b))
		w.next()
	}
}

// mask is what to and an index into s with: all ones when s is a full row,
// zero when s is one element that repeats.
func mask[T any](s []T) int {
	if len(s) == 1 {
		return 0
	}
	return -1
}
