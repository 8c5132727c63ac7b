package tree

import (
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

var modeNames = map[string]mode{
	"BRANCH_LEQ": leq, "BRANCH_LT": lt, "BRANCH_GTE": gte, "BRANCH_GT": gt,
	"BRANCH_EQ": eq, "BRANCH_NEQ": neq, "LEAF": leaf,
}

var aggregateNames = map[string]aggregate{
	"AVERAGE": average, "SUM": sum, "MIN": minimum, "MAX": maximum,
}

// parallel reads the parallel lists of TreeEnsembleClassifier and
// TreeEnsembleRegressor (versions 1 to 4), which name nodes by tree and id.
type parallel struct {
	a    *op.Attrs
	size int
	err  error

	tree, id []int
	first    map[int]int    // where each tree's nodes start
	byID     map[[2]int]int // every node; made when the ids are not consecutive
}

// ints reads a list that must have as many entries as there are nodes.
func (p *parallel) ints(name string) []int {
	v := p.a.Ints(name)
	p.sameSize(name, len(v), p.size)
	return v
}

// problem is what was found wrong so far.
func (p *parallel) problem() error {
	if err := p.a.Err(); err != nil {
		return err
	}
	return p.err
}

func (p *parallel) sameSize(name string, got, want int) {
	if p.err == nil && got != want {
		p.err = op.Errorf("attribute %s has %d entries, nodes_treeids and its like %d", name, got, want)
	}
}

// floats reads a list that may be given as floats or as a tensor of doubles.
func floats(a *op.Attrs, name string) (values []float64, double bool, err error) {
	if t := a.Tensor(name + "_as_tensor"); t != nil && t.Len() > 0 {
		return tensorFloats(t, name+"_as_tensor")
	}
	return widen(a.Floats(name)), false, nil
}

func widen(src []float32) []float64 {
	out := make([]float64, len(src))
	for i, v := range src {
		out[i] = float64(v)
	}
	return out
}

func tensorFloats(t *tensor.Tensor, name string) ([]float64, bool, error) {
	switch t.DType() {
	case tensor.Float64:
		return tensor.Data[float64](t), true, nil
	case tensor.Float32, tensor.Float16:
		f := make([]float32, t.Len())
		op.ReadFloat32s(f, t)
		return widen(f), false, nil
	}
	return nil, false, op.Errorf("attribute %s holds %v, want a float type", name, t.DType())
}

// readParallel reads an ensemble of the older operators; prefix is "class" or
// "target", which the lists of leaf weights are named by.
func readParallel(a *op.Attrs, prefix string, targets int) (*ensemble, error) {
	p := &parallel{a: a, tree: a.Ints("nodes_treeids")}
	p.size = len(p.tree)
	p.id = p.ints("nodes_nodeids")
	e := &ensemble{targets: targets, nodes: make([]node, p.size)}
	if err := p.readNodes(e); err != nil {
		return nil, err
	}
	if err := p.link(e); err != nil {
		return nil, err
	}
	if err := p.readVotes(e, prefix); err != nil {
		return nil, err
	}
	var ok bool
	if e.agg, ok = aggregateNames[a.String("aggregate_function", "SUM")]; !ok {
		return nil, op.Errorf("aggregate_function %q is unknown", a.String("aggregate_function", ""))
	}
	base, double, err := floats(a, "base_values")
	e.base, e.double = base, e.double || double
	if err == nil {
		err = a.Err()
	}
	if err != nil {
		return nil, err
	}
	return e, e.check()
}

func (p *parallel) readNodes(e *ensemble) error {
	features, modes := p.ints("nodes_featureids"), p.a.Strings("nodes_modes")
	p.sameSize("nodes_modes", len(modes), p.size)
	values, double, err := floats(p.a, "nodes_values")
	if err != nil {
		return err
	}
	p.sameSize("nodes_values", len(values), p.size)
	missing := p.a.Ints("nodes_missing_value_tracks_true")
	if len(missing) > 0 {
		p.sameSize("nodes_missing_value_tracks_true", len(missing), p.size)
	}
	if err := p.problem(); err != nil {
		return err
	}
	e.double = double
	for i := range e.nodes {
		m, ok := modeNames[modes[i]]
		if !ok {
			return op.Errorf("node %d of tree %d has the unknown mode %q", p.id[i], p.tree[i], modes[i])
		}
		e.nodes[i] = node{
			tree: int64(p.tree[i]), id: int64(p.id[i]), mode: m,
			feature: features[i], value: values[i],
			missingYes: len(missing) > 0 && missing[i] != 0,
		}
	}
	return nil
}

// link finds each tree's root, its node listed first, and each node's
// children.
func (p *parallel) link(e *ensemble) error {
	yes, no := p.ints("nodes_truenodeids"), p.ints("nodes_falsenodeids")
	if err := p.problem(); err != nil {
		return err
	}
	p.first = map[int]int{}
	for i, t := range p.tree {
		if _, known := p.first[t]; !known {
			p.first[t] = i
			e.roots = append(e.roots, i)
		}
	}
	for i := range e.nodes {
		n := &e.nodes[i]
		if n.mode == leaf {
			continue
		}
		var ok [2]bool
		n.yes, ok[0] = p.find(p.tree[i], yes[i])
		n.no, ok[1] = p.find(p.tree[i], no[i])
		if !ok[0] || !ok[1] {
			return op.Errorf("node %d of tree %d has children %d and %d, which the tree does not both have", n.id, n.tree, yes[i], no[i])
		}
	}
	return nil
}

// find gives the index of a node. Ids that count from 0 in each tree, the
// usual case, are found without a table of all nodes.
func (p *parallel) find(tree, id int) (int, bool) {
	first, known := p.first[tree]
	if !known {
		return 0, false
	}
	if i := first + id; id >= 0 && id < p.size && i < p.size && p.tree[i] == tree && p.id[i] == id {
		return i, true
	}
	if p.byID == nil {
		p.byID = make(map[[2]int]int, p.size)
		for i := range p.tree {
			p.byID[[2]int{p.tree[i], p.id[i]}] = i
		}
	}
	i, ok := p.byID[[2]int{tree, id}]
	return i, ok
}

func (p *parallel) readVotes(e *ensemble, prefix string) error {
	targets := p.a.Ints(prefix + "_ids")
	trees, nodes := p.a.Ints(prefix+"_treeids"), p.a.Ints(prefix+"_nodeids")
	weights, double, err := floats(p.a, prefix+"_weights")
	if err != nil {
		return err
	}
	if len(trees) != len(targets) || len(nodes) != len(targets) || len(weights) != len(targets) {
		return op.Errorf("attributes %[1]s_ids, %[1]s_treeids, %[1]s_nodeids and %[1]s_weights have %d, %d, %d and %d entries, want as many of each",
			prefix, len(targets), len(trees), len(nodes), len(weights))
	}
	e.double = e.double || double
	for i, target := range targets {
		at, ok := p.find(trees[i], nodes[i])
		if !ok {
			return op.Errorf("%s_ids entry %d weighs node %d of tree %d, which is not in the model", prefix, i, nodes[i], trees[i])
		}
		if target < 0 || target >= e.targets {
			return op.Errorf("%s_ids entry %d (leaf %d of tree %d) is %d; there are %d", prefix, i, nodes[i], trees[i], target, e.targets)
		}
		e.nodes[at].votes = append(e.nodes[at].votes, vote{int32(target), weights[i]})
	}
	return nil
}
