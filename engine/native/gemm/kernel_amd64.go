package gemm

import "golang.org/x/sys/cpu"

//go:generate go run ./internal/asmgen -dir .

// Set once from the processor's answer, which includes whether the operating
// system saves the wide registers.
var (
	hasAVX2   = cpu.X86.HasAVX2 && cpu.X86.HasFMA
	hasAVX512 = cpu.X86.HasAVX512F && hasAVX2
)

func (kr Kernel) tile(t *tile, rows, vecs int) {
	switch kr {
	case AVX512:
		tileAVX512(t, rows, vecs)
	case AVX2:
		tileAVX2(t, rows, vecs)
	default:
		tileGeneric(t, rows)
	}
}

func (kr Kernel) finish(f *finishing) {
	switch kr {
	case AVX512:
		finishAVX512(f)
	case AVX2:
		finishAVX2(f)
	default:
		finishGeneric(f)
	}
}

//go:noescape
func finishAVX512(f *finishing)

//go:noescape
func finishAVX2(f *finishing)
