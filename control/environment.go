package control

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
	"github.com/greenlight-dev/greenlight/plan"
	"github.com/greenlight-dev/greenlight/rollout"
	"github.com/greenlight-dev/greenlight/scale"
	"github.com/greenlight-dev/greenlight/spec"
	"github.com/greenlight-dev/greenlight/store"
)

// environment is one environment with its reconcile loop. Its fields below
// name, backend and wake are guarded by the plane's lock.
type environment struct {
	plane   *Plane
	name    string
	backend backend.Backend
	wake    chan struct{} // holds one element when there may be something to do

	running     bool // its loop
	version     *version
	scaled      map[string]scaled             // by service
	generations map[string]generation         // by service
	restarts    map[string][]string           // replicas to restart, by service
	retries     map[string]retry              // of steps that failed, by service
	replicas    map[string]greenlight.Replica // as the backend told last, by ID
	deciders    map[string]*scale.Decider     // by service
	drifted     map[string]tampered           // by path, as they were told of
	problem     string                        // what keeps it from being reconciled
	rounds      context.Context               // of the rounds under way; ends when another version is in force
	giveUp      context.CancelFunc            // ends rounds; nil before the first

	busy rollout.Busy
}

// retry spaces out the steps of a service that fail without the backend
// setting a time.
type retry struct {
	failures int
	at       time.Time
	reason   string
	stuck    bool // nothing can be done: the journal cannot be written
	routing  bool // it is the gateway that refuses
}

// Pauses of a reconcile loop.
const (
	interval   = 10 * time.Second // between two looks when nothing happens
	firstRetry = 500 * time.Millisecond
	lastRetry  = time.Minute
)

func (p *Plane) newEnvironment(name string, b backend.Backend, v *version) *environment {
	return &environment{
		plane: p, name: name, backend: b, version: v, wake: make(chan struct{}, 1),
		scaled: make(map[string]scaled), generations: make(map[string]generation),
		restarts: make(map[string][]string), retries: make(map[string]retry),
		replicas: make(map[string]greenlight.Replica), deciders: make(map[string]*scale.Decider),
		drifted: make(map[string]tampered),
	}
}

// poke has the loop look again soon.
func (e *environment) poke() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// run keeps the environment as it should be until ctx ends. A round of steps
// that takes long holds up only the services that it has to do with.
func (e *environment) run(ctx context.Context) {
	var rounds sync.WaitGroup
	defer rounds.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.wake:
		case <-timer.C:
		}
		timer.Reset(e.reconcile(ctx, &rounds))
	}
}

// reconcile begins to take the steps to the desired state, and says when to look
// again if nothing happens before.
func (e *environment) reconcile(ctx context.Context, rounds *sync.WaitGroup) time.Duration {
	trouble := e.plane.front.sync(ctx)
	ctx, desired := e.desired(ctx, time.Now())
	round, err := e.runner().Plan(ctx, desired)
	if err == nil && round.Planned > 0 {
		rounds.Go(func() { e.carryOut(ctx, desired, round) })
	}
	e.plane.mu.Lock()
	defer e.plane.mu.Unlock()
	if err == nil {
		e.settled(desired, round)
	}
	problem := ""
	if err = cmp.Or(err, trouble); err != nil && ctx.Err() == nil {
		problem = err.Error()
	}
	if problem != e.problem {
		e.problem = problem
		e.plane.change()
	}
	return e.pause(round)
}

// carryOut takes a round's steps, learns from what came of them, and has the
// loop look again.
func (e *environment) carryOut(ctx context.Context, d plan.Desired, round *rollout.Round) {
	report, err := round.Run(ctx)
	e.plane.mu.Lock()
	defer e.plane.mu.Unlock()
	if err == nil {
		e.take(d, report)
	}
	e.plane.change()
	e.poke()
}

// settled learns which services need nothing. One whose replicas wait for their
// next start needs nothing now, but is not over its failures.
func (e *environment) settled(d plan.Desired, round *rollout.Round) {
	for _, s := range d.Services {
		if round.Services[s.Name] || round.Left[s.Name] || s.Wait {
			continue
		}
		e.restarted(s.Name, s.Restart)
		if e.readyOf(s.Name) >= s.Replicas {
			delete(e.retries, s.Name)
		}
	}
}

func (e *environment) runner() *rollout.Runner {
	return &rollout.Runner{Backend: e.backend, Router: e.plane.front, Journal: e.plane.options.Store, Busy: &e.busy}
}

// desired is what is wanted now, with a context that ends when another
// description is in force.
func (e *environment) desired(ctx context.Context, now time.Time) (context.Context, plan.Desired) {
	e.plane.mu.Lock()
	defer e.plane.mu.Unlock()
	if e.rounds == nil || e.rounds.Err() != nil {
		e.rounds, e.giveUp = context.WithCancel(ctx)
	}
	return e.rounds, e.desiredLocked(e.version, now)
}

func (e *environment) desiredLocked(v *version, now time.Time) plan.Desired {
	d := plan.Desired{Environment: e.name, Heal: v.System.Environment.Drift == "heal"}
	for i := range v.System.Services {
		s := &v.System.Services[i]
		d.Services = append(d.Services, e.desiredService(v, s, now))
	}
	return d
}

func (e *environment) desiredService(v *version, s *spec.Service, now time.Time) plan.Service {
	digest := v.Releases[s.Name]
	out := plan.Service{
		Name: s.Name, Release: digest, Replicas: e.wanted(s), DependsOn: s.DependsOn,
		Template: v.releases[s.Name].Template(e.name, e.plane.artifacts.folder(digest), e.plane.options.Program),
		Restart:  slices.Clone(e.restarts[s.Name]),
	}
	retry := e.retries[s.Name]
	early := now.Before(retry.at)
	out.Wait = early || e.waitsForOthers(s)
	out.Hold = early && (retry.stuck || retry.routing)
	if g := e.generations[s.Name]; g.Release == digest {
		out.Generation = g.Number
	}
	return out
}

// waitsForOthers tells whether a service that this one depends on cannot be
// brought up. Where it merely has not been yet, a plan's order is enough.
func (e *environment) waitsForOthers(s *spec.Service) bool {
	return slices.ContainsFunc(s.DependsOn, func(dep string) bool {
		return e.retries[dep].failures > 0 && e.readyOf(dep) == 0
	})
}

// take learns from what a Reconcile did.
func (e *environment) take(d plan.Desired, report *rollout.Report) {
	failed := make(map[string]rollout.Failure)
	for _, f := range report.Failed {
		if _, ok := failed[f.Step.Service]; !ok && !errors.Is(f.Err, rollout.ErrDependency) {
			failed[f.Step.Service] = f
		}
	}
	now := time.Now()
	for _, s := range d.Services {
		f, ok := failed[s.Name]
		switch {
		case !report.Services[s.Name]:
		case ok:
			e.retries[s.Name] = e.retries[s.Name].next(f, now)
		case !s.Wait:
			delete(e.retries, s.Name)
			e.restarted(s.Name, s.Restart)
		}
	}
}

// next spaces out what failed once more. A replica that did not start says
// itself when it may again; one whose start was refused, or was not even tried,
// left nothing that could.
func (r retry) next(f rollout.Failure, now time.Time) retry {
	r.failures++
	r.reason = f.Err.Error()
	r.at = time.Time{}
	r.stuck = errors.Is(f.Err, rollout.ErrJournal)
	r.routing = f.Step.Kind == plan.Route
	if r.stuck || r.routing || greenlight.CodeOf(f.Err) != greenlight.CodeUnavailable {
		r.at = now.Add(min(firstRetry<<min(r.failures-1, 10), lastRetry))
	}
	return r
}

// restarted forgets the restarts that were carried out.
func (e *environment) restarted(service string, done []string) {
	left := slices.DeleteFunc(e.restarts[service], func(id string) bool { return slices.Contains(done, id) })
	if len(left) == 0 {
		delete(e.restarts, service)
		return
	}
	e.restarts[service] = left
}

// pause is how long until the next look when nobody asks for one.
func (e *environment) pause(round *rollout.Round) time.Duration {
	now := time.Now()
	next := now.Add(interval)
	if round != nil {
		next = earlier(next, round.Next)
	}
	for _, r := range e.retries {
		if r.at.After(now) {
			next = earlier(next, r.at)
		}
	}
	if e.problem != "" {
		next = earlier(next, now.Add(time.Second))
	}
	return max(next.Sub(now), time.Millisecond)
}

// earlier is the earlier of two times, of which the second may be none.
func earlier(a, b time.Time) time.Time {
	if b.IsZero() || a.Before(b) {
		return a
	}
	return b
}

// observe is the environment as it is, for plans that nobody carries out.
func (e *environment) observe(ctx context.Context) (plan.Observed, error) {
	replicas, err := e.backend.Observe(ctx, e.name)
	if err != nil {
		return plan.Observed{}, err
	}
	routed, err := e.plane.front.Routed(ctx, e.name)
	if err != nil {
		return plan.Observed{}, err
	}
	return plan.Observed{Replicas: replicas, Routed: routed, Now: time.Now()}, nil
}

// stop ends all replicas of the environment, those that others depend on last.
func (e *environment) stop(ctx context.Context) error {
	e.plane.mu.Lock()
	d := plan.Desired{Environment: e.name}
	dependents := make(map[string][]string)
	for _, s := range e.version.System.Services {
		for _, dep := range s.DependsOn {
			dependents[dep] = append(dependents[dep], s.Name)
		}
	}
	for name, digest := range e.version.Releases {
		d.Services = append(d.Services, plan.Service{Name: name, Release: digest, DependsOn: dependents[name]})
	}
	e.plane.mu.Unlock()
	runner := e.runner()
	route := func() {
		if e.plane.front.serves() && !e.plane.options.Keeper.Answers(ctx) {
			runner.Router = noGateway{} // it is killed in the end
		}
	}
	route()
	for wait := firstRetry; ; wait = min(2*wait, 10*time.Second) {
		report, err := runner.Reconcile(ctx, d)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && report.Planned == 0 {
			return nil
		}
		if err == nil && len(report.Failed) == 0 {
			continue
		}
		e.plane.options.Log.Error("stopping", "environment", e.name, "error", err, "report", report)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		route()
	}
}

// adopt takes another version over.
func (e *environment) adopt(v *version, d store.DesiredState) {
	v.desired = d
	e.version = v
	maps.DeleteFunc(e.deciders, func(name string, _ *scale.Decider) bool { return v.service(name) == nil })
	clear(e.retries)
	clear(e.restarts)
	e.problem = ""
	if e.giveUp != nil {
		e.giveUp()
	}
	e.poke()
}
