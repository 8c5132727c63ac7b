package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/gateway/keeper"
	"github.com/greenlight-dev/greenlight/store/sqlite"
)

// Names in the state folder; others are their packages'.
const (
	socketName = "control.sock"
	recordName = "control.json"
)

// App is a control plane on this machine with all that it works with.
type App struct {
	options   Options
	process   control.Process
	listeners []net.Listener
	server    *http.Server
	current   atomic.Pointer[session]
	cleanups  cleanups
}

// New opens the state folder, listens, and takes over what runs. When it
// fails, nothing of it is left. A folder that another control plane has is
// greenlight.CodeUnavailable, naming its process.
func New(ctx context.Context, o Options) (_ *App, err error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if len(o.Program) == 0 || !filepath.IsAbs(o.State) {
		return nil, greenlight.Errorf(greenlight.CodeInternal, "a control plane needs a program and the absolute path of a state folder")
	}
	if err := os.MkdirAll(o.State, 0o700); err != nil {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "the state folder: %w", err)
	}
	a := &App{options: o, process: control.Process{PID: os.Getpid(), Version: o.Version, StartedAt: time.Now().UTC()}}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	// Who has the state folder says more than that its address is taken, so the
	// address is complained of second.
	listening := a.listen()
	s, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	a.current.Store(s)
	a.cleanups.add("ending", func() error { return a.current.Load().close() })
	if err := errors.Join(listening, a.listenSocket()); err != nil {
		return nil, err
	}
	a.server = api.NewServer(http.HandlerFunc(a.serve), o.Log)
	return a, a.writeRecord()
}

// listenSocket opens the socket of the state folder, which is ours by now and
// which only its owner can reach.
func (a *App) listenSocket() error {
	path, err := keeper.SocketPath(a.options.State, socketName)
	if err != nil {
		return err
	}
	_ = os.Remove(path) // whoever had it is gone
	socket, err := net.Listen("unix", path)
	if err != nil {
		return greenlight.Errorf(greenlight.CodeUnavailable, "the control plane's socket: %w", err)
	}
	a.own(socket)
	return os.Chmod(path, 0o600)
}

// listen opens the address for API and console.
func (a *App) listen() error {
	if a.options.Control == "" {
		return nil
	}
	if err := checkControl(a.options); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", a.options.Control)
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		err = op.Err // without the address, which the message names
	}
	if err != nil {
		return greenlight.Errorf(greenlight.CodeUnavailable, "the control plane cannot listen on %s: %w; choose another address with --control", a.options.Control, err)
	}
	a.own(ln)
	a.process.Address = ln.Addr().String()
	return nil
}

// own keeps a listener, which its server may have closed by the end.
func (a *App) own(ln net.Listener) {
	a.listeners = append(a.listeners, ln)
	a.cleanups.add("closing "+ln.Addr().String(), func() error {
		if err := ln.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
}

// checkControl refuses to let other machines in unless that was asked for.
func checkControl(o Options) error {
	host, _, err := net.SplitHostPort(o.Control)
	if err != nil {
		return greenlight.Errorf(greenlight.CodeInvalid, "--control %q: want HOST:PORT, as 127.0.0.1:7070", o.Control)
	}
	ip := net.ParseIP(host)
	if !o.PublicControl && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return greenlight.Errorf(greenlight.CodeInvalid,
			"--control %s lets other machines in: say --public-control if that is wanted, or listen on 127.0.0.1", o.Control)
	}
	return nil
}

// serve passes a request to the session of the moment.
func (a *App) serve(w http.ResponseWriter, r *http.Request) { a.current.Load().handler.ServeHTTP(w, r) }

// writeRecord tells clients where the control plane is.
func (a *App) writeRecord() error {
	data, err := json.Marshal(map[string]any{"pid": a.process.PID, "address": a.process.Address,
		"version": a.process.Version, "started_at": a.process.StartedAt})
	if err != nil {
		return err
	}
	path := filepath.Join(a.options.State, recordName)
	if err := os.WriteFile(path+".new", append(data, '\n'), 0o600); err != nil {
		return err
	}
	a.cleanups.add("removing "+recordName, func() error { return os.Remove(path) })
	return os.Rename(path+".new", path)
}

// shutdownGrace is how long requests to the control plane may take when it
// ends.
const shutdownGrace = 3 * time.Second

// Run keeps things as they should be until ctx ends, which leaves replicas and
// gateway running, or until it was told to stop everything.
func (a *App) Run(ctx context.Context) error {
	var serving sync.WaitGroup
	for _, ln := range a.listeners {
		serving.Go(func() {
			if err := a.server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
				a.options.Log.Error("serving", "address", ln.Addr().String(), "error", err)
			}
		})
	}
	err := a.runSessions(ctx)
	a.shutDown()
	serving.Wait()
	return err
}

// runSessions runs one session after the other: the first, and one after each
// backup that is restored.
func (a *App) runSessions(ctx context.Context) error {
	for {
		err := a.current.Load().run(ctx)
		restore := (*control.RestoreError)(nil)
		if !errors.As(err, &restore) {
			return err
		}
		if err := a.restore(ctx, restore); err != nil {
			return err
		}
	}
}

// shutDown finishes the requests under way. Streams are told to end.
func (a *App) shutDown() {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownGrace)
	defer cancel()
	a.current.Load().endStreams()
	if a.server.Shutdown(ctx) != nil {
		_ = a.server.Close() // what is left then
	}
}

// restore puts a backup in place of the store and begins a new session. When
// the backup cannot be put there, the old store goes on.
func (a *App) restore(ctx context.Context, r *control.RestoreError) error {
	defer os.Remove(r.Path)
	before := a.current.Load()
	a.current.Store(&session{handler: http.HandlerFunc(restoring), done: make(chan struct{})})
	if err := before.close(); err != nil {
		return fmt.Errorf("closing the store for a backup: %w", err)
	}
	aside, failed := sqlite.Restore(ctx, a.options.State, r.Path)
	next, err := a.open(ctx)
	if err != nil {
		return errors.Join(failed, err)
	}
	a.current.Store(next)
	event := greenlight.Event{Actor: r.Actor, Kind: "restored", Message: "a backup was restored; the store before it is kept as " + filepath.Base(aside),
		Evidence: map[string]any{"before": aside}}
	if failed != nil {
		event.Kind, event.Message = "restore.failed", "the backup was not restored: "+failed.Error()
	}
	_, err = next.store.Record(ctx, event)
	return err
}

// restoring answers while there is no session.
func restoring(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Retry-After", "1")
	http.Error(w, `{"error":{"code":"unavailable","message":"a backup is being restored; try again in a moment"}}`, http.StatusServiceUnavailable)
}

// Close gives up what New acquired. Run must have returned.
func (a *App) Close() error { return a.cleanups.run() }
