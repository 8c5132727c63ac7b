package tree

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/greenlight-dev/greenlight/tensor"
	"pgregory.net/rapid"
)

type fataler interface{ Fatalf(string, ...any) }

// compareQuick compares a forest's tallies with those of the walks, bit by bit,
// for every set of vector instructions and number of rows up to n. It tells
// whether there was something to compare.
func compareQuick(t fataler, f *forest[float32], x []float32, n, columns int) bool {
	nodes := f.wide
	if f.narrow != nil {
		nodes = widened(f.narrow)
	}
	f.quick, f.sweep = nil, nil
	var walked walker[float32]
	walked.grow(f, n)
	want := f.block(&walked, x, n, columns)
	compared := false
	for _, v := range available() {
		if f.quick, f.sweep = planQuick(f, nodes, v), nil; f.quick == nil {
			continue
		}
		compared = true
		f.quick.minRows = 1
		compareBlocks(t, f, x, n, columns, want)
		if f.sweep = planSweep(f, f.quick); f.sweep != nil {
			f.quick.minRows = n + 1
			compareBlocks(t, f, x, n, columns, want)
		}
	}
	return compared
}

func compareBlocks(t fataler, f *forest[float32], x []float32, n, columns int, want tally[float32]) {
	for rows := 1; rows <= n; rows++ {
		var w walker[float32]
		w.grow(f, rows)
		got := f.block(&w, x[:rows*columns], rows, columns)
		if !sameBits(got.score, want.score[:rows*f.targets]) || !slices.Equal(got.has, want.has[:rows*f.targets]) {
			t.Fatalf("vectors %d, sweep %v, %d rows: got %v %v, want %v %v",
				f.quick.vectors, f.sweep != nil, rows, got.score, got.has, want.score, want.has)
		}
	}
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

// chain is a tree of n leaves, each a level below the one before it.
func chain(r *rand.Rand, e *ensemble, m mode, n int) {
	root := len(e.nodes)
	e.roots = append(e.roots, root)
	for i := range n {
		at := len(e.nodes)
		if i < n-1 {
			inner := node{mode: m, feature: r.IntN(5), value: pickValue(r), missingYes: r.IntN(2) == 0, yes: at + 1, no: at + 2}
			if r.IntN(2) == 0 {
				inner.yes, inner.no = inner.no, inner.yes
			}
			e.nodes = append(e.nodes, inner)
		}
		e.nodes = append(e.nodes, node{mode: leaf, votes: []vote{{0, float64(float32(r.NormFloat64()))}}})
	}
}

func TestQuickGivesTheBitsOfTheWalks(t *testing.T) {
	const n, columns = 35, 5
	r := rand.New(rand.NewPCG(7, 7))
	for _, leaves := range []int{1, 2, 31, 32, 33, 63, 64, 65, 96} {
		for _, m := range []mode{leq, lt, gte, gt, eq, neq} {
			e := &ensemble{targets: 1, agg: sum}
			for range 9 {
				chain(r, e, m, leaves)
				chain(r, e, leq, 3)
			}
			f, err := pack[float32](e)
			if err != nil {
				t.Fatal(err)
			}
			x := make([]float32, n*columns)
			for i := range x {
				x[i] = float32(pickValue(r))
			}
			if !compareQuick(t, f, x, n, columns) && len(available()) > 1 {
				t.Errorf("%d leaves: quick is not used", leaves)
			}
		}
	}
}

// Any ensemble that quick takes: few or many targets, every layout of votes,
// every mode.
func TestQuickOnAnyEnsemble(t *testing.T) {
	all := []mode{leq, lt, gte, gt, eq, neq, member}
	compared := 0
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 8))
		modes := all
		if only := rapid.IntRange(-1, len(all)-1).Draw(t, "mode"); only >= 0 {
			modes = all[only : only+1]
		}
		trees, depth := rapid.IntRange(1, 20).Draw(t, "trees"), rapid.IntRange(0, 9).Draw(t, "depth")
		e := randomEnsemble(r, modes, trees, depth, rapid.IntRange(1, 4).Draw(t, "targets"))
		e.agg = rapid.SampledFrom([]aggregate{average, sum, minimum, maximum}).Draw(t, "aggregate")
		if keep := rapid.IntRange(0, 3).Draw(t, "votes of a leaf"); keep > 0 {
			fillLeaves(r, e, keep)
		}
		if err := e.check(); err != nil {
			t.Fatal(err)
		}
		f, err := pack[float32](e)
		if err != nil {
			t.Fatal(err)
		}
		const n, columns = 19, 6
		x := make([]float32, n*columns)
		for i := range x {
			x[i] = float32(pickValue(r))
		}
		if compareQuick(t, f, x, n, columns) {
			compared++
		}
	})
	if compared == 0 && len(available()) > 1 {
		t.Error("quick was never used")
	}
}

// One target for each tree, in turn.
func TestQuickSumsSeveralTargets(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	e := &ensemble{targets: 3, agg: sum}
	for i := range 20 {
		start := len(e.nodes)
		chain(r, e, leq, 10)
		for j := start; j < len(e.nodes); j++ {
			if n := &e.nodes[j]; n.mode == leaf {
				n.votes[0].target = int32(i % 3)
			}
		}
	}
	f, err := pack[float32](e)
	if err != nil || f.votes.layout != direct || f.votes.one >= 0 {
		t.Fatalf("layout %v, one target %d, %v", f.votes.layout, f.votes.one, err)
	}
	x := make([]float32, 20*5)
	for i := range x {
		x[i] = float32(pickValue(r))
	}
	if !compareQuick(t, f, x, 20, 5) && len(available()) > 1 {
		t.Error("quick is not used")
	}
}

// Features in every place of the registers that a sweep keeps keys in.
func TestSweepOfManyFeatures(t *testing.T) {
	r := rand.New(rand.NewPCG(10, 10))
	for _, features := range []int{1, 31, 32, 33, 63, 64, 65} {
		e := randomEnsemble(r, []mode{leq}, 40, 5, 1)
		for i := range e.nodes {
			e.nodes[i].feature, e.nodes[i].missingYes = r.IntN(features), false
		}
		f, err := pack[float32](e)
		if err != nil {
			t.Fatal(err)
		}
		if all := available(); all[len(all)-1] == avx512 && (f.sweep != nil) != (features <= 64) {
			t.Errorf("%d features: sweep is %v", features, f.sweep != nil)
		}
		x := make([]float32, 20*features)
		for i := range x {
			x[i] = float32(pickValue(r))
		}
		compareQuick(t, f, x, 20, features)
	}
}

// A vector at the end of a block is left to the walks when it has few rows.
func TestRowsThatQuickLeaves(t *testing.T) {
	quick, walk := forestClassifier(t, 2, 4).(*classifier), forestClassifier(t, 2, 4).(*classifier)
	walk.single.quick, walk.single.sweep = nil, nil
	for _, n := range []int{1, 2, 17, 64, 65, 66, 67, 130, 200} {
		a, b := newContext(batch(n)), newContext(batch(n))
		if err := errors.Join(quick.Run(a), walk.Run(b)); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(tensor.Data[int64](a.Out[0].(*tensor.Tensor)), tensor.Data[int64](b.Out[0].(*tensor.Tensor))) ||
			!sameBits(tensor.Data[float32](a.Out[1].(*tensor.Tensor)), tensor.Data[float32](b.Out[1].(*tensor.Tensor))) {
			t.Errorf("%d rows: the results differ from those of walks", n)
		}
	}
}
