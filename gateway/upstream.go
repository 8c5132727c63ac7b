package gateway

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// upstream is how one target is spoken to. Most HTTP/1.1 requests take the
// short way (conn.go): written and read by the goroutine that serves the
// client, which saves the four goroutine switches of http.Transport, a
// quarter of the cost of a small request. Everything else takes
// http.Transport: HTTP/2, upgrades, and bodies that are streamed.
type upstream struct {
	address   string
	dialer    net.Dialer
	response  time.Duration
	maxIdle   time.Duration
	transport *http.Transport
	http1     bool

	mu      sync.Mutex
	idle    []*conn // the last used one last
	retired bool
}

// What an answer's headers may take, and how many connections wait for work.
const (
	maxAnswerHeader = 1 << 20
	maxIdleConns    = 256 // of one target
)

func newUpstream(address string, protocol Protocol, t Timeouts) *upstream {
	u := &upstream{
		address:  address,
		dialer:   net.Dialer{Timeout: t.Connect.or(2 * time.Second), KeepAlive: 30 * time.Second},
		response: t.Response.or(60 * time.Second),
		maxIdle:  t.Idle.or(1500 * time.Millisecond),
		http1:    protocol != H2C,
	}
	u.transport = &http.Transport{
		DialContext:            u.dial,
		DisableCompression:     true, // answers go through as they are
		MaxIdleConnsPerHost:    maxIdleConns,
		IdleConnTimeout:        u.maxIdle,
		ResponseHeaderTimeout:  u.response,
		MaxResponseHeaderBytes: maxAnswerHeader,
		WriteBufferSize:        16 << 10,
		ReadBufferSize:         16 << 10,
		Protocols:              new(http.Protocols),
	}
	if u.http1 {
		u.transport.Protocols.SetHTTP1(true)
		return u
	}
	u.transport.Protocols.SetUnencryptedHTTP2(true)
	u.transport.IdleConnTimeout = 90 * time.Second // HTTP/2 says goodbye before it closes
	u.transport.HTTP2 = &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 5 * time.Second}
	return u
}

// sendError says how far a request came that has no answer.
type sendError struct {
	err     error
	connect bool // no connection was made
	sent    bool // some of it may have reached the target
}

func (e *sendError) Error() string { return e.err.Error() }
func (e *sendError) Unwrap() error { return e.err }

func (u *upstream) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	c, err := u.dialer.DialContext(ctx, "tcp", u.address)
	if err != nil {
		return nil, &sendError{err: err, connect: true}
	}
	return c, nil
}

// roundTrip sends req, which may arrive twice when twice says so. When short
// says so, the body is the one given, and that of req is not looked at. Its
// errors are *sendError.
func (u *upstream) roundTrip(req *http.Request, short bool, body []byte, twice bool) (*http.Response, error) {
	if short && u.http1 {
		return u.roundTripShort(req, body, twice)
	}
	if short && len(body) > 0 {
		req.Body = &memoryBody{data: body}
		req.GetBody = func() (io.ReadCloser, error) { return &memoryBody{data: body}, nil }
	}
	resp, err := u.transport.RoundTrip(req)
	var sent *sendError
	if err != nil && !errors.As(err, &sent) {
		err = &sendError{err: err, sent: true}
	}
	return resp, err
}

// roundTripShort sends req on a connection of our own. One that was idle may
// be closed by the target at any moment: a request that may be sent twice is
// then sent again on a new one.
func (u *upstream) roundTripShort(req *http.Request, body []byte, twice bool) (*http.Response, error) {
	now := time.Now()
	c := u.takeIdle(now)
	if c != nil {
		resp, err := c.roundTrip(req, body, now)
		if err == nil {
			return resp, nil
		}
		if req.Context().Err() != nil || err.timeout() || err.sent && !twice {
			return nil, err
		}
	}
	fresh, err := u.dial(req.Context(), "", "")
	if err != nil {
		return nil, err
	}
	resp, sendErr := newConn(u, fresh).roundTrip(req, body, time.Now())
	if sendErr != nil {
		return nil, sendErr
	}
	return resp, nil
}

func (e *sendError) timeout() bool {
	var t net.Error
	return errors.As(e.err, &t) && t.Timeout()
}

// takeIdle gives a connection that was used lately and that the target has
// not closed, nil for none.
func (u *upstream) takeIdle(now time.Time) *conn {
	for {
		u.mu.Lock()
		n := len(u.idle)
		if n == 0 {
			u.mu.Unlock()
			return nil
		}
		c := u.idle[n-1]
		u.idle[n-1] = nil
		u.idle = u.idle[:n-1]
		u.mu.Unlock()
		if now.Sub(c.idleSince) < u.maxIdle && c.alive() {
			return c
		}
		c.close()
	}
}

func (u *upstream) putIdle(c *conn, now time.Time) {
	c.idleSince = now
	u.mu.Lock()
	keep := !u.retired && len(u.idle) < maxIdleConns
	if keep {
		u.idle = append(u.idle, c)
	}
	u.mu.Unlock()
	if !keep {
		c.close()
	}
}

// reap closes what has been idle for too long.
func (u *upstream) reap(now time.Time) {
	u.mu.Lock()
	n := 0
	for n < len(u.idle) && now.Sub(u.idle[n].idleSince) >= u.maxIdle {
		n++
	}
	old := append([]*conn(nil), u.idle[:n]...)
	u.idle = append(u.idle[:0], u.idle[n:]...)
	u.mu.Unlock()
	for _, c := range old {
		c.close()
	}
}

// retire closes the idle connections, and the others once they are idle.
func (u *upstream) retire() {
	u.mu.Lock()
	idle := u.idle
	u.idle, u.retired = nil, true
	u.mu.Unlock()
	for _, c := range idle {
		c.close()
	}
	u.transport.CloseIdleConnections()
}
