package nn

// halves is the commonest pooling: the maxima of 2 × 2 windows side by side
// without padding. Rows of the input go in pairs, width elements apart and
// pairs twice that.
type halves struct {
	dst, src []float32
	rows     int // of the output, at least 1
	out      int // elements in a row of the output, at least 1
	width    int // elements in a row of the input, at least twice that
}

// halving tells whether the window does that.
func (pl *poolPlan) halving() bool {
	if len(pl.axes) != 2 {
		return false
	}
	for _, a := range pl.axes {
		if a.Kernel != 2 || a.Stride != 2 || a.Dilation != 1 || a.Begin != 0 || 2*a.Out > a.In {
			return false
		}
	}
	return true
}

// maxHalves takes the maximum of each 2 × 2 window.
func (pl *poolPlan) maxHalves(dst, src []float32) {
	h, w := pl.axes[0], pl.axes[1]
	size := h.Out * w.Out
	if len(dst) == 0 {
		return
	}
	if 2*h.Out == h.In { // all planes are one long one
		size = len(dst)
	}
	for i := 0; i < len(dst); i += size {
		from := i / (h.Out * w.Out) * pl.planeIn
		part := halves{dst: dst[i : i+size], src: src[from:], rows: size / w.Out, out: w.Out, width: w.In}
		_ = part.src[(2*part.rows-1)*w.In+2*w.Out-1] // the last element read
		part.run()
	}
}

func (h *halves) runGeneric() {
	for y := range h.rows {
		upper := h.src[2*y*h.width:][:2*h.out]
		lower := h.src[(2*y+1)*h.width:][:2*h.out]
		for x := range h.out {
			h.dst[y*h.out+x] = max(upper[2*x], upper[2*x+1], lower[2*x], lower[2*x+1])
		}
	}
}

func maxTail(dst, src []float32) {
	src = src[:len(dst)]
	for i, v := range src {
		dst[i] = max(dst[i], v)
	}
}
