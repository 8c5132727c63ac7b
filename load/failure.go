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
	"strings"
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
	KindProtocol   Kind = "protocol"   // the answer is not HTTP
	KindTooLarge   Kind = "too_large"  // the answer is beyond the bounds: 64 KiB of a head or 1 GiB of a body
	KindNotGRPC    Kind = "not_grpc"   // the answer to a call is HTTP, but not gRPC
	KindStatus     Kind = "status"     // the answer's status is not the expected one
	KindCheck      Kind = "check"      // the answer's body is not the expected one
	KindNotSent    Kind = "not_sent"   // due, but every connection was busy to the end
	KindUnfinished Kind = "unfinished" // under way when the test ended
	KindOther      Kind = "other"
)

// answered tells whether the target answered, right or wrong.
func (k Kind) answered() bool {
	return k == KindNone || k == KindStatus || k == KindCheck || k == KindNotGRPC
}

// unreachable tells whether the target could not be talked to at all.
func (k Kind) unreachable() bool { return k == KindRefused || k == KindConnect }

// What marks an answer that is none, or too much of one.
var (
	errProtocol = errors.New("not an answer of HTTP")
	errTooLarge = errors.New("an answer beyond the bounds")
	errNotGRPC  = errors.New("not an answer of gRPC")
)

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
	if err == nil {
		return KindNone
	}
	return kindOfFailure(err)
}

// kindOfFailure is apart because it allocates.
func kindOfFailure(err error) Kind {
	var dial *dialError
	switch {
	case errors.Is(err, errProtocol), strings.Contains(err.Error(), "http2: frame too large"): // which has no type of its own
		return KindProtocol
	case errors.Is(err, errTooLarge):
		return KindTooLarge
	case errors.Is(err, errNotGRPC):
		return KindNotGRPC
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

// advice is the way out of a failure to connect, where there is one.
func advice(err error) string {
	var unknown x509.UnknownAuthorityError
	var verify *tls.CertificateVerificationError
	var header tls.RecordHeaderError
	switch {
	case errors.As(err, &unknown):
		return "; --ca FILE gives the certificate of who signed it, --insecure does not check"
	case errors.As(err, &verify):
		return "; --insecure does not check the certificate"
	case errors.As(err, &header):
		return "; if it has no TLS, its address begins with http:// or grpc://"
	case isTLS(err) && strings.HasSuffix(err.Error(), "no application protocol"):
		return "; it speaks no HTTP/2"
	}
	return ""
}

func isTLS(err error) bool {
	var header tls.RecordHeaderError
	var alert tls.AlertError
	var verify *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" { // an alert that the target sent
		return true
	}
	return errors.As(err, &header) || errors.As(err, &alert) || errors.As(err, &verify) || errors.As(err, &unknown) || errors.As(err, &name)
}
