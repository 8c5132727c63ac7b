package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"time"
)

// question is a request as the target gets it, in one piece.
type question struct {
	ctx    context.Context
	bytes  []byte
	method string
	twice  bool        // it may arrive twice
	client *clientConn // watched when the answer takes long; nil for none
	// interim gets the answers before the final one.
	interim func(status int, header textproto.MIMEHeader) error
}

// ask sends q on a connection of our own and reads the head of the answer,
// which is then the connection's simple answer or, when it is not simple, its
// resp. One that was idle may be closed by the target at any moment: a request
// that may be sent twice is then sent again on a new one.
func (u *upstream) ask(q *question) (*conn, error) {
	now := time.Now()
	if c := u.takeIdle(now); c != nil {
		err := c.ask(q, now)
		if err == nil {
			return c, nil
		}
		if q.ctx.Err() != nil || err.timeout() || err.sent && !q.twice {
			return nil, err
		}
	}
	fresh, err := u.dial(q.ctx, "", "")
	if err != nil {
		return nil, err
	}
	c := newConn(u, fresh)
	if err := c.ask(q, time.Now()); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *conn) ask(q *question, now time.Time) *sendError {
	c.begin(q.ctx, now)
	c.client = q.client
	early, err := c.send(q.bytes)
	if err == nil {
		err = c.hear(q)
		if early != nil && err != nil {
			err = early
		}
	}
	if err != nil {
		return c.fail(err)
	}
	if early != nil {
		c.simple.closing = true
		if c.resp != nil {
			c.resp.Close = true
		}
	}
	return nil
}

// fail ends an exchange that has no answer.
func (c *conn) fail(err error) *sendError {
	ctx := c.ctx
	c.end()
	c.close()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return &sendError{err: err, sent: c.written}
}

// send writes a request. A target may answer, and close, before it has read
// everything: early is then why the rest could not be written.
func (c *conn) send(p []byte) (early, err error) {
	if err = c.write(p); err != nil && c.written {
		return err, nil
	}
	return nil, err
}

// hear reads the head of the final answer.
func (c *conn) hear(q *question) (err error) {
	c.resp = nil
	head, err := c.peekHead()
	if err != nil {
		return err
	}
	if head != nil && c.simple.parse(head, q.method) {
		c.answered()
		return nil
	}
	c.resp, err = c.readAnswer(&http.Request{Method: q.method}, q.interim)
	return err
}

// peekHead waits for an answer and gives its head without taking it from the
// buffer, nil when not all of it has come at once.
func (c *conn) peekHead() ([]byte, error) {
	if _, err := c.r.Peek(1); err != nil {
		return nil, closedEarly(err)
	}
	b, _ := c.r.Peek(c.r.Buffered())
	if end := bytes.Index(b, []byte("\r\n\r\n")); end >= 0 {
		return b[:end+4], nil
	}
	return nil, nil
}

// maxInterim bounds the answers before the final one.
const maxInterim = 8

// readAnswer reads an answer of any kind.
func (c *conn) readAnswer(req *http.Request, interim func(int, textproto.MIMEHeader) error) (*http.Response, error) {
	for range maxInterim {
		resp, err := http.ReadResponse(c.r, req)
		if err != nil {
			return nil, closedEarly(err)
		}
		if resp.StatusCode < 100 || resp.StatusCode > 999 {
			return nil, fmt.Errorf("the answer's status is %d", resp.StatusCode)
		}
		if resp.StatusCode == http.StatusSwitchingProtocols {
			return nil, errors.New("the target switched protocols, which nobody asked for")
		}
		if resp.StatusCode >= 200 {
			c.answered()
			return resp, nil
		}
		if interim != nil && resp.StatusCode != http.StatusContinue {
			if err := interim(resp.StatusCode, textproto.MIMEHeader(resp.Header)); err != nil {
				return nil, err
			}
		}
	}
	return nil, fmt.Errorf("more than %d interim answers", maxInterim)
}
