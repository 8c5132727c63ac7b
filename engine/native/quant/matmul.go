package quant

import (
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

func matMulOps() []op.Def {
	scales := op.TypeSet{tensor.Float32, tensor.Float16, tensor.BFloat16}
	factors := append(op.TypeSet{tensor.Float8E4M3FN, tensor.Float8E4M3FNUZ, tensor.Float8E5M2, tensor.Float8E5M2FNUZ}, bytes...)
	integer := op.Def{
		Name:  "MatMulInteger",
		Types: []op.TypeSet{bytes},
		Infer: op.InferElem(tensor.Int32),
		Build: op.Simple(matMulInteger),
	}
	linear := op.Def{
		Name:  "QLinearMatMul",
		Types: []op.TypeSet{factors, scales, factors, factors, scales, factors, scales, factors},
		Infer: op.InferElemOf(7),
		Build: op.Simple(qLinearMatMul),
	}
	return append(op.Require(2, integer), op.Require(8, linear)...)
}

// stack is the shape of a product of stacks of matrices. It is kept in the
// context's state for its memory.
type stack struct {
	m, n, k    int
	batch, out []int
	sa, sb     []int // strides of the batch dimensions, in matrices
	countA     int   // matrices in a and b
	countB     int
}

// plan works out the shapes by the rules of NumPy's matmul: a vector on the
// left is one row, on the right one column.
func (s *stack) plan(a, b []int) error {
	if len(a) == 0 || len(b) == 0 {
		return op.Errorf("shapes %v and %v: neither may be a scalar", slices.Clone(a), slices.Clone(b))
	}
	var batchA, batchB []int
	inner := b[0]
	s.m, s.k, s.n = 1, a[len(a)-1], 1
	if len(a) > 1 {
		batchA, s.m = a[:len(a)-2], a[len(a)-2]
	}
	if len(b) > 1 {
		batchB, inner, s.n = b[:len(b)-2], b[len(b)-2], b[len(b)-1]
	}
	if inner != s.k {
		return op.Errorf("shapes %v and %v: the inner dimensions differ (%d and %d)",
			slices.Clone(a), slices.Clone(b), s.k, inner)
	}
	var err error
	if s.batch, err = op.Broadcast(s.batch[:0], batchA, batchB); err != nil {
		return err
	}
	s.sa = op.BroadcastStrides(s.sa[:0], batchA, s.batch)
	s.sb = op.BroadcastStrides(s.sb[:0], batchB, s.batch)
	s.countA, s.countB = op.Product(batchA), op.Product(batchB)
	s.out = append(s.out[:0], s.batch...)
	if len(a) > 1 {
		s.out = append(s.out, s.m)
	}
	if len(b) > 1 {
		s.out = append(s.out, s.n)
	}
	return nil
}

// matrices gives which matrix of a and of b the i-th product multiplies.
func (s *stack) matrices(i int) (a, b int) {
	for d := len(s.batch) - 1; d >= 0; d-- {
		at := i % s.batch[d]
		i /= s.batch[d]
		a += at * s.sa[d]
		b += at * s.sb[d]
	}
	return a, b
}

// side are the parameters of one factor: none, one for all, one for each line
// (row of a, column of b), or one for each line of each matrix.
type side[T any] struct {
	values []T
	lines  int
}

// newSide checks that a parameter has one of the lengths a side may have.
func newSide[T any](what string, values []T, lines, count int) (side[T], error) {
	switch len(values) {
	case 0, 1, lines, lines * count:
		return side[T]{values, lines}, nil
	}
	return side[T]{}, op.Errorf("%s has %d elements, want 1 or %d", what, len(values), lines)
}

// matrix gives the parameters of matrix i: none, one, or one for each line.
func (s side[T]) matrix(i int) []T {
	if len(s.values) <= 1 || len(s.values) == s.lines {
		return s.values
	}
	return s.values[i*s.lines:][:s.lines]
}

func matMulInteger(c *op.Context) error {
	a, b := c.T(0), c.T(1)
	s := op.State[stack](c)
	if err := s.plan(a.Shape(), b.Shape()); err != nil {
		return err
	}
	out := c.NewOut(0, tensor.Int32, s.out...)
	return s.multiply(tensor.Data[int32](out), a, b, c.T(2), c.T(3))
}

// multiply sets dst to the products of all matrices less their zero points;
// zeroA and zeroB may be nil.
func (s *stack) multiply(dst []int32, a, b, zeroA, zeroB *tensor.Tensor) error {
	if zeroA != nil && zeroA.DType() != a.DType() || zeroB != nil && zeroB.DType() != b.DType() {
		return op.Errorf("the zero points must have the types of the factors, %v and %v", a.DType(), b.DType())
	}
	if a.DType() == tensor.Int8 {
		return multiplyBy[int8](s, dst, a, b, zeroA, zeroB)
	}
	return multiplyBy[uint8](s, dst, a, b, zeroA, zeroB)
}

func multiplyBy[A gemm.Byte](s *stack, dst []int32, a, b, zeroA, zeroB *tensor.Tensor) error {
	if b.DType() == tensor.Int8 {
		return multiply[A, int8](s, dst, a, b, zeroA, zeroB)
	}
	return multiply[A, uint8](s, dst, a, b, zeroA, zeroB)
}

func multiply[A, B gemm.Byte](s *stack, dst []int32, ta, tb, zeroA, zeroB *tensor.Tensor) error {
	za, err := newSide("the zero point of the first factor", data[A](zeroA), s.m, s.countA)
	if err != nil {
		return err
	}
	zb, err := newSide("the zero point of the second factor", data[B](zeroB), s.n, s.countB)
	if err != nil {
		return err
	}
	a, b := tensor.Data[A](ta), tensor.Data[B](tb)
	size := s.m * s.n
	for i := 0; size > 0 && i < len(dst)/size; i++ {
		ia, ib := s.matrices(i)
		gemm.MulQuantized(s.m, s.n, s.k, a[ia*s.m*s.k:], s.k, za.matrix(ia),
			b[ib*s.k*s.n:], s.n, zb.matrix(ib), dst[i*size:], s.n)
	}
	return nil
}

// data is the storage of t, nil for no tensor.
func data[T tensor.Element](t *tensor.Tensor) []T {
	if t == nil {
		return nil
	}
	return tensor.Data[T](t)
}

func qLinearMatMul(c *op.Context) error {
	a, b, scale, zero := c.T(0), c.T(3), c.T(6), c.T(7)
	if scale.Len() != 1 || zero.Len() != 1 {
		return op.Errorf("the result's scale (%v) and zero point (%v) must be scalars", scale, zero)
	}
	if a.DType().IsSmallFloat() || b.DType().IsSmallFloat() || zero.DType().IsSmallFloat() {
		return qLinearMatMulReal(c)
	}
	s := op.State[stack](c)
	if err := s.plan(a.Shape(), b.Shape()); err != nil {
		return err
	}
	sa, err := newSide("the scale of the first factor", floats(c, 0, c.T(1)), s.m, s.countA)
	if err != nil {
		return err
	}
	sb, err := newSide("the scale of the second factor", floats(c, 1, c.T(4)), s.n, s.countB)
	if err != nil {
		return err
	}
	if len(sa.values) == 0 || len(sb.values) == 0 {
		return op.Errorf("a factor's scale is empty (%v, %v)", c.T(1), c.T(4))
	}
	out := c.NewOut(0, zero.DType(), s.out...)
	sums := op.Scratch[int32](c, 2, out.Len())
	if err := s.multiply(sums, a, b, c.T(2), c.T(5)); err != nil {
		return err
	}
	w := newWriter(out, zero, floats(c, 3, scale)[0])
	size := s.m * s.n
	for i := 0; size > 0 && i < len(sums)/size; i++ {
		ia, ib := s.matrices(i)
		rows, cols := sa.matrix(ia), sb.matrix(ib)
		for r := range s.m {
			at := i*size + r*s.n
			w.write(at, sums[at:at+s.n], rows[r%len(rows)], cols)
		}
	}
	return nil
}

// writer stores sums of products as bytes with a scale and a zero point.
type writer struct {
	signed       []int8 // one of the two is the output
	unsigned     []uint8
	scale        float32
	zero, lo, hi float32
}

func newWriter(out, zero *tensor.Tensor, scale float32) writer {
	w := writer{scale: scale}
	w.lo, w.hi, _ = span(out.DType())
	if out.DType() == tensor.Int8 {
		w.signed, w.zero = tensor.Data[int8](out), float32(tensor.Data[int8](zero)[0])
	} else {
		w.unsigned, w.zero = tensor.Data[uint8](out), float32(tensor.Data[uint8](zero)[0])
	}
	return w
}

// write stores a row of sums from element at on. Its real values are the sums
// times row and times cols, which holds one factor or one for each sum.
func (w *writer) write(at int, sums []int32, row float32, cols []float32) {
	factor := row * cols[0] / w.scale
	for j, sum := range sums {
		if len(cols) > 1 {
			factor = row * cols[j] / w.scale
		}
		v := saturate(nearest(float32(sum)*factor)+w.zero, w.lo, w.hi)
		if w.signed != nil {
			w.signed[at+j] = int8(v)
		} else {
			w.unsigned[at+j] = uint8(v)
		}
	}
}
