package elementwise

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// castKernel converts to one element type, or to that of input 1.
type castKernel struct {
	to       tensor.DType // Undefined: the type of input 1
	saturate bool
	mode     tensor.RoundMode
}

func castDef() op.Def {
	return op.Def{
		Name:  "Cast",
		Since: 6, // before, the type was given by name
		Types: []op.TypeSet{castable},
		Infer: inferCast,
		Build: buildCast,
	}
}

func castLikeDef() op.Def {
	return op.Def{
		Name:  "CastLike",
		Types: []op.TypeSet{castable, castable},
		Infer: func(n *op.Node) error {
			inferAs(n, n.Elem(1))
			return nil
		},
		Build: buildCastLike,
	}
}

func bitCastDef() op.Def {
	return op.Def{Name: "BitCast", Infer: inferCast, Build: buildBitCast}
}

// castable are all element types but the complex ones.
var castable = op.TypeSet{
	tensor.Float32, tensor.Float64, tensor.Float16, tensor.BFloat16,
	tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64,
	tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64,
	tensor.Bool, tensor.String, tensor.Int4, tensor.Uint4, tensor.Int2, tensor.Uint2,
	tensor.Float8E4M3FN, tensor.Float8E4M3FNUZ, tensor.Float8E5M2, tensor.Float8E5M2FNUZ,
	tensor.Float4E2M1, tensor.Float8E8M0,
}

// inferAs gives output 0 the shape of input 0 with elements d.
func inferAs(n *op.Node, d tensor.DType) {
	t := n.Arg(0).Type
	t.Kind, t.Elem = tensor.KindTensor, d
	n.SetOut(0, t)
}

func inferCast(n *op.Node) error {
	to, err := targetType(n.ReadAttrs())
	if err == nil {
		inferAs(n, to)
	}
	return err
}

// targetType reads the attribute "to".
func targetType(attrs *op.Attrs) (tensor.DType, error) {
	to := attrs.Int("to", 0)
	if err := attrs.Err(); err != nil {
		return 0, err
	}
	if to < 0 || to > math.MaxUint8 || !tensor.DType(to).Valid() {
		return 0, op.Errorf("attribute \"to\" is %d, which is no element type this engine knows", to)
	}
	return tensor.DType(to), nil
}

func buildCast(n *op.Node) (op.Kernel, error) {
	to, err := targetType(n.ReadAttrs())
	if err != nil {
		return nil, err
	}
	if !castable.Has(to) {
		return nil, op.Errorf("cannot cast to %v", to)
	}
	k, err := newCast(n)
	k.to = to
	return k, err
}

func buildCastLike(n *op.Node) (op.Kernel, error) { return newCast(n) }

func newCast(n *op.Node) (*castKernel, error) {
	attrs := n.ReadAttrs()
	k := &castKernel{saturate: attrs.Bool("saturate", true)}
	switch mode := attrs.String("round_mode", "up"); mode {
	case "up":
		k.mode = tensor.RoundUp
	case "down":
		k.mode = tensor.RoundDown
	case "nearest":
		k.mode = tensor.RoundNearest
	default:
		return k, op.Errorf("attribute \"round_mode\" is %q, want up, down or nearest", mode)
	}
	return k, attrs.Err()
}

func (k *castKernel) Run(c *op.Context) error {
	in, to := c.T(0), k.to
	if to == tensor.Undefined {
		to = c.T(1).DType()
	}
	out := c.OutLike(0, to, in)
	switch {
	case in.DType() == to:
		copy(out.Bytes(), in.Bytes())
		copy(out.Strings(), in.Strings())
		return nil
	case in.DType() == tensor.String:
		return k.parse(c, out, in.Strings())
	case to == tensor.String:
		format(out.Strings(), in)
		return nil
	}
	k.convert(c, out, widen(c, in))
	return nil
}

// source is a tensor to convert. Elements of the formats that Go does not
// have are already widened to float32.
type source struct {
	*tensor.Tensor
	wide []float32
}

// single gives the elements when float32 holds them, else nil.
func (s source) single() []float32 {
	if s.DType() == tensor.Float32 {
		return tensor.Data[float32](s.Tensor)
	}
	return s.wide
}

func widen(c *op.Context, in *tensor.Tensor) source {
	switch d := in.DType(); {
	case d == tensor.Float16 || d == tensor.BFloat16:
		return source{in, op.Float32s(c, 0, in)}
	case d.IsSmallFloat():
		wide := op.Scratch[float32](c, 0, in.Len())
		values := tensor.SmallValues(d)
		for i, code := range tensor.Data[tensor.SmallBits](in) {
			wide[i] = values[code]
		}
		return source{in, wide}
	}
	return source{Tensor: in}
}

// convert fills out, whose type is not that of the source, from numbers.
func (k *castKernel) convert(c *op.Context, out *tensor.Tensor, in source) {
	switch to := out.DType(); to {
	case tensor.Float32:
		read(tensor.Data[float32](out), in)
	case tensor.Float64:
		read(tensor.Data[float64](out), in)
	case tensor.Int8:
		read(tensor.Data[int8](out), in)
	case tensor.Int16:
		read(tensor.Data[int16](out), in)
	case tensor.Int32:
		read(tensor.Data[int32](out), in)
	case tensor.Int64:
		read(tensor.Data[int64](out), in)
	case tensor.Uint8:
		read(tensor.Data[uint8](out), in)
	case tensor.Uint16:
		read(tensor.Data[uint16](out), in)
	case tensor.Uint32:
		read(tensor.Data[uint32](out), in)
	case tensor.Uint64:
		read(tensor.Data[uint64](out), in)
	case tensor.Float16, tensor.BFloat16:
		if single := in.single(); single != nil {
			op.WriteFloat32s(out, single)
			return
		}
		k.round(c, out, in)
	case tensor.Int4, tensor.Int2, tensor.Uint4, tensor.Uint2:
		read(tensor.Data[int8](out), in)
		narrow(tensor.Data[uint8](out), to)
	default:
		k.round(c, out, in)
	}
}

// round fills out, of a type that Go does not have or bool, by way of
// float64, which holds every float exactly.
func (k *castKernel) round(c *op.Context, out *tensor.Tensor, in source) {
	x := op.Scratch[float64](c, 1, in.Len())
	read(x, in)
	switch to := out.DType(); to {
	case tensor.Bool:
		dst := tensor.Data[bool](out)
		for i, v := range x {
			dst[i] = v != 0
		}
	case tensor.Float16:
		dst := tensor.Data[tensor.Float16Bits](out)
		for i, v := range x {
			dst[i] = tensor.ToFloat16(roundToOdd(v))
		}
	case tensor.BFloat16:
		dst := tensor.Data[tensor.BFloat16Bits](out)
		for i, v := range x {
			dst[i] = tensor.ToBFloat16(roundToOdd(v))
		}
	case tensor.Float8E8M0:
		dst := tensor.Data[tensor.SmallBits](out)
		for i, v := range x {
			dst[i] = tensor.ToFloat8E8M0(v, k.saturate, k.mode)
		}
	default:
		dst := tensor.Data[tensor.SmallBits](out)
		for i, v := range x {
			dst[i] = tensor.ToSmall(to, v, k.saturate)
		}
	}
}

// roundToOdd converts to float32 such that a further rounding to a narrower
// format gives what rounding v itself would: an inexact result has its last
// bit set (S. Boldo and G. Melquiond, "Emulation of a FMA and correctly
// rounded sums", 2008).
func roundToOdd(v float64) float32 {
	f := float32(v)
	if float64(f) == v || v != v || math.Float32bits(f)&1 != 0 {
		return f
	}
	if (float64(f) < v) == (v > 0) {
		return math.Float32frombits(math.Float32bits(f) + 1)
	}
	return math.Float32frombits(math.Float32bits(f) - 1)
}

// read converts any numeric source to a type of Go. Integers that do not fit
// lose their high bits; floats out of an integer's range give some number.
func read[D number](dst []D, in source) {
	switch in.DType() {
	case tensor.Float32:
		convertRow(dst, tensor.Data[float32](in.Tensor))
	case tensor.Float64:
		convertRow(dst, tensor.Data[float64](in.Tensor))
	case tensor.Int8, tensor.Int4, tensor.Int2:
		convertRow(dst, tensor.Data[int8](in.Tensor))
	case tensor.Int16:
		convertRow(dst, tensor.Data[int16](in.Tensor))
	case tensor.Int32:
		convertRow(dst, tensor.Data[int32](in.Tensor))
	case tensor.Int64:
		convertRow(dst, tensor.Data[int64](in.Tensor))
	case tensor.Uint8, tensor.Uint4, tensor.Uint2:
		convertRow(dst, tensor.Data[uint8](in.Tensor))
	case tensor.Uint16:
		convertRow(dst, tensor.Data[uint16](in.Tensor))
	case tensor.Uint32:
		convertRow(dst, tensor.Data[uint32](in.Tensor))
	case tensor.Uint64:
		convertRow(dst, tensor.Data[uint64](in.Tensor))
	case tensor.Bool:
		for i, v := range tensor.Data[bool](in.Tensor) {
			dst[i] = 0
			if v {
				dst[i] = 1
			}
		}
	default:
		convertRow(dst, in.wide)
	}
}

func convertRow[D, S number](dst []D, src []S) {
	for i, v := range src[:len(dst)] {
		dst[i] = D(v)
	}
}

// narrow keeps the low bits that a 4-bit or 2-bit integer has, with its sign.
func narrow(data []uint8, d tensor.DType) {
	bits := 4
	if d == tensor.Int2 || d == tensor.Uint2 {
		bits = 2
	}
	shift := 8 - bits
	if d.IsSigned() {
		for i, v := range data {
			data[i] = uint8(int8(v<<shift) >> shift)
		}
		return
	}
	for i, v := range data {
		data[i] = v << shift >> shift
	}
}

// width is the number of bits of one element as the specification counts
// them; 0 for strings.
func width(d tensor.DType) int {
	switch d {
	case tensor.Int4, tensor.Uint4, tensor.Float4E2M1:
		return 4
	case tensor.Int2, tensor.Uint2:
		return 2
	}
	return 8 * d.Size()
}

func buildBitCast(n *op.Node) (op.Kernel, error) {
	to, err := targetType(n.ReadAttrs())
	if err != nil {
		return nil, err
	}
	return op.Func(func(c *op.Context) error { return bitCast(c, to) }), nil
}

func bitCast(c *op.Context, to tensor.DType) error {
	in := c.T(0)
	bits := width(to)
	if bits != width(in.DType()) || bits == 0 {
		return op.Errorf("cannot reinterpret %v as %v: the sizes differ", in.DType(), to)
	}
	out := c.OutLike(0, to, in)
	copy(out.Bytes(), in.Bytes())
	if bits < 8 {
		narrow(out.Bytes(), to)
	}
	return nil
}
