package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api"
	"github.com/greenlight-dev/greenlight/store"
)

// ErrNotRunning is in the chain of an error, of code unavailable, when
// nothing answers where a control plane should be.
var ErrNotRunning = errors.New("no control plane is running here; start it with greenlight up")

// maxError is how many bytes of an error are read.
const maxError = 1 << 20

// remoteError is an error of the control plane: its message is complete, the
// cause only tells what kind it is.
type remoteError struct {
	message string
	cause   error
}

func (e *remoteError) Error() string { return e.message }
func (e *remoteError) Unwrap() error { return e.cause }

// answeredError is the error that an answer tells of.
func answeredError(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxError))
	var body api.ErrorBody
	if json.Unmarshal(text, &body) != nil || body.Error.Message == "" {
		return greenlight.Errorf(codeOfStatus(resp.StatusCode), "%s %s is answered %s by what is no control plane",
			resp.Request.Method, resp.Request.URL.Path, resp.Status)
	}
	return errorOf(body)
}

// errorOf is an error as the control plane tells it.
func errorOf(body api.ErrorBody) error {
	e := &remoteError{message: body.Error.Message}
	switch code := body.Error.Code; code {
	case api.CodeConflict:
		e.cause = store.ErrConflict
		return greenlight.WithCode(greenlight.CodeRefused, e)
	case greenlight.CodeInvalid, greenlight.CodeNotFound, greenlight.CodeUnsupported,
		greenlight.CodeRefused, greenlight.CodeUnavailable:
		return greenlight.WithCode(code, e)
	default:
		return greenlight.WithCode(greenlight.CodeInternal, e)
	}
}

// codeOfStatus is for answers that come from something in between.
func codeOfStatus(status int) greenlight.Code {
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return greenlight.CodeRefused
	case status == http.StatusNotFound:
		return greenlight.CodeNotFound
	case status >= http.StatusInternalServerError || status == http.StatusTooManyRequests:
		return greenlight.CodeUnavailable
	}
	return greenlight.CodeInvalid
}

// unreachable is the error of a request that got no answer.
func (c *Client) unreachable(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // without the address, which is ours
	}
	var coded *greenlight.Error
	var dial *net.OpError
	switch {
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return greenlight.WithCode(greenlight.CodeUnavailable, err)
	case errors.As(err, &coded):
		return err
	case errors.Is(err, fs.ErrPermission):
		return greenlight.Errorf(greenlight.CodeRefused, "%s can be opened only by the user who started the control plane", c.address)
	case errors.As(err, &dial) && dial.Op == "dial":
		return notRunning(c.address, err)
	}
	return c.brokenOff(err)
}

func notRunning(address string, err error) error {
	return &greenlight.Error{Code: greenlight.CodeUnavailable, Err: &remoteError{
		message: fmt.Sprintf("%v (nothing answers at %s)", ErrNotRunning, address),
		cause:   errors.Join(ErrNotRunning, err),
	}}
}

func (c *Client) brokenOff(err error) error {
	return greenlight.Errorf(greenlight.CodeUnavailable, "the control plane at %s broke off its answer: %w", c.address, err)
}
