package signal

import (
	"math"
	"math/bits"
	"math/cmplx"
	"slices"
)

// maxLength bounds a transform, in elements.
const maxLength = 1 << 24

// transform computes discrete Fourier transforms of one length. A power of
// two is split in halves (Cooley and Tukey 1965); any other length becomes a
// convolution of a power of two (Bluestein 1970). It keeps its tables, and
// its scratch memory, so it serves one goroutine at a time.
type transform struct {
	n     int
	size  int          // the power of two that is worked with
	roots []complex128 // e^(-2πik/size), k < size/2
	chirp []complex128 // e^(-πik²/n), k < n; nil when n is a power of two
	twin  []complex128 // the transform of the conjugate chirp
	work  []complex128
}

// setLength prepares for length n ≥ 1; nothing happens when it is as before.
func (t *transform) setLength(n int) {
	if t.n == n {
		return
	}
	*t = transform{n: n, size: n}
	if n&(n-1) != 0 {
		t.size = 1 << bits.Len(uint(2*n-2))
	}
	t.roots = make([]complex128, t.size/2)
	for k := range t.roots {
		t.roots[k] = unit(-2 * float64(k) / float64(t.size))
	}
	if t.size != n {
		t.makeChirp()
	}
}

// unit is e^(iπx).
func unit(x float64) complex128 {
	sin, cos := math.Sincos(math.Pi * x)
	return complex(cos, sin)
}

func (t *transform) makeChirp() {
	t.chirp = make([]complex128, t.n)
	t.twin = make([]complex128, t.size)
	t.work = make([]complex128, t.size)
	for k := range t.chirp {
		// k² modulo 2n has the same angle and keeps its digits.
		t.chirp[k] = unit(-float64(k*k%(2*t.n)) / float64(t.n))
		t.twin[k] = cmplx.Conj(t.chirp[k])
		t.twin[(t.size-k)%t.size] = t.twin[k]
	}
	t.powerOfTwo(t.twin)
}

// forward transforms x, of t's length, in place.
func (t *transform) forward(x []complex128) {
	if t.chirp == nil {
		t.powerOfTwo(x)
		return
	}
	clear(t.work)
	for k, v := range x {
		t.work[k] = v * t.chirp[k]
	}
	t.powerOfTwo(t.work)
	for k, v := range t.work {
		t.work[k] = cmplx.Conj(v * t.twin[k]) // conjugated, forward is backward
	}
	t.powerOfTwo(t.work)
	scale := complex(1/float64(t.size), 0)
	for k := range x {
		x[k] = cmplx.Conj(t.work[k]) * scale * t.chirp[k]
	}
}

// inverse is the inverse transform, scaled by 1/n.
func (t *transform) inverse(x []complex128) {
	t.forward(x)
	slices.Reverse(x[1:])
	scale := complex(1/float64(t.n), 0)
	for k := range x {
		x[k] *= scale
	}
}

// powerOfTwo transforms x, of t.size elements, in place.
func (t *transform) powerOfTwo(x []complex128) {
	shift := 64 - bits.Len(uint(len(x)-1))
	for i := range x {
		if j := int(bits.Reverse64(uint64(i)) >> shift); i < j {
			x[i], x[j] = x[j], x[i]
		}
	}
	for half := 1; half < len(x); half *= 2 {
		step := len(x) / (2 * half)
		for start := 0; start < len(x); start += 2 * half {
			low, high := x[start:start+half], x[start+half:start+2*half]
			for k := range low {
				v := high[k] * t.roots[k*step]
				low[k], high[k] = low[k]+v, low[k]-v
			}
		}
	}
}
