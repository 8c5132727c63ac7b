package modelserver

import (
	"strconv"

	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// classNames are the classes as the graph itself names them.
type classNames struct {
	names []string
	ints  []int64 // the same as whole numbers, when that is what they are
}

// positions maps whole-number labels to places among n class names from
// elsewhere; without labels of the graph's own, a label is the place itself.
func (c classNames) positions(n int) map[int64]int {
	p := make(map[int64]int, n)
	for k := range n {
		if len(c.ints) == n {
			p[c.ints[k]] = k
		} else {
			p[int64(k)] = k
		}
	}
	return p
}

// graphClasses looks for the class names of a classifier: where its label is
// chosen from a constant, or in a node's attributes, the last node first.
func graphClasses(g *onnx.Graph, outputs []onnx.ValueInfo) classNames {
	for _, o := range outputs {
		if !isLabel(o.Type) {
			continue
		}
		if n := producer(g, o.Name); n != nil && n.Op == "ArrayFeatureExtractor" && len(n.Inputs) > 0 {
			if c := constantClasses(g, n.Inputs[0]); c.names != nil {
				return c
			}
		}
	}
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		if c := attributeClasses(g.Nodes[i]); c.names != nil {
			return c
		}
	}
	return classNames{}
}

func attributeClasses(n *onnx.Node) classNames {
	for _, a := range n.Attrs {
		switch a.Name {
		case "classlabels_strings":
			if len(a.Strings) > 0 {
				return classNames{names: a.Strings}
			}
		case "classlabels_int64s", "classlabels_ints":
			if len(a.Ints) > 0 {
				return intClasses(a.Ints)
			}
		}
	}
	return classNames{}
}

// constantClasses reads class names from an initializer, as skl2onnx writes
// them for classifiers that ONNX has no operator for.
func constantClasses(g *onnx.Graph, name string) classNames {
	for _, init := range g.Initializers {
		if init.Name != name {
			continue
		}
		switch t := init.Value; t.DType() {
		case tensor.String:
			return classNames{names: t.Strings()}
		case tensor.Int64:
			return intClasses(tensor.Data[int64](t))
		case tensor.Int32:
			var ints []int64
			for _, v := range tensor.Data[int32](t) {
				ints = append(ints, int64(v))
			}
			return intClasses(ints)
		}
	}
	return classNames{}
}

func intClasses(ints []int64) classNames {
	c := classNames{ints: ints}
	for _, v := range ints {
		c.names = append(c.names, strconv.FormatInt(v, 10))
	}
	return c
}

// producer is the node whose work an output shows, past nodes that only
// change its shape or type; nil when there is none.
func producer(g *onnx.Graph, name string) *onnx.Node {
	for i := len(g.Nodes) - 1; i >= 0; i-- {
		n := g.Nodes[i]
		if len(n.Outputs) == 0 || n.Outputs[0] != name {
			continue
		}
		switch n.Op {
		case "Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze":
			if len(n.Inputs) > 0 {
				name = n.Inputs[0]
				continue
			}
		}
		return n
	}
	return nil
}
