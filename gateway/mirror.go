package gateway

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"reflect"
	"sync"
	"sync/atomic"
	"time"
)

// mirror is a compiled Mirror.
type mirror struct {
	goal, release string
	share         float64
	queue         int64
	compare       bool
	maxBody       int64
	timeout       time.Duration
	counts        *mirrorCounts
}

// mirrorCounts are what became of a service's copies.
type mirrorCounts struct {
	pending                                         atomic.Int64
	sent, dropped, skipped, failed, same, different atomic.Int64

	mu     sync.Mutex
	recent []Difference // the last few, oldest first
}

// Difference is a mirrored request that was answered otherwise.
type Difference struct {
	At         time.Time `json:"at"`
	RequestID  string    `json:"requestId"`
	Method     string    `json:"method"`
	Path       string    `json:"path"`
	Status     int       `json:"status"`
	MirrorCode int       `json:"mirrorStatus"`
	// Field says what differs: "status" or "body".
	Field string `json:"field"`
}

const keptDifferences = 16

func compileMirror(s *service, services map[string]*service) *mirror {
	c := s.config.Mirror
	if c == nil {
		return nil
	}
	m := &mirror{goal: c.Service, release: c.Release, share: c.Percent / 100, queue: int64(c.Queue), compare: c.Compare,
		maxBody: c.MaxBodyBytes, timeout: c.Timeout.or(10 * time.Second), counts: &s.vitals.mirror}
	if m.goal == "" {
		m.goal = s.config.Name
	}
	if services[m.goal] == nil {
		return nil
	}
	if m.queue == 0 {
		m.queue = 64
	}
	if m.maxBody == 0 {
		m.maxBody = 64 << 10
	}
	return m
}

// mirrored is what is kept of an exchange to send it once more.
type mirrored struct {
	to     *mirror
	header http.Header
	url    url.URL
	host   string
	answer *boundedCopy // nil unless answers are compared
}

// sampleMirror decides whether this exchange is mirrored.
func (e *exchange) sampleMirror() {
	m := e.route.service.mirror
	if m == nil || e.asked.upgrade || m.share < 1 && rand.Float64() >= m.share {
		return
	}
	e.mirrored = &mirrored{to: m}
	if e.asked.length > m.maxBody {
		e.mirrored = e.mirrored.skip()
	} else if m.compare {
		e.mirrored.answer = &boundedCopy{most: m.maxBody}
	}
}

// skip counts a copy that cannot be made.
func (m *mirrored) skip() *mirrored {
	if m != nil {
		m.to.counts.skipped.Add(1)
	}
	return nil
}

func (m *mirrored) wantsAnswer() *boundedCopy {
	if m == nil {
		return nil
	}
	return m.answer
}

// keep remembers the request as the target sees it.
func (m *mirrored) keep(out *http.Request) {
	if m != nil {
		m.header, m.url, m.host = out.Header.Clone(), *out.URL, out.Host
		m.header.Set("X-Greenlight-Mirror", "1")
	}
}

// keepBytes is keep for a request that was made as bytes.
func (m *mirrored) keepBytes(request []byte) {
	if m == nil {
		return
	}
	out, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(request)))
	if err == nil { // the gateway made it, so it can be read
		m.keep(out)
	}
}

// mirrorExchange sends the copy of an exchange that has ended, unless too
// many are under way: each is a goroutine, and their number is the bound.
func (g *Gateway) mirrorExchange(e *exchange, broken bool) {
	m := e.mirrored
	counts := m.to.counts
	switch {
	case m.header == nil: // refused before it was sent
		return
	case counts.pending.Add(1) > m.to.queue:
		counts.pending.Add(-1)
		counts.dropped.Add(1)
		return
	}
	var body []byte
	if e.inMemory {
		body, e.memory = e.memory, nil
	}
	first := Difference{At: e.start, RequestID: e.id, Method: e.asked.method, Path: e.asked.path, Status: e.status}
	compare := m.answer != nil && !broken && e.answered && !m.answer.over
	g.work.Go(func() {
		defer counts.pending.Add(-1)
		g.sendMirror(m, body, first, compare)
	})
}

func (g *Gateway) sendMirror(m *mirrored, body []byte, first Difference, compare bool) {
	ctx, cancel := context.WithTimeout(g.living, m.to.timeout)
	defer cancel()
	status, answer, err := g.askMirror(ctx, m, body, first.Method)
	counts := m.to.counts
	counts.sent.Add(1)
	switch {
	case err != nil:
		counts.failed.Add(1)
	case !compare || answer.over:
	default:
		first.MirrorCode = status
		counts.judge(first, m.answer.data, answer.data)
	}
}

func (g *Gateway) askMirror(ctx context.Context, m *mirrored, body []byte, method string) (int, *boundedCopy, error) {
	t := g.mirrorTarget(m.to)
	if t == nil {
		return 0, nil, errNoTarget
	}
	defer t.done()
	u := m.url
	u.Scheme, u.Host = "http", t.address
	req := (&http.Request{Method: method, URL: &u, Host: m.host, Header: m.header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx)
	req.ContentLength = int64(len(body))
	resp, err := t.upstream.roundTrip(req, true, body, sendableTwice(method, req.ContentLength))
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer := &boundedCopy{most: m.to.maxBody}
	_, err = io.Copy(copyWriter{answer}, resp.Body)
	return resp.StatusCode, answer, err
}

type copyWriter struct{ to *boundedCopy }

func (w copyWriter) Write(p []byte) (int, error) {
	w.to.add(p)
	return len(p), nil
}

func (g *Gateway) mirrorTarget(m *mirror) *target {
	s := g.table.Load().service(m.goal)
	if s == nil {
		return nil
	}
	now := time.Now()
	if m.release == "" {
		_, t := s.pick("", now, nil)
		return t
	}
	for _, r := range s.releases {
		if r.name == m.release {
			return r.pick(now, nil)
		}
	}
	return nil
}

// judge counts whether two answers are the same.
func (c *mirrorCounts) judge(d Difference, first, second []byte) {
	switch {
	case d.Status != d.MirrorCode:
		d.Field = "status"
	case !sameBody(first, second):
		d.Field = "body"
	default:
		c.same.Add(1)
		return
	}
	c.different.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.recent) == keptDifferences {
		c.recent = append(c.recent[:0], c.recent[1:]...)
	}
	c.recent = append(c.recent, d)
}

// sameBody compares bytes, and JSON by value: neither spaces nor the order of
// keys make a difference.
func sameBody(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	return reflect.DeepEqual(x, y)
}
