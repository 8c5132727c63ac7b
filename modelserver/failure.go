package modelserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/modelserver/scan"
)

// errorBody is what every failure answers. What is wrong with a row is also
// given field by field.
type errorBody struct {
	Error    string `json:"error"`
	Row      *int   `json:"row,omitempty"`
	Column   string `json:"column,omitempty"`
	Expected string `json:"expected,omitempty"`
	Got      string `json:"got,omitempty"`
}

// tooLargeError says that a body is beyond the limit.
type tooLargeError struct{ limit int64 }

func (e *tooLargeError) Error() string {
	return fmt.Sprintf("the body is larger than %d bytes", e.limit)
}

func clientGone(err error) bool { return errors.Is(err, context.Canceled) }

// statusOf chooses the HTTP status of an error. invalid is the one for input
// that is well-formed but does not fit: 422 for rows, 400 in the protocol.
func statusOf(err error, invalid int) int {
	var syntax *scan.SyntaxError
	var row *RowError
	var large *tooLargeError
	switch {
	case errors.As(err, &large):
		return http.StatusRequestEntityTooLarge
	case errors.As(err, &row):
		return invalid
	case errors.As(err, &syntax):
		return http.StatusBadRequest
	case clientGone(err), errors.Is(err, context.DeadlineExceeded):
		return http.StatusServiceUnavailable
	}
	switch greenlight.CodeOf(err) {
	case greenlight.CodeInvalid:
		return invalid
	case greenlight.CodeNotFound:
		return http.StatusNotFound
	case greenlight.CodeUnsupported:
		return http.StatusNotImplemented
	case greenlight.CodeUnavailable:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// failureCode is an error's code for the metric.
func failureCode(err error) greenlight.Code {
	if clientGone(err) {
		return "canceled"
	}
	if statusOf(err, http.StatusBadRequest) < http.StatusInternalServerError {
		return greenlight.CodeInvalid
	}
	return greenlight.CodeOf(err)
}

// report answers an error and logs it when it is a fault of the server;
// refusals (overload, what a model cannot do) are counted, not logged.
func (s *Server) report(w http.ResponseWriter, r *http.Request, m *served, err error, invalid int) {
	if code := writeError(w, err, invalid); code == http.StatusInternalServerError {
		s.options.Log.Error("request failed", "model", m.Name, "path", r.URL.Path, "error", err)
	}
}

func writeError(w http.ResponseWriter, err error, invalid int) int {
	code := statusOf(err, invalid)
	if code == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	body := errorBody{Error: err.Error()}
	if row := (*RowError)(nil); errors.As(err, &row) && row.Row >= 0 {
		body.Row, body.Column, body.Expected, body.Got = &row.Row, row.Column, row.Expected, row.Got
	}
	writeJSON(w, code, body)
	return code
}
