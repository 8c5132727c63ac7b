package tree

// blockRows bounds the rows whose keys and tallies are kept at a time, so
// that they stay in the nearest cache while tree after tree passes by.
const blockRows = 64

// rowsAtOnce is the size of the blocks: fewer when a row needs much memory.
func (f *forest[A]) rowsAtOnce() int {
	if f.slots() > 1<<12 || f.targets > 1<<12 {
		return lanes
	}
	return blockRows
}

// walker is what a run needs besides the forest; kept from run to run.
type walker[A real] struct {
	keys   []uint64 // of one row
	packed []uint64 // of a block's rows, eight side by side
	score  []A
	has    []bool
	// leaves are the words of the leaves that the rows of a block reached in
	// eight trees.
	leaves [lanes][blockRows]uint64
	column [lanes]uint64
	quick  quickRun
}

// grow makes room for blocks of up to n rows.
func (w *walker[A]) grow(f *forest[A], n int) {
	n = min(n, f.rowsAtOnce())
	if slots := f.slots(); len(w.keys) < slots {
		w.keys = make([]uint64, slots)
	}
	if need := n / lanes * lanes * f.slots(); len(w.packed) < need {
		w.packed = make([]uint64, need)
	}
	if need := n * f.targets; len(w.score) < need {
		w.score, w.has = make([]A, need), make([]bool, need)
	}
	if f.quick != nil {
		w.quick.grow(f.quick)
	}
}

// block goes through all trees for n rows of x, at most rowsAtOnce, and gives
// their tallies, which stand one after the other until the next call. By what
// means makes no difference to them.
func (f *forest[A]) block(w *walker[A], x []A, n, columns int) tally[A] {
	t := tally[A]{w.score[:n*f.targets], w.has[:n*f.targets]}
	f.start(t)
	first := f.quickRows(w, t, x, n, columns)
	if first == 0 && f.sweep == nil {
		first = n / lanes * lanes
		f.walkGroups(w, t, x, n/lanes, columns)
	}
	for i := first; i < n; i++ {
		f.oneRow(w, t.row(i, f.targets), x[i*columns:(i+1)*columns])
	}
	return t
}

// oneRow is for the rows that do not come in groups.
func (f *forest[A]) oneRow(w *walker[A], t tally[A], row []A) {
	if f.sweep != nil {
		f.sweepRow(w, t, row)
	} else {
		f.walkRow(w, t, row)
	}
}

// walkRow walks eight trees at a time for one row.
func (f *forest[A]) walkRow(w *walker[A], t tally[A], row []A) {
	f.keys(w.keys, 1, row)
	for first := 0; first < f.trees; first += lanes {
		roots := (*[lanes]int32)(f.roots[first:])
		if f.narrow != nil {
			walkTrees(&w.column, f.narrow, roots, w.keys)
		} else {
			walkTreesWide(&w.column, f.wide, roots, w.keys)
		}
		f.addTrees(t, first, min(lanes, f.trees-first), &w.column)
	}
}

// walkGroups walks eight rows at a time, through eight trees before it adds
// up what they gave.
func (f *forest[A]) walkGroups(w *walker[A], t tally[A], x []A, groups, columns int) {
	size := lanes * f.slots()
	for i := range groups * lanes {
		f.keys(w.packed[i/lanes*size+i%lanes:], lanes, x[i*columns:(i+1)*columns])
	}
	for first := 0; groups > 0 && first < f.trees; first += lanes {
		n := min(lanes, f.trees-first)
		for i, root := range f.roots[first : first+n] {
			f.walkTree(w, i, root, groups)
		}
		for row := range groups * lanes {
			for i := range w.column {
				w.column[i] = w.leaves[i][row]
			}
			f.addTrees(t.row(row, f.targets), first, n, &w.column)
		}
	}
}

// walkTree walks the i-th of eight trees for all groups of rows.
func (f *forest[A]) walkTree(w *walker[A], i int, root int32, groups int) {
	size := lanes * f.slots()
	for g := range groups {
		leaves := (*[lanes]uint64)(w.leaves[i][g*lanes:])
		keys := w.packed[g*size : (g+1)*size]
		if f.narrow != nil {
			walkRows(leaves, f.narrow, root, keys)
		} else {
			walkRowsWide(leaves, f.wide, root, keys)
		}
	}
}
