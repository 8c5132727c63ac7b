// Package rollout brings an environment to its desired state: it observes,
// plans, and carries the plan out step by step, writing each step down before
// and after. It keeps no state of its own between calls, so a control plane
// that was killed at any point begins anew and converges.
package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/plan"
	"github.com/greenlight-dev/greenlight/store"
)

// Backend is what a rollout needs of backend.Backend.
type Backend interface {
	Observe(ctx context.Context, environment string) ([]greenlight.Replica, error)
	Start(ctx context.Context, spec greenlight.ReplicaSpec) (greenlight.Replica, error)
	Stop(ctx context.Context, environment, id string) error
}

// Router moves requests: the gateway, behind its control endpoint.
type Router interface {
	// Routed gives, for each service, the IDs of the replicas that get its
	// requests. One that was started again and has another address by now does
	// not get them, and is not among them.
	Routed(ctx context.Context, environment string) (map[string][]string, error)
	// Route sends a service's requests to these replicas and to nobody else,
	// and returns once no request is under way to any other.
	Route(ctx context.Context, environment, service string, targets []greenlight.Replica) error
}

// Journal is what a rollout needs of store.Journal.
type Journal interface {
	BeginSteps(ctx context.Context, steps ...store.Step) ([]store.Step, error)
	EndSteps(ctx context.Context, ends ...store.StepEnd) error
	OpenSteps(ctx context.Context) ([]store.Step, error)
}

// Runner carries plans out.
type Runner struct {
	Backend Backend
	Router  Router
	Journal Journal
	Actor   string // who is named in events; "reconciler" when empty
	// Parallel bounds the steps under way at once; 0 is 32.
	Parallel int
	// Busy lets several rounds of one environment run at once, each with other
	// services: a start that takes long holds up nobody else. nil is for one
	// round at a time.
	Busy *Busy
}

// Report says what one Reconcile did.
type Report struct {
	Planned int       // steps that were needed
	Done    int       // steps whose effect is there
	Failed  []Failure // steps that failed; what came after them in their service was left
	// Services are those that steps were planned for.
	Services map[string]bool
	// Left are the services that another round is busy with, and those that
	// depend on them: what they need is seen once that has ended.
	Left map[string]bool
	// Next is when there may be something to do though nothing happens, see
	// plan.Next: Reconcile is to be called again by then.
	Next time.Time
}

// ErrDependency is the failure of a service's first step when a service that
// it depends on could not be brought up. No event tells of it.
var ErrDependency = errors.New("a service that it depends on is not there")

// ErrJournal is in the failure of a step that was not taken, or not noted,
// because the journal could not be written. No event can tell of it.
var ErrJournal = errors.New("the journal cannot be written")

// Failure is one step that failed.
type Failure struct {
	Step plan.Step
	Err  error
}

// Reconcile observes the environment and takes the steps to the desired
// state. Steps that fail are in the report, not in the error, which is for
// what kept Reconcile from working at all. Calling it again is always safe.
func (r *Runner) Reconcile(ctx context.Context, d plan.Desired) (*Report, error) {
	round, err := r.Plan(ctx, d)
	if err != nil {
		return nil, err
	}
	return round.Run(ctx)
}

// Round is a plan that is about to be carried out.
type Round struct {
	Report
	execution *execution // nil when there is nothing to do
}

// Plan observes the environment and plans the steps to the desired state, which
// Run takes. With Busy, Run must be called.
func (r *Runner) Plan(ctx context.Context, d plan.Desired) (*Round, error) {
	busy := r.Busy.begin()
	defer r.Busy.end()
	observed, err := r.observe(ctx, d.Environment)
	if err != nil {
		return nil, err
	}
	steps, err := plan.Steps(d, observed)
	if err != nil {
		return nil, err
	}
	steps, left := without(steps, d, busy)
	round := &Round{Report: Report{Planned: len(steps), Next: plan.Next(d, observed), Services: make(map[string]bool), Left: left}}
	for _, s := range steps {
		round.Services[s.Service] = true
	}
	if len(steps) > 0 {
		round.execution = newExecution(r, d, observed, steps)
		r.Busy.claim(steps)
	}
	return round, nil
}

// Run takes the steps and says what came of them.
func (r *Round) Run(ctx context.Context) (*Report, error) {
	if r.execution == nil {
		return &r.Report, nil
	}
	r.execution.run(ctx)
	r.Done, r.Failed = r.execution.done, r.execution.failed
	return &r.Report, ctx.Err()
}

func (r *Runner) observe(ctx context.Context, environment string) (plan.Observed, error) {
	replicas, err := r.Backend.Observe(ctx, environment)
	if err != nil {
		return plan.Observed{}, fmt.Errorf("observing %s: %w", environment, err)
	}
	routed, err := r.Router.Routed(ctx, environment)
	if err != nil {
		return plan.Observed{}, fmt.Errorf("asking the gateway of %s: %w", environment, err)
	}
	return plan.Observed{Replicas: replicas, Routed: routed, Now: time.Now()}, nil
}

// Recover closes the steps that a control plane left open when it was killed:
// their effect is in doubt, so the next plan decides anew. Call it once,
// before the first Reconcile.
func (r *Runner) Recover(ctx context.Context) (dropped int, err error) {
	open, err := r.Journal.OpenSteps(ctx)
	if err != nil || len(open) == 0 {
		return 0, err
	}
	ends := make([]store.StepEnd, len(open))
	for i, s := range open {
		ends[i] = store.StepEnd{ID: s.ID, Outcome: store.StepDropped, Reason: "the control plane ended in the middle of it"}
	}
	return len(open), r.Journal.EndSteps(ctx, ends...)
}
