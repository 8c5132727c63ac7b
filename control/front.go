package control

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/gateway/keeper"
	"github.com/greenlight-dev/greenlight/rollout"
)

// Keeper keeps the gateway's process; *keeper.Keeper is one.
type Keeper interface {
	Run(ctx context.Context) error
	Status() keeper.Status
	Ready() <-chan struct{}
	Restarted() <-chan struct{}
	Answers(ctx context.Context) bool
	Stop(ctx context.Context) error
}

// RequestRouter steers the gateway; *Router does.
type RequestRouter interface {
	rollout.Router
	SetSystems(systems []RoutedSystem, primary string) error
	Sync(ctx context.Context) error
	URLs(environment, service, address string) []string
	CheckAddresses(func(environment, id string) string)
}

// front is the gateway as plans see it. Until it serves for the first time,
// replicas start without it: only their routing waits.
type front struct {
	RequestRouter
	keeper Keeper
	told   func()                        // after requests moved
	adopts func(environment string) bool // whether it has replicas

	syncing sync.Mutex // held while the gateway is told

	mu     sync.Mutex
	behind bool                       // the gateway may not have what was declared last
	routed map[string]map[string]bool // replicas that are known to have requests, by ServiceKey
}

// readyPatience is how long routing waits for a gateway that starts.
const readyPatience = 15 * time.Second

func (f *front) serves() bool {
	select {
	case <-f.keeper.Ready():
		return true
	default:
		return false
	}
}

// adoptPatience is how long a plan waits for a gateway that was left running.
const adoptPatience = 2 * time.Second

// Routed asks the gateway. Before it serves, nothing is known to be routed, so
// that plans route everything. Where replicas run from before, a gateway does
// too, and is worth a moment.
func (f *front) Routed(ctx context.Context, environment string) (map[string][]string, error) {
	if !f.serves() && f.adopts(environment) {
		select {
		case <-f.keeper.Ready():
		case <-time.After(adoptPatience):
		case <-ctx.Done():
		}
	}
	if !f.serves() {
		return map[string][]string{}, nil
	}
	routed, err := f.RequestRouter.Routed(ctx, environment)
	if err == nil {
		f.learnRouted(environment, routed)
	}
	return routed, err
}

func (f *front) learnRouted(environment string, routed map[string][]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.routed, func(key string, _ map[string]bool) bool {
		env, service, _ := strings.Cut(key, "/")
		return env == environment && routed[service] == nil
	})
	for service, ids := range routed {
		f.routed[ServiceKey(environment, service)] = set(ids)
	}
}

func set(ids []string) map[string]bool {
	out := make(map[string]bool, len(ids))
	for _, id := range ids {
		out[id] = true
	}
	return out
}

// routes tells whether requests are known to go to a replica.
func (f *front) routes(environment, service, id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.routed[ServiceKey(environment, service)][id]
}

// Route waits for the gateway to serve.
func (f *front) Route(ctx context.Context, environment, service string, targets []greenlight.Replica) error {
	select {
	case <-f.keeper.Ready():
	case <-time.After(readyPatience):
		return greenlight.Errorf(greenlight.CodeUnavailable, "the gateway does not start: %s", cmp.Or(f.keeper.Status().Note, "it says nothing"))
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if err := f.RequestRouter.Route(ctx, environment, service, targets); err != nil {
		return err
	}
	ids := make([]string, len(targets))
	for i, t := range targets {
		ids[i] = t.ID
	}
	f.mu.Lock()
	f.routed[ServiceKey(environment, service)] = set(ids)
	f.mu.Unlock()
	f.told()
	return nil
}

// noGateway routes nothing: for when all is stopped and the gateway hangs, or died.
type noGateway struct{}

// Routed is nothing.
func (noGateway) Routed(context.Context, string) (map[string][]string, error) { return nil, nil }

// Route does nothing.
func (noGateway) Route(context.Context, string, string, []greenlight.Replica) error { return nil }

// fallBehind notes that the gateway is to be told anew.
func (f *front) fallBehind() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.behind = true
}

// sync tells the gateway what it may not know. The error is for people: routing
// goes on without.
func (f *front) sync(ctx context.Context) error {
	f.syncing.Lock()
	defer f.syncing.Unlock()
	f.mu.Lock()
	due := f.behind && f.serves()
	if due {
		f.behind = false
	}
	f.mu.Unlock()
	if !due {
		return nil
	}
	err := f.RequestRouter.Sync(ctx)
	if err != nil {
		f.fallBehind()
	}
	return err
}

func (f *front) process() Process {
	s := f.keeper.Status()
	return Process{PID: s.PID, Address: s.Address, Version: s.Version, StartedAt: s.StartedAt, Note: s.Note}
}

// systems are the environments as the router wants them, with next in place of
// the one that it replaces; nil replaces none. The lock is held, or nobody else
// is there yet.
func (p *Plane) systems(next *version) []RoutedSystem {
	var list []RoutedSystem
	add := func(v *version) {
		list = append(list, RoutedSystem{System: &v.System, Folder: filepath.Dir(v.Source)})
	}
	for _, name := range p.environmentNames() {
		if next == nil || next.System.Environment.Name != name {
			add(p.environments[name].version)
		}
	}
	if next != nil {
		add(next)
	}
	return list
}

// declare tells the router which environments there are, next being one that is
// about to be; nil for none.
func (p *Plane) declare(next *version) error {
	p.mu.Lock()
	list, primary := p.systems(next), p.primary
	p.mu.Unlock()
	if primary == "" && next != nil {
		primary = next.System.Environment.Name
	}
	p.front.fallBehind()
	return p.options.Router.SetSystems(list, primary)
}

// hasReplicas tells whether an environment has any, in whatever state, and a
// gateway is to be had.
func (p *Plane) hasReplicas(environment string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.environments[environment]
	return e != nil && len(e.replicas) > 0 && !p.options.Idle
}

// addressOf is where a replica is now, "" when that is not known.
func (p *Plane) addressOf(environment, id string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.environments[environment]; e != nil {
		return e.replicas[id].Address
	}
	return ""
}

// gatewayLoop tells the gateway anew and looks at everything again whenever
// another process of it serves, until ctx ends.
func (p *Plane) gatewayLoop(ctx context.Context) {
	pid := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.options.Keeper.Restarted():
		}
		p.front.fallBehind()
		s := p.options.Keeper.Status()
		p.mu.Lock()
		if s.PID != pid && (pid != 0 || s.Instead != "") {
			p.tell(gatewayEvent(pid, s))
		}
		pid = s.PID
		for _, e := range p.environments {
			maps.DeleteFunc(e.retries, func(_ string, r retry) bool { return r.routing })
			e.poke()
		}
		p.change()
		p.mu.Unlock()
	}
}

// gatewayEvent tells that another gateway process serves, was being the one
// before, 0 when this control plane has not known it.
func gatewayEvent(was int, s keeper.Status) greenlight.Event {
	e := greenlight.Event{Actor: "gateway", Kind: "gateway.restarted", Subject: fmt.Sprint(s.PID),
		Message:  fmt.Sprintf("the gateway is process %d now", s.PID),
		Evidence: map[string]any{"pid": s.PID, "address": s.Address}}
	if was != 0 {
		e.Message += fmt.Sprintf(" instead of %d", was)
		e.Evidence["was"] = was
	}
	if s.Instead != "" {
		e.Message += ": " + s.Instead
		e.Evidence["reason"] = s.Instead
	}
	return e
}
