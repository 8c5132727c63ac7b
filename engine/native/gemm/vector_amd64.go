package gemm

//go:noescape
func dotAVX2(x, y []float32) float32

//go:noescape
func axpyAVX2(dst, x []float32, alpha float32)

//go:noescape
func scaleShiftAVX2(dst, src, scale, shift []float32)

//go:noescape
func expAVX2(dst, src []float32)

//go:noescape
func sigmoidAVX2(dst, src []float32)

//go:noescape
func tanhAVX2(dst, src []float32)
