package vision

import (
	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// col2Im is Col2Im: the columns [N, C·block, L] of sliding blocks are added
// up into images [N, C, d...].
type col2Im struct{ dilations, strides, pads []int }

func buildCol2Im(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	k := &col2Im{a.Ints("dilations"), a.Ints("strides"), a.Ints("pads")}
	return k, a.Err()
}

type col2ImState struct {
	image, block, shape      []int
	dilations, strides, pads []int
	counts                   []int // blocks along each dimension
}

// Run adds up the columns.
func (k *col2Im) Run(c *op.Context) error {
	x, s := c.T(0), op.State[col2ImState](c)
	if err := k.plan(c, s, x); err != nil {
		return err
	}
	out := c.NewOut(0, x.DType(), s.shape...)
	if numeric.Wide(x.DType()) {
		addColumns[float64](c, s, out, x)
	} else {
		addColumns[float32](c, s, out, x)
	}
	return nil
}

func (k *col2Im) plan(c *op.Context, s *col2ImState, x *tensor.Tensor) error {
	s.image = op.AppendInts(s.image[:0], c.T(1))
	s.block = op.AppendInts(s.block[:0], c.T(2))
	d := len(s.image)
	s.dilations, s.strides, s.pads = filled(k.dilations, d, 1), filled(k.strides, d, 1), filled(k.pads, 2*d, 0)
	if x.Rank() != 3 || d == 0 || len(s.block) != d || len(s.dilations) != d || len(s.strides) != d || len(s.pads) != 2*d {
		return op.Errorf("input %v, image %v and block %v do not fit the attributes", x, s.image, s.block)
	}
	if !small(s.image, s.block, s.dilations, s.strides, s.pads) {
		return op.Errorf("image %v or block %v is too large", s.image, s.block)
	}
	s.counts = s.counts[:0]
	blocks := 1
	for i, size := range s.image {
		if s.block[i] < 1 || s.strides[i] < 1 || s.dilations[i] < 1 || size < 0 {
			return op.Errorf("image %v, block %v, strides %v and dilations %v must be positive", s.image, s.block, s.strides, s.dilations)
		}
		room := size + s.pads[i] + s.pads[i+d] - s.dilations[i]*(s.block[i]-1) - 1
		if room < 0 {
			return op.Errorf("a block of %d does not fit dimension %d of the image", s.block[i], i)
		}
		s.counts = append(s.counts, room/s.strides[i]+1)
		blocks *= s.counts[i]
	}
	size := op.Product(s.block)
	if x.Dim(1)%size != 0 || x.Dim(2) != blocks {
		return op.Errorf("input is %v, want [N, C×%d, %d]", x, size, blocks)
	}
	s.shape = append(s.shape[:0], x.Dim(0), x.Dim(1)/size)
	s.shape = append(s.shape, s.image...)
	return nil
}

func addColumns[T numeric.Float](c *op.Context, s *col2ImState, out, x *tensor.Tensor) {
	src, dst := numeric.Read[T](c, 0, x), numeric.Target[T](c, 1, out)
	clear(dst)
	size, blocks, image := op.Product(s.block), x.Dim(2), op.Product(s.image)
	for row := range len(src) / max(blocks, 1) { // an element of a block, in a channel
		to := dst[row/size*image:][:image]
		for b, v := range src[row*blocks : (row+1)*blocks] {
			if at, inside := s.place(row%size, b); inside {
				to[at] += v
			}
		}
	}
	numeric.Store(c, 1, out, dst)
}

// place is where element e of block b lies in the image.
func (s *col2ImState) place(e, b int) (at int, inside bool) {
	step := 1
	for i := len(s.image) - 1; i >= 0; i-- {
		pos := b%s.counts[i]*s.strides[i] - s.pads[i] + e%s.block[i]*s.dilations[i]
		if pos < 0 || pos >= s.image[i] {
			return 0, false
		}
		at += pos * step
		step *= s.image[i]
		b /= s.counts[i]
		e /= s.block[i]
	}
	return at, true
}
