package tree

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// values that comparisons get wrong most easily.
var special = []float64{0, math.Copysign(0, -1), 1, -1, 0.5, math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32,
	math.MaxFloat32, -math.MaxFloat32, math.Inf(1), math.Inf(-1), math.NaN()}

func pickValue(r *rand.Rand) float64 {
	if r.IntN(3) == 0 {
		return special[r.IntN(len(special))]
	}
	return float64(float32(r.IntN(9)-4) / 2)
}

// grow appends a random tree over 5 features and gives its root.
func grow(r *rand.Rand, e *ensemble, modes []mode, depth int) int {
	at := len(e.nodes)
	e.nodes = append(e.nodes, node{})
	if depth == 0 || r.IntN(5) == 0 {
		n := node{mode: leaf}
		for t := range e.targets {
			if e.targets == 1 || r.IntN(3) > 0 {
				n.votes = append(n.votes, vote{int32(t), float64(float32(r.NormFloat64()))})
			}
		}
		e.nodes[at] = n
		return at
	}
	n := node{mode: modes[r.IntN(len(modes))], feature: r.IntN(5), value: pickValue(r), missingYes: r.IntN(3) == 0}
	if n.mode == member {
		n.set = []float64{-1, 0.5, 2}
	}
	n.yes = grow(r, e, modes, depth-1)
	n.no = grow(r, e, modes, depth-1)
	e.nodes[at] = n
	return at
}

func randomEnsemble(r *rand.Rand, modes []mode, trees, depth, targets int) *ensemble {
	e := &ensemble{targets: targets, agg: sum}
	for range trees {
		e.roots = append(e.roots, grow(r, e, modes, depth))
	}
	return e
}

// plainLeaf follows the definition of the modes.
func plainLeaf[A real](e *ensemble, at int, row []A) *node {
	for {
		n := &e.nodes[at]
		if n.mode == leaf {
			return n
		}
		x, v := row[n.feature], A(n.value)
		var yes bool
		switch n.mode {
		case leq:
			yes = x <= v
		case lt:
			yes = x < v
		case gte:
			yes = x >= v
		case gt:
			yes = x > v
		case eq:
			yes = x == v
		case neq:
			yes = x != v
		case member:
			yes = slices.Contains(n.set, float64(x))
		}
		if yes || x != x && n.missingYes {
			at = n.yes
		} else {
			at = n.no
		}
	}
}

// plain is the tally of one row, computed the obvious way.
func plain[A real](e *ensemble, row []A) ([]A, []bool) {
	score, has := make([]A, e.targets), make([]bool, e.targets)
	for _, root := range e.roots {
		for _, v := range plainLeaf(e, root, row).votes {
			w := A(v.weight)
			switch {
			case e.agg == sum || e.agg == average:
				score[v.target] += w
			case !has[v.target], e.agg == minimum && w < score[v.target], e.agg == maximum && w > score[v.target]:
				score[v.target] = w
			}
			has[v.target] = true
		}
	}
	return score, has
}

func compareWalks[A real](t *testing.T, r *rand.Rand, e *ensemble, wideNodes bool) {
	t.Helper()
	if err := e.check(); err != nil {
		t.Fatal(err)
	}
	f, err := pack[A](e)
	if err != nil {
		t.Fatal(err)
	}
	if wideNodes && f.narrow != nil {
		f.wide = widened(f.narrow)
		f.narrow = nil
	}
	const n, columns = 21, 5 // two groups of eight and some more
	x := make([]A, n*columns)
	for i := range x {
		x[i] = A(pickValue(r))
	}
	compareWithPlain(t, e, f, x, n, columns)
	f.quick, f.sweep = nil, nil
	compareWithPlain(t, e, f, x, n, columns)
}

func compareWithPlain[A real](t *testing.T, e *ensemble, f *forest[A], x []A, n, columns int) {
	t.Helper()
	var w walker[A]
	w.grow(f, n)
	got := f.block(&w, x, n, columns)
	for i := range n {
		score, has := plain(e, x[i*columns:(i+1)*columns])
		row := got.row(i, e.targets)
		if !slices.Equal(row.score, score) || !slices.Equal(row.has, has) {
			t.Fatalf("row %v: got %v %v, want %v %v", x[i*columns:(i+1)*columns], row.score, row.has, score, has)
		}
	}
}

func widened(narrow []uint64) []wide {
	out := make([]wide, len(narrow))
	for i, w := range narrow {
		out[i] = wide{key: w &^ math.MaxUint32, slot: uint32(uint16(w)), distance: uint32(uint16(w >> 16))}
	}
	return out
}

func TestWalksFollowTheDefinition(t *testing.T) {
	modes := map[string][]mode{
		"leq": {leq}, "lt": {lt}, "gte": {gte}, "gt": {gt}, "eq": {eq}, "neq": {neq}, "member": {member},
		"all": {leq, lt, gte, gt, eq, neq, member},
	}
	for name, set := range modes {
		for _, targets := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s/%d", name, targets), func(t *testing.T) {
				r := rand.New(rand.NewPCG(1, uint64(targets)))
				for _, trees := range []int{1, 7, 8, 19} {
					for range 20 {
						e := randomEnsemble(r, set, trees, 6, targets)
						compareWalks[float32](t, r, e, false)
						compareWalks[float32](t, r, e, true)
						compareWalks[float64](t, r, e, false)
					}
				}
			})
		}
	}
}

func TestAggregates(t *testing.T) {
	for _, agg := range []aggregate{average, sum, minimum, maximum} {
		r := rand.New(rand.NewPCG(2, uint64(agg)))
		for range 50 {
			e := randomEnsemble(r, []mode{leq, gt}, 11, 4, 3)
			e.agg = agg
			compareWalks[float32](t, r, e, false)
			compareWalks[float64](t, r, e, false)
		}
	}
}

// leaves gives every leaf votes for all targets; of zeros but for keep of them.
func fillLeaves(r *rand.Rand, e *ensemble, keep int) {
	for i := range e.nodes {
		n := &e.nodes[i]
		if n.mode != leaf {
			continue
		}
		n.votes = nil
		for t := range e.targets {
			n.votes = append(n.votes, vote{target: int32(t)})
		}
		for range keep {
			n.votes[r.IntN(e.targets)].weight = float64(r.Float32())
		}
	}
}

func TestLayouts(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for _, c := range []struct {
		targets, keep int
		want          layout
	}{{1, 1, direct}, {6, 6, dense}, {6, 1, lone}, {200, 3, sparse}} {
		e := randomEnsemble(r, []mode{leq}, 19, 5, c.targets)
		fillLeaves(r, e, c.keep)
		f, err := pack[float32](e)
		if err != nil {
			t.Fatal(err)
		}
		if f.votes.layout != c.want {
			t.Errorf("%d of %d targets: layout %d, want %d", c.keep, c.targets, f.votes.layout, c.want)
		}
		compareWalks[float32](t, r, e, false)
		compareWalks[float64](t, r, e, false)
	}
}

// One target for each tree, in turn, as gradient boosting has for classes.
func TestTreesOfOneTargetEach(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	e := randomEnsemble(r, []mode{leq}, 0, 0, 3)
	for i := range 20 {
		start := len(e.nodes)
		e.roots = append(e.roots, grow(r, e, []mode{lt}, 4))
		for j := start; j < len(e.nodes); j++ {
			if n := &e.nodes[j]; n.mode == leaf {
				n.votes = []vote{{int32(i % 3), float64(r.Float32())}}
			}
		}
	}
	f, err := pack[float32](e)
	if err != nil || f.votes.layout != direct || f.votes.one >= 0 {
		t.Fatalf("layout %v, one target %d, %v", f.votes.layout, f.votes.one, err)
	}
	compareWalks[float32](t, r, e, false)
}

func TestLargeTreesUseWideNodes(t *testing.T) {
	e := &ensemble{targets: 1, agg: sum}
	// A chain of 40,000 nodes, one leaf each, twice as many places.
	const n = 40000
	for i := range n {
		e.nodes = append(e.nodes, node{mode: leq, value: float64(i), yes: n + i, no: i + 1})
	}
	e.nodes[n-1].no = n
	for i := range n {
		e.nodes = append(e.nodes, node{mode: leaf, votes: []vote{{0, float64(i)}}})
	}
	e.roots = []int{0}
	if err := e.check(); err != nil {
		t.Fatal(err)
	}
	f, err := pack[float32](e)
	if err != nil {
		t.Fatal(err)
	}
	var w walker[float32]
	w.grow(f, 1)
	if got := f.block(&w, []float32{31234.5}, 1, 1).score[0]; got != 31235 {
		t.Errorf("got leaf %v, want 31235", got)
	}
	// A complete tree whose last level lies further than 16 bits away.
	e = &ensemble{targets: 1, agg: sum, roots: []int{0}}
	const depth = 17
	for i := range 1<<(depth+1) - 1 {
		if i < 1<<depth-1 {
			e.nodes = append(e.nodes, node{mode: leq, value: 0, feature: bitsOf(i+1) - 1, yes: 2*i + 1, no: 2*i + 2})
		} else {
			e.nodes = append(e.nodes, node{mode: leaf, votes: []vote{{0, float64(i - (1<<depth - 1))}}})
		}
	}
	if err := e.check(); err != nil {
		t.Fatal(err)
	}
	if f, err = pack[float32](e); err != nil || f.narrow != nil {
		t.Fatalf("narrow nodes for a tree of %d: %v", len(e.nodes), err)
	}
	row := make([]float32, depth)
	row[0], row[depth-1] = 1, 1
	w = walker[float32]{}
	w.grow(f, 1)
	if got := f.block(&w, row, 1, depth).score[0]; got != 1<<(depth-1)+1 {
		t.Errorf("got leaf %v, want %d", got, 1<<(depth-1)+1)
	}
}

func bitsOf(i int) int {
	n := 0
	for ; i > 0; i >>= 1 {
		n++
	}
	return n
}
