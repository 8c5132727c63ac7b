package nn

import (
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

func globalPoolOps() []op.Def {
	def := func(name string, kind reduction) op.Def {
		return op.Def{Name: name, Types: []op.TypeSet{op.Floats}, Infer: inferGlobalPool,
			Build: func(n *op.Node) (op.Kernel, error) {
				p, err := readNorm(n)
				return &globalPool{kind: kind, p: p}, err
			}}
	}
	return []op.Def{
		def("GlobalMaxPool", maximum),
		def("GlobalAveragePool", mean),
		def("GlobalLpPool", norm),
	}
}

// globalPool reduces each channel to one value.
type globalPool struct {
	kind reduction
	p    float64 // GlobalLpPool
}

func inferGlobalPool(n *op.Node) error {
	t := n.Arg(0).Type
	if t.Ranked {
		t.Dims = slices.Clone(t.Dims)
		for i := 2; i < len(t.Dims); i++ {
			t.Dims[i] = tensor.Dim{Size: 1}
		}
	}
	n.SetOut(0, t)
	return nil
}

// Run reduces every plane.
func (k *globalPool) Run(c *op.Context) error {
	x := c.T(0)
	if x.Rank() < 2 {
		return op.Errorf("the input has shape %v, want [batch, channels, …]", slices.Clone(x.Shape()))
	}
	var buf [8]int
	shape := append(buf[:0], x.Shape()[:2]...)
	for range x.Rank() - 2 {
		shape = append(shape, 1)
	}
	size := op.Product(x.Shape()[2:])
	out := c.NewOut(0, x.DType(), shape...)
	if size == 0 && out.Len() > 0 {
		return op.Errorf("the input has shape %v: nothing to pool", slices.Clone(x.Shape()))
	}
	switch x.DType() {
	case tensor.Float32:
		reduceChannels(k, tensor.Data[float32](out), tensor.Data[float32](x), size)
	case tensor.Float64:
		reduceChannels(k, tensor.Data[float64](out), tensor.Data[float64](x), size)
	default:
		src, dst := op.Float32s(c, 1, x), op.Scratch[float32](c, 2, out.Len())
		reduceChannels(k, dst, src, size)
		op.WriteFloat32s(out, dst)
	}
	return nil
}

func reduceChannels[T float](k *globalPool, dst, src []T, size int) {
	for o := range dst {
		plane := src[o*size:][:size]
		switch k.kind {
		case maximum:
			dst[o] = slices.Max(plane)
		case mean:
			dst[o] = sumFour(plane) / T(size)
		case norm:
			dst[o] = 0
			for i := range plane {
				addPowers(dst[o:o+1], plane[i:i+1], k.p)
			}
			rootAll(dst[o:o+1], k.p)
		}
	}
}

// sumFour adds in four interleaved sums, which do not wait for each other.
func sumFour[T float](values []T) T {
	var a, b, c, d T
	rest := values
	for ; len(rest) >= 4; rest = rest[4:] {
		a, b, c, d = a+rest[0], b+rest[1], c+rest[2], d+rest[3]
	}
	for _, v := range rest {
		a += v
	}
	return (a + b) + (c + d)
}
