package recurrent

import (
	"strings"

	"github.com/greenlight-dev/greenlight/engine/native/elementwise"
	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"github.com/greenlight-dev/greenlight/engine/native/op"
)

// bindActivations gives each direction its functions. alphas and betas are
// taken in turn by the functions that have such a parameter.
func (l *layer) bindActivations(names []string, alphas, betas []float32) error {
	want := len(l.activations)
	if names == nil {
		for range l.directions {
			names = append(names, l.activations...)
		}
	}
	if len(names) != want*len(l.directions) {
		return op.Errorf("attribute activations has %d names, want %d for each of %d directions", len(names), want, len(l.directions))
	}
	for i, name := range names {
		alpha, beta := elementwise.ActivationDefaults(name)
		hasAlpha, hasBeta := parameters(name)
		if hasAlpha && len(alphas) > 0 {
			alpha, alphas = alphas[0], alphas[1:]
		}
		if hasBeta && len(betas) > 0 {
			beta, betas = betas[0], betas[1:]
		}
		f, err := bind(name, alpha, beta)
		if err != nil {
			return err
		}
		d := &l.directions[i/want]
		d.activations = append(d.activations, f)
	}
	return nil
}

// parameters tells which of the two the function takes.
func parameters(name string) (alpha, beta bool) {
	switch strings.ToLower(name) {
	case "affine", "scaledtanh", "hardsigmoid":
		return true, true
	case "leakyrelu", "thresholdedrelu", "elu":
		return true, false
	}
	return false, false
}

func bind(name string, alpha, beta float32) (func([]float32), error) {
	switch strings.ToLower(name) {
	case "sigmoid":
		return func(x []float32) { gemm.SigmoidInto(x, x) }, nil
	case "tanh":
		return func(x []float32) { gemm.TanhInto(x, x) }, nil
	case "relu", "affine", "leakyrelu", "thresholdedrelu", "scaledtanh", "hardsigmoid", "elu", "softsign", "softplus":
		if f, ok := elementwise.Activation(name, alpha, beta); ok {
			return f, nil
		}
	}
	return nil, op.Errorf("attribute activations names %q, which recurrent networks do not have", name)
}
