package gemm

import "math"

// The functions below work on slices of equal length and panic if they are
// not. An element's result does not depend on its position. dst may be the
// same slice as a source but must not overlap one otherwise.

// Dot returns the sum of x[i]·y[i]. The order of summation depends on the
// length only.
func Dot(x, y []float32) float32 { return Auto.Dot(x, y) }

// Axpy adds alpha·x to dst.
func Axpy(dst []float32, alpha float32, x []float32) { Auto.Axpy(dst, alpha, x) }

// ScaleShift sets dst[i] to src[i]·scale[i] + shift[i].
func ScaleShift(dst, src, scale, shift []float32) { Auto.ScaleShift(dst, src, scale, shift) }

// ExpInto sets dst[i] to e^src[i], within 2 units in the last place.
func ExpInto(dst, src []float32) { Auto.ExpInto(dst, src) }

// SigmoidInto sets dst[i] to 1/(1+e^-src[i]), within 4 units in the last place
// while the result is a normal number; below that it is 0.
func SigmoidInto(dst, src []float32) { Auto.SigmoidInto(dst, src) }

// TanhInto sets dst[i] to tanh(src[i]), within 4 units in the last place.
func TanhInto(dst, src []float32) { Auto.TanhInto(dst, src) }

// Finish applies the epilogue to the rows × cols elements of c as they are, as
// if they were the product; Alpha and Accumulate are ignored.
func Finish(rows, cols int, c []float32, ldc int, ep Epilogue) {
	Auto.Finish(rows, cols, c, ldc, ep)
}

// Finish is the function Finish for a given kernel.
func (kr Kernel) Finish(rows, cols int, c []float32, ldc int, ep Epilogue) {
	ep.Accumulate = true
	p := product{kernel: kr.resolve(), m: rows, n: cols, c: c, ldc: ldc, ep: ep}
	p.run(nil)
}

// assembly tells whether the vector primitives have assembly for kr; AVX2 is
// all they need, so both assembly kernels share it.
func (kr Kernel) assembly() bool { return kr.resolve() != Generic }

// Dot is the function Dot for a given kernel.
func (kr Kernel) Dot(x, y []float32) float32 {
	sameLength(x, y)
	if kr.assembly() {
		return dotAVX2(x, y)
	}
	var even, odd float32
	i := 0
	for ; i+2 <= len(x); i += 2 {
		even += float32(x[i] * y[i])
		odd += float32(x[i+1] * y[i+1])
	}
	if i < len(x) {
		even += float32(x[i] * y[i])
	}
	return even + odd
}

// Axpy is the function Axpy for a given kernel.
func (kr Kernel) Axpy(dst []float32, alpha float32, x []float32) {
	sameLength(dst, x)
	if kr.assembly() {
		axpyAVX2(dst, x, alpha)
		return
	}
	for i, v := range x {
		dst[i] += float32(alpha * v)
	}
}

// ScaleShift is the function ScaleShift for a given kernel.
func (kr Kernel) ScaleShift(dst, src, scale, shift []float32) {
	sameLength(dst, src)
	sameLength(dst, scale)
	sameLength(dst, shift)
	if kr.assembly() {
		scaleShiftAVX2(dst, src, scale, shift)
		return
	}
	for i, v := range src {
		dst[i] = float32(v*scale[i]) + shift[i]
	}
}

// ExpInto is the function ExpInto for a given kernel.
func (kr Kernel) ExpInto(dst, src []float32) {
	sameLength(dst, src)
	if kr.assembly() {
		expAVX2(dst, src)
		return
	}
	for i, v := range src {
		dst[i] = float32(math.Exp(float64(v)))
	}
}

// SigmoidInto is the function SigmoidInto for a given kernel.
func (kr Kernel) SigmoidInto(dst, src []float32) {
	sameLength(dst, src)
	if kr.assembly() {
		sigmoidAVX2(dst, src)
		return
	}
	for i, v := range src {
		dst[i] = float32(1 / (1 + math.Exp(-float64(v))))
	}
}

// TanhInto is the function TanhInto for a given kernel.
func (kr Kernel) TanhInto(dst, src []float32) {
	sameLength(dst, src)
	if kr.assembly() {
		tanhAVX2(dst, src)
		return
	}
	for i, v := range src {
		dst[i] = float32(math.Tanh(float64(v)))
	}
}

func sameLength(x, y []float32) {
	if len(x) != len(y) {
		panic("gemm: vectors differ in length")
	}
}
