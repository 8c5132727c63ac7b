package vision

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// maxRoiSamples bounds the samples of one region that RoiAlign takes.
const maxRoiSamples = 1 << 20

// roiAlign is RoiAlign: X [N, C, H, W] is sampled on a grid in each region
// [x1, y1, x2, y2], and the samples of each bin are averaged, or their
// maximum taken.
type roiAlign struct {
	height, width int
	ratio         int // samples along each side of a bin; 0 adapts
	scale         float64
	halfPixel     bool
	max           bool
}

func buildRoiAlign(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	coordinates := "output_half_pixel"
	if n.Opset >= 16 {
		coordinates = a.String("coordinate_transformation_mode", "half_pixel")
	}
	mode := a.String("mode", "avg")
	k := &roiAlign{
		height:    a.Int("output_height", 1),
		width:     a.Int("output_width", 1),
		ratio:     a.Int("sampling_ratio", 0),
		scale:     float64(a.Float("spatial_scale", 1)),
		halfPixel: coordinates == "half_pixel",
		max:       mode == "max",
	}
	switch {
	case coordinates != "half_pixel" && coordinates != "output_half_pixel":
		return nil, op.Errorf("coordinate_transformation_mode %q is not known", coordinates)
	case mode != "avg" && mode != "max":
		return nil, op.Errorf(`mode %q: want "avg" or "max"`, mode)
	case k.height <= 0 || k.width <= 0 || k.ratio < 0:
		return nil, op.Errorf("output %d×%d with sampling ratio %d is not possible", k.height, k.width, k.ratio)
	}
	return k, a.Err()
}

// Run writes [regions, C, height, width].
func (k *roiAlign) Run(c *op.Context) error {
	x, rois, batch := c.T(0), c.T(1), c.T(2)
	if x.Rank() != 4 || x.Len() == 0 {
		return op.Errorf("the input must be [N, C, H, W] and not empty, got %v", x)
	}
	if rois.Rank() != 2 || rois.Dim(1) != 4 || batch.Len() != rois.Dim(0) {
		return op.Errorf("regions %v and batch indices %v do not fit: want [R,4] and [R]", rois, batch)
	}
	out := c.NewOut(0, x.DType(), rois.Dim(0), x.Dim(1), k.height, k.width)
	if x.DType() == tensor.Float64 {
		return alignRegions[float64](k, c, out, x, rois, batch)
	}
	return alignRegions[float32](k, c, out, x, rois, batch)
}

// corners are the four elements that a sample is interpolated from.
type corners struct {
	at     [4]int
	weight [4]float64
}

type roiState struct {
	batch   []int
	samples []corners // of one region, bin after bin
}

func alignRegions[T numeric.Float](k *roiAlign, c *op.Context, out, x, rois, batch *tensor.Tensor) error {
	src, dst := numeric.Read[T](c, 0, x), numeric.Target[T](c, 1, out)
	regions := numeric.Read[T](c, 2, rois)
	s := op.State[roiState](c)
	s.batch = op.AppendInts(s.batch[:0], batch)
	channels, plane, bins := x.Dim(1), x.Dim(2)*x.Dim(3), k.height*k.width
	for r, n := range s.batch {
		if n < 0 || n >= x.Dim(0) {
			return op.Errorf("region %d is of image %d, the batch has %d", r, n, x.Dim(0))
		}
		var region [4]float64
		numeric.Convert(region[:], regions[r*4:r*4+4])
		if err := k.sample(s, region, x.Dim(2), x.Dim(3)); err != nil {
			return op.Errorf("region %d: %v", r, err)
		}
		each := len(s.samples) / bins
		for ch := range channels {
			if err := c.Ctx.Err(); err != nil {
				return err
			}
			values := src[(n*channels+ch)*plane:][:plane]
			to := dst[(r*channels+ch)*bins:][:bins]
			for b := range to {
				to[b] = T(poolBin(values, s.samples[b*each:(b+1)*each], k.max))
			}
		}
	}
	numeric.Store(c, 1, out, dst)
	return nil
}

// sample finds the samples of all bins of a region.
func (k *roiAlign) sample(s *roiState, region [4]float64, h, w int) error {
	shift, least := 0.0, 1.0
	if k.halfPixel {
		shift, least = 0.5, math.Inf(-1)
	}
	left, top := region[0]*k.scale-shift, region[1]*k.scale-shift
	binW := max(region[2]*k.scale-shift-left, least) / float64(k.width)
	binH := max(region[3]*k.scale-shift-top, least) / float64(k.height)
	gridW, gridH := float64(k.ratio), float64(k.ratio)
	if k.ratio == 0 {
		gridW, gridH = max(math.Ceil(binW), 0), max(math.Ceil(binH), 0)
	}
	if !(gridW*gridH*float64(k.width*k.height) <= maxRoiSamples) {
		return op.Errorf("%v is too large to sample", region)
	}
	if s.samples = s.samples[:0]; gridW == 0 || gridH == 0 {
		return nil
	}
	for b := range k.height * k.width {
		for iy := range int(gridH) {
			y := top + (float64(b/k.width)+(float64(iy)+0.5)/gridH)*binH
			for ix := range int(gridW) {
				x := left + (float64(b%k.width)+(float64(ix)+0.5)/gridW)*binW
				s.samples = append(s.samples, cornersAt(y, x, h, w))
			}
		}
	}
	return nil
}

// cornersAt finds the elements around a position; beyond one pixel outside
// there are none, and nearer the edge is repeated.
func cornersAt(y, x float64, h, w int) corners {
	if !(y >= -1 && y <= float64(h) && x >= -1 && x <= float64(w)) {
		return corners{}
	}
	y0, y1, fy := between(y, h)
	x0, x1, fx := between(x, w)
	return corners{
		[4]int{y0*w + x0, y0*w + x1, y1*w + x0, y1*w + x1},
		[4]float64{(1 - fy) * (1 - fx), (1 - fy) * fx, fy * (1 - fx), fy * fx},
	}
}

func between(v float64, n int) (low, high int, fraction float64) {
	v = max(v, 0)
	if low = int(v); low >= n-1 {
		return n - 1, n - 1, 0
	}
	return low, low + 1, v - float64(low)
}

// poolBin pools the samples of one bin: their mean, or the largest of all
// weighted corners, as the specification's own implementation has it.
func poolBin[T numeric.Float](values []T, samples []corners, largest bool) float64 {
	sum, top := 0.0, math.Inf(-1)
	for i := range samples {
		s := &samples[i]
		for j, at := range s.at {
			v := s.weight[j] * float64(values[at])
			sum += v
			top = max(top, v)
		}
	}
	switch {
	case len(samples) == 0:
		return 0
	case largest:
		return top
	}
	return sum / float64(len(samples))
}

// maxRoiPool is MaxRoiPool: the maximum of each bin of the regions
// [image, x1, y1, x2, y2], whose corners are rounded to whole pixels.
type maxRoiPool struct {
	height, width int
	scale         float64
}

func buildMaxRoiPool(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	shape := a.Ints("pooled_shape")
	if len(shape) != 2 || shape[0] <= 0 || shape[1] <= 0 {
		return nil, op.Errorf("pooled_shape %v: want a height and a width", shape)
	}
	return &maxRoiPool{shape[0], shape[1], float64(a.Float("spatial_scale", 1))}, a.Err()
}

// Run writes [regions, C, height, width].
func (k *maxRoiPool) Run(c *op.Context) error {
	x, rois := c.T(0), c.T(1)
	if x.Rank() != 4 || x.Len() == 0 {
		return op.Errorf("the input must be [N, C, H, W] and not empty, got %v", x)
	}
	if rois.Rank() != 2 || rois.Dim(1) != 5 {
		return op.Errorf("regions are %v, want [R,5]", rois)
	}
	out := c.NewOut(0, x.DType(), rois.Dim(0), x.Dim(1), k.height, k.width)
	if x.DType() == tensor.Float64 {
		return poolRegions[float64](k, c, out, x, rois)
	}
	return poolRegions[float32](k, c, out, x, rois)
}

func poolRegions[T numeric.Float](k *maxRoiPool, c *op.Context, out, x, rois *tensor.Tensor) error {
	src, dst := numeric.Read[T](c, 0, x), numeric.Target[T](c, 1, out)
	regions := numeric.Read[T](c, 2, rois)
	channels, h, w := x.Dim(1), x.Dim(2), x.Dim(3)
	for r := range rois.Dim(0) {
		if err := c.Ctx.Err(); err != nil {
			return err
		}
		var region [5]float64
		numeric.Convert(region[:], regions[r*5:r*5+5])
		if !(region[0] >= 0 && region[0] < float64(x.Dim(0))) {
			return op.Errorf("region %d is of image %v, the batch has %d", r, region[0], x.Dim(0))
		}
		for ch := range channels {
			values := src[(int(region[0])*channels+ch)*h*w:][:h*w]
			for b := range k.height * k.width {
				y0, y1 := k.bin(region[2], region[4], b/k.width, k.height, h)
				x0, x1 := k.bin(region[1], region[3], b%k.width, k.width, w)
				dst[(r*channels+ch)*k.height*k.width+b] = maxOf(values, w, y0, y1, x0, x1)
			}
		}
	}
	numeric.Store(c, 1, out, dst)
	return nil
}

// bin is the extent of bin i of n along a side of a region, clipped to size.
func (k *maxRoiPool) bin(start, end float64, i, n, size int) (from, to int) {
	start = math.Round(start * k.scale)
	length := max(math.Round(end*k.scale)-start+1, 1) / float64(n)
	clip := func(v float64) int {
		if v != v {
			return 0
		}
		return int(min(max(v, 0), float64(size)))
	}
	return clip(math.Floor(float64(i)*length) + start), clip(math.Ceil(float64(i+1)*length) + start)
}

// maxOf is the largest element of a rectangle; 0 for an empty one.
func maxOf[T numeric.Float](values []T, w, y0, y1, x0, x1 int) T {
	if y0 >= y1 || x0 >= x1 {
		return 0
	}
	top := values[y0*w+x0]
	for y := y0; y < y1; y++ {
		for _, v := range values[y*w+x0 : y*w+x1] {
			top = max(top, v)
		}
	}
	return top
}
