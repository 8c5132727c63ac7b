package tree

import "math"

// layout is how leaves keep their votes.
type layout uint8

const (
	// direct: every leaf has one vote, and all leaves of a tree vote for the
	// same target. The weight stands in the leaf's word.
	direct layout = iota
	// lone: every leaf votes for every target, but at most one of its votes is
	// other than 0.
	lone
	// dense: every leaf votes for every target.
	dense
	// sparse: anything else, and all minimums and maximums.
	sparse
)

// votes are the leaves' contributions.
type votes[A real] struct {
	layout layout
	// target is each tree's target when direct; one is the target when all
	// trees have the same, else -1.
	target []int32
	one    int
	// weights has a row of all targets for each leaf when dense.
	weights []A
	// list has leaf l's votes at [starts[l], starts[l+1]) when sparse, its one
	// vote at l when lone.
	starts []int32
	list   []weighted[A]
	// always tells the targets that get a vote whichever leaves are reached.
	always []bool

	targets int
	drop    bool // leave out votes of weight 0 for targets in always
}

type weighted[A real] struct {
	target int32
	weight A
}

// densePenalty is how many votes of weight 0 may be added, for each leaf and
// on top of three for each other vote, before a list of the others is faster:
// the list's end is a mispredicted branch.
const densePenalty = 16

// planVotes chooses the layout.
func planVotes[A real](e *ensemble) votes[A] {
	c := census{e: e, direct: true, single: true, dense: true, seen: make([]int, len(e.nodes)), always: make([]bool, e.targets),
		voted: make([]int, e.targets), leafOf: make([]int, e.targets)}
	for i, r := range e.roots {
		c.tree(i+1, r)
	}
	adds := e.agg == sum || e.agg == average
	v := votes[A]{layout: sparse, always: c.always, targets: e.targets, drop: adds, target: c.target, one: c.one()}
	switch {
	case adds && c.direct:
		v.layout = direct
	case adds && c.dense && c.single:
		v.layout = lone
	case adds && c.dense && e.targets*c.leaves <= densePenalty*c.leaves+4*c.nonzero:
		v.layout = dense
	}
	return v
}

// census looks through the leaves of all trees.
type census struct {
	e      *ensemble
	seen   []int   // the last tree in which a node was visited
	target []int32 // of each tree, -1 for none or several
	always []bool

	direct, dense, single bool // single: no leaf has two votes other than 0
	leaves, nonzero       int

	voted  []int // leaves of this tree that vote for a target
	leafOf []int // the last leaf that did, plus 1
	stack  []int
}

func (c *census) tree(stamp, root int) {
	leaves, target := 0, int32(-1)
	var touched []int32
	c.stack = append(c.stack[:0], root)
	for len(c.stack) > 0 {
		i := c.stack[len(c.stack)-1]
		c.stack = c.stack[:len(c.stack)-1]
		if c.seen[i] == stamp {
			continue
		}
		c.seen[i] = stamp
		n := &c.e.nodes[i]
		if n.mode != leaf {
			c.stack = append(c.stack, n.yes, n.no)
			continue
		}
		leaves++
		c.leaves++
		c.leaf(i, n, &touched)
		if len(n.votes) != 1 || leaves > 1 && n.votes[0].target != target {
			c.direct = false
		} else {
			target = n.votes[0].target
		}
	}
	for _, t := range touched {
		c.always[t] = c.always[t] || c.voted[t] == leaves
		c.voted[t] = 0
	}
	c.target = append(c.target, target)
}

func (c *census) leaf(i int, n *node, touched *[]int32) {
	c.dense = c.dense && len(n.votes) == c.e.targets
	nonzero := 0
	for k, v := range n.votes {
		c.dense = c.dense && int(v.target) == k
		if v.weight != 0 {
			nonzero++
		}
		if c.leafOf[v.target] == i+1 {
			continue
		}
		c.leafOf[v.target] = i + 1
		if c.voted[v.target]++; c.voted[v.target] == 1 {
			*touched = append(*touched, v.target)
		}
	}
	c.nonzero += nonzero
	c.single = c.single && nonzero < 2
}

// one is the target of all trees, -1 when there are several.
func (c *census) one() int {
	for _, t := range c.target {
		if t != c.target[0] {
			return -1
		}
	}
	return int(c.target[0])
}

// add takes over a leaf's votes and gives its payload.
func (v *votes[A]) add(n *node) uint64 {
	switch v.layout {
	case direct:
		return payload(A(n.votes[0].weight))
	case dense:
		at := len(v.weights) / v.targets
		for _, w := range n.votes {
			v.weights = append(v.weights, A(w.weight))
		}
		return uint64(at) << payloadShift[A]()
	case lone:
		w := n.votes[0]
		for _, other := range n.votes[1:] {
			if other.weight != 0 {
				w = other
			}
		}
		v.list = append(v.list, weighted[A]{w.target, A(w.weight)})
		return uint64(len(v.list)-1) << payloadShift[A]()
	}
	if v.starts == nil {
		v.starts = append(v.starts, 0)
	}
	for _, w := range n.votes {
		if !v.drop || w.weight != 0 || !v.always[w.target] {
			v.list = append(v.list, weighted[A]{w.target, A(w.weight)})
		}
	}
	v.starts = append(v.starts, int32(len(v.list)))
	return uint64(len(v.starts)-2) << payloadShift[A]()
}

// payload is a leaf's weight in its word, weights takes eight out again.
func payload[A real](x A) uint64 {
	switch v := any(x).(type) {
	case float32:
		return uint64(math.Float32bits(v)) << 32
	case float64:
		return math.Float64bits(v)
	}
	return 0
}

func weights[A real](dst *[lanes]A, words *[lanes]uint64) {
	switch d := any(dst).(type) {
	case *[lanes]float32:
		for i, w := range words {
			d[i] = math.Float32frombits(uint32(w >> 32))
		}
	case *[lanes]float64:
		for i, w := range words {
			d[i] = math.Float64frombits(w)
		}
	}
}

// tally holds a row's sums, or minimums or maximums, and for which targets
// there were votes.
type tally[A real] struct {
	score []A
	has   []bool
}

// addTrees adds the leaves that a row reached in n trees from first on.
func (f *forest[A]) addTrees(t tally[A], first, n int, words *[lanes]uint64) {
	switch f.votes.layout {
	case direct:
		f.addDirect(t.score, first, n, words)
	case lone:
		for _, w := range words[:n] {
			v := f.votes.list[w>>payloadShift[A]()]
			t.score[v.target] += v.weight
		}
	case dense:
		f.addDense(t.score, n, words)
	default:
		for _, w := range words[:n] {
			f.addLeaf(t, w)
		}
	}
}

func (f *forest[A]) addDirect(score []A, first, n int, words *[lanes]uint64) {
	var w [lanes]A
	weights(&w, words)
	if one := f.votes.one; one >= 0 {
		s := score[one]
		for _, v := range w[:n] {
			s += v
		}
		score[one] = s
		return
	}
	for i, target := range f.votes.target[first : first+n] {
		score[target] += w[i]
	}
}

// addDense adds eight leaves to a target before it turns to the next, so that
// sums stay in registers.
func (f *forest[A]) addDense(score []A, n int, words *[lanes]uint64) {
	if n < lanes {
		for _, w := range words[:n] {
			for i, v := range f.denseRow(w, len(score)) {
				score[i] += v
			}
		}
		return
	}
	a, b := f.denseRow(words[0], len(score)), f.denseRow(words[1], len(score))
	c, d := f.denseRow(words[2], len(score)), f.denseRow(words[3], len(score))
	for i, s := range score {
		score[i] = s + a[i] + b[i] + c[i] + d[i]
	}
	a, b = f.denseRow(words[4], len(score)), f.denseRow(words[5], len(score))
	c, d = f.denseRow(words[6], len(score)), f.denseRow(words[7], len(score))
	for i, s := range score {
		score[i] = s + a[i] + b[i] + c[i] + d[i]
	}
}

// denseRow is the weights of a leaf for all targets.
func (f *forest[A]) denseRow(word uint64, targets int) []A {
	l := int(word >> payloadShift[A]())
	return f.votes.weights[l*targets:][:targets]
}

// row is the i-th of tallies that follow each other.
func (t tally[A]) row(i, targets int) tally[A] {
	return tally[A]{t.score[i*targets : (i+1)*targets], t.has[i*targets : (i+1)*targets]}
}

// addLeaf adds the votes of a leaf in the sparse layout.
func (f *forest[A]) addLeaf(t tally[A], word uint64) {
	v := &f.votes
	l := int(word >> payloadShift[A]())
	for _, w := range v.list[v.starts[l]:v.starts[l+1]] {
		s := &t.score[w.target]
		switch {
		case f.agg == sum || f.agg == average:
			*s += w.weight
		case !t.has[w.target],
			f.agg == minimum && w.weight < *s,
			f.agg == maximum && w.weight > *s:
			*s = w.weight
		}
		t.has[w.target] = true
	}
}

// start clears the tallies of all rows.
func (f *forest[A]) start(t tally[A]) {
	clear(t.score)
	if f.agg == minimum || f.agg == maximum {
		clear(t.has)
		return
	}
	for i := 0; i < len(t.has); i += f.targets {
		copy(t.has[i:], f.votes.always)
	}
}
