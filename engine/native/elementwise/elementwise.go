// Package elementwise holds the operators that compute each element of their
// output from one element of each input: arithmetic, comparison, logic,
// mathematical functions, activations and type conversions.
package elementwise

import (
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/op"
)

// Ops are the operators of this package.
func Ops() []op.Def {
	return slices.Concat(
		op.Require(1, unaryOps()...),
		op.Require(1, activationOps()...),
		op.Require(1, clipDefs()...),
		op.Require(1, variadicOps()...),
		op.Require(1, castDef(), bitCastDef()),
		op.Require(2, binaryOps()...),
		op.Require(2, castLikeDef(), swigluDef()),
		op.Require(3, whereDef()),
		op.Require(2, optimizerOps()...),
	)
}
