package vision_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"slices"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/engine/native/op/optest"
	"github.com/greenlight-dev/greenlight/tensor"
	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// checkers is a 4×2 image of four colours.
func checkers() *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, 4, 2))
	colors := []color.NRGBA{{255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}, {10, 20, 30, 255}}
	for i := range 8 {
		img.SetNRGBA(i%4, i/4, colors[i%4])
	}
	return img
}

func encoded(t *testing.T, write func(b *bytes.Buffer) error) *tensor.Tensor {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return tensor.From(b.Bytes(), b.Len())
}

func decoded(t *testing.T, format string, data *tensor.Tensor) *tensor.Tensor {
	t.Helper()
	call := optest.Call{Op: "ImageDecoder", Attrs: optest.Attrs{"pixel_format": format}}
	return optest.Run(t, defs, call, data).Out(0)
}

func text(s string) *tensor.Tensor { return tensor.From([]byte(s), len(s)) }

func TestImageDecoderKeepsLosslessPixels(t *testing.T) {
	row := []uint8{255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30}
	want := tensor.From(slices.Concat(row, row), 2, 4, 3)
	for name, data := range map[string]*tensor.Tensor{
		"png":  encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, checkers()) }),
		"bmp":  encoded(t, func(b *bytes.Buffer) error { return bmp.Encode(b, checkers()) }),
		"tiff": encoded(t, func(b *bytes.Buffer) error { return tiff.Encode(b, checkers(), nil) }),
		"ppm":  text("P6\n# colours\n4 2\n255\n" + strings.Repeat(string(row), 2)),
		"text": text("P3 4 2 255 " + strings.Repeat("255 0 0  0 255 0\n0 0 255  10 20 30 ", 2)),
	} {
		if name == "ppm" { // the bytes themselves, not their UTF-8
			data = tensor.From(slices.Concat([]byte("P6\n# colours\n4 2\n255\n"), row, row), 21+24)
		}
		optest.Want(t, decoded(t, "RGB", data), want, 0)
	}
	data := encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, checkers()) })
	bgr := []uint8{0, 0, 255, 0, 255, 0, 255, 0, 0, 30, 20, 10}
	optest.Want(t, decoded(t, "BGR", data), tensor.From(slices.Concat(bgr, bgr), 2, 4, 3), 0)
	gray := []uint8{76, 150, 29, 18}
	optest.Want(t, decoded(t, "Grayscale", data), tensor.From(slices.Concat(gray, gray), 2, 4, 1), 0)
}

func TestImageDecoderPNM(t *testing.T) {
	for data, want := range map[string][]uint8{
		"P1 3 1 101":                    {0, 255, 0},
		"P1 3 1 1 0 1":                  {0, 255, 0},
		"P4 3 1 \xa0":                   {0, 255, 0},
		"P2 3 1 3 0 1 3":                {0, 85, 255},
		"P5 3 1 255 \x00\x07\xff":       {0, 7, 255},
		"P5 2 1 65535 \xff\xff\x80\x00": {255, 128},
	} {
		optest.Want(t, decoded(t, "Grayscale", text(data)), tensor.From(want, 1, len(want), 1), 0)
	}
}

// JPEG is lossy: smooth colours come back nearly as they were.
func TestImageDecoderJPEG(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 24, 20))
	for y := range 20 {
		for x := range 24 {
			img.SetNRGBA(x, y, color.NRGBA{uint8(8 * x), uint8(9 * y), uint8(200 - 4*x), 255})
		}
	}
	data := encoded(t, func(b *bytes.Buffer) error { return jpeg.Encode(b, img, &jpeg.Options{Quality: 100}) })
	got := tensor.Data[uint8](decoded(t, "RGB", data))
	worst := 0
	for i, v := range got {
		if x, y := i/3%24, i/3/24; x == 0 || x == 23 || y == 0 || y == 19 {
			continue // nothing to interpolate with
		}
		want := img.Pix[i/3*4+i%3]
		worst = max(worst, int(v)-int(want), int(want)-int(v))
	}
	if len(got) != 24*20*3 || worst > 3 {
		t.Errorf("%d samples, off by up to %d", len(got), worst)
	}
}

// Colour differences at half the resolution are interpolated, a quarter and
// three quarters of the way.
func TestImageDecoderInterpolatesChroma(t *testing.T) {
	img := image.NewYCbCr(image.Rect(0, 0, 32, 16), image.YCbCrSubsampleRatio420)
	for i := range img.Y {
		img.Y[i] = 128
	}
	for i := range img.Cb {
		img.Cb[i] = 128
		img.Cr[i] = 128
		if i%img.CStride >= 8 {
			img.Cr[i] = 168
		}
	}
	data := encoded(t, func(b *bytes.Buffer) error { return jpeg.Encode(b, img, &jpeg.Options{Quality: 100}) })
	got := tensor.Data[uint8](decoded(t, "RGB", data))
	for x, want := range map[int]int{10: 128, 15: 142, 16: 170, 20: 184} {
		if v := int(got[(8*32+x)*3]); v < want-3 || v > want+3 {
			t.Errorf("red at column %d is %d, want about %d", x, v, want)
		}
	}
}

func TestImageDecoderRefusesAndForgives(t *testing.T) {
	whole := tensor.Data[uint8](encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, checkers()) }))
	for _, data := range []*tensor.Tensor{
		text("no image"), text(""), text("P6 2 2 255 xx"), text("P5 0 1 255 "), tensor.From(whole[:40], 40),
	} {
		optest.Want(t, decoded(t, "RGB", data), tensor.New(tensor.Uint8, 0, 0, 3), 0)
	}
	call := optest.Call{Op: "ImageDecoder"}
	if e := optest.Error(t, defs, call, text("\x00\x00\x00\x0cjP  \r\n")); !strings.Contains(e, "JPEG 2000 images are not supported") {
		t.Errorf("error %q", e)
	}
	if e := optest.Error(t, defs, call, text("P5 16000000 16000000 255 ")); !strings.Contains(e, "larger than the limit") {
		t.Errorf("error %q", e)
	}
}

func FuzzImageDecoder(f *testing.F) {
	for _, s := range []string{"P1 3 1 101", "P3 1 1 255 1 2 3", "P6 1 1 255 abc", "P4 9 1 ab", "BM", "II*\x00", "RIFF    WEBPVP8 "} {
		f.Add([]byte(s))
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, checkers(), nil); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := optest.Build(defs, optest.Call{Op: "ImageDecoder"}, tensor.From(data, len(data)))
		if err != nil {
			t.Fatal(err)
		}
		n.Context.MaxBytes = 1 << 20
		if n.Run() == nil && (n.Out(0) == nil || n.Out(0).Rank() != 3) {
			t.Errorf("decoded to %v", n.Out(0))
		}
	})
}
