package op

import "slices"

// Require makes the definitions refuse, when they are built, a node that
// lacks one of its first n inputs, so that kernels need not look.
func Require(n int, defs ...Def) []Def {
	defs = slices.Clone(defs)
	for i, d := range defs {
		defs[i].Build = func(node *Node) (Kernel, error) {
			for k := range n {
				if !node.Has(k) {
					return nil, Errorf("input %d is missing", k)
				}
			}
			return d.Build(node)
		}
	}
	return defs
}
