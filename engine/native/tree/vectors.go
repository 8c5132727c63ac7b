package tree

// vectors names a set of vector instructions with an implementation of quick.
type vectors uint8

const (
	none vectors = iota
	avx2
	avx512 // AVX-512F and CD
)

// maxVectorLanes is the most rows that a vector holds.
const maxVectorLanes = 16

// lanes is the number of rows in a vector.
func (v vectors) lanes() int {
	if v == avx512 {
		return 16
	}
	return 8
}
