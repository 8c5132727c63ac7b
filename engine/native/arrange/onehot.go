package arrange

import (
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// oneHot writes values[1] where the new axis's position is the index, and
// values[0] elsewhere. Indices outside [-depth, depth-1] give no one at all.
type oneHot struct{ axis int }

func buildOneHot(n *op.Node) (op.Kernel, error) {
	at := n.ReadAttrs()
	return &oneHot{at.Int("axis", -1)}, at.Err()
}

func (k *oneHot) Run(c *op.Context) error {
	indices, err := need(c, 0)
	if err != nil {
		return err
	}
	depthT, err := need(c, 1)
	if err != nil {
		return err
	}
	values, err := need(c, 2)
	if err != nil {
		return err
	}
	if depthT.Len() != 1 || values.Len() != 2 {
		return op.Errorf("depth is %v and values %v, want one and two elements", depthT, values)
	}
	axis, err := op.Axis(k.axis, indices.Rank()+1)
	if err != nil {
		return err
	}
	w := workOf(c)
	w.list = wholeNumbers(w.list[:0], depthT)
	depth := w.list[0]
	if depth < 0 {
		return op.Errorf("depth is %d", depth)
	}
	shape := append(w.shape[:0], indices.Shape()[:axis]...)
	shape = append(append(shape, depth), indices.Shape()[axis:]...)
	w.shape = shape
	if err := checkShape(shape); err != nil {
		return err
	}
	out := c.NewOut(0, values.DType(), shape...)
	w.grid.Fill(out, values)
	w.list = wholeNumbers(w.list[:0], indices)
	w.at = w.at[:0]
	inner := op.Product(shape[axis+1:])
	for i, v := range w.list {
		if v < 0 {
			v += depth
		}
		if v >= 0 && v < depth {
			w.at = append(w.at, (i/inner*depth+v)*inner+i%inner)
		}
	}
	setAt(out, values, 1, w.at)
	return nil
}

// setAt writes element from of src to each offset of dst.
func setAt(dst, src *tensor.Tensor, from int, at []int) {
	if len(at) == 0 {
		return
	}
	switch dst.DType().Size() {
	case 0:
		setUnits(dst.Strings(), src.Strings()[from], at)
	case 1:
		setUnits(tensor.Data[uint8](dst), tensor.Data[uint8](src)[from], at)
	case 2:
		setUnits(tensor.Data[uint16](dst), tensor.Data[uint16](src)[from], at)
	case 4:
		setUnits(tensor.Data[uint32](dst), tensor.Data[uint32](src)[from], at)
	case 8:
		setUnits(tensor.Data[uint64](dst), tensor.Data[uint64](src)[from], at)
	case 16:
		setUnits(tensor.Data[complex128](dst), tensor.Data[complex128](src)[from], at)
	}
}

func setUnits[T any](dst []T, v T, at []int) {
	for _, a := range at {
		dst[a] = v
	}
}

// wholeNumbers appends t's numbers of any type, truncated; t holds numbers, as
// the operator's Types say.
func wholeNumbers(dst []int, t *tensor.Tensor) []int {
	switch t.DType() {
	case tensor.Float64:
		return truncate(dst, tensor.Data[float64](t))
	case tensor.Float32:
		return truncate(dst, tensor.Data[float32](t))
	case tensor.Float16:
		return truncateSmall(dst, tensor.Data[tensor.Float16Bits](t))
	case tensor.BFloat16:
		return truncateSmall(dst, tensor.Data[tensor.BFloat16Bits](t))
	case tensor.Int16:
		return truncate(dst, tensor.Data[int16](t))
	case tensor.Uint16:
		return truncate(dst, tensor.Data[uint16](t))
	case tensor.Uint32:
		return truncate(dst, tensor.Data[uint32](t))
	case tensor.Uint64:
		return truncate(dst, tensor.Data[uint64](t))
	}
	return op.AppendInts(dst, t)
}

func truncate[T float32 | float64 | int16 | uint16 | uint32 | uint64](dst []int, src []T) []int {
	for _, v := range src {
		dst = append(dst, int(v))
	}
	return dst
}

func truncateSmall[T interface{ Float32() float32 }](dst []int, src []T) []int {
	for _, v := range src {
		dst = append(dst, int(v.Float32()))
	}
	return dst
}
