package elementwise

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// arithmetic is the table of a binary operator on all numbers.
func arithmetic(name string) table[binaryFn] {
	f32 := floatRow[float32](name)
	return table[binaryFn]{
		tensor.Float32:  binary(f32),
		tensor.Float64:  binary(floatRow[float64](name)),
		tensor.Float16:  binarySmall(f32),
		tensor.BFloat16: binarySmall(f32),
		tensor.Int8:     binary(intRow[int8](name)),
		tensor.Int16:    binary(intRow[int16](name)),
		tensor.Int32:    binary(intRow[int32](name)),
		tensor.Int64:    binary(intRow[int64](name)),
		tensor.Uint8:    binary(intRow[uint8](name)),
		tensor.Uint16:   binary(intRow[uint16](name)),
		tensor.Uint32:   binary(intRow[uint32](name)),
		tensor.Uint64:   binary(intRow[uint64](name)),
	}
}

func floatRow[T float](name string) binaryRow[T, T] {
	switch name {
	case "Mod":
		return each2(func(a, b T) T { return T(math.Mod(float64(a), float64(b))) })
	case "FloorMod":
		return each2(floorModFloat[T])
	}
	return numberRow[T](name)
}

func intRow[T integer](name string) binaryRow[T, T] {
	switch name {
	case "Mod":
		return each2(func(a, b T) T { return a % b })
	case "FloorMod":
		return each2(floorMod[T])
	}
	return numberRow[T](name)
}

func numberRow[T number](name string) binaryRow[T, T] {
	switch name {
	case "Add", "Sum", "Mean":
		return add[T]
	case "Sub":
		return sub[T]
	case "Mul":
		return mul[T]
	case "Div":
		return div[T]
	case "Max":
		return maximum[T]
	case "Min":
		return minimum[T]
	case "PRelu":
		return prelu[T]
	}
	panic("elementwise: no arithmetic named " + name)
}

func add[T number](dst, a, b []T) {
	switch {
	case len(b) == 1:
		addScalar(dst, a, b[0])
	case len(a) == 1:
		addScalar(dst, b, a[0])
	default:
		a, b = a[:len(dst)], b[:len(dst)]
		for i := range dst {
			dst[i] = a[i] + b[i]
		}
	}
}

func addScalar[T number](dst, a []T, s T) {
	if len(a) == 1 {
		dst[0] = a[0] + s
		return
	}
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = a[i] + s
	}
}

func mul[T number](dst, a, b []T) {
	switch {
	case len(b) == 1:
		mulScalar(dst, a, b[0])
	case len(a) == 1:
		mulScalar(dst, b, a[0])
	default:
		a, b = a[:len(dst)], b[:len(dst)]
		for i := range dst {
			dst[i] = a[i] * b[i]
		}
	}
}

func mulScalar[T number](dst, a []T, s T) {
	if len(a) == 1 {
		dst[0] = a[0] * s
		return
	}
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = a[i] * s
	}
}

func sub[T number](dst, a, b []T) {
	if len(a) == len(dst) && len(b) == len(dst) {
		a, b = a[:len(dst)], b[:len(dst)]
		for i := range dst {
			dst[i] = a[i] - b[i]
		}
		return
	}
	ma, mb := mask(a), mask(b)
	for i := range dst {
		dst[i] = a[i&ma] - b[i&mb]
	}
}

func div[T number](dst, a, b []T) {
	ma, mb := mask(a), mask(b)
	for i := range dst {
		dst[i] = a[i&ma] / b[i&mb]
	}
}

func maximum[T number](dst, a, b []T) {
	ma, mb := mask(a), mask(b)
	for i := range dst {
		dst[i] = max(a[i&ma], b[i&mb])
	}
}

func minimum[T number](dst, a, b []T) {
	ma, mb := mask(a), mask(b)
	for i := range dst {
		dst[i] = min(a[i&ma], b[i&mb])
	}
}

func prelu[T number](dst, a, b []T) {
	ma, mb := mask(a), mask(b)
	for i := range dst {
		v := a[i&ma]
		if v < 0 {
			v *= b[i&mb]
		}
		dst[i] = v
	}
}

// each2 makes a row function of a scalar one.
func each2[D, S any](f func(a, b S) D) binaryRow[D, S] {
	return func(dst []D, a, b []S) {
		ma, mb := mask(a), mask(b)
		for i := range dst {
			dst[i] = f(a[i&ma], b[i&mb])
		}
	}
}

// floorMod is the remainder with the divisor's sign.
func floorMod[T integer](a, b T) T {
	r := a % b
	if r != 0 && (r < 0) != (b < 0) {
		r += b
	}
	return r
}

// floorModFloat is floorMod for floats; a zero takes the divisor's sign too.
func floorModFloat[T float](a, b T) T {
	r := math.Mod(float64(a), float64(b))
	switch {
	case r == 0:
		r = math.Copysign(0, float64(b))
	case (r < 0) != (b < 0):
		r += float64(b)
	}
	return T(r)
}

// bitwise is the table of a binary operator on the integers' bits.
func bitwise(name string) table[binaryFn] {
	return table[binaryFn]{
		tensor.Int8:   binary(bitRow[int8](name)),
		tensor.Int16:  binary(bitRow[int16](name)),
		tensor.Int32:  binary(bitRow[int32](name)),
		tensor.Int64:  binary(bitRow[int64](name)),
		tensor.Uint8:  binary(bitRow[uint8](name)),
		tensor.Uint16: binary(bitRow[uint16](name)),
		tensor.Uint32: binary(bitRow[uint32](name)),
		tensor.Uint64: binary(bitRow[uint64](name)),
	}
}

// bitRow gives the row function of a bit operation. A shift by a negative
// count, seen as unsigned, moves every bit out, as the specification wants.
func bitRow[T integer](name string) binaryRow[T, T] {
	switch name {
	case "BitwiseAnd":
		return each2(func(a, b T) T { return a & b })
	case "BitwiseOr":
		return each2(func(a, b T) T { return a | b })
	case "BitwiseXor":
		return each2(func(a, b T) T { return a ^ b })
	case "ShiftLeft":
		return each2(func(a, b T) T { return a << uint64(b) })
	case "ShiftRight":
		return each2(func(a, b T) T { return a >> uint64(b) })
	}
	panic("elementwise: no bit operation named " + name)
}

// logical is the table of a binary operator on truth values.
func logical(name string) table[binaryFn] {
	var f func(a, b bool) bool
	switch name {
	case "And":
		f = func(a, b bool) bool { return a && b }
	case "Or":
		f = func(a, b bool) bool { return a || b }
	case "Xor":
		f = func(a, b bool) bool { return a != b }
	}
	return table[binaryFn]{tensor.Bool: binary(each2(f))}
}

// comparison is the table of a comparison; only Equal compares truth values
// and strings.
func comparison(name string) table[binaryFn] {
	f32 := compareRow[float32](name)
	t := table[binaryFn]{
		tensor.Float32:  binary(f32),
		tensor.Float64:  binary(compareRow[float64](name)),
		tensor.Float16:  compareSmall(f32),
		tensor.BFloat16: compareSmall(f32),
		tensor.Int8:     binary(compareRow[int8](name)),
		tensor.Int16:    binary(compareRow[int16](name)),
		tensor.Int32:    binary(compareRow[int32](name)),
		tensor.Int64:    binary(compareRow[int64](name)),
		tensor.Uint8:    binary(compareRow[uint8](name)),
		tensor.Uint16:   binary(compareRow[uint16](name)),
		tensor.Uint32:   binary(compareRow[uint32](name)),
		tensor.Uint64:   binary(compareRow[uint64](name)),
	}
	if name == "Equal" {
		t[tensor.Bool] = binary(equal[bool])
		t[tensor.String] = func(_ *op.Context, w *walk, out, a, b *tensor.Tensor) {
			eachRow(w, tensor.Data[bool](out), a.Strings(), b.Strings(), equal[string])
		}
	}
	return t
}

func compareRow[T number](name string) binaryRow[bool, T] {
	switch name {
	case "Equal":
		return equal[T]
	case "Less":
		return less[T]
	case "LessOrEqual":
		return lessOrEqual[T]
	case "Greater":
		return func(dst []bool, a, b []T) { less(dst, b, a) }
	case "GreaterOrEqual":
		return func(dst []bool, a, b []T) { lessOrEqual(dst, b, a) }
	}
	panic("elementwise: no comparison named " + name)
}

func equal[T comparable](dst []bool, a, b []T) {
	ma, mb := mask(a), mask(b)
	for i := range dst {
		dst[i] = a[i&ma] == b[i&mb]
	}
}

func less[T number](dst []bool, a, b []T) {
	ma, mb := mask(a), mask(b)
	for i := range dst {
		dst[i] = a[i&ma] < b[i&mb]
	}
}

func lessOrEqual[T number](dst []bool, a, b []T) {
	ma, mb := mask(a), mask(b)
	for i := range dst {
		dst[i] = a[i&ma] <= b[i&mb]
	}
}
