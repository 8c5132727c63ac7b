package engine

import (
	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// CheckInputs compares the inputs of a Run with what the model declares:
// their number, kinds, element types, ranks and fixed dimensions. What does
// not fit is an error of code greenlight.CodeInvalid that names the input.
func CheckInputs(want []onnx.ValueInfo, got []tensor.Value) error {
	if len(got) != len(want) {
		return greenlight.Errorf(greenlight.CodeInvalid, "the model takes %d inputs, got %d", len(want), len(got))
	}
	for i := range want {
		if !fits(&want[i].Type, got[i]) {
			return misfit(&want[i], got[i])
		}
	}
	return nil
}

func fits(want *tensor.Type, got tensor.Value) bool {
	switch v := got.(type) {
	case *tensor.Tensor:
		return v != nil && tensorFits(want, v)
	case nil:
		return false
	case *tensor.Optional:
		return want.Kind == tensor.KindOptional || want.Kind == tensor.KindUnknown
	case *tensor.Sequence:
		// Some exporters leave the optional around a sequence out.
		return want.Kind == tensor.KindSequence || want.Kind == tensor.KindOptional || want.Kind == tensor.KindUnknown
	case *tensor.Map:
		return want.Kind == tensor.KindMap || want.Kind == tensor.KindUnknown
	}
	return false
}

func tensorFits(want *tensor.Type, t *tensor.Tensor) bool {
	if want.Kind != tensor.KindTensor {
		return want.Kind == tensor.KindOptional || want.Kind == tensor.KindUnknown
	}
	if want.Elem != tensor.Undefined && want.Elem != t.DType() {
		return false
	}
	if !want.Ranked {
		return true
	}
	if len(want.Dims) != t.Rank() {
		return false
	}
	for k, d := range want.Dims {
		if d.Known() && d.Size != t.Dim(k) {
			return false
		}
	}
	return true
}

func misfit(want *onnx.ValueInfo, got tensor.Value) error {
	if got == nil {
		return greenlight.Errorf(greenlight.CodeInvalid, "input %q (%v) is missing", want.Name, want.Type)
	}
	return greenlight.Errorf(greenlight.CodeInvalid, "input %q is %v, want %v", want.Name, got.Type(), want.Type)
}
