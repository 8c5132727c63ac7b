package vision_test

import (
	"math"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/tensor"
)

func TestGridSample(t *testing.T) {
	x, grid := ramp(1, 1, 1, 3, 3), f32([]int{1, 1, 2, 2}, -1.3, 0.2, 0.7, 1.6)
	for _, c := range []struct {
		padding, mode string
		want          []float32
	}{
		{"zeros", "nearest", []float32{0, 0}},
		{"zeros", "bilinear", []float32{0.245, 0}},
		{"zeros", "bicubic", []float32{0.2142912, -0.9374437}},
		{"border", "nearest", []float32{4, 9}},
		{"border", "bilinear", []float32{4.9, 9}},
		{"reflection", "nearest", []float32{4, 9}},
		{"reflection", "bilinear", []float32{4.9, 7.8}},
		{"reflection", "bicubic", []float32{5.132117, 8.087626}},
	} {
		call := optest.Call{Op: "GridSample", Opset: 16, Attrs: optest.Attrs{"mode": c.mode, "padding_mode": c.padding}}
		got := optest.Run(t, defs, call, x, grid).Out(0)
		optest.Want(t, got, f32([]int{1, 1, 1, 2}, c.want...), 1e-5)
	}
	volume := optest.Run(t, defs, optest.Call{Op: "GridSample"}, ramp(0, 1, 1, 2, 2, 2), f32([]int{1, 1, 1, 1, 3}, -0.5, 0.2, 0.9)).Out(0)
	optest.Want(t, volume, f32([]int{1, 1, 1, 1, 1}, 3.24), 1e-6)
	line := optest.Run(t, defs, optest.Call{Op: "GridSample", Attrs: optest.Attrs{"align_corners": 1}},
		f32([]int{1, 1, 3}, 1, 2, 4), f32([]int{1, 3, 1}, -1, 0.5, 1)).Out(0)
	optest.Want(t, line, f32([]int{1, 1, 3}, 1, 3, 4), 1e-6)
}

func TestGridSampleTakesAnyPosition(t *testing.T) {
	nan, far := float32(math.NaN()), float32(3e38)
	grid := f32([]int{1, 1, 4, 2}, nan, 0, far, far, -far, 0, float32(math.Inf(1)), 0)
	for _, padding := range []string{"zeros", "border", "reflection"} {
		for _, mode := range []string{"nearest", "linear", "cubic"} {
			for align := range 2 {
				call := optest.Call{Op: "GridSample", Attrs: optest.Attrs{"mode": mode, "padding_mode": padding, "align_corners": align}}
				got := optest.Float64s(optest.Run(t, defs, call, ramp(1, 1, 1, 1, 3), grid).Out(0))
				for i, v := range got {
					if padding == "zeros" && v != 0 || v != v {
						t.Errorf("%s %s: position %d gives %v", padding, mode, i, v)
					}
				}
			}
		}
	}
	call := optest.Call{Op: "GridSample"}
	if e := optest.Error(t, defs, call, ramp(0, 1, 1, 2, 2), ramp(0, 1, 1, 2, 3)); !strings.Contains(e, "does not fit") {
		t.Errorf("error %q", e)
	}
}

func TestAffineGrid(t *testing.T) {
	theta := f32([]int{1, 2, 3}, 1, 0, 0.5, 0, 2, 0)
	got := optest.Run(t, defs, optest.Call{Op: "AffineGrid"}, theta, ints(1, 1, 2, 2)).Out(0)
	optest.Want(t, got, f32([]int{1, 2, 2, 2}, 0, -1, 1, -1, 0, 1, 1, 1), 1e-6)
	got = optest.Run(t, defs, optest.Call{Op: "AffineGrid", Attrs: optest.Attrs{"align_corners": 1}}, theta, ints(1, 1, 1, 2)).Out(0)
	optest.Want(t, got, f32([]int{1, 1, 2, 2}, -0.5, 0, 1.5, 0), 1e-6)
	if e := optest.Error(t, defs, optest.Call{Op: "AffineGrid"}, theta, ints(2, 1, 2, 2)); !strings.Contains(e, "want [2,2,3]") {
		t.Errorf("error %q", e)
	}
}

func TestRegionPooling(t *testing.T) {
	x := ramp(0, 1, 2, 4, 4)
	rois := f32([]int{2, 4}, 0, 0, 3, 3, 1, 1, 2.5, 3.5)
	align := func(opset, ratio int) *tensor.Tensor {
		attrs := optest.Attrs{"output_height": 2, "output_width": 2, "sampling_ratio": ratio}
		return optest.Run(t, defs, optest.Call{Op: "RoiAlign", Opset: opset, Attrs: attrs}, x, rois, ints(0, 0)).Out(0)
	}
	optest.Want(t, align(10, 2), f32([]int{2, 2, 2, 2}, 3.75, 5.25, 9.75, 11.25, 19.75, 21.25, 25.75, 27.25,
		7.875, 8.625, 12.5, 13.25, 23.875, 24.625, 28.5, 29.25), 1e-6)
	optest.Want(t, align(16, 0), f32([]int{2, 2, 2, 2}, 1.5625, 3, 7.3125, 8.75, 17.5625, 19, 23.3125, 24.75,
		5.375, 6.125, 10.375, 11.125, 21.375, 22.125, 26.375, 27.125), 1e-6)

	pool := optest.Call{Op: "MaxRoiPool", Attrs: optest.Attrs{"pooled_shape": []int{2, 2}}}
	got := optest.Run(t, defs, pool, x, f32([]int{3, 5}, 0, 0, 0, 3, 3, 0, 1, 1, 2, 3, 0, 2, 2, 9, 9)).Out(0)
	optest.Want(t, got, f32([]int{3, 2, 2, 2}, 5, 7, 13, 15, 21, 23, 29, 31, 9, 10, 13, 14, 25, 26, 29, 30, 15, 0, 0, 0, 31, 0, 0, 0), 0)

	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, v := range []float32{nan, inf, -inf, 3e38} {
		optest.Run(t, defs, pool, x, f32([]int{2, 5}, 0, 0, 0, v, v, 0, v, v, 2, 2)) // must not panic
	}
	for _, c := range []struct {
		op   string
		in   []tensor.Value
		want string
	}{
		{"RoiAlign", []tensor.Value{x, f32([]int{1, 4}, 0, 0, 1e9, 1e9), ints(0)}, "too large to sample"},
		{"RoiAlign", []tensor.Value{x, f32([]int{1, 4}, 0, 0, nan, 1), ints(0)}, "too large to sample"},
		{"RoiAlign", []tensor.Value{x, f32([]int{1, 4}, 0, 0, 1, 1), ints(3)}, "image 3, the batch has 1"},
		{"MaxRoiPool", []tensor.Value{x, f32([]int{1, 5}, -1, 0, 0, 1, 1)}, "image -1"},
	} {
		attrs := optest.Attrs{"pooled_shape": []int{1, 1}}
		if e := optest.Error(t, defs, optest.Call{Op: c.op, Attrs: attrs}, c.in...); !strings.Contains(e, c.want) {
			t.Errorf("error %q does not say %q", e, c.want)
		}
	}
}

func TestNonMaxSuppression(t *testing.T) {
	boxes := f32([]int{1, 4, 4}, 0, 0, 1, 1, 0, 0.1, 1, 1.1, 0, -0.1, 1, 0.9, 0, 10, 1, 11)
	scores := f32([]int{1, 1, 4}, 0.9, 0.75, 0.6, 0.95)
	call := optest.Call{Op: "NonMaxSuppression"}
	got := optest.Run(t, defs, call, boxes, scores, tensor.Scalar(int64(3)), vec(0.5), vec(0)).Out(0)
	optest.Want(t, got, tensor.From([]int64{0, 0, 3, 0, 0, 0}, 2, 3), 0)
	got = optest.Run(t, defs, call, boxes, scores, tensor.Scalar(int64(3)), vec(0.99)).Out(0)
	optest.Want(t, got, tensor.From([]int64{0, 0, 3, 0, 0, 0, 0, 0, 1}, 3, 3), 0)
	optest.Want(t, optest.Run(t, defs, call, boxes, scores).Out(0), tensor.New(tensor.Int64, 0, 3), 0)
	centered := optest.Call{Op: "NonMaxSuppression", Attrs: optest.Attrs{"center_point_box": 1}}
	got = optest.Run(t, defs, centered, f32([]int{1, 2, 4}, 1, 1, 2, 2, 1, 1.2, 2, 2), f32([]int{1, 1, 2}, 0.5, 0.5), ints(9), vec(0.5)).Out(0)
	optest.Want(t, got, tensor.From([]int64{0, 0, 0}, 1, 3), 0)
	if e := optest.Error(t, defs, call, boxes, f32([]int{1, 1, 1}, 1)); !strings.Contains(e, "do not fit") {
		t.Errorf("error %q", e)
	}
}

func TestUnpoolAndColumns(t *testing.T) {
	call := optest.Call{Op: "MaxUnpool", Attrs: optest.Attrs{"kernel_shape": []int{2}, "strides": []int{2}}}
	got := optest.Run(t, defs, call, f32([]int{1, 1, 2}, 5, 6), tensor.From([]int64{1, 2}, 1, 1, 2)).Out(0)
	optest.Want(t, got, f32([]int{1, 1, 4}, 0, 5, 6, 0), 0)
	got = optest.Run(t, defs, call, f32([]int{1, 1, 2}, 5, 6), tensor.From([]int64{1, 2}, 1, 1, 2), ints(1, 1, 5)).Out(0)
	optest.Want(t, got, f32([]int{1, 1, 5}, 0, 5, 6, 0, 0), 0)
	if e := optest.Error(t, defs, call, f32([]int{1, 1, 1}, 5), tensor.From([]int64{2}, 1, 1, 1)); !strings.Contains(e, "index 2 is outside [0, 2)") {
		t.Errorf("error %q", e)
	}

	col := optest.Call{Op: "Col2Im"}
	got = optest.Run(t, defs, col, ramp(1, 1, 4, 4), ints(3, 3), ints(2, 2)).Out(0)
	optest.Want(t, got, f32([]int{1, 1, 3, 3}, 1, 7, 6, 12, 34, 22, 11, 27, 16), 0)
	for _, c := range []struct {
		image, block *tensor.Tensor
		want         string
	}{
		{ints(3, 4), ints(2, 2), "want [N, C×4, 6]"}, {ints(1, 3), ints(2, 2), "does not fit dimension 0"},
		{ints(3, 3), ints(2), "do not fit"}, {ints(1<<60, 3), ints(2, 2), "too large"},
	} {
		if e := optest.Error(t, defs, col, ramp(1, 1, 4, 4), c.image, c.block); !strings.Contains(e, c.want) {
			t.Errorf("error %q does not say %q", e, c.want)
		}
	}
}

func TestDeterminants(t *testing.T) {
	got := optest.Run(t, defs, optest.Call{Op: "Det"}, f32([]int{3, 2, 2}, 1, 2, 3, 4, 0, 1, 2, 0, 1, 2, 2, 4)).Out(0)
	optest.Want(t, got, vec(-2, -2, 0), 1e-6)
	optest.Want(t, optest.Run(t, defs, optest.Call{Op: "Det"}, f32([]int{1, 1}, 7)).Out(0), f32(nil, 7), 0)
	if e := optest.Error(t, defs, optest.Call{Op: "Det"}, ramp(0, 2, 3)); !strings.Contains(e, "square") {
		t.Errorf("error %q", e)
	}
}

func TestDeformConv(t *testing.T) {
	x, w := ramp(0, 1, 1, 3, 3), f32([]int{1, 1, 2, 2}, 1, 1, 1, 1)
	still := tensor.New(tensor.Float32, 1, 8, 2, 2)
	call := optest.Call{Op: "DeformConv"}
	got := optest.Run(t, defs, call, x, w, still).Out(0)
	optest.Want(t, got, f32([]int{1, 1, 2, 2}, 8, 12, 20, 24), 0) // a plain convolution

	moved := tensor.New(tensor.Float32, 1, 8, 2, 2)
	for i := range 32 {
		tensor.Data[float32](moved)[i] = 0.5
	}
	got = optest.Run(t, defs, call, x, w, moved, vec(1)).Out(0)
	optest.Want(t, got, f32([]int{1, 1, 2, 2}, 17, 15, 19, 16), 1e-6)

	mask := tensor.New(tensor.Float32, 1, 4, 2, 2) // all zero: only the bias is left
	got = optest.Run(t, defs, call, x, w, moved, vec(1), mask).Out(0)
	optest.Want(t, got, f32([]int{1, 1, 2, 2}, 1, 1, 1, 1), 0)
	if e := optest.Error(t, defs, call, x, w, ramp(0, 1, 8, 1, 2)); !strings.Contains(e, "do not fit an output of 2×2") {
		t.Errorf("error %q", e)
	}
}

func TestOddInputsAreErrors(t *testing.T) {
	optest.Monkey(t, defs, map[string][]any{
		"mode":                           {"nearest", "linear", "cubic", "avg", "max"},
		"coordinate_transformation_mode": {"half_pixel", "align_corners", "tf_crop_and_resize", "half_pixel_symmetric"},
		"antialias":                      {0, 1}, "exclude_outside": {0, 1}, "axes": {[]int{0}, []int{-1, 0}, []int{2, 3}},
		"keep_aspect_ratio_policy": {"stretch", "not_larger", "not_smaller"},
		"padding_mode":             {"zeros", "border", "reflection"}, "align_corners": {0, 1},
		"output_height": {0, 1, 3}, "sampling_ratio": {0, 2}, "spatial_scale": {0.5, -1.0, 1e30},
		"pooled_shape": {[]int{1, 2}, []int{3}}, "kernel_shape": {[]int{2}, []int{1, 2}, []int{1 << 40}},
		"strides": {[]int{1}, []int{2, 1}, []int{0, 0}}, "pads": {[]int{0, 1}, []int{1, 0, 1, 0}, []int{-9, 0, 0, 0}},
		"dilations": {[]int{1, 2}, []int{1}}, "group": {1, 2, 0}, "offset_group": {1, 2},
		"scales": {[]float64{1, 2}, []float64{0.5}, []float64{1, 1, 2, 0.5}},
	}, spoilable()...)
}

// spoilable has a working call of every operator that is picky about shapes.
func spoilable() []optest.Seed {
	seed := func(call optest.Call, in ...tensor.Value) optest.Seed { return optest.Seed{Call: call, In: in} }
	image := ramp(0, 1, 2, 4, 4)
	linear, cubic := optest.Attrs{"mode": "linear"}, optest.Attrs{"mode": "cubic"}
	return []optest.Seed{
		seed(optest.Call{Op: "Resize"}, image, vec(0, 0, 0.1, 0.1, 1, 1, 0.9, 1.2), vec(1, 1, 0.5, 2)),
		seed(optest.Call{Op: "Resize", Attrs: linear}, image, vec(0, 0, 0.1, 0.1, 1, 1, 0.9, 1.2), nil, ints(1, 2, 3, 9)),
		seed(optest.Call{Op: "Resize", Attrs: cubic}, image, vec(0, 0, 0.1, 0.1, 1, 1, 0.9, 1.2), vec(1, 1, 0.5, 2)),
		seed(optest.Call{Op: "Upsample", Opset: 9}, image, vec(1, 1, 2, 2)),
		seed(optest.Call{Op: "GridSample", Attrs: linear}, image, ramp(-2, 1, 2, 2, 2)),
		seed(optest.Call{Op: "GridSample", Attrs: cubic}, image, ramp(-2, 1, 2, 2, 2)),
		seed(optest.Call{Op: "AffineGrid"}, ramp(0, 1, 2, 3), ints(1, 1, 2, 2)),
		seed(optest.Call{Op: "RoiAlign"}, image, f32([]int{2, 4}, 0, 0, 3, 3, 1, 1, 2.5, 3.5), ints(0, 0)),
		seed(optest.Call{Op: "MaxRoiPool", Attrs: optest.Attrs{"pooled_shape": []int{2, 2}}}, image, f32([]int{1, 5}, 0, 0, 0, 3, 3)),
		seed(optest.Call{Op: "MaxUnpool", Attrs: optest.Attrs{"kernel_shape": []int{2}, "strides": []int{2}}},
			f32([]int{1, 1, 2}, 5, 6), tensor.From([]int64{1, 2}, 1, 1, 2), ints(1, 1, 5)),
		seed(optest.Call{Op: "NonMaxSuppression"}, ramp(0, 1, 3, 4), ramp(0, 1, 2, 3), ints(2), vec(0.5), vec(0)),
		seed(optest.Call{Op: "DeformConv"}, ramp(0, 1, 1, 3, 3), ramp(0, 1, 1, 2, 2), ramp(0, 1, 8, 2, 2), vec(1), ramp(0, 1, 4, 2, 2)),
		seed(optest.Call{Op: "Col2Im"}, ramp(1, 1, 4, 4), ints(3, 3), ints(2, 2)),
	}
}
