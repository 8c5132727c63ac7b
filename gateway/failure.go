package gateway

import (
	"context"
	"errors"
	"maps"
	"math"
	"net"
	"net/http"
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
