package spec

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// converter makes nodes of the parser's tree. Aliases share what their anchor
// holds; size counts as if they did not, so that a few lines cannot stand for
// millions.
type converter struct {
	errs    *collector
	anchors map[string]*node
	size    int
	dropped []dropped
}

// dropped is an entry that its map cannot have. It is reported when the path
// that leads to it is known.
type dropped struct {
	n   *node
	why string
}

var plainTag = regexp.MustCompile(`^!{0,2}[\w-]*$`)

// errTooLarge ends a conversion that has been reported.
var errTooLarge = errors.New("too large")

// rootOf gives the file's only document, which must be a map.
func rootOf(file *ast.File, errs *collector) *node {
	var docs []*ast.DocumentNode
	for _, doc := range file.Docs {
		if doc != nil && doc.Body != nil {
			docs = append(docs, doc)
		}
	}
	start := mark{1, 1, 1}
	if len(docs) == 0 {
		errs.at(start, "", "is empty; the smallest is name: shop and services: {iris: {model: model.onnx}}")
		return nil
	}
	if len(docs) > 1 {
		errs.at(markOf(docs[1].Start), "", "a second document begins here; a file describes one system")
		return nil
	}
	c := &converter{errs: errs, anchors: make(map[string]*node)}
	root, err := c.convert(docs[0].Body)
	if err != nil {
		return nil
	}
	root.key = root.mark
	errs.source.maskSecrets(root, c.dropped)
	for _, d := range c.dropped {
		errs.addKey(d.n, "%s", d.why)
	}
	if root.kind != kindMap {
		errs.at(start, "", fmt.Sprintf("want a map with name and services, got %s", root.kind))
		return nil
	}
	return root
}

func (c *converter) convert(n ast.Node) (*node, error) {
	c.size++
	switch n := n.(type) {
	case *ast.MappingNode:
		return c.mapping(n.Values, n.GetToken())
	case *ast.MappingValueNode:
		return c.mapping([]*ast.MappingValueNode{n}, n.GetToken())
	case *ast.SequenceNode:
		return c.sequence(n)
	case *ast.AnchorNode:
		v, err := c.convert(n.Value)
		if err == nil {
			c.anchors[name(n.Name)] = v
		}
		return v, err
	case *ast.AliasNode:
		return c.alias(n)
	case *ast.TagNode:
		at := markOf(n.Start)
		if !plainTag.MatchString(n.Start.Value) {
			c.errs.source.mask(at, 1) // a secret behind a stray !
		}
		c.errs.at(at, "", "tags are not read here; remove this one")
		return c.convert(n.Value)
	case *ast.LiteralNode:
		v := &node{kind: kindText, mark: markOf(n.Start), size: 1}
		if n.Value != nil {
			v.text = n.Value.Value
		}
		return v, nil
	}
	return scalar(n), nil
}

// scalar reads a single value.
func scalar(n ast.Node) *node {
	if n == nil {
		return &node{kind: kindNull, size: 1}
	}
	t := n.GetToken()
	v := &node{kind: kindText, mark: markOf(t), size: 1}
	if t != nil {
		v.text = t.Value
		v.breaks = strings.Count(strings.TrimSpace(t.Origin), "\n")
	}
	switch n := n.(type) {
	case *ast.NullNode:
		v.kind = kindNull
	case *ast.BoolNode:
		v.kind = kindBool
		v.text = strconv.FormatBool(n.Value)
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		v.kind = kindNumber
	case *ast.StringNode:
		v.text = n.Value
	}
	return v
}

func (c *converter) sequence(n *ast.SequenceNode) (*node, error) {
	list := &node{kind: kindList, mark: markOf(n.GetToken()), size: 1}
	for i, item := range n.Values {
		v, err := c.convert(item)
		if err != nil {
			return nil, err
		}
		list.add(v, strconv.Itoa(i), v.mark)
		v.inList = true
	}
	return list, nil
}

func (c *converter) mapping(values []*ast.MappingValueNode, t *token.Token) (*node, error) {
	m := &node{kind: kindMap, mark: markOf(t), size: 1}
	first := make(map[string]mark)
	var inherited []*node
	for _, value := range values {
		key := markOf(value.Key.GetToken())
		v, err := c.convert(value.Value)
		if err != nil {
			return nil, err
		}
		if v.kind == kindNull { // it may not be written at all
			v.mark = key
		}
		if _, ok := value.Key.(*ast.MergeKeyNode); ok {
			inherited = append(inherited, v)
			continue
		}
		label, why := label(value.Key)
		if before, twice := first[label]; twice && why == "" {
			why = fmt.Sprintf("is here twice, first on line %d", before.line)
		}
		m.add(v, label, key)
		if why != "" {
			c.dropped = append(c.dropped, dropped{v, why})
			m.items = m.items[:len(m.items)-1]
			continue
		}
		first[label] = key
	}
	if len(m.items) > 0 && m.mark.after(m.items[0].key) { // the parser's place is the first colon
		m.mark = m.items[0].key
	}
	for _, v := range inherited {
		c.inherit(m, v, first)
	}
	return m, c.bound(m)
}

// label reads a key, or says why it is none.
func label(key ast.MapKeyNode) (label, why string) {
	switch key.(type) {
	case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode, *ast.InfinityNode, *ast.NanNode:
	default:
		return "", "a key must be a plain word"
	}
	label = name(key)
	if len(label) > maxKey {
		return label, fmt.Sprintf("a key is longer than %d bytes", maxKey)
	}
	return label, ""
}

// inherit puts what "<<" names into m, where m does not say otherwise.
func (c *converter) inherit(m, from *node, first map[string]mark) {
	switch from.kind {
	case kindMap:
		for _, item := range from.items {
			if _, have := first[item.label]; !have {
				first[item.label] = item.key
				shared := *item
				m.add(&shared, item.label, item.key)
			}
		}
	case kindList:
		for _, item := range from.items {
			c.inherit(m, item, first)
		}
	case kindUnknown:
	default:
		c.errs.at(from.mark, "", "<< takes a map, as *NAME of an anchor &NAME")
	}
}

// alias gives what the anchor holds, under the alias's own key.
func (c *converter) alias(n *ast.AliasNode) (*node, error) {
	target, ok := c.anchors[name(n.Value)]
	if !ok {
		at := markOf(n.Start)
		c.errs.at(at, "", "no anchor of this name stands before this") // the name may be a secret behind a stray *
		return &node{kind: kindUnknown, mark: at, size: 1}, nil
	}
	shared := *target
	c.size += target.size
	return &shared, c.bound(&shared)
}

func (c *converter) bound(n *node) error {
	if c.size <= maxNodes {
		return nil
	}
	c.errs.at(n.mark, "", fmt.Sprintf("the file stands for more than %d values; use fewer aliases", maxNodes))
	return errTooLarge
}

// add puts v into n.
func (n *node) add(v *node, label string, key mark) {
	v.label, v.key, v.parent = label, key, n
	n.items = append(n.items, v)
	n.size += v.size
}

func name(n ast.Node) string {
	if n == nil || n.GetToken() == nil {
		return ""
	}
	return n.GetToken().Value
}
