package tree

import (
	"cmp"
	"math"
	"slices"
)

// quick is a forest prepared for the vectorised QuickScorer (Lucchese et al.,
// SIGIR 2015 and 2016), which needs no walk: every leaf of a tree is a bit of a
// mask, and a test that sends a row to "no" clears the leaves below its "yes"
// child. When all tests have been seen, the lowest bit that is left is the leaf
// reached. The tests of one slot stand in the order of their keys, so a slot is
// done with the first that sends no row to "no".
//
// A vector holds the masks of as many rows as it has lanes. Trees of more than
// 32 leaves have several words of mask, and a test of theirs one ruling for each
// word in which it clears bits.
type quick struct {
	vectors vectors
	// rulings are those of slots 1, 2, …, each slot's closed by ones that no
	// key exceeds. starts has where they begin, in bytes.
	rulings []ruling
	starts  []int32
	words   []int32  // of mask, for each tree
	total   int      // the sum of words
	leaves  []uint32 // the payloads of all leaves, 32 for each word
	nan     []int32  // by slot
	minRows int      // fewer are faster walked
	// targets are the trees' when the layout is direct, as offsets in bytes into
	// a run's sums, of which there are sums vectors.
	targets []int32
	sums    int
}

// ruling says which leaves are left, of those in the word of mask at the offset
// at (in bytes), to rows whose key exceeds key. The assembly knows this layout.
type ruling struct {
	key  int32
	at   uint32
	keep uint32
}

const (
	rulingSize = 12
	wordLeaves = 32
	// closings is how many rulings close a slot: the assembly looks at that many
	// at a time.
	closings = 2
)

// signed is the upper half of a key or word, moved into the range of signed
// numbers, which vectors compare.
func signed(key uint64) int32 { return int32(uint32(key>>32) ^ 1<<31) }

// planQuick prepares a packed forest, whose nodes are given before they are
// narrowed, for v. It gives nil when walking is the faster way.
func planQuick[A real](f *forest[A], nodes []wide, v vectors) *quick {
	if v == none || payloadShift[A]() == 0 || f.targets > maxQuickTargets {
		return nil
	}
	p := quickPlan{nodes: nodes, bySlot: make([][]ruling, f.slots()), q: &quick{vectors: v}}
	if !p.worthwhile(f.roots, f.trees) {
		return nil
	}
	for _, r := range f.roots[:f.trees] {
		p.tree(r)
	}
	p.close()
	p.q.minRows = 1 + 2*p.q.total/f.trees
	for _, key := range f.nan {
		p.q.nan = append(p.q.nan, signed(key))
	}
	if f.votes.layout == direct {
		p.sums(f.targets, f.votes.one >= 0, f.votes.target)
	}
	return p.q
}

type quickPlan struct {
	nodes  []wide
	bySlot [][]ruling
	q      *quick
}

// Every test is looked at for every vector of rows, whereas a walk sees one on
// each level: measured on complete trees, walks catch up at 64 leaves a tree
// with 8 lanes and at 128 with 16.
const (
	lanesPerWord = 4 // at least, on average
	maxTreeWords = 8
	// The memory that every context has.
	maxTotalWords   = 1 << 14
	maxQuickTargets = 1 << 12
)

// worthwhile looks at the sizes of the trees, which stand one after the other,
// and sets total.
func (p *quickPlan) worthwhile(roots []int32, trees int) bool {
	for i, r := range roots[:trees] {
		end := len(p.nodes)
		if i+1 < len(roots) {
			end = int(roots[i+1])
		}
		leaves := (end - int(r) + 1) / 2
		words := (leaves + wordLeaves - 1) / wordLeaves
		if words > maxTreeWords {
			return false
		}
		p.q.total += words
	}
	return p.q.total*lanesPerWord <= trees*p.q.vectors.lanes() && p.q.total <= maxTotalWords
}

// tree adds the rulings and leaves of a tree.
func (p *quickPlan) tree(root int32) {
	first := len(p.q.leaves)
	p.below(int(root))
	words := (len(p.q.leaves) - first + wordLeaves - 1) / wordLeaves
	for len(p.q.leaves) < first+words*wordLeaves {
		p.q.leaves = append(p.q.leaves, 0)
	}
	p.q.words = append(p.q.words, int32(words))
}

// below adds the rulings and leaves below a node. Leaves are numbered through
// all trees, each tree's from the start of a word.
func (p *quickPlan) below(at int) {
	n := p.nodes[at]
	if n.distance == 0 {
		p.q.leaves = append(p.q.leaves, uint32(n.key>>32))
		return
	}
	yes := at + int(n.distance)
	from := len(p.q.leaves)
	p.below(yes)
	p.clear(n, from, len(p.q.leaves))
	p.below(yes + 1)
}

// clear adds the rulings of a test whose "yes" side has leaves from … to-1.
func (p *quickPlan) clear(n wide, from, to int) {
	for word := from / wordLeaves; word*wordLeaves < to; word++ {
		low, high := max(from-word*wordLeaves, 0), min(to-word*wordLeaves, wordLeaves)
		gone := uint32((uint64(1)<<high - 1) &^ (uint64(1)<<low - 1))
		at := uint32(word * p.q.vectors.lanes() * 4)
		p.bySlot[n.slot] = append(p.bySlot[n.slot], ruling{signed(n.key), at, ^gone})
	}
}

// close puts the rulings of all slots in one list.
func (p *quickPlan) close() {
	for _, list := range p.bySlot[1:] {
		slices.SortStableFunc(list, func(a, b ruling) int { return cmp.Compare(a.key, b.key) })
		p.q.starts = append(p.q.starts, int32(len(p.q.rulings)*rulingSize))
		p.q.rulings = append(p.q.rulings, list...)
		for range closings {
			p.q.rulings = append(p.q.rulings, ruling{key: math.MaxInt32, keep: math.MaxUint32})
		}
	}
}

// sums prepares for trees that vote for one target each, or one together.
func (p *quickPlan) sums(targets int, one bool, target []int32) {
	if p.q.sums = targets; one {
		p.q.sums = 1
	}
	for _, t := range target {
		p.q.targets = append(p.q.targets, t*int32(p.q.vectors.lanes()*4))
	}
}

// quickRun is what a run needs besides quick; kept from run to run.
type quickRun struct {
	keys   []int32 // of a vector of rows, by slot but the first
	bits   []uint32
	leaves []uint32 // the payloads reached, by tree
	sums   []float32
}

// grow makes room for the vectors of one block.
func (r *quickRun) grow(q *quick) {
	lanes := q.vectors.lanes()
	if need := len(q.starts) * lanes; len(r.keys) < need {
		r.keys = make([]int32, need)
	}
	if need := q.total * lanes; len(r.bits) < need {
		r.bits = make([]uint32, need)
	}
	if need := len(q.words) * lanes; len(r.leaves) < need {
		r.leaves = make([]uint32, need)
	}
	if need := q.sums * lanes; len(r.sums) < need {
		r.sums = make([]float32, need)
	}
}

// maxQuickColumns keeps the position of a lane's row within 32 bits.
const maxQuickColumns = math.MaxInt32 / maxVectorLanes

// quickRows adds the leaves of rows to their tallies, a vector of rows at a
// time, and tells of how many of the n rows: a few at the end may be left.
// Missing rows of a vector repeat the last.
func (f *forest[A]) quickRows(w *walker[A], t tally[A], x []A, n, columns int) int {
	q, r := f.quick, &w.quick
	if q == nil || columns > maxQuickColumns {
		return 0
	}
	first, step := 0, q.vectors.lanes()
	for n-first >= q.minRows {
		size := min(step, n-first)
		f.quickKeys(w, x[first*columns:], size, columns)
		q.vectors.mask(r.bits[:q.total*step], r.keys, q.starts, q.rulings)
		q.vectors.find(r.leaves, r.bits, q.words, q.leaves)
		f.quickAdd(w, t, first, size)
		first += size
	}
	return first
}

// quickKeys fills the keys of a vector of rows.
func (f *forest[A]) quickKeys(w *walker[A], x []A, n, columns int) {
	var at [maxVectorLanes]int32
	for i := range at {
		at[i] = int32(min(i, n-1) * columns)
	}
	f.quick.vectors.read(w.quick.keys, any(x).([]float32), &at, f.features[1:], f.quick.nan[1:])
	step := f.quick.vectors.lanes()
	for i := range f.sets {
		s := &f.sets[i]
		keys := w.quick.keys[(len(f.features)-1+i)*step:][:step]
		for lane := range keys {
			keys[lane] = signed(s.test(x[int(at[lane])+int(s.feature)]))
		}
	}
}

// quickAdd adds the leaves of a vector of rows to the tallies of rows first,
// first+1, …
func (f *forest[A]) quickAdd(w *walker[A], t tally[A], first, n int) {
	step := f.quick.vectors.lanes()
	if f.votes.layout != direct {
		f.quickAddTrees(w, t, first, n)
		return
	}
	sums := w.quick.sums[:f.quick.sums*step]
	if one := f.votes.one; one >= 0 {
		f.quick.vectors.sum(sums, w.quick.leaves[:f.trees*step])
		for i, v := range sums[:n] {
			t.score[(first+i)*f.targets+one] = A(v)
		}
		return
	}
	clear(sums)
	f.quick.vectors.sumEach(sums, w.quick.leaves, f.quick.targets)
	for i := range n {
		for target := range f.targets {
			t.score[(first+i)*f.targets+target] = A(sums[target*step+i])
		}
	}
}

// quickAddTrees adds leaves whose votes are looked up.
func (f *forest[A]) quickAddTrees(w *walker[A], t tally[A], first, n int) {
	step := f.quick.vectors.lanes()
	for tree := 0; tree < f.trees; tree += lanes {
		trees := min(lanes, f.trees-tree)
		for row := range n {
			for i := range trees {
				w.column[i] = uint64(w.quick.leaves[(tree+i)*step+row]) << 32
			}
			f.addTrees(t.row(first+row, f.targets), tree, trees, &w.column)
		}
	}
}
