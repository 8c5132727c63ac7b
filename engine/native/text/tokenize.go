package text

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// tokenizer is com.microsoft.Tokenizer: it finds tokens by a pattern for them
// or for what stands between them, or takes every character.
type tokenizer struct {
	find     func(p *pieces, s string)
	mark     bool
	pad      string
	minRunes int
}

// The marks of the start and end of a text.
const startMark, endMark = "\x02", "\x03"

func buildTokenizer(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	k := &tokenizer{mark: a.Bool("mark", false), pad: a.String("pad_value", ""), minRunes: a.Int("mincharnum", 1)}
	pattern, separators := a.String("tokenexp", ""), a.Strings("separators")
	if err := a.Err(); err != nil {
		return nil, err
	}
	switch {
	case (pattern == "") == (len(separators) == 0):
		return nil, op.Errorf("exactly one of the attributes tokenexp and separators is wanted")
	case pattern != "":
		return k, k.byToken(pattern)
	case len(separators) == 1 && separators[0] == "":
		k.find = k.runes
		return k, nil
	}
	return k, k.bySeparator(separators)
}

// byToken takes what matches a pattern. One character of a class or a run of
// them, which scikit-learn's patterns are exported as, is searched without the
// regexp machine.
func (k *tokenizer) byToken(pattern string) error {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return op.Errorf("tokenexp %q: %v", pattern, err)
	}
	if class, ok := classOf(pattern); ok {
		k.find = func(p *pieces, s string) { k.runs(class, p, s) }
		return nil
	}
	k.find = func(p *pieces, s string) {
		for _, at := range re.FindAllStringIndex(s, -1) {
			k.keep(p, s[at[0]:at[1]])
		}
	}
	return nil
}

// bySeparator takes what lies between matches of patterns, of which an
// earlier one has precedence.
func (k *tokenizer) bySeparator(separators []string) error {
	if slices.Contains(separators, "") {
		return op.Errorf("one of several separators is empty")
	}
	re, err := regexp.Compile("(?:" + strings.Join(separators, ")|(?:") + ")")
	if err != nil {
		return op.Errorf("separators %q: %v", separators, err)
	}
	k.find = func(p *pieces, s string) {
		start := 0
		for _, at := range re.FindAllStringIndex(s, -1) {
			k.keep(p, s[start:at[0]])
			start = at[1]
		}
		k.keep(p, s[start:])
	}
	return nil
}

// keep takes a token that is long enough.
func (k *tokenizer) keep(p *pieces, token string) {
	if token != "" && utf8.RuneCountInString(token) >= k.minRunes {
		p.parts = append(p.parts, token)
	}
}

func (k *tokenizer) runes(p *pieces, s string) {
	for len(s) > 0 {
		_, size := utf8.DecodeRuneInString(s)
		k.keep(p, s[:size])
		s = s[size:]
	}
}

// runeClass is a set of characters, of which a token has one or a run.
type runeClass struct {
	ascii  [utf8.RuneSelf]bool
	ranges []rune // first and last of each range, ascending
	single bool   // a token is one character
}

// classOf recognises a pattern that is a class of characters or a run of them.
func classOf(pattern string) (*runeClass, bool) {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, false
	}
	c := &runeClass{single: re.Op != syntax.OpPlus}
	if !c.single {
		if re.Flags&syntax.NonGreedy != 0 {
			return nil, false
		}
		re = re.Sub[0]
	}
	switch re.Op {
	case syntax.OpCharClass:
		c.ranges = re.Rune
	case syntax.OpAnyChar:
		c.ranges = []rune{0, unicode.MaxRune}
	case syntax.OpAnyCharNotNL:
		c.ranges = []rune{0, '\n' - 1, '\n' + 1, unicode.MaxRune}
	default:
		return nil, false
	}
	for r := range c.ascii {
		c.ascii[r] = c.search(rune(r))
	}
	return c, true
}

func (c *runeClass) search(r rune) bool {
	at, exact := slices.BinarySearch(c.ranges, r)
	return exact || at%2 == 1
}

func (c *runeClass) has(r rune) bool {
	if r < utf8.RuneSelf {
		return c.ascii[r]
	}
	return c.search(r)
}

// runs takes the characters of a class, or their longest runs.
func (k *tokenizer) runs(class *runeClass, p *pieces, s string) {
	start := -1
	for i, r := range s {
		switch inside := class.has(r); {
		case inside && start < 0:
			start = i
		case inside && class.single:
			k.keep(p, s[start:i])
			start = i
		case !inside && start >= 0:
			k.keep(p, s[start:i])
			start = -1
		}
	}
	if start >= 0 {
		k.keep(p, s[start:])
	}
}

// Run gives the tokens of each string in a further dimension, filled up with
// the padding. Without any token that dimension is 0.
func (k *tokenizer) Run(c *op.Context) error {
	x, p := c.T(0), op.State[pieces](c)
	if x.Rank() != 1 && x.Rank() != 2 {
		return op.Errorf("input has shape %v, want [C] or [N, C]", slices.Clone(x.Shape()))
	}
	p.reset()
	for _, s := range x.Strings() {
		k.find(p, s)
		p.endString()
	}
	width := p.most()
	if k.mark && width > 0 {
		width += 2
	}
	var buf [3]int
	dst := c.NewOut(0, tensor.String, append(append(buf[:0], x.Shape()...), width)...).Strings()
	if width == 0 {
		return nil
	}
	for i := range p.ends {
		k.write(dst[i*width:(i+1)*width], p.of(i))
	}
	return nil
}

func (k *tokenizer) write(dst, tokens []string) {
	if k.mark {
		dst[0], dst[1+len(tokens)] = startMark, endMark
		copy(dst[1:], tokens)
		dst = dst[2:]
	} else {
		copy(dst, tokens)
	}
	for i := len(tokens); i < len(dst); i++ {
		dst[i] = k.pad
	}
}

func inferTokenizer(n *op.Node) error { return inferDeeper(n) }
