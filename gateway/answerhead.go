package gateway

import (
	"bytes"
	"net/http"
)

// answerHead is the head of a simple answer: final, HTTP/1.1, its body of
// known length or none. Its slices are those of the buffer that it was read
// into.
type answerHead struct {
	size    int // bytes of the head
	status  int
	reason  []byte // "200 OK"
	length  int64  // bytes of body that follow
	closing bool
	dated   bool
	lines   []headerLine
}

// parse reads the head b, which ends with its empty line, of the answer to a
// request of that method. It gives false when it is not simple, which says
// nothing about whether it is valid.
func (a *answerHead) parse(b []byte, method string) bool {
	*a = answerHead{size: len(b), length: -1, lines: a.lines[:0]}
	end := bytes.IndexByte(b, '\n')
	if end < 1 || b[end-1] != '\r' || !a.parseStart(b[:end-1]) {
		return false
	}
	var ok bool
	if a.lines, ok = scanHeaders(a.lines, b[end+1:]); !ok || !a.digest() {
		return false
	}
	if method == http.MethodHead || !bodyAllowed(a.status) {
		a.length = 0
	}
	return a.length >= 0
}

// parseStart reads "HTTP/1.1 200 OK".
func (a *answerHead) parseStart(line []byte) bool {
	rest, ok := bytes.CutPrefix(line, []byte("HTTP/1.1 "))
	if !ok || len(rest) < 4 || rest[3] != ' ' || !allIn(&valueBytes, rest) {
		return false
	}
	code, ok := parseLength(rest[:3])
	a.status, a.reason = int(code), rest
	return ok && code >= 200 && code <= 599
}

func (a *answerHead) digest() bool {
	var lengths, pragmas, controls int
	for i := range a.lines {
		l := &a.lines[i]
		ok := true
		switch l.kind {
		case contentLength:
			lengths++
			a.length, ok = parseLength(l.value)
		case connectionHeader:
			var open bool
			open, ok = keepsOpen(l.value)
			a.closing = a.closing || !open
		case transferEncoding, trailerHeader, upgradeHeader:
			return false
		case dateHeader:
			a.dated = true
		case pragmaHeader:
			pragmas++
		case cacheControl:
			controls++
		}
		if !ok {
			return false
		}
	}
	return lengths < 2 && (pragmas == 0 || controls > 0) // net/http makes the one of the other
}

// forwarded tells whether the client gets to see a field of an answer of that
// status.
func (l *headerLine) forwarded(status int) bool {
	switch l.kind {
	case connectionHeader, hopHeader, teHeader, requestIDHeader:
		return false
	case contentLength:
		return bodyAllowed(status)
	case contentType:
		return status != http.StatusNotModified
	}
	return true
}
