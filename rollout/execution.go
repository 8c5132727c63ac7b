package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
	"github.com/greenlight-dev/greenlight/plan"
	"github.com/greenlight-dev/greenlight/store"
)

// execution is one plan being carried out. Services run side by side, each
// after those it depends on; within a service, replicas start side by side
// and everything else happens in order.
type execution struct {
	runner      *Runner
	environment string
	plan        string // its name in the journal
	chains      []*chain
	slots       chan struct{}

	mu       sync.Mutex
	replicas map[string]greenlight.Replica // by ID, as last seen
	done     int
	failed   []Failure
}

// chain is the steps of one service.
type chain struct {
	service string
	steps   []plan.Step
	after   []*chain
	end     chan struct{} // closed when the chain has ended
	ok      bool          // valid once end is closed
}

func newExecution(r *Runner, d plan.Desired, o plan.Observed, steps []plan.Step) *execution {
	parallel := r.Parallel
	if parallel == 0 {
		parallel = 32
	}
	e := &execution{
		runner: r, environment: d.Environment, plan: strconv.FormatInt(o.Now.UnixNano(), 36),
		slots: make(chan struct{}, parallel), replicas: make(map[string]greenlight.Replica, len(o.Replicas)),
	}
	for _, replica := range o.Replicas {
		e.replicas[replica.ID] = replica
	}
	byService := make(map[string]*chain)
	for _, s := range steps {
		c := byService[s.Service]
		if c == nil {
			c = &chain{service: s.Service, end: make(chan struct{})}
			byService[s.Service] = c
			e.chains = append(e.chains, c)
		}
		c.steps = append(c.steps, s)
	}
	for _, s := range d.Services {
		for _, dep := range s.DependsOn {
			if c, before := byService[s.Name], byService[dep]; c != nil && before != nil {
				c.after = append(c.after, before)
			}
		}
	}
	return e
}

// run carries all chains out and returns when each has ended.
func (e *execution) run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, c := range e.chains {
		wg.Go(func() {
			defer close(c.end)
			defer e.runner.Busy.release(c.service)
			c.ok = e.runChain(ctx, c)
		})
	}
	wg.Wait()
}

// runChain takes a service's steps until one fails. What is left then is
// planned anew in the next round, from what is there by that time.
func (e *execution) runChain(ctx context.Context, c *chain) bool {
	for _, before := range c.after {
		<-before.end
		if !before.ok {
			e.fail(c.steps[0], fmt.Errorf("%w: %s", ErrDependency, before.service))
			return false
		}
	}
	for steps := c.steps; len(steps) > 0; {
		n := starting(steps)
		if !e.takeTogether(ctx, steps[:n]) {
			return false
		}
		steps = steps[n:]
	}
	return true
}

// starting counts the leading steps that bring replicas up: those are taken
// side by side. It is at least one, for a step of another kind.
func starting(steps []plan.Step) int {
	n := slices.IndexFunc(steps, func(s plan.Step) bool { return s.Kind != plan.StartReplica && s.Kind != plan.RestartReplica })
	if n < 0 {
		return len(steps)
	}
	return max(n, 1)
}

func (e *execution) takeTogether(ctx context.Context, steps []plan.Step) bool {
	if len(steps) == 1 {
		return e.take(ctx, steps[0])
	}
	ok := make([]bool, len(steps))
	var wg sync.WaitGroup
	for i, s := range steps {
		wg.Go(func() { ok[i] = e.take(ctx, s) })
	}
	wg.Wait()
	return !slices.Contains(ok, false)
}

// take carries one step out, between its two lines in the journal. A journal
// that cannot be written stops the step: what happened must be known.
func (e *execution) take(ctx context.Context, s plan.Step) bool {
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	case <-ctx.Done():
		return false
	}
	id, err := e.begin(ctx, s)
	if err != nil {
		e.fail(s, err)
		return false
	}
	began := time.Now()
	failure := e.do(ctx, s)
	// The end is written even when ctx is done: the effect is there. What
	// failed for want of it is no failure; something else is wanted now.
	end := e.ending(s, failure, time.Since(began))
	if failure != nil && ctx.Err() != nil {
		end = store.StepEnd{Outcome: store.StepDropped, Reason: "given up: " + clip(failure.Error())}
	}
	end.ID = id
	if err := e.runner.Journal.EndSteps(context.WithoutCancel(ctx), end); err != nil {
		err = fmt.Errorf("%w: %w", ErrJournal, err)
		failure = errors.Join(failure, err)
	}
	if failure != nil {
		e.fail(s, failure)
		return false
	}
	e.mu.Lock()
	e.done++
	e.mu.Unlock()
	return true
}

func (e *execution) fail(s plan.Step, err error) {
	e.mu.Lock()
	e.failed = append(e.failed, Failure{Step: s, Err: err})
	e.mu.Unlock()
}

// do has the step's effect. Each kind is idempotent.
func (e *execution) do(ctx context.Context, s plan.Step) error {
	switch s.Kind {
	case plan.RestartReplica:
		if err := e.runner.Backend.Stop(ctx, e.environment, s.Replica); err != nil {
			return err
		}
		return e.start(ctx, s)
	case plan.StartReplica:
		return e.start(ctx, s)
	case plan.StopReplica:
		return e.runner.Backend.Stop(ctx, e.environment, s.Replica)
	case plan.Route:
		return e.runner.Router.Route(ctx, e.environment, s.Service, e.targets(s))
	}
	return greenlight.Errorf(greenlight.CodeInternal, "a step of unknown kind %q", s.Kind)
}

func (e *execution) start(ctx context.Context, s plan.Step) error {
	spec := s.Spec
	spec.Environment = e.environment
	replica, err := e.runner.Backend.Start(ctx, spec)
	if err != nil {
		return err
	}
	e.mu.Lock()
	e.replicas[replica.ID] = replica
	e.mu.Unlock()
	return nil
}

// targets are the replicas of a route step with their addresses.
func (e *execution) targets(s plan.Step) []greenlight.Replica {
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []greenlight.Replica
	for _, id := range s.Targets {
		if r, ok := e.replicas[id]; ok {
			list = append(list, r)
		}
	}
	return list
}

func (e *execution) begin(ctx context.Context, s plan.Step) (int64, error) {
	detail, err := json.Marshal(s)
	if err != nil {
		return 0, err
	}
	begun, err := e.runner.Journal.BeginSteps(ctx, store.Step{
		Plan: e.plan, Kind: string(s.Kind), Environment: e.environment,
		Service: s.Service, Subject: s.Replica, Detail: detail,
	})
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrJournal, err)
	}
	return begun[0].ID, nil
}

// pastTense names what a step did, as an event's kind.
var pastTense = map[plan.Kind]string{
	plan.StartReplica: "replica.started", plan.RestartReplica: "replica.restarted",
	plan.StopReplica: "replica.stopped", plan.Route: "service.routed",
}

// ending is how a step ended, with the event that tells of it.
func (e *execution) ending(s plan.Step, failure error, took time.Duration) store.StepEnd {
	actor := e.runner.Actor
	if actor == "" {
		actor = "reconciler"
	}
	event := greenlight.Event{
		Actor: actor, Kind: pastTense[s.Kind], Environment: e.environment, Service: s.Service, Subject: s.Replica,
		Message:  s.Reason,
		Evidence: map[string]any{"plan": e.plan, "release": s.Release, "seconds": took.Seconds()},
	}
	end := store.StepEnd{Outcome: store.StepDone}
	if s.Kind == plan.Route {
		event.Evidence["targets"] = s.Targets
	}
	if failure != nil {
		end.Outcome, end.Reason = store.StepFailed, clip(failure.Error())
		event.Kind = "step.failed"
		event.Message = clip(failureText(s, failure))
		event.Evidence["reason"] = s.Reason
		addStartEvidence(event.Evidence, failure)
	}
	end.Events = []greenlight.Event{event}
	return end
}

// failureText says what did not happen, and why.
func failureText(s plan.Step, failure error) string {
	var start *backend.StartError
	switch {
	case errors.As(failure, &start):
		return fmt.Sprintf("%s did not start: %s", s.Replica, start.Summary())
	case s.Kind == plan.StopReplica:
		return fmt.Sprintf("%s did not stop: %v", s.Replica, failure)
	case s.Kind == plan.Route:
		return fmt.Sprintf("the requests of %s could not be routed anew: %v", s.Service, failure)
	}
	return fmt.Sprintf("%s did not start: %v", s.Replica, failure)
}

// addStartEvidence adds what a replica that did not start left behind.
func addStartEvidence(evidence map[string]any, failure error) {
	var start *backend.StartError
	if !errors.As(failure, &start) {
		return
	}
	evidence["ended"] = clip(start.Reason)
	if start.Health != "" {
		evidence["health"] = clip(start.Health)
	}
	if len(start.Logs) > 0 {
		lines := make([]string, 0, maxLines)
		for _, line := range start.Logs[max(0, len(start.Logs)-maxLines):] {
			lines = append(lines, clip(line))
		}
		evidence["logs"] = lines
	}
}

// maxLines of a replica's output are kept with an event.
const maxLines = 20

// clip bounds a text that comes from a replica's output.
func clip(s string) string {
	const most = 4096
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
