package reduce

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// layerNorm is LayerNormalization, or RMSNormalization when centred is not
// set: each row, made of the dimensions from axis on, is brought to unit
// scale, then multiplied by input 1 and shifted by input 2, both broadcast to
// the whole input.
type layerNorm struct {
	axis    int
	epsilon float64
	centred bool
	stats   tensor.DType // of the optional outputs Mean and InvStdDev
	mean    bool         // whether they are wanted
	inverse bool
}

func buildLayerNorm(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	k := &layerNorm{
		axis:    a.Int("axis", -1),
		epsilon: float64(a.Float("epsilon", 1e-5)),
		centred: n.Op == "LayerNormalization",
		stats:   tensor.DType(a.Int("stash_type", int(tensor.Float32))),
		mean:    n.Wants(1),
		inverse: n.Wants(2),
	}
	if k.stats != tensor.Float32 && k.stats != tensor.BFloat16 {
		return nil, op.Errorf("stash_type %d: only float32 (1) and bfloat16 (16) are defined", k.stats)
	}
	return k, a.Err()
}

func inferLayerNorm(n *op.Node) error {
	in := n.Arg(0).Type
	n.SetOut(0, in)
	stats := tensor.Type{Kind: tensor.KindTensor, Elem: tensor.DType(n.ReadAttrs().Int("stash_type", int(tensor.Float32)))}
	n.SetOut(1, stats)
	n.SetOut(2, stats)
	return nil
}

// Run normalises input 0.
func (k *layerNorm) Run(c *op.Context) error {
	x := c.T(0)
	axis, err := op.Axis(k.axis, x.Rank())
	if err != nil {
		return err
	}
	for i := 1; i < len(c.In); i++ {
		if err := fitsInto(c.T(i), x); err != nil {
			return err
		}
	}
	out := c.OutLike(0, x.DType(), x)
	if x.DType() == tensor.Float64 {
		normalizeLayers(k, c, out, x, tensor.Data[float64](x), axis)
	} else {
		normalizeLayers(k, c, out, x, op.Float32s(c, 0, x), axis)
	}
	return nil
}

// fitsInto says whether t broadcasts to the shape of x.
func fitsInto(t, x *tensor.Tensor) error {
	if t == nil {
		return nil
	}
	for i := range t.Rank() {
		if d := t.Dim(-1 - i); i >= x.Rank() || d != 1 && d != x.Dim(-1-i) {
			return op.Errorf("%v does not broadcast to %v", t, x)
		}
	}
	return nil
}

func normalizeLayers[T float](k *layerNorm, c *op.Context, out, x *tensor.Tensor, src []T, axis int) {
	rows, n := op.Product(x.Shape()[:axis]), op.Product(x.Shape()[axis:])
	scale := readAffine[T](c, 1, c.T(1), x, axis)
	shift := readAffine[T](c, 3, c.T(2), x, axis)
	dst := numeric.Target[T](c, 5, out)
	stats := op.Scratch[float32](c, 6, 2*rows)
	means, inverses := stats[:rows], stats[rows:]
	for r := range rows {
		d := dst[r*n : (r+1)*n]
		mean, inverse := standardizeRow(k, d, src[r*n:(r+1)*n])
		scale.multiply(d, r)
		shift.add(d, r)
		means[r], inverses[r] = float32(mean), float32(inverse)
	}
	numeric.Store(c, 5, out, dst)
	k.writeStats(c, x, axis, means, inverses)
}

// standardizeRow is the first stage; it gives the mean that it took off and
// the inverse of the scale that it divided by.
func standardizeRow[T float](k *layerNorm, dst, x []T) (mean, inverse float64) {
	var square float64
	if k.centred {
		mean, square = moments(x)
	} else {
		square = rowSumSquare[float64](x) / float64(len(x))
	}
	inverse = 1 / math.Sqrt(square+k.epsilon)
	for i, v := range x {
		dst[i] = T((float64(v) - mean) * inverse)
	}
	return mean, inverse
}

// affine is a scale or shift for each element of a row; stride is 0 when all
// rows share it, else the row's length.
type affine[T float] struct {
	v      []T
	stride int
}

// readAffine reads t, spreading it over all of x when it differs by row. It
// uses scratch slices k and k+1.
func readAffine[T float](c *op.Context, k int, t, x *tensor.Tensor, axis int) affine[T] {
	v := numeric.Read[T](c, k, t)
	if t == nil || sameForRows(t, x, axis) {
		return affine[T]{v: v}
	}
	wide := op.Scratch[T](c, k+1, x.Len())
	spread(wide, v, op.BroadcastStrides(nil, t.Shape(), x.Shape()), x.Shape())
	return affine[T]{wide, op.Product(x.Shape()[axis:])}
}

// sameForRows says whether t covers exactly the dimensions from axis on.
func sameForRows(t, x *tensor.Tensor, axis int) bool {
	for i := range max(t.Rank(), x.Rank()-axis) {
		d := 1
		if i < t.Rank() {
			d = t.Dim(-1 - i)
		}
		if i >= x.Rank()-axis && d != 1 || i < x.Rank()-axis && d != x.Dim(-1-i) {
			return false
		}
	}
	return true
}

// spread writes src, read with strides, over an array of this shape.
func spread[T float](dst, src []T, strides, shape []int) {
	if len(shape) == 0 {
		copy(dst, src)
		return
	}
	if shape[0] == 0 {
		return
	}
	part := len(dst) / shape[0]
	for i := range shape[0] {
		spread(dst[i*part:(i+1)*part], src[i*strides[0]:], strides[1:], shape[1:])
	}
}

func (a affine[T]) multiply(row []T, r int) {
	if a.v == nil {
		return
	}
	v := a.v[r*a.stride:][:len(row)]
	for i := range row {
		row[i] *= v[i]
	}
}

func (a affine[T]) add(row []T, r int) {
	if a.v == nil {
		return
	}
	v := a.v[r*a.stride:][:len(row)]
	for i := range row {
		row[i] += v[i]
	}
}

// writeStats fills the outputs Mean and InvStdDev where they are wanted.
func (k *layerNorm) writeStats(c *op.Context, x *tensor.Tensor, axis int, means, inverses []float32) {
	if !k.mean && !k.inverse {
		return
	}
	shape := op.State[[]int](c)
	*shape = append((*shape)[:0], x.Shape()...)
	fill((*shape)[axis:], 1)
	if k.mean {
		op.WriteFloat32s(c.NewOut(1, k.stats, *shape...), means)
	}
	if k.inverse {
		op.WriteFloat32s(c.NewOut(2, k.stats, *shape...), inverses)
	}
}
