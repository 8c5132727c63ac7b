package onnx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// decoder carries what one file may still use up.
type decoder struct {
	limits      Limits
	external    *externalData
	ir          int64
	messages    int
	nodes       int
	tensorBytes int64
	sparseBytes int64
	short       map[string]string // see walker.string
}

func newDecoder(limits Limits) *decoder {
	return &decoder{limits: limits.withDefaults(), external: &externalData{}, short: map[string]string{}}
}

// walker steps through the fields of one protobuf message. After a failure
// next returns false, the getters return zero, and err tells why.
type walker struct {
	d    *decoder
	rest []byte
	num  protowire.Number
	typ  protowire.Type
	body []byte // of a length-delimited field
	bits uint64 // of any other
	err  error
}

func (d *decoder) walk(data []byte) *walker { return &walker{d: d, rest: data} }

// next moves to the next field and says whether there is one.
func (w *walker) next() bool {
	if w.err != nil || len(w.rest) == 0 {
		return false
	}
	num, typ, n := protowire.ConsumeTag(w.rest)
	if n < 0 {
		w.err = wireError("a field's tag", n)
		return false
	}
	w.num, w.typ = num, typ
	return w.step(n)
}

// step moves past a tag of the given length and the value after it.
func (w *walker) step(tag int) bool {
	w.rest = w.rest[tag:]
	n := w.value()
	if n < 0 {
		w.err = wireError(fmt.Sprintf("field %d", w.num), n)
		return false
	}
	w.rest = w.rest[n:]
	return true
}

// value reads the value after a tag and gives its length, negative on error.
func (w *walker) value() (n int) {
	switch w.typ {
	case protowire.VarintType:
		w.bits, n = protowire.ConsumeVarint(w.rest)
	case protowire.Fixed32Type:
		var v uint32
		v, n = protowire.ConsumeFixed32(w.rest)
		w.bits = uint64(v)
	case protowire.Fixed64Type:
		w.bits, n = protowire.ConsumeFixed64(w.rest)
	case protowire.BytesType:
		w.body, n = protowire.ConsumeBytes(w.rest)
	default: // groups, which ONNX does not use, are skipped
		n = protowire.ConsumeFieldValue(w.num, w.typ, w.rest)
	}
	return n
}

func wireError(what string, code int) error {
	err := protowire.ParseError(code)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s is cut off: the file is truncated or not protobuf", what)
	}
	return fmt.Errorf("%s is not protobuf: %w", what, err)
}

var wireTypeNames = map[protowire.Type]string{
	protowire.VarintType: "a varint", protowire.Fixed32Type: "4 bytes",
	protowire.Fixed64Type: "8 bytes", protowire.BytesType: "a length-delimited value",
	protowire.StartGroupType: "a group", protowire.EndGroupType: "a group's end",
}

// want checks the field's encoding; field is its name in the ONNX schema.
func (w *walker) want(typ protowire.Type, field string) bool {
	if w.err == nil && w.typ != typ {
		w.err = fmt.Errorf("%s is encoded as %s, not as %s", field, wireTypeNames[w.typ], wireTypeNames[typ])
	}
	return w.err == nil
}

func (w *walker) bytes(field string) []byte {
	if !w.want(protowire.BytesType, field) {
		return nil
	}
	return w.body
}

func (w *walker) int(field string) int64 {
	if !w.want(protowire.VarintType, field) {
		return 0
	}
	return int64(w.bits)
}

func (w *walker) float(field string) float32 {
	if !w.want(protowire.Fixed32Type, field) {
		return 0
	}
	return math.Float32frombits(uint32(w.bits))
}

// name reads text that identifies something: valid UTF-8 of bounded length.
func (w *walker) name(field string) string {
	b := w.bytes(field)
	switch {
	case len(b) > w.d.limits.NameBytes:
		w.err = fmt.Errorf("%s has %d bytes, more than the %d allowed", field, len(b), w.d.limits.NameBytes)
		return ""
	case !utf8.Valid(b):
		w.err = fmt.Errorf("%s %q is not valid UTF-8", field, b)
		return ""
	}
	if w.err == nil {
		w.err = w.d.countMessage()
	}
	return string(b)
}

// text reads documentation, where a bad character is no reason to refuse.
func (w *walker) text(field string) string {
	return strings.ToValidUTF8(string(w.bytes(field)), "\uFFFD")
}

// message hands the field's bytes to read and counts them against the limit.
func (w *walker) message(field string, read func([]byte) error) {
	b := w.bytes(field)
	if w.err != nil {
		return
	}
	if w.err = w.d.countMessage(); w.err == nil {
		w.err = read(b)
	}
}

// string reads text that is data: any bytes, counted with the tensors. Short
// ones are shared, since lists such as the modes of a tree's nodes repeat a
// few of them very often.
func (w *walker) string(field string) string {
	b := w.bytes(field)
	if w.err == nil {
		w.err = w.d.reserve(int64(16 + len(b)))
	}
	if len(b) > 32 {
		return string(b)
	}
	s, ok := w.d.short[string(b)]
	if !ok {
		s = string(b)
		if len(w.d.short) < 256 {
			w.d.short[s] = s
		}
	}
	return s
}

// strings appends a repeated field of text that is data.
func (w *walker) strings(field string, dst []string) []string {
	dst = slices.Grow(dst, 1+w.run())
	for more := true; more; more = w.again() {
		dst = append(dst, w.string(field))
	}
	return dst
}

func (d *decoder) countMessage() error {
	d.messages++
	if d.messages > d.limits.Messages {
		return fmt.Errorf("the file has more than %d parts", d.limits.Messages)
	}
	return nil
}

// again moves to the next field if it has the same tag. Lists that are not
// packed, which is how proto2 writes them, are long runs of one tag.
func (w *walker) again() bool {
	if w.err != nil || !w.sameTag(w.rest) {
		return false
	}
	return w.step(1)
}

// sameTag says whether data starts with the current field's tag; only tags of
// one byte, those of the first 15 fields, are looked for.
func (w *walker) sameTag(data []byte) bool {
	return len(data) > 0 && w.num <= 15 && data[0] == byte(w.num)<<3|byte(w.typ)
}

// run counts the fields that again would move to.
func (w *walker) run() int {
	n := 0
	for data := w.rest; w.sameTag(data); n++ {
		size := protowire.ConsumeFieldValue(w.num, w.typ, data[1:])
		if size < 0 {
			break
		}
		data = data[1+size:]
	}
	return n
}

// eachInt calls visit for the values of a repeated integer field, packed or
// not.
func (w *walker) eachInt(field string, visit func(int64) error) {
	if w.typ != protowire.BytesType {
		for more := true; more; more = w.again() {
			if v := w.int(field); w.err == nil {
				w.err = visit(v)
			}
		}
		return
	}
	for b := w.body; len(b) > 0 && w.err == nil; {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			w.err = wireError(field, n)
			return
		}
		w.err = visit(int64(v))
		b = b[n:]
	}
}

// ints appends a repeated integer field.
func (w *walker) ints(field string, dst []int64) []int64 {
	n := 0
	if w.typ == protowire.BytesType {
		n = countVarints(w.body)
	} else {
		n = 1 + w.run()
	}
	dst = slices.Grow(dst, n)
	w.eachInt(field, func(v int64) error {
		dst = append(dst, v)
		return nil
	})
	return dst
}

// floats appends a repeated float field, packed or not.
func (w *walker) floats(field string, dst []float32) []float32 {
	if w.typ != protowire.BytesType {
		dst = slices.Grow(dst, 1+w.run())
		for more := true; more; more = w.again() {
			dst = append(dst, w.float(field))
		}
		return dst
	}
	if len(w.body)%4 != 0 {
		w.err = fmt.Errorf("%s has %d bytes, not a multiple of 4", field, len(w.body))
		return dst
	}
	dst = slices.Grow(dst, len(w.body)/4)
	for b := w.body; len(b) > 0; b = b[4:] {
		dst = append(dst, math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return dst
}

// countVarints counts the integers of a packed field: each ends in a byte
// without the continuation bit.
func countVarints(b []byte) int {
	n := 0
	for _, c := range b {
		if c < 0x80 {
			n++
		}
	}
	return n
}

// peek finds the last text of a field for an error message, in a message that
// may be broken anywhere.
func peek(data []byte, num protowire.Number) string {
	w := walker{rest: data}
	found := ""
	for w.next() {
		if w.num == num && w.typ == protowire.BytesType {
			found = shorten(string(w.body))
		}
	}
	return found
}

func shorten(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
