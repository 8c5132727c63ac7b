package gateway

import (
	"context"
	"net/http"
	"net/netip"
)

// request is what the gateway has to know of a request, however it came in.
type request struct {
	ctx                context.Context
	peer               netip.Addr // who connected
	peerName           string     // the same as text
	method, host, path string     // the path is decoded
	proto              string
	length             int64 // of the body; -1 when it is not known before
	secure             bool
	upgrade            bool
	fields             fields
}

// fields are a request's headers.
type fields interface {
	// values gives those of a name in its canonical form, nil for none.
	values(name string) []string
}

// mapFields are headers as net/http has them.
type mapFields http.Header

func (m mapFields) values(name string) []string { return m[name] }

// first is the first value of a name, "" for none.
func first(f fields, name string) string {
	if v := f.values(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

// cookie is the value of the cookie of that name, "" for none.
func (r *request) cookie(name string) string {
	lines := r.fields.values("Cookie")
	if lines == nil {
		return ""
	}
	c, err := (&http.Request{Header: http.Header{"Cookie": lines}}).Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

func requestOf(r *http.Request) request {
	peer := peerAddr(r.RemoteAddr)
	return request{
		ctx: r.Context(), peer: peer, peerName: peer.String(), method: r.Method, host: r.Host, path: r.URL.Path, proto: r.Proto,
		length: r.ContentLength, secure: r.TLS != nil, upgrade: r.Header["Upgrade"] != nil, fields: mapFields(r.Header),
	}
}

// scheme of the URL that the client asked for.
func (r *request) scheme() string {
	if r.secure {
		return "https"
	}
	return "http"
}

// sendableTwice tells requests that do no harm when they arrive twice.
func sendableTwice(method string, length int64) bool {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return length == 0
	}
	return false
}
