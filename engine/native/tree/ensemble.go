// Package tree runs tree ensembles: random forests, gradient boosting,
// isolation forests, from scikit-learn, XGBoost and LightGBM.
//
// A model's nodes are first read into one plain form, whatever version of the
// operator they come from (ensemble), then packed into flat arrays in which
// every comparison is the same unsigned one (forest): a walk is a few loads
// and additions a level without a branch, so eight walks go in step and hide
// each other's memory latency. Where the processor has the vectors, single
// precision forests of small trees are not walked: every test clears bits of
// the trees' masks of leaves, for several rows (quick) or several trees (sweep)
// at once.
//
// Each row's sums are formed tree by tree in the model's order, in the precision
// of its weights, so results depend neither on the batch a row stands in, nor on
// the number of threads, nor on which of these ways a forest goes.
package tree

import (
	"math"
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/op"
)

// mode is the comparison of a node. The numbers are those of TreeEnsemble-5;
// leaf follows.
type mode uint8

const (
	leq mode = iota
	lt
	gte
	gt
	eq
	neq
	member
	leaf
)

// aggregate is how the leaves reached are combined. The numbers are those of
// TreeEnsemble-5.
type aggregate uint8

const (
	average aggregate = iota
	sum
	minimum
	maximum
)

// vote is what a leaf contributes to one target.
type vote struct {
	target int32
	weight float64
}

// node is a node as the model gives it.
type node struct {
	tree, id   int64 // its name in the model, for messages
	mode       mode
	missingYes bool // NaN goes to yes whatever the comparison says
	feature    int
	value      float64
	set        []float64 // for member, ascending
	yes, no    int       // indices of the children
	votes      []vote    // for leaves
}

// ensemble is the plain form of a model's trees.
type ensemble struct {
	nodes   []node
	roots   []int
	targets int
	agg     aggregate
	base    []float64 // empty, or one for each target; shorter lists are legal for classifiers
	double  bool      // thresholds and weights are float64
}

const (
	// maxDepth bounds a tree. Trees grown from data stay below a few hundred.
	maxDepth = 1 << 16
	// maxTargets bounds the scores of a row.
	maxTargets = 1 << 20
)

// check refuses what cannot be walked, and merges chains of equality tests.
func (e *ensemble) check() error {
	if len(e.roots) == 0 {
		return op.Errorf("the ensemble has no trees")
	}
	if e.targets < 1 || e.targets > maxTargets {
		return op.Errorf("the ensemble has %d targets, want 1 to %d", e.targets, maxTargets)
	}
	state := make([]uint8, len(e.nodes))
	for _, r := range e.roots {
		if err := e.checkTree(r, state); err != nil {
			return err
		}
	}
	e.mergeEqualities()
	return nil
}

// checkTree visits every node below root once, looking for cycles.
func (e *ensemble) checkTree(root int, state []uint8) error {
	const open, done = 1, 2
	stack := []int{root}
	for depth := 0; len(stack) > 0; {
		i := stack[len(stack)-1]
		n := &e.nodes[i]
		if state[i] == 0 {
			state[i] = open
			if depth++; depth > maxDepth {
				return op.Errorf("node %d of tree %d lies deeper than %d levels", n.id, n.tree, maxDepth)
			}
			if err := e.checkNode(n); err != nil {
				return err
			}
			if n.mode != leaf {
				for _, c := range [2]int{n.yes, n.no} {
					if state[c] == open {
						return op.Errorf("node %d of tree %d has node %d, which lies above it, as a child", n.id, n.tree, e.nodes[c].id)
					}
					if state[c] == 0 {
						stack = append(stack, c)
					}
				}
				continue
			}
		}
		if state[i] == open {
			state[i] = done
			depth--
		}
		stack = stack[:len(stack)-1]
	}
	return nil
}

func (e *ensemble) checkNode(n *node) error {
	if n.mode == leaf {
		for _, v := range n.votes {
			if v.target < 0 || int(v.target) >= e.targets {
				return op.Errorf("leaf %d of tree %d votes for target %d; there are %d", n.id, n.tree, v.target, e.targets)
			}
		}
		return nil
	}
	if n.feature < 0 || n.feature > math.MaxInt32 {
		return op.Errorf("node %d of tree %d tests feature %d", n.id, n.tree, n.feature)
	}
	return nil
}

// mergeEqualities turns a chain of tests of one feature against single values
// that lead to the same child, which is how LightGBM's categorical splits are
// exported, into one set membership test. It also removes the sharing of that
// child, which the packed form does not have.
func (e *ensemble) mergeEqualities() {
	parents := make([]int32, len(e.nodes))
	for i := range e.nodes {
		if n := &e.nodes[i]; n.mode != leaf {
			parents[n.yes]++
			parents[n.no]++
		}
	}
	for i := range e.nodes {
		n := &e.nodes[i]
		for n.mode == eq || n.mode == member {
			next := &e.nodes[n.no]
			if (next.mode != eq && next.mode != member) || next.feature != n.feature || next.yes != n.yes ||
				next.missingYes != n.missingYes || parents[n.no] != 1 {
				break
			}
			n.set = append(n.members(), next.members()...)
			n.mode, n.no = member, next.no
		}
		slices.Sort(n.set)
	}
}

// members are the values that an equality or membership test accepts.
func (n *node) members() []float64 {
	if n.mode == member {
		return n.set
	}
	return []float64{n.value}
}

// lastFeature is the highest feature that a node tests, -1 for none.
func (e *ensemble) lastFeature() int {
	last := -1
	for i := range e.nodes {
		if n := &e.nodes[i]; n.mode != leaf {
			last = max(last, n.feature)
		}
	}
	return last
}
