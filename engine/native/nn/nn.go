// Package nn holds the native engine's dense linear algebra and the operators
// that slide a window over an image: matrix products, Einsum, convolutions
// and pooling.
//
// Single precision goes through package gemm. The 16-bit floats are computed
// in float32 and rounded once at the end; float64 and the integers run
// through plain generic loops. No result depends on how many rows or images
// share a batch.
package nn

import (
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/op"
)

// Ops lists the package's operators.
func Ops() []op.Def {
	return slices.Concat(
		productOps(),
		einsumOps(),
		convOps(),
		poolOps(),
		globalPoolOps(),
	)
}
