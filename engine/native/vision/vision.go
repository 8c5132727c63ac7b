// Package vision holds the native engine's operators on images and regions of
// them: resizing and sampling, regions of interest, box selection, deformable
// convolution, and decoding of image files.
package vision

import (
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// Ops lists the package's operators.
func Ops() []op.Def {
	var defs []op.Def
	for i, group := range byInputs {
		defs = append(defs, op.Require(i, group...)...)
	}
	return defs
}

// byInputs are the operators by the number of inputs that they need.
var byInputs = [...][]op.Def{
	1: {
		{Name: "Resize", Since: 10, Types: resizeTypes, Infer: op.InferElemOf(0), Build: buildResize},
		{Name: "Upsample", Types: resizeTypes, Infer: op.InferElemOf(0), Build: buildUpsample},
		{Name: "Det", Types: floats, Infer: op.InferElemOf(0), Build: op.Simple(determinant)},
		{Name: "ImageDecoder", Types: []op.TypeSet{{tensor.Uint8}}, Infer: inferImage, Build: buildImageDecoder},
	},
	2: {
		{Name: "GridSample", Types: []op.TypeSet{op.Numbers, op.Floats}, Infer: op.InferElemOf(0), Build: buildGridSample},
		{Name: "AffineGrid", Types: []op.TypeSet{op.Floats, op.Index}, Infer: op.InferElemOf(0), Build: buildAffineGrid},
		{Name: "MaxRoiPool", Types: floats, Infer: op.InferElemOf(0), Build: buildMaxRoiPool},
		{Name: "MaxUnpool", Types: []op.TypeSet{op.Floats, op.Index}, Infer: op.InferElemOf(0), Build: buildMaxUnpool},
		{Name: "NonMaxSuppression", Types: []op.TypeSet{op.Floats, op.Floats, op.Index, op.Floats}, Infer: inferSuppression, Build: buildSuppression},
	},
	3: {
		{Name: "RoiAlign", Types: []op.TypeSet{op.Floats, op.Floats, op.Index}, Infer: op.InferElemOf(0), Build: buildRoiAlign},
		{Name: "DeformConv", Types: floats, Infer: op.InferElemOf(0), Build: buildDeformConv},
		{Name: "Col2Im", Types: []op.TypeSet{op.Numbers, op.Index}, Infer: op.InferElemOf(0), Build: buildCol2Im},
	},
}

var (
	floats      = []op.TypeSet{op.Floats}
	resizeTypes = []op.TypeSet{op.Any, op.Floats, op.Floats, op.Index}
)

// filled is a list of n ints, v unless it is given.
func filled(list []int, n, v int) []int {
	if list != nil {
		return list
	}
	list = make([]int, n)
	for i := range list {
		list[i] = v
	}
	return list
}

// small says whether all numbers are small enough that sums and products of a
// few of them cannot overflow.
func small(lists ...[]int) bool {
	const limit = 1 << 24
	for _, list := range lists {
		for _, v := range list {
			if v < -limit || v > limit {
				return false
			}
		}
	}
	return true
}
