package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// grpcStatus is the status of an outcome whose answer is gRPC's: this and its
// code.
const grpcStatus = 600

// grpcCodes are the names of gRPC's codes, which are numbered from 0.
var grpcCodes = [...]string{
	"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED",
	"FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
}

const grpcUnknown = 2 // also for codes that have no name

// statusName is a status as results have it.
func statusName(status int) string {
	switch code := status - grpcStatus; {
	case status == operationDone:
		return "DONE"
	case status == operationFailed:
		return "FAILED"
	case code >= 0 && code < len(grpcCodes):
		return grpcCodes[code]
	}
	return strconv.Itoa(status)
}

// GRPCCall is a unary call of /package.Service/Method with a message. The
// deadline is the time that one answer may take.
func GRPCCall(method string, message []byte, deadline time.Duration) (Request, error) {
	service, name, found := strings.Cut(strings.TrimPrefix(method, "/"), "/")
	switch {
	case !strings.HasPrefix(method, "/") || !found || service == "" || name == "" || strings.HasSuffix(name, "/"):
		return Request{}, greenlight.Errorf(greenlight.CodeInvalid, "%q is no gRPC method; want /package.Service/Method", clip(method))
	case len(message) > MaxBody-grpcPrefix:
		return Request{}, greenlight.Errorf(greenlight.CodeInvalid, "the message has %d bytes; at most %d", len(message), MaxBody-grpcPrefix)
	}
	framed := make([]byte, grpcPrefix, grpcPrefix+len(message))
	binary.BigEndian.PutUint32(framed[1:], uint32(len(message))) //nolint:gosec // bounded above
	return Request{
		Name: method, Method: http.MethodPost, Path: method, Body: string(append(framed, message...)), Verbatim: true,
		Header: []Field{{"Content-Type", "application/grpc"}, {"Te", "trailers"}, {"Grpc-Timeout", grpcTimeout(deadline)}},
	}, nil
}

// grpcPrefix is the bytes before a message: whether it is compressed, and its
// length.
const grpcPrefix = 5

// grpcTimeout writes a time as the header has it: at most 8 digits and a unit.
func grpcTimeout(d time.Duration) string {
	const most = 99_999_999
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{time.Microsecond, "u"}, {time.Millisecond, "m"}} {
		if n := d / u.unit; n <= most {
			return strconv.FormatInt(int64(max(n, 1)), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(min(d/time.Second, most)), 10) + "S"
}

// readGRPC reads the answer to a unary call, which is at most one message and
// a status in the trailer, or in the header of an answer without a message.
// An answer that is not gRPC's keeps its HTTP status, and is an error unless the
// status says enough.
func readGRPC(resp *http.Response, keeps bool, a *answer) (message []byte, err error) {
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/grpc") {
		a.status = resp.StatusCode
		_, err = io.Copy(io.Discard, io.LimitReader(resp.Body, maxChecked))
		if err == nil && !ofProxy(resp.StatusCode) {
			err = errGRPC("status %d, content type %q", resp.StatusCode, clip(resp.Header.Get("Content-Type")))
		}
		return nil, err
	}
	message, some, err := readMessage(resp.Body, keeps)
	if err != nil {
		return nil, err
	}
	said := resp.Trailer.Get("Grpc-Status")
	if said == "" {
		said = resp.Header.Get("Grpc-Status")
	}
	code, err := strconv.ParseUint(said, 10, 32)
	if err != nil {
		return nil, errGRPC("grpc-status %q", clip(said))
	}
	if code >= uint64(len(grpcCodes)) {
		code = grpcUnknown
	}
	if code == 0 && !some {
		return nil, errGRPC("status OK without a message")
	}
	a.status = grpcStatus + int(code) //nolint:gosec // bounded above
	return message, nil
}

// ofProxy tells whether a status is one that stands before servers of gRPC
// give: too much to do, a fault, or no right to ask.
func ofProxy(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired, http.StatusRequestTimeout, http.StatusTooManyRequests:
		return true
	}
	return status >= 500
}

func errGRPC(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errNotGRPC}, args...)...)
}

// readMessage reads a body that holds one message or none; what it gives of
// the message is for the check.
func readMessage(body io.Reader, keeps bool) (message []byte, some bool, err error) {
	var prefix [grpcPrefix]byte
	_, err = io.ReadFull(body, prefix[:])
	switch {
	case errors.Is(err, io.EOF):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	case prefix[0] != 0:
		return nil, false, errGRPC("a compressed message, which was not asked for")
	}
	length := int64(binary.BigEndian.Uint32(prefix[1:]))
	if length > maxAnswer {
		return nil, false, fmt.Errorf("%w: a message of %d bytes", errTooLarge, length)
	}
	in := io.LimitReader(body, length)
	if keeps {
		if message, err = io.ReadAll(io.LimitReader(in, maxChecked)); err != nil {
			return nil, false, err
		}
	}
	rest, err := io.Copy(io.Discard, in)
	if err != nil {
		return nil, false, err
	}
	if int64(len(message))+rest < length {
		return nil, false, io.ErrUnexpectedEOF
	}
	more, err := io.Copy(io.Discard, io.LimitReader(body, 1)) // the trailer comes after the body's end
	if err == nil && more > 0 {
		err = errGRPC("more than one message to a unary call")
	}
	return message, true, err
}

// judgeGRPC holds an answer against what is expected of it.
func (e *Expect) judgeGRPC(status int, message []byte) Kind {
	if status != grpcStatus {
		return KindStatus
	}
	return (&Expect{Contains: e.Contains}).judge(http.StatusOK, message)
}
