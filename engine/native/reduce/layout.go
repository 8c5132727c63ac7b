package reduce

import "github.com/greenlight-dev/greenlight/engine/native/op"

// layout is a reduction of a row-major array, with dimensions merged so that
// kept and reduced ones alternate. The last kept and the last reduced one
// form a block that is walked by a plain double loop; outer are those before.
// Its slices are reused from run to run.
type layout struct {
	shape []int // of the result
	size  int   // elements of the result
	count int   // elements that each result is made of

	outer []int // dimensions before the block
	step  []int // how far each moves in the result: 0 along reduced ones
	index []int // position in outer
	blocks,
	kept, reduced int // extents of the block
	lastReduced bool // the block is kept×reduced, not reduced×kept

	mask   []bool // by dimension of the input: whether it is reduced
	groups []group
}

type group struct {
	n       int
	reduced bool
}

// set plans the reduction of shape over axes. No axes means all of them, or
// none at all when noop is set.
func (l *layout) set(shape, axes []int, keepDims, noop bool) error {
	if err := l.setMask(len(shape), axes, noop); err != nil {
		return err
	}
	l.shape, l.groups = l.shape[:0], l.groups[:0]
	l.size, l.count = 1, 1
	for i, d := range shape {
		l.addDim(d, l.mask[i], keepDims)
	}
	l.takeBlock()
	l.takeOuter()
	return nil
}

func (l *layout) setMask(rank int, axes []int, noop bool) error {
	l.mask = l.mask[:0]
	for range rank {
		l.mask = append(l.mask, len(axes) == 0 && !noop)
	}
	for _, a := range axes {
		axis, err := op.Axis(a, rank)
		if err != nil {
			return err
		}
		if l.mask[axis] {
			return op.Errorf("axis %d is listed twice", a)
		}
		l.mask[axis] = true
	}
	return nil
}

func (l *layout) addDim(d int, reduced, keepDims bool) {
	switch {
	case !reduced:
		l.shape = append(l.shape, d)
		l.size *= d
	case keepDims:
		l.shape = append(l.shape, 1)
		fallthrough
	default:
		l.count *= d
	}
	if last := len(l.groups) - 1; last >= 0 && l.groups[last].reduced == reduced {
		l.groups[last].n *= d
	} else if d != 1 {
		l.groups = append(l.groups, group{d, reduced})
	}
}

// takeBlock takes the last kept and the last reduced group, if any, off groups.
func (l *layout) takeBlock() {
	l.kept, l.reduced, l.lastReduced = 1, 1, true
	for i := range 2 {
		last := len(l.groups) - 1
		if last < 0 {
			return
		}
		g := l.groups[last]
		if i == 0 {
			l.lastReduced = g.reduced
		}
		if g.reduced {
			l.reduced = g.n
		} else {
			l.kept = g.n
		}
		l.groups = l.groups[:last]
	}
}

func (l *layout) takeOuter() {
	l.outer, l.step, l.index = l.outer[:0], l.step[:0], l.index[:0]
	l.blocks = 1
	below := l.size
	for _, g := range l.groups {
		step := 0
		if !g.reduced && g.n > 0 {
			below /= g.n
			step = below
		}
		l.outer = append(l.outer, g.n)
		l.step = append(l.step, step)
		l.index = append(l.index, 0)
		l.blocks *= g.n
	}
}

// next moves from the block that starts at result element at to the next one,
// and gives where that starts.
func (l *layout) next(at int) int {
	for i := len(l.index) - 1; i >= 0; i-- {
		l.index[i]++
		at += l.step[i]
		if l.index[i] < l.outer[i] {
			return at
		}
		at -= l.step[i] * l.outer[i]
		l.index[i] = 0
	}
	return at
}

// place is where in its block's results element j of a block belongs.
func (l *layout) place(j int) int {
	if l.lastReduced {
		return j / l.reduced
	}
	return j % l.kept
}

// along splits a shape at one axis: outer×n×inner elements.
func along(shape []int, axis int) (outer, n, inner int) {
	return op.Product(shape[:axis]), shape[axis], op.Product(shape[axis+1:])
}
