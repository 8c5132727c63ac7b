// Package fuse rewrites a graph so that fewer kernels do the same work: a
// bias or activation joins the product before it, batch normalisation
// disappears into a convolution's weights, a scaler into a linear model. It
// runs after constants are folded and touches only pairs of nodes whose
// intermediate value nobody else reads.
package fuse

import (
	"maps"
	"slices"

	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// Rewrite gives the fused form of g, which stays as it is.
func Rewrite(g *onnx.Graph) *onnx.Graph {
	e := newEditor(g)
	for i := range e.nodes {
		// What a node has become may fuse with its next consumer in turn.
		for e.nodes[i] != nil && e.fuseInto(i) {
		}
	}
	return e.graph()
}

// editor is a graph being rewritten; fused-away nodes become nil.
type editor struct {
	source *onnx.Graph
	nodes  []*onnx.Node
	consts map[string]*tensor.Tensor
	added  []onnx.Initializer
	reads  map[string]int // how often a name is read, in subgraphs and as output too
	reader map[string]int // the node that reads it, the last of several
}

func newEditor(g *onnx.Graph) *editor {
	e := &editor{
		source: g,
		nodes:  slices.Clone(g.Nodes),
		consts: make(map[string]*tensor.Tensor, len(g.Initializers)),
		reads:  make(map[string]int),
		reader: make(map[string]int),
	}
	for _, init := range g.Initializers {
		e.consts[init.Name] = init.Value
	}
	for i, n := range g.Nodes {
		e.countReads(n, i)
	}
	for _, o := range g.Outputs {
		e.reads[o.Name]++
	}
	return e
}

// countReads counts what node i reads; a subgraph's reads count twice, so
// that a captured value is never fused away.
func (e *editor) countReads(n *onnx.Node, i int) {
	for _, in := range n.Inputs {
		e.reads[in]++
		e.reader[in] = i
	}
	for _, a := range n.Attrs {
		for _, g := range append(a.Graphs[:len(a.Graphs):len(a.Graphs)], a.Graph) {
			if g != nil {
				e.countGraphReads(g)
			}
		}
	}
}

func (e *editor) countGraphReads(g *onnx.Graph) {
	for _, n := range g.Nodes {
		e.countReads(n, -1)
		for _, in := range n.Inputs {
			e.reads[in]++
		}
	}
	for _, o := range g.Outputs {
		e.reads[o.Name] += 2
	}
}

// consumer is the node that alone reads the first output of node i, provided
// nobody reads its other outputs.
func (e *editor) consumer(i int) (int, bool) {
	n := e.nodes[i]
	if len(n.Outputs) == 0 || e.reads[n.Outputs[0]] != 1 {
		return 0, false
	}
	for _, o := range n.Outputs[1:] {
		if e.reads[o] > 0 {
			return 0, false
		}
	}
	j, ok := e.reader[n.Outputs[0]]
	return j, ok && j > i && e.nodes[j] != nil
}

// fuseInto tries to join node i with its consumer.
func (e *editor) fuseInto(i int) bool {
	j, ok := e.consumer(i)
	if !ok {
		return false
	}
	for _, rule := range rules {
		if fused := rule(e, e.nodes[i], e.nodes[j]); fused != nil {
			e.replace(i, j, fused)
			return true
		}
	}
	return false
}

// replace puts the fused node where the first one stood. All that it reads
// is there by then: the second one's other inputs are constants.
func (e *editor) replace(i, j int, fused *onnx.Node) {
	e.nodes[i], e.nodes[j] = fused, nil
	for _, in := range fused.Inputs {
		if e.reader[in] == j {
			e.reader[in] = i
		}
	}
}

// addConst adds a constant under a name that the graph does not use: no file
// may name a value like a fused node's.
func (e *editor) addConst(name string, t *tensor.Tensor) string {
	for e.taken(name) {
		name += "'"
	}
	e.consts[name] = t
	e.added = append(e.added, onnx.Initializer{Name: name, Value: t})
	return name
}

func (e *editor) taken(name string) bool {
	_, isConst := e.consts[name]
	return isConst || e.reads[name] > 0
}

func (e *editor) graph() *onnx.Graph {
	out := *e.source
	out.Nodes = slices.DeleteFunc(e.nodes, func(n *onnx.Node) bool { return n == nil })
	out.Initializers = append(slices.Clone(e.source.Initializers), e.added...)
	return &out
}

// with copies a node under another operator of the internal domain, with its
// outputs taken from last and attributes replaced or added.
func with(n *onnx.Node, domain, op string, last *onnx.Node, attrs ...*onnx.Attribute) *onnx.Node {
	fused := *n
	fused.Domain, fused.Op, fused.Outputs = domain, op, last.Outputs
	byName := make(map[string]*onnx.Attribute)
	for _, a := range slices.Concat(n.Attrs, attrs) {
		byName[a.Name] = a
	}
	fused.Attrs = nil
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		fused.Attrs = append(fused.Attrs, byName[name])
	}
	return &fused
}
