//go:build !race

package gateway_test

import "testing"

// A request like the one before allocates nothing but its identifier. (The
// race detector makes pools forget, hence the build tag.)
func TestDirectAllocations(t *testing.T) {
	const most = 1
	for _, body := range []int{0, 100} {
		d, request := newDirect(t, body), plainRequest(body)
		if n := testing.AllocsPerRun(500, func() { d.ask(t, request) }); n > most {
			t.Errorf("%v allocations for a request with a body of %d bytes", n, body)
		}
	}
}
