package gemm

import "fmt"

// Kernel names a set of micro-kernels. The zero value stands for the fastest
// one the processor can run; the others exist so that tests and benchmarks can
// force one.
//
// AVX2 and AVX512 give the same bits. Generic rounds the product before the
// sum, on every processor, and so differs from them within float tolerance.
type Kernel uint8

const (
	Auto    Kernel = iota // the best available
	Generic               // plain Go
	AVX2                  // amd64 with AVX2 and FMA
	AVX512                // amd64 with AVX-512F
)

// String returns the kernel's name in lower case.
func (kr Kernel) String() string {
	names := [...]string{"auto", "generic", "avx2", "avx512"}
	if int(kr) < len(names) {
		return names[kr]
	}
	return fmt.Sprintf("kernel(%d)", uint8(kr))
}

// Available lists the kernels this processor can run, slowest first.
func Available() []Kernel {
	list := []Kernel{Generic}
	if hasAVX2 {
		list = append(list, AVX2)
	}
	if hasAVX512 {
		list = append(list, AVX512)
	}
	return list
}

// resolve replaces Auto by a concrete kernel. It panics for a kernel the
// processor cannot run, which would otherwise be an illegal instruction.
func (kr Kernel) resolve() Kernel {
	switch {
	case kr == Auto && hasAVX512:
		return AVX512
	case kr == Auto && hasAVX2:
		return AVX2
	case kr == Auto:
		return Generic
	case kr == AVX2 && !hasAVX2, kr == AVX512 && !hasAVX512, kr > AVX512:
		panic("gemm: this processor cannot run kernel " + kr.String())
	}
	return kr
}

// geometry holds a kernel's tile and block sizes.
type geometry struct {
	lanes     int // columns in a vector
	panelCols int // columns in a packed panel of B, one or two vectors
	tileRows  int // most rows in a tile
	wide      [5]int
	// wide[r] is how many whole panels one tile of r rows may span. A tile of
	// few rows needs several, or its few sums would wait for each other.
}

// Block sizes, measured at 512 to 2048 rows and columns. A panel of B in a block
// is 32 KiB (64 KiB with AVX-512, where the level-2 cache keeps up), blockRows ×
// blockK floats of A are 480 KiB, half a level-2 cache, and at most blockK ×
// blockCols floats of B, 4 MiB, are packed at a time.
const (
	blockK    = 512
	blockRows = 240
	blockCols = 2048
)

func (kr Kernel) geometry() *geometry {
	switch kr {
	case AVX512:
		return &geometryAVX512
	case AVX2:
		return &geometryAVX2
	}
	return &geometryGeneric
}

// Read only.
var (
	geometryGeneric = geometry{lanes: 4, panelCols: 4, tileRows: 4, wide: [5]int{1, 1, 1, 1, 1}}
	geometryAVX2    = geometry{lanes: 8, panelCols: 16, tileRows: 6, wide: [5]int{1, 4, 2, 2, 1}}
	geometryAVX512  = geometry{lanes: 16, panelCols: 32, tileRows: 12, wide: [5]int{1, 4, 4, 4, 2}}
)

// tile is the argument of a micro-kernel: rows × columns of C, over k steps.
// Strides count elements. The assembly reads the slices' pointers only, so the
// caller answers for their lengths.
type tile struct {
	a, b, c  []float32
	rsa, csa int  // A[i][p] is a[i*rsa+p*csa]
	rsb      int  // B[p][j] is b[p*rsb+j] within a panel
	psb      int  // from one panel of B to the next
	ldc      int  // C[i][j] is c[i*ldc+j]
	k        int  // at least 1
	tail     int  // columns in the last vector, 1 … lanes
	load     bool // start from C instead of zero
}

// finishing is the argument of the pass that completes a tile of C:
// clamp(leaky(c + colBias + rowBias)).
type finishing struct {
	c                []float32
	ldc, rows, cols  int
	colBias, rowBias []float32 // nil or starting at the tile's column and row
	slope            float32   // factor of negative values, 1 to leave them
	lo, hi           float32   // ±Inf to leave values alone
}
