package vision

import (
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// maxUnpool is MaxUnpool: elements go back to where MaxPool found them, into
// an array of zeros.
type maxUnpool struct{ kernel, strides, pads []int }

func buildMaxUnpool(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	k := &maxUnpool{kernel: a.Ints("kernel_shape")}
	d := len(k.kernel)
	k.strides = filled(a.Ints("strides"), d, 1)
	k.pads = filled(a.Ints("pads"), 2*d, 0)
	if d == 0 || len(k.strides) != d || len(k.pads) != 2*d || !small(k.kernel, k.strides, k.pads) {
		return nil, op.Errorf("kernel_shape %v, strides %v and pads %v do not fit", k.kernel, k.strides, k.pads)
	}
	return k, a.Err()
}

type unpoolState struct {
	inferred, shape, index []int
}

// Run writes [N, C, d...]. The indices count in the shape that the attributes
// give; a larger output_shape adds zeros behind each dimension.
func (k *maxUnpool) Run(c *op.Context) error {
	x, at := c.T(0), c.T(1)
	if x.Rank() != len(k.kernel)+2 || at.Len() != x.Len() {
		return op.Errorf("input %v and indices %v do not fit a kernel of %d dimensions", x, at, len(k.kernel))
	}
	s := op.State[unpoolState](c)
	s.inferred = append(s.inferred[:0], x.Shape()[:2]...)
	for i, size := range k.kernel {
		s.inferred = append(s.inferred, (x.Dim(i+2)-1)*k.strides[i]-k.pads[i]-k.pads[i+len(k.kernel)]+size)
	}
	s.shape = append(s.shape[:0], s.inferred...)
	if t := c.T(2); t != nil {
		s.shape = op.AppendInts(s.shape[:0], t)
	}
	if err := s.check(); err != nil {
		return err
	}
	out := c.NewOut(0, x.DType(), s.shape...)
	out.Zero()
	s.index = op.AppendInts(s.index[:0], at)
	if x.DType().Size() == 8 {
		return scatter[uint64](s, out, x)
	}
	if x.DType().Size() == 4 {
		return scatter[uint32](s, out, x)
	}
	return scatter[uint16](s, out, x)
}

func (s *unpoolState) check() error {
	if len(s.shape) != len(s.inferred) {
		return op.Errorf("output_shape has %d dimensions, want %d", len(s.shape), len(s.inferred))
	}
	for i, d := range s.inferred {
		if d < 0 || s.shape[i] < d {
			return op.Errorf("dimension %d is %d, too small for the unpooled %d", i, s.shape[i], d)
		}
	}
	return nil
}

func scatter[T tensor.Element](s *unpoolState, out, x *tensor.Tensor) error {
	dst, src := tensor.Data[T](out), tensor.Data[T](x)
	n := op.Product(s.inferred)
	for i, at := range s.index {
		if at < 0 || at >= n {
			return op.Errorf("index %d is outside [0, %d)", at, n)
		}
		dst[s.move(at)] = src[i]
	}
	return nil
}

// move turns a linear index into the inferred shape into one into the output.
func (s *unpoolState) move(at int) int {
	to, step := 0, 1
	for i := len(s.shape) - 1; i >= 0; i-- {
		to += at % s.inferred[i] * step
		at /= s.inferred[i]
		step *= s.shape[i]
	}
	return to
}
