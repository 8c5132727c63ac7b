package nn

import (
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// convTranspose is ConvTranspose, the gradient of a convolution: each input
// pixel adds a scaled kernel to the output. A product makes what every pixel
// adds, [filters·taps × pixels], and a second pass adds it in place.
type convTranspose struct {
	Convolution
	outputPadding, outputShape []int
	packed                     []*gemm.PackedA // constant weights of each group, transposed
}

func readConvTranspose(n *op.Node) (*convTranspose, error) {
	k := &convTranspose{}
	var err error
	if k.Convolution, err = ReadConvolution(n); err != nil {
		return nil, err
	}
	a := n.ReadAttrs()
	k.outputPadding, k.outputShape = a.Ints("output_padding"), a.Ints("output_shape")
	if err := a.Err(); err != nil {
		return nil, err
	}
	for _, v := range slices.Concat(k.outputPadding, k.outputShape) {
		if v < 0 || v > maxWindow {
			return nil, op.Errorf("attribute output_padding or output_shape has %d, want 0 to %d", v, maxWindow)
		}
	}
	return k, nil
}

func buildConvTranspose(n *op.Node) (op.Kernel, error) {
	k, err := readConvTranspose(n)
	if err != nil {
		return nil, err
	}
	w := n.Arg(1).Tensor()
	if w != nil && w.Rank() > 2 && w.Dim(0)%k.Group == 0 && isFloat32Math(w.DType()) {
		k.packed = k.packWeights(nil, constFloats(w), w.Dim(0)/k.Group, op.Product(w.Shape()[1:]))
	}
	return k, nil
}

// packWeights packs each group's weights, [channels × rows], transposed.
func (k *convTranspose) packWeights(dst []*gemm.PackedA, weights []float32, channels, rows int) []*gemm.PackedA {
	for i := range k.Group {
		dst = append(dst, gemm.PackA(rows, channels, weights[i*channels*rows:], rows, true))
	}
	return dst
}

// inferConvTranspose knows the output's spatial dimensions when image and
// weights have fixed ones.
func inferConvTranspose(n *op.Node) error {
	x := n.Arg(0).Type
	out := tensor.Type{Kind: tensor.KindTensor, Elem: x.Elem}
	n.SetOut(0, out)
	w, fixed := n.Arg(1).Type.FixedShape()
	if !x.Ranked || !fixed || len(x.Dims) < 3 || len(w) != len(x.Dims) {
		return nil
	}
	image := make([]int, len(x.Dims))
	for i, d := range x.Dims {
		if image[i] = d.Size; i == 0 && !d.Known() {
			image[i] = 1 // any batch gives the same spatial dimensions
		} else if !d.Known() {
			return nil
		}
	}
	var g Geometry
	k, err := readConvTranspose(n)
	if err != nil || k.place(&g, image, w) != nil {
		return nil // Build and Run say what is wrong
	}
	out.Ranked, out.Dims = true, []tensor.Dim{x.Dims[0]}
	for _, size := range g.x[1:] {
		out.Dims = append(out.Dims, tensor.Dim{Size: size})
	}
	n.SetOut(0, out)
	return nil
}

// place sets g to the convolution whose gradient this is: its input is our
// output and its output our input.
func (k *convTranspose) place(g *Geometry, x, w []int) error {
	if len(x) < 3 || len(x) != len(w) || x[1] != w[0] || w[0]%k.Group != 0 {
		return op.Errorf("the image has shape %v and the weights have %v with %d groups, want [N, C, …] and [C, M/group, …] with C a multiple of the groups",
			slices.Clone(x), slices.Clone(w), k.Group)
	}
	if err := k.fits(x[2:], w[2:]); err != nil {
		return err
	}
	rank := len(x) - 2
	if (k.outputPadding != nil && len(k.outputPadding) != rank) || (k.outputShape != nil && len(k.outputShape) != rank) {
		return op.Errorf("attributes output_padding and output_shape have %d and %d entries, want %d", len(k.outputPadding), len(k.outputShape), rank)
	}
	g.Axes, g.Group = g.Axes[:0], k.Group
	g.Batch, g.Channels, g.Filters = x[0], w[1]*k.Group, x[1]
	g.x = append(g.x[:0], x[0], g.Channels)
	g.w = append(append(g.w[:0], x[1], w[1]), w[2:]...)
	g.Shape = append(g.Shape[:0], x...)
	for i, in := range x[2:] {
		a := Axis{Out: in, Kernel: w[2+i], Stride: at(k.Strides, i, 1), Dilation: at(k.Dilations, i, 1),
			Begin: at(k.Pads, i, 0), End: at(k.Pads, rank+i, 0)}
		if in > maxWindow || a.Kernel > maxWindow {
			return op.Errorf("dimension %d of the image (%d) or the kernel (%d) is over %d", i, in, a.Kernel, maxWindow)
		}
		if err := k.extend(&a, i); err != nil {
			return err
		}
		g.Axes, g.x = append(g.Axes, a), append(g.x, a.In)
	}
	return nil
}

// extend sets how long the output is along axis i.
func (k *convTranspose) extend(a *Axis, i int) error {
	full := (a.Out-1)*a.Stride + (a.Kernel-1)*a.Dilation + 1 + at(k.outputPadding, i, 0)
	same := k.AutoPad == "SAME_UPPER" || k.AutoPad == "SAME_LOWER"
	switch {
	case k.outputShape != nil:
		a.In = k.outputShape[i]
	case same:
		a.In = a.Out * a.Stride
	case k.AutoPad == "VALID":
		a.In, a.Begin, a.End = full, 0, 0
		return nil
	default:
		if a.In = full - a.Begin - a.End; a.In < 0 {
			return op.Errorf("padding of %d and %d is more than spatial dimension %d of the output has (%d)", a.Begin, a.End, i, full)
		}
		return nil
	}
	if same || k.Pads == nil {
		total := max(0, full-a.In)
		a.Begin, a.End = total-total/2, total/2
		if k.AutoPad == "SAME_UPPER" {
			a.Begin, a.End = a.End, a.Begin
		}
	}
	return nil
}

// transposeState is what one node keeps between runs.
type transposeState struct {
	Geometry
	ws     gemm.Workspace
	packed []*gemm.PackedA // weights that are not constant
}

// Run makes the output.
func (k *convTranspose) Run(c *op.Context) error {
	st := op.State[transposeState](c)
	x, w, b := c.T(0), c.T(1), c.T(2)
	if err := k.place(&st.Geometry, x.Shape(), w.Shape()); err != nil {
		return err
	}
	if x.DType() != w.DType() || (b != nil && (b.DType() != x.DType() || b.Len() != st.Channels)) {
		return op.Errorf("the weights are %v and the bias is %v, want the image's type, %v, and a bias for each of %d channels", w, b, x.DType(), st.Channels)
	}
	_, pixels := st.Pixels()
	if err := bounded(c, x.DType(), st.Depth(), pixels); err != nil {
		return err
	}
	out := c.NewOut(0, x.DType(), st.x...)
	if x.DType() == tensor.Float64 {
		k.runFloat64(c, st, out, x, w, b)
		return nil
	}
	weights := k.packed
	if weights == nil {
		rows := op.Product(w.Shape()[1:])
		weights = k.packWeights(st.packed[:0], op.Float32s(c, 1, w), w.Dim(0)/k.Group, rows)
		st.packed = weights
	}
	dst := numeric.Target[float32](c, 2, out)
	var bias []float32
	if b != nil {
		bias = op.Float32s(c, 3, b)
	}
	src := op.Float32s(c, 0, x)
	columns := op.Scratch[float32](c, 4, st.Depth()*pixels)
	spreadPixels(&st.Geometry, dst, bias, columns, func(group, at int) {
		weights[group].Mul(&st.ws, pixels, src[at:], pixels, false, columns, pixels, gemm.Epilogue{})
	})
	numeric.Store(c, 2, out, dst)
	return nil
}

func (k *convTranspose) runFloat64(c *op.Context, st *transposeState, out, x, w, b *tensor.Tensor) {
	src, weights := tensor.Data[float64](x), tensor.Data[float64](w)
	var bias []float64
	if b != nil {
		bias = tensor.Data[float64](b)
	}
	_, pixels := st.Pixels()
	rows, channels := st.Depth(), st.Filters/st.Group
	columns := op.Scratch[float64](c, 4, rows*pixels)
	spreadPixels(&st.Geometry, tensor.Data[float64](out), bias, columns, func(group, at int) {
		gemm.MulScalar(rows, pixels, channels, weights[group*channels*rows:], rows, true, src[at:], pixels, false, columns, pixels)
	})
}

// spreadPixels fills dst from the columns that makeColumns computes for a
// group of the image that starts at an element of the input.
func spreadPixels[T float](g *Geometry, dst, bias, columns []T, makeColumns func(group, at int)) {
	in, pixels := g.Pixels()
	if len(dst) == 0 {
		return
	}
	channels, filters := g.Channels/g.Group, g.Filters/g.Group
	for i := range g.Batch * g.Group {
		group := i % g.Group
		makeColumns(group, i*filters*pixels)
		image := dst[i*channels*in:][:channels*in]
		for ch := range channels {
			plane := image[ch*in:][:in]
			var start T
			if bias != nil {
				start = bias[group*channels+ch]
			}
			for j := range plane {
				plane[j] = start
			}
			taps := g.Depth() / channels
			addPatches(plane, columns[ch*taps*pixels:], g)
		}
	}
}

// addPatches is the reverse of Patches for one channel: it adds each row of
// columns to where the row's tap lies under each output pixel.
func addPatches[T float](plane, columns []T, g *Geometry) {
	d, h, w := inThree(g.Axes)
	for tap := range d.Kernel * h.Kernel * w.Kernel {
		i, j, l := tap/(h.Kernel*w.Kernel), tap/w.Kernel%h.Kernel, tap%w.Kernel
		for oz := range d.Out {
			z := oz*d.Stride - d.Begin + i*d.Dilation
			for oy := range h.Out {
				y := oy*h.Stride - h.Begin + j*h.Dilation
				row := columns[:w.Out]
				columns = columns[w.Out:]
				if z < 0 || z >= d.In || y < 0 || y >= h.In {
					continue
				}
				lo, hi := w.reached(l)
				line, x := plane[(z*h.In+y)*w.In:][:w.In], lo*w.Stride+l*w.Dilation-w.Begin
				for _, v := range row[lo:hi] {
					line[x] += v
					x += w.Stride
				}
			}
		}
	}
}
