package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme/autocert"

	"github.com/greenlight-dev/greenlight/stall"
)

// door is one listening address with its server.
type door struct {
	gateway  *Gateway
	name     string
	asked    string // address as it was configured
	server   Server
	tls      *TLS
	listener net.Listener
	http     *http.Server
	acme     *autocert.Manager // nil without ACME
	stall    time.Duration
	closing  atomic.Bool // answers tell the client to close
	open     atomic.Int64
	served   sync.WaitGroup

	// Of connections that net/http does not serve, or not yet (direct.go):
	headerTimeout, idleTimeout time.Duration
	handed                     *handedListener // nil with TLS, where net/http has all
	ending                     atomic.Bool     // connections that wait for a request close
	mu                         sync.Mutex
	direct                     map[*clientConn]struct{} // nil once all were closed
	answering                  sync.WaitGroup
}

func (g *Gateway) newDoor(l Listener, s Server, ln net.Listener) (*door, error) {
	d := &door{gateway: g, name: l.Name, asked: l.Address, server: s, tls: l.TLS, listener: ln,
		stall: s.StallTimeout.or(time.Minute), headerTimeout: s.HeaderTimeout.or(10 * time.Second), idleTimeout: s.IdleTimeout.or(75 * time.Second),
		direct: make(map[*clientConn]struct{})}
	d.http = &http.Server{
		Handler:           d,
		ReadHeaderTimeout: d.headerTimeout,
		IdleTimeout:       d.idleTimeout,
		MaxHeaderBytes:    s.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(g.options.Log.Handler(), slog.LevelDebug),
		ConnState:         d.count,
		Protocols:         new(http.Protocols),
		HTTP2:             &http.HTTP2Config{SendPingTimeout: d.stall / 2, PingTimeout: d.stall}, // streams may be quiet, see mayBeQuiet
	}
	if s.MaxHeaderBytes == 0 {
		d.http.MaxHeaderBytes = 64 << 10
	}
	d.http.Protocols.SetHTTP1(true)
	d.http.Protocols.SetHTTP2(l.TLS != nil)
	d.http.Protocols.SetUnencryptedHTTP2(l.TLS == nil)
	if l.TLS == nil {
		d.handed = newHandedListener(ln)
		return d, nil
	}
	var err error
	d.http.TLSConfig, d.acme, err = tlsConfig(l.TLS, g.options.Log)
	return d, err
}

// address is the one in use.
func (d *door) address() string { return d.listener.Addr().String() }

// ServeHTTP answers a request that came in here.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, acmePath) && r.TLS == nil && d.gateway.answerACME(w, r) {
		return
	}
	d.gateway.serve(d, w, r)
}

// serveDoor starts the server. It is called with mu held.
func (g *Gateway) serveDoor(d *door) {
	d.served.Add(1)
	var ln net.Listener = d.handed
	if d.tls != nil {
		ln = tls.NewListener(stall.Listener{Listener: d.listener, Timeout: d.stall}, d.http.TLSConfig)
	} else {
		d.answering.Go(d.accept)
	}
	g.work.Go(func() {
		defer d.served.Done()
		err := d.http.Serve(ln)
		if !d.closing.Load() && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			g.options.Log.Error("a listener failed", "listener", d.name, "error", err)
		}
	})
}

// count keeps the number of open connections.
func (d *door) count(c net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		if _, counted := c.(*handedConn); !counted {
			d.open.Add(1)
		}
	case http.StateClosed, http.StateHijacked:
		d.open.Add(-1)
	}
}

// closeNow ends the door and every connection that came through it.
func (d *door) closeNow() {
	d.closing.Store(true)
	_ = d.listener.Close()
	_ = d.http.Close()
	d.closeDirect()
	d.served.Wait()
}

// drainDoors closes the listeners, goes on answering for the time of linger
// while telling clients to close, and then waits for the last answers. In any
// other order a request can come in on a connection that is being closed.
func drainDoors(ctx context.Context, doors []*door, linger time.Duration) error {
	stopAccepting(doors)
	waitClosed(ctx, doors, linger)
	var errs []error
	for _, d := range doors {
		if err := errors.Join(d.endDirect(ctx), shutdown(ctx, d.http)); err != nil {
			errs = append(errs, fmt.Errorf("listener %s: %w", d.name, err))
			_ = d.http.Close()
			d.closeDirect()
		}
		d.served.Wait()
	}
	return errors.Join(errs...)
}

// shutdown waits for a server's last answers; that its listener is closed
// already is as it should be.
func shutdown(ctx context.Context, s *http.Server) error {
	if err := s.Shutdown(ctx); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func stopAccepting(doors []*door) {
	for _, d := range doors {
		_ = d.listener.Close() // the only effect wanted is that nothing more is accepted
		d.closing.Store(true)
	}
}

// waitClosed waits for the clients to close their connections.
func waitClosed(ctx context.Context, doors []*door, linger time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, linger)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		var open int64
		for _, d := range doors {
			open += d.open.Load()
		}
		if open == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// duplicate gives another listener on the same socket.
func (d *door) duplicate() (net.Listener, error) {
	f, err := listenerFile(d.listener)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return net.FileListener(f)
}
