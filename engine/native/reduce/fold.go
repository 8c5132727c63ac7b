package reduce

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/numeric"
)

type (
	float   = numeric.Float
	integer = numeric.Integer
	number  = numeric.Number
)

// term is what a reduction does with each element.
type term uint8

const (
	sum term = iota
	sumAbs
	sumSquare
	product
	maximum
	minimum
)

// fold reduces src into acc, which holds the identity element at first. Each
// result is folded in one fixed order, whatever else is computed beside it.
// Sums of floats keep their accuracy when A is float64.
func fold[A, T number](t term, l *layout, acc []A, src []T) {
	if len(src) == 0 {
		return
	}
	block, at := l.kept*l.reduced, 0
	for b := range l.blocks {
		s := src[b*block : (b+1)*block]
		if a := acc[at : at+l.kept]; l.lastReduced {
			foldRows(t, a, s, l.reduced)
		} else {
			foldColumns(t, a, s)
		}
		at = l.next(at)
	}
}

// foldRows folds each row of n elements into one element of acc.
func foldRows[A, T number](t term, acc []A, src []T, n int) {
	for i := range acc {
		row := src[i*n : (i+1)*n]
		switch t {
		case sum:
			acc[i] += rowSum[A](row)
		case sumAbs:
			acc[i] += rowSumAbs[A](row)
		case sumSquare:
			acc[i] += rowSumSquare[A](row)
		case product:
			acc[i] *= rowProduct[A](row)
		case maximum:
			acc[i] = rowMax(acc[i], row)
		case minimum:
			acc[i] = rowMin(acc[i], row)
		}
	}
}

// Four partial sums: an addition need not wait for the one before.
func rowSum[A, T number](row []T) A {
	var a, b, c, d A
	for ; len(row) >= 4; row = row[4:] {
		a += A(row[0])
		b += A(row[1])
		c += A(row[2])
		d += A(row[3])
	}
	for _, v := range row {
		a += A(v)
	}
	return (a + b) + (c + d)
}

func rowSumSquare[A, T number](row []T) A {
	var a, b, c, d A
	for ; len(row) >= 4; row = row[4:] {
		a += A(row[0]) * A(row[0])
		b += A(row[1]) * A(row[1])
		c += A(row[2]) * A(row[2])
		d += A(row[3]) * A(row[3])
	}
	for _, v := range row {
		a += A(v) * A(v)
	}
	return (a + b) + (c + d)
}

func rowSumAbs[A, T number](row []T) A {
	var a A
	for _, v := range row {
		a += abs(A(v))
	}
	return a
}

func rowProduct[A, T number](row []T) A {
	a := A(1)
	for _, v := range row {
		a *= A(v)
	}
	return a
}

// rowMax is the largest of m and row; NaN if there is one.
func rowMax[A, T number](m A, row []T) A {
	for _, v := range row {
		if a := A(v); a > m || a != a {
			m = a
		}
	}
	return m
}

func rowMin[A, T number](m A, row []T) A {
	for _, v := range row {
		if a := A(v); a < m || a != a {
			m = a
		}
	}
	return m
}

// foldColumns folds rows as wide as acc into it, element by element.
func foldColumns[A, T number](t term, acc []A, src []T) {
	if len(acc) == 0 {
		return
	}
	for n := len(acc); len(src) >= n; src = src[n:] {
		row := src[:n]
		switch t {
		case sum:
			addTo(acc, row)
		case sumAbs:
			addAbsTo(acc, row)
		case sumSquare:
			addSquareTo(acc, row)
		case product:
			multiplyTo(acc, row)
		case maximum:
			maxTo(acc, row)
		case minimum:
			minTo(acc, row)
		}
	}
}

func addTo[A, T number](acc []A, row []T) {
	for i, v := range row {
		acc[i] += A(v)
	}
}

func addAbsTo[A, T number](acc []A, row []T) {
	for i, v := range row {
		acc[i] += abs(A(v))
	}
}

func addSquareTo[A, T number](acc []A, row []T) {
	for i, v := range row {
		acc[i] += A(v) * A(v)
	}
}

func multiplyTo[A, T number](acc []A, row []T) {
	for i, v := range row {
		acc[i] *= A(v)
	}
}

func maxTo[A, T number](acc []A, row []T) {
	for i, v := range row {
		if a := A(v); a > acc[i] || a != a {
			acc[i] = a
		}
	}
}

func minTo[A, T number](acc []A, row []T) {
	for i, v := range row {
		if a := A(v); a < acc[i] || a != a {
			acc[i] = a
		}
	}
}

// foldExp adds e^(x-shift) of every element to acc; shift has acc's layout.
func foldExp[T float](l *layout, acc, shift []float64, src []T) {
	if len(src) == 0 {
		return
	}
	block, at := l.kept*l.reduced, 0
	for b := range l.blocks {
		for j, v := range src[b*block : (b+1)*block] {
			k := at + l.place(j)
			acc[k] += math.Exp(float64(v) - shift[k])
		}
		at = l.next(at)
	}
}

func abs[A number](v A) A {
	if v < 0 {
		return -v
	}
	return v
}

func fill[T any](dst []T, v T) {
	for i := range dst {
		dst[i] = v
	}
}
