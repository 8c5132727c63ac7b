package nn

import (
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// matMul is MatMul, and FusedMatMul: a third input with a bias for each column
// and an activation.
type matMul struct {
	packed *gemm.PackedB // constant float matrix B
	act    activation
	bias   []float32 // constant third input
}

func buildMatMul(n *op.Node) (op.Kernel, error) {
	k := &matMul{}
	var err error
	if k.act, err = readActivation(n); err != nil {
		return nil, err
	}
	if b := n.Arg(1).Tensor(); b != nil && packable(b) {
		depth, width := b.Dim(0), 1
		if b.Rank() == 2 {
			width = b.Dim(1)
		}
		k.packed = gemm.PackB(depth, width, constFloats(b), width, false)
	}
	if t := n.Arg(2).Tensor(); t != nil {
		k.bias = constFloats(t)
	}
	return k, nil
}

// packable tells constants that can be packed at load: one matrix or vector of
// a type computed in float32.
func packable(t *tensor.Tensor) bool {
	return (t.Rank() == 1 || t.Rank() == 2) && isFloat32Math(t.DType())
}

func isFloat32Math(d tensor.DType) bool { return smallFloats.Has(d) }

// constFloats is a copy-free or converted view of a constant as float32.
func constFloats(t *tensor.Tensor) []float32 {
	if t.DType() == tensor.Float32 {
		return tensor.Data[float32](t)
	}
	dst := make([]float32, t.Len())
	op.ReadFloat32s(dst, t)
	return dst
}

// inferMatMul knows the rank when both are known.
func inferMatMul(n *op.Node) error {
	a, b := n.Arg(0).Type, n.Arg(1).Type
	out := tensor.Type{Kind: tensor.KindTensor, Elem: n.Elem(0)}
	if a.Ranked && b.Ranked && len(a.Dims) >= 2 && len(b.Dims) == 2 {
		out.Ranked = true
		out.Dims = append(slices.Clone(a.Dims[:len(a.Dims)-1]), b.Dims[1])
	} else if a.Ranked && b.Ranked && len(a.Dims) >= 2 && len(a.Dims) == len(b.Dims) {
		out.Ranked = true
		out.Dims = slices.Repeat([]tensor.Dim{{Size: -1}}, len(a.Dims)-2)
		out.Dims = append(out.Dims, a.Dims[len(a.Dims)-2], b.Dims[len(b.Dims)-1])
	}
	n.SetOut(0, out)
	return nil
}

// matMulPlan is the shape of one product of stacks of matrices.
type matMulPlan struct {
	ws      gemm.Workspace
	m, n, k int
	out     []int
	batch   []int // dimensions before the matrices, broadcast
	offA    []int // where each matrix of the batch starts
	offB    []int
	aShape  []int // those of the last run
	bShape  []int
}

// prepare works the shapes out, unless they are those of the last run.
func (pl *matMulPlan) prepare(a, b []int) error {
	if len(pl.aShape) > 0 && slices.Equal(a, pl.aShape) && slices.Equal(b, pl.bShape) {
		return nil
	}
	pl.aShape, pl.bShape = pl.aShape[:0], append(pl.bShape[:0], b...)
	if len(a) == 0 || len(b) == 0 {
		return op.Errorf("shapes %v and %v: neither may be a scalar", slices.Clone(a), slices.Clone(b))
	}
	matA, matB := a, b
	if len(a) == 1 {
		matA = []int{1, a[0]}
	}
	if len(b) == 1 {
		matB = []int{b[0], 1}
	}
	ra, rb := len(matA)-2, len(matB)-2
	if matA[ra+1] != matB[rb] {
		return op.Errorf("shapes %v and %v: the inner dimensions differ (%d and %d)",
			slices.Clone(a), slices.Clone(b), matA[ra+1], matB[rb])
	}
	pl.m, pl.k, pl.n = matA[ra], matA[ra+1], matB[rb+1]
	var err error
	if pl.batch, err = op.Broadcast(pl.batch[:0], matA[:ra], matB[:rb]); err != nil {
		return err
	}
	pl.out = append(pl.out[:0], pl.batch...)
	if len(a) > 1 {
		pl.out = append(pl.out, pl.m)
	}
	if len(b) > 1 {
		pl.out = append(pl.out, pl.n)
	}
	switch {
	case rb == 0: // one B for all rows of all matrices of A
		pl.m *= op.Product(pl.batch)
		pl.offA, pl.offB = append(pl.offA[:0], 0), append(pl.offB[:0], 0)
	case pl.k == 0 || pl.m == 0 || pl.n == 0:
		// There may be very many matrices without an element.
		pl.offA, pl.offB = pl.offA[:0], pl.offB[:0]
	default:
		pl.offA = appendOffsets(pl.offA[:0], matA[:ra], pl.batch, pl.m*pl.k)
		pl.offB = appendOffsets(pl.offB[:0], matB[:rb], pl.batch, pl.k*pl.n)
	}
	pl.aShape = append(pl.aShape, a...)
	return nil
}

// appendOffsets lists, for each element of the wider shape, where a tensor of
// this shape with elements of size has its own.
func appendOffsets(dst, shape, wide []int, size int) []int {
	strides := op.BroadcastStrides(nil, shape, wide)
	for i := range op.Product(wide) {
		off := 0
		for d := len(wide) - 1; d >= 0; d-- {
			off += i % wide[d] * strides[d]
			i /= wide[d]
		}
		dst = append(dst, off*size)
	}
	return dst
}

// Run multiplies.
func (k *matMul) Run(c *op.Context) error {
	pl := op.State[matMulPlan](c)
	a, b := c.T(0), c.T(1)
	if err := pl.prepare(a.Shape(), b.Shape()); err != nil {
		return err
	}
	if a.DType() != b.DType() {
		return op.Errorf("the factors are %v and %v, want one type", a.DType(), b.DType())
	}
	out := c.NewOut(0, a.DType(), pl.out...)
	if pl.k == 0 && len(pl.offA) == 0 {
		out.Zero()
		return nil
	}
	if isFloat32Math(a.DType()) {
		return k.runFloat32(c, pl, a, b, out)
	}
	return multiplyTyped(pl, out, a, b)
}

func (k *matMul) runFloat32(c *op.Context, pl *matMulPlan, a, b, out *tensor.Tensor) error {
	var ep gemm.Epilogue
	k.act.set(&ep)
	if ep.ColBias = k.bias; ep.ColBias == nil && c.T(2) != nil {
		ep.ColBias = op.Float32s(c, 3, c.T(2))
	}
	if ep.ColBias != nil && len(ep.ColBias) != pl.n {
		return op.Errorf("the bias has %d elements, want %d", len(ep.ColBias), pl.n)
	}
	fa := op.Float32s(c, 0, a)
	dst := numeric.Target[float32](c, 2, out)
	if k.packed != nil {
		k.packed.Mul(&pl.ws, pl.m, fa, pl.k, dst, pl.n, ep)
	} else {
		fb := op.Float32s(c, 1, b)
		for i := range pl.offA {
			gemm.Mul(&pl.ws, pl.m, pl.n, pl.k, fa[pl.offA[i]:], pl.k, false, fb[pl.offB[i]:], pl.n, false, dst[i*pl.m*pl.n:], pl.n, ep)
		}
	}
	numeric.Store(c, 2, out, dst)
	return nil
}

// multiplyAll multiplies every pair of the batch.
func multiplyAll[T number](pl *matMulPlan, out, a, b *tensor.Tensor) {
	c, x, y := tensor.Data[T](out), tensor.Data[T](a), tensor.Data[T](b)
	for i := range pl.offA {
		multiply(&pl.ws, c[i*pl.m*pl.n:], pl.m, pl.n, pl.k, x[pl.offA[i]:], pl.k, false, y[pl.offB[i]:], pl.n, false)
	}
}

func multiplyTyped(pl *matMulPlan, out, a, b *tensor.Tensor) error {
	switch a.DType() {
	case tensor.Float64:
		multiplyAll[float64](pl, out, a, b)
	case tensor.Int64:
		multiplyAll[int64](pl, out, a, b)
	case tensor.Int32:
		multiplyAll[int32](pl, out, a, b)
	case tensor.Uint64:
		multiplyAll[uint64](pl, out, a, b)
	case tensor.Uint32:
		multiplyAll[uint32](pl, out, a, b)
	default:
		return op.Errorf("%v cannot be multiplied", a.DType())
	}
	return nil
}
