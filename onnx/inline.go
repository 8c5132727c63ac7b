package onnx

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// functionKey identifies a local function.
type functionKey struct{ domain, name, overload string }

func (f *Function) key() functionKey { return functionKey{f.Domain, f.Name, f.Overload} }

func (n *Node) functionKey() functionKey { return functionKey{n.Domain, n.Op, n.Overload} }

func (m *Model) functionsByKey() (map[functionKey]*Function, error) {
	byKey := make(map[functionKey]*Function, len(m.Functions))
	for _, f := range m.Functions {
		if f.Name == "" {
			return nil, errors.New("a function has no name")
		}
		if byKey[f.key()] != nil {
			return nil, fmt.Errorf("function %q of domain %q is defined twice", f.Name, f.Domain)
		}
		if err := f.checkNames(); err != nil {
			return nil, fmt.Errorf("function %q: %w", f.Name, err)
		}
		byKey[f.key()] = f
	}
	return byKey, nil
}

// checkNames refuses a function that takes a name twice or assigns to what it
// takes.
func (f *Function) checkNames() error {
	inputs := make(map[string]struct{}, len(f.Inputs))
	for _, name := range f.Inputs {
		if _, dup := inputs[name]; dup {
			return fmt.Errorf("input %q is listed twice", name)
		}
		inputs[name] = struct{}{}
	}
	for i, n := range f.Nodes {
		for _, name := range n.Outputs {
			if _, taken := inputs[name]; taken {
				return inNode(i, n, fmt.Errorf("output %q is an input of the function", name))
			}
		}
	}
	return nil
}

// setOpsets gives every node the opset it was written for. Calls of local
// functions have none.
func (m *Model) setOpsets() error {
	functions, err := m.functionsByKey()
	if err != nil {
		return err
	}
	set := func(opsets map[string]int) func(*Node) error {
		return func(n *Node) error {
			if functions[n.functionKey()] != nil {
				return nil
			}
			n.Opset = opsets[n.Domain]
			if n.Opset == 0 {
				return fmt.Errorf("no opset is imported for its domain %q", cmp.Or(n.Domain, "ai.onnx"))
			}
			return nil
		}
	}
	for _, f := range m.Functions {
		err := eachNode(f.Nodes, set(f.Opsets))
		if err == nil {
			defaults := &Node{Attrs: f.AttributeDefaults}
			err = defaults.subgraphs(func(g *Graph) error { return eachNode(g.Nodes, set(f.Opsets)) })
		}
		if err != nil {
			return fmt.Errorf("function %q: %w", f.Name, err)
		}
	}
	return inGraph(m.Graph.Name, eachNode(m.Graph.Nodes, set(m.Opsets)))
}

// inliner replaces calls of local functions by the functions' nodes.
type inliner struct {
	functions map[functionKey]*Function
	active    []*Function // the functions being inlined, outermost first
	taken     map[string]struct{}
	counter   int
	cost      int
	limits    Limits
}

func (m *Model) inline(limits Limits) error {
	if len(m.Functions) == 0 {
		return nil
	}
	functions, err := m.functionsByKey()
	if err != nil {
		return err
	}
	in := &inliner{functions: functions, taken: map[string]struct{}{}, limits: limits}
	in.take(m.Graph)
	return inGraph(m.Graph.Name, in.graph(m.Graph))
}

// take notes all names of a graph, so that new ones differ from them.
func (in *inliner) take(g *Graph) {
	eachName(g, func(name string) { in.taken[name] = struct{}{} })
	for _, n := range g.Nodes {
		for _, name := range n.Inputs {
			in.taken[name] = struct{}{}
		}
		for _, a := range n.Attrs {
			for _, sub := range a.graphs() {
				in.take(sub)
			}
		}
	}
}

// eachName visits the names that a graph defines, those of its subgraphs not
// included.
func eachName(g *Graph, visit func(string)) {
	for _, v := range g.Inputs {
		visit(v.Name)
	}
	for _, init := range g.Initializers {
		visit(init.Name)
	}
	for _, n := range g.Nodes {
		for _, name := range n.Outputs {
			visit(name)
		}
	}
}

// fresh makes a name that nothing else has. It is made of the name in the
// function's text, so it does not grow with the depth of calls.
func (in *inliner) fresh(name string) string {
	for {
		in.counter++
		unique := name + "#" + strconv.Itoa(in.counter)
		if _, ok := in.taken[unique]; !ok {
			in.taken[unique] = struct{}{}
			return unique
		}
	}
}

func (in *inliner) graph(g *Graph) (err error) {
	g.Nodes, err = in.nodes(g.Nodes)
	return err
}

func (in *inliner) nodes(nodes []*Node) ([]*Node, error) {
	out := make([]*Node, 0, len(nodes))
	for i, n := range nodes {
		f := in.functions[n.functionKey()]
		if f == nil {
			if err := n.subgraphs(in.graph); err != nil {
				return nil, inNode(i, n, err)
			}
			out = append(out, n)
			continue
		}
		body, err := in.call(f, n)
		if err != nil {
			return nil, inNode(i, n, err)
		}
		out = append(out, body...)
	}
	return out, nil
}

// call gives the nodes that stand for a call of f.
func (in *inliner) call(f *Function, n *Node) ([]*Node, error) {
	if slices.Contains(in.active, f) {
		return nil, fmt.Errorf("function %q calls itself", f.Name)
	}
	if len(in.active) >= in.limits.Depth {
		return nil, fmt.Errorf("functions call each other deeper than %d", in.limits.Depth)
	}
	if err := in.charge(0, len(f.Inputs)+len(f.Outputs), 0); err != nil {
		return nil, err
	}
	in.active = append(in.active, f)
	defer func() { in.active = in.active[:len(in.active)-1] }()
	b := &body{in: in, f: f, call: n}
	nodes, err := b.expand()
	if err == nil {
		nodes, err = in.nodes(nodes)
	}
	if err != nil {
		return nil, fmt.Errorf("function %q: %w", f.Name, err)
	}
	return nodes, nil
}

// charge counts what inlining makes. Names count too, as fractions of a node,
// so the limit bounds memory and time as well.
func (in *inliner) charge(nodes, names, bytes int) error {
	in.cost += nodes + names/16 + bytes/1024
	if in.cost > in.limits.Nodes {
		return fmt.Errorf("the model has more than %d nodes once its functions are inlined", in.limits.Nodes)
	}
	return nil
}

func (in *inliner) chargeNode(n *Node) error {
	bytes := len(n.Name)
	for _, name := range n.Inputs {
		bytes += len(name)
	}
	for _, name := range n.Outputs {
		bytes += len(name)
	}
	return in.charge(1, len(n.Inputs)+len(n.Outputs)+len(n.Attrs), bytes)
}
