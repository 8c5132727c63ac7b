package tree

import "golang.org/x/sys/cpu"

// available gives the vector instructions to use, the fastest last.
func available() []vectors {
	list := []vectors{none}
	if cpu.X86.HasAVX2 {
		list = append(list, avx2)
	}
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512CD {
		list = append(list, avx512)
	}
	return list
}

// read turns features of the rows that begin at x[at[0]], x[at[1]], … into keys,
// a vector for each feature. nan has the keys for NaN.
func (v vectors) read(keys []int32, x []float32, at *[maxVectorLanes]int32, features, nan []int32) {
	if v == avx512 {
		readAVX512(keys, x, at, features, nan)
	} else {
		readAVX2(keys, x, at, features, nan)
	}
}

// mask applies the rulings of all slots to masks that begin with all bits set.
func (v vectors) mask(bits []uint32, keys, starts []int32, rulings []ruling) {
	if v == avx512 {
		maskAVX512(bits, keys, starts, rulings)
	} else {
		maskAVX2(bits, keys, starts, rulings)
	}
}

// find gives the payloads of the leaves that masks leave, a vector for each tree.
func (v vectors) find(leaves, bits []uint32, words []int32, payloads []uint32) {
	if v == avx512 {
		findAVX512(leaves, bits, words, payloads)
	} else {
		findAVX2(leaves, bits, words, payloads)
	}
}

// sum adds up the leaves, which are float32 numbers, from the first tree to the
// last.
func (v vectors) sum(sums []float32, leaves []uint32) {
	if v == avx512 {
		sumAVX512(sums, leaves)
	} else {
		sumAVX2(sums, leaves)
	}
}

// sumEach adds the leaves of each tree to the vector at its offset in sums.
func (v vectors) sumEach(sums []float32, leaves []uint32, targets []int32) {
	if v == avx512 {
		sumEachAVX512(sums, leaves, targets)
	} else {
		sumEachAVX2(sums, leaves, targets)
	}
}

//go:noescape
func readAVX512(keys []int32, x []float32, at *[maxVectorLanes]int32, features, nan []int32)

//go:noescape
func readAVX2(keys []int32, x []float32, at *[maxVectorLanes]int32, features, nan []int32)

//go:noescape
func maskAVX512(bits []uint32, keys, starts []int32, rulings []ruling)

//go:noescape
func maskAVX2(bits []uint32, keys, starts []int32, rulings []ruling)

//go:noescape
func findAVX512(leaves, bits []uint32, words []int32, payloads []uint32)

//go:noescape
func findAVX2(leaves, bits []uint32, words []int32, payloads []uint32)

//go:noescape
func sumAVX512(sums []float32, leaves []uint32)

//go:noescape
func sumAVX2(sums []float32, leaves []uint32)

//go:noescape
func sumEachAVX512(sums []float32, leaves []uint32, targets []int32)

//go:noescape
func sumEachAVX2(sums []float32, leaves []uint32, targets []int32)
