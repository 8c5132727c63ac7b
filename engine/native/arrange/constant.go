package arrange

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

func constantOps() []op.Def {
	return []op.Def{
		{Name: "Constant", Infer: inferConstant, Build: buildConstant},
		{Name: "ConstantOfShape", Types: []op.TypeSet{op.Index}, Infer: inferConstantOfShape, Build: buildConstantOfShape},
		{Name: "EyeLike", Infer: inferEyeLike, Build: buildEyeLike},
		{Name: "Range", Types: []op.TypeSet{rangeTypes}, Infer: op.InferElemOf(0), Build: buildRange},
		{Name: "OneHot", Types: []op.TypeSet{op.Numbers, op.Numbers, op.Any}, Infer: op.InferElemOf(2), Build: buildOneHot},
	}
}

// constantValue is the tensor of a Constant node, in whichever attribute.
func constantValue(n *op.Node) (*tensor.Tensor, error) {
	for _, a := range n.Attrs {
		switch a.Name {
		case "value", "sparse_value":
			if a.Tensor != nil {
				return a.Tensor, nil
			}
		case "value_float":
			return tensor.Scalar(a.Float), nil
		case "value_floats":
			return tensor.From(a.Floats, len(a.Floats)), nil
		case "value_int":
			return tensor.Scalar(a.Int), nil
		case "value_ints":
			return tensor.From(a.Ints, len(a.Ints)), nil
		case "value_string":
			return tensor.FromStrings([]string{a.String}), nil
		case "value_strings":
			return tensor.FromStrings(a.Strings, len(a.Strings)), nil
		}
	}
	return nil, op.Errorf("Constant has none of the value attributes")
}

func inferConstant(n *op.Node) error {
	t, err := constantValue(n)
	if err != nil {
		return err
	}
	n.SetOut(0, t.Type())
	return nil
}

func buildConstant(n *op.Node) (op.Kernel, error) {
	t, err := constantValue(n)
	if err != nil {
		return nil, err
	}
	return op.Func(func(c *op.Context) error {
		c.Set(0, t)
		return nil
	}), nil
}

// constantOfShape fills a shape with one value.
type constantOfShape struct {
	shape intList
	value *tensor.Tensor // one element
}

func valueOfShape(n *op.Node) (*tensor.Tensor, error) {
	at := n.ReadAttrs()
	value := at.Tensor("value")
	switch {
	case at.Err() != nil:
		return nil, at.Err()
	case value == nil:
		return tensor.Scalar[float32](0), nil
	case value.Len() != 1:
		return nil, op.Errorf("attribute \"value\" has %d elements, want 1", value.Len())
	}
	return value, nil
}

func inferConstantOfShape(n *op.Node) error {
	value, err := valueOfShape(n)
	if err != nil {
		return err
	}
	n.SetOut(0, tensor.Type{Kind: tensor.KindTensor, Elem: value.DType()})
	return nil
}

func buildConstantOfShape(n *op.Node) (op.Kernel, error) {
	value, err := valueOfShape(n)
	if err != nil {
		return nil, err
	}
	shape, err := listFrom(n, "", 0)
	return &constantOfShape{shape, value}, err
}

func (k *constantOfShape) Run(c *op.Context) error {
	w := workOf(c)
	shape, err := k.shape.read(c, &w.list)
	if err != nil {
		return err
	}
	if err := checkShape(shape); err != nil {
		return err
	}
	w.grid.Fill(c.NewOut(0, k.value.DType(), shape...), k.value)
	return nil
}

// checkShape refuses shapes from outside that no tensor can have.
func checkShape(shape []int) error {
	n := 1
	for _, d := range shape {
		if d < 0 || d != 0 && n > maxElements/d {
			return op.Errorf("no tensor has the shape %v", cloneInts(shape))
		}
		n *= d
	}
	return nil
}

// one is a tensor with the element 1 of type d, nil when d has none.
func one(d tensor.DType) *tensor.Tensor {
	switch {
	case d == tensor.Float32:
		return tensor.Scalar[float32](1)
	case d == tensor.Float64:
		return tensor.Scalar[float64](1)
	case d == tensor.Float16:
		return tensor.Scalar(tensor.ToFloat16(1))
	case d == tensor.BFloat16:
		return tensor.Scalar(tensor.ToBFloat16(1))
	case d == tensor.Bool:
		return tensor.Scalar(true)
	case d.Size() == 1 && d.IsInteger():
		return tensor.FromAs(d, []uint8{1})
	case d.Size() == 2 && d.IsInteger():
		return tensor.FromAs(d, []uint16{1})
	case d.Size() == 4 && d.IsInteger():
		return tensor.FromAs(d, []uint32{1})
	case d.Size() == 8 && d.IsInteger():
		return tensor.FromAs(d, []uint64{1})
	}
	return nil
}

// eyeLike writes ones on a diagonal.
type eyeLike struct {
	k     int
	dtype tensor.DType // Undefined: the input's
}

// dtypeAttr is the attribute "dtype", or def.
func dtypeAttr(n *op.Node, def tensor.DType) (tensor.DType, error) {
	at := n.ReadAttrs()
	v := at.Int("dtype", int(def))
	if at.Err() != nil {
		return 0, at.Err()
	}
	if v != int(def) && (v < 0 || v > math.MaxUint8 || !tensor.DType(v).Valid()) {
		return 0, op.Errorf("attribute \"dtype\" is %d, which is no element type", v)
	}
	return tensor.DType(v), nil
}

func inferEyeLike(n *op.Node) error {
	d, err := dtypeAttr(n, n.Elem(0))
	t := n.Arg(0).Type
	t.Kind, t.Elem = tensor.KindTensor, d
	n.SetOut(0, t)
	return err
}

func buildEyeLike(n *op.Node) (op.Kernel, error) {
	d, err := dtypeAttr(n, tensor.Undefined)
	if err != nil {
		return nil, err
	}
	if d != tensor.Undefined && one(d) == nil {
		return nil, op.Errorf("EyeLike cannot make %v", d)
	}
	at := n.ReadAttrs()
	return &eyeLike{at.Int("k", 0), d}, at.Err()
}

func (k *eyeLike) Run(c *op.Context) error {
	in, err := need(c, 0)
	if err != nil {
		return err
	}
	if in.Rank() != 2 {
		return op.Errorf("input is %v, want a matrix", in)
	}
	d := k.dtype
	if d == tensor.Undefined {
		d = in.DType()
	}
	v := one(d)
	if v == nil {
		return op.Errorf("EyeLike cannot make %v", d)
	}
	rows, cols := in.Dim(0), in.Dim(1)
	out := c.NewOut(0, d, rows, cols)
	out.Zero()
	diag := min(max(k.k, -rows), cols)
	first, last := max(-diag, 0), min(rows, cols-diag)
	if last <= first {
		return nil
	}
	g := &workOf(c).grid
	g.Reset(first*cols+first+diag, 0)
	g.Add(last-first, cols+1, 0)
	g.Copy(out, v)
	return nil
}

var rangeTypes = op.TypeSet{tensor.Float32, tensor.Float64, tensor.Float16, tensor.BFloat16,
	tensor.Int16, tensor.Int32, tensor.Int64}

// buildRange makes start, start+delta, … up to limit. The 16-bit floats are
// computed in float32, as the default stash_type says.
func buildRange(*op.Node) (op.Kernel, error) {
	return op.Func(func(c *op.Context) error {
		start, err := need(c, 0)
		if err != nil {
			return err
		}
		for i := range 3 {
			t, err := need(c, i)
			if err != nil {
				return err
			}
			if t.Len() != 1 || t.DType() != start.DType() {
				return op.Errorf("input %d is %v, want one %v", i, t, start.DType())
			}
		}
		switch start.DType() {
		case tensor.Float32:
			return rangeFloat(c, tensor.Data[float32])
		case tensor.Float64:
			return rangeFloat(c, tensor.Data[float64])
		case tensor.Int16:
			return rangeInt(c, tensor.Data[int16])
		case tensor.Int32:
			return rangeInt(c, tensor.Data[int32])
		case tensor.Int64:
			return rangeInt(c, tensor.Data[int64])
		case tensor.Float16, tensor.BFloat16:
			return rangeSmall(c)
		}
		return op.Errorf("Range cannot make %v", start.DType())
	}), nil
}

// maxElements bounds what a few numbers can ask for, before memory limits
// apply.
const maxElements = 1 << 40

// rangeLen is the number of elements of a floating-point range.
func rangeLen(start, limit, delta float64) (int, error) {
	n := math.Ceil((limit - start) / delta)
	if delta == 0 || n != n || n > maxElements {
		return 0, op.Errorf("range from %v to %v by %v has no length", start, limit, delta)
	}
	return int(max(n, 0)), nil
}

func rangeFloat[T float32 | float64](c *op.Context, data func(*tensor.Tensor) []T) error {
	start, limit, delta := data(c.T(0))[0], data(c.T(1))[0], data(c.T(2))[0]
	n, err := rangeLen(float64(start), float64(limit), float64(delta))
	if err != nil {
		return err
	}
	out := data(c.NewOut(0, c.T(0).DType(), n))
	for i := range out {
		out[i] = start + T(i)*delta
	}
	return nil
}

func rangeSmall(c *op.Context) error {
	var v [3]float32
	for i := range v {
		op.ReadFloat32s(v[i:i+1], c.T(i))
	}
	n, err := rangeLen(float64(v[0]), float64(v[1]), float64(v[2]))
	if err != nil {
		return err
	}
	out := c.NewOut(0, c.T(0).DType(), n)
	dst := numeric.Target[float32](c, 0, out)
	for i := range dst {
		dst[i] = v[0] + float32(i)*v[2]
	}
	numeric.Store(c, 0, out, dst)
	return nil
}

func rangeInt[T int16 | int32 | int64](c *op.Context, data func(*tensor.Tensor) []T) error {
	start, limit, delta := data(c.T(0))[0], data(c.T(1))[0], data(c.T(2))[0]
	n := uint64(0)
	switch {
	case delta == 0:
		return op.Errorf("range has a delta of 0")
	case delta > 0 && limit > start:
		n = (uint64(limit)-uint64(start)-1)/uint64(delta) + 1
	case delta < 0 && limit < start:
		n = (uint64(start)-uint64(limit)-1)/(-uint64(delta)) + 1
	}
	if n > maxElements {
		return op.Errorf("range from %d to %d by %d is too long", start, limit, delta)
	}
	out := data(c.NewOut(0, c.T(0).DType(), int(n)))
	for i := range out {
		out[i] = start
		start += delta
	}
	return nil
}
