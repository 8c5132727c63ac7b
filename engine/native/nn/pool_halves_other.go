//go:build !amd64

package nn

func (h *halves) run() { h.runGeneric() }
