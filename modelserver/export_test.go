package modelserver

import (
	"net"
	"time"

	"github.com/greenlight-dev/greenlight/stall"
)

// WithStall is the listener that Serve takes connections from.
func WithStall(ln net.Listener, timeout time.Duration) net.Listener {
	return stall.Listener{Listener: ln, Timeout: timeout}
}
