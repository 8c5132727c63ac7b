package ml

import (
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// oneHot replaces each element by a row with a one at its category.
type oneHot struct {
	categories index // over int64 or strings
	allowNone  bool  // an unknown category gives a row of zeros
}

func readCategories(a *op.Attrs) (*tensor.Tensor, error) {
	texts, ints := a.Strings("cats_strings"), a.Ints("cats_int64s")
	switch {
	case len(texts) > 0 == (len(ints) > 0):
		return nil, op.Errorf("exactly one of the attributes cats_strings and cats_int64s is wanted")
	case len(texts) > 0:
		return tensor.FromStrings(texts, len(texts)), nil
	}
	return int64s(ints), nil
}

func buildOneHot(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	cats, err := readCategories(a)
	if err != nil {
		return nil, err
	}
	at, err := indexOf(cats)
	if err != nil {
		return nil, err
	}
	return &oneHot{at, a.Bool("zeros", true)}, a.Err()
}

// Run appends a dimension of the number of categories.
func (k *oneHot) Run(c *op.Context) error {
	x := c.T(0)
	if (x.DType() == tensor.String) != (k.categories.keyType() == tensor.String) {
		return op.Errorf("input is %v and the categories are %v", x.DType(), k.categories.keyType())
	}
	at := op.Scratch[int32](c, 0, x.Len())
	k.categories.find(at, k.keys(c, x))
	var buf [8]int
	n := k.categories.len()
	out := c.NewOut(0, tensor.Float32, append(append(buf[:0], x.Shape()...), n)...)
	dst := tensor.Data[float32](out)
	clear(dst)
	for i, p := range at {
		switch {
		case int(p) < n:
			dst[i*n+int(p)] = 1
		case !k.allowNone:
			return op.Errorf("element %d is in none of the %d categories, which the model forbids (zeros=0)", i, n)
		}
	}
	return nil
}

// oneHotState holds a numeric input as whole numbers.
type oneHotState struct{ ints tensor.Tensor }

// keys is the input in the type of the categories; other numbers are cut off
// to whole ones.
func (k *oneHot) keys(c *op.Context, x *tensor.Tensor) *tensor.Tensor {
	switch x.DType() {
	case tensor.Int32:
		return truncated(c, x, tensor.Data[int32](x))
	case tensor.Float32:
		return truncated(c, x, tensor.Data[float32](x))
	case tensor.Float64:
		return truncated(c, x, tensor.Data[float64](x))
	}
	return x
}

func truncated[T int32 | float32 | float64](c *op.Context, x *tensor.Tensor, src []T) *tensor.Tensor {
	t := &op.State[oneHotState](c).ints
	t.Reset(tensor.Int64, x.Shape()...)
	dst := tensor.Data[int64](t)
	for i, v := range src {
		dst[i] = int64(v)
	}
	return t
}

func inferOneHot(n *op.Node) error {
	cats, err := readCategories(n.ReadAttrs())
	if err != nil {
		return err
	}
	t := n.Arg(0).Type
	t.Kind, t.Elem = tensor.KindTensor, tensor.Float32
	if t.Ranked {
		t.Dims = append(t.Dims[:len(t.Dims):len(t.Dims)], tensor.Dim{Size: cats.Len()})
	}
	n.SetOut(0, t)
	return nil
}
