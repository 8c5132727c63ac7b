package load

import (
	"net"
	"sync/atomic"
)

// wire counts the bytes of connections: everything that TCP carries, so
// frames, and of TLS its records and handshakes.
type wire struct{ in, out atomic.Int64 }

// take gives what came and went since it was last asked.
func (w *wire) take() (in, out int64) { return w.in.Swap(0), w.out.Swap(0) }

// count makes the bytes of a connection count.
func (w *wire) count(c net.Conn) net.Conn { return &wireConn{c, w} }

type wireConn struct {
	net.Conn
	wire *wire
}

func (c *wireConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.wire.in.Add(int64(n))
	return n, err
}

func (c *wireConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.wire.out.Add(int64(n))
	return n, err
}
