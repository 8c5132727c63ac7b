package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// exchange is one request on its way through. It is the Transport of its own
// ReverseProxy: that way retries choose their target knowing everything, and
// nothing has to be looked up in a context. Exchanges are used again, with
// the functions that they lend to their proxy.
type exchange struct {
	gateway *Gateway
	proxy   httputil.ReverseProxy

	door  *door
	w     http.ResponseWriter
	in    *http.Request
	start time.Time
	id    string

	client     netip.Addr
	clientName string // the address as text
	peer       string // likewise, of who connected
	trusted    bool
	table      *table
	route      *route   // nil when none was found
	release    *release // nil when none was chosen
	target     *target
	key        string       // of a sticky service
	cookie     *http.Cookie // to set
	tried      []*target    // without the present one
	cancel     context.CancelFunc

	upgrade  bool
	short    bool         // the request is complete in memory
	inMemory bool         // and has a body
	memory   []byte       // the body; lent anew to each exchange
	touched  *touchedBody // a body that is streamed
	mirrored *mirrored    // nil for most

	status   int
	sent     *countedBody // counts the answer when somebody wants to know
	attempts int
	failure  string
	answered bool // by a target
}

func (g *Gateway) newExchange() any {
	e := &exchange{gateway: g}
	e.proxy = httputil.ReverseProxy{
		Rewrite:        e.rewrite,
		Transport:      e,
		ModifyResponse: e.modify,
		ErrorHandler:   e.failed,
		BufferPool:     &g.copies,
		ErrorLog:       g.proxyLog,
	}
	return e
}

func (e *exchange) begin(d *door, w http.ResponseWriter, r *http.Request) {
	e.door, e.w, e.in, e.start = d, w, r, time.Now()
	e.id = requestID(r)
	e.gateway.active.Add(1)
}

// requestID takes over an identifier that looks like one.
func requestID(r *http.Request) string {
	if given := r.Header["X-Request-Id"]; len(given) == 1 && plausibleID(given[0]) {
		return given[0]
	}
	return newID()
}

func plausibleID(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || s[i] == '"' || s[i] == '\\' {
			return false
		}
	}
	return s != "" && len(s) <= 128
}

func (e *exchange) withTimeout() {
	if e.route.timeout > 0 {
		var ctx context.Context
		ctx, e.cancel = context.WithTimeout(e.in.Context(), e.route.timeout)
		e.in = e.in.WithContext(ctx)
	}
}

// rewrite makes the request that the target sees; ReverseProxy has removed
// hop-by-hop headers and what the client claimed about forwarding.
func (e *exchange) rewrite(p *httputil.ProxyRequest) {
	h := p.Out.Header
	if e.trusted {
		for _, name := range [...]string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
			if v := p.In.Header[name]; v != nil {
				h[name] = v
			}
		}
	}
	v := new([5]string) // one allocation for all of them
	v[0] = e.peer
	if before := h["X-Forwarded-For"]; before != nil {
		v[0] = strings.Join(before, ", ") + ", " + e.peer
	}
	v[1], v[2], v[3], v[4] = p.In.Host, scheme(p.In), e.clientName, e.id
	h["X-Forwarded-For"] = v[0:1:1]
	if h["X-Forwarded-Host"] == nil {
		h["X-Forwarded-Host"] = v[1:2:2]
	}
	if h["X-Forwarded-Proto"] == nil {
		h["X-Forwarded-Proto"] = v[2:3:3]
	}
	h["X-Real-Ip"] = v[3:4:4]
	h["X-Request-Id"] = v[4:5:5]
	p.Out.URL.Scheme = "http"
	p.Out.URL.Host = e.target.address
	p.Out.URL.Path, p.Out.URL.RawPath = e.route.strip(p.Out.URL.Path, p.Out.URL.RawPath)
	if !e.upgrade || !strings.EqualFold(h.Get("Upgrade"), "websocket") {
		h.Del("Upgrade") // h2c and others would speak past the gateway
		h.Del("Connection")
	}
	e.mirrored.keep(p.Out)
}

func scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// RoundTrip sends the request to the chosen target, and when that fails and
// it does no harm, to others.
func (e *exchange) RoundTrip(out *http.Request) (*http.Response, error) {
	body := out.Body
	for {
		e.attempts++
		if body != nil {
			out.Body = keptOpen{body} // an attempt may close it
		}
		resp, err := e.target.upstream.roundTrip(out, e.short, e.memory, e.start)
		if err == nil {
			return resp, nil
		}
		if out.Context().Err() != nil {
			e.timedOut(out.Context())
			return nil, err
		}
		if e.touched.broken() != nil {
			return nil, err
		}
		var sending *sendError
		if !errors.As(err, &sending) {
			sending = &sendError{err: err, sent: true}
		}
		e.blame(sending.connect, err.Error())
		if !e.again(out, sending) {
			return nil, err
		}
		out = e.redirect(out)
	}
}

// again decides on another attempt and chooses its target.
func (e *exchange) again(out *http.Request, err *sendError) bool {
	s := e.route.service
	safe := sendableTwice(out) ||
		!err.sent && (e.touched == nil || !e.touched.touched.Load())
	if !safe || e.attempts >= s.attempts || err.timeout() && !err.connect {
		return false
	}
	if !s.vitals.budget.withdraw(time.Now()) {
		e.gateway.metrics.retriesRefused(s.config.Name).Inc()
		return false
	}
	failed, release := e.target, e.release
	e.tried = append(e.tried, failed)
	if !e.choose() {
		e.target, e.release = failed, release
		return false
	}
	failed.done()
	e.gateway.metrics.retries(s.config.Name).Inc()
	return true
}

// redirect is out for the target that is now chosen; the attempt before may
// still hold the old one.
func (e *exchange) redirect(out *http.Request) *http.Request {
	next := *out
	next.URL = new(url.URL)
	*next.URL = *out.URL
	next.URL.Host = e.target.address
	return &next
}

func (e *exchange) blame(connect bool, reason string) {
	e.failure = reason
	e.target.failed(e.release, e.route.service.ejection, connect, reason, time.Now())
}

// timedOut blames the target for a route's timeout, but not for a client that
// went away.
func (e *exchange) timedOut(ctx context.Context) {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		e.blame(false, "no answer within the route's timeout")
	}
}

// modify looks at a target's answer before the client sees it.
func (e *exchange) modify(resp *http.Response) error {
	e.answered = true
	e.status = resp.StatusCode
	if resp.StatusCode >= 500 {
		e.blame(false, resp.Status)
	} else {
		e.target.succeeded()
	}
	resp.Header["X-Request-Id"] = []string{e.id}
	if e.cookie != nil {
		resp.Header.Add("Set-Cookie", e.cookie.String())
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return nil
	}
	if e.door.closing.Load() {
		resp.Header["Connection"] = []string{"close"}
	}
	if e.mirrored != nil || e.gateway.access.on() {
		e.sent = &countedBody{ReadCloser: resp.Body, copy: e.mirrored.wantsAnswer()}
		resp.Body = e.sent
	}
	return nil
}

// end measures the exchange and gives back what it held.
func (e *exchange) end() {
	broken := recover()
	took := time.Since(e.start)
	if broken != nil && e.in.Context().Err() == nil && e.target != nil {
		e.blame(false, "the answer broke off")
	}
	e.series().observe(e.status)
	if e.target != nil {
		e.release.metrics.observe(e.status, took)
		e.target.done()
	}
	if e.gateway.access.on() {
		e.gateway.access.write(e, took, broken != nil)
	}
	if e.mirrored != nil {
		e.gateway.mirrorExchange(e, broken != nil)
	}
	if e.cancel != nil {
		e.cancel()
	}
	e.gateway.active.Add(-1)
	e.giveBack()
	if broken != nil {
		panic(broken)
	}
}

func (e *exchange) series() *series {
	if e.route == nil {
		return e.gateway.unrouted
	}
	if e.release == nil {
		return e.route.series[len(e.route.series)-1]
	}
	return e.route.series[e.release.index]
}

// giveBack clears all but what is made once.
func (e *exchange) giveBack() {
	clear(e.tried)
	if cap(e.memory) > smallBody {
		e.memory = nil
	}
	*e = exchange{gateway: e.gateway, proxy: e.proxy, memory: e.memory[:0], tried: e.tried[:0]}
	e.gateway.exchanges.Put(e)
}
