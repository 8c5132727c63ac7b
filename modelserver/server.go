package modelserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync/atomic"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/stall"
)

// Options shape a server; the zero value has defaults.
type Options struct {
	Version string // of Greenlight, for GET /v2
	Token   string // when set, every request but health checks must bear it
	// MaxBodyBytes bounds a request's body; 0 is 32 MiB.
	MaxBodyBytes int64
	// Concurrency bounds the calls computed at once; 0 is one for each core.
	Concurrency int
	// MaxWaiting bounds the calls that wait to be computed; more are answered
	// 503. 0 is 1024.
	MaxWaiting int
	// StallTimeout ends a connection whose client accepts nothing of an answer
	// for so long, or a quarter less; 0 is one minute.
	StallTimeout time.Duration
	// Grace bounds how long a stopping server waits for requests; 0 is 30 s.
	Grace time.Duration
	Log   *slog.Logger // nil discards
}

func (o Options) withDefaults() Options {
	if o.MaxBodyBytes == 0 {
		o.MaxBodyBytes = 32 << 20
	}
	if o.Concurrency == 0 {
		o.Concurrency = runtime.GOMAXPROCS(0)
	}
	if o.MaxWaiting == 0 {
		o.MaxWaiting = 1024
	}
	if o.StallTimeout == 0 {
		o.StallTimeout = time.Minute
	}
	if o.Grace == 0 {
		o.Grace = 30 * time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Server answers for a fixed set of models.
type Server struct {
	options  Options
	models   map[string]*served
	order    []*served
	metrics  *metrics
	limiter  *limiter
	stopping atomic.Bool
}

// served is a model with its metrics.
type served struct {
	*Model
	metrics *modelMetrics
}

// NewServer makes a server for the models, all loaded, that is ready at once.
// Names must differ.
func NewServer(models []*Model, o Options) (*Server, error) {
	o = o.withDefaults()
	s := &Server{
		options: o,
		models:  make(map[string]*served),
		metrics: newMetrics(),
		limiter: newLimiter(o.Concurrency, o.MaxWaiting),
	}
	for _, m := range models {
		if s.models[m.Name] != nil {
			return nil, greenlight.Errorf(greenlight.CodeInvalid, "two models are named %q; give one another name: NAME=PATH", m.Name)
		}
		sm := &served{m, s.metrics.of(m)}
		s.models[m.Name] = sm
		s.order = append(s.order, sm)
	}
	return s, nil
}

// lingering is how long a stopping server answers on the connections that
// clients keep open, telling them to close, before it closes those itself: a
// request that is already on its way is not lost.
const lingering = time.Second

// Serve answers on ln until ctx is done. Then the server is no longer ready,
// takes no new connections, lets requests finish for the grace period and
// returns nil; requests that outlast it are an error. It closes ln.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	var open atomic.Int64
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(s.options.Log.Handler(), slog.LevelWarn),
		ConnState:         countOpen(&open),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(stall.Listener{Listener: ln, Timeout: s.options.StallTimeout}) }()
	select {
	case err := <-failed:
		return errors.Join(err, server.Close())
	case <-ctx.Done():
	}
	s.stopping.Store(true)
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.options.Grace)
	defer cancel()
	_ = ln.Close() // the only effect wanted is that nothing more is accepted
	<-failed
	waitUntilClosed(drain, &open)
	if err := server.Shutdown(drain); err != nil {
		return fmt.Errorf("requests were still running after %v: %w", s.options.Grace, errors.Join(err, server.Close()))
	}
	return nil
}

// countOpen counts the connections that are open.
func countOpen(open *atomic.Int64) func(net.Conn, http.ConnState) {
	return func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed, http.StateHijacked:
			open.Add(-1)
		}
	}
}

// waitUntilClosed waits for the clients to close their connections, as long
// as the server lingers.
func waitUntilClosed(ctx context.Context, open *atomic.Int64) {
	ctx, cancel := context.WithTimeout(ctx, lingering)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for open.Load() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
