package ml

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// scaling is y = (x - offset)·scale, or (x - offset)/scale, with one value of
// each for all features or one for each.
type scaling struct {
	offset, scale []float32
	divide        bool
}

// DividingScaler is the internal operator that the engine makes of a
// subtraction and a division by constants: Scaler with the attribute divide.
const DividingScaler = "DividingScaler"

func readScaling(a *op.Attrs) (*scaling, error) {
	s := &scaling{offset: a.Floats("offset"), scale: a.Floats("scale"), divide: a.Bool("divide", false)}
	if len(s.offset) == 0 && len(s.scale) > 0 {
		s.offset = make([]float32, len(s.scale))
	}
	if len(s.scale) == 0 || len(s.offset) != len(s.scale) {
		return nil, op.Errorf("attributes offset and scale have %d and %d values, want as many of each", len(s.offset), len(s.scale))
	}
	return s, a.Err()
}

func (s *scaling) fits(features int) error {
	if len(s.scale) != 1 && len(s.scale) != features {
		return op.Errorf("there are %d scales for %d features", len(s.scale), features)
	}
	return nil
}

// apply scales rows of so many features.
func (s *scaling) apply(dst, x []float32, features int) {
	for ; len(x) > 0; x, dst = x[features:], dst[features:] {
		out, row := dst[:features], x[:features]
		switch {
		case len(s.scale) == 1:
			s.applyOne(out, row)
		case s.divide:
			offset, scale := s.offset[:len(out)], s.scale[:len(out)]
			for i, v := range row {
				out[i] = (v - offset[i]) / scale[i]
			}
		default:
			offset, scale := s.offset[:len(out)], s.scale[:len(out)]
			for i, v := range row {
				out[i] = (v - offset[i]) * scale[i]
			}
		}
	}
}

// applyOne scales all features alike.
func (s *scaling) applyOne(out, row []float32) {
	offset, scale := s.offset[0], s.scale[0]
	for i, v := range row {
		if s.divide {
			out[i] = (v - offset) / scale
		} else {
			out[i] = (v - offset) * scale
		}
	}
}

func buildScaler(n *op.Node) (op.Kernel, error) {
	s, err := readScaling(n.ReadAttrs())
	if err != nil {
		return nil, err
	}
	return op.Func(func(c *op.Context) error {
		x := c.T(0)
		features := lastDim(x)
		if err := s.fits(features); err != nil {
			return err
		}
		s.apply(tensor.Data[float32](c.OutLike(0, tensor.Float32, x)), op.Float32s(c, 0, x), features)
		return nil
	}), nil
}

// lastDim is the number of features: the last dimension, 1 for a scalar.
func lastDim(x *tensor.Tensor) int {
	if x.Rank() == 0 {
		return 1
	}
	return x.Dim(-1)
}

func buildNormalizer(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	name := a.String("norm", "MAX")
	norm, ok := map[string]func(dst, row []float32){"MAX": normMax, "L1": normL1, "L2": normL2}[name]
	if !ok {
		return nil, op.Errorf("norm %q is unknown; want MAX, L1 or L2", name)
	}
	if err := a.Err(); err != nil {
		return nil, err
	}
	return op.Func(func(c *op.Context) error {
		t := c.T(0)
		columns := lastDim(t)
		x, dst := op.Float32s(c, 0, t), tensor.Data[float32](c.OutLike(0, tensor.Float32, t))
		for ; len(x) > 0; x, dst = x[columns:], dst[columns:] {
			norm(dst[:columns], x[:columns])
		}
		return nil
	}), nil
}

func normMax(dst, row []float32) {
	top := float32(-math.MaxFloat32)
	for _, v := range row {
		top = max(top, v)
	}
	divide(dst, row, top)
}

func normL1(dst, row []float32) {
	sum := float32(0)
	for _, v := range row {
		sum += float32(math.Abs(float64(v)))
	}
	divide(dst, row, sum)
}

// divide leaves the row as it is when there is nothing to divide by.
func divide(dst, row []float32, by float32) {
	if by == 0 {
		by = 1
	}
	for i, v := range row {
		dst[i] = v / by
	}
}

func normL2(dst, row []float32) {
	sum := float32(0)
	for _, v := range row {
		sum += v * v
	}
	if sum == 0 {
		copy(dst, row)
		return
	}
	for i, v := range row {
		r := float32(math.Sqrt(float64(v * v / sum)))
		if v < 0 {
			r = -r
		}
		dst[i] = r
	}
}

func buildBinarizer(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	threshold := a.Float("threshold", 0)
	if err := a.Err(); err != nil {
		return nil, err
	}
	return op.Func(func(c *op.Context) error {
		x := c.T(0)
		out := c.OutLike(0, x.DType(), x)
		switch x.DType() {
		case tensor.Float32:
			binarize(out, tensor.Data[float32](x), threshold)
		case tensor.Float64:
			binarize(out, tensor.Data[float64](x), threshold)
		case tensor.Int64:
			binarize(out, tensor.Data[int64](x), threshold)
		case tensor.Int32:
			binarize(out, tensor.Data[int32](x), threshold)
		}
		return nil
	}), nil
}

type number interface {
	float32 | float64 | int32 | int64
}

func binarize[T interface {
	number
	tensor.Element
}](out *tensor.Tensor, x []T, threshold float32) {
	dst := tensor.Data[T](out)
	for i, v := range x {
		dst[i] = 0
		if float64(v) > float64(threshold) {
			dst[i] = 1
		}
	}
}

// imputer replaces one value, possibly NaN, by another of each feature.
type imputer struct {
	floats []float32 // what to put into float inputs
	ints   []int64   // and into integer ones
	float  float32   // what to replace
	int    int64
}

func buildImputer(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	k := &imputer{
		floats: a.Floats("imputed_value_floats"),
		float:  a.Float("replaced_value_float", 0), int: int64(a.Int("replaced_value_int64", 0)),
	}
	for _, v := range a.Ints("imputed_value_int64s") {
		k.ints = append(k.ints, int64(v))
	}
	if len(k.floats) > 0 == (len(k.ints) > 0) {
		return nil, op.Errorf("exactly one of imputed_value_floats and imputed_value_int64s is wanted")
	}
	return k, a.Err()
}

// Run replaces in a tensor of any shape; features are its last dimension.
func (k *imputer) Run(c *op.Context) error {
	x := c.T(0)
	values, features := len(k.floats), lastDim(x)
	if x.DType().IsInteger() {
		values = len(k.ints)
	}
	if values != 1 && values != features {
		return op.Errorf("there are %d imputed values for %d features of %v", values, features, x.DType())
	}
	out := c.OutLike(0, x.DType(), x)
	switch x.DType() {
	case tensor.Float32:
		impute(out, tensor.Data[float32](x), k.float, k.floats)
	case tensor.Float64:
		impute(out, tensor.Data[float64](x), float64(k.float), k.floats)
	case tensor.Int64:
		impute(out, tensor.Data[int64](x), k.int, k.ints)
	case tensor.Int32:
		impute(out, tensor.Data[int32](x), int32(k.int), k.ints)
	}
	return nil
}

func impute[T interface {
	number
	tensor.Element
}, V float32 | int64](out *tensor.Tensor, x []T, replaced T, values []V) {
	dst := tensor.Data[T](out)
	nan, at := replaced != replaced, 0
	for i, v := range x {
		dst[i] = v
		if v == replaced || nan && v != v {
			dst[i] = T(values[at])
		}
		if at++; at == len(values) {
			at = 0
		}
	}
}
