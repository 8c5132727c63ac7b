package vision

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// maxSpatial bounds the spatial dimensions that GridSample serves; cubic
// sampling reads 4 elements for each.
const maxSpatial = 3

// gridSample is GridSample: X [N, C, d...] is read at the positions of grid
// [N, out..., r], whose coordinates run from the last dimension to the first
// and from -1 to 1.
type gridSample struct {
	reach        int // elements read along each dimension: 1, 2 or 4
	alignCorners bool
	padding      string
}

var gridReach = map[string]int{"nearest": 1, "bilinear": 2, "linear": 2, "bicubic": 4, "cubic": 4}

func buildGridSample(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	mode := a.String("mode", "linear")
	k := &gridSample{
		reach:        gridReach[mode],
		alignCorners: a.Bool("align_corners", false),
		padding:      a.String("padding_mode", "zeros"),
	}
	if k.reach == 0 {
		return nil, op.Errorf(`mode %q: want "nearest", "linear" or "cubic"`, mode)
	}
	switch k.padding {
	case "zeros", "border", "reflection":
		return k, a.Err()
	}
	return nil, op.Errorf(`padding_mode %q: want "zeros", "border" or "reflection"`, k.padding)
}

// Run samples input 0.
func (k *gridSample) Run(c *op.Context) error {
	x, grid := c.T(0), c.T(1)
	r := x.Rank() - 2
	if r < 1 || r > maxSpatial {
		return op.Errorf("%v has %d spatial dimensions; 1 to %d are supported", x, r, maxSpatial)
	}
	if grid.Rank() != x.Rank() || grid.Dim(0) != x.Dim(0) || grid.Dim(-1) != r {
		return op.Errorf("grid %v does not fit %v", grid, x)
	}
	s := op.State[[]int](c)
	*s = append((*s)[:0], x.Shape()[:2]...)
	*s = append(*s, grid.Shape()[1:r+1]...)
	out := c.NewOut(0, x.DType(), *s...)
	if out.Len() > 0 && x.Len() == 0 {
		return op.Errorf("cannot sample the empty %v", x)
	}
	if numeric.Wide(x.DType()) {
		return samplePositions[float64](k, c, out, x, grid)
	}
	return samplePositions[float32](k, c, out, x, grid)
}

// gridTaps are the elements of one channel that make up a sample.
type gridTaps struct {
	n      int
	offset [1 << (2 * maxSpatial)]int
	weight [1 << (2 * maxSpatial)]float64
}

func samplePositions[T numeric.Float](k *gridSample, c *op.Context, out, x, grid *tensor.Tensor) error {
	src, dst := numeric.Read[T](c, 0, x), numeric.Target[T](c, 1, out)
	at := numeric.Read[T](c, 2, grid)
	channels, r := x.Dim(1), x.Rank()-2
	dims := x.Shape()[2:]
	plane, positions := op.Product(dims), op.Product(out.Shape()[2:])
	whole := x.DType().IsInteger()
	var taps gridTaps
	for n := range x.Dim(0) {
		if err := c.Ctx.Err(); err != nil {
			return err
		}
		for p := range positions {
			g := at[(n*positions+p)*r:][:r]
			gridTapsAt(k, &taps, g, dims)
			for ch := range channels {
				values := src[(n*channels+ch)*plane:][:plane]
				dst[(n*channels+ch)*positions+p] = weighted(&taps, values, whole)
			}
		}
	}
	numeric.Store(c, 1, out, dst)
	return nil
}

// weighted is the sum of the taps; whole numbers are cut off, as a Cast does.
func weighted[T numeric.Float](t *gridTaps, values []T, whole bool) T {
	sum := 0.0
	for i, w := range t.weight[:t.n] {
		if w != 0 {
			sum += w * float64(values[t.offset[i]])
		}
	}
	if whole {
		sum = math.Trunc(sum)
	}
	return T(sum)
}

// gridTapsAt finds the taps of one grid position, the product of those along
// each dimension.
func gridTapsAt[T numeric.Float](k *gridSample, t *gridTaps, position []T, dims []int) {
	t.n, t.offset[0], t.weight[0] = 1, 0, 1
	for i, d := range dims {
		x := k.denormalize(float64(position[len(dims)-1-i]), d)
		var index [4]int
		var weight [4]float64
		k.along(&index, &weight, x, d)
		t.extend(index[:k.reach], weight[:k.reach], d)
	}
}

// extend multiplies the taps so far with those along one more dimension.
func (t *gridTaps) extend(index []int, weight []float64, d int) {
	for i := t.n - 1; i >= 0; i-- {
		offset, w := t.offset[i]*d, t.weight[i]
		for j := len(index) - 1; j >= 0; j-- {
			t.offset[i*len(index)+j] = offset + index[j]
			t.weight[i*len(index)+j] = w * weight[j]
		}
	}
	t.n *= len(index)
}

// denormalize turns a grid coordinate into a position, brought inside as the
// padding mode says.
func (k *gridSample) denormalize(g float64, d int) float64 {
	x, low, high := ((g+1)*float64(d)-1)/2, -0.5, float64(d)-0.5
	if k.alignCorners {
		x, low, high = (g+1)/2*float64(d-1), 0, float64(d-1)
	}
	if k.reach == 1 {
		x = math.RoundToEven(x)
	}
	switch {
	case x != x:
		return -10 // nowhere: what the padding mode puts outside
	case x >= low && x <= high:
		return x
	case k.padding == "border":
		return min(max(x, 0), float64(d-1))
	case k.padding == "reflection":
		return reflect(x, low, high)
	}
	return min(max(x, -10), float64(d+10)) // far outside is as good
}

// reflect folds x into [low, high], like a ray between two mirrors.
func reflect(x, low, high float64) float64 {
	width := high - low
	if width <= 0 || math.IsInf(x, 0) {
		return low
	}
	d := math.Abs(x - low)
	turns := math.Floor(d / width)
	rest := d - turns*width
	if math.Mod(turns, 2) == 0 {
		return low + rest
	}
	return high - rest
}

// along finds the elements and weights of position x along a dimension of d.
func (k *gridSample) along(index *[4]int, weight *[4]float64, x float64, d int) {
	base := math.Floor(x)
	first, f := int(base), x-base
	switch k.reach {
	case 1:
		weight[0] = 1
	case 2:
		weight[0], weight[1] = 1-f, f
	case 4:
		first--
		for j := range weight {
			weight[j] = keys(math.Abs(float64(j-1)-f), -0.75)
		}
	}
	for j := range k.reach {
		at := first + j
		switch {
		case at >= 0 && at < d:
		case k.padding == "zeros":
			at, weight[j] = 0, 0
		case k.padding == "border":
			at = min(max(at, 0), d-1)
		default:
			at = k.reflectIndex(at, d)
		}
		index[j] = at
	}
}

func (k *gridSample) reflectIndex(at, d int) int {
	low, high := -0.5, float64(d)-0.5
	if k.alignCorners {
		low, high = 0, float64(d-1)
	}
	return min(max(int(reflect(float64(at), low, high)), 0), d-1)
}

// affineGrid is AffineGrid: the grid that GridSample reads to transform an
// image of the given size by theta [N, r, r+1].
type affineGrid struct{ alignCorners bool }

func buildAffineGrid(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	return &affineGrid{a.Bool("align_corners", false)}, a.Err()
}

// Run writes the grid [N, d..., r].
func (k *affineGrid) Run(c *op.Context) error {
	theta := c.T(0)
	s := op.State[[]int](c)
	*s = op.AppendInts((*s)[:0], c.T(1))
	r := len(*s) - 2
	if r != 2 && r != 3 {
		return op.Errorf("size has %d elements, want 4 or 5: N, C and the spatial dimensions", len(*s))
	}
	if theta.Rank() != 3 || theta.Dim(0) != (*s)[0] || theta.Dim(1) != r || theta.Dim(2) != r+1 {
		return op.Errorf("theta is %v, want [%d,%d,%d]", theta, (*s)[0], r, r+1)
	}
	dims := (*s)[2:]
	for _, d := range dims {
		if d < 0 {
			return op.Errorf("size has a negative dimension: %d", d)
		}
	}
	*s = append(*s, r)
	copy((*s)[1:], (*s)[2:]) // N, d..., r: the channels are left out
	*s = (*s)[:r+2]
	out := c.NewOut(0, theta.DType(), *s...)
	if theta.DType() == tensor.Float64 {
		fillGrid[float64](k, c, out, theta, (*s)[1:r+1])
	} else {
		fillGrid[float32](k, c, out, theta, (*s)[1:r+1])
	}
	return nil
}

func fillGrid[T numeric.Float](k *affineGrid, c *op.Context, out, theta *tensor.Tensor, dims []int) {
	m, dst := numeric.Read[T](c, 0, theta), numeric.Target[T](c, 1, out)
	r, positions := len(dims), op.Product(dims)
	var point [maxSpatial + 1]float64 // x, y, z and a 1
	point[r] = 1
	for i := 0; i < len(dst); i += r {
		p := i / r
		n := p / positions
		for d := range r {
			size := dims[r-1-d]
			point[d] = k.center(p%size, size)
			p /= size
		}
		for row := range r {
			sum := 0.0
			for j, v := range m[(n*r+row)*(r+1):][:r+1] {
				sum += float64(v) * point[j]
			}
			dst[i+row] = T(sum)
		}
	}
	numeric.Store(c, 1, out, dst)
}

// center is where element i of n stands between -1 and 1.
func (k *affineGrid) center(i, n int) float64 {
	switch {
	case !k.alignCorners:
		return (2*float64(i)+1)/float64(n) - 1
	case n == 1:
		return 0
	}
	return 2*float64(i)/float64(n-1) - 1
}
