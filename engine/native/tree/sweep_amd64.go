package tree

// run gives the payloads of the leaves that a row reaches. leaves has room for
// all vectors of trees.
func (s *sweep) run(leaves []uint32, row []float32, payloads []uint32) {
	sweepAVX512(leaves, row, s.features, s.nan, s.words, s.tests, payloads)
}

//go:noescape
func sweepAVX512(leaves []uint32, row []float32, features, nan []int32, words []sweepWord, tests []sweepTest, payloads []uint32)
