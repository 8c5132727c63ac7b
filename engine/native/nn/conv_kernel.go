package nn

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// conv is Conv, and FusedConv: the same with an activation. Each image and
// group is a product of the weights, [filters × depth], and the image's
// patches, [depth × pixels], which are made panel by panel as the product
// needs them.
type conv struct {
	Convolution
	act    activation
	packed []*gemm.PackedA // constant weights of each group
	plain  []float32       // constant weights that are not packed
	bias   []float32       // constant bias
}

// pack prepares constant weights and bias.
func (k *conv) pack(n *op.Node) {
	w := n.Arg(1).Tensor()
	if w != nil && w.Rank() > 2 && w.Dim(0)%k.Group == 0 && isFloat32Math(w.DType()) {
		if k.plain = constFloats(w); w.Dim(1) > 1 || k.Group == 1 {
			k.packed = packGroups(nil, k.plain, w.Dim(0)/k.Group, op.Product(w.Shape()[1:]), k.Group)
		}
	}
	if b := n.Arg(2).Tensor(); b != nil && isFloat32Math(b.DType()) {
		k.bias = constFloats(b)
	}
}

func packGroups(dst []*gemm.PackedA, weights []float32, filters, depth, groups int) []*gemm.PackedA {
	for i := range groups {
		dst = append(dst, gemm.PackA(filters, depth, weights[i*filters*depth:], depth, false))
	}
	return dst
}

// convState is what one node keeps between runs.
type convState struct {
	Geometry
	ws      gemm.Workspace
	patches patches
	packed  []*gemm.PackedA // weights that are not constant
}

// Run convolves.
func (k *conv) Run(c *op.Context) error {
	st := op.State[convState](c)
	x, w, b := c.T(0), c.T(1), c.T(2)
	if err := k.Place(&st.Geometry, x.Shape(), w.Shape()); err != nil {
		return err
	}
	if x.DType() != w.DType() || (b != nil && b.DType() != x.DType()) {
		return op.Errorf("the inputs have different types, want %v for all", x.DType())
	}
	if b != nil && b.Len() != st.Filters {
		return op.Errorf("the bias has %d elements, want one for each of %d filters", b.Len(), st.Filters)
	}
	out := c.NewOut(0, x.DType(), st.Shape...)
	if x.DType() == tensor.Float64 {
		return convolveFloat64(c, &st.Geometry, out, x, w, b)
	}
	dst := numeric.Target[float32](c, 2, out)
	if err := k.convolve(c, st, dst, op.Float32s(c, 0, x)); err != nil {
		return err
	}
	numeric.Store(c, 2, out, dst)
	return nil
}

// weights gives each group's packed weights.
func (k *conv) weights(c *op.Context, st *convState) []*gemm.PackedA {
	if k.packed != nil {
		return k.packed
	}
	st.packed = packGroups(st.packed[:0], op.Float32s(c, 1, c.T(1)), st.Filters/st.Group, st.Depth(), st.Group)
	return st.packed
}

func (k *conv) convolve(c *op.Context, st *convState, dst, src []float32) error {
	if len(dst) == 0 {
		return nil
	}
	bias := k.bias
	if bias == nil && c.T(2) != nil {
		bias = op.Float32s(c, 3, c.T(2))
	}
	var ep gemm.Epilogue
	k.act.set(&ep)
	if st.isDepthwise() {
		ep.RowBias = bias
		return k.depthwise(c, st, dst, src, ep)
	}
	if !st.isPointwise() {
		if err := st.patches.place(c, &st.Geometry); err != nil {
			return err
		}
	}
	k.multiply(c, st, dst, src, bias, ep)
	return nil
}

// multiply is the general case: a product for each image and group.
func (k *conv) multiply(c *op.Context, st *convState, dst, src, bias []float32, ep gemm.Epilogue) {
	in, out := st.Pixels()
	weights, pointwise := k.weights(c, st), st.isPointwise()
	filters, channels := st.Filters/st.Group, st.Channels/st.Group
	for i := range st.Batch * st.Group {
		group := i % st.Group
		if bias != nil {
			ep.RowBias = bias[group*filters:]
		}
		image, result := src[i*channels*in:][:channels*in], dst[i*filters*out:][:filters*out]
		if pointwise {
			weights[group].Mul(&st.ws, out, image, out, false, result, out, ep)
			continue
		}
		st.patches.load(image)
		weights[group].MulPacker(&st.ws, out, &st.patches, result, out, ep)
	}
}

// isPointwise tells convolutions whose patches are the image itself.
func (g *Geometry) isPointwise() bool {
	for _, a := range g.Axes {
		if a.Kernel != 1 || a.Stride != 1 || a.Begin != 0 || a.End != 0 {
			return false
		}
	}
	return true
}

func convolveFloat64(c *op.Context, g *Geometry, out, x, w, b *tensor.Tensor) error {
	in, pixels := g.Pixels()
	if out.Len() == 0 {
		return nil
	}
	dst, src, weights := tensor.Data[float64](out), tensor.Data[float64](x), tensor.Data[float64](w)
	depth, filters, channels := g.Depth(), g.Filters/g.Group, g.Channels/g.Group
	if err := bounded(c, tensor.Float64, depth, pixels); err != nil {
		return err
	}
	columns := op.Scratch[float64](c, 0, depth*pixels)
	for i := range g.Batch * g.Group {
		group := i % g.Group
		Patches(columns, src[i*channels*in:], g, 0)
		result := dst[i*filters*pixels:]
		gemm.MulScalar(filters, pixels, depth, weights[group*filters*depth:], depth, false, columns, pixels, false, result, pixels)
		if b == nil {
			continue
		}
		for f, v := range tensor.Data[float64](b)[group*filters:][:filters] {
			for j := range pixels {
				result[f*pixels+j] += v
			}
		}
	}
	return nil
}

// bounded refuses working memory that is larger than an output may be. It
// counts the product of the factors in elements.
func bounded(c *op.Context, d tensor.DType, factors ...int) error {
	limit := c.MaxBytes
	if limit == 0 {
		limit = math.MaxInt
	}
	limit /= d.Size()
	n := 1
	for _, f := range factors {
		if f != 0 && n > limit/f {
			return op.Errorf("working memory would be larger than the limit of %d bytes", c.MaxBytes)
		}
		n *= f
	}
	return nil
}
