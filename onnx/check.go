package onnx

import (
	"errors"
	"fmt"
	"strings"

	"github.com/greenlight-dev/greenlight/tensor"
)

// check refuses a graph that cannot be run as it stands, and puts its nodes
// in topological order.
func (m *Model) check(limits Limits) error {
	err := m.checkSignature()
	if err == nil {
		_, err = checkGraph(m.Graph, nil, limits.Depth)
	}
	return inGraph(m.Graph.Name, err)
}

// checkSignature checks what callers of the model depend on: every input has
// a type, and every output a name of its own.
func (m *Model) checkSignature() error {
	for _, v := range m.Graph.Inputs {
		switch {
		case v.Type.Kind == tensor.KindUnknown:
			return fmt.Errorf("input %q has no type that is supported", v.Name)
		case v.Type.Kind == tensor.KindTensor && v.Type.Elem == tensor.Undefined:
			return fmt.Errorf("input %q has no element type", v.Name)
		}
	}
	seen := map[string]bool{}
	for _, v := range m.Graph.Outputs {
		if seen[v.Name] {
			return fmt.Errorf("output %q is listed twice", v.Name)
		}
		seen[v.Name] = true
	}
	return nil
}

// scope is what one graph defines: for each name the node that writes it, or
// -1 for inputs and initializers. Subgraphs see the scopes around them; a
// name of their own hides an outer one.
type scope struct {
	outer   *scope
	writers map[string]int
}

func (s *scope) has(name string) bool {
	for ; s != nil; s = s.outer {
		if _, ok := s.writers[name]; ok {
			return true
		}
	}
	return false
}

func undefined(i int, name string) error {
	return fmt.Errorf("input %d %q is not defined by any input, initializer or node", i, name)
}

// checkGraph checks and sorts a graph and those within. It gives the names
// that the graph reads from the graphs around it.
func checkGraph(g *Graph, outer *scope, depth int) (captured map[string]struct{}, err error) {
	if depth == 0 {
		return nil, errors.New("graphs are nested too deep once functions are inlined")
	}
	if len(g.Outputs) == 0 {
		return nil, errors.New("it has no outputs")
	}
	s := &scope{outer: outer, writers: map[string]int{}}
	if err := s.define(g); err != nil {
		return nil, err
	}
	captured = map[string]struct{}{}
	before := make([][]int, len(g.Nodes))
	for i, n := range g.Nodes {
		if before[i], err = s.reads(n, captured, depth); err != nil {
			return nil, inNode(i, n, err)
		}
	}
	for _, v := range g.Outputs {
		if !s.has(v.Name) {
			return nil, fmt.Errorf("output %q is not defined by any input, initializer or node", v.Name)
		}
		if _, own := s.writers[v.Name]; !own {
			captured[v.Name] = struct{}{}
		}
	}
	return captured, sortNodes(g, before)
}

// define notes the graph's own names, each of which must have one definition.
func (s *scope) define(g *Graph) error {
	for _, v := range g.Inputs {
		if _, dup := s.writers[v.Name]; dup {
			return fmt.Errorf("input %q is listed twice", v.Name)
		}
		s.writers[v.Name] = -1
	}
	for _, init := range g.Initializers {
		if _, dup := s.writers[init.Name]; dup {
			return fmt.Errorf("initializer %q is defined twice", init.Name)
		}
		s.writers[init.Name] = -1
	}
	for i, n := range g.Nodes {
		for _, name := range n.Outputs {
			if name == "" {
				continue
			}
			if at, dup := s.writers[name]; dup {
				return inNode(i, n, fmt.Errorf("output %q is defined already, by %s", name, definer(g, at)))
			}
			s.writers[name] = i
		}
	}
	return nil
}

func definer(g *Graph, at int) string {
	if at < 0 {
		return "an input or initializer"
	}
	return fmt.Sprintf("node %d %s", at, g.Nodes[at].label())
}

// reads gives the nodes whose outputs n reads, itself or in its subgraphs,
// and adds the names from further out to captured.
func (s *scope) reads(n *Node, captured map[string]struct{}, depth int) (before []int, err error) {
	read := func(name string) {
		if at, own := s.writers[name]; !own {
			captured[name] = struct{}{}
		} else if at >= 0 {
			before = append(before, at)
		}
	}
	for i, name := range n.Inputs {
		if name == "" {
			continue
		}
		if !s.has(name) {
			return nil, undefined(i, name)
		}
		read(name)
	}
	for _, a := range n.Attrs {
		if a.Ref != "" {
			return nil, fmt.Errorf("attribute %q refers to %q of a function, but stands outside of one", a.Name, a.Ref)
		}
	}
	err = n.subgraphs(func(g *Graph) error {
		names, err := checkGraph(g, s, depth-1)
		for name := range names {
			read(name)
		}
		return err
	})
	return before, err
}

// sortNodes puts the nodes in topological order, keeping the file's where
// that is one. Before lists, for each node, the nodes it must come after.
func sortNodes(g *Graph, before [][]int) error {
	if inOrder(before) {
		return nil
	}
	after := make([][]int, len(g.Nodes))
	waiting := make([]int, len(g.Nodes))
	var ready []int
	for i, list := range before {
		for _, j := range list {
			after[j] = append(after[j], i)
		}
		if waiting[i] = len(list); len(list) == 0 {
			ready = append(ready, i)
		}
	}
	for k := 0; k < len(ready); k++ {
		for _, i := range after[ready[k]] {
			if waiting[i]--; waiting[i] == 0 {
				ready = append(ready, i)
			}
		}
	}
	if len(ready) < len(g.Nodes) {
		return cycleError(g, before, waiting)
	}
	sorted := make([]*Node, len(ready))
	for k, i := range ready {
		sorted[k] = g.Nodes[i]
	}
	g.Nodes = sorted
	return nil
}

func inOrder(before [][]int) bool {
	for i, list := range before {
		for _, j := range list {
			if j >= i {
				return false
			}
		}
	}
	return true
}

// cycleError names a cycle: going back from a node that still waits, among
// those that wait, must come to a node seen before.
func cycleError(g *Graph, before [][]int, waiting []int) error {
	at := 0
	for waiting[at] == 0 {
		at++
	}
	var path []int
	seen := map[int]int{}
	for {
		if start, ok := seen[at]; ok {
			path = path[start:]
			break
		}
		seen[at] = len(path)
		path = append(path, at)
		for _, j := range before[at] {
			if waiting[j] > 0 {
				at = j
				break
			}
		}
	}
	var names []string
	for i := len(path) - 1; i >= 0 && len(names) < 5; i-- {
		names = append(names, definer(g, path[i]))
	}
	return fmt.Errorf("the nodes form a cycle: %s", strings.Join(names, " → "))
}
