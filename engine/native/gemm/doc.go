// Package gemm holds the matrix kernels of the native engine: products of
// float32 matrices with a fused epilogue, plain products of other types, and a
// few vector primitives.
//
// Matrices are row-major slices with a leading dimension (the distance from one
// row to the next). A product is one of
//
//	Mul                 both matrices vary
//	(*PackedB).Mul      the right-hand side is constant: dense layers
//	(*PackedA).Mul      the left-hand side is constant: weights of a convolution
//	(*PackedA).MulPacker  the same, B made panel by panel by a BPacker
//
// # Results do not depend on shape or company
//
// C[i][j] is the sum over p = 0, 1 … k-1, in that order, of fused
// multiply-adds into one float32 that starts from zero (or from C, with
// Accumulate). Tiles, blocks and packing decide when an element is computed and
// never how. So an element has the same bits for every m, n, row position,
// packing and number of goroutines, and for both assembly kernels; see Kernel
// about the plain Go one.
//
// # Decomposition
//
// product walks the blocks (Goto and van de Geijn, "Anatomy of
// high-performance matrix multiplication", 2008); tile is the argument of the
// micro-kernels, which internal/asmgen writes; finishing is the argument of the
// pass over each finished tile that adds biases and applies the activation.
//
// A slice too short for the shape it is passed with is a bug of the caller and
// panics before anything is read or written.
package gemm
