package modelserver

import (
	"net"
	"sync/atomic"
	"time"
)

// stallListener ends connections whose client accepts nothing for so long of
// what is sent to it.
type stallListener struct {
	net.Listener
	timeout time.Duration
}

func (l stallListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &stallConn{Conn: c, timeout: l.timeout}, nil
}

// stallConn has a deadline on each write. Moving one costs more than all else
// here, so that is done only when a quarter of it has passed: a client has
// between three quarters of the time and all of it.
type stallConn struct {
	net.Conn
	timeout time.Duration
	setAt   atomic.Int64 // nanoseconds since 1970
}

// stallPart is what has to be accepted within the time. It is about what a
// socket takes at once, so that a slow client makes progress by it.
const stallPart = 64 << 10

// Write gives a large answer out in parts, as a deadline is that of a whole
// write: a client that is only slow gets all of it.
func (c *stallConn) Write(p []byte) (n int, err error) {
	for len(p)-n > stallPart {
		m, err := c.writePart(p[n : n+stallPart])
		if n += m; err != nil {
			return n, err
		}
	}
	m, err := c.writePart(p[n:])
	return n + m, err
}

func (c *stallConn) writePart(p []byte) (int, error) {
	now := time.Now()
	if at := now.UnixNano(); at-c.setAt.Load() > int64(c.timeout/4) {
		c.setAt.Store(at)
		_ = c.Conn.SetWriteDeadline(now.Add(c.timeout)) // fails only when closed, and then so does the write
	}
	return c.Conn.Write(p)
}

// SetWriteDeadline is called by net/http after every request to take the
// deadline away; ours stays.
func (c *stallConn) SetWriteDeadline(t time.Time) error {
	if t.IsZero() {
		return nil
	}
	c.setAt.Store(0)
	return c.Conn.SetWriteDeadline(t)
}

// CloseWrite lets net/http end the answer to a request that it refuses while
// the client still sends.
func (c *stallConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}
