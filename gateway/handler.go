package gateway

import (
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

// serve takes one request that came in at door d on its way.
func (g *Gateway) serve(d *door, w http.ResponseWriter, r *http.Request) {
	e := g.exchanges.Get().(*exchange)
	e.w, e.in, e.asked = w, r, requestOf(r)
	e.begin(d)
	defer e.endServed()
	if refused := e.admit(); refused != nil {
		e.refuse(refused)
		return
	}
	e.proxy.ServeHTTP(w, e.in)
}

// refusal is an answer that the gateway gives itself.
type refusal struct {
	status     int
	message    string
	retryAfter time.Duration // 0 for none
	allow      []string
}

// admit decides whether and where the request goes: its route, the route's
// limits, the state of its service, then a target. The order matters: a
// request that is refused or held takes nothing from those behind it.
func (e *exchange) admit() *refusal {
	r := &e.asked
	if r.method == http.MethodConnect {
		return &refusal{status: http.StatusMethodNotAllowed, message: "CONNECT is for forward proxies"}
	}
	if hasDotSegment(r.path) {
		return &refusal{status: http.StatusBadRequest, message: "the path has . or .. segments; send the path that they lead to"}
	}
	e.table = e.gateway.table.Load()
	e.attribute()
	if refused := e.find(); refused != nil {
		return refused
	}
	if refused := e.limit(); refused != nil {
		return refused
	}
	if refused := e.hold(); refused != nil {
		return refused
	}
	if refused := e.takeBody(); refused != nil {
		return refused
	}
	v := e.route.service.vitals
	v.requests.Add(1)
	v.budget.deposit(e.route.service.retryPay)
	e.key, e.cookie = e.route.service.stickyKey(r)
	e.withTimeout()
	return e.settle()
}

// settle takes a target by the table that is in force once it is taken: when
// Apply has returned, every request that goes by an older one is counted in
// its target, and none comes after.
func (e *exchange) settle() *refusal {
	for {
		if !e.choose() {
			return &refusal{status: http.StatusServiceUnavailable, message: "service " + e.route.service.config.Name + " has no replica", retryAfter: time.Second}
		}
		newest := e.gateway.table.Load()
		if newest == e.table {
			return nil
		}
		e.target.done()
		e.table, e.target, e.release = newest, nil, nil
		if refused := e.find(); refused != nil {
			return refused
		}
		if refused := e.hold(); refused != nil {
			return refused
		}
	}
}

// attribute says who asks.
func (e *exchange) attribute() {
	e.client, e.trusted = e.table.clients.client(&e.asked)
	e.clientName = e.asked.peerName
	if e.client != e.asked.peer {
		e.clientName = e.client.String()
	}
}

// find sets the route.
func (e *exchange) find() *refusal {
	route, allowed := e.table.routes.find(e.asked.host, e.asked.path, e.asked.method)
	e.route = route
	switch {
	case route != nil && e.direct != nil && route.service.config.Protocol == H2C:
		return handOver
	case route != nil:
		return nil
	case len(allowed) > 0:
		return &refusal{status: http.StatusMethodNotAllowed, message: "no route for this method", allow: allowed}
	}
	return &refusal{status: http.StatusNotFound, message: "no route for this host and path"}
}

func (e *exchange) limit() *refusal {
	r := e.route
	var wait time.Duration
	now := e.start.UnixNano()
	if r.clientLimit != nil {
		wait = r.buckets.clients.take(r.clientLimit, e.client, now)
	}
	if wait == 0 && r.limit != nil {
		wait = r.buckets.all.take(r.limit, now)
	}
	if wait == 0 {
		return nil
	}
	return &refusal{status: http.StatusTooManyRequests, message: "too many requests", retryAfter: wait}
}

// hold waits while the service is paused, and looks the route up again
// whenever the configuration changes.
func (e *exchange) hold() *refusal {
	var timer *time.Timer
	for {
		s := e.route.service
		switch s.config.State {
		case Draining:
			return &refusal{status: http.StatusServiceUnavailable, message: "service " + s.config.Name + " is draining", retryAfter: 5 * time.Second}
		case Paused:
		default:
			return nil
		}
		if timer == nil {
			timer = time.NewTimer(s.hold.timeout)
			defer timer.Stop()
		}
		if refused := e.wait(s, timer); refused != nil {
			return refused
		}
		e.table = e.gateway.table.Load()
		if refused := e.find(); refused != nil {
			return refused
		}
	}
}

func (e *exchange) wait(s *service, timer *time.Timer) *refusal {
	e.direct.watch()
	defer s.vitals.held.Add(-1)
	if s.vitals.held.Add(1) > s.hold.requests {
		return &refusal{status: http.StatusServiceUnavailable, message: "service " + s.config.Name + " is paused and no more requests can wait", retryAfter: time.Second}
	}
	select {
	case <-e.table.superseded:
		return nil
	case <-timer.C:
		return &refusal{status: http.StatusServiceUnavailable, message: "service " + s.config.Name + " was paused for too long", retryAfter: 5 * time.Second}
	case <-e.asked.ctx.Done():
		return &refusal{status: statusClientGone, message: "the client is gone"}
	}
}

// smallBody is read before a target is chosen: a slow client then takes up
// none, the request fits one write, and it can be sent again if it was not
// sent at all.
const smallBody = 64 << 10

// takeBody bounds the body and reads it when it is small.
func (e *exchange) takeBody() *refusal {
	length, most := e.asked.length, e.route.maxBody
	if length == 0 {
		e.short = !e.asked.upgrade
		e.sampleMirror()
		return nil
	}
	if most >= 0 && length > most {
		return tooLarge(most)
	}
	if e.direct != nil {
		e.sampleMirror()
		return e.direct.takeBody(e)
	}
	e.sampleMirror()
	r, whole := e.in, length >= 0 && length <= e.buffered()
	body := r.Body
	if whole || !e.mayBeQuiet() {
		body = &stalling{ReadCloser: r.Body, control: http.NewResponseController(e.w), timeout: e.door.stall}
	}
	if most >= 0 {
		body = http.MaxBytesReader(e.w, body, most)
	}
	if !whole {
		e.mirrored = e.mirrored.skip()
		e.touched = new(touchedBody)
		e.touched.ReadCloser = body
		r.Body = e.touched
		return nil
	}
	return e.readBody(body)
}

// mayBeQuiet tells streams on which a client may say nothing for as long as it
// likes, as gRPC's do. That it is still there is seen by the connection: by
// HTTP/2's pings, or TCP's keep-alive.
func (e *exchange) mayBeQuiet() bool {
	return e.in.ProtoMajor == 2 || e.route.service.config.Protocol == H2C
}

// buffered is the size up to which this request's body is read at once.
func (e *exchange) buffered() int64 {
	most := int64(smallBody)
	if e.route.service.config.Protocol == H2C {
		most = 0 // a stream's end may be far away
	}
	if e.mirrored != nil {
		most = max(most, e.mirrored.to.maxBody)
	}
	return most
}

func (e *exchange) readBody(body io.ReadCloser) *refusal {
	e.growMemory(int(e.asked.length))
	if _, err := io.ReadFull(body, e.memory); err != nil {
		return brokenBody(err)
	}
	e.short = !e.asked.upgrade
	e.inMemory = true
	e.in.Body = &memoryBody{data: e.memory}
	return nil
}

func (e *exchange) growMemory(n int) {
	if cap(e.memory) < n {
		e.memory = make([]byte, max(n, 4<<10))
	}
	e.memory = e.memory[:n]
}

// brokenBody answers a client that does not send what it promised.
func brokenBody(err error) *refusal {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &refusal{status: http.StatusRequestTimeout, message: "the body took too long to arrive"}
	}
	return &refusal{status: http.StatusBadRequest, message: "the body is broken or incomplete"}
}

func tooLarge(most int64) *refusal {
	return &refusal{status: http.StatusRequestEntityTooLarge, message: "the body is larger than " + strconv.FormatInt(most, 10) + " bytes"}
}

// choose picks a target, acquired, in the newest table.
func (e *exchange) choose() bool {
	for {
		s := e.route.service
		e.release, e.target = s.pick(e.key, e.start, e.tried)
		if e.target != nil {
			return true
		}
		newest := e.gateway.table.Load()
		if newest == e.table {
			return false
		}
		before := e.table
		e.table = newest
		if e.find() != nil || e.route.service.config.State == Draining {
			e.table = before
			return false
		}
	}
}

// memoryBody is a body that is complete in memory.
type memoryBody struct {
	data []byte
	at   int
}

func (b *memoryBody) Read(p []byte) (int, error) {
	n := copy(p, b.data[b.at:])
	b.at += n
	if b.at == len(b.data) {
		return n, io.EOF
	}
	return n, nil
}

func (b *memoryBody) Close() error { return nil }

// touchedBody notes whether anything of a streamed body was read, and whether
// the client failed to send it. A transport may still read when the answer is
// already there, hence the atomics.
type touchedBody struct {
	io.ReadCloser
	touched atomic.Bool
	failure atomic.Pointer[error]
	// At the body's end the client's trailers, which are known only then, go
	// into those of the request that is sent, by the goroutine that sends them.
	trailer, sendTrailer http.Header
}

func (b *touchedBody) Read(p []byte) (int, error) {
	b.touched.Store(true)
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		for name := range b.sendTrailer { // no others were announced
			b.sendTrailer[name] = b.trailer[name]
		}
	} else if err != nil {
		b.failure.Store(&err)
	}
	return n, err
}

// broken is the client's failure, nil for none.
func (b *touchedBody) broken() error {
	if b == nil {
		return nil
	}
	if err := b.failure.Load(); err != nil {
		return *err
	}
	return nil
}

// stalling ends a body on which the client makes no progress.
type stalling struct {
	io.ReadCloser
	control *http.ResponseController
	timeout time.Duration
	setAt   time.Time
}

func (s *stalling) Read(p []byte) (int, error) {
	if now := time.Now(); now.Sub(s.setAt) > s.timeout/4 {
		s.setAt = now
		_ = s.control.SetReadDeadline(now.Add(s.timeout)) // a connection without deadlines has the server's timeouts
	}
	n, err := s.ReadCloser.Read(p)
	if err == io.EOF {
		// The server goes on reading to notice when the client leaves. After
		// a failure the deadline stays: nobody waits for the rest.
		_ = s.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

const hexDigits = "0123456789abcdef"

// newID is 128 random bits.
func newID() string {
	var b [32]byte
	for half, n := range [...]uint64{rand.Uint64(), rand.Uint64()} {
		for i := range 16 {
			b[half*16+i] = hexDigits[n>>(4*i)&15]
		}
	}
	return string(b[:])
}
