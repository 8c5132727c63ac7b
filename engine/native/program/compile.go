package program

import (
	"fmt"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// DefaultMaxTensorBytes bounds one intermediate tensor unless Options say
// otherwise: a hostile shape must not take the machine down.
const DefaultMaxTensorBytes = 2 << 30

// Options shape a compilation.
type Options struct {
	// Rewrites are applied in order to each graph after constants are
	// folded; each returns the graph to go on with and leaves its argument
	// as it was.
	Rewrites []func(*onnx.Graph) *onnx.Graph

	// MaxTensorBytes bounds one intermediate tensor; 0 means
	// DefaultMaxTensorBytes.
	MaxTensorBytes int
}

// Compile prepares a graph for running. An operator, version or element type
// that the registry does not serve is an error that names the node. The
// graph's local functions must have been inlined.
func Compile(g *onnx.Graph, reg *Registry, o Options) (*Program, error) {
	if o.MaxTensorBytes == 0 {
		o.MaxTensorBytes = DefaultMaxTensorBytes
	}
	c := &compiler{reg: reg, opts: o}
	return c.compile(g, nil)
}

type compiler struct {
	reg  *Registry
	opts Options
}

func (c *compiler) compile(g *onnx.Graph, outer *scope) (*Program, error) {
	g = prune(c.fold(g, outer))
	for _, rewrite := range c.opts.Rewrites {
		g = rewrite(g)
	}
	return c.lower(prune(g), outer)
}

// scope numbers the values of one graph while it is lowered, and leads to
// the graph around it.
type scope struct {
	outer    *scope
	program  *Program
	index    map[string]int
	types    []tensor.Type
	consts   []tensor.Value
	declared map[string]tensor.Type
	// captured collects the values that subgraphs of the node being lowered
	// read, so that the plan keeps them alive.
	captured []int
}

func (s *scope) add(name string, t tensor.Type, v tensor.Value) int {
	i := len(s.types)
	if name != "" {
		s.index[name] = i
	}
	s.types = append(s.types, t)
	s.consts = append(s.consts, v)
	return i
}

// constant finds a constant by name in this scope or those around it.
func (s *scope) constant(name string) tensor.Value {
	for ; s != nil; s = s.outer {
		if i, ok := s.index[name]; ok {
			return s.consts[i]
		}
	}
	return nil
}

// resolve numbers a name, capturing it from an outer graph when this one
// does not define it.
func (s *scope) resolve(name string) (int, error) {
	if i, ok := s.index[name]; ok {
		return i, nil
	}
	if s.outer == nil {
		return 0, fmt.Errorf("value %q is not defined", name)
	}
	from, err := s.outer.resolve(name)
	if err != nil {
		return 0, err
	}
	i := s.add(name, s.outer.types[from], s.outer.consts[from])
	s.program.captures = append(s.program.captures, capture{from: from, to: i})
	s.outer.captured = append(s.outer.captured, from)
	return i, nil
}

func (c *compiler) lower(g *onnx.Graph, outer *scope) (*Program, error) {
	p := &Program{name: g.Name, inputs: g.Inputs, outputs: g.Outputs, maxBytes: c.opts.MaxTensorBytes, nested: outer != nil}
	s := &scope{outer: outer, program: p, index: make(map[string]int), declared: make(map[string]tensor.Type)}
	for _, v := range g.Values {
		s.declared[v.Name] = v.Type
	}
	for _, v := range g.Outputs {
		s.declared[v.Name] = v.Type
	}
	for _, in := range g.Inputs {
		p.in = append(p.in, s.add(in.Name, in.Type, nil))
	}
	for _, init := range g.Initializers {
		s.add(init.Name, init.Value.Type(), init.Value)
	}
	for i, node := range g.Nodes {
		if err := c.lowerNode(node, s); err != nil {
			return nil, fmt.Errorf("%s: %w", describe(node, i), err)
		}
	}
	return p, p.finish(g, s)
}

// finish resolves the outputs and plans the memory.
func (p *Program) finish(g *onnx.Graph, s *scope) error {
	for _, o := range g.Outputs {
		i, err := s.resolve(o.Name)
		if err != nil {
			return fmt.Errorf("output: %w", err)
		}
		p.out = append(p.out, i)
	}
	p.types, p.consts = s.types, s.consts
	p.planBuffers()
	p.frames.New = func() any { return p.newFrame() }
	return nil
}

// describe names a node for an error: `node 3 "dense_1" (Gemm, opset 13)`.
func describe(n *onnx.Node, i int) string {
	name := ""
	if n.Name != "" {
		name = fmt.Sprintf(" %q", n.Name)
	}
	return fmt.Sprintf("node %d%s (%s, opset %d)", i, name, n.Qualified(), n.Opset)
}

func outArgs(node *onnx.Node) []op.Arg {
	out := make([]op.Arg, len(node.Outputs))
	for i, name := range node.Outputs {
		out[i].Name = name
	}
	return out
}

func (c *compiler) lowerNode(node *onnx.Node, s *scope) error {
	def, err := c.reg.Find(node.Domain, node.Op, node.Opset)
	if err != nil {
		return err
	}
	s.captured = nil
	st := step{node: node, label: describe(node, len(s.program.steps)), alias: def.Alias}
	n := &op.Node{Node: node, In: make([]op.Arg, len(node.Inputs)), Out: outArgs(node)}
	n.Compile = func(g *onnx.Graph) (op.Program, error) {
		sub, err := c.compile(g, s)
		if err != nil {
			return nil, fmt.Errorf("subgraph %q: %w", g.Name, err)
		}
		return body{sub}, nil
	}
	for i, name := range node.Inputs {
		index := -1
		if name != "" {
			if index, err = s.resolve(name); err != nil {
				return err
			}
			n.In[i] = op.Arg{Name: name, Type: s.types[index], Const: s.consts[index]}
		}
		st.in = append(st.in, index)
	}
	if err := checkTypes(def, n); err != nil {
		return err
	}
	if err := prepare(def, n, s, &st); err != nil {
		return err
	}
	st.late = lateChecks(def, n)
	s.program.steps = append(s.program.steps, st)
	return nil
}

// prepare infers the node's types, builds its kernel and numbers its outputs.
func prepare(def *op.Def, n *op.Node, s *scope, st *step) (err error) {
	// Operators validate what they read, but a file can be broken in ways
	// that nobody thought of; that must not take the process down.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("cannot be prepared: %v", r)
		}
	}()
	if def.Infer != nil {
		if err := def.Infer(n); err != nil {
			return err
		}
	}
	st.kernel, err = def.Build(n)
	if err != nil {
		return err
	}
	st.captures = s.captured
	for i, name := range n.Outputs {
		t := n.Out[i].Type
		if t.Kind == tensor.KindUnknown {
			t = s.declared[name]
		}
		st.out = append(st.out, s.add(name, t, nil))
	}
	return nil
}

// typeSet is the set for input i; the last entry serves the rest.
func typeSet(def *op.Def, i int) op.TypeSet {
	if len(def.Types) == 0 {
		return nil
	}
	return def.Types[min(i, len(def.Types)-1)]
}

// checkTypes refuses inputs whose known element type the operator does not
// accept.
func checkTypes(def *op.Def, n *op.Node) error {
	for i, in := range n.In {
		if in.Type.Kind != tensor.KindTensor || in.Type.Elem == tensor.Undefined {
			continue
		}
		if set := typeSet(def, i); !set.Has(in.Type.Elem) {
			return op.Errorf("input %d %q is %v, which this operator does not support here", i, in.Name, in.Type.Elem)
		}
	}
	return nil
}

// lateCheck is a type check that has to wait for the run.
type lateCheck struct {
	input int
	set   op.TypeSet
}

func lateChecks(def *op.Def, n *op.Node) []lateCheck {
	var checks []lateCheck
	for i, in := range n.In {
		known := in.Type.Kind == tensor.KindTensor && in.Type.Elem != tensor.Undefined
		if set := typeSet(def, i); in.Name != "" && !known && len(set) > 0 {
			checks = append(checks, lateCheck{i, set})
		}
	}
	return checks
}
