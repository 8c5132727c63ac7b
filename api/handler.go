// Package api serves the control plane over HTTP: who may do what, the
// operations with their description (openapi.yaml), and the live streams.
package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
)

// Options of a handler. Plane, Events and Tokens are required.
type Options struct {
	Plane  Plane
	Events store.Events
	Tokens store.Tokens

	Log     *slog.Logger // nil is slog.Default()
	Metrics http.Handler // GET /metrics; nil is 404
	Console http.Handler // everything outside /api; it is to ask MayRead; nil is 404
	// Public is set where the TCP listener can be reached from other machines:
	// every request over TCP needs a token then.
	Public bool
	// Done ends all streams when it closes, so that http.Server.Shutdown
	// returns soon. Nil never closes.
	Done <-chan struct{}
}

// NewServer makes a server with the time limits that the handler wants:
// generous ones for what must come in, none for answers, which the handler
// bounds write by write so that streams can live.
// A nil log is slog.Default().
func NewServer(h http.Handler, log *slog.Logger) *http.Server {
	if log == nil {
		log = slog.Default()
	}
	return &http.Server{
		Handler:           h,
		ConnContext:       ConnContext,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// server is what the operations work with.
type server struct {
	Options
	api     huma.API
	guarded *guardedMux
	streams chan struct{} // one element for each stream that is open
}

// NewHandler makes the handler of /api/, /healthz, /metrics and the console,
// for a server like NewServer's: without ConnContext those who come through
// the unix socket are strangers.
func NewHandler(o Options) (h http.Handler, err error) {
	if o.Plane == nil || o.Events == nil || o.Tokens == nil {
		return nil, errors.New("api: Plane, Events and Tokens are required")
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	// huma panics when a type cannot be described.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("api: %v", r)
		}
	}()
	s := newServer(o)
	s.register()
	if err := s.serveDescription(); err != nil {
		return nil, err
	}
	s.guarded.ServeMux.Handle("/", s.guarded.access.receive(s.console()))
	s.guarded.handle("/api/", anyone, http.HandlerFunc(s.unknown))
	return s.observe(s.guarded.ServeMux), nil
}

func newServer(o Options) *server {
	a := &access{
		tokens: o.Tokens, public: o.Public, log: o.Log,
		attempts: &attempts{now: time.Now, failed: make(map[netip.Prefix]window)},
	}
	mux := &guardedMux{ServeMux: http.NewServeMux(), access: a}
	s := &server{Options: o, guarded: mux, streams: make(chan struct{}, maxStreams)}
	s.api = humago.New(mux, configuration())
	s.api.UseMiddleware(asExchange)
	return s
}

// guardedMux puts the access rules before every operation.
type guardedMux struct {
	*http.ServeMux
	access *access
}

// HandleFunc is how huma adds an operation; only those of the table have a
// role, and without one there is no way in.
func (m *guardedMux) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	for _, o := range operations {
		if o.pattern() == pattern {
			m.handle(pattern, o.role, http.HandlerFunc(h))
			return
		}
	}
	panic("no role for " + pattern)
}

func (m *guardedMux) handle(pattern string, role store.Role, h http.Handler) {
	m.ServeMux.Handle(pattern, m.access.guard(role, h))
}

func (s *server) console() http.Handler {
	if s.Console != nil {
		return s.Console
	}
	return http.HandlerFunc(s.unknown)
}

// unknown answers what is no operation.
func (s *server) unknown(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		probe := r.Clone(r.Context())
		probe.Method = method
		if _, pattern := s.guarded.Handler(probe); pattern != "/api/" && pattern != "/" {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		fail(w, newFailure(http.StatusNotFound, greenlight.CodeNotFound, "there is nothing here; /api/openapi.yaml tells what there is"))
		return
	}
	for _, method := range allowed {
		w.Header().Add("Allow", method)
	}
	fail(w, newFailure(http.StatusMethodNotAllowed, greenlight.CodeInvalid, r.Method+" does not work here"))
}
