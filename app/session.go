package app

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api"
	"github.com/greenlight-dev/greenlight/backend"
	"github.com/greenlight-dev/greenlight/backend/mem"
	"github.com/greenlight-dev/greenlight/backend/process"
	"github.com/greenlight-dev/greenlight/console"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/gateway/keeper"
	"github.com/greenlight-dev/greenlight/observe"
	"github.com/greenlight-dev/greenlight/store/sqlite"
)

// session is everything between the listeners and the state folder. It ends
// and begins anew when a backup is restored.
type session struct {
	store    *sqlite.Store
	sampler  *observe.Sampler
	plane    *control.Plane
	handler  http.Handler
	done     chan struct{} // closed to end the streams of handler
	ended    atomic.Bool   // done is closed
	cleanups cleanups
}

// open opens the state folder and makes a control plane of what is in it.
func (a *App) open(ctx context.Context) (_ *session, err error) {
	s := &session{done: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.cleanups.run())
		}
	}()
	o := a.options
	if s.store, err = sqlite.Open(ctx, o.State); err != nil {
		return nil, err
	}
	s.cleanups.add("closing the store", s.store.Close)
	processes, err := process.Open(process.Options{State: o.State, Log: o.Log})
	if err != nil {
		return nil, err
	}
	s.cleanups.add("closing the backend", processes.Close)
	kept, err := keeper.New(keeper.Options{Program: o.Program[0], State: o.State, Listen: cmp.Or(o.Gateway, "127.0.0.1:0"),
		Public: o.PublicGateway, Version: o.Version, Log: o.Log})
	if err != nil {
		return nil, err
	}
	if !o.Idle {
		// Without a gateway nothing is to start.
		if err := kept.Check(); err != nil {
			return nil, err
		}
	}
	if err := s.makePlane(ctx, a, processes, kept); err != nil {
		return nil, err
	}
	return s, s.makeHandler(a)
}

func (s *session) makePlane(ctx context.Context, a *App, processes *process.Backend, kept *keeper.Keeper) (err error) {
	o := a.options
	resume, err := control.ResumeTraffic(ctx, s.store)
	if err != nil {
		return err
	}
	s.sampler = observe.NewSampler(observe.Options{
		Gateway:  kept.Client(),
		Replicas: func(context.Context) ([]greenlight.Replica, error) { return s.plane.Replicas(), nil },
		Queue:    func(environment, service string) bool { return s.plane.ScalesByQueue(environment, service) },
		Grown:    func(g observe.Growth) { s.plane.CountTraffic(g) },
		Resume:   resume,
		Log:      o.Log,
	})
	gate := control.Keeper(kept)
	if o.Idle {
		gate = newIdleKeeper(ctx, kept)
	}
	s.plane, err = control.New(ctx, control.Options{
		Store: s.store, Backends: map[string]backend.Backend{"process": processes, "mem": mem.New(mem.Options{})},
		Router: control.NewRouter(control.RouterOptions{Client: kept.Client(), State: o.State, Note: func() string { return kept.Status().Note }}),
		Keeper: gate, Sampler: s.sampler, State: o.State, PublicGateway: o.PublicGateway, Program: o.Program,
		Backup: s.backup(o.State), CheckBackup: checkBackup(o.State),
		Process: a.process, Idle: o.Idle, Log: o.Log,
	})
	return err
}

func (s *session) makeHandler(a *App) (err error) {
	s.handler, err = api.NewHandler(api.Options{
		Plane: s.plane, Events: s.store, Tokens: s.store, Log: a.options.Log, Public: a.options.PublicControl, Done: s.done,
		Metrics: metrics(s.plane, a.options.Version),
		Console: console.Handler(console.Options{Plane: s.plane, Events: s.store, MayRead: api.MayRead, Version: a.options.Version, Log: a.options.Log}),
	})
	return err
}

// run works until the plane ends. The rest ends with it.
func (s *session) run(ctx context.Context) error {
	working, stop := context.WithCancel(ctx)
	defer stop()
	var rest sync.WaitGroup
	rest.Go(func() { _ = s.store.Run(working) })   // nil when ctx ends, and else logged by itself
	rest.Go(func() { _ = s.sampler.Run(working) }) // always nil
	err := s.plane.Run(ctx)
	stop()
	rest.Wait()
	return err
}

// close ends the streams and gives up everything; requests must not come in
// any more.
func (s *session) close() error {
	s.endStreams()
	return s.cleanups.run()
}

func (s *session) endStreams() {
	if s.ended.CompareAndSwap(false, true) {
		close(s.done)
	}
}

// backup writes a copy of the store, by way of a file beside it.
func (s *session) backup(state string) control.Backup {
	return func(ctx context.Context, w io.Writer) (err error) {
		folder, err := os.MkdirTemp(state, "backup-*")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
		path := filepath.Join(folder, sqlite.File)
		if err := s.store.Backup(ctx, path, nil); err != nil {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		_, err = io.Copy(w, file)
		return err
	}
}

// checkBackup restores a backup into a folder of its own and opens it there.
func checkBackup(state string) func(context.Context, string) error {
	return func(ctx context.Context, path string) (err error) {
		folder, err := os.MkdirTemp(state, "restore-*")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
		if _, err := sqlite.Restore(ctx, folder, path); err != nil {
			// Nobody knows the file that it was received into.
			return greenlight.Errorf(greenlight.CodeOf(err), "%s", strings.ReplaceAll(err.Error(), path, "the backup"))
		}
		opened, err := sqlite.Open(ctx, folder)
		if err != nil {
			return err
		}
		return opened.Close()
	}
}

// idleKeeper starts no gateway: it only tells of the one there is, and stops it.
type idleKeeper struct {
	*keeper.Keeper
	status keeper.Status
}

func newIdleKeeper(ctx context.Context, k *keeper.Keeper) *idleKeeper {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	idle := &idleKeeper{Keeper: k}
	if s, err := k.Client().Status(ctx); err == nil {
		idle.status = keeper.Status{PID: s.PID, StartedAt: s.StartedAt, Version: s.Version}
		if len(s.Listeners) > 0 {
			idle.status.Address = s.Listeners[0].Address
		}
	}
	return idle
}

// Run starts nothing.
func (k *idleKeeper) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Status is how the gateway was when this began.
func (k *idleKeeper) Status() keeper.Status { return k.status }
