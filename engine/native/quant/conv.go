package quant

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"github.com/greenlight-dev/greenlight/engine/native/nn"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

func convOps() []op.Def {
	f32 := op.TypeSet{tensor.Float32}
	integer := op.Def{
		Name:  "ConvInteger",
		Types: []op.TypeSet{bytes},
		Infer: op.InferElem(tensor.Int32),
		Build: buildConv(func(k *nn.Convolution) op.Kernel { return convInteger{k} }),
	}
	linear := op.Def{
		Name:  "QLinearConv",
		Types: []op.TypeSet{bytes, f32, bytes, bytes, f32, bytes, f32, bytes, {tensor.Int32}},
		Infer: op.InferElemOf(7),
		Build: buildConv(func(k *nn.Convolution) op.Kernel { return qLinearConv{k} }),
	}
	return append(op.Require(2, integer), op.Require(8, linear)...)
}

func buildConv(kernel func(*nn.Convolution) op.Kernel) func(*op.Node) (op.Kernel, error) {
	return func(n *op.Node) (op.Kernel, error) {
		k, err := nn.ReadConvolution(n)
		if err != nil {
			return nil, err
		}
		return kernel(&k), nil
	}
}

type convInteger struct{ *nn.Convolution }

func (k convInteger) Run(c *op.Context) error {
	x, w := c.T(0), c.T(1)
	g := op.State[nn.Geometry](c)
	if err := k.Place(g, x.Shape(), w.Shape()); err != nil {
		return err
	}
	out := c.NewOut(0, tensor.Int32, g.Shape...)
	return convolve(c, g, tensor.Data[int32](out), x, w, c.T(2), c.T(3))
}

type qLinearConv struct{ *nn.Convolution }

func (k qLinearConv) Run(c *op.Context) error {
	x, w, scale, zero, bias := c.T(0), c.T(3), c.T(6), c.T(7), c.T(8)
	g := op.State[nn.Geometry](c)
	if err := k.Place(g, x.Shape(), w.Shape()); err != nil {
		return err
	}
	scaleX, scaleW := tensor.Data[float32](c.T(1)), tensor.Data[float32](c.T(4))
	switch {
	case len(scaleX) != 1 || scale.Len() != 1 || zero.Len() != 1:
		return op.Errorf("the scales of the image (%v) and the result (%v), and the zero point of the result (%v), must be scalars",
			c.T(1), scale, zero)
	case len(scaleW) != 1 && len(scaleW) != g.Filters:
		return op.Errorf("the scale of the weights is %v, want 1 or %d", c.T(4), g.Filters)
	case bias != nil && bias.Len() != g.Filters:
		return op.Errorf("the bias is %v, want %d elements", bias, g.Filters)
	}
	out := c.NewOut(0, zero.DType(), g.Shape...)
	sums := op.Scratch[int32](c, 0, out.Len())
	if err := convolve(c, g, sums, x, w, c.T(2), c.T(5)); err != nil {
		return err
	}
	store := newWriter(out, zero, tensor.Data[float32](scale)[0])
	_, pixels := g.Pixels()
	for i := range g.Batch * g.Filters {
		f := i % g.Filters
		plane := sums[i*pixels:][:pixels]
		if bias != nil {
			add(plane, tensor.Data[int32](bias)[f])
		}
		store.write(i*pixels, plane, scaleX[0], scaleW[f%len(scaleW):][:1])
	}
	return nil
}

func add(dst []int32, v int32) {
	for i := range dst {
		dst[i] += v
	}
}

// convolve sets dst to the convolution of x with w, both less their zero
// points, which may be nil.
func convolve(c *op.Context, g *nn.Geometry, dst []int32, x, w, zeroX, zeroW *tensor.Tensor) error {
	if zeroX != nil && (zeroX.DType() != x.DType() || zeroX.Len() != 1) {
		return op.Errorf("the zero point of the image is %v, want one %v", zeroX, x.DType())
	}
	if zeroW != nil && (zeroW.DType() != w.DType() || zeroW.Len() != 1 && zeroW.Len() != g.Filters) {
		return op.Errorf("the zero point of the weights is %v, want 1 or %d of %v", zeroW, g.Filters, w.DType())
	}
	if x.DType() == tensor.Int8 {
		return convolveBy[int8](c, g, dst, x, w, zeroX, zeroW)
	}
	return convolveBy[uint8](c, g, dst, x, w, zeroX, zeroW)
}

func convolveBy[X gemm.Byte](c *op.Context, g *nn.Geometry, dst []int32, x, w, zeroX, zeroW *tensor.Tensor) error {
	if w.DType() == tensor.Int8 {
		return convolveBytes[X](c, g, dst, x, tensor.Data[int8](w), data[X](zeroX), data[int8](zeroW))
	}
	return convolveBytes[X](c, g, dst, x, tensor.Data[uint8](w), data[X](zeroX), data[uint8](zeroW))
}

// convolveBytes multiplies, for each image and group, the weights
// [filters × depth] with the image's patches [depth × pixels].
func convolveBytes[X, W gemm.Byte](c *op.Context, g *nn.Geometry, dst []int32, x *tensor.Tensor, w []W, zeroX []X, zeroW []W) error {
	in, pixels := g.Pixels()
	depth, filters, channels := g.Depth(), g.Filters/g.Group, g.Channels/g.Group
	size, err := patchSize(depth, pixels)
	if err != nil || len(dst) == 0 {
		return err
	}
	patches := op.Scratch[X](c, 1, size)
	var pad X // padding stands for a real 0
	if len(zeroX) > 0 {
		pad = zeroX[0]
	}
	images := tensor.Data[X](x)
	for i := range g.Batch * g.Group {
		group := i % g.Group
		nn.Patches(patches, images[i*channels*in:][:channels*in], g, pad)
		zero := zeroW
		if len(zero) > 1 {
			zero = zero[group*filters:][:filters]
		}
		gemm.MulQuantized(filters, pixels, depth, w[group*filters*depth:], depth, zero,
			patches, pixels, zeroX, dst[i*filters*pixels:], pixels)
		if err := c.Ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// patchSize is depth·pixels, as long as that stays below 2³¹.
func patchSize(depth, pixels int) (int, error) {
	if depth > 0 && pixels > math.MaxInt32/depth {
		return 0, op.Errorf("the convolution is too large: %d products for each of %d pixels", depth, pixels)
	}
	return depth * pixels, nil
}
