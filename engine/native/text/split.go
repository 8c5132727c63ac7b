package text

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// splitter cuts strings at a delimiter.
type splitter struct {
	delimiter string // empty for any white space
	limit     int    // of cuts, negative for none
}

func buildSplit(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	k := &splitter{delimiter: a.String("delimiter", ""), limit: a.Int("maxsplit", -1)}
	return k, a.Err()
}

// pieces holds the parts of all strings, those of string i at
// [ends[i-1], ends[i]). It is kept between runs.
type pieces struct {
	parts []string
	ends  []int
}

func (p *pieces) reset() { p.parts, p.ends = p.parts[:0], p.ends[:0] }

func (p *pieces) endString() { p.ends = append(p.ends, len(p.parts)) }

// of gives the parts of string i.
func (p *pieces) of(i int) []string {
	if i == 0 {
		return p.parts[:p.ends[0]]
	}
	return p.parts[p.ends[i-1]:p.ends[i]]
}

// most is the largest number of parts of one string.
func (p *pieces) most() int {
	top := 0
	for i := range p.ends {
		top = max(top, len(p.of(i)))
	}
	return top
}

// Run gives the parts in a further dimension, filled up with empty strings,
// and their numbers.
func (k *splitter) Run(c *op.Context) error {
	x, p := c.T(0), op.State[pieces](c)
	p.reset()
	for _, s := range x.Strings() {
		if k.delimiter == "" {
			k.fields(p, s)
		} else {
			k.cut(p, s)
		}
		p.endString()
	}
	var buf [8]int
	width := p.most()
	dst := c.NewOut(0, tensor.String, append(append(buf[:0], x.Shape()...), width)...).Strings()
	clear(dst)
	for i := range p.ends {
		copy(dst[i*width:(i+1)*width], p.of(i))
	}
	if c.Wants(1) {
		counts := tensor.Data[int64](c.OutLike(1, tensor.Int64, x))
		for i := range p.ends {
			counts[i] = int64(len(p.of(i)))
		}
	}
	return nil
}

func (k *splitter) cut(p *pieces, s string) {
	for cuts := 0; k.limit < 0 || cuts < k.limit; cuts++ {
		before, after, found := strings.Cut(s, k.delimiter)
		if !found {
			break
		}
		p.parts, s = append(p.parts, before), after
	}
	p.parts = append(p.parts, s)
}

// fields cuts at runs of white space. What is left at the limit keeps the
// white space inside and behind it.
func (k *splitter) fields(p *pieces, s string) {
	for cuts := 0; ; cuts++ {
		if s = strings.TrimLeftFunc(s, unicode.IsSpace); s == "" {
			return
		}
		end := strings.IndexFunc(s, unicode.IsSpace)
		if end < 0 || k.limit >= 0 && cuts >= k.limit {
			p.parts = append(p.parts, s)
			return
		}
		p.parts, s = append(p.parts, s[:end]), s[end:]
	}
}

func inferSplit(n *op.Node) error {
	t := n.Arg(0).Type
	counts := t
	counts.Kind, counts.Elem = tensor.KindTensor, tensor.Int64
	n.SetOut(1, counts)
	return inferDeeper(n)
}

// inferDeeper: strings with one more dimension of unknown size.
func inferDeeper(n *op.Node) error {
	t := n.Arg(0).Type
	t.Kind, t.Elem = tensor.KindTensor, tensor.String
	if t.Ranked {
		t.Dims = append(t.Dims[:len(t.Dims):len(t.Dims)], tensor.Dim{Size: -1})
	}
	n.SetOut(0, t)
	return nil
}

// concat joins two tensors of strings element by element.
func concat(c *op.Context) error {
	x, y := c.T(0), c.T(1)
	var buf [3][8]int
	shape, err := op.Broadcast(buf[0][:0], x.Shape(), y.Shape())
	if err != nil {
		return err
	}
	dst := c.NewOut(0, tensor.String, shape...).Strings()
	xs := op.BroadcastStrides(buf[1][:0], x.Shape(), shape)
	ys := op.BroadcastStrides(buf[2][:0], y.Shape(), shape)
	for i := range dst {
		dst[i] = x.Strings()[offset(i, shape, xs)] + y.Strings()[offset(i, shape, ys)]
	}
	return nil
}

// offset is where element i of a tensor of this shape lies under strides.
func offset(i int, shape, strides []int) int {
	at := 0
	for d := len(shape) - 1; d >= 0; d-- {
		at += i % shape[d] * strides[d]
		i /= shape[d]
	}
	return at
}

func buildMatch(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	pattern := a.String("pattern", "")
	if err := a.Err(); err != nil {
		return nil, err
	}
	re, err := regexp.Compile(`\A(?:` + pattern + `)\z`)
	if err != nil {
		return nil, op.Errorf("pattern %q: %v", pattern, err)
	}
	return op.Func(func(c *op.Context) error {
		x := c.T(0)
		dst := tensor.Data[bool](c.OutLike(0, tensor.Bool, x))
		for i, s := range x.Strings() {
			dst[i] = re.MatchString(s)
		}
		return nil
	}), nil
}

func inferMatch(n *op.Node) error {
	t := n.Arg(0).Type
	t.Kind, t.Elem = tensor.KindTensor, tensor.Bool
	n.SetOut(0, t)
	return nil
}
