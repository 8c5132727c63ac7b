//go:build unix

package gateway

import "syscall"

// peek looks at a socket without waiting; its fields and the function are
// kept so that nothing is allocated for it.
type peek struct {
	look  func(fd uintptr)
	quiet bool
	byte  [1]byte
}

// alive tells whether an idle connection is still open: there is nothing to
// read, not even an end.
func (c *conn) alive() bool {
	if c.raw == nil {
		return true
	}
	if c.watch.look == nil {
		c.watch.look = func(fd uintptr) {
			_, _, err := syscall.Recvfrom(int(fd), c.watch.byte[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
			c.watch.quiet = err == syscall.EAGAIN
		}
	}
	c.watch.quiet = false
	return c.raw.Control(c.watch.look) == nil && c.watch.quiet // Read would heed the deadline
}
