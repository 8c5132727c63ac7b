package gateway

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"
)

// exchange is one request on its way through. It is the Transport of its own
// ReverseProxy: that way retries choose their target knowing everything, and
// nothing has to be looked up in a context. Exchanges are used again, with
// the functions that they lend to their proxy.
type exchange struct {
	gateway *Gateway
	proxy   httputil.ReverseProxy

	door   *door
	direct *clientConn         // nil when net/http serves the client, and then
	w      http.ResponseWriter // there is this
	in     *http.Request       // and this
	asked  request
	start  time.Time
	id     string

	client     netip.Addr
	clientName string // the address as text
	trusted    bool
	table      *table
	route      *route   // nil when none was found
	release    *release // nil when none was chosen
	target     *target
	key        string       // of a sticky service
	cookie     *http.Cookie // to set
	tried      []*target    // without the present one
	cancel     context.CancelFunc

	short    bool   // the request is complete in memory
	inMemory bool   // and has a body
	memory   []byte // the body; lent anew to each exchange
	out      []byte // what is written next, of a request or an answer; likewise
	question question
	touched  *touchedBody // a body that is streamed
	mirrored *mirrored    // nil for most

	status   int
	sent     *countedBody // counts the answer when somebody wants to know
	attempts int
	failure  string
	answered bool // by a target
	ended    bool
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
	e.question.interim = e.interim
	return e
}

func (e *exchange) begin(d *door) {
	e.door, e.start = d, time.Now()
	e.id = requestID(e.asked.fields.values("X-Request-Id"))
	e.gateway.active.Add(1)
}

// requestID takes over an identifier that looks like one.
func requestID(given []string) string {
	if len(given) == 1 && plausibleID(given[0]) {
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
		ctx, e.cancel = context.WithTimeout(e.asked.ctx, e.route.timeout)
		e.asked.ctx = ctx
		if e.in != nil {
			e.in = e.in.WithContext(ctx)
		}
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
	v[0] = e.asked.peerName
	if before := h["X-Forwarded-For"]; before != nil {
		v[0] = strings.Join(before, ", ") + ", " + e.asked.peerName
	}
	v[1], v[2], v[3], v[4] = p.In.Host, e.asked.scheme(), e.clientName, e.id
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
	if !e.asked.upgrade || !strings.EqualFold(h.Get("Upgrade"), "websocket") {
		h.Del("Upgrade") // h2c and others would speak past the gateway
		h.Del("Connection")
	}
	h.Del("Expect") // net/http answers it when the body is read first
	if e.touched != nil {
		maps.DeleteFunc(p.Out.Trailer, func(name string, _ []string) bool { return !httpguts.ValidTrailerHeader(name) })
		e.touched.trailer, e.touched.sendTrailer = p.In.Trailer, p.Out.Trailer
	}
	e.mirrored.keep(p.Out)
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
		resp, err := e.target.upstream.roundTrip(out, e.short, e.memory, e.twice())
		if err == nil {
			return resp, nil
		}
		if !e.again(err) {
			return nil, err
		}
		out = e.redirect(out)
	}
}

// again looks at an attempt that failed, decides on another one and chooses
// its target.
func (e *exchange) again(err error) bool {
	if e.asked.ctx.Err() != nil {
		e.timedOut(e.asked.ctx)
		return false
	}
	if e.touched.broken() != nil {
		return false
	}
	var sending *sendError
	if !errors.As(err, &sending) {
		sending = &sendError{err: err, sent: true}
	}
	e.blame(sending.connect, err.Error())
	s := e.route.service
	safe := sendableTwice(e.asked.method, e.asked.length) ||
		!sending.sent && (e.touched == nil || !e.touched.touched.Load())
	if !safe || e.attempts >= s.attempts || sending.timeout() && !sending.connect {
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

// twice tells whether the request may arrive twice.
func (e *exchange) twice() bool {
	return e.route.service.attempts > 1 && sendableTwice(e.asked.method, e.asked.length)
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
	e.judge(resp.StatusCode, resp.Status)
	if e.direct == nil {
		e.w.Header()["Content-Type"] = nil // or the server would guess one for the target
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
	if e.countAnswer() {
		e.sent.ReadCloser = resp.Body
		resp.Body = e.sent
	}
	return nil
}

// judge notes a target's answer.
func (e *exchange) judge(status int, reason string) {
	e.answered = true
	e.status = status
	if status >= 500 {
		e.blame(false, reason)
	} else {
		e.target.succeeded()
	}
}

// countAnswer tells whether somebody wants to know the answer's body.
func (e *exchange) countAnswer() bool {
	if e.mirrored == nil && !e.gateway.access.on() {
		return false
	}
	e.sent = &countedBody{copy: e.mirrored.wantsAnswer()}
	return true
}

// endServed is end for an exchange that net/http serves, where an answer that
// breaks off is a panic.
func (e *exchange) endServed() {
	broken := recover()
	e.end(broken != nil)
	e.giveBack()
	if broken != nil {
		panic(broken)
	}
}

// end measures the exchange and gives back what it held.
func (e *exchange) end(broken bool) {
	e.ended = true
	took := time.Since(e.start)
	if broken && e.asked.ctx.Err() == nil && e.target != nil {
		e.blame(false, "the answer broke off")
	}
	e.series().observe(e.status)
	if e.target != nil {
		e.release.metrics.observe(e.status, took)
		e.target.done()
	}
	if e.gateway.access.on() {
		e.gateway.access.write(e, took, broken)
	}
	if e.mirrored != nil {
		e.gateway.mirrorExchange(e, broken)
	}
	if e.cancel != nil {
		e.cancel()
	}
	e.gateway.active.Add(-1)
}

// crashed ends the exchange of a direct connection after a panic, which is a
// defect of the gateway: this client pays for it, the others do not. What the
// exchange holds is given back; nothing else of it can be relied on.
func (e *exchange) crashed(p any) arrival {
	e.gateway.options.Log.Error("a request made the gateway panic", "panic", p, "stack", string(debug.Stack()))
	if e.ended {
		return gone
	}
	if e.target != nil {
		e.target.done()
	}
	if e.cancel != nil {
		e.cancel()
	}
	e.gateway.active.Add(-1)
	return gone
}

// abandon forgets an exchange that has not begun to be answered.
func (e *exchange) abandon() {
	if e.cancel != nil {
		e.cancel()
	}
	e.gateway.active.Add(-1)
	e.giveBack()
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
	if cap(e.out) > 2*smallBody {
		e.out = nil
	}
	*e = exchange{gateway: e.gateway, proxy: e.proxy, memory: e.memory[:0], out: e.out[:0], tried: e.tried[:0],
		question: question{interim: e.question.interim}}
	e.gateway.exchanges.Put(e)
}
