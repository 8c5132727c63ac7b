package onnx

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/greenlight-dev/greenlight/tensor"
)

// graph reads a GraphProto that stands depth graphs deep.
func (d *decoder) graph(data []byte, depth int) (*Graph, error) {
	g := &Graph{}
	err := d.graphFields(g, data, depth)
	d.splitInputs(g)
	return g, inGraph(cmp.Or(g.Name, peek(data, 2)), err)
}

func (d *decoder) graphFields(g *Graph, data []byte, depth int) error {
	if depth > d.limits.Depth {
		return fmt.Errorf("graphs are nested deeper than %d", d.limits.Depth)
	}
	w := d.walk(data)
	for w.next() {
		switch w.num {
		case 1:
			w.message("node", func(b []byte) error { return d.node(b, &g.Nodes, depth) })
		case 2:
			g.Name = w.name("name")
		case 5:
			w.message("initializer", func(b []byte) error { return d.initializer(b, g, d.namedTensor) })
		case 15:
			w.message("sparse_initializer", func(b []byte) error { return d.initializer(b, g, d.sparseTensor) })
		case 11:
			w.message("input", func(b []byte) error { return d.valueInfo(b, "input", &g.Inputs) })
		case 12:
			w.message("output", func(b []byte) error { return d.valueInfo(b, "output", &g.Outputs) })
		case 13:
			w.message("value_info", func(b []byte) error { return d.valueInfo(b, "value_info", &g.Values) })
		}
	}
	return w.err
}

// splitInputs takes the names that merely give an initializer's type out of
// the inputs. Up to IR version 3 every initializer was listed so, and none
// could be overridden.
func (d *decoder) splitInputs(g *Graph) {
	index := make(map[string]int, len(g.Initializers))
	for i, init := range g.Initializers {
		index[init.Name] = i
	}
	inputs := g.Inputs[:0]
	for _, in := range g.Inputs {
		if i, ok := index[in.Name]; ok {
			g.Initializers[i].Input = d.ir > 3
		} else {
			inputs = append(inputs, in)
		}
	}
	g.Inputs = inputs
}

func (d *decoder) initializer(data []byte, g *Graph, read func([]byte) (string, *tensor.Tensor, error)) error {
	name, t, err := read(data)
	if err == nil && name == "" {
		err = errors.New("it has no name")
	}
	if err != nil {
		return fmt.Errorf("initializer %d %q: %w", len(g.Initializers), name, err)
	}
	g.Initializers = append(g.Initializers, Initializer{Name: name, Value: t})
	return nil
}

// valueInfo reads a ValueInfoProto and appends it.
func (d *decoder) valueInfo(data []byte, field string, into *[]ValueInfo) error {
	v := ValueInfo{}
	w := d.walk(data)
	for w.next() {
		switch w.num {
		case 1:
			v.Name = w.name("name")
		case 2:
			w.message("type", func(b []byte) (err error) {
				v.Type, err = d.typeProto(b, 1)
				return err
			})
		case 3:
			v.Doc = w.text("doc_string")
		}
	}
	if w.err == nil && v.Name == "" {
		w.err = errors.New("it has no name")
	}
	if w.err != nil {
		return fmt.Errorf("%s %d %q: %w", field, len(*into), cmp.Or(v.Name, peek(data, 1)), w.err)
	}
	*into = append(*into, v)
	return nil
}

// node reads a NodeProto and appends it.
func (d *decoder) node(data []byte, into *[]*Node, depth int) error {
	n := &Node{}
	if err := d.nodeFields(n, data, depth); err != nil {
		n.Name = cmp.Or(n.Name, peek(data, 3))
		n.Op = cmp.Or(n.Op, peek(data, 4))
		return inNode(len(*into), n, err)
	}
	*into = append(*into, n)
	return nil
}

func (d *decoder) nodeFields(n *Node, data []byte, depth int) error {
	if d.nodes++; d.nodes > d.limits.Nodes {
		return fmt.Errorf("the model has more than %d nodes", d.limits.Nodes)
	}
	w := d.walk(data)
	for w.next() {
		switch w.num {
		case 1:
			n.Inputs = append(n.Inputs, w.name("input"))
		case 2:
			n.Outputs = append(n.Outputs, w.name("output"))
		case 3:
			n.Name = w.name("name")
		case 4:
			n.Op = w.name("op_type")
		case 5:
			w.message("attribute", func(b []byte) error { return d.nodeAttribute(n, b, depth) })
		case 7:
			n.Domain = canonicalDomain(w.name("domain"))
		case 8:
			n.Overload = w.name("overload")
		}
	}
	if w.err == nil && n.Op == "" {
		return errors.New("it names no operator")
	}
	return w.err
}

func (d *decoder) nodeAttribute(n *Node, data []byte, depth int) error {
	if len(n.Attrs) >= d.limits.Attributes {
		return fmt.Errorf("it has more than %d attributes", d.limits.Attributes)
	}
	a, err := d.attribute(data, depth)
	if err != nil {
		return err
	}
	if n.Attr(a.Name) != nil {
		return fmt.Errorf("attribute %q is given twice", a.Name)
	}
	n.Attrs = append(n.Attrs, a)
	return nil
}
