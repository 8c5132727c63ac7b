package vision

import (
	"math"
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// resize is Resize and Upsample. Interpolation is separable: every axis that
// changes is resized by itself, with weights that are made once for it.
type resize struct {
	mode           string
	coordinates    string
	rounding       func(x float64, shrinking bool) float64
	cubic          float64 // the coefficient a of the cubic kernel
	antialias      bool
	excludeOutside bool
	extrapolation  float64
	policy         string // how sizes keep the aspect ratio
	axes           []int  // nil for all

	scales               []float32 // of Upsample 7; else they come as an input
	roi, scalesAt, sizes int       // input positions, 0 for none
}

var coordinateModes = []string{"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel",
	"align_corners", "asymmetric", "tf_crop_and_resize",
	"tf_half_pixel_for_nn"} // the last only in opsets 11 and 12

// nearestModes round a coordinate to a position.
var nearestModes = map[string]func(x float64, shrinking bool) float64{
	"round_prefer_floor": func(x float64, _ bool) float64 { return math.Ceil(x - 0.5) },
	"round_prefer_ceil":  func(x float64, _ bool) float64 { return math.Floor(x + 0.5) },
	"floor":              func(x float64, _ bool) float64 { return math.Floor(x) },
	"ceil":               func(x float64, _ bool) float64 { return math.Ceil(x) },
	// Before opset 11: shrinking takes the pixel after, enlarging the one before.
	"simple": func(x float64, shrinking bool) float64 {
		if shrinking {
			return math.Ceil(x)
		}
		return math.Floor(x)
	},
}

func buildResize(n *op.Node) (op.Kernel, error) {
	if n.Opset < 11 {
		return buildOldResize(n, 1)
	}
	a := n.ReadAttrs()
	k := &resize{
		mode:           a.String("mode", "nearest"),
		coordinates:    a.String("coordinate_transformation_mode", "half_pixel"),
		cubic:          float64(a.Float("cubic_coeff_a", -0.75)),
		antialias:      a.Bool("antialias", false),
		excludeOutside: a.Bool("exclude_outside", false),
		extrapolation:  float64(a.Float("extrapolation_value", 0)),
		policy:         a.String("keep_aspect_ratio_policy", "stretch"),
		axes:           a.Ints("axes"),
		roi:            1, scalesAt: 2, sizes: 3,
	}
	rounding := a.String("nearest_mode", "round_prefer_floor")
	if k.rounding = nearestModes[rounding]; k.rounding == nil || rounding == "simple" {
		return nil, op.Errorf("nearest_mode %q is not known", rounding)
	}
	if a.Err() != nil {
		return nil, a.Err()
	}
	return k, k.check(n)
}

func (k *resize) check(n *op.Node) error {
	if !slices.Contains([]string{"nearest", "linear", "cubic"}, k.mode) {
		return op.Errorf(`mode %q: want "nearest", "linear" or "cubic"`, k.mode)
	}
	if !slices.Contains(coordinateModes, k.coordinates) {
		return op.Errorf("coordinate_transformation_mode %q is not known", k.coordinates)
	}
	if !slices.Contains([]string{"stretch", "not_larger", "not_smaller"}, k.policy) {
		return op.Errorf("keep_aspect_ratio_policy %q is not known", k.policy)
	}
	if elem := n.Elem(0); k.mode != "nearest" && elem != tensor.Undefined && !op.Numbers.Has(elem) {
		return op.Errorf("%s interpolation of %v is not supported", k.mode, elem)
	}
	return nil
}

// buildOldResize serves Resize 10 and Upsample, whose scales are the input at
// this position, or an attribute when it is 0.
func buildOldResize(n *op.Node, scalesAt int) (op.Kernel, error) {
	a := n.ReadAttrs()
	k := &resize{
		mode:        a.String("mode", "nearest"),
		coordinates: "asymmetric",
		rounding:    nearestModes["simple"],
		policy:      "stretch",
		scales:      a.Floats("scales"),
		scalesAt:    scalesAt,
	}
	if k.mode == "bilinear" {
		k.mode = "linear"
	}
	if a.Err() != nil {
		return nil, a.Err()
	}
	return k, k.check(n)
}

func buildUpsample(n *op.Node) (op.Kernel, error) {
	if n.Opset < 9 {
		return buildOldResize(n, 0)
	}
	return buildOldResize(n, 1)
}

// resizeState is what a run plans; the slices are reused.
type resizeState struct {
	axes   []int // that the inputs speak of
	given  []int // sizes as given
	shape  []int // of the output
	scale  []float64
	roi    []float64 // starts, then ends, for all axes
	order  []int     // the axes that change, those that shrink first
	maps   [][]int32
	kernel taps
}

// Run resizes input 0.
func (k *resize) Run(c *op.Context) error {
	x, s := c.T(0), op.State[resizeState](c)
	if err := k.plan(c, s, x); err != nil {
		return err
	}
	out := c.NewOut(0, x.DType(), s.shape...)
	if out.Len() == 0 {
		return nil
	}
	if x.Len() == 0 {
		return op.Errorf("cannot resize the empty %v to %v", x, out)
	}
	if k.mode == "nearest" {
		return k.nearest(s, out, x)
	}
	if numeric.Wide(x.DType()) {
		interpolate[float64](k, c, s, out, x)
	} else {
		interpolate[float32](k, c, s, out, x)
	}
	return nil
}

// plan reads roi, scales and sizes into what holds for every axis.
func (k *resize) plan(c *op.Context, s *resizeState, x *tensor.Tensor) error {
	if err := k.planAxes(s, x.Rank()); err != nil {
		return err
	}
	s.shape = append(s.shape[:0], x.Shape()...)
	s.scale = s.scale[:0]
	for range x.Rank() {
		s.scale = append(s.scale, 1)
	}
	if err := k.planRoi(c, s, x.Rank()); err != nil {
		return err
	}
	scales, sizes := k.scales, input(c, k.sizes)
	if t := input(c, k.scalesAt); t != nil {
		scales = op.Float32s(c, 0, t)
	}
	switch {
	case sizes != nil && sizes.Len() > 0:
		s.given = op.AppendInts(s.given[:0], sizes)
		return k.planSizes(s, x)
	case len(scales) != len(s.axes):
		return op.Errorf("%d scales for %d axes", len(scales), len(s.axes))
	}
	for i, axis := range s.axes {
		if !(scales[i] > 0) || math.IsInf(float64(scales[i]), 0) {
			return op.Errorf("scale %v of axis %d is not positive", scales[i], axis)
		}
		// In float32, as ONNX's own shape inference computes it.
		size := math.Floor(float64(scales[i] * float32(x.Dim(axis))))
		if size > math.MaxInt32 {
			return op.Errorf("scale %v makes axis %d too long", scales[i], axis)
		}
		s.scale[axis], s.shape[axis] = float64(scales[i]), int(size)
	}
	return nil
}

// input is input i as a tensor; input 0 is never asked for here, and stands
// for none.
func input(c *op.Context, i int) *tensor.Tensor {
	if i == 0 {
		return nil
	}
	return c.T(i)
}

func (k *resize) planAxes(s *resizeState, rank int) error {
	s.axes = s.axes[:0]
	if k.axes == nil {
		for i := range rank {
			s.axes = append(s.axes, i)
		}
		return nil
	}
	for _, a := range k.axes {
		axis, err := op.Axis(a, rank)
		if err != nil {
			return err
		}
		s.axes = append(s.axes, axis)
	}
	return nil
}

func (k *resize) planRoi(c *op.Context, s *resizeState, rank int) error {
	if k.coordinates != "tf_crop_and_resize" {
		return nil
	}
	var roi []float32
	if t := c.T(k.roi); t != nil {
		roi = op.Float32s(c, 0, t)
	}
	if len(roi) != 2*len(s.axes) {
		return op.Errorf("roi has %d elements, want %d", len(roi), 2*len(s.axes))
	}
	s.roi = s.roi[:0]
	for i := range 2 * rank {
		s.roi = append(s.roi, float64(i/rank))
	}
	for i, axis := range s.axes {
		s.roi[axis], s.roi[rank+axis] = float64(roi[i]), float64(roi[len(s.axes)+i])
	}
	return nil
}

func (k *resize) planSizes(s *resizeState, x *tensor.Tensor) error {
	if len(s.given) != len(s.axes) {
		return op.Errorf("%d sizes for %d axes", len(s.given), len(s.axes))
	}
	lowest, highest := math.Inf(1), 0.0
	for i, axis := range s.axes {
		if s.given[i] < 0 || s.given[i] > math.MaxInt32 {
			return op.Errorf("size %d of axis %d is out of range", s.given[i], axis)
		}
		if x.Dim(axis) == 0 {
			return op.Errorf("cannot resize axis %d of %v: it is empty", axis, x)
		}
		s.shape[axis] = s.given[i]
		s.scale[axis] = float64(s.given[i]) / float64(x.Dim(axis))
		lowest, highest = min(lowest, s.scale[axis]), max(highest, s.scale[axis])
	}
	if k.policy == "stretch" {
		return nil
	}
	scale := lowest
	if k.policy == "not_smaller" {
		scale = highest
	}
	for _, axis := range s.axes {
		s.scale[axis] = scale
		s.shape[axis] = int(scale*float64(x.Dim(axis)) + 0.5)
	}
	return nil
}

// changes says whether resizing moves anything along the axis.
func (k *resize) changes(s *resizeState, axis, in int) bool {
	if s.shape[axis] != in || math.Abs(s.scale[axis]-1) > 1e-9 {
		return true
	}
	return k.coordinates == "tf_crop_and_resize" && (s.roi[axis] != 0 || s.roi[len(s.shape)+axis] != 1)
}

// coordinate maps position i of the output to the input along an axis of in
// elements; outside tells that the extrapolation value stands there.
func (k *resize) coordinate(s *resizeState, axis, in, i int) (x float64, outside bool) {
	pos, n, scale := float64(i), float64(in), s.scale[axis]
	// The width may be fractional when scales are given, as in the
	// specification's examples; some runtimes take the whole width instead.
	width := n * scale
	switch k.coordinates {
	case "align_corners":
		if width == 1 {
			return 0, false
		}
		return pos * (n - 1) / (width - 1), false
	case "asymmetric":
		return pos / scale, false
	case "tf_half_pixel_for_nn":
		return (pos + 0.5) / scale, false
	case "half_pixel_symmetric":
		offset := n / 2 * (1 - float64(s.shape[axis])/width)
		return offset + (pos+0.5)/scale - 0.5, false
	case "pytorch_half_pixel":
		if width == 1 {
			return 0, false
		}
	case "tf_crop_and_resize":
		start, end := s.roi[axis], s.roi[len(s.shape)+axis]
		if width == 1 {
			x = (start + end) * (n - 1) / 2
		} else {
			x = start*(n-1) + pos*(end-start)*(n-1)/(width-1)
		}
		return x, !(x >= 0 && x <= n-1)
	}
	return (pos+0.5)/scale - 0.5, false
}
