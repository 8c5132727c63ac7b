package nn_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// plane is one channel and a window over it, chosen at random.
type plane struct {
	h, w                  int
	kernel, stride, dil   [2]int64
	top, left, bottom, rt int64
	data                  []float32
}

func randomPlane(r *rand.Rand) plane {
	p := plane{h: 1 + r.IntN(9), w: 1 + r.IntN(40)}
	for i, in := range []int{p.h, p.w} {
		p.kernel[i], p.stride[i], p.dil[i] = 1+r.Int64N(4), 1+r.Int64N(3), 1+r.Int64N(2)
		if span := (p.kernel[i]-1)*p.dil[i] + 1; span > int64(in) {
			p.kernel[i], p.dil[i] = 1, 1
		}
	}
	p.top, p.bottom = r.Int64N(p.kernel[0]), r.Int64N(p.kernel[0])
	p.left, p.rt = r.Int64N(p.kernel[1]), r.Int64N(p.kernel[1])
	p.data = make([]float32, p.h*p.w)
	for i := range p.data {
		p.data[i] = float32(r.IntN(64)-32) / 8
	}
	return p
}

func (p *plane) attrs() []*onnx.Attribute {
	return attrs(ints("strides", p.stride[:]...), ints("dilations", p.dil[:]...), ints("pads", p.top, p.left, p.bottom, p.rt))
}

// sees calls visit for each tap with what lies under it at a position.
func (p *plane) sees(oy, ox int, visit func(tap int, v float32)) {
	for ky := range p.kernel[0] {
		for kx := range p.kernel[1] {
			y := int64(oy)*p.stride[0] - p.top + ky*p.dil[0]
			x := int64(ox)*p.stride[1] - p.left + kx*p.dil[1]
			if y >= 0 && y < int64(p.h) && x >= 0 && x < int64(p.w) {
				visit(int(ky*p.kernel[1]+kx), p.data[y*int64(p.w)+x])
			}
		}
	}
}

func (p *plane) positions() (h, w int) {
	f := func(in int, a, b int64, i int) int {
		return int((int64(in)+a+b-(p.kernel[i]-1)*p.dil[i]-1)/p.stride[i]) + 1
	}
	return f(p.h, p.top, p.bottom, 0), f(p.w, p.left, p.rt, 1)
}

// TestWindowsFollowTheDefinition compares the windowed operators with the
// definition, position by position.
func TestWindowsFollowTheDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		p := randomPlane(r)
		taps := int(p.kernel[0] * p.kernel[1])
		h, w := p.positions()
		image := tensor.From(p.data, 1, 1, p.h, p.w)
		weights := ramp(1, 1, int(p.kernel[0]), int(p.kernel[1]))
		var largest, mean, conv []float32
		for oy := range h {
			for ox := range w {
				top, sum, product, n := float32(math.Inf(-1)), 0.0, 0.0, 0
				p.sees(oy, ox, func(tap int, v float32) {
					top, sum, n = max(top, v), sum+float64(v), n+1
					product += float64(v) * float64(tensor.Data[float32](weights)[tap])
				})
				if n == 0 {
					top = 0
				}
				largest, mean, conv = append(largest, top), append(mean, float32(sum/float64(max(n, 1)))), append(conv, float32(product))
			}
		}
		kernel := ints("kernel_shape", p.kernel[:]...)
		want(t, call{op: "MaxPool", in: tensors(image), attrs: append(p.attrs(), kernel)}.run(t)[0], largest, 1, 1, h, w)
		want(t, call{op: "MaxPool", in: tensors(image), attrs: append(p.attrs(), kernel), outputs: 2}.run(t)[0], largest, 1, 1, h, w)
		want(t, call{op: "AveragePool", in: tensors(image), attrs: append(p.attrs(), kernel)}.run(t)[0], mean, 1, 1, h, w)
		want(t, call{op: "Conv", in: tensors(image, weights), attrs: p.attrs()}.run(t)[0], conv, 1, 1, h, w)
		p.checkTranspose(t, weights, taps)
	}
}

// checkTranspose compares ConvTranspose of the plane with the definition: each
// pixel adds its kernel to the output.
func (p *plane) checkTranspose(t *testing.T, weights *tensor.Tensor, taps int) {
	size := func(in int, a, b int64, i int) int {
		return int(int64(in-1)*p.stride[i] + (p.kernel[i]-1)*p.dil[i] + 1 - a - b)
	}
	h, w := size(p.h, p.top, p.bottom, 0), size(p.w, p.left, p.rt, 1)
	if h <= 0 || w <= 0 {
		return
	}
	sums := make([]float32, h*w)
	for i, v := range p.data {
		for tap := range taps {
			y := int64(i/p.w)*p.stride[0] + int64(tap)/p.kernel[1]*p.dil[0] - p.top
			x := int64(i%p.w)*p.stride[1] + int64(tap)%p.kernel[1]*p.dil[1] - p.left
			if y >= 0 && y < int64(h) && x >= 0 && x < int64(w) {
				sums[y*int64(w)+x] += v * tensor.Data[float32](weights)[tap]
			}
		}
	}
	image := tensor.From(p.data, 1, 1, p.h, p.w)
	want(t, call{op: "ConvTranspose", in: tensors(image, weights), attrs: p.attrs()}.run(t)[0], sums, 1, 1, h, w)
}
