package nn

import (
	"github.com/greenlight-dev/greenlight/engine/native/gemm"
	"github.com/greenlight-dev/greenlight/engine/native/op"
)

// isDepthwise tells convolutions whose filters see one channel each: too few
// products for a matrix, but each tap is a vector operation on a whole plane.
func (g *Geometry) isDepthwise() bool { return g.Channels == g.Group && g.Group > 1 }

// depthwise convolves channel by channel.
func (k *conv) depthwise(c *op.Context, st *convState, dst, src []float32, ep gemm.Epilogue) error {
	if err := st.patches.place(c, &st.Geometry); err != nil {
		return err
	}
	weights := k.plain
	if weights == nil {
		weights = op.Float32s(c, 1, c.T(1))
	}
	in, out := st.Pixels()
	taps, filters := st.Depth(), st.Filters/st.Group
	sums := op.Scratch[float32](c, 4, st.patches.last()+1)
	for i := range st.Batch {
		image, result := src[i*st.Channels*in:], dst[i*st.Filters*out:]
		for f := range st.Filters {
			if f%filters == 0 {
				st.patches.load(image[f/filters*in:][:in])
			}
			st.patches.sum(sums, weights[f*taps:][:taps])
			st.patches.collect(result[f*out:][:out], sums)
		}
		gemm.Finish(st.Filters, out, result, out, ep)
	}
	return nil
}

// sum adds up every tap, scaled. The plane with its frame is read as one long
// row; an output pixel stands where the window's first tap does.
func (p *patches) sum(sums, weights []float32) {
	clear(sums)
	for tap, w := range weights {
		gemm.Axpy(sums, w, p.image[p.taps[tap]:][:len(sums)])
	}
}

// origin is where the window's first tap stands for an output pixel.
func (p *patches) origin(z, y, x int) int {
	return (z*p.depth.Stride*p.sizeY+y*p.height.Stride)*p.sizeX + x*p.width.Stride
}

// last is the origin of the last output pixel.
func (p *patches) last() int { return p.origin(p.depth.Out-1, p.height.Out-1, p.width.Out-1) }

// collect picks the output pixels.
func (p *patches) collect(dst, sums []float32) {
	for z := range p.depth.Out {
		for y := range p.height.Out {
			row, src := dst[:p.width.Out], sums[p.origin(z, y, 0):]
			dst = dst[p.width.Out:]
			if p.width.Stride == 1 {
				copy(row, src)
				continue
			}
			for x := range row {
				row[x] = src[x*p.width.Stride]
			}
		}
	}
}
