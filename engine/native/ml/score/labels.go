package score

import (
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// Labels are the class labels of a classifier: whole numbers or strings.
type Labels struct {
	Ints    []int64
	Strings []string
}

// ReadLabels reads the labels from the attributes of these names, exactly one
// of which must be given.
func ReadLabels(a *op.Attrs, ints, texts string) (Labels, error) {
	l := Labels{Strings: a.Strings(texts)}
	for _, v := range a.Ints(ints) {
		l.Ints = append(l.Ints, int64(v))
	}
	if len(l.Strings) > 0 == (len(l.Ints) > 0) {
		return l, op.Errorf("exactly one of the attributes %s and %s is wanted", ints, texts)
	}
	return l, nil
}

// Len is the number of classes.
func (l *Labels) Len() int { return max(len(l.Ints), len(l.Strings)) }

// DType is the type of the labels.
func (l *Labels) DType() tensor.DType {
	if len(l.Strings) > 0 {
		return tensor.String
	}
	return tensor.Int64
}

// Put stores the label of class as element row of t.
func (l *Labels) Put(t *tensor.Tensor, row, class int) {
	if len(l.Strings) > 0 {
		t.Strings()[row] = l.Strings[class]
		return
	}
	tensor.Data[int64](t)[row] = l.Ints[class]
}

// Rows gives the rows and columns of a batch; a tensor of rank 1 is one row.
func Rows(x *tensor.Tensor) (n, columns int, err error) {
	switch x.Rank() {
	case 1:
		return 1, x.Dim(0), nil
	case 2:
		return x.Dim(0), x.Dim(1), nil
	}
	return 0, 0, op.Errorf("input has shape %v, want [rows, features]", slices.Clone(x.Shape()))
}

// RowsOf is the number of rows of the batch that is a node's input 0, as far
// as it is known.
func RowsOf(n *op.Node) tensor.Dim {
	t := n.Arg(0).Type
	switch {
	case t.Ranked && len(t.Dims) == 2:
		return t.Dims[0]
	case t.Ranked && len(t.Dims) == 1:
		return tensor.Dim{Size: 1}
	}
	return tensor.Dim{Size: -1}
}

// SetOut types output i of a node as [rows, columns], or as [rows] when
// columns is 0; -1 columns are unknown.
func SetOut(n *op.Node, i int, d tensor.DType, columns int) {
	dims := []tensor.Dim{RowsOf(n)}
	if columns != 0 {
		dims = append(dims, tensor.Dim{Size: columns})
	}
	n.SetOut(i, tensor.Type{Kind: tensor.KindTensor, Elem: d, Ranked: true, Dims: dims})
}
