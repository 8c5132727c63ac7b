package gateway

import (
	"context"
	"errors"
	"maps"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// statusClientGone is what logs and metrics show for a client that left
// before its answer; nginx made the number customary.
const statusClientGone = 499

// refuse answers in the target's place.
func (e *exchange) refuse(r *refusal) {
	e.status = r.status
	if e.failure == "" {
		e.failure = r.message
	}
	h := make(http.Header, 6)
	h["X-Request-Id"] = []string{e.id}
	h["Content-Type"] = []string{"application/json"}
	if r.retryAfter > 0 {
		h["Retry-After"] = []string{strconv.Itoa(int(math.Ceil(r.retryAfter.Seconds())))}
	}
	if len(r.allow) > 0 {
		h["Allow"] = []string{strings.Join(r.allow, ", ")}
	}
	status := r.status
	if status == statusClientGone {
		status = http.StatusBadRequest // nobody reads it
	}
	body := []byte(`{"error":` + strconv.Quote(r.message) + "}\n")
	if kind := first(e.asked.fields, "Content-Type"); strings.HasPrefix(kind, "application/grpc") {
		// gRPC's own errors are answers without a body, of HTTP status 200.
		h["Content-Type"] = []string{kind}
		h["Grpc-Status"] = []string{grpcStatus(r.status)}
		h["Grpc-Message"] = []string{grpcMessage(r.message)}
		status, body = http.StatusOK, nil
	}
	if e.direct != nil {
		e.direct.refuse(e, status, h, body)
		return
	}
	if e.door.closing.Load() {
		h["Connection"] = []string{"close"}
	}
	maps.Copy(e.w.Header(), h)
	e.w.WriteHeader(status)
	_, _ = e.w.Write(body) // the client may be gone
}

// grpcStatus is the gRPC code of a refusal, UNAVAILABLE for what another try
// may mend; see gRPC's "HTTP to gRPC Status Code Mapping".
func grpcStatus(status int) string {
	switch status {
	case statusClientGone:
		return "1" // CANCELLED
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return "4" // DEADLINE_EXCEEDED
	case http.StatusRequestEntityTooLarge:
		return "8" // RESOURCE_EXHAUSTED
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		return "12" // UNIMPLEMENTED
	case http.StatusBadRequest:
		return "13" // INTERNAL
	}
	return "14" // UNAVAILABLE
}

// grpcMessage has what is not plain ASCII escaped by percent signs.
func grpcMessage(text string) string {
	return strings.ReplaceAll(url.PathEscape(text), "%20", " ")
}

// failed answers when no target did.
func (e *exchange) failed(_ http.ResponseWriter, _ *http.Request, err error) {
	e.refuse(e.explain(err))
}

func (e *exchange) explain(err error) *refusal {
	service := "service " + e.route.service.config.Name
	var large *http.MaxBytesError
	var timeout net.Error
	var sending *sendError
	switch {
	case errors.As(err, &large):
		return tooLarge(large.Limit)
	case e.asked.ctx.Err() == nil && e.touched.broken() != nil:
		return brokenBody(e.touched.broken())
	case errors.Is(e.asked.ctx.Err(), context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return &refusal{status: http.StatusGatewayTimeout, message: service + " took too long to answer"}
	case e.asked.ctx.Err() != nil:
		return &refusal{status: statusClientGone, message: "the client is gone"}
	case errors.As(err, &sending) && sending.connect:
		return &refusal{status: http.StatusServiceUnavailable, message: service + " cannot be reached", retryAfter: time.Second}
	}
	return &refusal{status: http.StatusBadGateway, message: service + " gave no proper answer"}
}
