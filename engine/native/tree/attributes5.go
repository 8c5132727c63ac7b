package tree

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// split reads TreeEnsemble-5, which lists interior nodes and leaves apart and
// points to them by position.
type split struct {
	yes, no         []int // positions
	yesLeaf, noLeaf []int // flags: the position is one in the list of leaves
	interior        int
	leaves          int
}

// readSplit reads an ensemble of TreeEnsemble-5.
func readSplit(a *op.Attrs) (*ensemble, error) {
	s := &split{
		yes: a.Ints("nodes_truenodeids"), no: a.Ints("nodes_falsenodeids"),
		yesLeaf: a.Ints("nodes_trueleafs"), noLeaf: a.Ints("nodes_falseleafs"),
	}
	e := &ensemble{targets: a.Int("n_targets", 1)}
	if err := s.readNodes(a, e); err != nil {
		return nil, err
	}
	if err := s.readLeaves(a, e); err != nil {
		return nil, err
	}
	if err := s.link(e); err != nil {
		return nil, err
	}
	for _, r := range a.Ints("tree_roots") {
		if r < 0 || r >= s.interior {
			return nil, op.Errorf("tree_roots has %d; there are %d nodes", r, s.interior)
		}
		e.roots = append(e.roots, r)
	}
	agg := a.Int("aggregate_function", int(sum))
	if agg < 0 || agg > int(maximum) {
		return nil, op.Errorf("aggregate_function %d is unknown; want 0 to 3", agg)
	}
	e.agg = aggregate(agg)
	if err := a.Err(); err != nil {
		return nil, err
	}
	return e, e.check()
}

func (s *split) readNodes(a *op.Attrs, e *ensemble) error {
	splits, modes := a.Tensor("nodes_splits"), a.Tensor("nodes_modes")
	features, missing := a.Ints("nodes_featureids"), a.Ints("nodes_missing_value_tracks_true")
	if splits == nil || modes == nil || modes.DType() != tensor.Uint8 {
		return op.Errorf("attributes nodes_splits and nodes_modes (uint8) are both needed")
	}
	values, double, err := tensorFloats(splits, "nodes_splits")
	if err != nil {
		return err
	}
	s.interior, e.double = modes.Len(), double
	for name, size := range map[string]int{
		"nodes_splits": len(values), "nodes_featureids": len(features),
		"nodes_truenodeids": len(s.yes), "nodes_falsenodeids": len(s.no),
		"nodes_trueleafs": len(s.yesLeaf), "nodes_falseleafs": len(s.noLeaf),
	} {
		if size != s.interior {
			return op.Errorf("attribute %s has %d entries, nodes_modes %d", name, size, s.interior)
		}
	}
	if len(missing) > 0 && len(missing) != s.interior {
		return op.Errorf("attribute nodes_missing_value_tracks_true has %d entries, nodes_modes %d", len(missing), s.interior)
	}
	e.nodes = make([]node, s.interior)
	for i, m := range tensor.Data[uint8](modes) {
		if m > uint8(member) {
			return op.Errorf("node %d has the unknown mode %d", i, m)
		}
		e.nodes[i] = node{
			id: int64(i), mode: mode(m), feature: features[i], value: values[i],
			missingYes: len(missing) > 0 && missing[i] != 0,
		}
	}
	return readSets(a, e)
}

// readSets hands the NaN-separated lists of membership_values to the nodes
// that test membership, in their order.
func readSets(a *op.Attrs, e *ensemble) error {
	var values []float64
	if t := a.Tensor("membership_values"); t != nil {
		var err error
		if values, _, err = tensorFloats(t, "membership_values"); err != nil {
			return err
		}
	}
	for i := range e.nodes {
		n := &e.nodes[i]
		if n.mode != member {
			continue
		}
		if len(values) == 0 {
			return op.Errorf("membership_values has no set left for node %d", i)
		}
		for len(values) > 0 && !math.IsNaN(values[0]) {
			n.set, values = append(n.set, values[0]), values[1:]
		}
		if len(values) > 0 {
			values = values[1:]
		}
	}
	return nil
}

func (s *split) readLeaves(a *op.Attrs, e *ensemble) error {
	t, targets := a.Tensor("leaf_weights"), a.Ints("leaf_targetids")
	if t == nil {
		return op.Errorf("attribute leaf_weights is needed")
	}
	weights, double, err := tensorFloats(t, "leaf_weights")
	if err != nil {
		return err
	}
	if len(weights) != len(targets) {
		return op.Errorf("attribute leaf_targetids has %d entries, leaf_weights %d", len(targets), len(weights))
	}
	s.leaves, e.double = len(weights), e.double || double
	for i, w := range weights {
		if targets[i] < 0 || targets[i] >= e.targets {
			return op.Errorf("leaf %d votes for target %d; there are %d", i, targets[i], e.targets)
		}
		e.nodes = append(e.nodes, node{id: int64(i), mode: leaf, votes: []vote{{int32(targets[i]), w}}})
	}
	return nil
}

func (s *split) link(e *ensemble) error {
	for i := range s.interior {
		var err error
		n := &e.nodes[i]
		if n.yes, err = s.child(i, s.yes[i], s.yesLeaf[i] != 0); err != nil {
			return err
		}
		if n.no, err = s.child(i, s.no[i], s.noLeaf[i] != 0); err != nil {
			return err
		}
	}
	return nil
}

func (s *split) child(parent, position int, isLeaf bool) (int, error) {
	limit, what := s.interior, "nodes"
	if isLeaf {
		limit, what = s.leaves, "leaves"
	}
	if position < 0 || position >= limit {
		return 0, op.Errorf("node %d has child %d; there are %d %s", parent, position, limit, what)
	}
	if isLeaf {
		position += s.interior
	}
	return position, nil
}
