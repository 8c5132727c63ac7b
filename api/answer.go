package api

import (
	"crypto/rand"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

const (
	bodyTimeout  = 30 * time.Second // for the next bytes of a body to come
	writeTimeout = 30 * time.Second // for one write to be taken
)

// answer notes what was answered and gives every write its time.
type answer struct {
	http.ResponseWriter
	control *http.ResponseController
	status  int
	bytes   int64
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// WriteHeader begins the answer.
func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Write gives up on a client that takes nothing.
func (a *answer) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.status = http.StatusOK
	}
	_ = a.control.SetWriteDeadline(time.Now().Add(writeTimeout))
	n, err := a.ResponseWriter.Write(p)
	a.bytes += int64(n)
	return n, err
}

// body gives every read its time. The deadline ends with the body: it would
// otherwise look like a client that went away.
type body struct {
	io.ReadCloser
	control *http.ResponseController
}

func (b *body) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(bodyTimeout))
	n, err := b.ReadCloser.Read(p)
	_ = b.control.SetReadDeadline(time.Time{})
	return n, err
}

// observe is around everything: request ids, the log, panics.
func (s *server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		a := &answer{ResponseWriter: w, control: http.NewResponseController(w)}
		id := requestID(r)
		header := a.Header()
		header.Set("X-Request-Id", id)
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Cache-Control", "no-store")
		if r.Body != nil && r.Body != http.NoBody {
			r = r.WithContext(r.Context()) // net/http wants to find its own body in its own request
			r.Body = &body{r.Body, a.control}
		}
		log := s.Log.With("request", id, "method", r.Method, "path", r.URL.Path)
		defer func() {
			s.recovered(a, log, recover())
			log.Debug("request", "status", a.status, "bytes", a.bytes, "seconds", time.Since(began).Seconds(), "remote", r.RemoteAddr)
		}()
		next.ServeHTTP(a, r)
	})
}

// recovered answers after a panic, and tells the log alone where it was.
func (s *server) recovered(a *answer, log *slog.Logger, r any) {
	switch {
	case r == nil:
	case r == http.ErrAbortHandler:
		panic(r)
	case a.status != 0:
		log.Error("panic in the middle of an answer", "panic", r, "stack", string(debug.Stack()))
		panic(http.ErrAbortHandler)
	default:
		log.Error("panic", "panic", r, "stack", string(debug.Stack()))
		fail(a, newFailure(http.StatusInternalServerError, greenlight.CodeInternal,
			"a fault of Greenlight; the control plane's log tells more about request "+a.Header().Get("X-Request-Id")))
	}
}

// requestID is the one that the client gave, if it is fit for a log, or a new
// one.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if id != "" && len(id) <= 64 && plain(id) {
		return id
	}
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func plain(s string) bool {
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}
