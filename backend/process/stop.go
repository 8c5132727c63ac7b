package process

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
)

// killPatience is how long the end of a killed process is waited for. Only one
// that hangs in the kernel needs more; it is looked at again with Observe.
const killPatience = 5 * time.Second

var errGrace = errors.New("the grace is over")

// Stop ends a replica and forgets it; see backend.Backend.
func (b *Backend) Stop(ctx context.Context, environment, id string) error {
	if err := errors.Join(backend.CheckName("environment", environment), backend.CheckName("replica id", id)); err != nil {
		return greenlight.WithCode(greenlight.CodeInvalid, err)
	}
	r := b.find(key{environment, id})
	if r == nil {
		return nil
	}
	r.giveUpStart()
	if err := r.lock(ctx); err != nil {
		return fmt.Errorf("stopping replica %s: waiting for another call to end: %w", id, err)
	}
	defer r.unlock()
	if r.forgotten() {
		return nil
	}
	if rec := r.get(); rec.running() {
		r.note(func(rec *record) {
			if rec.State != greenlight.ReplicaStopping {
				rec.enter(greenlight.ReplicaStopping, "")
			}
		})
		if err := b.terminate(ctx, rec); err != nil {
			return fmt.Errorf("stopping replica %s: %w", id, err)
		}
	}
	b.forget(r)
	return nil
}

// terminate asks a replica to end and kills it after its grace.
func (b *Backend) terminate(ctx context.Context, rec record) error {
	grace, cancel := context.WithTimeoutCause(ctx, rec.Spec.StopGrace, errGrace)
	defer cancel()
	rec.Leader.signalGroup(syscall.SIGTERM)
	rec.Leader.signalGroup(syscall.SIGCONT) // one that was halted hears nothing before
	if rec.Leader.awaitExit(grace) == nil {
		b.awaitMembers(grace, rec)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	b.finish(rec)
	if rec.Leader.alive() {
		return greenlight.Errorf(greenlight.CodeUnavailable, "process %d does not end even when killed", rec.Leader.PID)
	}
	return nil
}

// awaitMembers waits for what the leader left running: a shell ends at once
// when its group is asked to, the server that it started may still answer.
func (b *Backend) awaitMembers(ctx context.Context, rec record) {
	asked := false
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		members := b.census.members(rec)
		if len(members) == 0 {
			return
		}
		for _, m := range members {
			if !asked && m.group != rec.Leader.PID {
				m.signal(syscall.SIGTERM)
			}
		}
		asked = true
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// finish kills whatever is left of a launch, reaps it and frees what it had. It
// says in words how the leader ended.
func (b *Backend) finish(rec record) string {
	rec.Leader.signalGroup(syscall.SIGKILL)
	ctx, cancel := context.WithTimeout(context.Background(), killPatience)
	defer cancel()
	_ = rec.Leader.awaitExit(ctx)
	rec.Leader.signalGroup(syscall.SIGKILL) // not reaped yet: what it forked as it died
	ended := rec.Leader.reap()
	b.killMembers(rec)
	group := cgroup{folders: rec.Cgroups}
	if group.outOfMemory() {
		ended = fmt.Sprintf("killed by the kernel: it needed more than its %d MiB of memory", rec.Spec.Resources.MemoryBytes>>20)
	}
	group.remove()
	b.ports.release(rec.Port)
	return fmt.Sprintf("%s after %s", ended, time.Since(rec.Started).Round(time.Millisecond))
}

// killMembers kills until none is left: one that forks meanwhile needs more
// than one round.
func (b *Backend) killMembers(rec record) {
	for range 20 {
		members := b.census.members(rec)
		if len(members) == 0 {
			return
		}
		for _, m := range members {
			m.signal(syscall.SIGKILL)
		}
		time.Sleep(time.Millisecond)
	}
	b.options.Log.Error("processes of a replica do not end", "replica", rec.Spec.ID, "launch", rec.Launch)
}
