package onnx

import (
	"cmp"
	"fmt"
	"slices"
)

// body is one function in the course of standing in for one call.
type body struct {
	in   *inliner
	f    *Function
	call *Node
}

// renames maps the names of a function's text to those of the caller. A
// subgraph has its own and sees those around it.
type renames struct {
	outer *renames
	names map[string]string
}

func (r *renames) lookup(name string) (string, bool) {
	for ; r != nil; r = r.outer {
		if to, ok := r.names[name]; ok {
			return to, true
		}
	}
	return "", false
}

func (b *body) expand() ([]*Node, error) {
	if len(b.call.Inputs) > len(b.f.Inputs) || len(b.call.Outputs) > len(b.f.Outputs) {
		return nil, fmt.Errorf("it takes %d inputs and gives %d outputs, the call has %d and %d",
			len(b.f.Inputs), len(b.f.Outputs), len(b.call.Inputs), len(b.call.Outputs))
	}
	r := &renames{names: map[string]string{}}
	for i, name := range b.f.Inputs {
		r.names[name] = nth(b.call.Inputs, i)
	}
	returned := b.bindOutputs(r)
	for _, n := range b.f.Nodes {
		for _, name := range n.Outputs {
			b.bind(r, name)
		}
	}
	nodes, err := b.clones(b.f.Nodes, r)
	if err != nil {
		return nil, err
	}
	return b.identities(nodes, r, returned)
}

func nth(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return ""
}

// bindOutputs lets the nodes of the body write the caller's names. Outputs
// that a node cannot write, because they are inputs or listed twice, are
// given back: the caller's name by its place among the outputs.
func (b *body) bindOutputs(r *renames) map[int]string {
	returned := map[int]string{}
	for i, name := range b.f.Outputs {
		to := nth(b.call.Outputs, i)
		if to == "" {
			continue
		}
		if _, bound := r.names[name]; bound {
			returned[i] = to
		} else {
			r.names[name] = to
		}
	}
	return returned
}

// identities appends a copy for each output left over by bindOutputs.
func (b *body) identities(nodes []*Node, r *renames, returned map[int]string) ([]*Node, error) {
	for i, name := range b.f.Outputs {
		to, ok := returned[i]
		if !ok {
			continue
		}
		from := r.names[name]
		if from == "" {
			return nil, fmt.Errorf("output %q is the input of that name, which the call leaves out", name)
		}
		n := &Node{
			Name: b.call.Name, Op: "Identity", Inputs: []string{from}, Outputs: []string{to},
			Opset: cmp.Or(b.f.Opsets[""], MaxOpset),
		}
		if err := b.in.chargeNode(n); err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// bind gives a name of the function's text a new one, unless it has one.
func (b *body) bind(r *renames, name string) {
	if _, bound := r.names[name]; !bound && name != "" {
		r.names[name] = b.in.fresh(name)
	}
}

func (b *body) clones(nodes []*Node, r *renames) ([]*Node, error) {
	out := make([]*Node, 0, len(nodes))
	for i, n := range nodes {
		c, err := b.clone(n, r)
		if err != nil {
			return nil, inNode(i, n, err)
		}
		out = append(out, c)
	}
	return out, nil
}

func (b *body) clone(n *Node, r *renames) (*Node, error) {
	c := *n
	if b.call.Name != "" && n.Name != "" {
		c.Name = b.call.Name + "/" + n.Name
	} else {
		c.Name = cmp.Or(b.call.Name, n.Name)
	}
	var err error
	if c.Inputs, err = r.all(n.Inputs); err != nil {
		return nil, err
	}
	if c.Outputs, err = r.all(n.Outputs); err != nil {
		return nil, err
	}
	c.Attrs = make([]*Attribute, 0, len(n.Attrs))
	for _, a := range n.Attrs {
		resolved, err := b.attribute(a, r)
		if err != nil {
			return nil, fmt.Errorf("attribute %q: %w", a.Name, err)
		}
		if resolved != nil {
			c.Attrs = append(c.Attrs, resolved)
		}
	}
	return &c, b.in.chargeNode(&c)
}

func (r *renames) all(names []string) ([]string, error) {
	out := make([]string, len(names))
	for i, name := range names {
		if name == "" {
			continue
		}
		to, ok := r.lookup(name)
		if !ok {
			return nil, undefined(i, name)
		}
		out[i] = to
	}
	return out, nil
}

// attribute resolves a reference to the call's attribute, or copies the
// graphs of one that stands for itself. It gives nil for a reference to an
// attribute that the call leaves out.
func (b *body) attribute(a *Attribute, r *renames) (*Attribute, error) {
	if a.Ref == "" {
		return b.ownAttribute(a, r)
	}
	value, err := b.referred(a.Ref)
	if value == nil || err != nil {
		return nil, err
	}
	if value.Type != a.Type {
		return nil, fmt.Errorf("it refers to %q, whose type is %v, not %v", a.Ref, value.Type, a.Type)
	}
	resolved := *value
	resolved.Name = a.Name
	return &resolved, nil
}

// referred finds the value of one of the function's attributes: the call's,
// whose graphs see the names around the call, or the default, whose graphs
// see none.
func (b *body) referred(name string) (*Attribute, error) {
	if value := b.call.Attr(name); value != nil {
		return value, nil
	}
	for _, a := range b.f.AttributeDefaults {
		if a.Name == name {
			return b.ownAttribute(a, nil)
		}
	}
	if slices.Contains(b.f.AttributeNames, name) {
		return nil, nil
	}
	return nil, fmt.Errorf("it refers to %q, which the function does not declare", name)
}

// ownAttribute copies an attribute if it has graphs; values are shared, since
// nobody changes them.
func (b *body) ownAttribute(a *Attribute, r *renames) (*Attribute, error) {
	if a.Graph == nil && len(a.Graphs) == 0 {
		return a, nil
	}
	c := *a
	var err error
	if a.Graph != nil {
		c.Graph, err = b.cloneGraph(a.Graph, r)
		return &c, err
	}
	c.Graphs = make([]*Graph, len(a.Graphs))
	for i, g := range a.Graphs {
		if c.Graphs[i], err = b.cloneGraph(g, r); err != nil {
			return nil, err
		}
	}
	return &c, nil
}

func (b *body) cloneGraph(g *Graph, outer *renames) (*Graph, error) {
	if err := b.in.charge(1, 4*(len(g.Inputs)+len(g.Outputs)+len(g.Values)+len(g.Initializers)), 0); err != nil {
		return nil, err
	}
	r := &renames{outer: outer, names: map[string]string{}}
	eachName(g, func(name string) { b.bind(r, name) })
	c := &Graph{Name: g.Name}
	c.Inputs = r.infos(g.Inputs)
	c.Outputs = r.infos(g.Outputs)
	c.Values = r.infos(g.Values)
	c.Initializers = slices.Clone(g.Initializers)
	for i := range c.Initializers {
		c.Initializers[i].Name, _ = r.lookup(g.Initializers[i].Name)
	}
	var err error
	c.Nodes, err = b.clones(g.Nodes, r)
	return c, inGraph(g.Name, err)
}

// infos renames; an unknown name is left as it is, for the check to find.
func (r *renames) infos(list []ValueInfo) []ValueInfo {
	out := slices.Clone(list)
	for i := range out {
		if to, ok := r.lookup(out[i].Name); ok {
			out[i].Name = to
		}
	}
	return out
}
