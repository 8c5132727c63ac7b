package mem

import (
	"fmt"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
)

// replica is one replica and what is to become of it. The backend's lock
// guards it.
type replica struct {
	greenlight.Replica
	spec     greenlight.ReplicaSpec
	conduct  Conduct
	started  time.Time
	ready    time.Time // first time since the start; zero when it never was
	stops    time.Time // when it will end after it was asked to; zero is not
	ended    string    // how it ended; "" while it runs
	failures int
	moved    chan struct{} // closed and renewed with every change
}

func launch(spec greenlight.ReplicaSpec, conduct Conduct, before *replica, pid int, t time.Time) *replica {
	r := &replica{
		Replica: greenlight.Replica{
			ID: spec.ID, Environment: spec.Environment, Service: spec.Service, Release: spec.Release,
			PID: pid, Address: fmt.Sprintf("replica-%d.mem:80", pid),
		},
		spec: spec, conduct: conduct, started: t, moved: make(chan struct{}),
	}
	if before != nil {
		r.Restarts, r.failures = before.Restarts+1, before.failures
	}
	r.enter(t, greenlight.ReplicaStarting, "")
	return r
}

// now is the time without a monotonic part, so that replicas can be compared.
func now() time.Time { return time.Now().UTC().Round(0) }

func (r *replica) running() bool { return r.ended == "" }

func (r *replica) enter(t time.Time, state greenlight.ReplicaState, reason string) {
	r.State, r.Reason, r.Since = state, reason, t
}

// health is the answer that its checks give.
func (r *replica) health() string {
	if r.State == greenlight.ReplicaReady {
		return ""
	}
	if r.conduct.Health == "" {
		return "no answer"
	}
	return r.conduct.Health
}

// event is what happens to a replica next.
type event struct {
	at time.Time // zero is never
	do func(b *Backend, t time.Time)
}

// upcoming is the earliest event of a replica in its state. Each leads to
// another state, so that a clock which jumped passes them one after the other.
func (r *replica) upcoming() event {
	if !r.running() {
		return event{}
	}
	list := []event{{r.after(r.conduct.ExitAfter), func(b *Backend, t time.Time) {
		b.end(r, t, fmt.Sprintf("exit status %d", r.conduct.ExitCode))
	}}}
	var sick, well time.Time
	if r.conduct.SickAfter > 0 {
		sick = r.ready.Add(r.conduct.SickAfter)
	}
	if r.conduct.SickFor > 0 {
		well = sick.Add(r.conduct.SickFor)
	}
	switch r.State {
	case greenlight.ReplicaStarting:
		if !r.conduct.NeverReady {
			list = append(list, event{r.started.Add(r.conduct.ReadyAfter), r.becomeReady})
		}
		list = append(list, event{r.started.Add(r.spec.StartGrace), func(b *Backend, t time.Time) {
			b.end(r, t, fmt.Sprintf("not ready within %s", r.spec.StartGrace))
		}})
	case greenlight.ReplicaReady:
		if well.IsZero() || r.Since.Before(well) {
			list = append(list, event{sick, r.becomeSick})
		}
	case greenlight.ReplicaUnready:
		list = append(list, event{well, r.becomeReady})
	case greenlight.ReplicaStopping:
		list = append(list, event{r.stops, func(b *Backend, _ time.Time) {
			r.ended = "stopped"
			b.remove(r)
		}})
	}
	return soonest(list)
}

func (r *replica) becomeReady(b *Backend, t time.Time) {
	r.enter(t, greenlight.ReplicaReady, "")
	if r.ready.IsZero() {
		r.ready = t
	}
	b.tell(r, false)
}

// becomeSick fails the ready check, and the live check where there is one: that
// ends the replica.
func (r *replica) becomeSick(b *Backend, t time.Time) {
	if r.spec.Live.Path != "" || r.spec.Live.TCP {
		b.end(r, t, "the live check failed: "+r.conduct.Health)
		return
	}
	r.enter(t, greenlight.ReplicaUnready, r.conduct.Health)
	b.tell(r, false)
}

// after is a time from the start on; 0 is never.
func (r *replica) after(d time.Duration) time.Time {
	if d == 0 {
		return time.Time{}
	}
	return r.started.Add(d)
}

// wake ends the waiting of those who wait for a change.
func (r *replica) wake() {
	close(r.moved)
	r.moved = make(chan struct{})
}

func soonest(list []event) event {
	var first event
	for _, e := range list {
		if first.at.IsZero() || !e.at.IsZero() && e.at.Before(first.at) {
			first = e
		}
	}
	return first
}

func earliest(a, b time.Time) time.Time {
	return soonest([]event{{at: a}, {at: b}}).at
}

// step lets happen what is due with a replica.
func (b *Backend) step(r *replica, t time.Time) {
	e := r.upcoming()
	for !e.at.IsZero() && !e.at.After(t) {
		e.do(b, e.at)
		e = r.upcoming()
	}
	if due := earliest(b.due, e.at); !due.Equal(b.due) {
		b.due = due
		select {
		case b.sooner <- struct{}{}:
		default:
		}
	}
}

// advance lets happen what is due with all replicas. Most often that is
// nothing, and nobody looks through them.
func (b *Backend) advance() {
	t := now()
	if b.due.IsZero() || b.due.After(t) {
		return
	}
	b.due = time.Time{}
	for _, replicas := range b.replicas {
		for _, r := range replicas {
			b.step(r, t)
		}
	}
}

// end notes that a replica ended by itself.
func (b *Backend) end(r *replica, t time.Time, how string) {
	health := r.health()
	r.ended = fmt.Sprintf("%s after %s", how, t.Sub(r.started).Round(time.Millisecond))
	if r.State == greenlight.ReplicaStopping {
		b.remove(r)
		return
	}
	failure := backend.StartError{Reason: r.ended, Logs: r.conduct.Output}
	if r.State == greenlight.ReplicaStarting {
		failure.Health = health
	}
	var ready time.Duration
	if !r.ready.IsZero() {
		ready = t.Sub(r.ready)
	}
	r.failures = b.options.Backoff.Count(r.failures, ready)
	r.enter(t, b.options.Backoff.State(r.failures), failure.Summary())
	if delay := b.options.Backoff.Delay(r.failures); delay > 0 {
		r.NotBefore = t.Add(delay)
	}
	r.PID, r.Address = 0, ""
	b.tell(r, false)
}
