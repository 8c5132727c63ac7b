package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/greenlight-dev/greenlight/stall"
)

// clientConn is a client's connection for as long as its requests are simple.
// One goroutine reads a request, forwards it and writes the answer; the first
// request that is not simple, and all after it, go to net/http, which gets
// the connection with every byte of that request unread.
type clientConn struct {
	door     *door
	net      *stall.Conn
	raw      syscall.RawConn // nil when the connection has none
	ctx      context.Context // done when the client is gone
	cancel   context.CancelFunc
	peer     netip.Addr
	peerName string

	buf        []byte
	start, end int  // of what was read and not used yet
	begun      bool // a part of a head is there, and its deadline is set
	served     bool // a request before this one
	unread     bool // the client still sends what nobody wants
	lastMethod string
	head       requestHead
	closing    bool // after the answer

	// What the last request had, to make no new text when this one is alike.
	host   string
	target []byte
	path   string

	readUntil time.Time     // deadline of reads
	watched   chan struct{} // closed when watching has ended, nil when nobody does

	mu   sync.Mutex
	idle bool // waits for a request of which nothing has come
}

// How large the buffer of a connection is at first, and how large the head of
// a simple request can make it.
const (
	clientBuffer    = 4 << 10
	maxClientBuffer = 16 << 10
)

func newClientConn(d *door, nc net.Conn) *clientConn {
	c := &clientConn{door: d, net: stall.NewConn(nc, d.stall), buf: make([]byte, clientBuffer)}
	if s, ok := nc.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			c.raw = raw
		}
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.peer = peerAddr(nc.RemoteAddr().String())
	c.peerName = c.peer.String()
	return c
}

// serve answers until the client or the gateway closes, or net/http goes on:
// then the connection was handed over.
func (c *clientConn) serve() (handed bool) {
	for {
		next := c.readHead()
		if next == simple {
			next = c.exchange()
		}
		switch next {
		case gone:
			c.close()
			return false
		case notSimple:
			return c.handOver()
		}
	}
}

// lastWords is how long a client that still sends has to read its answer:
// closing on it at once would take the answer away.
const lastWords = 500 * time.Millisecond

func (c *clientConn) close() {
	c.unwatch()
	c.cancel()
	if c.unread && c.net.CloseWrite() == nil {
		_ = c.net.SetReadDeadline(time.Now().Add(lastWords))
		_, _ = io.Copy(io.Discard, io.LimitReader(c.net.Conn, 4*smallBody))
	}
	_ = c.net.Close() // nothing is left to write
}

// arrival is what came of waiting for a request.
type arrival int

const (
	simple    arrival = iota
	notSimple         // net/http must see it
	gone              // there will be none, and nothing is under way
)

// readHead waits for the next request and parses its head.
func (c *clientConn) readHead() arrival {
	c.begun = false
	for searched := 0; ; {
		if c.lastMethod == http.MethodPost && searched == 0 {
			c.skipNewlines()
		}
		b := c.buf[c.start:c.end]
		if end := bytes.Index(b[searched:], []byte("\r\n\r\n")); end >= 0 {
			return c.parse(b[:searched+end+4])
		}
		searched = max(0, len(b)-3)
		if len(b) > 0 && bareNewline(b) || !c.makeRoom() {
			return notSimple
		}
		if err := c.fill(); err != nil {
			if c.end > c.start && !errors.Is(err, os.ErrDeadlineExceeded) {
				return notSimple // which net/http answers, as a part of a request deserves
			}
			return gone
		}
	}
}

// skipNewlines is the tolerance that net/http has for the clients that send a
// newline after the body of a POST (RFC 9112, 2.2).
func (c *clientConn) skipNewlines() {
	for n := 0; n < 4 && c.start < c.end && (c.buf[c.start] == '\r' || c.buf[c.start] == '\n'); n++ {
		c.start++
	}
}

func (c *clientConn) parse(b []byte) arrival {
	if len(b) > c.door.http.MaxHeaderBytes || !c.head.parse(b) || c.head.length > smallBody {
		return notSimple
	}
	if string(c.head.host) != c.host {
		c.host = string(c.head.host)
	}
	if !bytes.Equal(c.head.target, c.target) {
		c.target = append(c.target[:0], c.head.target...)
		c.path = string(c.head.path)
		if c.head.escaped {
			u, err := url.ParseRequestURI(string(c.head.target))
			if err != nil {
				c.target = c.target[:0]
				return notSimple
			}
			c.path = u.Path
		}
	}
	if strings.HasPrefix(c.path, acmePath) {
		return notSimple
	}
	return simple
}

// makeRoom moves what was read to the front, or makes the buffer larger.
func (c *clientConn) makeRoom() bool {
	if c.end < len(c.buf) {
		return true
	}
	to := c.buf
	if c.start == 0 {
		if len(c.buf) >= maxClientBuffer {
			return false
		}
		to = make([]byte, 2*len(c.buf))
	}
	c.end = copy(to, c.buf[c.start:c.end])
	c.buf, c.start = to, 0
	return true
}

// request is the one whose head was read.
func (c *clientConn) request() request {
	return request{ctx: c.ctx, peer: c.peer, peerName: c.peerName, method: c.head.method, host: c.host, path: c.path,
		proto: "HTTP/1.1", length: c.head.length, fields: &c.head}
}

// exchange answers the request whose head was read, or makes it unread when
// it is not simple after all.
func (c *clientConn) exchange() (next arrival) {
	e := c.door.gateway.exchanges.Get().(*exchange)
	e.direct, e.asked = c, c.request()
	c.served, c.lastMethod, c.closing = true, c.head.method, c.head.closing
	c.start += len(c.head.whole)
	e.begin(c.door)
	defer func() {
		if p := recover(); p != nil {
			next = e.crashed(p)
		}
	}()
	refused := e.admit()
	switch {
	case refused == handOver:
		c.buf = append(append(append([]byte(nil), c.head.whole...), e.memory...), c.buf[c.start:c.end]...)
		c.start, c.end = 0, len(c.buf)
		e.abandon()
		return notSimple
	case refused != nil:
		c.skipBody(e)
		e.refuse(refused)
	default:
		e.forward()
	}
	e.giveBack()
	c.unwatch()
	if c.closing || c.ctx.Err() != nil {
		return gone
	}
	return simple
}

// handOver is what admit gives for a request that only net/http can serve.
var handOver = new(refusal)

// handOver gives the connection to net/http, which reads first what is unread.
func (c *clientConn) handOver() bool {
	c.unwatch()
	c.cancel()
	_ = c.net.SetReadDeadline(time.Time{}) // the server sets its own
	return c.door.handed.offer(&handedConn{Conn: c.net, unread: bytes.Clone(c.buf[c.start:c.end])})
}

// takeBody reads the body of e's request into its memory.
func (c *clientConn) takeBody(e *exchange) *refusal {
	e.growMemory(int(e.asked.length))
	n := copy(e.memory, c.buf[c.start:c.end])
	c.start += n
	if err := c.readFull(e.memory[n:]); err != nil {
		e.memory = e.memory[:0]
		c.closing, c.unread = true, true
		return brokenBody(err)
	}
	e.short, e.inMemory = true, true
	return nil
}

// skipBody reads a body that nobody wants, so that the client sees its answer
// and the next request is where it is looked for.
func (c *clientConn) skipBody(e *exchange) {
	if e.inMemory || e.asked.length == 0 || c.unread {
		return
	}
	e.growMemory(int(e.asked.length))
	n := copy(e.memory, c.buf[c.start:c.end])
	c.start += n
	if c.readFull(e.memory[n:]) != nil {
		c.closing, c.unread = true, true
	}
}

func (c *clientConn) readFull(p []byte) error {
	for len(p) > 0 {
		c.readBy(c.door.stall)
		n, err := c.net.Conn.Read(p)
		p = p[n:]
		if len(p) > 0 && err != nil {
			return err
		}
	}
	return nil
}

// write sends p to the client; when that fails the client is gone.
func (c *clientConn) write(p []byte) error {
	_, err := c.net.Write(p)
	if err != nil {
		c.closing = true
		c.cancel()
	}
	return err
}
