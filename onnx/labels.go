package onnx

import "fmt"

// inGraph says in which graph an error is.
func inGraph(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("graph %q: %w", shorten(name), err)
}

// inNode says at which node, counted from 0 in its graph, an error is.
func inNode(index int, n *Node, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("node %d %s: %w", index, n.label(), err)
}

// label is a node as error messages name it: `"conv1" (Conv)`.
func (n *Node) label() string {
	if n.Name == "" {
		return fmt.Sprintf("(%s)", shorten(n.Qualified()))
	}
	return fmt.Sprintf("%q (%s)", shorten(n.Name), shorten(n.Qualified()))
}

// subgraphs calls visit for each graph among the node's attributes and says
// which one an error comes from.
func (n *Node) subgraphs(visit func(*Graph) error) error {
	for _, a := range n.Attrs {
		for _, g := range a.graphs() {
			if err := visit(g); err != nil {
				return fmt.Errorf("attribute %q: %w", a.Name, inGraph(g.Name, err))
			}
		}
	}
	return nil
}

// graphs lists the graphs of a Graph or Graphs attribute.
func (a *Attribute) graphs() []*Graph {
	if a.Graph != nil {
		return []*Graph{a.Graph}
	}
	return a.Graphs
}

// eachNode visits every node of the list and of the graphs within.
func eachNode(nodes []*Node, visit func(*Node) error) error {
	for i, n := range nodes {
		err := visit(n)
		if err == nil {
			err = n.subgraphs(func(g *Graph) error { return eachNode(g.Nodes, visit) })
		}
		if err != nil {
			return inNode(i, n, err)
		}
	}
	return nil
}
