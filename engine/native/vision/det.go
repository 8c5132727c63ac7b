package vision

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
)

// determinant is Det: the determinants of square matrices [..., M, M], by
// elimination with partial pivoting in float64.
func determinant(c *op.Context) error {
	x := c.T(0)
	if x.Rank() < 2 || x.Dim(-1) != x.Dim(-2) {
		return op.Errorf("want square matrices, got %v", x)
	}
	n := x.Dim(-1)
	out := c.NewOut(0, x.DType(), x.Shape()[:x.Rank()-2]...)
	src := numeric.Read[float64](c, 0, x)
	result, m := op.Scratch[float64](c, 1, out.Len()), op.Scratch[float64](c, 2, n*n)
	for i := range result {
		if err := c.Ctx.Err(); err != nil {
			return err
		}
		copy(m, src[i*n*n:(i+1)*n*n])
		result[i] = eliminate(m, n)
	}
	numeric.Write(c, 3, out, result)
	return nil
}

// eliminate destroys the n×n matrix m and gives its determinant.
func eliminate(m []float64, n int) float64 {
	det := 1.0
	for col := range n {
		pivot := col
		for r := col + 1; r < n; r++ {
			if math.Abs(m[r*n+col]) > math.Abs(m[pivot*n+col]) {
				pivot = r
			}
		}
		if pivot != col {
			det = -det
			for j := range n {
				m[pivot*n+j], m[col*n+j] = m[col*n+j], m[pivot*n+j]
			}
		}
		p := m[col*n+col]
		if det *= p; p == 0 {
			return 0
		}
		for r := col + 1; r < n; r++ {
			f := m[r*n+col] / p
			for j := col; j < n; j++ {
				m[r*n+j] -= f * m[col*n+j]
			}
		}
	}
	return det
}
