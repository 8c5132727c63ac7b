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

// set is the slot of an equality or membership test.
type set[A real] struct {
	feature int32
	nan     uint64 // the key for NaN
	inverse bool   // members go to "no"
	members []A    // ascending
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
		return uint64(order32(math.Float32bits(v))) << 32
	case float64:
		return order64(math.Float64bits(v))
	}
	return never
}

// order32 and order64 turn the bits of a number into one of the same order:
// those of a negative number are inverted, others get the highest bit.
func order32(b uint32) uint32 { return b ^ (uint32(int32(b)>>31) | 1<<31) }

func order64(b uint64) uint64 { return b ^ (uint64(int64(b)>>63) | 1<<63) }

// payloadShift is where the content of a word starts: single precision uses
// the upper half.
func payloadShift[A real]() int {
	var x A
	if _, single := any(x).(float32); single {
		return 32
	}
	return 0
}

// keys writes the keys of one row, one for each slot, stride apart.
func (f *forest[A]) keys(dst []uint64, stride int, row []A) {
	dst[0] = never
	switch row := any(row).(type) {
	case []float32:
		orderKeys32(dst, stride, f.features, f.nan, row)
	case []float64:
		orderKeys64(dst, stride, f.features, f.nan, row)
	}
	at := len(f.features) * stride
	for i := range f.sets {
		s := &f.sets[i]
		dst[at] = s.test(row[s.feature])
		at += stride
	}
}

// orderKeys32 and orderKeys64 write the keys of slots 1, 2, … of one row.
func orderKeys32(dst []uint64, stride int, features []int32, nan []uint64, row []float32) {
	nan = nan[:len(features)]
	for i, f := range features[1:] {
		i++
		b := math.Float32bits(row[f])
		switch {
		case b&^(1<<31) > 0x7f800000:
			dst[i*stride] = nan[i]
			continue
		case b == 1<<31:
			b = 0
		}
		dst[i*stride] = uint64(order32(b)) << 32
	}
}

func orderKeys64(dst []uint64, stride int, features []int32, nan []uint64, row []float64) {
	nan = nan[:len(features)]
	for i, f := range features[1:] {
		i++
		b := math.Float64bits(row[f])
		switch {
		case b&^(1<<63) > 0x7ff<<52:
			dst[i*stride] = nan[i]
			continue
		case b == 1<<63:
			b = 0
		}
		dst[i*stride] = order64(b)
	}
}

func (s *set[A]) test(x A) uint64 {
	if x != x {
		return s.nan
	}
	_, found := slices.BinarySearch(s.members, x)
	if found == s.inverse {
		return always
	}
	return never
}

// slotTable gives each kind of test its slot.
type slotTable[A real] struct {
	features []int32  // of the ordering tests' slots, which come first
	nan      []uint64 // and their keys for NaN
	sets     []set[A]
	known    map[orderSlot]int32
	values   map[valueSlot[A]]int32
}

func newSlotTable[A real]() slotTable[A] {
	return slotTable[A]{
		features: []int32{0}, nan: []uint64{never},
		known: map[orderSlot]int32{}, values: map[valueSlot[A]]int32{},
	}
}

// sort puts the slots of ordering tests in the order of their features and
// tells the new number of each.
func (t *slotTable[A]) sort() []uint32 {
	order := make([]int, len(t.features))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order[1:], func(a, b int) int { return cmp.Compare(t.features[a], t.features[b]) })
	features, nan, number := slices.Clone(t.features), slices.Clone(t.nan), make([]uint32, len(order))
	for to, from := range order {
		t.features[to], t.nan[to], number[from] = features[from], nan[from], uint32(to)
	}
	return number
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
	return test{slot: t.membership(n, nan), key: 1 << 32}
}

// step is the least difference between the keys of two numbers: the key of x
// less a step stands for the largest number below x.
func step[A real]() uint64 { return 1 << payloadShift[A]() }

func (t *slotTable[A]) order(feature int, nan uint64) int32 {
	id := orderSlot{feature, nan}
	if at, ok := t.known[id]; ok {
		return at
	}
	at := int32(len(t.features))
	t.features, t.nan = append(t.features, int32(feature)), append(t.nan, nan)
	t.known[id] = at
	return at
}

func (t *slotTable[A]) value(n *node, nan uint64, v A) int32 {
	id := valueSlot[A]{orderSlot{n.feature, nan}, n.mode == neq, v}
	if at, ok := t.values[id]; ok {
		return at
	}
	at := t.addSet(set[A]{feature: int32(n.feature), nan: nan, inverse: n.mode == neq, members: []A{v}})
	t.values[id] = at
	return at
}

func (t *slotTable[A]) membership(n *node, nan uint64) int32 {
	members := make([]A, 0, len(n.set))
	for _, v := range n.set {
		if v == v {
			members = append(members, A(v))
		}
	}
	slices.SortFunc(members, cmp.Compare[A])
	return t.addSet(set[A]{feature: int32(n.feature), nan: nan, members: members})
}

func (t *slotTable[A]) addSet(s set[A]) int32 {
	t.sets = append(t.sets, s)
	return setSlots + int32(len(t.sets)) - 1
}
