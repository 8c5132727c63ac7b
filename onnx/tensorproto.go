package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/greenlight-dev/greenlight/tensor"
)

// maxElements bounds every dimension and the product of those that are not
// zero, so that later arithmetic on shapes and sizes cannot overflow.
const maxElements = 1 << 40

// layout says how elements of one type stand in a TensorProto: the field of
// typed values, and the bits of one element in raw data.
type layout struct {
	field protowire.Number
	bits  int
}

// The fields of typed values.
const (
	floatData  protowire.Number = 4
	int32Data  protowire.Number = 5
	stringData protowire.Number = 6
	int64Data  protowire.Number = 7
	rawData    protowire.Number = 9
	doubleData protowire.Number = 10
	uint64Data protowire.Number = 11
)

var dataFieldNames = map[protowire.Number]string{
	floatData: "float_data", int32Data: "int32_data", stringData: "string_data", int64Data: "int64_data",
	rawData: "raw_data", doubleData: "double_data", uint64Data: "uint64_data",
}

func layoutOf(d tensor.DType) layout {
	bits := 8 * d.Size()
	switch d {
	case tensor.Float32, tensor.Complex64:
		return layout{floatData, bits}
	case tensor.Float64, tensor.Complex128:
		return layout{doubleData, bits}
	case tensor.Int64:
		return layout{int64Data, bits}
	case tensor.Uint32, tensor.Uint64:
		return layout{uint64Data, bits}
	case tensor.String:
		return layout{stringData, 0}
	case tensor.Int4, tensor.Uint4, tensor.Float4E2M1:
		return layout{int32Data, 4}
	case tensor.Int2, tensor.Uint2:
		return layout{int32Data, 2}
	}
	return layout{int32Data, bits}
}

// tensorProto is a TensorProto whose data has been found but not yet read.
type tensorProto struct {
	name     string
	dtype    tensor.DType
	dims     []int64
	shape    []int
	elements int
	message  []byte           // the whole TensorProto
	field    protowire.Number // where the data is, 0 when there is none
	values   int              // values in a typed field
	raw      []byte           // content of raw_data
	external map[string]string
	outside  bool // the data is in another file
}

// namedTensor reads a TensorProto. The name is given also with an error.
func (d *decoder) namedTensor(data []byte) (string, *tensor.Tensor, error) {
	p := &tensorProto{message: data}
	if err := d.tensorFields(p); err != nil {
		return peek(data, 8), nil, err
	}
	if err := d.checkShape(p); err != nil {
		return p.name, nil, err
	}
	t, err := d.tensorData(p)
	return p.name, t, err
}

func (d *decoder) tensorFields(p *tensorProto) error {
	w := d.walk(p.message)
	for w.next() {
		switch w.num {
		case 1:
			p.dims = w.ints("dims", p.dims)
			if len(p.dims) > d.limits.Rank {
				return fmt.Errorf("the tensor has more than %d dimensions", d.limits.Rank)
			}
		case 2:
			p.dtype = w.dtype("data_type")
		case 3:
			return errors.New("tensors in segments are not supported")
		case floatData, int32Data, stringData, int64Data, rawData, doubleData, uint64Data:
			w.err = p.countValues(w)
		case 8:
			p.name = w.name("name")
		case 13:
			if p.external == nil {
				p.external = map[string]string{}
			}
			w.message("external_data", func(b []byte) error { return d.property(b, p.external) })
		case 14:
			p.outside = w.int("data_location") == 1
		}
	}
	return w.err
}

// countValues notes a field of data: which one, and how many values it has.
func (p *tensorProto) countValues(w *walker) error {
	n, err := 1, error(nil)
	switch {
	case w.num == rawData:
		p.raw = w.bytes("raw_data")
		n = len(p.raw)
	case w.num == stringData:
		w.bytes("string_data")
	case w.typ == protowire.BytesType:
		n, err = packedValues(w.num, w.body)
	default:
		w.want(wireTypeOf(w.num), dataFieldNames[w.num])
	}
	switch {
	case w.err != nil || err != nil:
		return errors.Join(w.err, err)
	case n == 0:
		return nil
	case p.field != 0 && (p.field != w.num || w.num == rawData):
		return fmt.Errorf("its data is given twice, in %s and %s", dataFieldNames[p.field], dataFieldNames[w.num])
	}
	p.field = w.num
	p.values += n
	return nil
}

func wireTypeOf(field protowire.Number) protowire.Type {
	switch field {
	case floatData:
		return protowire.Fixed32Type
	case doubleData:
		return protowire.Fixed64Type
	}
	return protowire.VarintType
}

func packedValues(field protowire.Number, b []byte) (int, error) {
	size := 0
	switch wireTypeOf(field) {
	case protowire.Fixed32Type:
		size = 4
	case protowire.Fixed64Type:
		size = 8
	default:
		return countVarints(b), nil
	}
	if len(b)%size != 0 {
		return 0, fmt.Errorf("%s has %d bytes, not a multiple of %d", dataFieldNames[field], len(b), size)
	}
	return len(b) / size, nil
}

// checkShape turns the dimensions into a shape and counts the elements.
func (d *decoder) checkShape(p *tensorProto) error {
	if p.dtype == tensor.Undefined {
		return errors.New("the tensor has no element type")
	}
	var err error
	p.shape, p.elements, err = shapeOf(p.dims)
	return err
}

func shapeOf(dims []int64) (shape []int, elements int, err error) {
	shape = make([]int, len(dims))
	product, empty := int64(1), false
	for i, n := range dims {
		switch {
		case n < 0:
			return nil, 0, fmt.Errorf("shape %v has a negative dimension", dims)
		case n == 0:
			empty = true
		case product > maxElements/n:
			return nil, 0, fmt.Errorf("shape %v: %w", dims, tensor.ErrTooLarge)
		default:
			product *= n
		}
		shape[i] = int(n)
	}
	if empty {
		product = 0
	}
	return shape, int(product), nil
}

// tensorData makes the tensor. Memory is taken only once the data is known to
// be there.
func (d *decoder) tensorData(p *tensorProto) (*tensor.Tensor, error) {
	l := layoutOf(p.dtype)
	if p.outside {
		return d.externalTensor(p, l)
	}
	if p.field == rawData {
		return d.rawTensor(p, l)
	}
	if p.field != 0 && p.field != l.field {
		return nil, fmt.Errorf("%v elements cannot be given in %s", p.dtype, dataFieldNames[p.field])
	}
	if want := p.wantValues(l); p.values != want {
		return nil, fmt.Errorf("%s needs %d values, %s has %d", p, want, dataFieldNames[l.field], p.values)
	}
	t, err := d.newTensor(p)
	if err != nil {
		return nil, err
	}
	if p.dtype == tensor.String {
		return t, d.readStrings(p, t.Strings())
	}
	if wireTypeOf(l.field) == protowire.VarintType {
		return t, d.readVarints(p, l, t)
	}
	return t, d.readFixed(p, t.Bytes())
}

// String is the type of the tensor as error messages name it.
func (p *tensorProto) String() string { return fmt.Sprintf("%v%v", p.dtype, p.dims) }

// wantValues is how many values the typed field must have: two for a complex
// number, one for as many small elements as fill a byte.
func (p *tensorProto) wantValues(l layout) int {
	switch {
	case p.dtype == tensor.Complex64 || p.dtype == tensor.Complex128:
		return 2 * p.elements
	case l.bits > 0 && l.bits < 8:
		return rawBytes(p.elements, l)
	}
	return p.elements
}

func rawBytes(elements int, l layout) int { return (elements*l.bits + 7) / 8 }

// newTensor allocates for p and counts the bytes against the limit.
func (d *decoder) newTensor(p *tensorProto) (*tensor.Tensor, error) {
	// Strings are counted as they are read; their size in memory is 0 here.
	if err := d.reserve(int64(p.elements) * int64(p.dtype.Size())); err != nil {
		return nil, fmt.Errorf("%s: %w", p, err)
	}
	t := &tensor.Tensor{}
	t.Reset(p.dtype, p.shape...)
	return t, nil
}

func (d *decoder) reserve(bytes int64) error {
	if d.tensorBytes += bytes; d.tensorBytes > d.limits.TensorBytes {
		return fmt.Errorf("the model's tensors take more than the %d bytes allowed", d.limits.TensorBytes)
	}
	return nil
}

// rawTensor copies raw data. Files are little-endian, as is every machine the
// project is built for.
func (d *decoder) rawTensor(p *tensorProto, l layout) (*tensor.Tensor, error) {
	if p.dtype == tensor.String {
		return nil, errors.New("strings cannot be given in raw_data")
	}
	if want := rawBytes(p.elements, l); len(p.raw) != want {
		return nil, fmt.Errorf("%s needs %d bytes, raw_data has %d", p, want, len(p.raw))
	}
	t, err := d.newTensor(p)
	if err != nil {
		return nil, err
	}
	packed := t.Bytes()[len(t.Bytes())-len(p.raw):]
	copy(packed, p.raw)
	settleRaw(t, l, packed)
	return t, nil
}

// settleRaw makes t's elements of file bytes that stand at the end of t's
// memory: it spreads small elements to a byte each, and makes booleans valid.
func settleRaw(t *tensor.Tensor, l layout, packed []byte) {
	switch {
	case l.bits < 8:
		unpack(t, l, packed)
	case t.DType() == tensor.Bool:
		for i, b := range packed {
			if b != 0 {
				packed[i] = 1
			}
		}
	}
}

// unpack spreads elements narrower than a byte over t, the first one from the
// lowest bits. Packed may be the end of t's own memory: the position read is
// never behind the one written.
func unpack(t *tensor.Tensor, l layout, packed []byte) {
	perByte := 8 / l.bits
	signed := t.DType().IsSigned()
	dst := t.Bytes()
	for i, j := 0, 0; i < len(dst); j++ {
		b := packed[j]
		for range min(perByte, len(dst)-i) {
			dst[i] = spread(b, l.bits, signed)
			b >>= l.bits
			i++
		}
	}
}

// spread gives the low bits of b as a byte, sign-extended if signed.
func spread(b byte, bits int, signed bool) byte {
	shift := 8 - bits
	if signed {
		return byte(int8(b<<shift) >> shift)
	}
	return b << shift >> shift
}

func (d *decoder) readStrings(p *tensorProto, dst []string) error {
	w := d.walk(p.message)
	for i := 0; w.next(); {
		if w.num == stringData {
			dst[i] = w.string("string_data")
			i++
		}
	}
	return w.err
}

// readFixed copies float_data or double_data, which stand in the file as they
// do in memory.
func (d *decoder) readFixed(p *tensorProto, dst []byte) error {
	w := d.walk(p.message)
	for w.next() {
		if w.num != p.field {
			continue
		}
		switch w.typ {
		case protowire.BytesType:
			dst = dst[copy(dst, w.body):]
		case protowire.Fixed32Type:
			binary.LittleEndian.PutUint32(dst, uint32(w.bits))
			dst = dst[4:]
		default:
			binary.LittleEndian.PutUint64(dst, w.bits)
			dst = dst[8:]
		}
	}
	return w.err
}

// readVarints reads int32_data, int64_data or uint64_data.
func (d *decoder) readVarints(p *tensorProto, l layout, t *tensor.Tensor) error {
	dst, size := t.Bytes(), p.dtype.Size()
	if l.bits < 8 {
		dst = dst[len(dst)-p.values:]
	}
	i := 0
	store := func(v int64) error {
		if p.field == int32Data {
			v = int64(int32(v))
		}
		if !fits(p.dtype, v) {
			return fmt.Errorf("%s: value %d is %d, which does not fit", p, i, v)
		}
		putInt(dst[i*size:], size, v)
		i++
		return nil
	}
	w := d.walk(p.message)
	for w.next() {
		if w.num == p.field {
			w.eachInt(dataFieldNames[p.field], store)
		}
	}
	if w.err == nil {
		settleRaw(t, l, dst)
	}
	return w.err
}

// fits says whether an element of type d can have the value (for types
// narrower than a byte: whether the value can be a byte of packed elements).
// The floating-point types are given by their bits.
func fits(d tensor.DType, v int64) bool {
	switch d {
	case tensor.Int64, tensor.Uint64, tensor.Int32:
		return true
	case tensor.Int16:
		return v == int64(int16(v))
	case tensor.Int8:
		return v == int64(int8(v))
	case tensor.Uint32:
		return v >= 0 && v <= math.MaxUint32
	case tensor.Uint16, tensor.Float16, tensor.BFloat16:
		return v >= 0 && v <= math.MaxUint16
	case tensor.Int4, tensor.Int2:
		return v >= math.MinInt8 && v <= math.MaxUint8
	}
	return v >= 0 && v <= math.MaxUint8
}

func putInt(dst []byte, size int, v int64) {
	switch size {
	case 1:
		dst[0] = byte(v)
	case 2:
		binary.LittleEndian.PutUint16(dst, uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(dst, uint32(v))
	default:
		binary.LittleEndian.PutUint64(dst, uint64(v))
	}
}
