package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
	"github.com/greenlight-dev/greenlight/observe"
	"github.com/greenlight-dev/greenlight/rollout"
	"github.com/greenlight-dev/greenlight/store"
)

// Store is what a control plane keeps things in.
type Store interface {
	store.Events
	store.Desired
	store.Releases
	store.Journal
	store.Settings
	store.Pruner
	store.Traffic
}

// Sampler measures; *observe.Sampler is one.
type Sampler interface {
	Latest() map[string]observe.Sample
	Replica(environment, id string) observe.ReplicaSample
	Series(environment, service string, since time.Duration, points int) observe.Series
	Updated() <-chan struct{}
}

// Options shape a control plane.
type Options struct {
	Store    Store
	Backends map[string]backend.Backend // by the name that descriptions have
	Router   RequestRouter
	Keeper   Keeper
	Sampler  Sampler
	State    string // absolute path of the state folder
	// PublicGateway allows descriptions whose addresses other machines reach.
	PublicGateway bool
	// Program is the command line of this program, before "serve".
	Program []string
	Backup  Backup
	// CheckBackup tells whether a file is a backup that can be restored.
	CheckBackup func(ctx context.Context, path string) error
	// Process is this process, as status shows it.
	Process Process
	// Idle takes over what runs and changes nothing until it is told to.
	Idle bool
	Log  *slog.Logger // nil discards
}

// Plane is the control plane.
type Plane struct {
	options   Options
	artifacts *artifacts
	front     *front
	traffic   *ledger
	evidence  chan struct{} // holds one element when plans are to be held against something new
	applying  sync.Mutex    // held while releases are made or collected
	keeping   sync.Mutex    // held while what clients hand in about a service is written
	live      liveLoads

	mu           sync.Mutex
	changed      chan struct{}
	environments map[string]*environment
	primary      string
	loops        *loops // nil while Run does not run
	end          chan error
	ending       bool
	goingDown    bool               // ending by Down
	collectDue   bool               // files of releases may be in use no more
	news         []greenlight.Event // to be recorded
	alerts       map[string][]Alert // by "<environment>/<service>"; replaced, never changed
	more         chan struct{}
}

// loops are the goroutines of a Run.
type loops struct {
	ctx  context.Context
	wait sync.WaitGroup
}

// New makes a control plane of what the store holds; Run works.
func New(ctx context.Context, o Options) (*Plane, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	p := &Plane{
		options: o, artifacts: newArtifacts(o.State), traffic: newLedger(), evidence: make(chan struct{}, 1), changed: make(chan struct{}),
		environments: make(map[string]*environment), end: make(chan error, 1), more: make(chan struct{}, 1),
	}
	p.front = &front{RequestRouter: o.Router, keeper: o.Keeper, told: p.notify, adopts: p.hasReplicas, routed: make(map[string]map[string]bool)}
	list, err := o.Store.Environments(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range list {
		if err := p.restoreEnvironment(ctx, d); err != nil {
			return nil, err
		}
	}
	if err := p.readPrimary(ctx); err != nil {
		return nil, err
	}
	o.Router.CheckAddresses(p.addressOf)
	if err := o.Router.SetSystems(p.systems(nil), p.primary); err != nil {
		return nil, err
	}
	return p, p.observeAll(ctx)
}

// restoreEnvironment takes up an environment as the store has it.
func (p *Plane) restoreEnvironment(ctx context.Context, d store.DesiredState) error {
	v, err := p.load(ctx, d)
	if err != nil {
		return err
	}
	b, err := p.backendOf(&v.System)
	if err != nil {
		return err
	}
	e := p.newEnvironment(d.Environment, b, v)
	if err := e.readSettings(ctx); err != nil {
		return err
	}
	p.environments[e.name] = e
	return nil
}

// observeAll learns which replicas there are before anybody asks.
func (p *Plane) observeAll(ctx context.Context) error {
	for _, e := range p.environments {
		replicas, err := e.backend.Observe(ctx, e.name)
		if err != nil {
			return fmt.Errorf("observing environment %s: %w", e.name, err)
		}
		for _, r := range replicas {
			e.replicas[r.ID] = r
		}
	}
	return nil
}

// Run keeps every environment as it should be until ctx ends, then returns nil
// and leaves all running, or until Down has stopped everything. After Restore
// it returns a *RestoreError.
func (p *Plane) Run(ctx context.Context) error {
	runner := &rollout.Runner{Journal: p.options.Store}
	dropped, err := runner.Recover(ctx)
	switch {
	case ctx.Err() != nil:
		return nil
	case err != nil:
		return err
	case dropped > 0:
		p.options.Log.Info("steps were under way when the control plane ended", "steps", dropped)
	}
	working, stop := context.WithCancel(ctx)
	defer stop()
	l := &loops{ctx: working}
	p.startLoops(l)
	select {
	case <-ctx.Done():
	case err = <-p.end:
	}
	p.mu.Lock()
	p.loops = nil
	p.mu.Unlock()
	stop()
	l.wait.Wait()
	if errors.Is(err, errDown) {
		err = p.stopEverything(ctx)
	}
	p.recordNews(context.WithoutCancel(ctx))
	p.writeTraffic(context.WithoutCancel(ctx))
	return err
}

func (p *Plane) startLoops(l *loops) {
	for _, b := range p.options.Backends {
		l.wait.Go(func() {
			if err := b.Run(l.ctx, p.hear); err != nil {
				p.options.Log.Error("watching replicas", "backend", b.Name(), "error", err)
			}
		})
	}
	l.wait.Go(func() { p.recordLoop(l.ctx) })
	l.wait.Go(func() { p.driftLoop(l.ctx) })
	l.wait.Go(func() { p.pruneLoop(l.ctx) })
	l.wait.Go(func() { p.scaleLoop(l.ctx) })
	l.wait.Go(func() { p.trafficLoop(l.ctx) })
	l.wait.Go(func() { p.expiryLoop(l.ctx) })
	l.wait.Go(func() { p.gatewayLoop(l.ctx) })
	l.wait.Go(func() {
		if err := p.options.Keeper.Run(l.ctx); err != nil {
			p.finish(err)
		}
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loops = l
	if p.options.Idle {
		return
	}
	for _, b := range p.options.Backends {
		l.wait.Go(func() { p.stopForgotten(l.ctx, b) })
	}
	for _, e := range p.environments {
		p.start(e)
	}
}

// change tells those who wait for a change of status. The lock is held.
func (p *Plane) change() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Plane) notify() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.change()
}

// Changed gives a channel that is closed at the next change of status; then
// ask again.
func (p *Plane) Changed() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}

// Samples are the last full second of every service, by
// "<environment>/<service>".
func (p *Plane) Samples() map[string]observe.Sample { return p.options.Sampler.Latest() }

// find gives an environment; the lock is held.
func (p *Plane) find(name string) (*environment, error) {
	if e := p.environments[name]; e != nil {
		return e, nil
	}
	if len(p.environments) == 0 {
		return nil, greenlight.Errorf(greenlight.CodeNotFound, "no environment %q: nothing was applied yet", name)
	}
	return nil, greenlight.Errorf(greenlight.CodeNotFound, "no environment %q; there is %s", name, joined(p.environmentNames()))
}

func (p *Plane) environmentNames() []string {
	names := make([]string, 0, len(p.environments))
	for name := range p.environments {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
