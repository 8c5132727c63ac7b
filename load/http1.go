package load

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// Bounds of an answer.
const (
	maxHead    = 64 << 10
	maxAnswer  = 1 << 30 // bytes of a body
	maxChecked = 4 << 20 // bytes of a body that a check looks at
	maxInterim = 8       // answers 1xx before the one that counts
)

// answer is what came back.
type answer struct {
	status    int
	in, out   int64 // bytes
	connected bool  // a connection was opened for it
	kind      Kind
	body      []byte // what was kept of it, until the next request
	said      string // by the error of an operation
}

// client is one place for a request to be under way.
type client interface {
	do(c *compiled, v *values) answer
	// expire makes the request that is under way fail. It is called from
	// another goroutine.
	expire()
	close()
}

// http1 speaks HTTP/1.1 on a connection of its own, which it opens with the
// first request and again when it was closed.
type http1 struct {
	target    *Target
	timeout   time.Duration
	keepAlive bool
	conn      atomic.Pointer[net.Conn]
	served    bool // the connection has answered before
	request   []byte
	body      []byte
	reader    responseReader
	wire      wire // with TLS; without it the answers' bytes are those of the connection
}

func newHTTP1(t *Target, timeout time.Duration, keepAlive bool) *http1 {
	return &http1{target: t, timeout: timeout, keepAlive: keepAlive}
}

func (h *http1) expire() {
	if c := h.conn.Load(); c != nil {
		_ = (*c).SetDeadline(time.Unix(1, 0))
	}
}

func (h *http1) close() {
	if c := h.conn.Swap(nil); c != nil {
		_ = (*c).Close()
	}
	h.served = false
}

func (h *http1) do(c *compiled, v *values) answer {
	request := c.fixed
	if request == nil {
		h.request = c.appendHTTP1(h.request[:0], &h.body, v)
		request = h.request
	}
	var a answer
	reused := h.served
	err := h.exchange(c, request, &a)
	if err != nil && reused && c.retries && a.in == 0 && kindOf(err) != KindTimeout && kindOf(err) != KindProtocol {
		// The target closed an idle connection while the request was on its
		// way, as it may (RFC 9112, section 9.5); nothing came back.
		err = h.exchange(c, request, &a)
	}
	a.kind = kindOf(err)
	if h.target.TLS != nil {
		a.in, a.out = h.wire.take()
	}
	if err == nil {
		a.kind, a.body = c.expect.judge(a.status, h.reader.kept), h.reader.kept
	}
	return a
}

// judge is what is wrong with an answer.
func (e *Expect) judge(status int, body []byte) Kind {
	switch {
	case e.Status != 0 && status != e.Status, e.Class != 0 && status/100 != e.Class, e.Status+e.Class == 0 && status >= 400:
		return KindStatus
	case e.Contains != "" && !bytes.Contains(body, []byte(e.Contains)):
		return KindCheck
	}
	return KindNone
}

// exchange sends the request and reads its answer. After an error the
// connection is closed.
func (h *http1) exchange(c *compiled, request []byte, a *answer) error {
	conn, err := h.connection(a)
	if err != nil {
		return err
	}
	_, err = conn.Write(request)
	if err == nil {
		a.out += int64(len(request))
		err = h.reader.read(conn, c.noBody, c.keeps())
		a.status, a.in = h.reader.status, h.reader.total
		if err == nil && h.reader.start < h.reader.end {
			err = fmt.Errorf("%w: more bytes follow it", errProtocol)
		}
	}
	h.served = true
	if err != nil || h.reader.closes || !h.keepAlive {
		h.close()
	}
	return err
}

func (h *http1) connection(a *answer) (net.Conn, error) {
	if c := h.conn.Load(); c != nil {
		return *c, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), h.timeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", h.target.Address)
	if err != nil {
		return nil, &dialError{err}
	}
	if h.target.TLS != nil {
		secure := tls.Client(h.wire.count(conn), h.target.TLS)
		if err := secure.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, &dialError{err}
		}
		conn = secure
	}
	a.connected = true
	h.conn.Store(&conn)
	h.reader.reset()
	return conn, nil
}

// responseReader reads answers of HTTP/1.1, within the bounds above.
type responseReader struct {
	buf        []byte
	start, end int // what is read and not yet used
	status     int
	total      int64 // bytes of this answer
	closes     bool  // the connection ends with it
	length     int64 // of the body; -1: not known
	chunked    bool
	keep       bool
	kept       []byte // the body, when it is to be checked
}

func (r *responseReader) reset() {
	if r.buf == nil {
		r.buf = make([]byte, 16<<10)
	}
	r.start, r.end = 0, 0
}

// read reads one answer; noBody is for answers to HEAD.
func (r *responseReader) read(in io.Reader, noBody, keep bool) error {
	r.total, r.keep, r.kept = 0, keep, r.kept[:0]
	for range maxInterim {
		if err := r.readHead(in); err != nil {
			return err
		}
		if r.status >= 200 || r.status == 101 {
			break
		}
	}
	switch {
	case r.status < 200:
		return fmt.Errorf("%w: status %d", errProtocol, r.status)
	case noBody || r.status == 204 || r.status == 304:
		return nil
	case r.chunked:
		return r.readChunks(in)
	case r.length >= 0:
		return r.skip(in, r.length)
	}
	r.closes = true
	return r.readToEnd(in)
}

// fill reads more; the caller has used up or moved what it needs.
func (r *responseReader) fill(in io.Reader) error {
	if r.start == r.end {
		r.start, r.end = 0, 0
	}
	if r.end == len(r.buf) {
		if r.start > 0 {
			r.end = copy(r.buf, r.buf[r.start:r.end])
			r.start = 0
		} else {
			if len(r.buf) >= maxHead {
				return fmt.Errorf("%w: its head or a line has more than %d bytes", errTooLarge, maxHead)
			}
			r.buf = append(r.buf, make([]byte, len(r.buf))...)
		}
	}
	n, err := in.Read(r.buf[r.end:])
	r.end += n
	r.total += int64(n)
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

func (r *responseReader) readHead(in io.Reader) error {
	searched := 0
	for {
		if i := bytes.Index(r.buf[r.start+searched:r.end], []byte("\r\n\r\n")); i >= 0 {
			head := r.buf[r.start : r.start+searched+i+2]
			r.start += searched + i + 4
			return r.parseHead(head)
		}
		if err := startsAsHTTP(r.buf[r.start:r.end]); err != nil {
			return err // whoever greets first may wait for ever after it
		}
		searched = max(0, r.end-r.start-3)
		if err := r.fill(in); err != nil {
			if errors.Is(err, io.EOF) && r.end > r.start {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
}

// startsAsHTTP tells what is wrong with the first bytes of an answer.
func startsAsHTTP(b []byte) error {
	const version = "HTTP/1."
	if n := min(len(b), len(version)); string(b[:n]) != version[:n] {
		return fmt.Errorf("%w: it begins with %q", errProtocol, clip(string(b)))
	}
	return nil
}

// parseHead reads the status line and the three fields that say where the
// body ends. Two different lengths, or a length that is no number, are
// refused rather than guessed at.
func (r *responseReader) parseHead(head []byte) error {
	r.length, r.chunked = -1, false
	if err := startsAsHTTP(head); err != nil {
		return err
	}
	if len(head) < 14 || head[8] != ' ' {
		return fmt.Errorf("%w: it begins with %q", errProtocol, clip(string(head)))
	}
	r.closes = head[7] == '0'
	r.status = 0
	for _, d := range head[9:12] {
		if d < '0' || d > '9' {
			return fmt.Errorf("%w: status %q", errProtocol, head[9:12])
		}
		r.status = r.status*10 + int(d-'0')
	}
	if r.status < 100 || r.status > 599 || head[12] != ' ' && head[12] != '\r' {
		return fmt.Errorf("%w: status %d", errProtocol, r.status)
	}
	oldVersion := r.closes
	_, rest := nextLine(head)
	for {
		var line []byte
		if line, rest = nextLine(rest); line == nil {
			break
		}
		if err := r.parseField(line); err != nil {
			return err
		}
	}
	if oldVersion && r.chunked {
		return fmt.Errorf("%w: chunks in HTTP/1.0", errProtocol) // RFC 9112, section 6.1
	}
	return nil
}

func nextLine(b []byte) (line, rest []byte) {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		return nil, nil
	}
	return bytes.TrimSuffix(b[:i], []byte("\r")), b[i+1:]
}

func (r *responseReader) parseField(line []byte) error {
	colon := bytes.IndexByte(line, ':')
	if colon <= 0 {
		return fmt.Errorf("%w: header line %q", errProtocol, clip(string(line)))
	}
	switch name := line[:colon]; len(name) {
	case len("connection"):
		if bytes.EqualFold(name, []byte("connection")) {
			value := bytes.TrimSpace(line[colon+1:])
			r.closes = bytes.EqualFold(value, []byte("close")) || r.closes && !bytes.EqualFold(value, []byte("keep-alive"))
		}
	case len("content-length"):
		if bytes.EqualFold(name, []byte("content-length")) {
			n, ok := parseLength(bytes.TrimSpace(line[colon+1:]))
			if !ok || r.length >= 0 && r.length != n {
				return fmt.Errorf("%w: %q", errProtocol, clip(string(line)))
			}
			if n > maxAnswer {
				return fmt.Errorf("%w: a body of %d bytes", errTooLarge, n)
			}
			r.length = n
		}
	case len("transfer-encoding"):
		if bytes.EqualFold(name, []byte("transfer-encoding")) {
			if !bytes.EqualFold(bytes.TrimSpace(line[colon+1:]), []byte("chunked")) {
				return fmt.Errorf("%w: %q", errProtocol, clip(string(line)))
			}
			r.chunked = true
		}
	}
	return nil
}

func parseLength(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	var n int64
	for _, d := range b {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = n*10 + int64(d-'0')
	}
	return n, true
}

// skip reads n bytes of a body.
func (r *responseReader) skip(in io.Reader, n int64) error {
	for {
		have := min(int64(r.end-r.start), n)
		r.take(r.buf[r.start : r.start+int(have)])
		r.start += int(have)
		if n -= have; n == 0 {
			return nil
		}
		if err := r.fill(in); err != nil {
			return unexpected(err)
		}
	}
}

func (r *responseReader) readToEnd(in io.Reader) error {
	for {
		r.take(r.buf[r.start:r.end])
		r.start = r.end
		err := r.fill(in)
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case r.total > maxAnswer:
			return fmt.Errorf("%w: a body of more than %d bytes", errTooLarge, maxAnswer)
		}
	}
}

func (r *responseReader) readChunks(in io.Reader) error {
	for {
		line, err := r.line(in)
		if err != nil {
			return err
		}
		n, ok := parseChunkSize(line)
		if !ok {
			return fmt.Errorf("%w: chunk size %q", errProtocol, clip(string(line)))
		}
		if n > maxAnswer || r.total > maxAnswer {
			return fmt.Errorf("%w: a body of more than %d bytes", errTooLarge, maxAnswer)
		}
		if n == 0 {
			return r.skipTrailer(in)
		}
		if err := r.skip(in, n); err != nil {
			return err
		}
		if line, err = r.line(in); err != nil {
			return err
		}
		if len(line) != 0 {
			return fmt.Errorf("%w: no line end after a chunk", errProtocol)
		}
	}
}

func (r *responseReader) skipTrailer(in io.Reader) error {
	for range 100 {
		line, err := r.line(in)
		if err != nil || len(line) == 0 {
			return err
		}
	}
	return fmt.Errorf("%w: a trailer of more than 100 lines", errProtocol)
}

// line reads up to a line end; it is valid until the next read.
func (r *responseReader) line(in io.Reader) ([]byte, error) {
	for {
		if i := bytes.IndexByte(r.buf[r.start:r.end], '\n'); i >= 0 {
			line := bytes.TrimSuffix(r.buf[r.start:r.start+i], []byte("\r"))
			r.start += i + 1
			return line, nil
		}
		if err := r.fill(in); err != nil {
			return nil, unexpected(err)
		}
	}
}

// parseChunkSize reads the hexadecimal size before any extension.
func parseChunkSize(line []byte) (n int64, ok bool) {
	digits := 0
	for _, d := range line {
		var v byte
		switch {
		case d >= '0' && d <= '9':
			v = d - '0'
		case d|0x20 >= 'a' && d|0x20 <= 'f':
			v = d | 0x20 - 'a' + 10
		case d == ';' || d == ' ' || d == '\t':
			return n, digits > 0
		default:
			return 0, false
		}
		if digits++; digits > 15 {
			return 0, false
		}
		n = n<<4 | int64(v)
	}
	return n, digits > 0
}

// take keeps a piece of the body when it is to be checked.
func (r *responseReader) take(b []byte) {
	if r.keep && len(r.kept) < maxChecked {
		r.kept = append(r.kept, b[:min(len(b), maxChecked-len(r.kept))]...)
	}
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
