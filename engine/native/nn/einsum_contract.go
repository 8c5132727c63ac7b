package nn

import (
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// einsumState is what a node keeps between runs.
type einsumState struct {
	einsumPlan
	ws gemm.Workspace
}

// operand is a tensor on its way through the equation.
type operand[T number] struct {
	axesView
	data []T
}

// runEinsumSmall computes the 16-bit floats in float32 and rounds at the end.
func runEinsumSmall(pl *einsumState, c *op.Context, out *tensor.Tensor) error {
	wide := op.Scratch[float32](c, 0, out.Len())
	err := runEinsum(pl, c, wide, func(i int) []float32 {
		return op.Float32s(c, 3*len(pl.operands)+i, c.T(i))
	})
	if err == nil {
		op.WriteFloat32s(out, wide)
	}
	return err
}

// runEinsumNarrow computes the narrow integers in int32, whose lower bits are
// the same.
func runEinsumNarrow[T int8 | int16 | uint8 | uint16](pl *einsumState, c *op.Context, out *tensor.Tensor) error {
	wide := op.Scratch[int32](c, 0, out.Len())
	err := runEinsum(pl, c, wide, func(i int) []int32 {
		src := tensor.Data[T](c.T(i))
		dst := op.Scratch[int32](c, 3*len(pl.operands)+i, len(src))
		for j, v := range src {
			dst[j] = int32(v)
		}
		return dst
	})
	if err != nil {
		return err
	}
	for i, dst := 0, tensor.Data[T](out); i < len(dst); i++ {
		dst[i] = T(wide[i])
	}
	return nil
}

func runEinsumIn[T number](pl *einsumState, c *op.Context, out *tensor.Tensor) error {
	return runEinsum(pl, c, tensor.Data[T](out), func(i int) []T { return tensor.Data[T](c.T(i)) })
}

// runEinsum folds the operands, which data gives, from left to right.
func runEinsum[T number](pl *einsumState, c *op.Context, dst []T, data func(input int) []T) error {
	if len(dst) == 0 {
		return nil
	}
	acc := operand[T]{pl.operands[0], data(0)}
	for i := 1; i < len(pl.operands); i++ {
		next := operand[T]{pl.operands[i], data(i)}
		order := pl.order(acc.axesView, next.axesView, i)
		if err := pl.bounded(c, order, tensor.Of[T]()); err != nil {
			return err
		}
		if i == len(pl.operands)-1 && slices.Equal(order.result(), pl.output) {
			contract(pl, c, i, order, acc, next, dst)
			return nil
		}
		result := op.Scratch[T](c, 3*i, pl.elements(order.result()))
		contract(pl, c, i, order, acc, next, result)
		acc = operand[T]{pl.packedView(order.result()), result}
	}
	arrangeAxes(pl, dst, acc, pl.output)
	return nil
}

// contraction sorts the labels of two operands: in both and needed later
// (batch), in one and needed later (left, right), in both and not needed (sum).
// Labels in one operand and not needed are summed before.
type contraction struct{ batch, left, right, sum []label }

func (o contraction) result() []label { return slices.Concat(o.batch, o.left, o.right) }

// order sorts the labels of a and b, the operand of this number.
func (pl *einsumState) order(a, b axesView, number int) contraction {
	var o contraction
	needed := func(l label) bool {
		if slices.Contains(pl.output, l) {
			return true
		}
		return slices.ContainsFunc(pl.operands[number+1:], func(v axesView) bool { return slices.Contains(v.labels, l) })
	}
	for _, l := range a.labels {
		switch both := slices.Contains(b.labels, l); {
		case both && needed(l):
			o.batch = append(o.batch, l)
		case both:
			o.sum = append(o.sum, l)
		case needed(l):
			o.left = append(o.left, l)
		}
	}
	for _, l := range b.labels {
		if !slices.Contains(a.labels, l) && needed(l) {
			o.right = append(o.right, l)
		}
	}
	return o
}

// bounded checks the memory that a contraction needs.
func (pl *einsumState) bounded(c *op.Context, o contraction, d tensor.DType) error {
	for _, labels := range [][]label{o.result(), slices.Concat(o.batch, o.left, o.sum), slices.Concat(o.batch, o.right, o.sum)} {
		factors := make([]int, len(labels))
		for i, l := range labels {
			factors[i] = pl.size[l]
		}
		if err := bounded(c, d, factors...); err != nil {
			return err
		}
	}
	return nil
}

// packedView reads a row-major tensor with these axes.
func (pl *einsumState) packedView(labels []label) axesView {
	v := axesView{labels: labels, strides: make([]int, len(labels))}
	n := 1
	for i := len(labels) - 1; i >= 0; i-- {
		v.strides[i] = n
		n *= pl.size[labels[i]]
	}
	return v
}

// contract multiplies two operands into result.
func contract[T number](pl *einsumState, c *op.Context, i int, o contraction, a, b operand[T], result []T) {
	m, n, depth := pl.elements(o.left), pl.elements(o.right), pl.elements(o.sum)
	left := inOrder(pl, c, 3*i+1, a, slices.Concat(o.batch, o.left, o.sum))
	plain := slices.Concat(o.batch, o.sum, o.right)
	trans, ld := !pl.isPacked(b.axesView, plain), n
	if trans {
		plain, ld = slices.Concat(o.batch, o.right, o.sum), depth
	}
	right := inOrder(pl, c, 3*i+2, b, plain)
	for s := range pl.elements(o.batch) {
		multiply(&pl.ws, result[s*m*n:][:m*n], m, n, depth, left[s*m*depth:], depth, false, right[s*n*depth:], ld, trans)
	}
}

// isPacked tells whether v reads a row-major tensor with these axes.
func (pl *einsumState) isPacked(v axesView, labels []label) bool {
	return slices.Equal(v.labels, labels) && slices.Equal(v.strides, pl.packedView(labels).strides)
}

// inOrder gives a's elements with its axes in this order, summed over those
// not in it. It copies only where a is not so already.
func inOrder[T number](pl *einsumState, c *op.Context, k int, a operand[T], labels []label) []T {
	if pl.isPacked(a.axesView, labels) {
		return a.data
	}
	dst := op.Scratch[T](c, k, pl.elements(labels))
	arrangeAxes(pl, dst, a, labels)
	return dst
}

// arrangeAxes writes a with its axes in this order, summed over the others.
func arrangeAxes[T number](pl *einsumState, dst []T, a operand[T], labels []label) {
	var kept, summed []axisWalk
	for _, l := range labels {
		stride := 0
		if at := slices.Index(a.labels, l); at >= 0 {
			stride = a.strides[at]
		}
		kept = append(kept, axisWalk{pl.size[l], stride, 0})
	}
	for i, l := range a.labels {
		if !slices.Contains(labels, l) {
			summed = append(summed, axisWalk{pl.size[l], a.strides[i], 0})
		}
	}
	at, terms := 0, 1
	for _, w := range summed {
		terms *= w.size
	}
	for i := range dst {
		var sum T
		off := at
		for range terms {
			sum += a.data[off]
			off = advance(summed, off)
		}
		dst[i] = sum
		at = advance(kept, at)
	}
}

// axisWalk is a position along one axis.
type axisWalk struct{ size, stride, at int }

// advance moves to the next position in row-major order and gives its offset.
// After the last one it is at the first again.
func advance(axes []axisWalk, offset int) int {
	for i := len(axes) - 1; i >= 0; i-- {
		w := &axes[i]
		offset += w.stride
		if w.at++; w.at < w.size {
			return offset
		}
		offset -= w.stride * w.size
		w.at = 0
	}
	return offset
}
