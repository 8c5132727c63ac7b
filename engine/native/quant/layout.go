package quant

import (
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// layout says which scale serves which element. It cuts a tensor into runs of
// neighbouring elements that share a scale, or that have neighbouring scales.
type layout struct {
	kind                granularity
	outer, size, inner  int // the tensor, seen as [outer, size, inner] around the axis
	block, blocksOfAxis int
}

type granularity uint8

const (
	perTensor    granularity = iota
	perAxis                  // runs of inner elements with one scale
	perLast                  // perAxis on the last axis: runs of size elements with size scales
	perBlock                 // runs of inner elements with inner scales
	perLastBlock             // perBlock on the last axis: runs of block elements with one scale
)

// run is a part of a tensor and its scales: elements [from, to), the scale of
// the first of them, and by how much the scale's index grows with each.
type run struct{ from, to, scale, step int }

// runs is how many runs there are.
func (l *layout) runs() int {
	switch l.kind {
	case perTensor:
		return 1
	case perLast:
		return l.outer
	case perLastBlock:
		return l.outer * l.blocksOfAxis
	}
	return l.outer * l.size
}

func (l *layout) run(r int) run {
	switch l.kind {
	case perTensor:
		return run{to: l.outer * l.size * l.inner}
	case perLast:
		return run{from: r * l.size, to: (r + 1) * l.size, step: 1}
	case perLastBlock:
		o, b := r/l.blocksOfAxis, r%l.blocksOfAxis
		return run{from: o*l.size + b*l.block, to: o*l.size + min((b+1)*l.block, l.size), scale: r}
	}
	next := run{from: r * l.inner, to: (r + 1) * l.inner, scale: r % l.size}
	if l.kind == perBlock {
		next.scale = (r/l.size*l.blocksOfAxis + r%l.size/l.block) * l.inner
		next.step = 1
	}
	return next
}

// planLayout finds the granularity that the shape of scale stands for. block
// is 0 when there is no blocking.
func planLayout(x, scale *tensor.Tensor, axis, block int) (layout, error) {
	if scale.Len() == 1 {
		return layout{kind: perTensor, outer: 1, size: x.Len(), inner: 1}, nil
	}
	shape := x.Shape()
	axis, err := op.Axis(axis, len(shape))
	if err != nil {
		return layout{}, err
	}
	l := layout{outer: op.Product(shape[:axis]), size: shape[axis], inner: op.Product(shape[axis+1:])}
	if block > 0 {
		return l.blocked(shape, scale.Shape(), axis, block)
	}
	if scale.Rank() != 1 || scale.Len() != l.size {
		return l, op.Errorf("scale has shape %v, want one scale or %d, as many as axis %d has",
			slices.Clone(scale.Shape()), l.size, axis)
	}
	l.kind = perAxis
	if l.inner == 1 {
		l.kind = perLast
	}
	return l, nil
}

func (l layout) blocked(shape, scale []int, axis, block int) (layout, error) {
	l.block, l.blocksOfAxis = block, (l.size+block-1)/block
	l.kind = perBlock
	if l.inner == 1 {
		l.kind = perLastBlock
	}
	fits := len(scale) == len(shape)
	for i := 0; fits && i < len(shape); i++ {
		want := shape[i]
		if i == axis {
			want = l.blocksOfAxis
		}
		fits = scale[i] == want
	}
	if !fits {
		return l, op.Errorf("scale has shape %v, which does not fit shape %v with blocks of %d along axis %d",
			slices.Clone(scale), slices.Clone(shape), block, axis)
	}
	return l, nil
}
