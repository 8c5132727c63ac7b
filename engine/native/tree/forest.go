package tree

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/op"
)

// A packed node is 8 bytes when its tree and the number of slots allow:
// the threshold's key in the upper 32 bits (of a leaf, its payload), the
// distance to its "yes" child in nodes (bits 16 to 31; the "no" child is the
// next one), its slot in the lower 16. A leaf has slot 0 and distance 0.
//
// wide is the same for double precision, trees of more than 2¹⁶ nodes, or as
// many slots.
type wide struct {
	key      uint64
	slot     uint32
	distance uint32
}

// forest is an ensemble prepared for walking in precision A.
type forest[A real] struct {
	features []int32  // of the ordering tests, by slot; that of slot 0 means nothing
	nan      []uint64 // the keys for NaN, likewise
	sets     []set[A] // the slots after those
	columns  int      // that a row must have

	narrow []uint64 // nodes of all trees; nil when wide ones are needed
	wide   []wide
	roots  []int32 // padded with leaves to a multiple of lanes
	trees  int

	agg     aggregate
	targets int
	votes   votes[A]

	quick *quick // nil when batches walk
	sweep *sweep // nil when single rows walk
}

// slots is the number of keys of a row.
func (f *forest[A]) slots() int { return len(f.features) + len(f.sets) }

// pack prepares an ensemble that has passed its check.
func pack[A real](e *ensemble) (*forest[A], error) {
	p := &packer[A]{
		e:     e,
		table: newSlotTable[A](),
		votes: planVotes[A](e),
	}
	f := &forest[A]{trees: len(e.roots), columns: e.lastFeature() + 1, agg: e.agg, targets: e.targets}
	for _, r := range e.roots {
		f.roots = append(f.roots, int32(len(p.out)))
		if err := p.tree(r); err != nil {
			return nil, err
		}
	}
	for len(f.roots)%lanes != 0 {
		f.roots = append(f.roots, int32(len(p.out)))
		p.out = append(p.out, wide{})
	}
	p.numberSlots()
	f.features, f.nan, f.sets, f.votes = p.table.features, p.table.nan, p.table.sets, p.votes
	if f.narrow = narrow[A](p.out, f.slots()); f.narrow == nil {
		f.wide = p.out
	}
	all := available()
	f.quick = planQuick(f, p.out, all[len(all)-1])
	if f.sweep = planSweep(f, f.quick); f.sweep != nil {
		f.quick.minRows = minRowsAgainstSweep
	}
	return f, nil
}

// packer lays out trees one after the other, each breadth first, with
// siblings side by side.
type packer[A real] struct {
	e     *ensemble
	table slotTable[A]
	votes votes[A]
	out   []wide
	queue []placed
}

// placed is a node of the model and where it goes.
type placed struct{ from, to int }

// tree lays out the tree below root. Subtrees that the model shares between several
// parents are repeated, within reason.
func (p *packer[A]) tree(root int) error {
	limit := 16*len(p.e.nodes) + 1<<16
	p.queue = append(p.queue[:0], placed{root, len(p.out)})
	p.out = append(p.out, wide{})
	for at := 0; at < len(p.queue); at++ {
		q := p.queue[at]
		n := &p.e.nodes[q.from]
		if n.mode == leaf {
			p.out[q.to] = wide{key: p.votes.add(n)}
			continue
		}
		if len(p.out) >= min(limit, math.MaxInt32-lanes) {
			return op.Errorf("tree %d shares its branches so much that it would unfold to more than %d nodes", n.tree, limit)
		}
		t := p.table.pack(n)
		yes := len(p.out)
		p.out = append(p.out, wide{}, wide{})
		p.out[q.to] = wide{key: t.key, slot: uint32(t.slot), distance: uint32(yes - q.to)}
		first, second := n.yes, n.no
		if t.swapped {
			first, second = second, first
		}
		p.queue = append(p.queue, placed{first, yes}, placed{second, yes + 1})
	}
	return nil
}

// numberSlots gives slots their final numbers: ordering tests by feature, so
// that a row is read from front to back, then sets.
func (p *packer[A]) numberSlots() {
	number := p.table.sort()
	for i := range p.out {
		s := &p.out[i].slot
		if *s >= setSlots {
			*s += uint32(len(number)) - setSlots
		} else {
			*s = number[*s]
		}
	}
}

// narrow packs nodes into 8 bytes each, nil when they do not fit.
func narrow[A real](nodes []wide, slots int) []uint64 {
	if payloadShift[A]() == 0 || slots > math.MaxUint16+1 {
		return nil
	}
	out := make([]uint64, len(nodes))
	for i, n := range nodes {
		if n.distance > math.MaxUint16 {
			return nil
		}
		out[i] = n.key | uint64(n.distance)<<16 | uint64(n.slot)
	}
	return out
}
