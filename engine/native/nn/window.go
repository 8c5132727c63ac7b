package nn

import (
	"slices"

	"github.com/greenlight-dev/greenlight/engine/native/op"
)

// Window is what a node's attributes say of a window sliding over the spatial
// dimensions of an image. Absent lists mean 1 (Kernel, Strides, Dilations) or
// 0 (Pads) along each of them; an absent Kernel may come from the weights.
type Window struct {
	Kernel, Strides, Dilations []int
	Pads                       []int // all beginnings, then all ends
	AutoPad                    string
	Ceil                       bool // round the number of positions up
}

// maxSpatial is how many spatial dimensions an image may have.
const maxSpatial = 3

// maxWindow bounds each attribute, so that products of two cannot overflow.
const maxWindow = 1 << 24

// ReadWindow reads and checks the window attributes of n.
func ReadWindow(n *op.Node) (Window, error) {
	a := n.ReadAttrs()
	w := Window{
		Kernel: a.Ints("kernel_shape"), Strides: a.Ints("strides"), Dilations: a.Ints("dilations"),
		Pads: a.Ints("pads"), AutoPad: a.String("auto_pad", "NOTSET"), Ceil: a.Bool("ceil_mode", false),
	}
	if err := a.Err(); err != nil {
		return w, err
	}
	return w, w.check()
}

func (w *Window) check() error {
	for _, l := range []struct {
		name   string
		values []int
		least  int
	}{{"kernel_shape", w.Kernel, 1}, {"strides", w.Strides, 1}, {"dilations", w.Dilations, 1}, {"pads", w.Pads, 0}} {
		for _, v := range l.values {
			if v < l.least || v > maxWindow {
				return op.Errorf("attribute %s has %d, want %d to %d", l.name, v, l.least, maxWindow)
			}
		}
	}
	switch w.AutoPad {
	case "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER", "":
		return nil
	}
	return op.Errorf("attribute auto_pad is %q, want NOTSET, VALID, SAME_UPPER or SAME_LOWER", w.AutoPad)
}

// Axis is a window sliding along one spatial dimension. Output position o
// covers inputs o·Stride - Begin + t·Dilation for t in [0, Kernel), as far as
// they are in [0, In).
type Axis struct {
	In, Out          int
	Kernel           int
	Stride, Dilation int
	Begin, End       int // padding
}

// taps gives the part [lo, hi) of the kernel that lies inside the input at
// output position o.
func (a *Axis) taps(o int) (lo, hi int) {
	start := o*a.Stride - a.Begin
	if start < 0 {
		lo = min((-start+a.Dilation-1)/a.Dilation, a.Kernel)
	}
	hi = a.Kernel
	if last := start + (a.Kernel-1)*a.Dilation; last >= a.In {
		hi = 0
		if start < a.In {
			hi = (a.In-1-start)/a.Dilation + 1
		}
	}
	return lo, max(lo, hi)
}

// reached gives the output positions [lo, hi) at which the tap lies inside the
// input.
func (a *Axis) reached(tap int) (lo, hi int) {
	first := tap*a.Dilation - a.Begin // where the tap is at position 0
	if first < 0 {
		lo = min((-first+a.Stride-1)/a.Stride, a.Out)
	}
	if first < a.In {
		hi = min((a.In-1-first)/a.Stride+1, a.Out)
	}
	return lo, max(lo, hi)
}

// Place appends to axes how the window slides over an image with these
// spatial dimensions. kernel is the weights' own shape, nil when the
// attribute alone says it.
func (w *Window) Place(axes []Axis, spatial, kernel []int) ([]Axis, error) {
	if err := w.fits(spatial, kernel); err != nil {
		return nil, err
	}
	if kernel == nil {
		kernel = w.Kernel
	}
	for i, in := range spatial {
		a := Axis{In: in, Kernel: kernel[i], Stride: at(w.Strides, i, 1), Dilation: at(w.Dilations, i, 1)}
		a.Begin, a.End = at(w.Pads, i, 0), at(w.Pads, i+len(spatial), 0)
		if a.In > maxWindow || a.Kernel > maxWindow {
			return nil, op.Errorf("dimension %d of the image (%d) or the kernel (%d) is over %d", i, a.In, a.Kernel, maxWindow)
		}
		w.slide(&a)
		if a.Out < 0 {
			return nil, op.Errorf("the kernel (%d wide with dilation %d) does not fit into spatial dimension %d of the image (%d with padding)",
				a.Kernel, a.Dilation, i, a.In+a.Begin+a.End)
		}
		axes = append(axes, a)
	}
	return axes, nil
}

// fits checks that the lists have one entry for each spatial dimension.
func (w *Window) fits(spatial, kernel []int) error {
	rank := len(spatial)
	if rank == 0 || rank > maxSpatial {
		return op.Errorf("the image has %d spatial dimensions, want 1 to %d", rank, maxSpatial)
	}
	if kernel == nil && w.Kernel == nil {
		return op.Errorf("attribute kernel_shape is missing")
	}
	if kernel != nil && w.Kernel != nil && !slices.Equal(kernel, w.Kernel) {
		return op.Errorf("attribute kernel_shape is %v, but the weights have %v", w.Kernel, slices.Clone(kernel))
	}
	for _, l := range []struct {
		name string
		list []int
		want int
	}{{"kernel_shape", w.Kernel, rank}, {"the weights' kernel", kernel, rank}, {"strides", w.Strides, rank},
		{"dilations", w.Dilations, rank}, {"pads", w.Pads, 2 * rank}} {
		if l.list != nil && len(l.list) != l.want {
			return op.Errorf("%s has %d entries, want %d for %d spatial dimensions", l.name, len(l.list), l.want, rank)
		}
	}
	return nil
}

// slide sets the number of positions and, with auto_pad, the padding.
func (w *Window) slide(a *Axis) {
	span := (a.Kernel-1)*a.Dilation + 1
	switch w.AutoPad {
	case "SAME_UPPER", "SAME_LOWER":
		a.Out = (a.In + a.Stride - 1) / a.Stride
		total := max(0, (a.Out-1)*a.Stride+span-a.In)
		a.Begin, a.End = total/2, total-total/2
		if w.AutoPad == "SAME_LOWER" {
			a.Begin, a.End = a.End, a.Begin
		}
		return
	case "VALID":
		a.Begin, a.End = 0, 0
	}
	free := a.In + a.Begin + a.End - span
	if free < 0 {
		a.Out = -1
		return
	}
	a.Out = free/a.Stride + 1
	// A position rounded up into being counts only when it starts before the
	// padding at the end.
	if w.Ceil && w.AutoPad != "VALID" && free%a.Stride != 0 && a.Out*a.Stride < a.In+a.Begin {
		a.Out++
	}
}

func at(list []int, i, def int) int {
	if i < len(list) {
		return list[i]
	}
	return def
}

// inThree fills one or two axes up to three with axes of length 1 in front, so
// that loops need not know how many there are.
func inThree(axes []Axis) (d, h, w Axis) {
	one := Axis{In: 1, Out: 1, Kernel: 1, Stride: 1, Dilation: 1}
	switch len(axes) {
	case 1:
		return one, one, axes[0]
	case 2:
		return one, axes[0], axes[1]
	}
	return axes[0], axes[1], axes[2]
}
