package tree

import "math"

// sweep is a forest prepared for one row: QuickScorer's masks with sixteen trees
// in a vector instead of rows. It looks at all tests of all trees, the k-th of
// sixteen trees at once. That beats walks when trees are small and the keys of
// all slots fit in two registers, or four, from which permutations pick each
// tree's.
type sweep struct {
	features, nan []int32 // of slots 1, 2, …; the last is repeated to fill the registers
	words         []sweepWord
	tests         []sweepTest
}

const (
	sweepTrees = 16 // in a vector
	sweepSlots = 32 // in two registers
	// sweepTreeWords bounds the trees, sweepMinTrees from below their number.
	sweepTreeWords = 2
	sweepMinTrees  = 8
	// minRowsAgainstSweep is where quick takes over: as fast as that many rows
	// one by one.
	minRowsAgainstSweep = 7
)

// sweepWord is a word of mask of each of sixteen trees. Those of the same trees
// stand together, from the trees' last words to their first. The assembly knows
// this layout and that of sweepTest.
type sweepWord struct {
	leaves [sweepTrees]int32 // the number of each tree's first leaf
	tests  int32             // how many there are, at least 1
	first  int32             // 1 for the trees' first words
}

// sweepTest is like a ruling in each of sixteen trees, made where there is
// nothing left to test of a key that no other exceeds.
type sweepTest struct {
	keys [sweepTrees]int32
	keep [sweepTrees]uint32
	slot [sweepTrees]uint8 // less 1
}

// planSweep prepares a forest for which quick has been planned; nil when walks
// are faster or the processor lacks the instructions.
func planSweep[A real](f *forest[A], q *quick) *sweep {
	slots := len(f.features) - 1
	if q == nil || q.vectors != avx512 || len(f.sets) > 0 || slots < 1 || slots > 2*sweepSlots || f.trees < sweepMinTrees {
		return nil
	}
	s := &sweep{}
	for i := range (slots + sweepSlots - 1) / sweepSlots * sweepSlots {
		slot := min(i+1, slots)
		s.features, s.nan = append(s.features, f.features[slot]), append(s.nan, q.nan[slot])
	}
	byWord := q.testsByWord()
	for tree, word := 0, 0; tree < f.trees; tree += sweepTrees {
		words := q.words[tree:min(tree+sweepTrees, f.trees)]
		if !s.group(words, word, byWord) {
			return nil
		}
		for _, n := range words {
			word += int(n)
		}
	}
	return s
}

// wordTest is a ruling and its slot.
type wordTest struct {
	ruling
	slot int
}

// testsByWord sorts the rulings by the words of mask that they are for.
func (q *quick) testsByWord() [][]wordTest {
	out := make([][]wordTest, q.total)
	for i, start := range q.starts {
		for _, r := range q.rulings[start/rulingSize:] {
			if r.key == math.MaxInt32 {
				break
			}
			word := int(r.at) / (4 * q.vectors.lanes())
			out[word] = append(out[word], wordTest{r, i})
		}
	}
	return out
}

// group adds trees with these numbers of words, of which the first is number
// word. It fails when a tree is too large.
func (s *sweep) group(words []int32, word int, byWord [][]wordTest) bool {
	most := int32(0)
	for _, n := range words {
		most = max(most, n)
	}
	for k := most - 1; k >= 0; k-- {
		w := sweepWord{tests: 1}
		if k == 0 {
			w.first = 1
		}
		var lists [sweepTrees][]wordTest
		at := word
		for lane, n := range words {
			if k < n {
				lists[lane] = byWord[at+int(k)]
				w.leaves[lane] = int32(at+int(k)) * wordLeaves
				w.tests = max(w.tests, int32(len(lists[lane])))
			}
			at += int(n)
		}
		s.words = append(s.words, w)
		s.column(&lists, int(w.tests))
	}
	return most <= sweepTreeWords
}

// column adds the tests of a word of mask of each of sixteen trees.
func (s *sweep) column(lists *[sweepTrees][]wordTest, n int) {
	for i := range n {
		var t sweepTest
		for lane, list := range lists {
			if i < len(list) {
				t.keys[lane], t.keep[lane], t.slot[lane] = list[i].key, list[i].keep, uint8(list[i].slot)
			} else {
				t.keys[lane] = math.MaxInt32
			}
		}
		s.tests = append(s.tests, t)
	}
}

// sweepRow adds the leaves of one row to its tally.
func (f *forest[A]) sweepRow(w *walker[A], t tally[A], row []A) {
	leaves := w.quick.leaves
	f.sweep.run(leaves, any(row).([]float32), f.quick.leaves)
	leaves = leaves[:f.trees]
	if one := f.votes.one; f.votes.layout == direct && one >= 0 {
		s := float32(t.score[one])
		for _, l := range leaves {
			s += math.Float32frombits(l)
		}
		t.score[one] = A(s)
		return
	}
	for tree := 0; tree < f.trees; tree += lanes {
		some := leaves[tree:min(tree+lanes, f.trees)]
		for i, l := range some {
			w.column[i] = uint64(l) << 32
		}
		f.addTrees(t, tree, len(some), &w.column)
	}
}
