package gateway

import (
	"errors"
	"net"
	"os"
	"time"
)

// fill waits for more of a request's head. All of the head must be there
// within the time that the first part of it begins.
func (c *clientConn) fill() error {
	if c.start < c.end {
		if !c.begun && c.served { // the first request's time began with the connection
			c.readUntil = time.Now().Add(c.door.headerTimeout)
			_ = c.net.SetReadDeadline(c.readUntil) // fails only when closed, and then so does the read
		}
		c.begun = true
		return c.read()
	}
	c.start, c.end, c.begun = 0, 0, false
	patience := c.door.idleTimeout
	if !c.served {
		patience = c.door.headerTimeout
	}
	c.rest()
	c.readBy(patience)
	var err error
	if !c.door.ending.Load() {
		err = c.read()
	}
	if c.door.ending.Load() && c.end == 0 {
		err = c.lastLook()
	}
	c.wake()
	return err
}

func (c *clientConn) read() error {
	n, err := c.net.Conn.Read(c.buf[c.end:])
	c.end += n
	if n > 0 {
		return nil
	}
	return err
}

// lastLook takes a request that came while the gateway was about to close the
// connection.
func (c *clientConn) lastLook() error {
	if c.raw == nil {
		return net.ErrClosed
	}
	n := 0
	err := c.raw.Control(func(fd uintptr) { n = readNow(fd, c.buf) })
	if err == nil && n <= 0 {
		err = net.ErrClosed
	}
	c.end = max(n, 0)
	return err
}

// rest says that the connection can be closed without losing a request.
func (c *clientConn) rest() {
	c.mu.Lock()
	c.idle = true
	c.mu.Unlock()
}

func (c *clientConn) wake() {
	c.mu.Lock()
	c.idle = false
	c.mu.Unlock()
	if c.door.ending.Load() {
		c.readUntil = time.Time{} // interrupt may have moved the deadline
	}
}

// interrupt ends waiting for the next request.
func (c *clientConn) interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle {
		_ = c.net.SetReadDeadline(time.Unix(1, 0)) // fails only when closed
	}
}

// readBy bounds reads by a time from now, or up to a quarter more: moving a
// deadline costs.
func (c *clientConn) readBy(patience time.Duration) {
	now := time.Now()
	if left := c.readUntil.Sub(now); left >= patience && left <= patience+patience/4 {
		return
	}
	c.readUntil = now.Add(patience + patience/4)
	_ = c.net.SetReadDeadline(c.readUntil) // fails only when closed, and then so does the read
}

// watch begins to wait for the client to leave while it waits for its answer.
// Nothing of what it sends is taken.
func (c *clientConn) watch() {
	if c == nil || c.raw == nil || c.watched != nil {
		return
	}
	c.readUntil = time.Time{}
	_ = c.net.SetReadDeadline(time.Time{}) // fails only when closed
	done := make(chan struct{})
	c.watched = done
	go func() {
		defer close(done)
		left := false
		err := c.raw.Read(func(fd uintptr) (stop bool) {
			stop, left = lookForEnd(fd)
			return stop
		})
		if left || err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			c.cancel()
		}
	}()
}

// unwatch ends that.
func (c *clientConn) unwatch() {
	if c.watched == nil {
		return
	}
	_ = c.net.SetReadDeadline(time.Unix(1, 0))
	<-c.watched
	c.watched, c.readUntil = nil, time.Time{}
	_ = c.net.SetReadDeadline(time.Time{})
}
