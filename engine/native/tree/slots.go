package tree

import (
	"cmp"
	"math"
	"slices"
)

// Before its walks, a row is turned into keys: 64-bit numbers, one for each
// slot, made so that a node goes to its "no" child exactly when its word is
// less than the key in its slot. Thus one unsigned comparison serves every
// mode, and the treatment of NaN costs nothing:
//
//   - An ordering test's slot holds the feature's value under a map to unsigned
//     numbers that keeps the order; the node's word holds its threshold's.
//     A feature has two slots when NaN goes to "yes" in some of its nodes
//     and to "no" in others.
//   - An equality or membership test has a slot of its own that is evaluated
//     beforehand: always or never.
//   - Slot 0 is never, which keeps a walk on a leaf where it is.
const (
	never  uint64 = 0              // less than no word: go to "yes"
	always uint64 = math.MaxUint64 // more than any word: go to "no"
)

// real is the precision of thresholds and weights.
type real interface{ float32 | float64 }

// slot tells how a key is made.
type slot[A real] struct {
	feature int32
	nan     uint64 // the key for NaN
	inverse bool   // of an equality test: members go to "no"
	set     []A    // members of an equality or membership test, ascending; nil for an ordering test
}

// order maps a number other than NaN to a key of the same order, which is
// neither never nor always. Single precision uses the upper 32 bits. Both
// zeros map to the same key.
func order[A real](x A) uint64 {
	if x == 0 {
		x = 0
	}
	switch v := any(x).(type) {
	case float32:
		return uint64(order32(v)) << 32
	case float64:
		b := math.Float64bits(v)
		return b ^ (uint64(int64(b)>>63) | 1<<63)
	}
	return never
}

func order32(v float32) uint32 {
	b := math.Float32bits(v)
	return b ^ (uint32(int32(b)>>31) | 1<<31)
}

// payloadShift is where the content of a word starts: single precision uses
// the upper half.
func payloadShift[A real]() int {
	var x A
	if _, single := any(x).(float32); single {
		return 32
	}
	return 0
}

// keys writes the keys of one row.
func (f *forest[A]) keys(dst []uint64, row []A) {
	dst[0] = never
	dst = dst[1:]
	for i := range f.ordering {
		s := &f.ordering[i]
		dst[i] = s.order(row[s.feature])
	}
	dst = dst[len(f.ordering):]
	for i := range f.sets {
		s := &f.sets[i]
		dst[i] = s.test(row[s.feature])
	}
}

// keysOf8 writes the keys of eight rows side by side.
func (f *forest[A]) keysOf8(dst [][lanes]uint64, x []A, columns int) {
	for lane := range lanes {
		row := x[lane*columns : (lane+1)*columns]
		dst[0][lane] = never
		for i := range f.ordering {
			s := &f.ordering[i]
			dst[1+i][lane] = s.order(row[s.feature])
		}
		rest := dst[1+len(f.ordering):]
		for i := range f.sets {
			s := &f.sets[i]
			rest[i][lane] = s.test(row[s.feature])
		}
	}
}

func (s *slot[A]) order(x A) uint64 {
	if x != x {
		return s.nan
	}
	return order(x)
}

func (s *slot[A]) test(x A) uint64 {
	if x != x {
		return s.nan
	}
	_, found := slices.BinarySearch(s.set, x)
	if found == s.inverse {
		return always
	}
	return never
}

// slotTable gives each kind of test its slot.
type slotTable[A real] struct {
	ordering []slot[A]
	sets     []slot[A]
	known    map[orderSlot]int32
	values   map[valueSlot[A]]int32
}

type orderSlot struct {
	feature int
	nan     uint64
}

type valueSlot[A real] struct {
	orderSlot
	inverse bool
	value   A
}

// test is a node in packed terms. A slot of at least setSlots is one of the
// sets, which are numbered behind the others once those are known.
type test struct {
	slot    int32
	key     uint64
	swapped bool // the children change sides
}

const setSlots = 1 << 30

// pack finds the slot and key of a node's test.
func (t *slotTable[A]) pack(n *node) test {
	v := A(n.value)
	nan := always
	if n.missingYes || n.mode == neq {
		nan = never
	}
	if v != v && n.mode < eq { // no number compares so with NaN
		return test{slot: t.order(n.feature, nan), key: 0}
	}
	switch n.mode {
	case leq:
		return test{slot: t.order(n.feature, nan), key: order(v)}
	case lt:
		return test{slot: t.order(n.feature, nan), key: order(v) - step[A]()}
	case gte: // the opposite of lt, but for NaN
		return test{slot: t.order(n.feature, ^nan), key: order(v) - step[A](), swapped: true}
	case gt:
		return test{slot: t.order(n.feature, ^nan), key: order(v), swapped: true}
	case eq, neq:
		return test{slot: t.value(n, nan, v), key: 1 << 32}
	}
	return test{slot: t.set(n, nan), key: 1 << 32}
}

// step is the least difference between the keys of two numbers: the key of x
// less a step stands for the largest number below x.
func step[A real]() uint64 { return 1 << payloadShift[A]() }

func (t *slotTable[A]) order(feature int, nan uint64) int32 {
	id := orderSlot{feature, nan}
	if at, ok := t.known[id]; ok {
		return at
	}
	t.ordering = append(t.ordering, slot[A]{feature: int32(feature), nan: nan})
	at := int32(len(t.ordering))
	t.known[id] = at
	return at
}

func (t *slotTable[A]) value(n *node, nan uint64, v A) int32 {
	id := valueSlot[A]{orderSlot{n.feature, nan}, n.mode == neq, v}
	if at, ok := t.values[id]; ok {
		return at
	}
	at := t.addSet(slot[A]{feature: int32(n.feature), nan: nan, inverse: n.mode == neq, set: []A{v}})
	t.values[id] = at
	return at
}

func (t *slotTable[A]) set(n *node, nan uint64) int32 {
	set := make([]A, 0, len(n.set))
	for _, v := range n.set {
		if v == v {
			set = append(set, A(v))
		}
	}
	slices.SortFunc(set, cmp.Compare[A])
	return t.addSet(slot[A]{feature: int32(n.feature), nan: nan, set: set})
}

func (t *slotTable[A]) addSet(s slot[A]) int32 {
	t.sets = append(t.sets, s)
	return setSlots + int32(len(t.sets)) - 1
}
