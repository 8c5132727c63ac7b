package nn

import "golang.org/x/sys/cpu"

// Set once from the processor's answer.
var hasAVX = cpu.X86.HasAVX

func (h *halves) run() {
	if hasAVX {
		maxHalvesAVX(h)
		return
	}
	h.runGeneric()
}

//go:noescape
func maxHalvesAVX(h *halves)

// maxFloats sets dst to the larger of each pair, NaN when either is.
func maxFloats(dst, src []float32) {
	i := 0
	if hasAVX {
		i = len(dst) &^ 7
		if i > 0 {
			maxFloatsAVX(&dst[0], &src[:i][0], i)
		}
	}
	maxTail(dst[i:], src[i:])
}

// maxFloatsAVX takes a positive multiple of 8.
//
//go:noescape
func maxFloatsAVX(dst, src *float32, n int)
