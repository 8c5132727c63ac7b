package gateway

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/greenlight-dev/greenlight/stall"
)

// accept serves the door's connections, each in a goroutine of its own, until
// the listener is closed.
func (d *door) accept() {
	pause := time.Duration(0)
	for {
		nc, err := d.listener.Accept()
		switch {
		case err == nil:
			pause = 0
			d.open.Add(1)
			d.answering.Go(func() { d.serveDirect(newClientConn(d, nc)) })
		case d.closing.Load() || errors.Is(err, net.ErrClosed):
			return
		default: // out of descriptors, most likely
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			d.gateway.options.Log.Error("a connection was not accepted", "listener", d.name, "error", err)
			time.Sleep(pause)
		}
	}
}

func (d *door) serveDirect(c *clientConn) {
	d.mu.Lock()
	if d.direct != nil {
		d.direct[c] = struct{}{}
	} else {
		_ = c.net.Close() // too late
	}
	d.mu.Unlock()
	handed := c.serve()
	d.mu.Lock()
	delete(d.direct, c)
	d.mu.Unlock()
	if !handed {
		d.open.Add(-1)
	}
}

// endDirect closes the connections that wait for a request, and the others
// once they have answered.
func (d *door) endDirect(ctx context.Context) error {
	d.ending.Store(true)
	d.mu.Lock()
	for c := range d.direct {
		c.interrupt()
	}
	d.mu.Unlock()
	ended := make(chan struct{})
	go func() {
		d.answering.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		d.closeDirect()
		<-ended
		return ctx.Err()
	}
}

// closeDirect ends the connections at once.
func (d *door) closeDirect() {
	d.ending.Store(true)
	d.mu.Lock()
	for c := range d.direct {
		c.cancel()
		_ = c.net.Close() // whoever reads or writes it notices
	}
	d.direct = nil
	d.mu.Unlock()
	d.answering.Wait()
}

// handedListener gives net/http the connections on which something came that
// is not simple.
type handedListener struct {
	address net.Addr
	conns   chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func newHandedListener(of net.Listener) *handedListener {
	return &handedListener{address: of.Addr(), conns: make(chan net.Conn), closed: make(chan struct{})}
}

// offer hands c over, and tells whether somebody took it.
func (l *handedListener) offer(c net.Conn) bool {
	select {
	case l.conns <- c:
		return true
	case <-l.closed:
		_ = c.Close() // the server has ended
		return false
	}
}

// Accept waits for the next one.
func (l *handedListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close ends Accept; the socket is closed elsewhere.
func (l *handedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr is the address that the connections came in at.
func (l *handedListener) Addr() net.Addr { return l.address }

// handedConn is a connection of which something was read.
type handedConn struct {
	*stall.Conn
	unread []byte
}

func (c *handedConn) Read(p []byte) (int, error) {
	if len(c.unread) == 0 {
		return c.Conn.Read(p)
	}
	n := copy(p, c.unread)
	if c.unread = c.unread[n:]; len(c.unread) == 0 {
		c.unread = nil
	}
	return n, nil
}
