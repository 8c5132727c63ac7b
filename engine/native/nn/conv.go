package nn

import (
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// convOps are the convolutions. FusedConv is Conv with an activation (see
// readActivation).
func convOps() []op.Def {
	return []op.Def{
		{Name: "Conv", Types: []op.TypeSet{op.Floats}, Infer: InferConv, Build: buildConv},
		{Name: "ConvTranspose", Types: []op.TypeSet{op.Floats}, Infer: inferConvTranspose, Build: buildConvTranspose},
		{Name: "CausalConvWithState", Since: 27, Types: []op.TypeSet{smallFloats}, Infer: inferCausalConv, Build: buildCausalConv},
		{Domain: op.Internal, Name: "FusedConv", Types: []op.TypeSet{float32Only}, Infer: InferConv, Build: buildConv},
	}
}

// Convolution is what a node's attributes say of a convolution. It serves the
// quantized convolutions, too.
type Convolution struct {
	Window
	Group int
}

// ReadConvolution reads and checks the attributes of n.
func ReadConvolution(n *op.Node) (Convolution, error) {
	w, err := ReadWindow(n)
	if err != nil {
		return Convolution{}, err
	}
	a := n.ReadAttrs()
	k := Convolution{Window: w, Group: a.Int("group", 1)}
	if err := a.Err(); err != nil {
		return k, err
	}
	if k.Group < 1 {
		return k, op.Errorf("attribute group is %d, want 1 or more", k.Group)
	}
	return k, nil
}

// Geometry is a convolution of an image and weights of given shapes. Memory is
// kept from one Place to the next.
type Geometry struct {
	Batch, Channels, Filters, Group int
	Axes                            []Axis // one for each spatial dimension
	Shape                           []int  // of the output: [Batch, Filters, …]

	x, w []int // the shapes it was made for
}

// Place sets g for an image of shape x, [N, C, …], and weights of shape w,
// [M, C/Group, …].
func (k *Convolution) Place(g *Geometry, x, w []int) error {
	if len(g.x) > 0 && slices.Equal(g.x, x) && slices.Equal(g.w, w) {
		return nil
	}
	g.x, g.w = g.x[:0], append(g.w[:0], w...)
	if len(x) < 3 || len(x) != len(w) {
		return op.Errorf("the image has shape %v and the weights have %v, want [N, C, …] and [M, C/group, …] with 1 to %d spatial dimensions",
			slices.Clone(x), slices.Clone(w), maxSpatial)
	}
	if x[1] != w[1]*k.Group || w[0]%k.Group != 0 {
		return op.Errorf("the image has shape %v and the weights have %v with %d groups: want %d channels in the image and a multiple of %d filters",
			slices.Clone(x), slices.Clone(w), k.Group, w[1]*k.Group, k.Group)
	}
	axes, err := k.Window.Place(g.Axes[:0], x[2:], w[2:])
	if err != nil {
		return err
	}
	g.Axes, g.Group, g.Batch, g.Channels, g.Filters = axes, k.Group, x[0], x[1], w[0]
	g.Shape = append(g.Shape[:0], g.Batch, g.Filters)
	for _, a := range axes {
		g.Shape = append(g.Shape, a.Out)
	}
	g.x = append(g.x, x...)
	return nil
}

// Pixels is how many elements one channel has in the input and the output.
func (g *Geometry) Pixels() (in, out int) { return op.Product(g.x[2:]), op.Product(g.Shape[2:]) }

// Depth is how many products one output element sums: the channels of a group
// times the kernel's taps.
func (g *Geometry) Depth() int { return op.Product(g.w[1:]) }

// Patches writes the matrix that turns a convolution into a product: row p of
// dst, [Depth × output pixels], holds for each output pixel the input under
// the p-th weight, and pad where that lies outside. image is one image's
// channels of one group.
func Patches[T any](dst, image []T, g *Geometry, pad T) {
	d, h, w := inThree(g.Axes)
	_, pixels := g.Pixels()
	for channel := range g.Channels / g.Group {
		plane := image[channel*d.In*h.In*w.In:][:d.In*h.In*w.In]
		for i := range d.Kernel {
			for j := range h.Kernel {
				for l := range w.Kernel {
					patchRow(dst[:pixels], plane, [3]Axis{d, h, w}, [3]int{i, j, l}, pad)
					dst = dst[pixels:]
				}
			}
		}
	}
}

// patchRow writes what the tap sees from each output pixel.
func patchRow[T any](dst, plane []T, axes [3]Axis, tap [3]int, pad T) {
	d, h, w := axes[0], axes[1], axes[2]
	for oz := range d.Out {
		z := oz*d.Stride - d.Begin + tap[0]*d.Dilation
		for oy := range h.Out {
			y := oy*h.Stride - h.Begin + tap[1]*h.Dilation
			row := dst[:w.Out]
			dst = dst[w.Out:]
			if z < 0 || z >= d.In || y < 0 || y >= h.In {
				for i := range row {
					row[i] = pad
				}
				continue
			}
			gather(row, plane[(z*h.In+y)*w.In:][:w.In], &w, tap[2], pad)
		}
	}
}

// gather reads what the tap sees of a line, with pad outside of it.
func gather[T any](dst, line []T, a *Axis, tap int, pad T) {
	lo, hi := a.reached(tap)
	for i := range lo {
		dst[i] = pad
	}
	from := lo*a.Stride - a.Begin + tap*a.Dilation
	for i := lo; i < hi; i++ {
		dst[i] = line[from]
		from += a.Stride
	}
	for i := hi; i < len(dst); i++ {
		dst[i] = pad
	}
}

// InferConv knows the output's type, and its spatial dimensions when image and
// weights have fixed ones.
func InferConv(n *op.Node) error {
	x, w := n.Arg(0).Type, n.Arg(1).Type
	out := tensor.Type{Kind: tensor.KindTensor, Elem: x.Elem}
	k, err := ReadConvolution(n)
	kernel, fixed := w.FixedShape()
	if err == nil && x.Ranked && fixed && len(x.Dims) > 2 && len(kernel) == len(x.Dims) {
		out = k.outType(x, kernel[2:], w.Dims[0])
	}
	n.SetOut(0, out)
	return nil
}

func buildConv(n *op.Node) (op.Kernel, error) {
	k := &conv{}
	var err error
	if k.Convolution, err = ReadConvolution(n); err != nil {
		return nil, err
	}
	if k.act, err = readActivation(n); err != nil {
		return nil, err
	}
	k.pack(n)
	return k, nil
}
