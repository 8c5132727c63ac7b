package attention

import (
	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// scoreBlock is how many scores are kept at a time.
const scoreBlock = 1 << 18

// call is one run of Attention.
type call[T float] struct {
	*attention
	extent
	mask          mask[T]
	query         heads[T]
	key, value    heads[T] // past and new ones
	out           heads[T]
	captured      []T // fourth output; nil when nobody reads it
	scores        []T // of some queries
	rows          int // how many
	ws            *gemm.Workspace
	productFactor float64
}

// attend runs the operator in float32 or float64.
func attend[T float](k *attention, c *op.Context, e *extent) error {
	a := op.State[call[T]](c)
	if a.ws == nil {
		a.ws = new(gemm.Workspace)
	}
	*a = call[T]{attention: k, extent: *e, ws: a.ws, productFactor: factor(k.scale, e.size)}
	var err error
	if a.mask, err = newMask[T](c, e); err != nil {
		return err
	}
	a.query = viewHeads(read[T](c, 0, c.T(0)), e.packed, e.queryHeads, e.queries, e.size)
	a.key = a.present(c, 1, e.size)
	a.value = a.present(c, 2, e.valueSize)
	y := a.newOutput(c)
	out := output[T](c, 9, y)
	a.out = viewHeads(out, e.packed, e.queryHeads, e.queries, e.valueSize)
	var qk *tensor.Tensor
	if c.Wants(3) {
		qk = c.NewOut(3, y.DType(), e.batch, e.queryHeads, e.queries, e.total())
		a.captured = output[T](c, 10, qk)
	}
	if y.Len()+len(a.captured) > 0 {
		a.run(c)
	}
	write(y, out)
	if qk != nil {
		write(qk, a.captured)
	}
	return nil
}

func (a *call[T]) newOutput(c *op.Context) *tensor.Tensor {
	d := c.T(0).DType()
	if a.packed {
		return c.NewOut(0, d, a.batch, a.queries, a.queryHeads*a.valueSize)
	}
	return c.NewOut(0, d, a.batch, a.queryHeads, a.queries, a.valueSize)
}

// present gives the keys (input 1) or values (input 2) with the past ones in
// front, and makes the output of the same number.
func (a *call[T]) present(c *op.Context, i, size int) heads[T] {
	fresh := viewHeads(read[T](c, i, c.T(i)), a.packed, a.keyHeads, a.keys, size)
	if a.past == 0 && !c.Wants(i) {
		return fresh
	}
	var out *tensor.Tensor
	var all []T
	if c.Wants(i) {
		out = c.NewOut(i, c.T(i).DType(), a.batch, a.keyHeads, a.total(), size)
		all = output[T](c, 5+i, out)
	} else {
		all = op.Scratch[T](c, 5+i, a.batch*a.keyHeads*a.total()*size)
	}
	view := viewHeads(all, false, a.keyHeads, a.total(), size)
	past := viewHeads(read[T](c, 3+i, c.T(3+i)), false, a.keyHeads, a.past, size)
	if len(all) == 0 {
		return view
	}
	for b := range a.batch {
		for h := range a.keyHeads {
			dst := view.matrix(b, h, 0)
			copy(dst[:a.past*size], past.matrix(b, h, 0))
			for s := range a.keys {
				copy(dst[(a.past+s)*size:][:size], fresh.matrix(b, h, s))
			}
		}
	}
	if out != nil {
		write(out, all)
	}
	return view
}

// run attends head by head, some queries at a time.
func (a *call[T]) run(c *op.Context) {
	a.rows = min(a.queries, max(1, scoreBlock/max(1, a.total())))
	a.scores = op.Scratch[T](c, 8, a.rows*a.total())
	for b := range a.batch {
		for h := range a.queryHeads {
			for i := 0; i < a.queries; i += a.rows {
				a.block(b, h, i, min(a.rows, a.queries-i))
			}
		}
	}
}

// block attends n queries of head h from query first on.
func (a *call[T]) block(b, h, first, n int) {
	shared, total := h/(a.queryHeads/a.keyHeads), a.total()
	scores := a.scores[:n*total]
	product(a.ws, n, total, a.size, a.query.matrix(b, h, first), a.query.ld,
		a.key.matrix(b, shared, 0), a.key.ld, true, scores, total, a.productFactor)
	a.keep(captureProducts, scores, b, h, first)
	softcap(scores, a.softcap)
	a.keep(captureCapped, scores, b, h, first)
	for i := range n {
		row := scores[i*total:][:total]
		lo, hi := a.window(&a.extent, a.mask.lengths, b, first+i)
		attended := a.mask.apply(row, b, h, first+i, lo, hi)
		a.keep(captureBiased, row, b, h, first+i)
		if attended {
			softmax(row)
		} else {
			clear(row)
		}
	}
	a.keep(captureSoftmax, scores, b, h, first)
	product(a.ws, n, a.valueSize, total, scores, total,
		a.value.matrix(b, shared, 0), a.value.ld, false, a.out.matrix(b, h, first), a.out.ld, 1)
}

// keep copies scores to the fourth output when it is to hold this stage.
func (a *call[T]) keep(stage int, scores []T, b, h, first int) {
	if a.captured != nil && a.capture == stage {
		copy(a.captured[((b*a.queryHeads+h)*a.queries+first)*a.total():], scores)
	}
}
