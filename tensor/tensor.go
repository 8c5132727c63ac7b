package tensor

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"unsafe"
)

// Tensor is a dense row-major array. A tensor of rank 0 holds one element.
// The zero Tensor is empty and can be given a shape with Reset.
//
// A Tensor is not safe for concurrent writes; readers may share it.
type Tensor struct {
	dtype   DType
	shape   []int
	n       int // number of elements, the product of shape
	raw     []byte
	strings []string
}

// ErrTooLarge says that a shape's element count or byte size does not fit.
var ErrTooLarge = errors.New("tensor is too large")

// New allocates a zeroed tensor. It panics on a negative dimension or a size
// that does not fit an int: check shapes from outside with Elements first.
func New(d DType, shape ...int) *Tensor {
	t := &Tensor{}
	t.Reset(d, shape...)
	t.Zero()
	return t
}

// Elements is the number of elements of a shape; an error when a dimension is
// negative or the product passes 2⁴⁸.
func Elements(shape []int) (int, error) {
	const limit = 1 << 48
	n := 1
	for _, d := range shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %v has a negative dimension", shape)
		}
		if d != 0 && n > limit/d {
			return 0, fmt.Errorf("shape %v: %w", shape, ErrTooLarge)
		}
		n *= d
	}
	return n, nil
}

// Reset gives t a type and shape, reusing its memory where that suffices. The
// elements are unspecified afterwards. It panics where New would.
func (t *Tensor) Reset(d DType, shape ...int) {
	n := mustElements(shape)
	if !d.Valid() {
		panic("tensor: reset to an invalid element type")
	}
	t.dtype, t.n = d, n
	t.shape = append(t.shape[:0], shape...)
	if d == String {
		t.raw = t.raw[:0]
		t.strings = slices.Grow(t.strings[:0], n)[:n]
		return
	}
	t.strings = t.strings[:0]
	if size := n * d.Size(); size <= cap(t.raw) {
		t.raw = t.raw[:size]
	} else {
		t.raw = aligned(size)
	}
}

// maxElements bounds what Reset allocates: 2⁴¹ elements.
const maxElements = 1 << 41

func mustElements(shape []int) int {
	n := uint64(1)
	for _, d := range shape {
		over, product := bits.Mul64(n, uint64(d))
		if d < 0 || over != 0 || product > maxElements {
			panic(badShape(slices.Clone(shape)))
		}
		n = product
	}
	return int(n)
}

func badShape(shape []int) error {
	if _, err := Elements(shape); err != nil {
		return err
	}
	return fmt.Errorf("shape %v: %w", shape, ErrTooLarge)
}

// aligned allocates bytes on an 8-byte boundary, so any element type fits.
func aligned(size int) []byte {
	if size == 0 {
		return []byte{}
	}
	words := make([]uint64, (size+7)/8)
	return unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), len(words)*8)[:size]
}

// View makes t another view of src's elements under a new shape of the same
// count, sharing memory. It panics when the counts differ.
func (t *Tensor) View(src *Tensor, shape ...int) {
	if n := mustElements(shape); n != src.n {
		panic(fmt.Errorf("cannot view %d elements as another shape with %d", src.n, n))
	}
	t.dtype, t.n, t.raw, t.strings = src.dtype, src.n, src.raw, src.strings
	t.shape = append(t.shape[:0], shape...)
}

// SetBuffer hands t memory to use from the next Reset on, so that tensors
// whose lives do not overlap can share one buffer.
func (t *Tensor) SetBuffer(buf []byte) { t.raw = buf[:0] }

// Buffer is t's memory at full capacity, for SetBuffer.
func (t *Tensor) Buffer() []byte { return t.raw[:cap(t.raw)] }

// DType is the type of t's elements.
func (t *Tensor) DType() DType { return t.dtype }

// Shape is t's shape. It must not be changed.
func (t *Tensor) Shape() []int { return t.shape }

// Rank is the number of dimensions.
func (t *Tensor) Rank() int { return len(t.shape) }

// Dim is dimension i; a negative i counts from the end.
func (t *Tensor) Dim(i int) int {
	if i < 0 {
		i += len(t.shape)
	}
	return t.shape[i]
}

// Len is the number of elements.
func (t *Tensor) Len() int { return t.n }

// Bytes is the storage of a tensor that does not hold strings: Len×Size bytes
// in the machine's order.
func (t *Tensor) Bytes() []byte { return t.raw }

// Strings is the storage of a String tensor, nil for any other.
func (t *Tensor) Strings() []string {
	if t.dtype != String {
		return nil
	}
	return t.strings
}

// Data views t's storage as elements of T. It panics when T's size is not
// that of t's element type: look at DType first.
func Data[T Element](t *Tensor) []T {
	var zero T
	if t.n == 0 {
		return nil
	}
	if int(unsafe.Sizeof(zero)) != t.dtype.Size() {
		panic(fmt.Errorf("a %v tensor does not hold %T", t.dtype, zero))
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(t.raw))), t.n)
}

// From makes a tensor of data, copying it. It panics when the shape does not
// have as many elements as data.
func From[T Element](data []T, shape ...int) *Tensor {
	return FromAs(Of[T](), data, shape...)
}

// FromAs is From with the element type given, for those that share a Go type
// (the float8 formats, the 4-bit integers).
func FromAs[T Element](d DType, data []T, shape ...int) *Tensor {
	t := &Tensor{}
	t.Reset(d, shape...)
	if t.n != len(data) {
		panic(fmt.Errorf("shape %v does not hold %d elements", slices.Clone(shape), len(data)))
	}
	copy(Data[T](t), data)
	return t
}

// FromStrings makes a String tensor of data, copying it.
func FromStrings(data []string, shape ...int) *Tensor {
	t := &Tensor{}
	t.Reset(String, shape...)
	if t.n != len(data) {
		panic(fmt.Errorf("shape %v does not hold %d elements", slices.Clone(shape), len(data)))
	}
	copy(t.strings, data)
	return t
}

// Scalar makes a tensor of rank 0.
func Scalar[T Element](v T) *Tensor { return From([]T{v}) }

// Zero sets every element to zero, or to the empty string.
func (t *Tensor) Zero() {
	clear(t.raw)
	clear(t.strings)
}

// CopyFrom makes t an independent copy of src, reusing t's memory.
func (t *Tensor) CopyFrom(src *Tensor) {
	t.Reset(src.dtype, src.shape...)
	copy(t.raw, src.raw)
	copy(t.strings, src.strings)
}

// Clone is an independent copy.
func (t *Tensor) Clone() *Tensor {
	c := &Tensor{}
	c.CopyFrom(t)
	return c
}

// Type gives t's type with every dimension known.
func (t *Tensor) Type() Type {
	dims := make([]Dim, len(t.shape))
	for i, d := range t.shape {
		dims[i] = Dim{Size: d}
	}
	return Type{Kind: KindTensor, Elem: t.dtype, Ranked: true, Dims: dims}
}

// String describes t without its elements: "float32[2,3]".
func (t *Tensor) String() string { return t.Type().String() }
