package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
)

// CodeConflict is what the API calls store.ErrConflict.
const CodeConflict greenlight.Code = "conflict"

// statuses says how every code is answered.
var statuses = []struct {
	code   greenlight.Code
	status int
}{
	{greenlight.CodeInvalid, http.StatusBadRequest},
	{greenlight.CodeRefused, http.StatusForbidden},
	{greenlight.CodeNotFound, http.StatusNotFound},
	{CodeConflict, http.StatusConflict},
	{greenlight.CodeUnsupported, http.StatusUnprocessableEntity},
	{greenlight.CodeUnavailable, http.StatusServiceUnavailable},
	{greenlight.CodeInternal, http.StatusInternalServerError},
}

// ErrorBody is the answer to a request that failed.
type ErrorBody struct {
	Error ErrorDetail `json:"error"`
}

// ErrorDetail says what went wrong. Message may have several lines.
type ErrorDetail struct {
	Code    greenlight.Code `json:"code" doc:"what kind of failure; decides the status" example:"not_found"`
	Message string          `json:"message" doc:"for a person: what is wrong, where, and the way out; may have several lines" example:"there is no environment staging; there are: dev"`
}

// failure is an error with its status, as huma answers with it.
type failure struct {
	ErrorBody
	status int
}

func (f *failure) Error() string  { return f.ErrorBody.Error.Message }
func (f *failure) GetStatus() int { return f.status }

func newFailure(status int, code greenlight.Code, message string) *failure {
	return &failure{status: status, ErrorBody: ErrorBody{ErrorDetail{Code: code, Message: message}}}
}

// failureOf is how an error of the plane or the store is answered.
func failureOf(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	code := greenlight.CodeOf(err)
	var coded *greenlight.Error
	switch {
	case errors.Is(err, store.ErrConflict):
		code = CodeConflict
	case !errors.As(err, &coded) && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)):
		code = greenlight.CodeUnavailable
	}
	return newFailure(statusOf(code), code, err.Error())
}

func statusOf(code greenlight.Code) int {
	for _, s := range statuses {
		if s.code == code {
			return s.status
		}
	}
	return http.StatusInternalServerError
}

// fail answers with an error.
func fail(w http.ResponseWriter, f *failure) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(f.status)
	text := json.NewEncoder(w)
	text.SetEscapeHTML(false)
	_ = text.Encode(f.ErrorBody) // who asked may be gone
}

type humaContext huma.Context // so that a field of it hides no method

// exchange is a request as huma sees it, with what the API decides otherwise.
type exchange struct {
	humaContext
	status int // instead of huma's; 0 is huma's
}

// Unwrap gives the adapter's context.
func (e *exchange) Unwrap() huma.Context { return e.humaContext }

// SetReadDeadline does nothing: the deadline belongs to the body alone. It
// would otherwise end a request that takes longer to be carried out.
func (e *exchange) SetReadDeadline(time.Time) error { return nil }

// SetStatus begins the answer.
func (e *exchange) SetStatus(status int) {
	if e.status != 0 {
		status = e.status
	}
	e.humaContext.SetStatus(status)
}

func asExchange(ctx huma.Context, next func(huma.Context)) { next(&exchange{humaContext: ctx}) }

// translate gives huma's own errors, which are about what was sent, the shape
// of all others. It works on one API where huma.NewError would on the program.
func translate(ctx huma.Context, _ string, body any) (any, error) {
	model, ok := body.(*huma.ErrorModel)
	if !ok {
		return body, nil
	}
	f := failureOfModel(model)
	if e, ok := ctx.(*exchange); ok {
		e.status = f.status
	}
	ctx.SetHeader("Content-Type", "application/json")
	return f, nil
}

// maxDetails is how many mistakes of one request are named.
const maxDetails = 10

func failureOfModel(m *huma.ErrorModel) *failure {
	if m.Status >= http.StatusInternalServerError {
		return newFailure(http.StatusInternalServerError, greenlight.CodeInternal, "the request could not be read")
	}
	lines := []string{m.Detail}
	if len(m.Errors) > 0 {
		lines = nil
	}
	for _, d := range m.Errors[:min(len(m.Errors), maxDetails)] {
		lines = append(lines, strings.TrimPrefix(d.Location+": "+d.Message, ": "))
	}
	status := m.Status
	if status == http.StatusUnprocessableEntity {
		status = http.StatusBadRequest // 422 means unsupported here
	}
	return newFailure(status, greenlight.CodeInvalid, strings.Join(lines, "\n"))
}
