package text

import (
	"slices"
	"strings"
	"unicode"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// normalizer leaves out stop words and changes the case of the others.
type normalizer struct {
	change func(string) string // nil for none
	lower  func(string) string
	stop   map[string]bool // in lower case unless exact
	exact  bool
}

func buildNormalizer(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	lower, upper := casing(a.String("locale", "en_US"))
	k := &normalizer{lower: lower, exact: a.Bool("is_case_sensitive", false)}
	switch action := a.String("case_change_action", "NONE"); action {
	case "LOWER":
		k.change = lower
	case "UPPER":
		k.change = upper
	case "NONE":
	default:
		return nil, op.Errorf("case_change_action %q is unknown; want LOWER, UPPER or NONE", action)
	}
	if words := a.Strings("stopwords"); len(words) > 0 {
		k.stop = make(map[string]bool, len(words))
		for _, w := range words {
			k.stop[k.folded(w)] = true
		}
	}
	return k, a.Err()
}

// casing gives the case mappings of a locale. Only those of the Turkic
// languages, with their dotless i, differ from Unicode's own.
func casing(locale string) (lower, upper func(string) string) {
	language, _, _ := strings.Cut(strings.ReplaceAll(locale, "-", "_"), "_")
	if language == "tr" || language == "az" {
		special := unicode.TurkishCase
		return func(s string) string { return strings.ToLowerSpecial(special, s) },
			func(s string) string { return strings.ToUpperSpecial(special, s) }
	}
	return strings.ToLower, strings.ToUpper
}

func (k *normalizer) folded(w string) string {
	if k.exact {
		return w
	}
	return k.lower(w)
}

// Run normalises [C] or [1, C]; when only stop words are there, one empty
// string is left. Without stop words any shape will do.
func (k *normalizer) Run(c *op.Context) error {
	x := c.T(0)
	if len(k.stop) == 0 {
		k.changeCase(c.OutLike(0, tensor.String, x).Strings(), x.Strings())
		return nil
	}
	if x.Rank() != 1 && (x.Rank() != 2 || x.Dim(0) != 1) {
		return op.Errorf("input has shape %v; with stop words only [C] and [1, C] are possible", slices.Clone(x.Shape()))
	}
	s := op.State[words](c)
	s.kept = s.kept[:0]
	for _, w := range x.Strings() {
		if !k.stop[k.folded(w)] {
			s.kept = append(s.kept, w)
		}
	}
	if len(s.kept) == 0 {
		s.kept = append(s.kept, "")
	}
	var out *tensor.Tensor
	if x.Rank() == 1 {
		out = c.NewOut(0, tensor.String, len(s.kept))
	} else {
		out = c.NewOut(0, tensor.String, 1, len(s.kept))
	}
	k.changeCase(out.Strings(), s.kept)
	return nil
}

// words is memory kept between runs.
type words struct{ kept []string }

func (k *normalizer) changeCase(dst, src []string) {
	copy(dst, src)
	if k.change == nil {
		return
	}
	for i, w := range dst {
		dst[i] = k.change(w)
	}
}
