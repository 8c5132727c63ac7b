package modelserver

import (
	"net"
	"time"
)

// WithStall is the listener that Serve takes connections from.
func WithStall(ln net.Listener, timeout time.Duration) net.Listener {
	return stallListener{ln, timeout}
}
