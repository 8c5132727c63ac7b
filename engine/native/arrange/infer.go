package arrange

import (
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// shapeless is the type of a tensor with the elements of input 0, and a list
// of so many unknown dimensions.
func shapeless(n *op.Node, rank int) (tensor.Type, []tensor.Dim) {
	return tensor.Type{Kind: tensor.KindTensor, Elem: n.Elem(0)}, slices.Repeat([]tensor.Dim{{Size: -1}}, rank)
}

// known says whether a list is fixed when the node is built, and given.
func (l *intList) known() bool { return l.fixed && l.values != nil }

func inferReshape(n *op.Node) error {
	shape, err := listFrom(n, "shape", 1)
	out, dims := shapeless(n, len(shape.values))
	if err != nil || !shape.known() {
		n.SetOut(0, out)
		return err
	}
	in, allowZero := n.Arg(0).Type, n.ReadAttrs().Bool("allowzero", false)
	for i, d := range shape.values {
		switch {
		case d > 0 || d == 0 && allowZero:
			dims[i].Size = d
		case d == 0 && in.Ranked && i < len(in.Dims):
			dims[i] = in.Dims[i]
		}
	}
	if i := slices.Index(shape.values, -1); i >= 0 {
		dims[i].Size = rest(in, dims)
	}
	out.Ranked, out.Dims = true, dims
	n.SetOut(0, out)
	return nil
}

// rest is the size of the only unknown one of dims, for the elements of in; -1
// when that cannot be told.
func rest(in tensor.Type, dims []tensor.Dim) int {
	shape, fixed := in.FixedShape()
	known, unknown := 1, 0
	for _, d := range dims {
		if d.Known() {
			known *= d.Size
		} else {
			unknown++
		}
	}
	if !fixed || unknown != 1 || known <= 0 || op.Product(shape)%known != 0 {
		return -1
	}
	return op.Product(shape) / known
}

func inferFlatten(n *op.Node) error {
	out, dims := shapeless(n, 2)
	k, err := buildFlatten(n)
	if err != nil {
		return err
	}
	if in := n.Arg(0).Type; in.Ranked {
		axis := k.(*flatten).axis
		if axis < 0 {
			axis += len(in.Dims)
		}
		if axis >= 0 && axis <= len(in.Dims) {
			dims[0], dims[1] = flat(in.Dims[:axis]), flat(in.Dims[axis:])
		}
	}
	out.Ranked, out.Dims = true, dims
	n.SetOut(0, out)
	return nil
}

// flat is the product of dimensions; a single one keeps its name.
func flat(dims []tensor.Dim) tensor.Dim {
	if len(dims) == 1 {
		return dims[0]
	}
	n := 1
	for _, d := range dims {
		if !d.Known() {
			return tensor.Dim{Size: -1}
		}
		n *= d.Size
	}
	return tensor.Dim{Size: n}
}

func inferSqueeze(n *op.Node) error {
	axes, err := listFrom(n, "axes", 1)
	in := n.Arg(0).Type
	out, _ := shapeless(n, 0)
	if err != nil || !axes.known() || !in.Ranked {
		n.SetOut(0, out)
		return err
	}
	at, err := normAxes(nil, axes.values, len(in.Dims))
	if err != nil {
		return err
	}
	out.Ranked = true
	for i, d := range in.Dims {
		if !slices.Contains(at, i) {
			out.Dims = append(out.Dims, d)
		}
	}
	n.SetOut(0, out)
	return nil
}

func inferUnsqueeze(n *op.Node) error {
	axes, err := listFrom(n, "axes", 1)
	in := n.Arg(0).Type
	out, _ := shapeless(n, 0)
	if err != nil || !axes.known() || !in.Ranked {
		n.SetOut(0, out)
		return err
	}
	rank := len(in.Dims) + len(axes.values)
	at, err := normAxes(nil, axes.values, rank)
	if err != nil {
		return err
	}
	out.Ranked = true
	left := in.Dims
	for i := range rank {
		if slices.Contains(at, i) {
			out.Dims = append(out.Dims, tensor.Dim{Size: 1})
			continue
		}
		out.Dims = append(out.Dims, left[0])
		left = left[1:]
	}
	n.SetOut(0, out)
	return nil
}
