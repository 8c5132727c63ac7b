package quant

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// quantized are the element types that real numbers are quantized to.
var quantized = op.TypeSet{
	tensor.Int8, tensor.Uint8, tensor.Int16, tensor.Uint16,
	tensor.Int4, tensor.Uint4, tensor.Int2, tensor.Uint2,
	tensor.Float8E4M3FN, tensor.Float8E4M3FNUZ, tensor.Float8E5M2, tensor.Float8E5M2FNUZ,
	tensor.Float4E2M1,
}

var (
	realTypes    = op.TypeSet{tensor.Float32, tensor.Float16, tensor.BFloat16, tensor.Int32}
	scaleTypes   = append(op.TypeSet{tensor.Float8E8M0}, realTypes...)
	dequantTypes = append(op.TypeSet{tensor.Int32}, quantized...)
)

func linearOps() []op.Def {
	return append(op.Require(2, scaledDefs()...), op.Require(1, op.Def{
		Name:  "DynamicQuantizeLinear",
		Types: []op.TypeSet{{tensor.Float32}},
		Infer: inferDynamic,
		Build: op.Simple(dynamicQuantize),
	})...)
}

func scaledDefs() []op.Def {
	return []op.Def{
		{
			Name:  "QuantizeLinear",
			Types: []op.TypeSet{realTypes, scaleTypes, quantized},
			Infer: inferQuantize,
			Build: buildQuantize,
		},
		{
			Name:  "DequantizeLinear",
			Types: []op.TypeSet{dequantTypes, scaleTypes, dequantTypes},
			Infer: inferDequantize,
			Build: buildDequantize,
		},
	}
}

// linear is what QuantizeLinear and DequantizeLinear read from their node.
type linear struct {
	axis, block int
	out         tensor.DType // output_dtype; Undefined when not given
	precision   tensor.DType // of the division; Undefined when not given
	saturate    bool
}

func readLinear(n *op.Node) (*linear, error) {
	attrs := n.ReadAttrs()
	k := &linear{
		axis:     attrs.Int("axis", 1),
		block:    attrs.Int("block_size", 0),
		saturate: attrs.Bool("saturate", true),
	}
	out, precision := attrs.Int("output_dtype", 0), attrs.Int("precision", 0)
	if err := attrs.Err(); err != nil {
		return nil, err
	}
	for _, d := range []int{out, precision} {
		if d != 0 && (d < 0 || d > math.MaxUint8 || !tensor.DType(d).Valid()) {
			return nil, op.Errorf("attribute \"output_dtype\" or \"precision\" is %d, which is no element type this engine knows", d)
		}
	}
	k.out, k.precision = tensor.DType(out), tensor.DType(precision)
	if k.block < 0 || k.block > math.MaxInt32 {
		return nil, op.Errorf("attribute \"block_size\" is %d, want 0 or more", k.block)
	}
	return k, nil
}

// parameters are the scales and zero points of a run; zeros is nil when there
// are none.
type parameters struct {
	layout
	scales, zeros []float32
}

// parameters reads inputs 1 and 2 for input 0, into scratch slices 1 and 2.
func (k *linear) parameters(c *op.Context) (parameters, error) {
	x, scale, zero := c.T(0), c.T(1), c.T(2)
	l, err := planLayout(x, scale, k.axis, k.block)
	if err != nil {
		return parameters{}, err
	}
	p := parameters{layout: l, scales: floats(c, 1, scale)}
	if zero != nil {
		if zero.Len() != scale.Len() {
			return p, op.Errorf("zero point (%v) and scale (%v) differ in shape", zero, scale)
		}
		p.zeros = floats(c, 2, zero)
	}
	return p, nil
}

// zero is the zero point that belongs to scale i.
func (p *parameters) zero(i int) float32 {
	if p.zeros == nil {
		return 0
	}
	return p.zeros[i]
}

type quantize struct{ *linear }

func buildQuantize(n *op.Node) (op.Kernel, error) {
	k, err := readLinear(n)
	if err != nil {
		return nil, err
	}
	if k.out != tensor.Undefined && !quantized.Has(k.out) {
		return nil, op.Errorf("attribute \"output_dtype\" is %v, which cannot be quantized to", k.out)
	}
	return quantize{k}, nil
}

func inferQuantize(n *op.Node) error {
	k, err := readLinear(n)
	if err != nil {
		return err
	}
	d := k.out
	if n.Has(2) {
		d = n.Elem(2)
	} else if d == tensor.Undefined {
		d = tensor.Uint8
	}
	elemLike(n, d)
	return nil
}

func (k quantize) Run(c *op.Context) error {
	x, zero := c.T(0), c.T(2)
	d := k.out
	switch {
	case zero != nil && d != tensor.Undefined && d != zero.DType():
		return op.Errorf("attribute \"output_dtype\" is %v but the zero point is %v", d, zero.DType())
	case zero != nil:
		d = zero.DType()
	case d == tensor.Undefined:
		d = tensor.Uint8
	}
	p, err := k.parameters(c)
	if err != nil {
		return err
	}
	ratio := op.Scratch[float32](c, 3, x.Len())
	p.divide(ratio, floats(c, 0, x))
	k.round(ratio, c.T(1).DType())
	k.store(c.OutLike(0, d, x), ratio, &p)
	return nil
}

// divide sets dst to x over its scale.
func (p *parameters) divide(dst, x []float32) {
	for r := range p.runs() {
		run := p.run(r)
		d, s := dst[run.from:run.to], p.scales[run.scale:]
		if run.step == 0 {
			for i, v := range x[run.from:run.to] {
				d[i] = v / s[0]
			}
			continue
		}
		for i, v := range x[run.from:run.to] {
			d[i] = v / s[i]
		}
	}
}

// round brings quotients to the precision of the division: that of the
// attribute, else that of the scale.
func (k *linear) round(x []float32, scale tensor.DType) {
	d := k.precision
	if d == tensor.Undefined {
		d = scale
	}
	switch d {
	case tensor.Float16:
		for i, v := range x {
			x[i] = tensor.ToFloat16(v).Float32()
		}
	case tensor.BFloat16:
		for i, v := range x {
			x[i] = tensor.ToBFloat16(v).Float32()
		}
	}
}

// store quantizes quotients into out.
func (k *linear) store(out *tensor.Tensor, ratio []float32, p *parameters) {
	d := out.DType()
	lo, hi, _ := span(d)
	switch d {
	case tensor.Int16:
		storeInts(tensor.Data[int16](out), ratio, p, lo, hi)
	case tensor.Uint16:
		storeInts(tensor.Data[uint16](out), ratio, p, lo, hi)
	case tensor.Int8, tensor.Int4, tensor.Int2:
		storeInts(tensor.Data[int8](out), ratio, p, lo, hi)
	case tensor.Uint8, tensor.Uint4, tensor.Uint2:
		storeInts(tensor.Data[uint8](out), ratio, p, lo, hi)
	default:
		dst := tensor.Data[tensor.SmallBits](out)
		for r := range p.runs() {
			run := p.run(r)
			at := run.scale
			for i := run.from; i < run.to; i++ {
				dst[i] = tensor.ToSmall(d, float64(ratio[i]+p.zero(at)), k.saturate)
				at += run.step
			}
		}
	}
}

func storeInts[T int8 | uint8 | int16 | uint16](dst []T, ratio []float32, p *parameters, lo, hi float32) {
	for r := range p.runs() {
		run := p.run(r)
		at := run.scale
		for i := run.from; i < run.to; i++ {
			dst[i] = T(saturate(nearest(ratio[i])+p.zero(at), lo, hi))
			at += run.step
		}
	}
}

type dequantize struct{ *linear }

func buildDequantize(n *op.Node) (op.Kernel, error) {
	k, err := readLinear(n)
	if err != nil {
		return nil, err
	}
	switch k.out {
	case tensor.Undefined, tensor.Float32, tensor.Float16, tensor.BFloat16:
		return dequantize{k}, nil
	}
	return nil, op.Errorf("attribute \"output_dtype\" is %v, want float32, float16 or bfloat16", k.out)
}

func inferDequantize(n *op.Node) error {
	k, err := readLinear(n)
	if err != nil {
		return err
	}
	elemLike(n, k.real(n.Elem(1)))
	return nil
}

// real is the type to dequantize to with a scale of type d.
func (k *linear) real(d tensor.DType) tensor.DType {
	switch {
	case k.out != tensor.Undefined:
		return k.out
	case d == tensor.Float8E8M0 || d == tensor.Int32:
		return tensor.Float32
	}
	return d
}

func (k dequantize) Run(c *op.Context) error {
	x, zero := c.T(0), c.T(2)
	if zero != nil && zero.DType() != x.DType() {
		return op.Errorf("zero point is %v but the quantized tensor is %v", zero.DType(), x.DType())
	}
	p, err := k.parameters(c)
	if err != nil {
		return err
	}
	out := c.OutLike(0, k.real(c.T(1).DType()), x)
	codes := floats(c, 0, x)
	dst := numeric.Target[float32](c, 3, out)
	p.multiply(dst, codes)
	numeric.Store(c, 3, out, dst)
	return nil
}

// multiply sets dst to x less its zero point, times its scale.
func (p *parameters) multiply(dst, x []float32) {
	for r := range p.runs() {
		run := p.run(r)
		d, s := dst[run.from:run.to], p.scales[run.scale:]
		if run.step == 0 {
			zero := p.zero(run.scale)
			for i, v := range x[run.from:run.to] {
				d[i] = (v - zero) * s[0]
			}
			continue
		}
		for i, v := range x[run.from:run.to] {
			d[i] = (v - p.zero(run.scale+i)) * s[i]
		}
	}
}

func inferDynamic(n *op.Node) error {
	elemLike(n, tensor.Uint8)
	n.SetOut(1, tensor.TensorType(tensor.Float32))
	n.SetOut(2, tensor.TensorType(tensor.Uint8))
	return nil
}

// dynamicQuantize quantizes to uint8 with the scale and zero point that fit
// the tensor's range, widened to hold 0. A tensor of zeros has scale 1.
func dynamicQuantize(c *op.Context) error {
	x := c.T(0)
	data := tensor.Data[float32](x)
	var least, greatest float32
	for _, v := range data {
		least, greatest = min(least, v), max(greatest, v)
	}
	scale := (greatest - least) / 255
	if scale == 0 {
		scale = 1
	}
	zero := saturate(nearest(-least/scale), 0, 255)
	dst := tensor.Data[uint8](c.OutLike(0, tensor.Uint8, x))
	for i, v := range data {
		dst[i] = uint8(saturate(nearest(v/scale)+zero, 0, 255))
	}
	tensor.Data[float32](c.NewOut(1, tensor.Float32))[0] = scale
	tensor.Data[uint8](c.NewOut(2, tensor.Uint8))[0] = uint8(zero)
	return nil
}
