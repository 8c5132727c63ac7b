package gemm

import "fmt"

// Scalar lists the element types of MulScalar.
type Scalar interface {
	int32 | int64 | uint32 | uint64 | float64
}

// MulScalar computes C[m×n] = A[m×k]·B[k×n] in plain Go for the types that have
// no micro-kernel. With transA, a holds Aᵀ (k × m); with transB, b holds Bᵀ.
// Each sum starts from zero and goes through p = 0 … k-1 in order, every
// product rounded, whatever the shape. Integers wrap around.
func MulScalar[T Scalar](m, n, k int, a []T, lda int, transA bool, b []T, ldb int, transB bool, c []T, ldc int) {
	checkMatrix("A", a, m, k, lda, transA)
	checkMatrix("B", b, k, n, ldb, transB)
	checkMatrix("C", c, m, n, ldc, false)
	if n == 0 {
		return
	}
	rs, cs := lda, 1
	if transA {
		rs, cs = 1, lda
	}
	for i := range m {
		row := c[i*ldc:][:n]
		if transB {
			for j := range row {
				row[j] = dotScalar(k, a, i*rs, cs, b[j*ldb:])
			}
			continue
		}
		clear(row)
		p := 0
		for ; p+4 <= k; p += 4 {
			at := i*rs + p*cs
			addFour(row, [4]T{a[at], a[at+cs], a[at+2*cs], a[at+3*cs]}, b[p*ldb:], ldb)
		}
		for ; p < k; p++ {
			x := a[i*rs+p*cs]
			for j, y := range b[p*ldb:][:n] {
				row[j] += T(x * y)
			}
		}
	}
}

func dotScalar[T Scalar](k int, a []T, at, step int, b []T) T {
	var s T
	for p := range k {
		s += T(a[at+p*step] * b[p])
	}
	return s
}

// addFour adds four steps to a row of C, in order, for one pass over the row.
func addFour[T Scalar](row []T, x [4]T, b []T, ldb int) {
	n := len(row)
	b0, b1, b2, b3 := b[:n], b[ldb:][:n], b[2*ldb:][:n], b[3*ldb:][:n]
	for j, s := range row {
		s += T(x[0] * b0[j])
		s += T(x[1] * b1[j])
		s += T(x[2] * b2[j])
		s += T(x[3] * b3[j])
		row[j] = s
	}
}

// Byte lists the element types of quantised matrices.
type Byte interface{ int8 | uint8 }

// MulQuantized computes C[m×n] = (A - aZero)·(B - bZero) in int32, wrapping
// around. aZero holds one zero point, one for each of the m rows, or none (nil:
// zero); bZero likewise for the n columns.
func MulQuantized[A, B Byte](m, n, k int, a []A, lda int, aZero []A, b []B, ldb int, bZero []B, c []int32, ldc int) {
	checkMatrix("A", a, m, k, lda, false)
	checkMatrix("B", b, k, n, ldb, false)
	checkMatrix("C", c, m, n, ldc, false)
	checkZeroPoints("A", aZero, m)
	checkZeroPoints("B", bZero, n)
	if n == 0 {
		return
	}
	for i := range m {
		row := c[i*ldc:][:n]
		clear(row)
		zero, sum := zeroPoint(aZero, i), int32(0)
		for p := range k {
			x := int32(a[i*lda+p]) - zero
			sum += x
			for j, y := range b[p*ldb:][:n] {
				row[j] += x * int32(y)
			}
		}
		// Σ x·(y - zero) = Σ x·y - zero·Σ x.
		for j := range row {
			row[j] -= zeroPoint(bZero, j) * sum
		}
	}
}

func zeroPoint[T Byte](zero []T, i int) int32 {
	switch len(zero) {
	case 0:
		return 0
	case 1:
		return int32(zero[0])
	}
	return int32(zero[i])
}

func checkZeroPoints[T Byte](name string, zero []T, n int) {
	if len(zero) > 1 && len(zero) != n {
		panic(fmt.Sprintf("gemm: %s has %d zero points and needs 1 or %d", name, len(zero), n))
	}
}
