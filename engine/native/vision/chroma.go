package vision

import "image"

// chroma reads an image of brightness and two colour differences, the latter
// brought to full resolution by interpolation.
type chroma struct {
	img    *image.YCbCr
	width  int
	cb, cr []uint8
	toRGB  func(y, cb, cr int32) (r, g, b uint8)
}

func (p *chroma) at(x, y int) (r, g, b uint8) {
	i := y*p.width + x
	return p.toRGB(int32(p.img.Y[y*p.img.YStride+x]), int32(p.cb[i]), int32(p.cr[i]))
}

// newJPEG interpolates as the specification prescribes, which is what the
// JPEG group's decoder calls fancy upsampling: three quarters of the nearer
// sample and one of the farther, rounded down and up in turn.
func newJPEG(img *image.YCbCr) *chroma {
	h, v := 1, 1
	switch img.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		h = 2
	case image.YCbCrSubsampleRatio440:
		v = 2
	case image.YCbCrSubsampleRatio420:
		h, v = 2, 2
	case image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410:
		return newChroma(img, repeated, jfif)
	}
	return newChroma(img, func(s samples, x, y int) uint8 { return s.fancy(x, y, h, v) }, jfif)
}

// newWebP interpolates with weights of 9, 3, 3 and 1 sixteenth, and converts
// from the limited range that VP8 uses.
func newWebP(img *image.YCbCr) *chroma {
	return newChroma(img, samples.bilinear, bt601)
}

func newChroma(img *image.YCbCr, upsample func(s samples, x, y int) uint8, toRGB func(y, cb, cr int32) (r, g, b uint8)) *chroma {
	b := img.Bounds()
	p := &chroma{img: img, width: b.Dx(), toRGB: toRGB}
	small := samples{stride: img.CStride, img: img}
	small.w, small.h = chromaSize(img)
	planes := [2][]uint8{img.Cb, img.Cr}
	for i, plane := range planes {
		small.v = plane
		wide := make([]uint8, b.Dx()*b.Dy())
		for j := range wide {
			wide[j] = upsample(small, j%b.Dx(), j/b.Dx())
		}
		planes[i] = wide
	}
	p.cb, p.cr = planes[0], planes[1]
	return p
}

func chromaSize(img *image.YCbCr) (w, h int) {
	b := img.Bounds()
	last := img.COffset(b.Max.X-1, b.Max.Y-1)
	return last%img.CStride + 1, last/img.CStride + 1
}

// samples is a plane of colour differences at its own resolution.
type samples struct {
	v            []uint8
	stride, w, h int
	img          *image.YCbCr
}

// at repeats the edge outside.
func (s samples) at(x, y int) int {
	return int(s.v[min(max(y, 0), s.h-1)*s.stride+min(max(x, 0), s.w-1)])
}

func repeated(s samples, x, y int) uint8 {
	b := s.img.Bounds()
	return s.v[s.img.COffset(b.Min.X+x, b.Min.Y+y)]
}

// fancy is the sample at full resolution where each one covers h×v pixels.
func (s samples) fancy(x, y, h, v int) uint8 {
	nearX, nearY := x/h, y/v
	farX, farY := nearX+2*(x%h)-1, nearY+2*(y%v)-1
	switch {
	case h == 1 && v == 1:
		return uint8(s.at(x, y))
	case v == 1 && s.w <= 2, h == 2 && v == 2 && s.w <= 2:
		return uint8(s.at(nearX, nearY))
	case v == 1:
		return uint8((3*s.at(nearX, nearY) + s.at(farX, nearY) + 1 + x%2) >> 2)
	case h == 1:
		return uint8((3*s.at(nearX, nearY) + s.at(nearX, farY) + 1 + y%2) >> 2)
	}
	near := 3*s.at(nearX, nearY) + s.at(nearX, farY)
	far := 3*s.at(farX, nearY) + s.at(farX, farY)
	return uint8((3*near + far + 8 - x%2) >> 4)
}

// bilinear is the sample at full resolution where each one covers 2×2 pixels.
func (s samples) bilinear(x, y int) uint8 {
	nearX, nearY := x/2, y/2
	farX, farY := nearX+2*(x%2)-1, nearY+2*(y%2)-1
	near, beside := s.at(nearX, nearY), s.at(farX, nearY)
	below, across := s.at(nearX, farY), s.at(farX, farY)
	diagonal := (near + across + 3*(beside+below) + 8) >> 3
	return uint8((diagonal + near) >> 1)
}

// jfif converts from the full range of JPEG (JFIF 1.02), in 16-bit fixed point.
func jfif(y, cb, cr int32) (r, g, b uint8) {
	const half = 1 << 15
	cb, cr = cb-128, cr-128
	return clamp8(y + (91881*cr+half)>>16),
		clamp8(y + (-22554*cb-46802*cr+half)>>16),
		clamp8(y + (116130*cb+half)>>16)
}

// bt601 converts from the limited range of ITU-R BT.601, in 14-bit fixed
// point.
func bt601(y, cb, cr int32) (r, g, b uint8) {
	y = 19077 * y >> 8
	return clamp8((y + 26149*cr>>8 - 14234) >> 6),
		clamp8((y - 6419*cb>>8 - 13320*cr>>8 + 8708) >> 6),
		clamp8((y + 33050*cb>>8 - 17685) >> 6)
}

func clamp8(v int32) uint8 { return uint8(min(max(v, 0), 255)) }
