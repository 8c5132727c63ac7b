// Package program compiles an ONNX graph into an ordered list of prepared
// kernels with a memory plan, and runs it. It knows no operator: a Registry
// brings them.
package program

import (
	"fmt"
	"maps"
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/op"
)

// Registry finds the definition that serves an operator at an opset version.
// It is immutable and safe for concurrent use.
type Registry struct {
	defs map[opName][]op.Def
}

type opName struct{ domain, name string }

// NewRegistry collects definitions. Where two serve the same operator and
// version, the later one wins.
func NewRegistry(sets ...[]op.Def) *Registry {
	r := &Registry{defs: make(map[opName][]op.Def)}
	for _, set := range sets {
		for _, d := range set {
			k := opName{d.Domain, d.Name}
			r.defs[k] = append(r.defs[k], d)
		}
	}
	return r
}

// Find gives the definition for an operator, or an error that says whether
// the operator or only its version is not served.
func (r *Registry) Find(domain, name string, opset int) (*op.Def, error) {
	defs := r.defs[opName{domain, name}]
	for i := len(defs) - 1; i >= 0; i-- {
		if d := &defs[i]; serves(d, opset) {
			return d, nil
		}
	}
	if len(defs) == 0 {
		return nil, fmt.Errorf("operator %s is not supported", qualified(domain, name))
	}
	return nil, fmt.Errorf("operator %s is not supported in opset %d", qualified(domain, name), opset)
}

func serves(d *op.Def, opset int) bool {
	return opset >= d.Since && (d.Until == 0 || opset <= d.Until)
}

func qualified(domain, name string) string {
	if domain == "" {
		return name
	}
	return domain + "." + name
}

// Names lists every operator served, with its domain, sorted; those of the
// engine's internal domain are left out.
func (r *Registry) Names() []string {
	var names []string
	for k := range maps.Keys(r.defs) {
		if k.domain != op.Internal {
			names = append(names, qualified(k.domain, k.name))
		}
	}
	slices.Sort(names)
	return names
}
