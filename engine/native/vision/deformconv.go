package vision

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// deformConv is DeformConv in two dimensions: a convolution whose kernel
// elements are moved by an offset at each position (Dai et al. 2017), and
// weighted by a mask (Zhu et al. 2018).
type deformConv struct {
	group, offsetGroup       int
	strides, dilations, pads []int
}

func buildDeformConv(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	k := &deformConv{
		group:       a.Int("group", 1),
		offsetGroup: a.Int("offset_group", 1),
		strides:     filled(a.Ints("strides"), 2, 1),
		dilations:   filled(a.Ints("dilations"), 2, 1),
		pads:        filled(a.Ints("pads"), 4, 0),
	}
	if len(k.strides) != 2 || len(k.dilations) != 2 || len(k.pads) != 4 {
		return nil, op.Errorf("only two spatial dimensions are supported: strides %v, dilations %v, pads %v",
			k.strides, k.dilations, k.pads)
	}
	if k.group < 1 || k.offsetGroup < 1 || !small(k.strides, k.dilations, k.pads) || min(k.strides[0], k.strides[1], k.dilations[0], k.dilations[1]) < 1 {
		return nil, op.Errorf("group %d, offset_group %d, strides %v and dilations %v must be positive",
			k.group, k.offsetGroup, k.strides, k.dilations)
	}
	return k, a.Err()
}

// deformShape is the extent of everything in one run.
type deformShape struct {
	batch, in, out int // images, channels
	h, w           int // of the input
	kh, kw         int // of the kernel
	oh, ow         int // of the output
}

func (k *deformConv) shape(x, w, offset *tensor.Tensor) (d deformShape, err error) {
	if x.Rank() != 4 || w.Rank() != 4 || offset.Rank() != 4 {
		return d, op.Errorf("only two spatial dimensions are supported: input %v, weights %v, offset %v", x, w, offset)
	}
	d = deformShape{
		batch: x.Dim(0), in: x.Dim(1), h: x.Dim(2), w: x.Dim(3),
		out: w.Dim(0), kh: w.Dim(2), kw: w.Dim(3),
	}
	d.oh = (d.h+k.pads[0]+k.pads[2]-k.dilations[0]*(d.kh-1)-1)/k.strides[0] + 1
	d.ow = (d.w+k.pads[1]+k.pads[3]-k.dilations[1]*(d.kw-1)-1)/k.strides[1] + 1
	if d.oh < 0 || d.ow < 0 {
		return d, op.Errorf("weights %v do not fit in input %v", w, x)
	}
	if d.in != w.Dim(1)*k.group || d.out%k.group != 0 || d.in%k.offsetGroup != 0 {
		return d, op.Errorf("input %v and weights %v do not fit %d groups and %d offset groups", x, w, k.group, k.offsetGroup)
	}
	return d, nil
}

// Run convolves input 0.
func (k *deformConv) Run(c *op.Context) error {
	x, w, offset, bias, mask := c.T(0), c.T(1), c.T(2), c.T(3), c.T(4)
	d, err := k.shape(x, w, offset)
	if err != nil {
		return err
	}
	points := d.batch * k.offsetGroup * d.kh * d.kw * d.oh * d.ow
	if offset.Len() != 2*points || mask != nil && mask.Len() != points || bias != nil && bias.Len() != d.out {
		return op.Errorf("offset %v, bias or mask do not fit an output of %d×%d", offset, d.oh, d.ow)
	}
	out := c.NewOut(0, x.DType(), d.batch, d.out, d.oh, d.ow)
	if x.DType() == tensor.Float64 {
		return deform[float64](k, c, d, out)
	}
	return deform[float32](k, c, d, out)
}

// deform samples each image into columns, one row for each input channel and
// kernel element, and multiplies the weights with them.
func deform[T numeric.Float](k *deformConv, c *op.Context, d deformShape, out *tensor.Tensor) error {
	dst, weights := numeric.Target[T](c, 0, out), numeric.Read[T](c, 1, c.T(1))
	bias := numeric.Read[T](c, 2, c.T(3))
	s := deformSource[T]{
		x: numeric.Read[T](c, 3, c.T(0)), offset: numeric.Read[T](c, 4, c.T(2)), mask: numeric.Read[T](c, 5, c.T(4)),
	}
	size, rows := d.oh*d.ow, d.in/k.group*d.kh*d.kw // of the output, of a group's columns
	columns := op.Scratch[T](c, 6, rows*k.group*size)
	for n := range d.batch {
		if err := c.Ctx.Err(); err != nil {
			return err
		}
		for row := range rows * k.group {
			sampleRow(k, d, s, n, row, columns[row*size:(row+1)*size])
		}
		for o := range d.out {
			to := dst[(n*d.out+o)*size:][:size]
			clear(to)
			first := o / (d.out / k.group) * rows
			for r, weight := range weights[o*rows : (o+1)*rows] {
				addScaled(to, columns[(first+r)*size:(first+r+1)*size], weight)
			}
			if bias != nil {
				for i := range to {
					to[i] += bias[o]
				}
			}
		}
	}
	numeric.Store(c, 0, out, dst)
	return nil
}

type deformSource[T numeric.Float] struct{ x, offset, mask []T }

// sampleRow fills one row of columns: one kernel element of one input channel
// at all positions of the output.
func sampleRow[T numeric.Float](k *deformConv, d deformShape, s deformSource[T], n, row int, to []T) {
	taps, size := d.kh*d.kw, d.oh*d.ow
	channel, tap := row/taps, row%taps
	group := n*k.offsetGroup + channel/(d.in/k.offsetGroup)
	image := s.x[(n*d.in+channel)*d.h*d.w:][:d.h*d.w]
	dy := s.offset[((group*taps+tap)*2)*size:][:size]
	dx := s.offset[((group*taps+tap)*2+1)*size:][:size]
	for i := range to {
		y := i/d.ow*k.strides[0] - k.pads[0] + tap/d.kw*k.dilations[0]
		x := i%d.ow*k.strides[1] - k.pads[1] + tap%d.kw*k.dilations[1]
		to[i] = T(bilinear(image, d.h, d.w, float64(y)+float64(dy[i]), float64(x)+float64(dx[i])))
	}
	if s.mask != nil {
		for i, m := range s.mask[(group*taps+tap)*size:][:size] {
			to[i] *= m
		}
	}
}

// bilinear reads an image between its pixels; outside it is 0.
func bilinear[T numeric.Float](image []T, h, w int, y, x float64) float64 {
	if !(y > -1 && y < float64(h) && x > -1 && x < float64(w)) {
		return 0
	}
	top, left := int(math.Floor(y)), int(math.Floor(x))
	fy, fx := y-float64(top), x-float64(left)
	at := func(y, x int) float64 {
		if y < 0 || y >= h || x < 0 || x >= w {
			return 0
		}
		return float64(image[y*w+x])
	}
	return (1-fy)*((1-fx)*at(top, left)+fx*at(top, left+1)) +
		fy*((1-fx)*at(top+1, left)+fx*at(top+1, left+1))
}
