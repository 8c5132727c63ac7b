package program

import (
	"context"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// maxFolded bounds the size of one folded constant: a larger one is computed
// at run time rather than kept.
const maxFolded = 256 << 20

// fold computes every node whose inputs are all constant and returns a graph
// in which those nodes are initializers. Constants of outer graphs count.
// A node that fails is left for the run to report: it may never be reached.
func (c *compiler) fold(g *onnx.Graph, outer *scope) *onnx.Graph {
	consts := make(map[string]tensor.Value, len(g.Initializers))
	out := *g
	out.Initializers = append([]onnx.Initializer(nil), g.Initializers...)
	out.Nodes = nil
	for _, init := range g.Initializers {
		consts[init.Name] = init.Value
	}
	local := localNames(g)
	lookup := func(name string) tensor.Value {
		if v, ok := consts[name]; ok {
			return v
		}
		if local[name] {
			return nil
		}
		return outer.constant(name)
	}
	for _, node := range g.Nodes {
		results, ok := c.foldNode(node, lookup)
		if !ok {
			out.Nodes = append(out.Nodes, node)
			continue
		}
		for i, t := range results {
			if name := node.Outputs[i]; name != "" {
				consts[name] = t
				out.Initializers = append(out.Initializers, onnx.Initializer{Name: name, Value: t})
			}
		}
	}
	return &out
}

func localNames(g *onnx.Graph) map[string]bool {
	local := make(map[string]bool)
	for _, in := range g.Inputs {
		local[in.Name] = true
	}
	for _, n := range g.Nodes {
		for _, o := range n.Outputs {
			local[o] = true
		}
	}
	return local
}

// foldNode runs a node at load; ok is false when it has to stay.
func (c *compiler) foldNode(node *onnx.Node, lookup func(string) tensor.Value) (results []*tensor.Tensor, ok bool) {
	def, err := c.reg.Find(node.Domain, node.Op, node.Opset)
	if err != nil || def.Impure || hasSubgraph(node) || len(node.Outputs) == 0 {
		return nil, false
	}
	n := &op.Node{Node: node, In: make([]op.Arg, len(node.Inputs)), Out: outArgs(node)}
	for i, name := range node.Inputs {
		if name == "" {
			continue
		}
		v := lookup(name)
		if v == nil {
			return nil, false
		}
		n.In[i] = op.Arg{Name: name, Type: v.Type(), Const: v}
	}
	if checkTypes(def, n) != nil {
		return nil, false
	}
	return runFolded(def, n)
}

func runFolded(def *op.Def, n *op.Node) (results []*tensor.Tensor, ok bool) {
	defer func() {
		if recover() != nil {
			results, ok = nil, false
		}
	}()
	kernel, err := def.Build(n)
	if err != nil {
		return nil, false
	}
	ctx := &op.Context{Ctx: context.Background(), MaxBytes: maxFolded}
	ctx.Init(len(n.In), len(n.Outputs), nil)
	for i, in := range n.In {
		ctx.In[i] = in.Const
	}
	if kernel.Run(ctx) != nil {
		return nil, false
	}
	for _, v := range ctx.Out {
		t, isTensor := v.(*tensor.Tensor)
		if !isTensor {
			return nil, false
		}
		results = append(results, t.Clone())
	}
	return results, true
}

func hasSubgraph(n *onnx.Node) bool {
	for _, a := range n.Attrs {
		if a.Graph != nil || len(a.Graphs) > 0 {
			return true
		}
	}
	return false
}

// prune drops nodes whose results nobody reads.
func prune(g *onnx.Graph) *onnx.Graph {
	needed := make(map[string]bool)
	for _, o := range g.Outputs {
		needed[o.Name] = true
	}
	var kept []*onnx.Node
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		n := g.Nodes[i]
		if !anyNeeded(n.Outputs, needed) {
			continue
		}
		kept = append(kept, n)
		readNames(n, needed)
	}
	out := *g
	out.Nodes = make([]*onnx.Node, len(kept))
	for i, n := range kept {
		out.Nodes[len(kept)-1-i] = n
	}
	out.Initializers = nil
	for _, init := range g.Initializers {
		if needed[init.Name] {
			out.Initializers = append(out.Initializers, init)
		}
	}
	return &out
}

func anyNeeded(outputs []string, needed map[string]bool) bool {
	for _, o := range outputs {
		if needed[o] {
			return true
		}
	}
	return false
}

// readNames marks all names that a node reads, in its subgraphs too. Names
// that a subgraph defines itself are marked as well, which only keeps more.
func readNames(n *onnx.Node, names map[string]bool) {
	for _, in := range n.Inputs {
		if in != "" {
			names[in] = true
		}
	}
	for _, a := range n.Attrs {
		if a.Graph != nil {
			readGraphNames(a.Graph, names)
		}
		for _, g := range a.Graphs {
			readGraphNames(g, names)
		}
	}
}

func readGraphNames(g *onnx.Graph, names map[string]bool) {
	for _, n := range g.Nodes {
		readNames(n, names)
	}
	for _, o := range g.Outputs {
		names[o.Name] = true
	}
}
