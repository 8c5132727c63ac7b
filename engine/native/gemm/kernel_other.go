//go:build !amd64

package gemm

const (
	hasAVX2   = false
	hasAVX512 = false
)

func (kr Kernel) tile(t *tile, rows, _ int) { tileGeneric(t, rows) }

func (kr Kernel) finish(f *finishing) { finishGeneric(f) }
