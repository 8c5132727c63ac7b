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
	client    *clientConn // to watch, nil for none
	stop      func() bool // ends watching ctx; nil while nobody does
	begun     time.Time
	answering bool // the answer's headers are there
	mayRead   int64
	written   bool // something of the request
	// Of an answer to ask: resp is nil when it is simple.
	simple answerHead
	resp   *http.Response
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
func (c *conn) begin(ctx context.Context, now time.Time) {
	c.ctx, c.client, c.stop, c.begun = ctx, nil, nil, now
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
		c.client.watch()
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
	c.ctx, c.client, c.stop = nil, nil, nil
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

// answered lifts the bounds that hold until the answer's head is there.
func (c *conn) answered() { c.answering, c.mayRead = true, math.MaxInt64 }

var errClosedEarly = errors.New("the target closed the connection before it answered")

func closedEarly(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF {
		return errClosedEarly
	}
	return err
}

// done ends an exchange, and with it the connection unless the answer was
// read to its end and the target keeps it open.
func (c *conn) done(reuse bool, now time.Time) {
	uninterrupted := c.end()
	if reuse && uninterrupted && c.r.Buffered() == 0 {
		c.upstream.putIdle(c, now)
		return
	}
	c.close()
}

// roundTrip sends req, with the body that is given, and reads the answer's
// head. The connection is idle again when the answer's body was read to its
// end, otherwise it is closed.
func (c *conn) roundTrip(req *http.Request, body []byte, now time.Time) (*http.Response, *sendError) {
	c.begin(req.Context(), now)
	resp, err := c.talk(req, body)
	if err != nil {
		return nil, c.fail(err)
	}
	c.wrap(resp)
	return resp, nil
}

// wrap lets the end of the answer's body end the exchange.
func (c *conn) wrap(resp *http.Response) {
	answer := &answerBody{from: resp.Body, conn: c, reuse: !resp.Close, resp: resp}
	if resp.Body == http.NoBody {
		answer.end(true)
		return
	}
	resp.Body = answer
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
	early, err := c.send(out)
	*buffer = out
	requestBuffers.Put(buffer)
	if err != nil {
		return nil, err
	}
	var interim func(int, textproto.MIMEHeader) error
	if t := httptrace.ContextClientTrace(req.Context()); t != nil {
		interim = t.Got1xxResponse
	}
	resp, err := c.readAnswer(req, interim)
	if early != nil {
		if err != nil {
			return nil, early
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

// answerBody gives the connection back when the body ends.
type answerBody struct {
	from  io.ReadCloser
	resp  *http.Response
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
	for name := range b.resp.Trailer {
		if !httpguts.ValidTrailerHeader(name) { // one that would change how the message is read
			delete(b.resp.Trailer, name)
		}
	}
	b.conn.done(complete && b.reuse, time.Now())
}
