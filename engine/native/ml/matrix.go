package ml

import (
	"github.com/greenlight-dev/greenlight/engine/native/gemm"
)

// fewOutputs is up to how many outputs a matrix computes each as a product of
// two vectors; a packed product works on whole panels of columns.
const fewOutputs = 4

// matrix is a constant [outputs, inputs] that batches of rows are multiplied
// with. Which way a product is computed depends on the matrix alone.
type matrix struct {
	outputs, inputs int
	rows            []float32 // when there are few outputs
	packed          *gemm.PackedB
}

func newMatrix(outputs, inputs int, rows []float32) *matrix {
	m := &matrix{outputs: outputs, inputs: inputs}
	if outputs <= fewOutputs {
		m.rows = rows
	} else {
		m.packed = gemm.PackB(inputs, outputs, rows, inputs, true)
	}
	return m
}

// mul computes dst[n, outputs] = x[n, inputs]·mᵀ + bias; bias may be nil.
func (m *matrix) mul(ws *gemm.Workspace, n int, x, dst, bias []float32) {
	if m.packed != nil {
		m.packed.Mul(ws, n, x, m.inputs, dst, m.outputs, gemm.Epilogue{ColBias: bias})
		return
	}
	for i := range n {
		row, out := x[i*m.inputs:(i+1)*m.inputs], dst[i*m.outputs:(i+1)*m.outputs]
		for j := range out {
			out[j] = gemm.Dot(row, m.rows[j*m.inputs:(j+1)*m.inputs])
		}
		for j, b := range bias {
			out[j] += b
		}
	}
}
