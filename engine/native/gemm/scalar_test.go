package gemm_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/gemm"
)

func checkScalar[T gemm.Scalar](t *testing.T, draw func() T) {
	t.Helper()
	for _, s := range [][3]int{{0, 3, 2}, {3, 0, 2}, {2, 3, 0}, {1, 1, 1}, {3, 5, 7}, {4, 9, 8}, {17, 3, 6}} {
		m, n, k := s[0], s[1], s[2]
		a, at, b, bt := make([]T, m*k), make([]T, m*k), make([]T, k*n), make([]T, k*n)
		want := make([]T, m*n)
		for i := range m {
			for p := range k {
				a[i*k+p] = draw()
				at[p*m+i] = a[i*k+p]
			}
		}
		for p := range k {
			for j := range n {
				b[p*n+j] = draw()
				bt[j*k+p] = b[p*n+j]
				for i := range m {
					want[i*n+j] += a[i*k+p] * b[p*n+j]
				}
			}
		}
		for mode := range 4 {
			x, ldx, y, ldy := a, k, b, n
			if mode&1 != 0 {
				x, ldx = at, m
			}
			if mode&2 != 0 {
				y, ldy = bt, k
			}
			got := slices.Repeat([]T{42}, m*n)
			gemm.MulScalar(m, n, k, x, ldx, mode&1 != 0, y, ldy, mode&2 != 0, got, n)
			if !slices.Equal(got, want) {
				t.Errorf("%T %v transposed %02b: %v, want %v", want, s, mode, got, want)
			}
		}
	}
}

func TestMulScalar(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	// Halves up to 50 make every sum exact, so that order does not matter here.
	checkScalar(t, func() float64 { return float64(r.IntN(200)-100) / 2 })
	checkScalar(t, func() int32 { return int32(r.Uint32()) })
	checkScalar(t, func() int64 { return int64(r.Uint64()) })
	checkScalar(t, r.Uint32)
	checkScalar(t, r.Uint64)
}

func checkQuantized[A, B gemm.Byte](t *testing.T, r *rand.Rand) {
	t.Helper()
	const m, n, k = 3, 5, 7
	bytes := func(count int) (a []A, b []B) {
		for range count {
			a, b = append(a, A(r.Uint32())), append(b, B(r.Uint32()))
		}
		return a, b
	}
	a, _ := bytes(m * k)
	_, b := bytes(k * n)
	zeroRows, _ := bytes(m)
	_, zeroCols := bytes(n)
	for _, az := range [][]A{nil, zeroRows[:1], zeroRows} {
		for _, bz := range [][]B{nil, zeroCols[:1], zeroCols} {
			got := make([]int32, m*n)
			gemm.MulQuantized(m, n, k, a, k, az, b, n, bz, got, n)
			for i := range m {
				for j := range n {
					var want int32
					for p := range k {
						want += (int32(a[i*k+p]) - at(az, i)) * (int32(b[p*n+j]) - at(bz, j))
					}
					if got[i*n+j] != want {
						t.Fatalf("%T·%T zeros %v, %v: C[%d][%d] = %d, want %d", a, b, az, bz, i, j, got[i*n+j], want)
					}
				}
			}
		}
	}
}

func at[T gemm.Byte](zero []T, i int) int32 {
	if len(zero) == 0 {
		return 0
	}
	return int32(zero[min(i, len(zero)-1)])
}

func TestMulQuantized(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	checkQuantized[int8, int8](t, r)
	checkQuantized[uint8, int8](t, r)
	checkQuantized[int8, uint8](t, r)
	checkQuantized[uint8, uint8](t, r)
}
