// Package stall ends connections whose client accepts nothing of what is sent
// to it.
package stall

import (
	"net"
	"sync/atomic"
	"time"
)

// Listener ends connections whose client accepts nothing for Timeout.
type Listener struct {
	net.Listener
	Timeout time.Duration
}

// Accept waits for the next connection.
func (l Listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return NewConn(c, l.Timeout), nil
}

// NewConn bounds the writes of one connection.
func NewConn(c net.Conn, timeout time.Duration) *Conn { return &Conn{Conn: c, timeout: timeout} }

// Conn has a deadline on each write. Moving one costs more than all else
// here, so that is done only when a quarter of it has passed: a client has
// between three quarters of the time and all of it.
type Conn struct {
	net.Conn
	timeout time.Duration
	setAt   atomic.Int64 // nanoseconds since 1970
}

// part is what has to be accepted within the time. It is about what a
// socket takes at once, so that a slow client makes progress by it.
const part = 64 << 10

// Write gives a large answer out in parts, as a deadline is that of a whole
// write: a client that is only slow gets all of it.
func (c *Conn) Write(p []byte) (n int, err error) {
	for len(p)-n > part {
		m, err := c.writePart(p[n : n+part])
		if n += m; err != nil {
			return n, err
		}
	}
	m, err := c.writePart(p[n:])
	return n + m, err
}

func (c *Conn) writePart(p []byte) (int, error) {
	now := time.Now()
	if at := now.UnixNano(); at-c.setAt.Load() > int64(c.timeout/4) {
		c.setAt.Store(at)
		_ = c.Conn.SetWriteDeadline(now.Add(c.timeout)) // fails only when closed, and then so does the write
	}
	return c.Conn.Write(p)
}

// SetWriteDeadline is called by net/http after every request to take the
// deadline away; ours stays.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	if t.IsZero() {
		return nil
	}
	c.setAt.Store(0)
	return c.Conn.SetWriteDeadline(t)
}

// CloseWrite lets net/http end the answer to a request that it refuses while
// the client still sends.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
