package gateway

import (
	"bytes"
	"net/http"
	"strings"
)

// requestHead is the head of a simple request: HTTP/1.1, of a usual method,
// for a path of plain bytes, with a body of known length or none, and nothing
// in its fields that could be understood in two ways. Its slices are those of
// the buffer that it was read into.
type requestHead struct {
	whole   []byte
	method  string
	target  []byte
	path    []byte // of the target
	escaped bool   // the path has percent signs
	host    []byte
	length  int64
	closing bool // the client wants the connection closed
	lines   []headerLine
}

// maxTarget is the longest path and query of a simple request.
const maxTarget = 4 << 10

// parse reads the head b, which ends with its empty line. It gives false when
// the request is not simple, which says nothing about whether it is valid.
func (h *requestHead) parse(b []byte) bool {
	*h = requestHead{whole: b, lines: h.lines[:0]}
	end := bytes.IndexByte(b, '\n')
	if end < 1 || b[end-1] != '\r' || !h.parseStart(b[:end-1]) {
		return false
	}
	var ok bool
	h.lines, ok = scanHeaders(h.lines, b[end+1:])
	return ok && h.digest()
}

// parseStart reads "METHOD /target HTTP/1.1".
func (h *requestHead) parseStart(line []byte) bool {
	method, rest, _ := bytes.Cut(line, []byte(" "))
	target, ok := bytes.CutSuffix(rest, []byte(" HTTP/1.1"))
	h.method, h.target = simpleMethod(method), target
	if !ok || h.method == "" || len(target) == 0 || len(target) > maxTarget || target[0] != '/' {
		return false
	}
	path, query, _ := bytes.Cut(target, []byte("?"))
	h.path = path
	pathOK, escaped := plainURL(&pathBytes, path)
	queryOK, _ := plainURL(&queryBytes, query)
	h.escaped = escaped
	return pathOK && queryOK
}

func simpleMethod(b []byte) string {
	for _, m := range [...]string{http.MethodGet, http.MethodPost, http.MethodHead, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions} {
		if string(b) == m {
			return m
		}
	}
	return ""
}

// plainURL tells whether b has only bytes of the set and whole escapes.
func plainURL(set *byteSet, b []byte) (ok, escaped bool) {
	for i := 0; i < len(b); i++ {
		switch {
		case set[b[i]]:
		case b[i] == '%' && i+2 < len(b) && isHex(b[i+1]) && isHex(b[i+2]):
			escaped = true
			i += 2
		default:
			return false, false
		}
	}
	return true, escaped
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// digest looks at the fields that decide about the message.
func (h *requestHead) digest() bool {
	var seen [dateHeader + 1]uint8
	for i := range h.lines {
		l := &h.lines[i]
		if seen[l.kind] < 2 {
			seen[l.kind]++
		}
		ok := true
		switch l.kind {
		case hostHeader:
			h.host = l.value
		case contentLength:
			h.length, ok = parseLength(l.value)
		case connectionHeader:
			var open bool
			open, ok = keepsOpen(l.value)
			h.closing = !open
		case transferEncoding, trailerHeader, upgradeHeader, teHeader, expectHeader:
			return false
		}
		if !ok {
			return false
		}
	}
	return seen[hostHeader] == 1 && len(h.host) > 0 && allIn(&hostBytes, h.host) &&
		seen[contentLength] < 2 && seen[connectionHeader] < 2 &&
		(seen[pragmaHeader] == 0 || seen[cacheControl] > 0) // net/http makes the one of the other
}

// values gives the fields of a name, as net/http would.
func (h *requestHead) values(name string) []string {
	var list []string
	for i := range h.lines {
		if l := &h.lines[i]; len(l.name) == len(name) && strings.EqualFold(string(l.name), name) {
			list = append(list, string(l.value))
		}
	}
	return list
}
