package quant

import (
	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"github.com/greenlight-dev/greenlight/engine/native/op"
)

// realState is what a product of float8 matrices keeps between runs.
type realState struct {
	stack
	ws gemm.Workspace
}

// qLinearMatMulReal serves QLinearMatMul when float8 takes part: the factors
// are dequantized, multiplied in float32, and the product is quantized.
func qLinearMatMulReal(c *op.Context) error {
	s := op.State[realState](c)
	if err := s.plan(c.T(0).Shape(), c.T(3).Shape()); err != nil {
		return err
	}
	a, err := dequantizeFactor(c, 0, s.m, s.k, s.k)
	if err != nil {
		return err
	}
	b, err := dequantizeFactor(c, 3, s.n, 1, s.k)
	if err != nil {
		return err
	}
	scale, zero := c.T(6), c.T(7)
	out := c.NewOut(0, zero.DType(), s.out...)
	product := op.Scratch[float32](c, 6, out.Len())
	size := s.m * s.n
	for i := 0; size > 0 && i < len(product)/size; i++ {
		ia, ib := s.matrices(i)
		gemm.Mul(&s.ws, s.m, s.n, s.k, a[ia*s.m*s.k:], s.k, false, b[ib*s.k*s.n:], s.n, false,
			product[i*size:], s.n, gemm.Epilogue{})
	}
	p := parameters{
		layout: layout{kind: perTensor, outer: 1, size: len(product), inner: 1},
		scales: floats(c, 7, scale), zeros: floats(c, 8, zero),
	}
	p.divide(product, product)
	k := linear{saturate: true}
	k.store(out, product, &p)
	return nil
}

// dequantizeFactor reads the factor at input i by the scale and zero point
// behind it. They hold one value, one for each line (row of the first factor,
// column of the second), or one for each line of each matrix. run is how many
// neighbouring elements a line has. It uses the scratch slices i to i+2.
func dequantizeFactor(c *op.Context, i, lines, run, depth int) ([]float32, error) {
	t := c.T(i)
	values, scale, zero := floats(c, i, t), floats(c, i+1, c.T(i+1)), floats(c, i+2, c.T(i+2))
	size := lines * depth
	for _, n := range []int{len(scale), len(zero)} {
		if n != 1 && n != lines && n*depth != t.Len() || n == 0 {
			return nil, op.Errorf("the scale (%v) or zero point (%v) of input %d (%v) does not fit: want 1 or %d elements",
				c.T(i+1), c.T(i+2), i, t, lines)
		}
	}
	for e := range values {
		line := e/size*lines + e/run%lines
		values[e] = (values[e] - zero[line%len(zero)]) * scale[line%len(scale)]
	}
	return values, nil
}
