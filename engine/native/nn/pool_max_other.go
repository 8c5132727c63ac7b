//go:build !amd64

package nn

func (h *halves) run() { h.runGeneric() }

// maxFloats sets dst to the larger of each pair, NaN when either is.
func maxFloats(dst, src []float32) { maxTail(dst, src) }
