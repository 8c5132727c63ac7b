package nn

import (
	"slices"
	"strings"

	"github.com/greenlight-dev/greenlight/engine/native/op"
)

// parseEinsum reads an equation such as "...ij,...jk->...ik".
func parseEinsum(equation string) (*einsum, error) {
	left, right, explicit := strings.Cut(strings.ReplaceAll(equation, " ", ""), "->")
	k := &einsum{equation: equation}
	var uses [256]int
	for _, text := range strings.Split(left, ",") {
		term, err := parseTerm(equation, text)
		if err != nil {
			return nil, err
		}
		k.terms = append(k.terms, term)
		for _, l := range term {
			uses[l]++
		}
	}
	if !explicit {
		k.output = implicitOutput(&uses)
		return k, nil
	}
	var err error
	if k.output, err = parseTerm(equation, right); err != nil {
		return nil, err
	}
	for i, l := range k.output {
		if l != ellipsis && uses[l] == 0 {
			return nil, op.Errorf("equation %q: %q stands in the output only", equation, string(rune(l)))
		}
		if slices.Contains(k.output[:i], l) {
			return nil, op.Errorf("equation %q: the output names an axis twice", equation)
		}
	}
	return k, nil
}

func parseTerm(equation, text string) ([]label, error) {
	var term []label
	for text != "" {
		rest, dots := strings.CutPrefix(text, "...")
		switch {
		case dots && !slices.Contains(term, ellipsis):
			term, text = append(term, ellipsis), rest
		case 'a' <= text[0] && text[0] <= 'z', 'A' <= text[0] && text[0] <= 'Z':
			term, text = append(term, label(text[0])), text[1:]
		default:
			return nil, op.Errorf("equation %q cannot be read from %q on: want letters and at most one ... in a term", equation, text)
		}
	}
	return term, nil
}

// implicitOutput has the ellipsis first, then the letters that are used once.
func implicitOutput(uses *[256]int) []label {
	var out []label
	if uses[ellipsis] > 0 {
		out = append(out, ellipsis)
	}
	for l := range ellipsis {
		if uses[l] == 1 {
			out = append(out, l)
		}
	}
	return out
}
