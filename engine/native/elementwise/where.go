package elementwise

import (
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

func whereDef() op.Def {
	return op.Def{
		Name:  "Where",
		Types: []op.TypeSet{op.Bools, op.Any},
		Infer: func(n *op.Node) error {
			n.SetOut(0, op.BroadcastType(n, n.Elem(1)))
			return nil
		},
		Build: op.Simple(where),
	}
}

// where chooses between inputs 1 and 2 by input 0. Only the size of the
// elements matters, not their type.
func where(c *op.Context) error {
	cond, x, y := c.T(0), c.T(1), c.T(2)
	if x.DType() != y.DType() {
		return op.Errorf("inputs 1 and 2 have different element types, %v and %v", x.DType(), y.DType())
	}
	w := op.State[walk](c)
	if err := w.plan(cond.Shape(), x.Shape(), y.Shape()); err != nil {
		return err
	}
	out := c.NewOut(0, x.DType(), w.shape...)
	choose := tensor.Data[bool](cond)
	switch x.DType().Size() {
	case 0:
		selectRows(w, out.Strings(), choose, x.Strings(), y.Strings())
	case 1:
		selectData[uint8](w, out, choose, x, y)
	case 2:
		selectData[uint16](w, out, choose, x, y)
	case 4:
		selectData[uint32](w, out, choose, x, y)
	case 8:
		selectData[uint64](w, out, choose, x, y)
	case 16:
		selectData[complex128](w, out, choose, x, y)
	}
	return nil
}

func selectData[T tensor.Element](w *walk, out *tensor.Tensor, choose []bool, x, y *tensor.Tensor) {
	selectRows(w, tensor.Data[T](out), choose, tensor.Data[T](x), tensor.Data[T](y))
}

func selectRows[T any](w *walk, dst []T, choose []bool, x, y []T) {
	n := w.dims[0]
	for o := 0; o < len(dst); o += n {
		selectRow(dst[o:o+n], row(w, 0, choose), row(w, 1, x), row(w, 2, y))
		w.next()
	}
}

func selectRow[T any](dst []T, choose []bool, x, y []T) {
	mc, mx, my := mask(choose), mask(x), mask(y)
	for i := range dst {
		if choose[i&mc] {
			dst[i] = x[i&mx]
		} else {
			dst[i] = y[i&my]
		}
	}
}
