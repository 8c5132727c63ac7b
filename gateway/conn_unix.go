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

// readNow reads what is there without waiting; 0 or less is nothing.
func readNow(fd uintptr, p []byte) int {
	n, err := syscall.Read(int(fd), p)
	if err != nil {
		return 0
	}
	return n
}

// lookForEnd looks whether the peer has closed; stop is false while there is
// nothing to see.
func lookForEnd(fd uintptr) (stop, ended bool) {
	var b [1]byte
	n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	switch {
	case err == syscall.EAGAIN || err == syscall.EINTR:
		return false, false
	case err != nil || n == 0:
		return true, true
	}
	return true, false
}
