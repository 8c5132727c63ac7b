package load

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
)

// http2 speaks HTTP/2 through net/http: requests share connections as the
// target allows. One is a request under way.
type http2 struct {
	target    *Target
	transport *http.Transport
	body      []byte
	mu        sync.Mutex
	cancel    context.CancelCauseFunc
}

// newTransport is what every http2 of a run shares. It counts the
// connections that it opens.
func newTransport(t *Target, opened *atomic.Int64) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP2(t.TLS != nil)
	protocols.SetUnencryptedHTTP2(t.TLS == nil)
	return &http.Transport{
		TLSClientConfig:    t.TLS,
		Protocols:          &protocols,
		DisableCompression: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			opened.Add(1)
			return (&net.Dialer{}).DialContext(ctx, network, t.Address)
		},
	}
}

func (h *http2) close() {}

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
	a.out = int64(len(h.body))
	if h.target.GRPC {
		return readGRPC(resp, c.keeps(), a)
	}
	a.status = resp.StatusCode
	var kept []byte
	if c.keeps() {
		if kept, err = io.ReadAll(io.LimitReader(resp.Body, maxChecked)); err != nil {
			return nil, err
		}
	}
	n, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxAnswer+1))
	a.in = n + int64(len(kept))
	if err == nil && n > maxAnswer {
		err = errors.Join(errProtocol, errors.New("a body beyond the bounds"))
	}
	return kept, err
}
