package gateway

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/net/http/httpguts"
)

// conn is one HTTP/1.1 connection to a target, used by one request at a time.
type conn struct {
	upstream  *upstream
	net       net.Conn
	raw       syscall.RawConn // nil when the connection has none
	r         *bufio.Reader
	idleSince time.Time
	watch     peek
	deadline  time.Time // of reads and writes

	// Of the exchange under way:
	ctx       context.Context
	stop      func() bool // ends watching ctx; nil while nobody does
	begun     time.Time
	answering bool // the answer's headers are there
	mayRead   int64
	written   bool // something of the request
}

// impatience is how long an exchange waits before it starts to watch whether
// its client is still there. Most answers are there before, and save the
// watch and, as the deadline is then still good for the next, moving it.
const impatience = 50 * time.Millisecond

func newConn(u *upstream, nc net.Conn) *conn {
	c := &conn{upstream: u, net: nc}
	c.r = bufio.NewReaderSize((*reader)(c), 4<<10)
	if s, ok := nc.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			c.raw = raw
		}
	}
	return c
}

func (c *conn) close() { _ = c.net.Close() } // nothing is left to write

// begin makes the connection ready for an exchange.
func (c *conn) begin(ctx context.Context) {
	c.ctx, c.stop, c.begun = ctx, nil, time.Now()
	c.answering, c.written, c.mayRead = false, false, maxAnswerHeader
	if left := c.deadline.Sub(c.begun); left < impatience/2 || left > impatience {
		c.setDeadline(c.begun.Add(impatience))
	}
}

func (c *conn) setDeadline(t time.Time) {
	c.deadline = t
	_ = c.net.SetDeadline(t) // fails only when closed, and then so does what follows
}

// outlasted tells whether a read or write that failed by err may go on: the
// first time, the connection begins to watch its client and waits for as long
// as the target may take.
func (c *conn) outlasted(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) || c.ctx.Err() != nil {
		return false
	}
	var until time.Time // an answer that has begun may take its time
	if !c.answering {
		if until = c.begun.Add(c.upstream.response); !time.Now().Before(until) {
			return false
		}
	}
	c.setDeadline(until)
	if c.stop == nil {
		c.stop = context.AfterFunc(c.ctx, c.interrupt)
	} else if c.ctx.Err() != nil {
		c.interrupt() // it was lost to the line above
	}
	return true
}

// interrupt ends reads and writes under way. The deadline that the connection
// remembers is not touched: it is closed after that.
func (c *conn) interrupt() { _ = c.net.SetDeadline(time.Unix(1, 0)) }

// end stops watching the client, and tells whether it was there all the time.
func (c *conn) end() bool {
	uninterrupted := c.stop == nil || c.stop()
	c.ctx, c.stop = nil, nil
	return uninterrupted
}

// reader reads the connection, no more than an answer's headers may take.
type reader conn

var errAnswerHeader = fmt.Errorf("the answer's headers are larger than %d bytes", maxAnswerHeader)

func (r *reader) Read(p []byte) (int, error) {
	c := (*conn)(r)
	if c.mayRead <= 0 {
		return 0, errAnswerHeader
	}
	for {
		n, err := c.net.Read(p)
		c.mayRead -= int64(n)
		if n == 0 && err != nil && c.outlasted(err) {
			continue
		}
		return n, err
	}
}

// write sends all of p.
func (c *conn) write(p []byte) error {
	for {
		n, err := c.net.Write(p)
		c.written = c.written || n > 0
		if err == nil || !c.outlasted(err) {
			return err
		}
		p = p[n:]
	}
}

// roundTrip sends req, with the body that is given, and reads the answer's
// headers. The connection is idle again when the answer's body was read to
// its end, otherwise it is closed.
func (c *conn) roundTrip(req *http.Request, body []byte) (*http.Response, *sendError) {
	ctx := req.Context()
	c.begin(ctx)
	resp, err := c.talk(req, body)
	if err != nil {
		c.end()
		c.close()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, &sendError{err: err, sent: c.written}
	}
	answer := &answerBody{from: resp.Body, conn: c, reuse: !resp.Close}
	if resp.Body == http.NoBody {
		answer.end(true)
		return resp, nil
	}
	resp.Body = answer
	return resp, nil
}

// requestBuffers are lent while a request is written.
var requestBuffers = sync.Pool{New: func() any { return new([]byte) }}

func (c *conn) talk(req *http.Request, body []byte) (*http.Response, error) {
	buffer := requestBuffers.Get().(*[]byte)
	out, err := appendRequest((*buffer)[:0], req, len(body))
	if err != nil {
		return nil, err
	}
	out = append(out, body...)
	writeErr := c.write(out)
	*buffer = out
	requestBuffers.Put(buffer)
	if writeErr != nil && !c.written {
		return nil, writeErr
	}
	// A target may answer, and close, before it has read everything.
	resp, err := c.readAnswer(req)
	if writeErr != nil {
		if err != nil {
			return nil, writeErr
		}
		resp.Close = true
	}
	return resp, err
}

// appendRequest appends the head of req as HTTP/1.1 with a body of length
// bytes. Names and values come from a parsed request or from the gateway, and
// are checked all the same: this is where a request could become two.
func appendRequest(b []byte, req *http.Request, length int) ([]byte, error) {
	uri := req.URL.RequestURI()
	if !plainText(req.Method, ' ') || !plainText(uri, ' ') || !plainText(req.Host, ' ') {
		return nil, errors.New("the method, path or host has a space or control character")
	}
	b = append(append(append(append(b, req.Method...), ' '), uri...), " HTTP/1.1\r\nHost: "...)
	b = append(append(b, req.Host...), "\r\n"...)
	for name, values := range req.Header {
		switch name {
		case "Host", "Content-Length", "Transfer-Encoding", "Trailer", "Connection":
			continue
		case "User-Agent":
			if len(values) == 1 && values[0] == "" {
				continue // how ReverseProxy says that there was none
			}
		}
		if !httpguts.ValidHeaderFieldName(name) {
			return nil, fmt.Errorf("header name %q", name)
		}
		for _, v := range values {
			if !plainText(v, '\t'-1) {
				return nil, fmt.Errorf("header %s has a control character", name)
			}
			b = append(append(append(append(b, name...), ": "...), v...), "\r\n"...)
		}
	}
	if length > 0 || req.Method != http.MethodGet && req.Method != http.MethodHead {
		b = append(strconv.AppendInt(append(b, "Content-Length: "...), int64(length), 10), "\r\n"...)
	}
	return append(b, "\r\n"...), nil
}

// plainText tells whether every byte of s is above the limit, or a tab when
// the limit is below that, and none is DEL.
func plainText(s string, limit byte) bool {
	for i := range len(s) {
		if c := s[i]; c <= limit || c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// maxInterim bounds the 1xx answers before the one that counts.
const maxInterim = 8

func (c *conn) readAnswer(req *http.Request) (*http.Response, error) {
	for range maxInterim {
		resp, err := http.ReadResponse(c.r, req)
		if err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = errClosedEarly
			}
			return nil, err
		}
		if resp.StatusCode == http.StatusSwitchingProtocols {
			return nil, errors.New("the target switched protocols, which nobody asked for")
		}
		if resp.StatusCode >= 200 {
			c.answering, c.mayRead = true, math.MaxInt64
			return resp, nil
		}
		if t := httptrace.ContextClientTrace(req.Context()); t != nil && t.Got1xxResponse != nil && resp.StatusCode != http.StatusContinue {
			if err := t.Got1xxResponse(resp.StatusCode, textproto.MIMEHeader(resp.Header)); err != nil {
				return nil, err
			}
		}
	}
	return nil, fmt.Errorf("more than %d interim answers", maxInterim)
}

var errClosedEarly = errors.New("the target closed the connection before it answered")

// answerBody gives the connection back when the body ends.
type answerBody struct {
	from  io.ReadCloser
	conn  *conn
	reuse bool
	ended bool
}

func (b *answerBody) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	if err != nil {
		b.end(err == io.EOF)
	}
	return n, err
}

// Close ends the exchange; what was not read is not waited for.
func (b *answerBody) Close() error {
	b.end(false)
	return nil
}

func (b *answerBody) end(complete bool) {
	if b.ended {
		return
	}
	b.ended = true
	uninterrupted := b.conn.end()
	if complete && b.reuse && uninterrupted && b.conn.r.Buffered() == 0 {
		b.conn.upstream.putIdle(b.conn)
		return
	}
	b.conn.close()
}
