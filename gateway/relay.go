package gateway

import (
	"bytes"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// relay gives the client the answer whose head c has read.
func (e *exchange) relay(c *conn) {
	if c.resp == nil {
		e.relaySimple(c)
		return
	}
	e.relayAny(c)
}

// appendStatus appends the first line of an answer.
func appendStatus(b []byte, status int) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	if text := http.StatusText(status); text != "" {
		b = append(b, text...)
	} else {
		b = strconv.AppendInt(append(b, "status code "...), int64(status), 10)
	}
	return append(b, "\r\n"...)
}

// endHead appends what every answer has and the empty line.
func (e *exchange) endHead(b []byte, dated bool) []byte {
	if !dated {
		b = e.gateway.dates.append(b, e.start)
	}
	if e.door.closing.Load() {
		e.direct.closing = true
	}
	if e.direct.closing {
		b = append(b, "Connection: close\r\n"...)
	}
	return append(b, "\r\n"...)
}

// relaySimple gives the client an answer whose body, if any, has a known
// length. When all of it has come, it is one write.
func (e *exchange) relaySimple(c *conn) {
	a := &c.simple
	reason := ""
	if a.status >= 500 {
		reason = string(a.reason)
	}
	e.judge(a.status, reason)
	b := appendStatus(e.out[:0], a.status)
	for i := range a.lines {
		if l := &a.lines[i]; l.forwarded(a.status) {
			b = appendHeaderLine(b, l)
		}
	}
	b = appendHeader(b, "X-Request-Id", e.id)
	if e.cookie != nil {
		b = appendHeader(b, "Set-Cookie", e.cookie.String())
	}
	b = e.endHead(b, a.dated)
	e.countAnswer()
	left, reuse := a.length, !a.closing
	_, _ = c.r.Discard(a.size) // it is in the buffer
	if n := int(min(left, int64(c.r.Buffered()))); n > 0 {
		body, _ := c.r.Peek(n) // likewise
		e.sent.add(body)
		b = append(b, body...)
		_, _ = c.r.Discard(n)
		left -= int64(n)
	}
	e.out = b
	if left > 0 {
		e.relayRest(c, left, reuse)
		return
	}
	c.done(reuse, time.Now())
	e.end(false)
	_ = e.direct.write(e.out) // a client that is gone is nobody's failure
}

// relayRest writes what is in out and then what comes of the body.
func (e *exchange) relayRest(c *conn, left int64, reuse bool) {
	err := e.direct.write(e.out)
	buffer := e.gateway.copies.Get()
	defer e.gateway.copies.Put(buffer)
	for err == nil && left > 0 {
		var n int
		n, err = (*reader)(c).Read(buffer[:min(left, int64(len(buffer)))])
		if n == 0 {
			continue
		}
		left -= int64(n)
		e.sent.add(buffer[:n])
		if writeErr := e.direct.write(buffer[:n]); writeErr != nil {
			err = writeErr
		}
	}
	whole := left == 0
	c.done(whole && reuse, time.Now())
	e.direct.closing = e.direct.closing || !whole
	e.end(!whole || err != nil && e.asked.ctx.Err() != nil)
}

// interim passes an answer on that comes before the final one.
func (e *exchange) interim(status int, h textproto.MIMEHeader) error {
	var b strings.Builder
	b.Write(appendStatus(nil, status))
	if err := http.Header(h).Write(&b); err != nil {
		return err
	}
	b.WriteString("\r\n")
	return e.direct.write([]byte(b.String()))
}

// relayAny gives the client an answer that is not simple: in chunks, up to the
// end of the connection, or with a head that only net/http understands.
func (e *exchange) relayAny(c *conn) {
	resp := c.resp
	whole := bytes.HasSuffix(buffered(c), []byte("\r\n0\r\n\r\n")) // no need to send a part of it early
	c.wrap(resp)
	removeHopByHop(resp.Header)
	_ = e.modify(resp) // has no error
	hasBody := e.asked.method != http.MethodHead && bodyAllowed(resp.StatusCode)
	e.out = e.appendHead(e.out[:0], resp, hasBody)
	if !hasBody {
		e.finish(resp.Body.Close() == nil)
		return
	}
	if resp.ContentLength >= 0 {
		e.finish(e.copyBody(c, resp, false))
		return
	}
	ok := e.copyBody(c, resp, whole)
	if ok {
		e.out = appendTrailers(append(e.out, "0\r\n"...), resp.Trailer)
	}
	e.finish(ok)
}

func buffered(c *conn) []byte {
	b, _ := c.r.Peek(c.r.Buffered())
	return b
}

// finish ends an exchange that is answered but for what is in out.
func (e *exchange) finish(whole bool) {
	e.direct.closing = e.direct.closing || !whole
	out := e.out
	e.end(!whole)
	if len(out) > 0 {
		_ = e.direct.write(out) // a client that is gone is nobody's failure
	}
}

func (e *exchange) appendHead(b []byte, resp *http.Response, hasBody bool) []byte {
	b = appendStatus(b, resp.StatusCode)
	h := resp.Header
	delete(h, "Connection")
	switch {
	case hasBody:
		delete(h, "Content-Length")
	case resp.StatusCode == http.StatusNotModified:
		delete(h, "Content-Type")
		delete(h, "Content-Length")
	case resp.StatusCode == http.StatusNoContent:
		delete(h, "Content-Length")
	}
	w := (*appender)(&b)
	_ = h.Write(w) // an appender never fails
	switch {
	case hasBody && resp.ContentLength >= 0:
		b = appendHeader(b, "Content-Length", strconv.FormatInt(resp.ContentLength, 10))
	case hasBody:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
		for name := range resp.Trailer {
			b = appendHeader(b, "Trailer", name)
		}
	}
	return e.endHead(b, h["Date"] != nil)
}

// copyBody writes what is in out and then the body, as it comes, but for what
// is left in out. With whole, nothing is written as long as there is more of
// the body in the connection's buffer.
func (e *exchange) copyBody(c *conn, resp *http.Response, whole bool) bool {
	chunked := resp.ContentLength < 0
	buffer := e.gateway.copies.Get()
	defer e.gateway.copies.Put(buffer)
	for {
		if len(e.out) > 0 && !(whole && c.r.Buffered() > 0) {
			if e.direct.write(e.out) != nil {
				_ = resp.Body.Close() // the rest is not wanted
				return false
			}
			e.out = e.out[:0]
		}
		n, err := resp.Body.Read(buffer)
		switch {
		case n > 0 && chunked:
			e.out = append(strconv.AppendInt(e.out, int64(n), 16), "\r\n"...)
			e.out = append(append(e.out, buffer[:n]...), "\r\n"...)
		case n > 0:
			e.out = append(e.out, buffer[:n]...)
		}
		if err != nil {
			_ = resp.Body.Close() // ended already, or broken
			return err == io.EOF
		}
	}
}

func appendTrailers(b []byte, trailers http.Header) []byte {
	_ = trailers.Write((*appender)(&b)) // an appender never fails
	return append(b, "\r\n"...)
}

// appender is a Writer to a slice.
type appender []byte

func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}

// removeHopByHop removes the fields that are for one connection only.
func removeHopByHop(h http.Header) {
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range [...]string{"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
		"Te", "Trailer", "Transfer-Encoding", "Upgrade"} {
		delete(h, name)
	}
}

// dates keeps the Date field of the present second.
type dates struct{ now atomic.Pointer[date] }

type date struct {
	second int64
	line   string
}

func (d *dates) append(b []byte, now time.Time) []byte {
	at := d.now.Load()
	if at == nil || at.second != now.Unix() {
		at = &date{now.Unix(), "Date: " + now.UTC().Format(http.TimeFormat) + "\r\n"}
		d.now.Store(at)
	}
	return append(b, at.line...)
}

// refuse answers in the target's place.
func (c *clientConn) refuse(e *exchange, status int, h http.Header, body []byte) {
	b := appendStatus(e.out[:0], status)
	_ = h.Write((*appender)(&b)) // an appender never fails
	b = appendHeader(b, "Content-Length", strconv.Itoa(len(body)))
	b = e.endHead(b, false)
	if e.asked.method != http.MethodHead {
		b = append(b, body...)
	}
	e.out = b
	e.end(false)
	_ = c.write(b) // the client may be gone
}
