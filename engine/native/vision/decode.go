package vision

import (
	"bytes"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/op"
	"github.com/greenlight-dev/greenlight/tensor"
	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
)

// maxPixels bounds a decoded image where the engine sets no bound.
const maxPixels = 1 << 26

// imageDecoder is ImageDecoder: the bytes of an image file become an array
// [height, width, channels].
type imageDecoder struct{ format string }

func buildImageDecoder(n *op.Node) (op.Kernel, error) {
	a := n.ReadAttrs()
	k := &imageDecoder{a.String("pixel_format", "RGB")}
	switch k.format {
	case "RGB", "BGR", "Grayscale":
		return k, a.Err()
	}
	return nil, op.Errorf(`pixel_format %q: want "RGB", "BGR" or "Grayscale"`, k.format)
}

func inferImage(n *op.Node) error {
	n.SetOut(0, tensor.TensorType(tensor.Uint8, -1, -1, -1))
	return nil
}

// imageFormat is one kind of image file, known by how it begins; a nil decode
// is one that is not supported.
type imageFormat struct {
	name   string
	magic  string // "?" stands for any byte
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

var imageFormats = []imageFormat{
	{"JPEG", "\xff\xd8\xff", jpeg.DecodeConfig, jpeg.Decode},
	{"PNG", "\x89PNG\r\n\x1a\n", png.DecodeConfig, png.Decode},
	{"BMP", "BM", bmp.DecodeConfig, bmp.Decode},
	{"TIFF", "II\x2a\x00", tiff.DecodeConfig, tiff.Decode},
	{"TIFF", "MM\x00\x2a", tiff.DecodeConfig, tiff.Decode},
	{"WebP", "RIFF????WEBP", webp.DecodeConfig, webp.Decode},
	{"PNM", "P?", pnmConfig, pnmDecode},
	{"JPEG 2000", "\x00\x00\x00\x0cjP  ", nil, nil},
	{"JPEG 2000", "\xff\x4f\xff\x51", nil, nil},
}

func (f imageFormat) begins(data []byte) bool {
	if len(data) < len(f.magic) {
		return false
	}
	for i, b := range []byte(f.magic) {
		if b != '?' && b != data[i] {
			return false
		}
	}
	return true
}

// Run decodes input 0. What is no image, or a damaged one, gives an empty
// array, as the specification asks; a format that is not supported and an
// image that is too large are errors.
func (k *imageDecoder) Run(c *op.Context) error {
	img, webp, err := k.decode(c, tensor.Data[uint8](c.T(0)))
	if err != nil {
		return err
	}
	channels := 3
	if k.format == "Grayscale" {
		channels = 1
	}
	if img == nil {
		c.NewOut(0, tensor.Uint8, 0, 0, channels)
		return nil
	}
	b := img.Bounds()
	out := c.NewOut(0, tensor.Uint8, b.Dy(), b.Dx(), channels)
	k.write(tensor.Data[uint8](out), img, rgbReader(img, webp))
	return nil
}

// decode gives no image for data that holds none, and says whether it is WebP,
// whose colours are coded in their own way.
func (k *imageDecoder) decode(c *op.Context, data []byte) (img image.Image, isWebP bool, err error) {
	at := slices.IndexFunc(imageFormats, func(f imageFormat) bool { return f.begins(data) })
	if at < 0 {
		return nil, false, nil
	}
	f := imageFormats[at]
	if f.decode == nil {
		return nil, false, op.Errorf("%s images are not supported: send JPEG, PNG, WebP, TIFF, BMP or PNM", f.name)
	}
	config, err := f.config(bytes.NewReader(data))
	if err != nil || config.Width <= 0 || config.Height <= 0 {
		return nil, false, nil
	}
	limit := maxPixels
	if c.MaxBytes > 0 {
		limit = min(limit, c.MaxBytes/3)
	}
	if config.Height > limit/config.Width {
		return nil, false, op.Errorf("an image of %d×%d is larger than the limit of %d pixels", config.Width, config.Height, limit)
	}
	if img, err = f.decode(bytes.NewReader(data)); err != nil {
		return nil, false, nil
	}
	return img, f.name == "WebP", nil
}

// write stores the pixels in the order of the format.
func (k *imageDecoder) write(dst []uint8, img image.Image, pixels func(x, y int) (r, g, b uint8)) {
	b := img.Bounds()
	i := 0
	for y := range b.Dy() {
		for x := range b.Dx() {
			red, green, blue := pixels(x, y)
			switch k.format {
			case "RGB":
				dst[i], dst[i+1], dst[i+2] = red, green, blue
				i += 3
			case "BGR":
				dst[i], dst[i+1], dst[i+2] = blue, green, red
				i += 3
			default:
				dst[i] = luma(red, green, blue)
				i++
			}
		}
	}
}

// luma is the ITU-R BT.601 brightness in 16-bit fixed point.
func luma(r, g, b uint8) uint8 {
	return uint8((19595*uint32(r) + 38470*uint32(g) + 7471*uint32(b) + 1<<15) >> 16)
}

// rgbReader gives the colour of each pixel, without its transparency.
func rgbReader(img image.Image, webp bool) func(x, y int) (r, g, b uint8) {
	origin := img.Bounds().Min
	switch img := img.(type) {
	case *image.YCbCr:
		if webp {
			return newWebP(img).at
		}
		return newJPEG(img).at
	case *image.NYCbCrA:
		return newWebP(&img.YCbCr).at
	case *image.NRGBA:
		return func(x, y int) (r, g, b uint8) {
			p := img.Pix[img.PixOffset(origin.X+x, origin.Y+y):]
			return p[0], p[1], p[2]
		}
	case image.RGBA64Image:
		return func(x, y int) (r, g, b uint8) {
			p := img.RGBA64At(origin.X+x, origin.Y+y)
			return plain(p.R, p.A), plain(p.G, p.A), plain(p.B, p.A)
		}
	}
	return func(x, y int) (r, g, b uint8) {
		r32, g32, b32, a := img.At(origin.X+x, origin.Y+y).RGBA()
		return plain(uint16(r32), uint16(a)), plain(uint16(g32), uint16(a)), plain(uint16(b32), uint16(a))
	}
}

// plain undoes the fading of a colour by its opacity.
func plain(v, alpha uint16) uint8 {
	if alpha == 0 || alpha == 0xffff {
		return uint8(v >> 8)
	}
	return uint8(min(uint32(v)*0xffff/uint32(alpha), 0xffff) >> 8)
}
