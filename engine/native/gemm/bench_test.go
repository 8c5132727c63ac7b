package gemm_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/gemm"
)

var benchShapes = [][3]int{{512, 512, 512}, {1, 128, 64}, {1, 10, 128}, {4, 128, 64}, {64, 128, 64}, {32, 64, 288}, {16, 64, 9}, {1, 1, 1}}

// benchProduct runs one shape on every kernel and reports its rate.
func benchProduct(b *testing.B, run func(kr gemm.Kernel, x, y, c matrix) func()) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, s := range benchShapes {
		m, n, k := s[0], s[1], s[2]
		for _, kr := range gemm.Available() {
			step := run(kr, newMatrix(r, m, k, 0), newMatrix(r, k, n, 0), newMatrix(r, m, n, 0))
			b.Run(fmt.Sprintf("%dx%dx%d/%s", m, n, k, kr), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					step()
				}
				b.ReportMetric(2*float64(m)*float64(n)*float64(k)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
			})
		}
	}
}

func BenchmarkMul(b *testing.B) {
	benchProduct(b, func(kr gemm.Kernel, x, y, c matrix) func() {
		ws := &gemm.Workspace{Kernel: kr}
		return func() {
			gemm.Mul(ws, x.rows, y.cols, x.cols, x.data, x.ld, false, y.data, y.ld, false, c.data, c.ld, gemm.Epilogue{})
		}
	})
}

func BenchmarkPackedB(b *testing.B) {
	benchProduct(b, func(kr gemm.Kernel, x, y, c matrix) func() {
		ws, pb := &gemm.Workspace{}, kr.PackB(x.cols, y.cols, y.data, y.ld, false)
		bias := make([]float32, y.cols)
		return func() {
			pb.Mul(ws, x.rows, x.data, x.ld, c.data, c.ld, gemm.Epilogue{ColBias: bias, Activation: gemm.Relu})
		}
	})
}

func BenchmarkPackedA(b *testing.B) {
	benchProduct(b, func(kr gemm.Kernel, x, y, c matrix) func() {
		ws, pa := &gemm.Workspace{}, kr.PackA(x.rows, x.cols, x.data, x.ld, false)
		bias := make([]float32, x.rows)
		var packer gemm.BPacker = y
		return func() {
			pa.MulPacker(ws, y.cols, packer, c.data, c.ld, gemm.Epilogue{RowBias: bias, Activation: gemm.Relu})
		}
	})
}
