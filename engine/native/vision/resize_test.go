package vision_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/engine/native/vision"
	"github.com/greenlight-dev/greenlight/tensor"
)

var defs = vision.Ops()

func f32(shape []int, v ...float32) *tensor.Tensor { return tensor.From(v, shape...) }
func vec(v ...float32) *tensor.Tensor              { return tensor.From(v, len(v)) }
func ints(v ...int64) *tensor.Tensor               { return tensor.From(v, len(v)) }

// ramp is first, first+1… in this shape.
func ramp(first float32, shape ...int) *tensor.Tensor {
	t := tensor.New(tensor.Float32, shape...)
	for i, d := 0, tensor.Data[float32](t); i < len(d); i++ {
		d[i] = first + float32(i)
	}
	return t
}

func TestResizeOldVersions(t *testing.T) {
	near := f32([]int{1, 1, 4, 6}, 0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 3, 3, 4, 4, 5, 5)
	lin := f32([]int{1, 1, 4, 6}, 0, 0.5, 1, 1.5, 2, 2, 1.5, 2, 2.5, 3, 3.5, 3.5, 3, 3.5, 4, 4.5, 5, 5, 3, 3.5, 4, 4.5, 5, 5)
	x := ramp(0, 1, 1, 2, 3)
	for _, c := range []struct {
		call optest.Call
		in   []tensor.Value
		want *tensor.Tensor
	}{
		{optest.Call{Op: "Upsample", Opset: 7, Attrs: optest.Attrs{"mode": "linear", "scales": []float64{1, 1, 2, 2}}}, []tensor.Value{x}, lin},
		{optest.Call{Op: "Upsample", Opset: 9}, []tensor.Value{x, vec(1, 1, 2, 2)}, near},
		{optest.Call{Op: "Resize", Opset: 10}, []tensor.Value{x, vec(1, 1, 2, 2)}, near},
		{optest.Call{Op: "Resize", Opset: 10}, []tensor.Value{ramp(1, 1, 1, 2, 4), vec(1, 1, 0.6, 0.6)}, f32([]int{1, 1, 1, 2}, 1, 3)},
		{optest.Call{Op: "Resize", Opset: 10, Attrs: optest.Attrs{"mode": "linear"}},
			[]tensor.Value{ramp(1, 1, 1, 2, 4), vec(1, 1, 0.6, 0.6)}, f32([]int{1, 1, 1, 2}, 1, 2.6666667)},
		{optest.Call{Op: "Resize", Opset: 11, Attrs: optest.Attrs{"coordinate_transformation_mode": "tf_half_pixel_for_nn"}},
			[]tensor.Value{ramp(1, 1, 1, 2, 4), vec(), vec(1, 1, 1.5, 1.5)},
			f32([]int{1, 1, 3, 6}, 1, 2, 3, 3, 4, 4, 5, 6, 7, 7, 8, 8, 5, 6, 7, 7, 8, 8)},
	} {
		optest.Want(t, optest.Run(t, defs, c.call, c.in...).Out(0), c.want, 1e-6)
	}
}

func TestResizeModes(t *testing.T) {
	x, line := ramp(0, 1, 1, 4, 5), f32([]int{1, 4}, 1, 2, 4, 8)
	for _, c := range []struct {
		name                string
		attrs               optest.Attrs
		x, roi, scales, siz *tensor.Tensor
		want                *tensor.Tensor
	}{
		{"cubic", optest.Attrs{"mode": "cubic"}, ramp(1, 1, 1, 2, 4), nil, vec(1, 1, 2, 1.5), nil,
			f32([]int{1, 1, 4, 6}, 0.4913198, 0.984375, 1.791089, 2.365163, 3.171875, 3.664931,
				1.819445, 2.3125, 3.119215, 3.693288, 4.5, 4.993056, 4.006947, 4.5, 5.306716, 5.880788, 6.6875, 7.180556,
				5.335072, 5.828125, 6.634842, 7.208913, 8.015625, 8.508681)},
		{"linear, antialias", optest.Attrs{"mode": "linear", "antialias": 1}, x, nil, nil, ints(1, 1, 2, 3),
			f32([]int{1, 1, 2, 3}, 3.5, 5.125, 6.75, 12.25, 13.875, 15.5)},
		{"three dimensions", optest.Attrs{"mode": "linear"}, ramp(0, 2, 2, 2), nil, vec(2, 1, 2), nil,
			f32([]int{4, 2, 4}, 0, 0.25, 0.75, 1, 2, 2.25, 2.75, 3, 1, 1.25, 1.75, 2, 3, 3.25, 3.75, 4,
				3, 3.25, 3.75, 4, 5, 5.25, 5.75, 6, 4, 4.25, 4.75, 5, 6, 6.25, 6.75, 7)},
		{"align_corners", optest.Attrs{"mode": "linear", "coordinate_transformation_mode": "align_corners"}, line, nil, nil, ints(1, 7),
			f32([]int{1, 7}, 1, 1.5, 2, 3, 4, 6, 8)},
		{"asymmetric", optest.Attrs{"mode": "linear", "coordinate_transformation_mode": "asymmetric"}, line, nil, vec(1, 2), nil,
			f32([]int{1, 8}, 1, 1.5, 2, 3, 4, 6, 8, 8)},
		{"half_pixel_symmetric", optest.Attrs{"mode": "linear", "coordinate_transformation_mode": "half_pixel_symmetric"}, line, nil, vec(1, 0.7), nil,
			f32([]int{1, 2}, 1.7857143, 4.857143)},
		{"pytorch_half_pixel to one", optest.Attrs{"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"}, line, nil, nil, ints(1, 1),
			f32([]int{1, 1}, 1)},
		{"crop", optest.Attrs{"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": -5.0, "axes": []int{-1}},
			line, vec(0.5, 1.5), nil, ints(4), f32([]int{1, 4}, 3, 6, -5, -5)},
		{"crop, nearest", optest.Attrs{"coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": -5.0, "axes": []int{1}},
			line, vec(0.5, 1.5), nil, ints(4), f32([]int{1, 4}, 2, 4, -5, -5)},
		{"round_prefer_ceil", optest.Attrs{"nearest_mode": "round_prefer_ceil", "coordinate_transformation_mode": "asymmetric"}, line, nil, vec(1, 2), nil,
			f32([]int{1, 8}, 1, 2, 2, 4, 4, 8, 8, 8)},
		{"ceil", optest.Attrs{"nearest_mode": "ceil", "coordinate_transformation_mode": "asymmetric"}, line, nil, nil, ints(1, 3), f32([]int{1, 3}, 1, 4, 8)},
		{"not_larger", optest.Attrs{"keep_aspect_ratio_policy": "not_larger", "axes": []int{2, 3}}, x, nil, nil, ints(2, 4),
			f32([]int{1, 1, 2, 3}, 0, 2, 4, 10, 12, 14)},
		{"exclude_outside", optest.Attrs{"mode": "cubic", "cubic_coeff_a": -0.5, "exclude_outside": 1}, line, nil, vec(1, 2), nil,
			f32([]int{1, 8}, 0.9117647, 1.145985, 1.641221, 2.382812, 3.335938, 5.022901, 7.284672, 8.352941)},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := []tensor.Value{c.x, nil, nil, nil}
			for i, v := range []*tensor.Tensor{c.roi, c.scales, c.siz} {
				if v != nil {
					in[i+1] = v
				}
			}
			got := optest.Run(t, defs, optest.Call{Op: "Resize", Opset: 19, Attrs: c.attrs}, in...).Out(0)
			optest.Want(t, got, c.want, 2e-6)
		})
	}
}

func TestResizeTypes(t *testing.T) {
	linear := optest.Call{Op: "Resize", Attrs: optest.Attrs{"mode": "linear"}}
	got := optest.Run(t, defs, linear, tensor.From([]uint8{0, 255}, 1, 2), nil, vec(1, 2)).Out(0)
	optest.Want(t, got, tensor.From([]uint8{0, 64, 191, 255}, 1, 4), 0)
	got = optest.Run(t, defs, linear, tensor.From([]int32{0, 1 << 30}, 1, 2), nil, vec(1, 2)).Out(0)
	optest.Want(t, got, tensor.From([]int32{0, 1 << 28, 3 << 28, 1 << 30}, 1, 4), 0)
	text := optest.Run(t, defs, optest.Call{Op: "Resize"}, tensor.FromStrings([]string{"a", "b"}, 2), nil, vec(1.5)).Out(0)
	if s := strings.Join(text.Strings(), ""); s != "aab" {
		t.Errorf("text resizes to %q", s)
	}
	flags := optest.Run(t, defs, optest.Call{Op: "Resize"}, tensor.From([]bool{true, false}, 2), nil, vec(2)).Out(0)
	optest.Want(t, flags, tensor.From([]bool{true, true, false, false}, 4), 0)
}

func TestResizeErrors(t *testing.T) {
	x := ramp(0, 1, 1, 2, 2)
	for _, c := range []struct {
		attrs optest.Attrs
		in    []tensor.Value
		want  string
	}{
		{nil, []tensor.Value{x, nil, vec(1, 1, 2)}, "3 scales for 4 axes"},
		{nil, []tensor.Value{x, nil, vec(1, 1, -2, 1)}, "not positive"},
		{nil, []tensor.Value{x, nil, vec(1, 1, 1e30, 1)}, "too long"},
		{nil, []tensor.Value{x, nil, nil, ints(1, 1, -2, 1)}, "out of range"},
		{optest.Attrs{"mode": "magic"}, []tensor.Value{x, nil, vec(1, 1, 1, 1)}, `mode "magic"`},
		{optest.Attrs{"nearest_mode": "simple"}, []tensor.Value{x, nil, vec(1, 1, 1, 1)}, "nearest_mode"},
		{optest.Attrs{"axes": []int{7}}, []tensor.Value{x, nil, vec(1)}, "axis 7"},
		{optest.Attrs{"coordinate_transformation_mode": "tf_crop_and_resize"}, []tensor.Value{x, vec(1), vec(1, 1, 1, 1)}, "roi has 1 elements, want 8"},
		{nil, []tensor.Value{tensor.New(tensor.Float32, 0, 2), nil, nil, ints(1, 2)}, "empty"},
		{optest.Attrs{"mode": "linear"}, []tensor.Value{tensor.New(tensor.Bool, 2), nil, vec(1)}, "bool is not supported"},
	} {
		if got := optest.Error(t, defs, optest.Call{Op: "Resize", Attrs: c.attrs}, c.in...); !strings.Contains(got, c.want) {
			t.Errorf("error %q does not say %q", got, c.want)
		}
	}
}

func TestResizeIsSteady(t *testing.T) {
	x, scales := ramp(0, 2, 3, 8, 8), vec(1, 1, 1.5, 0.5)
	for _, mode := range []string{"nearest", "linear", "cubic"} {
		call := optest.Call{Op: "Resize", Attrs: optest.Attrs{"mode": mode}}
		n := optest.Run(t, defs, call, x, nil, scales)
		if allocs := n.Allocs(t); allocs > 2 {
			t.Errorf("%s allocates %v times a run", mode, allocs)
		}
		all := n.Out(0).Bytes()
		second := tensor.From(tensor.Data[float32](x)[192:], 1, 3, 8, 8)
		alone := optest.Run(t, defs, call, second, nil, scales).Out(0).Bytes()
		if !bytes.Equal(alone, all[len(all)/2:]) {
			t.Errorf("%s: an image alone differs from the same in a batch", mode)
		}
	}
}
