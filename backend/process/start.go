package process

import (
	"context"
	"errors"
	"fmt"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
)

var (
	errInterrupted = greenlight.Errorf(greenlight.CodeUnavailable, "it was stopped while it started")
	errExited      = errors.New("it ended")
	errTooSlow     = errors.New("it was not ready in time")
)

// Start runs a replica until it is ready; see backend.Backend.
func (b *Backend) Start(ctx context.Context, spec greenlight.ReplicaSpec) (greenlight.Replica, error) {
	spec, err := b.complete(spec)
	if err != nil {
		return greenlight.Replica{}, err
	}
	r, err := b.obtain(ctx, key{spec.Environment, spec.ID})
	if err != nil {
		return greenlight.Replica{}, fmt.Errorf("replica %s: waiting for another call to end: %w", spec.ID, err)
	}
	defer r.unlock()
	defer func() {
		if r.get().State == "" {
			b.forget(r) // nothing came of it
		}
	}()
	if rec := r.get(); rec.running() {
		return b.join(ctx, r, rec, spec)
	}
	return b.startNew(ctx, r, spec)
}

func (b *Backend) complete(spec greenlight.ReplicaSpec) (greenlight.ReplicaSpec, error) {
	spec, err := backend.Complete(spec)
	if err == nil && spec.Image != "" {
		err = greenlight.Errorf(greenlight.CodeUnsupported,
			"replica %s: the image %s needs a backend that runs containers; processes need a command", spec.ID, spec.Image)
	}
	return spec, err
}

// join is Start of a replica that runs already.
func (b *Backend) join(ctx context.Context, r *replica, rec record, spec greenlight.ReplicaSpec) (greenlight.Replica, error) {
	switch {
	case rec.State == greenlight.ReplicaStopping:
		return greenlight.Replica{}, greenlight.Errorf(greenlight.CodeUnavailable, "replica %s is stopping", spec.ID)
	case !backend.Same(rec.Spec, spec):
		return greenlight.Replica{}, greenlight.Errorf(greenlight.CodeInvalid,
			"replica %s runs with another description; stop it first", spec.ID)
	case rec.State == greenlight.ReplicaStarting: // adopted; it goes on when the caller gives up
		ctx, done := r.interruptible(ctx)
		defer done()
		return b.gate(ctx, r, func() {})
	}
	return rec.replica(), nil
}

func (b *Backend) startNew(ctx context.Context, r *replica, spec greenlight.ReplicaSpec) (greenlight.Replica, error) {
	before := r.get()
	if t := now(); before.NotBefore.After(t) {
		return greenlight.Replica{}, backend.TooEarly(before.replica(), t)
	}
	ctx, done := r.interruptible(ctx)
	defer done()
	if err := b.launch(ctx, r, spec); err != nil {
		b.restore(r, before)
		return greenlight.Replica{}, err
	}
	return b.gate(ctx, r, func() {
		b.finish(r.get())
		b.restore(r, before)
	})
}

// gate waits until a launched replica is ready. One that cannot be is ended and
// failed; giveUp is called when ctx ends first.
func (b *Backend) gate(ctx context.Context, r *replica, giveUp func()) (greenlight.Replica, error) {
	rec := r.get()
	answer, err := b.awaitReady(ctx, rec)
	if err == nil {
		b.noteHealth(r, rec.Launch, true, "")
		b.watchReplica(r)
		return r.get().replica(), nil
	}
	if !errors.Is(err, errExited) && !errors.Is(err, errTooSlow) {
		giveUp()
		return greenlight.Replica{}, fmt.Errorf("replica %s: starting it: %w", r.id, err)
	}
	ended := b.finish(rec)
	if errors.Is(err, errTooSlow) {
		ended = fmt.Sprintf("not ready within %s", rec.Spec.StartGrace)
	}
	failure := &backend.StartError{ID: r.id, Reason: ended, Health: answer, Logs: b.lastLines(rec)}
	b.noteFailure(r, failure.Summary())
	return greenlight.Replica{}, failure
}

// restore makes the record what it was before a start that was given up.
func (b *Backend) restore(r *replica, before record) {
	if before.State == "" {
		b.forget(r)
		return
	}
	if r.get().Launch != before.Launch {
		r.note(func(rec *record) { *rec = before })
	}
}

// awaitReady gives the last health answer, and why there was no good one:
// errExited, errTooSlow or the cause of ctx's end.
func (b *Backend) awaitReady(ctx context.Context, rec record) (string, error) {
	ctx, cancel := context.WithDeadlineCause(ctx, rec.Started.Add(rec.Spec.StartGrace), errTooSlow)
	defer cancel()
	ctx, exited := context.WithCancelCause(ctx)
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		if rec.Leader.awaitExit(ctx) == nil {
			exited(errExited)
		}
	}()
	answer, ready := b.prober.untilReady(ctx, rec.Spec.Ready, rec.Port)
	cause := context.Cause(ctx)
	exited(nil)
	<-watching
	if ready && !errors.Is(cause, errExited) {
		return answer, nil
	}
	return answer, cause
}

// fail notes that a replica ended by itself. r is locked, its process is gone.
func (b *Backend) fail(r *replica, ended string) {
	rec := r.get()
	failure := backend.StartError{Reason: ended, Logs: b.lastLines(rec)}
	b.noteFailure(r, failure.Summary())
}

func (b *Backend) noteFailure(r *replica, reason string) {
	r.note(func(rec *record) {
		t := now()
		if rec.running() && rec.Leader.alive() { // it hangs in the kernel
			rec.enter(greenlight.ReplicaStopping, reason+"; it does not end even when killed")
			return
		}
		var ready time.Duration
		if !rec.ReadyAt.IsZero() {
			ready = t.Sub(rec.ReadyAt)
		}
		rec.Failures = b.options.Backoff.Count(rec.Failures, ready)
		rec.Leader, rec.Cgroups = leader{}, nil
		rec.enter(b.options.Backoff.State(rec.Failures), reason)
		if delay := b.options.Backoff.Delay(rec.Failures); delay > 0 {
			rec.NotBefore = rec.Since.Add(delay)
		}
	})
}
