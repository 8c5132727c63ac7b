package gateway

import (
	"net/http"
	"net/url"
	"strconv"
)

// forward sends the request of a direct connection to its target and relays
// the answer: what ReverseProxy does for those that net/http serves.
func (e *exchange) forward() {
	e.out = e.appendRequest(e.out[:0], &e.direct.head)
	e.mirrored.keepBytes(e.out)
	e.out = append(e.out, e.memory...)
	q := &e.question
	*q = question{ctx: e.asked.ctx, bytes: e.out, method: e.asked.method, client: e.direct,
		twice: e.twice(), interim: q.interim}
	for {
		e.attempts++
		c, err := e.target.upstream.ask(q)
		if err == nil {
			e.relay(c)
			return
		}
		if !e.again(err) {
			e.refuse(e.explain(err))
			return
		}
	}
}

// appendRequest appends the head that the target sees: the client's own,
// without what is for one connection only and without what it claims about
// forwarding, unless it is a trusted proxy.
func (e *exchange) appendRequest(b []byte, h *requestHead) []byte {
	b = append(append(b, h.method...), ' ')
	b = e.appendTarget(b, h)
	b = append(append(append(b, " HTTP/1.1\r\nHost: "...), h.host...), "\r\n"...)
	var host, proto bool
	for i := range h.lines {
		l := &h.lines[i]
		switch l.kind {
		case hostHeader, contentLength, connectionHeader, hopHeader, forwardedHeader, forwardedFor, realIP, requestIDHeader:
			continue
		case forwardedHost, forwardedProto:
			if !e.trusted {
				continue
			}
			host = host || l.kind == forwardedHost
			proto = proto || l.kind == forwardedProto
		case userAgent:
			if len(l.value) == 0 {
				continue
			}
		}
		b = appendHeaderLine(b, l)
	}
	b = e.appendForwardedFor(b, h)
	if !host {
		b = appendHeader(b, "X-Forwarded-Host", e.asked.host)
	}
	if !proto {
		b = appendHeader(b, "X-Forwarded-Proto", e.asked.scheme())
	}
	b = appendHeader(b, "X-Real-Ip", e.clientName)
	b = appendHeader(b, "X-Request-Id", e.id)
	if h.length > 0 || h.method != http.MethodGet && h.method != http.MethodHead {
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), h.length, 10), "\r\n"...)
	}
	return append(b, "\r\n"...)
}

func (e *exchange) appendForwardedFor(b []byte, h *requestHead) []byte {
	b = append(b, "X-Forwarded-For: "...)
	if e.trusted {
		for i := range h.lines {
			if l := &h.lines[i]; l.kind == forwardedFor {
				b = append(append(b, l.value...), ", "...)
			}
		}
	}
	return append(append(b, e.asked.peerName...), "\r\n"...)
}

// appendTarget appends path and query as the service sees them.
func (e *exchange) appendTarget(b []byte, h *requestHead) []byte {
	r := e.route
	if !r.config.StripPrefix || r.path == "" {
		return append(b, h.target...)
	}
	if !h.escaped {
		path, _ := r.strip(e.asked.path, "")
		return append(append(b, path...), h.target[len(h.path):]...)
	}
	u, err := url.ParseRequestURI(string(h.target))
	if err != nil { // it was read before
		return append(b, h.target...)
	}
	u.Path, u.RawPath = r.strip(u.Path, u.RawPath)
	return append(b, u.RequestURI()...)
}
