package op

import "github.com/greenlight-dev/greenlight/tensor"

// Axis turns an axis that may count from the end into one that does not.
func Axis(axis, rank int) (int, error) {
	if axis < -rank || axis >= rank {
		return 0, Errorf("axis %d is outside [%d, %d]", axis, -rank, rank-1)
	}
	if axis < 0 {
		axis += rank
	}
	return axis, nil
}

// Product multiplies dimensions; 1 for none.
func Product(dims []int) int {
	n := 1
	for _, d := range dims {
		n *= d
	}
	return n
}

// Broadcast appends to dst the shape that a and b broadcast to under the
// multidirectional (NumPy) rule.
func Broadcast(dst, a, b []int) ([]int, error) {
	rank := max(len(a), len(b))
	for i := range rank {
		x, y := dimFromEnd(a, rank-1-i), dimFromEnd(b, rank-1-i)
		switch {
		case x == y || y == 1:
			dst = append(dst, x)
		case x == 1:
			dst = append(dst, y)
		default:
			return nil, Errorf("shapes %v and %v do not broadcast", append([]int(nil), a...), append([]int(nil), b...))
		}
	}
	return dst, nil
}

func dimFromEnd(shape []int, i int) int {
	if j := len(shape) - 1 - i; j >= 0 {
		return shape[j]
	}
	return 1
}

// Strides appends the row-major strides of shape, in elements.
func Strides(dst, shape []int) []int {
	start := len(dst)
	dst = append(dst, shape...)
	s := dst[start:]
	n := 1
	for i := len(s) - 1; i >= 0; i-- {
		d := shape[i]
		s[i] = n
		n *= d
	}
	return dst
}

// BroadcastStrides appends the strides with which a tensor of this shape is
// read as one of the wider shape out: 0 along the dimensions that repeat.
func BroadcastStrides(dst, shape, out []int) []int {
	start := len(dst)
	for range out {
		dst = append(dst, 0)
	}
	s := dst[start:]
	n := 1
	for i := range shape {
		d := shape[len(shape)-1-i]
		if d != 1 {
			s[len(out)-1-i] = n
		}
		n *= d
	}
	return dst
}

// InferSame gives every output the type of input 0.
func InferSame(n *Node) error {
	for i := range n.Out {
		n.SetOut(i, n.Arg(0).Type)
	}
	return nil
}

// InferElem gives output 0 an element type, without a shape.
func InferElem(d tensor.DType) func(*Node) error {
	return func(n *Node) error {
		n.SetOut(0, tensor.Type{Kind: tensor.KindTensor, Elem: d})
		return nil
	}
}

// InferElemOf gives output 0 the element type of input i, without a shape.
func InferElemOf(i int) func(*Node) error {
	return func(n *Node) error {
		n.SetOut(0, tensor.Type{Kind: tensor.KindTensor, Elem: n.Elem(i)})
		return nil
	}
}

// InferBroadcast gives output 0 the element type of input 0 and the shape
// that all inputs broadcast to.
func InferBroadcast(n *Node) error {
	n.SetOut(0, BroadcastType(n, n.Elem(0)))
	return nil
}

// BroadcastType is the type that all inputs of n broadcast to, as far as it
// is known, with elements d.
func BroadcastType(n *Node, d tensor.DType) tensor.Type {
	out := tensor.Type{Kind: tensor.KindTensor, Elem: d, Ranked: true}
	for i, in := range n.In {
		if !in.Type.Ranked {
			return tensor.Type{Kind: tensor.KindTensor, Elem: d}
		}
		if i == 0 {
			out.Dims = in.Type.Dims
			continue
		}
		out.Dims = broadcastDims(out.Dims, in.Type.Dims)
	}
	return out
}

func broadcastDims(a, b []tensor.Dim) []tensor.Dim {
	rank := max(len(a), len(b))
	out := make([]tensor.Dim, rank)
	one := tensor.Dim{Size: 1}
	at := func(dims []tensor.Dim, i int) tensor.Dim {
		if j := len(dims) - rank + i; j >= 0 {
			return dims[j]
		}
		return one
	}
	for i := range out {
		x, y := at(a, i), at(b, i)
		switch {
		case x == one, y.Known() && y.Size > 1:
			out[i] = y
		case y == one, x == y, x.Known() && x.Size > 1:
			out[i] = x
		default:
			out[i] = tensor.Dim{Size: -1}
		}
	}
	return out
}
