package console_test

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/greenlight-dev/greenlight/api"
	"github.com/greenlight-dev/greenlight/console"
	"github.com/greenlight-dev/greenlight/store"
)

// site is the console with the API that its pages talk to, on loopback.
type site struct {
	*plane
	store   store.Store
	url     string
	address string
	handler http.Handler

	serving sync.Mutex // server and ended; mu is the plane's
	server  *http.Server
	ended   chan error
}

var silent = slog.New(slog.NewTextHandler(io.Discard, nil))

// serve serves the console of a plane until the test ends.
func serve(t testing.TB, p *plane) *site {
	t.Helper()
	s := &site{plane: p, store: history(t), address: "127.0.0.1:0"}
	handler, err := api.NewHandler(api.Options{Plane: p, Events: s.store, Tokens: s.store, Log: silent,
		Console: console.Handler(console.Options{Plane: p, Events: s.store, Version: "v0.4.0", Log: silent})})
	if err != nil {
		t.Fatal(err)
	}
	s.handler = handler
	s.start(t)
	t.Cleanup(s.stop)
	return s
}

// start begins to listen, where it did before when it did.
func (s *site) start(t testing.TB) {
	t.Helper()
	listener, err := net.Listen("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	s.serving.Lock()
	defer s.serving.Unlock()
	s.address = listener.Addr().String()
	s.url = "http://" + s.address
	s.server, s.ended = api.NewServer(s.handler, silent), make(chan error, 1)
	go func(server *http.Server, ended chan error) { ended <- server.Serve(listener) }(s.server, s.ended)
}

// stop ends as a killed control plane does: every connection breaks.
func (s *site) stop() {
	s.serving.Lock()
	defer s.serving.Unlock()
	if s.server == nil {
		return
	}
	_ = s.server.Close()
	<-s.ended
	s.server = nil
}
