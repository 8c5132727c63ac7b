package nn

import (
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

var (
	float32Only = op.TypeSet{tensor.Float32}
	smallFloats = op.TypeSet{tensor.Float32, tensor.Float16, tensor.BFloat16} // computed in float32
)

func productOps() []op.Def {
	return []op.Def{
		{Name: "MatMul", Types: []op.TypeSet{op.Numbers}, Infer: inferMatMul, Build: buildMatMul},
		{Name: "Gemm", Types: []op.TypeSet{op.Numbers}, Infer: inferGemm, Build: buildGemm},
		{Domain: op.Internal, Name: "FusedMatMul", Types: []op.TypeSet{float32Only}, Infer: inferMatMul, Build: buildMatMul},
		{Domain: op.Internal, Name: "FusedGemm", Types: []op.TypeSet{float32Only}, Infer: inferGemm, Build: buildGemm},
	}
}

type number interface {
	float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64
}

// matrix is a strided view: element (i, j) is data[i*rows+j*cols].
type matrix[T number] struct {
	data       []T
	rows, cols int
}

func viewMatrix[T number](data []T, ld int, trans bool) matrix[T] {
	if trans {
		return matrix[T]{data, 1, ld}
	}
	return matrix[T]{data, ld, 1}
}

// multiply sets c, m × n without gaps, to a·b. Each element sums its products
// in the order of k.
func multiply[T number](c []T, m, n, k int, a, b matrix[T]) {
	for i := range m {
		row := c[i*n:][:n]
		clear(row)
		for p := range k {
			v := a.data[i*a.rows+p*a.cols]
			if b.cols == 1 {
				addScaled(row, v, b.data[p*b.rows:])
				continue
			}
			for j := range row {
				row[j] += v * b.data[p*b.rows+j*b.cols]
			}
		}
	}
}

// addScaled adds factor·src to dst.
func addScaled[T number](dst []T, factor T, src []T) {
	src = src[:len(dst)]
	for j, v := range src {
		dst[j] += T(factor * v)
	}
}

// float32Out is where to compute out in float32: its own storage, or c's k-th
// scratch slice when it holds 16-bit floats. storeFloat32 finishes the job.
func float32Out(c *op.Context, k int, out *tensor.Tensor) []float32 {
	if out.DType() == tensor.Float32 {
		return tensor.Data[float32](out)
	}
	return op.Scratch[float32](c, k, out.Len())
}

// storeFloat32 rounds what was computed in float32Out's slice into out.
func storeFloat32(out *tensor.Tensor, computed []float32) {
	if out.DType() != tensor.Float32 {
		op.WriteFloat32s(out, computed)
	}
}
