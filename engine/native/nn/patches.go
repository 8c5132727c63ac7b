package nn

import (
	"unsafe"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
)

// patches makes the right-hand side of a convolution's product, [depth ×
// output pixels], panel by panel. It copies the image into a frame of zeros
// first, so that no tap needs to know the image's border.
type patches struct {
	depth, height, width Axis
	image                []float32 // with its frame; longer than that by slack
	sizeZ, sizeY, sizeX  int       // of the image with its frame
	channels             int
	taps                 []int // of each row of the matrix: offset from the pixel's origin in image
	made                 []int // the shapes that it was placed for
}

// slack is how much may be read behind the last pixel.
const slack = 16

// place prepares for a geometry.
func (p *patches) place(c *op.Context, g *Geometry) error {
	if equalShapes(p.made, g) {
		return nil
	}
	p.made = p.made[:0]
	p.depth, p.height, p.width = inThree(g.Axes)
	p.channels = g.Channels / g.Group
	p.sizeZ, p.sizeY, p.sizeX = framedSize(&p.depth), framedSize(&p.height), framedSize(&p.width)
	if err := bounded(c, tensor.Float32, p.channels, p.sizeZ, p.sizeY, p.sizeX); err != nil {
		return err
	}
	p.image = make([]float32, p.channels*p.sizeZ*p.sizeY*p.sizeX+slack)
	p.taps = p.taps[:0]
	for channel := range p.channels {
		for z := range p.depth.Kernel {
			for y := range p.height.Kernel {
				for x := range p.width.Kernel {
					line := (channel*p.sizeZ+z*p.depth.Dilation)*p.sizeY + y*p.height.Dilation
					p.taps = append(p.taps, line*p.sizeX+x*p.width.Dilation)
				}
			}
		}
	}
	p.made = append(append(p.made, g.x...), g.w...)
	return nil
}

func equalShapes(made []int, g *Geometry) bool {
	if len(made) != len(g.x)+len(g.w) {
		return false
	}
	for i, d := range g.x[1:] { // the number of images does not matter
		if made[i+1] != d {
			return false
		}
	}
	for i, d := range g.w {
		if made[len(g.x)+i] != d {
			return false
		}
	}
	return true
}

// framedSize is the extent of the inputs that the window touches, or of the
// whole input where that is larger.
func framedSize(a *Axis) int {
	return max(a.Begin+a.In, (a.Out-1)*a.Stride+(a.Kernel-1)*a.Dilation+1)
}

// load takes the next image: the channels of one group.
func (p *patches) load(image []float32) {
	width := p.width.In
	for channel := range p.channels {
		for z := range p.depth.In {
			to := ((channel*p.sizeZ+z+p.depth.Begin)*p.sizeY+p.height.Begin)*p.sizeX + p.width.Begin
			for range p.height.In {
				switch width {
				case 4: // the compiler copies without a call
					*(*[4]float32)(p.image[to:]) = *(*[4]float32)(image)
				case 8:
					*(*[8]float32)(p.image[to:]) = *(*[8]float32)(image)
				default:
					copy(p.image[to:], image[:width])
				}
				image = image[width:]
				to += p.sizeX
			}
		}
	}
}

// run is a stretch of a panel's columns that lie in one output row.
type run struct{ to, from, n int }

// PackPanel writes rows p0 … p1 of the columns j0 … j1.
func (p *patches) PackPanel(dst []float32, stride, p0, p1, j0, j1 int) {
	var buf [32]run
	taps := p.taps[p0:p1]
	for _, r := range p.runs(buf[:0], j0, j1) {
		if fours := (r.n + 3) / 4; p.width.Stride == 1 && fours < 4 && r.to+4*fours <= stride {
			// What is copied too much, the next run overwrites.
			for i := range fours {
				copyFours(dst[r.to+4*i:], stride, p.image[r.from+4*i:], taps)
			}
			continue
		}
		for i, tap := range taps {
			p.copyRun(dst[i*stride+r.to:][:r.n], tap+r.from)
		}
	}
}

// copyFours copies four elements from each offset to the next row of dst.
// Offsets grow, so checking the last row and offset covers all; a check for
// each copy would take longer than the copy.
func copyFours(dst []float32, stride int, src []float32, offsets []int) {
	_ = dst[(len(offsets)-1)*stride+3]
	_ = src[offsets[len(offsets)-1]+3]
	to, from := unsafe.Pointer(unsafe.SliceData(dst)), unsafe.Pointer(unsafe.SliceData(src))
	for i, offset := range offsets {
		*(*[4]float32)(unsafe.Add(to, i*stride*4)) = *(*[4]float32)(unsafe.Add(from, offset*4))
	}
}

// runs lists the stretches of columns j0 … j1.
func (p *patches) runs(dst []run, j0, j1 int) []run {
	for j := j0; j < j1; {
		line, x := j/p.width.Out, j%p.width.Out
		z, y := line/p.height.Out, line%p.height.Out
		n := min(p.width.Out-x, j1-j)
		dst = append(dst, run{to: j - j0, from: p.origin(z, y, x), n: n})
		j += n
	}
	return dst
}

func (p *patches) copyRun(dst []float32, from int) {
	step := p.width.Stride
	if step == 1 {
		copy(dst, p.image[from:])
		return
	}
	src := p.image[from:]
	for i := range dst {
		dst[i] = src[i*step]
	}
}
