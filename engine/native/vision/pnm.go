package vision

import (
	"errors"
	"image"
	"image/color"
	"io"
)

var errPNM = errors.New("not a portable any-map image")

// pnmHeader is the beginning of a portable bitmap, graymap or pixmap; kind is
// the digit after the P, 1 to 3 for text and 4 to 6 for bytes.
type pnmHeader struct{ kind, width, height, max int }

func (h pnmHeader) bitmap() bool { return h.kind == 1 || h.kind == 4 }
func (h pnmHeader) text() bool   { return h.kind <= 3 }

// channels is the number of samples of a pixel.
func (h pnmHeader) channels() int {
	if h.kind == 3 || h.kind == 6 {
		return 3
	}
	return 1
}

// pnmReader reads the samples behind a header.
type pnmReader struct {
	pnmHeader
	data []byte
}

func newPNM(r io.Reader) (*pnmReader, error) {
	data, err := io.ReadAll(r)
	if err != nil || len(data) < 3 || data[0] != 'P' || data[1] < '1' || data[1] > '6' {
		return nil, errPNM
	}
	p := &pnmReader{pnmHeader{kind: int(data[1] - '0'), max: 1}, data[2:]}
	fields := []*int{&p.width, &p.height, &p.max}
	if p.bitmap() {
		fields = fields[:2]
	}
	for _, f := range fields {
		if *f, err = p.number(); err != nil {
			return nil, err
		}
	}
	if !p.text() && len(p.data) > 0 {
		p.data = p.data[1:] // the one blank behind the header
	}
	if p.max < 1 || p.max > 65535 || p.width < 1 || p.height < 1 || p.width > 1<<24 || p.height > 1<<24 {
		return nil, errPNM
	}
	return p, nil
}

// number reads the next decimal number, past blanks and comments.
func (p *pnmReader) number() (int, error) {
	i := 0
	for i < len(p.data) && (p.data[i] <= ' ' || p.data[i] == '#') {
		if p.data[i] == '#' {
			for i < len(p.data) && p.data[i] != '\n' {
				i++
			}
			continue
		}
		i++
	}
	v, start := 0, i
	for ; i < len(p.data) && p.data[i] >= '0' && p.data[i] <= '9' && v < 1<<28; i++ {
		v = v*10 + int(p.data[i]-'0')
		if p.kind == 1 && p.width > 0 && p.height > 0 { // bits need no blanks between
			i++
			break
		}
	}
	if i == start {
		return 0, errPNM
	}
	p.data = p.data[i:]
	return v, nil
}

func pnmConfig(r io.Reader) (image.Config, error) {
	p, err := newPNM(r)
	if err != nil {
		return image.Config{}, err
	}
	return image.Config{ColorModel: color.NRGBAModel, Width: p.width, Height: p.height}, nil
}

func pnmDecode(r io.Reader) (image.Image, error) {
	p, err := newPNM(r)
	if err != nil || len(p.data) < p.least() {
		return nil, errPNM
	}
	img := image.NewNRGBA(image.Rect(0, 0, p.width, p.height))
	for y := range p.height {
		for x := range p.width {
			pixel := img.Pix[img.PixOffset(x, y):][:4]
			pixel[3] = 255
			for ch := range p.channels() {
				v, err := p.sample(x)
				if err != nil {
					return nil, err
				}
				pixel[ch] = v
			}
			if p.channels() == 1 {
				pixel[1], pixel[2] = pixel[0], pixel[0]
			}
		}
	}
	return img, nil
}

// least is the fewest bytes that hold all samples.
func (p *pnmReader) least() int {
	switch n := p.width * p.height * p.channels(); {
	case p.kind == 4:
		return (p.width + 7) / 8 * p.height
	case p.text() || p.max < 256:
		return n
	default:
		return 2 * n
	}
}

// sample reads the next sample, of column x, scaled to 0…255.
func (p *pnmReader) sample(x int) (uint8, error) {
	v, err := p.raw(x)
	switch {
	case err != nil:
		return 0, err
	case p.bitmap():
		return uint8(255 * (1 - min(v, 1))), nil // 1 is black
	}
	return uint8((min(v, p.max)*255 + p.max/2) / p.max), nil
}

func (p *pnmReader) raw(x int) (int, error) {
	if p.text() {
		return p.number()
	}
	width := 1
	if p.max > 255 {
		width = 2
	}
	if len(p.data) < width {
		return 0, errPNM
	}
	if p.kind == 4 {
		bit := int(p.data[0]>>(7-x%8)) & 1
		if x%8 == 7 || x == p.width-1 {
			p.data = p.data[1:]
		}
		return bit, nil
	}
	v := int(p.data[0])
	if width == 2 {
		v = v<<8 | int(p.data[1])
	}
	p.data = p.data[width:]
	return v, nil
}
