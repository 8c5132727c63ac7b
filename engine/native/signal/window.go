package signal

import (
	"math"

	"github.com/greenlight-dev/greenlight/engine/native/numeric"
	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// windows are weighted sums of cosines: each is given by its weights.
var windows = map[string][]float64{
	"HannWindow":     {0.5, 0.5},
	"HammingWindow":  {25.0 / 46, 21.0 / 46},
	"BlackmanWindow": {0.42, 0.5, 0.08},
}

// window is one window function, of the length that input 0 gives.
type window struct {
	weights  []float64
	periodic bool
	datatype tensor.DType
}

func buildWindow(n *op.Node) (op.Kernel, error) {
	d, err := datatype(n)
	if err != nil {
		return nil, err
	}
	a := n.ReadAttrs()
	return &window{windows[n.Op], a.Bool("periodic", true), d}, a.Err()
}

// Run writes the window.
func (k *window) Run(c *op.Context) error {
	size, err := scalar(c, 0, 0)
	if err != nil {
		return err
	}
	if size < 0 || size > maxLength {
		return op.Errorf("a window of %d elements is not possible; the limit is %d", size, maxLength)
	}
	period := float64(size)
	if !k.periodic {
		period--
	}
	out := c.NewOut(0, k.datatype, size)
	v := op.Scratch[float64](c, 0, size)
	for i := range v {
		v[i] = k.at(float64(i), period)
		if k.datatype.IsInteger() {
			v[i] = math.Trunc(v[i])
		}
	}
	numeric.Write(c, 1, out, v)
	return nil
}

// at is Σ (-1)ʲ wⱼ cos(2πji/period); a window of one element is 1.
func (k *window) at(i, period float64) float64 {
	if period == 0 {
		return 1
	}
	v, sign := 0.0, 1.0
	for j, w := range k.weights {
		v += sign * w * math.Cos(2*math.Pi*float64(j)*i/period)
		sign = -sign
	}
	return v
}

// mel is MelWeightMatrix: triangular filters, evenly spaced on the mel scale
// of pitch, as a matrix [spectrum bins, mel bins].
type mel struct{ datatype tensor.DType }

func buildMel(n *op.Node) (op.Kernel, error) {
	d, err := datatype(n)
	if err != nil {
		return nil, err
	}
	return &mel{d}, nil
}

// Run writes the matrix.
func (k *mel) Run(c *op.Context) error {
	var v [3]int // mel bins, transform length, sample rate
	for i := range v {
		var err error
		if v[i], err = scalar(c, i, 0); err != nil {
			return err
		}
	}
	bins, length, rate := v[0], v[1], v[2]
	if bins < 0 || length < 0 || rate < 1 || max(bins, length) > maxLength {
		return op.Errorf("%d mel bins of a transform of length %d at %d samples a second are not possible", bins, length, rate)
	}
	var edges [2]float64
	for i := range edges {
		t := c.T(3 + i)
		if t.Len() != 1 {
			return op.Errorf("input %d must be one number, got %v", 3+i, t)
		}
		edges[i] = numeric.Read[float64](c, 0, t)[0]
	}
	out := c.NewOut(0, k.datatype, length/2+1, bins)
	at := op.Scratch[int64](c, 1, bins+2)
	if err := melPoints(at, edges, length, rate); err != nil {
		return err
	}
	m := op.Scratch[float64](c, 2, out.Len())
	clear(m)
	for i := range bins {
		triangle(m, i, bins, int(at[i]), int(at[i+1]), int(at[i+2]))
	}
	for i := range m {
		if k.datatype.IsInteger() {
			m[i] = math.Trunc(m[i])
		}
	}
	numeric.Write(c, 3, out, m)
	return nil
}

// melPoints finds the spectrum bins where the filters begin and end. The
// scale is that of O'Shaughnessy (1987), m = 2595·log₁₀(1 + f/700).
func melPoints(at []int64, edges [2]float64, length, rate int) error {
	low, high := 2595*math.Log10(1+edges[0]/700), 2595*math.Log10(1+edges[1]/700)
	step := (high - low) / float64(len(at))
	for i := range at {
		hertz := 700 * (math.Pow(10, (low+float64(i)*step)/2595) - 1)
		p := math.Floor(float64(length+1) * hertz / float64(rate))
		if !(p >= 0 && p <= float64(length/2)) || i > 0 && p < float64(at[i-1]) {
			return op.Errorf("filters between %v and %v Hz do not fit a spectrum up to %v Hz", edges[0], edges[1], float64(rate)/2)
		}
		at[i] = int64(p)
	}
	return nil
}

// triangle writes column i: rising from left to center, falling to right.
func triangle(m []float64, i, bins, left, center, right int) {
	for j := left; j <= center; j++ {
		m[j*bins+i] = 1
		if center > left {
			m[j*bins+i] = float64(j-left) / float64(center-left)
		}
	}
	for j := center; j < right; j++ {
		m[j*bins+i] = float64(right-j) / float64(right-center)
	}
}
