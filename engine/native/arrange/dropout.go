package arrange

import (
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// dropout passes its input on; in training mode it zeroes elements at random
// and scales the others. The mask says which elements stay.
type dropout struct {
	seeding
	train bool // training_mode may be true
	mask  tensor.DType
}

// maskType is that of the data before opset 10, bool since.
func maskType(n *op.Node) tensor.DType {
	if n.Opset != 0 && n.Opset < 10 {
		return tensor.Undefined
	}
	return tensor.Bool
}

func inferDropout(n *op.Node) error {
	n.SetOut(0, n.Arg(0).Type)
	mask := n.Arg(0).Type
	if d := maskType(n); d != tensor.Undefined {
		mask.Kind, mask.Elem = tensor.KindTensor, d
	}
	n.SetOut(1, mask)
	return nil
}

func buildDropout(n *op.Node) (op.Kernel, error) {
	k := &dropout{seeding: seedOf(n), train: n.Has(2), mask: maskType(n)}
	if t := n.Arg(2).Tensor(); t != nil {
		k.train = isTrue(t)
	}
	return k, nil
}

// isTrue reads a flag; nil is false.
func isTrue(t *tensor.Tensor) bool {
	return t != nil && t.DType() == tensor.Bool && t.Len() == 1 && tensor.Data[bool](t)[0]
}

func (k *dropout) Run(c *op.Context) error {
	in, err := need(c, 0)
	if err != nil {
		return err
	}
	if c.Wants(1) {
		d := k.mask
		if d == tensor.Undefined {
			d = in.DType()
		}
		value := one(d)
		if value == nil {
			return op.Errorf("mask cannot be %v", d)
		}
		workOf(c).grid.Fill(c.OutLike(1, d, in), value)
	}
	// A node either always gives a view or never does, as the memory of an
	// output is kept for the next run.
	if !k.train {
		c.ViewOut(0, in, in.Shape()...)
		return nil
	}
	out := c.OutLike(0, in.DType(), in)
	copyAll(out, in)
	ratio := float32(0.5)
	if t := c.T(1); t != nil {
		if t.Len() != 1 || !op.Floats.Has(t.DType()) {
			return op.Errorf("ratio is %v, want one number", t)
		}
		ratio = op.Float32s(c, 1, t)[0]
	}
	if ratio == 0 || !isTrue(c.T(2)) {
		return nil
	}
	if !(ratio > 0 && ratio < 1) {
		return op.Errorf("ratio is %v, want a number in [0, 1)", ratio)
	}
	return k.drop(c, out, float64(ratio))
}

// drop zeroes and scales out in place.
func (k *dropout) drop(c *op.Context, out *tensor.Tensor, ratio float64) error {
	var mask []bool
	if c.Wants(1) {
		mask = tensor.Data[bool](c.Out[1].(*tensor.Tensor))
	}
	var t twister
	k.start(&t)
	scale := 1 / (1 - ratio)
	keep := func(i int) float64 {
		stays := t.uniform() >= ratio
		if mask != nil {
			mask[i] = stays
		}
		if stays {
			return scale
		}
		return 0
	}
	switch out.DType() {
	case tensor.Float64:
		for i, d := 0, tensor.Data[float64](out); i < len(d); i++ {
			d[i] *= keep(i)
		}
	case tensor.Float32, tensor.Float16, tensor.BFloat16:
		data := op.Float32s(c, 0, out)
		for i := range data {
			data[i] *= float32(keep(i))
		}
		op.WriteFloat32s(out, data)
	default:
		return op.Errorf("dropout does not train on %v", out.DType())
	}
	return nil
}
