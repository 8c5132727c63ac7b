package nn

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/elementwise"
	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"github.com/greenlight-dev/greenlight/engine/native/op"
)

// activation is the function that a fused operator applies to its result. The
// zero value changes nothing.
type activation struct {
	kind             gemm.Activation
	low, high, slope float32
	apply            func(values []float32) // those that the epilogue does not know
}

// readActivation reads the attributes of a fused operator: activation, the
// name of an operator, and activation_alpha and activation_beta, its two
// parameters in the order of the operator's specification (the bounds for
// Clip).
func readActivation(n *op.Node) (activation, error) {
	a := n.ReadAttrs()
	name := a.String("activation", "")
	alpha := a.Float("activation_alpha", float32(math.NaN()))
	beta := a.Float("activation_beta", float32(math.NaN()))
	if err := a.Err(); err != nil {
		return activation{}, err
	}
	switch name {
	case "":
		return activation{}, nil
	case "Relu":
		return activation{kind: gemm.Relu}, nil
	case "Clip":
		return activation{kind: gemm.Clip, low: either(alpha, float32(math.Inf(-1))), high: either(beta, float32(math.Inf(1)))}, nil
	case "LeakyRelu":
		return activation{kind: gemm.LeakyRelu, slope: either(alpha, 0.01)}, nil
	}
	defAlpha, defBeta := elementwise.ActivationDefaults(name)
	if f, ok := elementwise.Activation(name, either(alpha, defAlpha), either(beta, defBeta)); ok {
		return activation{apply: f}, nil
	}
	return activation{}, op.Errorf("attribute activation is %q, which cannot be fused", name)
}

// either is v, or def when v is not given (NaN).
func either(v, def float32) float32 {
	if v != v {
		return def
	}
	return v
}

func (a *activation) set(ep *gemm.Epilogue) {
	ep.Activation, ep.Min, ep.Max, ep.Slope, ep.Map = a.kind, a.low, a.high, a.slope, a.apply
}
