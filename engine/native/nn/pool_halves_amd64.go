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
