package tree

import "math/bits"

// lanes is the number of walks that go in step.
const lanes = 8

// next is the node that a walk at node i, with word w, goes to: the "yes"
// child, or the one behind it when the word is less than the key.
func next(i, w, key uint64) uint64 {
	_, no := bits.Sub64(w, key, 0)
	i, _ = bits.Add64(i, w>>16&0xffff, no)
	return i
}

// walkTrees walks eight trees for one row; leaves receives the words of the
// leaves reached.
//
// The eight walks are written out so that their positions stay in registers;
// a step of one does not wait for the memory of another. All go on until the
// last is on a leaf.
func walkTrees(leaves *[lanes]uint64, nodes []uint64, roots *[lanes]int32, keys []uint64) {
	a, b, c, d := uint64(roots[0]), uint64(roots[1]), uint64(roots[2]), uint64(roots[3])
	e, f, g, h := uint64(roots[4]), uint64(roots[5]), uint64(roots[6]), uint64(roots[7])
	for {
		w := nodes[a]
		slots := w
		a = next(a, w, keys[uint16(w)])
		w = nodes[b]
		slots |= w
		b = next(b, w, keys[uint16(w)])
		w = nodes[c]
		slots |= w
		c = next(c, w, keys[uint16(w)])
		w = nodes[d]
		slots |= w
		d = next(d, w, keys[uint16(w)])
		w = nodes[e]
		slots |= w
		e = next(e, w, keys[uint16(w)])
		w = nodes[f]
		slots |= w
		f = next(f, w, keys[uint16(w)])
		w = nodes[g]
		slots |= w
		g = next(g, w, keys[uint16(w)])
		w = nodes[h]
		slots |= w
		h = next(h, w, keys[uint16(w)])
		if uint16(slots) == 0 {
			break
		}
	}
	*leaves = [lanes]uint64{nodes[a], nodes[b], nodes[c], nodes[d], nodes[e], nodes[f], nodes[g], nodes[h]}
}

// walkRows walks one tree for eight rows, whose keys lie side by side: those
// of slot s from 8s on.
func walkRows(leaves *[lanes]uint64, nodes []uint64, root int32, keys []uint64) {
	a := uint64(root)
	b, c, d, e, f, g, h := a, a, a, a, a, a, a
	for {
		w := nodes[a]
		slots := w
		a = next(a, w, keys[w&0xffff*lanes])
		w = nodes[b]
		slots |= w
		b = next(b, w, keys[w&0xffff*lanes+1])
		w = nodes[c]
		slots |= w
		c = next(c, w, keys[w&0xffff*lanes+2])
		w = nodes[d]
		slots |= w
		d = next(d, w, keys[w&0xffff*lanes+3])
		w = nodes[e]
		slots |= w
		e = next(e, w, keys[w&0xffff*lanes+4])
		w = nodes[f]
		slots |= w
		f = next(f, w, keys[w&0xffff*lanes+5])
		w = nodes[g]
		slots |= w
		g = next(g, w, keys[w&0xffff*lanes+6])
		w = nodes[h]
		slots |= w
		h = next(h, w, keys[w&0xffff*lanes+7])
		if uint16(slots) == 0 {
			break
		}
	}
	*leaves = [lanes]uint64{nodes[a], nodes[b], nodes[c], nodes[d], nodes[e], nodes[f], nodes[g], nodes[h]}
}

// walkTreesWide is walkTrees over wide nodes.
func walkTreesWide(leaves *[lanes]uint64, nodes []wide, roots *[lanes]int32, keys []uint64) {
	at := *roots
	for moving := uint32(1); moving != 0; {
		moving = 0
		for i := range at {
			n := &nodes[at[i]]
			moving |= n.slot
			at[i] = n.next(at[i], keys[n.slot])
		}
	}
	for i := range at {
		leaves[i] = nodes[at[i]].key
	}
}

// walkRowsWide is walkRows over wide nodes.
func walkRowsWide(leaves *[lanes]uint64, nodes []wide, root int32, keys []uint64) {
	at := [lanes]int32{root, root, root, root, root, root, root, root}
	for moving := uint32(1); moving != 0; {
		moving = 0
		for i := range at {
			n := &nodes[at[i]]
			moving |= n.slot
			at[i] = n.next(at[i], keys[int(n.slot)*lanes+i])
		}
	}
	for i := range at {
		leaves[i] = nodes[at[i]].key
	}
}

func (n *wide) next(at int32, key uint64) int32 {
	_, no := bits.Sub64(n.key, key, 0)
	return at + int32(n.distance) + int32(no)
}
