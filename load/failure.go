package load

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

// Kind is why a request failed, "" when it did not.
type Kind string

// The kinds of failure.
const (
	KindNone       Kind = ""
	KindRefused    Kind = "refused"    // nothing listens
	KindConnect    Kind = "connect"    // no connection for another reason
	KindTLS        Kind = "tls"        // no agreement on encryption, or the wrong certificate
	KindReset      Kind = "reset"      // the target broke the connection
	KindClosed     Kind = "closed"     // the target closed it before the answer was whole
	KindTimeout    Kind = "timeout"    // no whole answer in time
	KindProtocol   Kind = "protocol"   // the answer is not HTTP, or beyond the bounds
	KindStatus     Kind = "status"     // the answer's status is not the expected one
	KindCheck      Kind = "check"      // the answer's body is not the expected one
	KindNotSent    Kind = "not_sent"   // due, but every connection was busy to the end
	KindUnfinished Kind = "unfinished" // under way when the test ended
	KindOther      Kind = "other"
)

// answered tells whether the target answered, right or wrong.
func (k Kind) answered() bool { return k == KindNone || k == KindStatus || k == KindCheck }

// unreachable tells whether the target could not be talked to at all.
func (k Kind) unreachable() bool { return k == KindRefused || k == KindConnect }

// errProtocol marks an answer that is not HTTP/1.1 within the bounds.
var errProtocol = errors.New("not an HTTP/1.1 answer")

// dialError marks a failure to connect.
type dialError struct{ err error }

func (e *dialError) Error() string { return "connecting: " + e.err.Error() }
func (e *dialError) Unwrap() error { return e.err }

// streamError is an HTTP/2 stream that the target broke off: what net/http has
// for it turns itself into any type with these fields.
type streamError struct {
	StreamID, Code uint32
	Cause          error
}

func (e streamError) Error() string {
	return fmt.Sprintf("stream %d broken off, code %d", e.StreamID, e.Code)
}

func kindOf(err error) Kind {
	var dial *dialError
	switch {
	case err == nil:
		return KindNone
	case errors.Is(err, errProtocol):
		return KindProtocol
	case isTLS(err):
		return KindTLS
	case errors.Is(err, syscall.ECONNREFUSED):
		return KindRefused
	case isTimeout(err):
		return KindTimeout
	case errors.As(err, &dial):
		return KindConnect
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.As(err, new(streamError)):
		return KindReset
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return KindClosed
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return KindConnect
	}
	return KindOther
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &timeout) && timeout.Timeout()
}

func isTLS(err error) bool {
	var header tls.RecordHeaderError
	var alert tls.AlertError
	var verify *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	return errors.As(err, &header) || errors.As(err, &alert) || errors.As(err, &verify) || errors.As(err, &unknown) || errors.As(err, &name)
}
