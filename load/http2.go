package load

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

// http2 speaks HTTP/2 through net/http: requests share connections as the
// target allows. One is a request under way.
type http2 struct {
	target    *Target
	transport *http.Transport
	own       bool // no other request uses the transport
	wire      *wire
	body      []byte
	mu        sync.Mutex
	cancel    context.CancelCauseFunc
}

// newTransport makes connections for requests, and counts them and their bytes.
// With closeEach each request has one of its own.
func (e *engine) newTransport(closeEach bool) *http.Transport {
	t := e.o.Target
	var protocols http.Protocols
	protocols.SetHTTP2(t.TLS != nil)
	protocols.SetUnencryptedHTTP2(t.TLS == nil)
	return &http.Transport{
		TLSClientConfig:    t.TLS.Clone(), // the transport adds its protocols to it
		Protocols:          &protocols,
		DisableCompression: true,
		DisableKeepAlives:  closeEach,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			e.opened.Add(1)
			c, err := (&net.Dialer{}).DialContext(ctx, network, t.Address)
			if err != nil {
				return nil, err
			}
			return e.wire.count(c), nil
		},
	}
}

func (h *http2) close() {
	if h.own {
		h.transport.CloseIdleConnections()
	}
}

func (h *http2) expire() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cancel != nil {
		h.cancel(context.DeadlineExceeded)
	}
}

func (h *http2) do(c *compiled, v *values) answer {
	ctx, cancel := context.WithCancelCause(context.Background())
	h.mu.Lock()
	h.cancel = cancel
	h.mu.Unlock()
	defer cancel(nil)
	var a answer
	kept, err := h.exchange(ctx, c, v, &a)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	a.kind = kindOf(err)
	// Where requests share a connection, whichever ends next takes what came
	// and went meanwhile: only the sum is anybody's.
	a.in, a.out = h.wire.take()
	switch {
	case err != nil:
	case h.target.GRPC:
		a.kind, a.body = c.expect.judgeGRPC(a.status, kept), kept
	default:
		a.kind, a.body = c.expect.judge(a.status, kept), kept
	}
	return a
}

// exchange sends one request and reads its answer; what it gives of the body
// is for the check.
func (h *http2) exchange(ctx context.Context, c *compiled, v *values, a *answer) ([]byte, error) {
	h.body = c.body.append(h.body[:0], v)
	url := h.target.scheme() + "://" + h.target.host + string(c.path.append(nil, v))
	r, err := http.NewRequestWithContext(ctx, c.method, url, bytes.NewReader(h.body))
	if err != nil {
		return nil, err
	}
	for i, name := range c.names {
		value := string(c.values[i].append(nil, v))
		switch {
		case strings.EqualFold(name, "host"):
			r.Host = value
		case strings.EqualFold(name, "connection"):
		default:
			r.Header.Add(name, value)
		}
	}
	resp, err := h.transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if h.target.GRPC {
		return readGRPC(resp, c.keeps(), a)
	}
	if a.status = resp.StatusCode; a.status < 100 || a.status > 599 {
		return nil, fmt.Errorf("%w: status %d", errProtocol, a.status)
	}
	var kept []byte
	if c.keeps() {
		if kept, err = io.ReadAll(io.LimitReader(resp.Body, maxChecked)); err != nil {
			return nil, err
		}
	}
	n, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && n > maxAnswer {
		err = fmt.Errorf("%w: a body of more than %d bytes", errTooLarge, maxAnswer)
	}
	return kept, err
}
