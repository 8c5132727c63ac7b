package gateway

import (
	"bytes"
	"net/http"
)

// headerLine is one field of a head, as it stands in the buffer that it was
// read into.
type headerLine struct {
	name, value []byte
	kind        headerKind
}

// headerKind says which fields the gateway does something about.
type headerKind uint8

const (
	otherHeader headerKind = iota
	hostHeader
	contentLength
	contentType
	connectionHeader
	transferEncoding
	trailerHeader
	upgradeHeader
	teHeader
	expectHeader
	hopHeader // any other that is for one connection only
	forwardedHeader
	forwardedFor
	forwardedHost
	forwardedProto
	realIP
	requestIDHeader
	userAgent
	pragmaHeader
	cacheControl
	dateHeader
)

// scanHeaders appends the lines of b to lines. The last line of b is empty.
// It gives false for all that is not strictly as RFC 9112, section 5, has it:
// what two programs could understand differently is not interpreted here.
func scanHeaders(lines []headerLine, b []byte) ([]headerLine, bool) {
	for {
		end := bytes.IndexByte(b, '\n')
		if end < 1 || b[end-1] != '\r' {
			return lines, false
		}
		if end == 1 {
			return lines, len(b) == 2
		}
		line := b[:end-1]
		b = b[end+1:]
		colon := bytes.IndexByte(line, ':')
		if colon < 1 {
			return lines, false
		}
		name, value := line[:colon], trimBlanks(line[colon+1:])
		if !allIn(&tokenBytes, name) || !allIn(&valueBytes, value) {
			return lines, false
		}
		lines = append(lines, headerLine{name, value, kindOf(name)})
	}
}

func trimBlanks(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// byteSet tells which bytes may stand somewhere.
type byteSet [256]bool

func bytesIn(ranges string, more string) byteSet {
	var s byteSet
	for i := 0; i+1 < len(ranges); i += 2 {
		for c := int(ranges[i]); c <= int(ranges[i+1]); c++ {
			s[c] = true
		}
	}
	for i := range len(more) {
		s[more[i]] = true
	}
	return s
}

var (
	tokenBytes = bytesIn("azAZ09", "!#$%&'*+-.^_`|~") // RFC 9110, 5.6.2
	valueBytes = bytesIn(" ~\x80\xff", "\t")          // RFC 9110, 5.5
	// What may stand in a path or query and is sent on as it is: RFC 3986 and
	// those that net/url leaves alone, without the percent sign.
	pathBytes  = bytesIn("azAZ09", "-._~!$&'()*+,;=:@/[]")
	queryBytes = bytesIn("azAZ09", "-._~!$&'()*+,=:@/[]?|^`{}\"<>\\")
	hostBytes  = bytesIn("azAZ09", "-._:[]")
)

func allIn(set *byteSet, b []byte) bool {
	for _, c := range b {
		if !set[c] {
			return false
		}
	}
	return true
}

// equalFold compares a name, which is a token, with one in lower case.
func equalFold(name []byte, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// kindsByLength are the names with a kind, by their length.
var kindsByLength = func() (list [20][]namedKind) {
	for kind, names := range map[headerKind][]string{
		hostHeader: {"host"}, contentLength: {"content-length"}, contentType: {"content-type"}, connectionHeader: {"connection"},
		transferEncoding: {"transfer-encoding"}, trailerHeader: {"trailer"}, upgradeHeader: {"upgrade"}, teHeader: {"te"}, expectHeader: {"expect"},
		hopHeader:       {"keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization"},
		forwardedHeader: {"forwarded"}, forwardedFor: {"x-forwarded-for"}, forwardedHost: {"x-forwarded-host"}, forwardedProto: {"x-forwarded-proto"},
		realIP: {"x-real-ip"}, requestIDHeader: {"x-request-id"}, userAgent: {"user-agent"}, pragmaHeader: {"pragma"}, cacheControl: {"cache-control"},
		dateHeader: {"date"},
	} {
		for _, name := range names {
			list[len(name)] = append(list[len(name)], namedKind{name, kind})
		}
	}
	return list
}()

type namedKind struct {
	name string
	kind headerKind
}

func kindOf(name []byte) headerKind {
	if len(name) >= len(kindsByLength) {
		return otherHeader
	}
	for i := range kindsByLength[len(name)] {
		k := &kindsByLength[len(name)][i]
		if equalFold(name, k.name) {
			return k.kind
		}
	}
	return otherHeader
}

// parseLength reads a Content-Length of up to 18 digits.
func parseLength(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// keepsOpen understands a Connection field of a single known option.
func keepsOpen(value []byte) (open, known bool) {
	switch {
	case equalFold(value, "keep-alive"):
		return true, true
	case equalFold(value, "close"):
		return false, true
	}
	return false, false
}

func appendHeaderLine(b []byte, l *headerLine) []byte {
	b = append(append(append(b, l.name...), ": "...), l.value...)
	return append(b, "\r\n"...)
}

func appendHeader(b []byte, name, value string) []byte {
	return append(append(append(append(b, name...), ": "...), value...), "\r\n"...)
}

// bodyAllowed tells whether an answer of that status has a body (RFC 9110,
// 6.4.1).
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// bareNewline tells whether a line of b ends without a carriage return.
func bareNewline(b []byte) bool {
	for {
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			return false
		}
		if end == 0 || b[end-1] != '\r' {
			return true
		}
		b = b[end+1:]
	}
}
