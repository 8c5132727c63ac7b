package tree

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

const guardedBytes = 1 << 16

// guarded copies a slice to memory that ends at, or begins after, a page that
// must not be touched: an assembly read or write out of bounds ends the test by
// a signal.
func guarded[T any](t *testing.T, atEnd bool, src []T) []T {
	t.Helper()
	page := unix.Getpagesize()
	mem, err := unix.Mmap(-1, 0, guardedBytes+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Munmap(mem); err != nil {
			t.Error(err)
		}
	})
	for _, wall := range [][]byte{mem[:page], mem[page+guardedBytes:]} {
		if err := unix.Mprotect(wall, unix.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	size := int(unsafe.Sizeof(src[0]))
	if len(src)*size > guardedBytes {
		t.Fatalf("%d elements do not fit between the guards", len(src))
	}
	start := page
	if atEnd {
		start += guardedBytes - len(src)*size
	}
	out := unsafe.Slice((*T)(unsafe.Pointer(&mem[start])), len(src))
	copy(out, src)
	return out
}

func TestAssemblyStaysInBounds(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 11))
	for _, atEnd := range []bool{false, true} {
		for _, columns := range []int{5, 40} {
			for _, leaves := range []int{1, 2, 32, 40} {
				for _, v := range available() {
					if v != none {
						guardedRuns(t, r, v, atEnd, columns, leaves)
					}
				}
			}
		}
	}
}

// guardedRuns runs 17 trees with everything that the assembly sees guarded.
func guardedRuns(t *testing.T, r *rand.Rand, v vectors, atEnd bool, columns, leaves int) {
	e := &ensemble{targets: 2, agg: sum}
	for i := range 17 {
		first := len(e.nodes)
		chain(r, e, leq, leaves)
		for j := first; j < len(e.nodes); j++ {
			if n := &e.nodes[j]; n.mode == leaf {
				n.votes[0].target = int32(i % 2)
			} else {
				n.feature, n.missingYes = r.IntN(columns), false
			}
		}
	}
	f, err := pack[float32](e)
	if err != nil {
		t.Fatal(err)
	}
	f.quick = planQuick(f, widened(f.narrow), v)
	q := f.quick
	q.rulings, q.starts, q.words = guarded(t, atEnd, q.rulings), guarded(t, atEnd, q.starts), guarded(t, atEnd, q.words)
	q.leaves, q.nan, q.targets = guarded(t, atEnd, q.leaves), guarded(t, atEnd, q.nan), guarded(t, atEnd, q.targets)
	f.features, q.minRows = guarded(t, atEnd, f.features), 1
	var w walker[float32]
	w.grow(f, 20)
	w.quick = quickRun{guarded(t, atEnd, w.quick.keys), guarded(t, atEnd, w.quick.bits), guarded(t, atEnd, w.quick.leaves), guarded(t, atEnd, w.quick.sums)}
	guardedBlocks(t, f, &w, atEnd, columns)
	if f.sweep = planSweep(f, q); f.sweep == nil {
		return
	}
	s := f.sweep
	s.features, s.nan, s.words, s.tests = guarded(t, atEnd, s.features), guarded(t, atEnd, s.nan), guarded(t, atEnd, s.words), guarded(t, atEnd, s.tests)
	q.minRows = 100
	guardedBlocks(t, f, &w, atEnd, columns)
}

func guardedBlocks(t *testing.T, f *forest[float32], w *walker[float32], atEnd bool, columns int) {
	for _, rows := range []int{1, 8, 9, 16, 20} {
		x := guarded(t, atEnd, make([]float32, rows*columns))
		f.block(w, x, rows, columns)
	}
}
