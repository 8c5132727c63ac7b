// Package mem is a backend in memory, for tests and for measuring what stands
// above backends. Its replicas do what the test says, on the clock of package
// time, so that under testing/synctest a day passes at once.
package mem

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
)

// Conduct is what a replica does after its start; the zero value is ready at
// once, stays so, and ends at once when it is asked to.
type Conduct struct {
	Output     []string      // lines that it writes at the start
	ReadyAfter time.Duration // from the start
	NeverReady bool
	Health     string        // answer of its checks while they fail
	ExitAfter  time.Duration // from the start; ends by itself then, with ExitCode. 0 is never
	ExitCode   int
	SickAfter  time.Duration // from when it was ready; its checks fail from then on. 0 is never
	SickFor    time.Duration // and pass again after so long. 0 is never
	StopAfter  time.Duration // ends so long after it is asked to
	IgnoreStop bool          // ends only when it is killed
	// StartError, when not nil, is what Start gives; nothing runs.
	StartError error
}

// Options shape a backend; the zero value runs replicas without faults.
type Options struct {
	// Conduct says what the replica that is started now will do; nil is the
	// zero Conduct. It is called while the backend is locked.
	Conduct func(spec greenlight.ReplicaSpec) Conduct
	Backoff backend.Backoff
}

// Backend is a backend in memory; see backend.Backend. What it runs lasts as
// long as it does, so a test's control plane that begins anew goes on with it.
type Backend struct {
	options Options
	feed    backend.Feed

	mu       sync.Mutex
	replicas map[string]map[string]*replica // by environment and id
	outputs  map[[2]string]*output          // by environment and id; kept after Stop
	due      time.Time                      // nothing happens by itself before; zero is never
	sooner   chan struct{}                  // holds one element when due came nearer
	pid      int                            // the last one given
}

var _ backend.Backend = (*Backend)(nil)

// New makes a backend without replicas.
func New(o Options) *Backend {
	if o.Conduct == nil {
		o.Conduct = func(greenlight.ReplicaSpec) Conduct { return Conduct{} }
	}
	return &Backend{
		options:  o,
		replicas: make(map[string]map[string]*replica),
		outputs:  make(map[[2]string]*output),
		sooner:   make(chan struct{}, 1),
	}
}

// Name is "mem".
func (b *Backend) Name() string { return "mem" }

// Observe lists the replicas; see backend.Backend.
func (b *Backend) Observe(ctx context.Context, environment string) ([]greenlight.Replica, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance()
	list := make([]greenlight.Replica, 0, len(b.replicas[environment]))
	for name, replicas := range b.replicas {
		if environment != "" && name != environment {
			continue
		}
		for _, r := range replicas {
			list = append(list, r.Replica)
		}
	}
	backend.Sort(list)
	return list, nil
}

// Start runs a replica until it is ready; see backend.Backend.
func (b *Backend) Start(ctx context.Context, spec greenlight.ReplicaSpec) (greenlight.Replica, error) {
	spec, err := backend.Complete(spec)
	if err != nil {
		return greenlight.Replica{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		if err := ctx.Err(); err != nil {
			return greenlight.Replica{}, fmt.Errorf("replica %s: starting it: %w", spec.ID, err)
		}
		r := b.get(spec.Environment, spec.ID)
		switch {
		case r == nil || !r.running():
			return b.startNew(ctx, spec, r)
		case r.State == greenlight.ReplicaStopping:
			return greenlight.Replica{}, greenlight.Errorf(greenlight.CodeUnavailable, "replica %s is stopping", spec.ID)
		case !backend.Same(r.spec, spec):
			return greenlight.Replica{}, greenlight.Errorf(greenlight.CodeInvalid, "replica %s runs with another description; stop it first", spec.ID)
		case r.State != greenlight.ReplicaStarting:
			return r.Replica, nil
		}
		b.wait(ctx, r, r.upcoming().at)
	}
}

// startNew starts a replica in place of before, which ended or is nil.
func (b *Backend) startNew(ctx context.Context, spec greenlight.ReplicaSpec, before *replica) (greenlight.Replica, error) {
	t := now()
	if before != nil && before.NotBefore.After(t) {
		return greenlight.Replica{}, backend.TooEarly(before.Replica, t)
	}
	conduct := b.options.Conduct(spec)
	if conduct.StartError != nil {
		return greenlight.Replica{}, conduct.StartError
	}
	b.pid++
	r := launch(spec, conduct, before, b.pid, t)
	b.put(r)
	b.output(r).write(conduct.Output)
	b.tell(r, false)
	for {
		b.step(r, now())
		switch {
		case b.replicas[spec.Environment][spec.ID] != r:
			return greenlight.Replica{}, greenlight.Errorf(greenlight.CodeUnavailable, "replica %s was stopped while it started", spec.ID)
		case !r.running():
			return greenlight.Replica{}, &backend.StartError{ID: spec.ID, Reason: r.ended, Health: r.health(), Logs: conduct.Output}
		case r.State != greenlight.ReplicaStarting:
			return r.Replica, nil
		case ctx.Err() != nil:
			b.giveUp(r, before)
			return greenlight.Replica{}, fmt.Errorf("replica %s: starting it: %w", spec.ID, ctx.Err())
		}
		b.wait(ctx, r, r.upcoming().at)
	}
}

// giveUp undoes a start.
func (b *Backend) giveUp(r, before *replica) {
	if before == nil {
		b.remove(r)
		return
	}
	r.wake()
	b.put(before)
	b.tell(before, false)
}

// Stop ends a replica and forgets it; see backend.Backend.
func (b *Backend) Stop(ctx context.Context, environment, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.get(environment, id)
	if r == nil {
		return nil
	}
	if r.running() && r.State != greenlight.ReplicaStarting {
		b.askToStop(r)
		kill := now().Add(r.spec.StopGrace)
		for b.replicas[environment][id] == r && r.running() && now().Before(kill) {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("stopping replica %s: %w", id, err)
			}
			b.wait(ctx, r, earliest(kill, r.upcoming().at))
			b.step(r, now())
		}
	}
	if b.replicas[environment][id] == r {
		b.remove(r)
	}
	return nil
}

func (b *Backend) askToStop(r *replica) {
	if r.State == greenlight.ReplicaStopping {
		return
	}
	t := now()
	r.enter(t, greenlight.ReplicaStopping, "")
	if !r.conduct.IgnoreStop {
		r.stops = t.Add(r.conduct.StopAfter)
	}
	b.tell(r, false)
	b.step(r, t)
}

// Run moves the replicas on their clock; see backend.Backend.
func (b *Backend) Run(ctx context.Context, changed func(backend.Change)) error {
	if !b.feed.Open() {
		return greenlight.Errorf(greenlight.CodeInternal, "backend mem: Run runs already")
	}
	defer b.feed.Close()
	b.tellAll()
	var clock sync.WaitGroup
	clock.Go(func() { b.runClock(ctx) })
	b.feed.Deliver(ctx, changed)
	clock.Wait()
	return nil
}

func (b *Backend) tellAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, replicas := range b.replicas {
		for _, r := range replicas {
			b.feed.Tell(backend.Change{Replica: r.Replica})
		}
	}
}

func (b *Backend) runClock(ctx context.Context) {
	for ctx.Err() == nil {
		b.mu.Lock()
		b.advance()
		due := b.due
		b.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-b.sooner:
		case <-alarm(due):
		}
	}
}

// alarm rings at a time, never at zero.
func alarm(at time.Time) <-chan time.Time {
	if at.IsZero() {
		return nil
	}
	return time.After(time.Until(at))
}

// Kill ends a running replica as if from outside, and is false when it does not
// run.
func (b *Backend) Kill(environment, id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.get(environment, id)
	if r == nil || !r.running() {
		return false
	}
	b.end(r, now(), "killed by SIGKILL")
	return true
}

// SetHealth makes a replica's checks fail with a reason, or pass again with "".
func (b *Backend) SetHealth(environment, id, reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.get(environment, id)
	if r == nil {
		return
	}
	switch {
	case r.State == greenlight.ReplicaReady && reason != "":
		r.enter(now(), greenlight.ReplicaUnready, reason)
	case r.State == greenlight.ReplicaUnready && reason == "":
		r.enter(now(), greenlight.ReplicaReady, "")
	default:
		return
	}
	b.tell(r, false)
	b.step(r, now())
}

// Runs tells whether any running replica has the pid.
func (b *Backend) Runs(pid int) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.advance()
	for _, replicas := range b.replicas {
		for _, r := range replicas {
			if r.PID == pid && r.running() {
				return true
			}
		}
	}
	return false
}

// Logs reads a replica's output; see backend.Backend.
func (b *Backend) Logs(ctx context.Context, environment, id string, o backend.LogOptions) (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.outputs[[2]string{environment, id}]
	if out == nil {
		return nil, greenlight.Errorf(greenlight.CodeNotFound, "environment %s never had a replica %s", environment, id)
	}
	ctx, cancel := context.WithCancel(ctx)
	return &reader{ctx: ctx, cancel: cancel, output: out, at: out.tail(o.Tail), follow: o.Follow}, nil
}

func (b *Backend) put(r *replica) {
	if b.replicas[r.Environment] == nil {
		b.replicas[r.Environment] = make(map[string]*replica)
	}
	b.replicas[r.Environment][r.ID] = r
}

func (b *Backend) remove(r *replica) {
	delete(b.replicas[r.Environment], r.ID)
	b.tell(r, true)
}

func (b *Backend) output(r *replica) *output {
	name := [2]string{r.Environment, r.ID}
	if b.outputs[name] == nil {
		b.outputs[name] = &output{more: make(chan struct{})}
	}
	return b.outputs[name]
}

// get is a replica as it is now; nil when there is none.
func (b *Backend) get(environment, id string) *replica {
	if r := b.replicas[environment][id]; r != nil {
		b.step(r, now())
	}
	return b.replicas[environment][id]
}

// tell lets those know who follow a replica.
func (b *Backend) tell(r *replica, gone bool) {
	b.feed.Tell(backend.Change{Replica: r.Replica, Gone: gone})
	r.wake()
}

// wait lets the backend go until a time, a change of the replica or ctx's end;
// the zero time is never.
func (b *Backend) wait(ctx context.Context, r *replica, until time.Time) {
	moved := r.moved
	b.mu.Unlock()
	defer b.mu.Lock()
	select {
	case <-ctx.Done():
	case <-moved:
	case <-alarm(until):
	}
}
