package nn

import (
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// gemmNode is Gemm, and FusedGemm: the same with an activation.
type gemmNode struct {
	transA, transB bool
	alpha, beta    float32
	act            activation

	packed *gemm.PackedB // constant B in float32, scaled by alpha
	bias   []float32     // constant C that is one row, scaled by beta
}

func buildGemm(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	k := &gemmNode{
		transA: a.Bool("transA", false), transB: a.Bool("transB", false),
		alpha: a.Float("alpha", 1), beta: a.Float("beta", 1),
	}
	err := a.Err()
	if err != nil {
		return nil, err
	}
	if k.act, err = readActivation(n); err != nil {
		return nil, err
	}
	k.pack(n)
	return k, nil
}

// pack prepares the constants: a dense layer's weights and bias.
func (k *gemmNode) pack(n *op.Node) {
	b := n.Arg(1).Tensor()
	if b == nil || b.Rank() != 2 || !isFloat32Math(b.DType()) || k.transA {
		return
	}
	depth, width := b.Dim(0), b.Dim(1)
	if k.transB {
		depth, width = width, depth
	}
	weights := constFloats(b)
	if k.alpha != 1 {
		weights = scaled(make([]float32, len(weights)), weights, k.alpha)
	}
	k.packed = gemm.PackB(depth, width, weights, b.Dim(1), k.transB)
	if c := n.Arg(2).Tensor(); c != nil && isRow(c.Shape(), width) && isFloat32Math(c.DType()) {
		k.bias = k.row(make([]float32, width), constFloats(c))
	}
}

// isRow tells the shapes that repeat one row of this width.
func isRow(shape []int, width int) bool {
	switch len(shape) {
	case 0:
		return true
	case 1:
		return shape[0] == width || shape[0] == 1
	case 2:
		return shape[0] == 1 && (shape[1] == width || shape[1] == 1)
	}
	return false
}

// row writes beta·c to dst, which is as wide as the result.
func (k *gemmNode) row(dst, c []float32) []float32 {
	if len(c) == len(dst) {
		return scaled(dst, c, k.beta)
	}
	for j := range dst {
		dst[j] = k.beta * c[0]
	}
	return dst
}

func scaled(dst, src []float32, factor float32) []float32 {
	for i, v := range src {
		dst[i] = factor * v
	}
	return dst
}

func inferGemm(n *op.Node) error {
	a, b := n.Arg(0).Type, n.Arg(1).Type
	at := n.ReadAttrs()
	i, j := at.Int("transA", 0), 1-at.Int("transB", 0)
	out := tensor.Type{Kind: tensor.KindTensor, Elem: n.Elem(0)}
	if a.Ranked && b.Ranked && len(a.Dims) == 2 && len(b.Dims) == 2 && (i == 0 || i == 1) && (j == 0 || j == 1) {
		out.Ranked, out.Dims = true, []tensor.Dim{a.Dims[i], b.Dims[j]}
	}
	n.SetOut(0, out)
	return nil
}

// gemmShape is C[m×n] = A[m×k]·B[k×n].
type gemmShape struct{ m, n, k int }

func (k *gemmNode) shape(a, b, c *tensor.Tensor) (s gemmShape, err error) {
	if a.Rank() != 2 || b.Rank() != 2 {
		return s, op.Errorf("the factors have shapes %v and %v, want two matrices", slices.Clone(a.Shape()), slices.Clone(b.Shape()))
	}
	s = gemmShape{m: a.Dim(0), k: a.Dim(1), n: b.Dim(1)}
	inner := b.Dim(0)
	if k.transA {
		s.m, s.k = s.k, s.m
	}
	if k.transB {
		s.n, inner = inner, s.n
	}
	if inner != s.k {
		return s, op.Errorf("shapes %v and %v (transA %t, transB %t): the inner dimensions differ (%d and %d)",
			slices.Clone(a.Shape()), slices.Clone(b.Shape()), k.transA, k.transB, s.k, inner)
	}
	if a.DType() != b.DType() || (c != nil && c.DType() != a.DType()) {
		return s, op.Errorf("the inputs have different types, want %v for all", a.DType())
	}
	if c != nil && !broadcastsTo(c.Shape(), s.m, s.n) {
		return s, op.Errorf("input C has shape %v, which does not broadcast to [%d %d]", slices.Clone(c.Shape()), s.m, s.n)
	}
	return s, nil
}

func broadcastsTo(shape []int, m, n int) bool {
	if len(shape) > 2 {
		return false
	}
	rows, cols := lastTwo(shape)
	return (rows == 1 || rows == m) && (cols == 1 || cols == n)
}

func lastTwo(shape []int) (rows, cols int) {
	rows, cols = 1, 1
	if len(shape) > 0 {
		cols = shape[len(shape)-1]
	}
	if len(shape) > 1 {
		rows = shape[len(shape)-2]
	}
	return rows, cols
}

// Run multiplies and adds.
func (k *gemmNode) Run(c *op.Context) error {
	a, b, bias := c.T(0), c.T(1), c.T(2)
	s, err := k.shape(a, b, bias)
	if err != nil {
		return err
	}
	out := c.NewOut(0, a.DType(), s.m, s.n)
	if isFloat32Math(a.DType()) {
		k.runFloat32(c, s, a, b, bias, out)
		return nil
	}
	return k.runTyped(s, a, b, bias, out)
}

func (k *gemmNode) runFloat32(c *op.Context, s gemmShape, a, b, bias, out *tensor.Tensor) {
	ws := op.State[gemm.Workspace](c)
	var ep gemm.Epilogue
	k.act.set(&ep)
	dst := numeric.Target[float32](c, 2, out)
	switch {
	case bias == nil || k.beta == 0:
	case k.bias != nil:
		ep.ColBias = k.bias
	case isRow(bias.Shape(), s.n):
		ep.ColBias = k.row(op.Scratch[float32](c, 4, s.n), op.Float32s(c, 3, bias))
	default:
		spreadC(dst, s.n, op.Float32s(c, 3, bias), bias.Shape(), k.beta)
		ep.Accumulate = true
	}
	fa := op.Float32s(c, 0, a)
	switch {
	case k.packed != nil:
		k.packed.Mul(ws, s.m, fa, s.k, dst, s.n, ep)
	case k.alpha == 0:
		gemm.Mul(ws, s.m, s.n, 0, nil, 0, false, nil, s.n, false, dst, s.n, ep)
	default:
		ep.Alpha = k.alpha
		gemm.Mul(ws, s.m, s.n, s.k, fa, a.Dim(1), k.transA, op.Float32s(c, 1, b), b.Dim(1), k.transB, dst, s.n, ep)
	}
	numeric.Store(c, 2, out, dst)
}

// spreadC sets dst, n columns wide, to beta·c, broadcast.
func spreadC(dst []float32, n int, c []float32, shape []int, beta float32) {
	clear(dst)
	addC(dst, n, c, shape, beta)
}

// addC adds beta·c, broadcast, to dst, n columns wide.
func addC[T number](dst []T, n int, c []T, shape []int, beta float32) {
	rows, cols := lastTwo(shape)
	for i := 0; i*n < len(dst); i++ {
		row, from := dst[i*n:][:n], c[min(i, rows-1)*cols:]
		for j := range row {
			row[j] += scaleBy(from[min(j, cols-1)], beta)
		}
	}
}

// scaleBy multiplies by an attribute, exactly when it is 1.
func scaleBy[T number](v T, factor float32) T {
	if factor == 1 {
		return v
	}
	return T(float64(v) * float64(factor))
}

func (k *gemmNode) runTyped(s gemmShape, a, b, bias, out *tensor.Tensor) error {
	switch a.DType() {
	case tensor.Float64:
		runGemm[float64](k, s, a, b, bias, out)
	case tensor.Int64:
		runGemm[int64](k, s, a, b, bias, out)
	case tensor.Int32:
		runGemm[int32](k, s, a, b, bias, out)
	case tensor.Uint64:
		runGemm[uint64](k, s, a, b, bias, out)
	case tensor.Uint32:
		runGemm[uint32](k, s, a, b, bias, out)
	default:
		return op.Errorf("%v cannot be multiplied", a.DType())
	}
	return nil
}

func runGemm[T gemm.Scalar](k *gemmNode, s gemmShape, a, b, bias, out *tensor.Tensor) {
	dst := tensor.Data[T](out)
	multiply(nil, dst, s.m, s.n, s.k, tensor.Data[T](a), a.Dim(1), k.transA, tensor.Data[T](b), b.Dim(1), k.transB)
	for i := range dst {
		dst[i] = scaleBy(dst[i], k.alpha)
	}
	if bias != nil && len(dst) > 0 {
		addC(dst, s.n, tensor.Data[T](bias), bias.Shape(), k.beta)
	}
}
