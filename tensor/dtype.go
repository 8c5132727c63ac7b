// Package tensor holds the values that models read and write: dense tensors
// of every ONNX element type, and the sequences, maps and optionals built of
// them. It computes nothing; engines do.
package tensor

import "fmt"

// DType is the type of a tensor's elements. The numbers are those of ONNX
// (TensorProto.DataType), so a file's field converts without a table.
type DType uint8

// The element types. Types narrower than a byte (Uint4, Int4, Uint2, Int2,
// Float4E2M1) occupy one byte an element in memory; only files pack them.
const (
	Undefined      DType = 0
	Float32        DType = 1
	Uint8          DType = 2
	Int8           DType = 3
	Uint16         DType = 4
	Int16          DType = 5
	Int32          DType = 6
	Int64          DType = 7
	String         DType = 8
	Bool           DType = 9
	Float16        DType = 10
	Float64        DType = 11
	Uint32         DType = 12
	Uint64         DType = 13
	Complex64      DType = 14
	Complex128     DType = 15
	BFloat16       DType = 16
	Float8E4M3FN   DType = 17
	Float8E4M3FNUZ DType = 18
	Float8E5M2     DType = 19
	Float8E5M2FNUZ DType = 20
	Uint4          DType = 21
	Int4           DType = 22
	Float4E2M1     DType = 23
	Float8E8M0     DType = 24
	Uint2          DType = 25
	Int2           DType = 26

	dtypeCount = 27
)

var dtypeNames = [dtypeCount]string{
	"undefined", "float32", "uint8", "int8", "uint16", "int16", "int32",
	"int64", "string", "bool", "float16", "float64", "uint32", "uint64",
	"complex64", "complex128", "bfloat16", "float8e4m3fn", "float8e4m3fnuz",
	"float8e5m2", "float8e5m2fnuz", "uint4", "int4", "float4e2m1",
	"float8e8m0", "uint2", "int2",
}

var dtypeSizes = [dtypeCount]uint8{
	0, 4, 1, 1, 2, 2, 4, 8, 0, 1, 2, 8, 4, 8, 8, 16, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
}

// String gives the name used on screen and in errors, "float32".
func (d DType) String() string {
	if int(d) < len(dtypeNames) {
		return dtypeNames[d]
	}
	return fmt.Sprintf("dtype(%d)", uint8(d))
}

// Valid says whether d is an element type that a tensor can have.
func (d DType) Valid() bool { return d > Undefined && d < dtypeCount }

// Size is the number of bytes of one element in memory; 0 for String.
func (d DType) Size() int {
	if int(d) < len(dtypeSizes) {
		return int(dtypeSizes[d])
	}
	return 0
}

// IsFloat says whether d is a floating-point type of any width.
func (d DType) IsFloat() bool {
	switch d {
	case Float32, Float64, Float16, BFloat16, Float8E4M3FN, Float8E4M3FNUZ,
		Float8E5M2, Float8E5M2FNUZ, Float4E2M1, Float8E8M0:
		return true
	}
	return false
}

// IsInteger says whether d is a signed or unsigned integer type; Bool is not.
func (d DType) IsInteger() bool { return d.IsSigned() || d.IsUnsigned() }

// IsSigned says whether d is a signed integer type.
func (d DType) IsSigned() bool {
	switch d {
	case Int8, Int16, Int32, Int64, Int4, Int2:
		return true
	}
	return false
}

// IsUnsigned says whether d is an unsigned integer type.
func (d DType) IsUnsigned() bool {
	switch d {
	case Uint8, Uint16, Uint32, Uint64, Uint4, Uint2:
		return true
	}
	return false
}

// Element types whose Go representation is their bit pattern.
type (
	Float16Bits  uint16 // IEEE 754 binary16
	BFloat16Bits uint16 // upper half of a binary32
	SmallBits    uint8  // the float8 and float4 formats
)

// Element is any Go type that a tensor's storage can be viewed as. The 4-bit
// and 2-bit integers are viewed as uint8 or int8.
type Element interface {
	float32 | float64 | int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 |
		bool | complex64 | complex128 | Float16Bits | BFloat16Bits | SmallBits
}

// Of is the DType that T stores; SmallBits has no single one and gives
// Undefined.
func Of[T Element | string]() DType {
	var zero T
	switch any(zero).(type) {
	case float32:
		return Float32
	case float64:
		return Float64
	case int8:
		return Int8
	case int16:
		return Int16
	case int32:
		return Int32
	case int64:
		return Int64
	case uint8:
		return Uint8
	case uint16:
		return Uint16
	case uint32:
		return Uint32
	case uint64:
		return Uint64
	case bool:
		return Bool
	case complex64:
		return Complex64
	case complex128:
		return Complex128
	case Float16Bits:
		return Float16
	case BFloat16Bits:
		return BFloat16
	case string:
		return String
	}
	return Undefined
}
