package attention

import (
	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

type float interface{ float32 | float64 }

// heads views a tensor as a matrix for each sample and head: element (i, j) is
// data[sample*batch + head*each + i*ld + j].
type heads[T float] struct {
	data        []T
	batch, each int
	ld          int
}

// matrix is the part from row i on.
func (h *heads[T]) matrix(sample, head, i int) []T {
	at := sample*h.batch + head*h.each + i*h.ld
	return h.data[min(at, len(h.data)):]
}

// viewHeads views data of shape [batch, length, n·size] if packed, else of
// [batch, n, length, size].
func viewHeads[T float](data []T, packed bool, n, length, size int) heads[T] {
	if packed {
		return heads[T]{data, length * n * size, size, n * size}
	}
	return heads[T]{data, length * n * size, length * size, size}
}

// read gives t's elements in the type computed in, converted into c's k-th
// scratch slice where they must be; nil gives nil.
func read[T float](c *op.Context, k int, t *tensor.Tensor) []T {
	if t == nil {
		return nil
	}
	var dst []T
	switch p := any(&dst).(type) {
	case *[]float32:
		*p = op.Float32s(c, k, t)
	case *[]float64:
		if t.DType() == tensor.Float64 {
			*p = tensor.Data[float64](t)
			break
		}
		narrow := op.Float32s(c, k, t)
		*p = op.Scratch[float64](c, k+scratchWide, len(narrow))
		for i, v := range narrow {
			(*p)[i] = float64(v)
		}
	}
	return dst
}

// scratchWide separates the scratch slices of conversions to float64.
const scratchWide = 16

// output is where to compute t, in its own storage or c's k-th scratch slice;
// write then stores it.
func output[T float](c *op.Context, k int, t *tensor.Tensor) []T {
	if t.DType() == tensor.Of[T]() {
		return tensor.Data[T](t)
	}
	return op.Scratch[T](c, k, t.Len())
}

func write[T float](t *tensor.Tensor, computed []T) {
	if t.DType() == tensor.Of[T]() {
		return
	}
	narrow, ok := any(computed).([]float32)
	if !ok { // float64 was asked for between 16- or 32-bit inputs and outputs
		narrow = make([]float32, len(computed))
		for i, v := range computed {
			narrow[i] = float32(v)
		}
	}
	op.WriteFloat32s(t, narrow)
}

// product sets c to alpha·a·b, or alpha·a·bᵀ. Rows are lda, ldb and ldc apart.
func product[T float](ws *gemm.Workspace, m, n, k int, a []T, lda int, b []T, ldb int, transB bool, c []T, ldc int, alpha float64) {
	if m == 0 || n == 0 {
		return
	}
	switch a := any(a).(type) {
	case []float32:
		gemm.Mul(ws, m, n, k, a, lda, false, any(b).([]float32), ldb, transB, any(c).([]float32), ldc, gemm.Epilogue{Alpha: float32(alpha)})
	case []float64:
		c := any(c).([]float64)
		gemm.MulScalar(m, n, k, a, lda, false, any(b).([]float64), ldb, transB, c, ldc)
		for i := range m {
			for j := range n {
				c[i*ldc+j] *= alpha
			}
		}
	}
}
