package nn

import (
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

var (
	float32Only = op.TypeSet{tensor.Float32}
	smallFloats = op.TypeSet{tensor.Float32, tensor.Float16, tensor.BFloat16} // computed in float32
	factors     = slices.Concat(op.Floats, op.TypeSet{tensor.Int32, tensor.Int64, tensor.Uint32, tensor.Uint64})
)

// productOps are MatMul and Gemm, and what the engine's rewriting makes of
// them. FusedMatMul takes a bias for each column as third input; both fused
// operators take an activation (see readActivation).
func productOps() []op.Def {
	return []op.Def{
		{Name: "MatMul", Types: []op.TypeSet{factors}, Infer: inferMatMul, Build: buildMatMul},
		{Name: "Gemm", Types: []op.TypeSet{factors}, Infer: inferGemm, Build: buildGemm},
		{Domain: op.Internal, Name: "FusedMatMul", Types: []op.TypeSet{float32Only}, Infer: inferMatMul, Build: buildMatMul},
		{Domain: op.Internal, Name: "FusedGemm", Types: []op.TypeSet{float32Only}, Infer: inferGemm, Build: buildGemm},
	}
}

type number interface{ float32 | gemm.Scalar }

// multiply sets c, m × n, to a·b; package gemm says how. Rows are lda, ldb and
// n apart.
func multiply[T number](ws *gemm.Workspace, c []T, m, n, k int, a []T, lda int, transA bool, b []T, ldb int, transB bool) {
	switch a := any(a).(type) {
	case []float32:
		gemm.Mul(ws, m, n, k, a, lda, transA, any(b).([]float32), ldb, transB, any(c).([]float32), n, gemm.Epilogue{})
	case []float64:
		gemm.MulScalar(m, n, k, a, lda, transA, any(b).([]float64), ldb, transB, any(c).([]float64), n)
	case []int64:
		gemm.MulScalar(m, n, k, a, lda, transA, any(b).([]int64), ldb, transB, any(c).([]int64), n)
	case []int32:
		gemm.MulScalar(m, n, k, a, lda, transA, any(b).([]int32), ldb, transB, any(c).([]int32), n)
	case []uint64:
		gemm.MulScalar(m, n, k, a, lda, transA, any(b).([]uint64), ldb, transB, any(c).([]uint64), n)
	case []uint32:
		gemm.MulScalar(m, n, k, a, lda, transA, any(b).([]uint32), ldb, transB, any(c).([]uint32), n)
	}
}
