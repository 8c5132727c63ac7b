//go:build !amd64

package gemm

// Kernel.resolve never yields an assembly kernel here.
const noAssembly = "gemm: no assembly for this processor"

func dotAVX2(_, _ []float32) float32 { panic(noAssembly) }

func axpyAVX2(_, _ []float32, _ float32) { panic(noAssembly) }

func scaleShiftAVX2(_, _, _, _ []float32) { panic(noAssembly) }

func expAVX2(_, _ []float32) { panic(noAssembly) }

func sigmoidAVX2(_, _ []float32) { panic(noAssembly) }

func tanhAVX2(_, _ []float32) { panic(noAssembly) }
