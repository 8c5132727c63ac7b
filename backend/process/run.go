package process

import (
	"context"
	"fmt"
	"sync"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
)

// watch is one call of Run.
type watch struct {
	ctx context.Context

	mu       sync.Mutex
	closed   bool           // no more goroutines
	replicas sync.WaitGroup // one or two goroutines for each, and one for the logs
}

// Run watches and probes the replicas; see backend.Backend.
func (b *Backend) Run(ctx context.Context, changed func(backend.Change)) error {
	if !b.feed.Open() {
		return greenlight.Errorf(greenlight.CodeInternal, "backend process: Run runs already")
	}
	defer b.feed.Close()
	w := &watch{ctx: ctx}
	b.watch.Store(w)
	defer b.watch.Store(nil)
	for _, r := range b.list("") {
		r.tell()
		b.watchReplica(r)
	}
	w.start(func() { b.tidyLogs(ctx) })
	b.feed.Deliver(ctx, changed)
	w.close()
	w.replicas.Wait()
	return nil
}

func (w *watch) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
}

// start runs f in a goroutine that Run waits for; after Run's end it does not.
func (w *watch) start(f func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.replicas.Go(f)
	}
	return !w.closed
}

// watchReplica watches a launch until it ends; without Run, and when it is
// watched already, it does nothing.
func (b *Backend) watchReplica(r *replica) {
	w := b.watch.Load()
	if w == nil {
		return
	}
	rec, ok := r.claim()
	if !ok {
		return
	}
	started := w.start(func() {
		defer r.unclaim(rec.Launch)
		b.attend(w.ctx, r, rec)
	})
	if !started {
		r.unclaim(rec.Launch)
	}
}

func (r *replica) claim() (record, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone || !r.rec.running() || r.watched == r.rec.Launch {
		return record{}, false
	}
	r.watched = r.rec.Launch
	return r.rec, true
}

func (r *replica) unclaim(launch string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.watched == launch {
		r.watched = ""
	}
}

// attend waits for the end of a launch and probes it meanwhile. One that its
// probes condemn is killed: it answers nobody, so there is nothing to wait for.
func (b *Backend) attend(ctx context.Context, r *replica, rec record) {
	alive, ended := context.WithCancel(ctx)
	var exit sync.WaitGroup
	exit.Go(func() {
		defer ended()
		_ = rec.Leader.awaitExit(alive)
	})
	sick := b.probe(alive, r, rec)
	ended()
	exit.Wait()
	if ctx.Err() != nil || r.lock(ctx) != nil {
		return
	}
	defer r.unlock()
	if now := r.get(); r.forgotten() || now.Launch != rec.Launch || !now.running() {
		return // somebody else saw to it
	}
	if sick == "" {
		b.settleLocked(r)
		return
	}
	ending := b.finish(rec)
	b.options.Log.Warn("replica killed", "replica", r.id, "reason", sick, "ended", ending)
	b.fail(r, sick)
}

// probe asks until ctx ends, or until the answers condemn the replica; then it
// says why.
func (b *Backend) probe(ctx context.Context, r *replica, rec record) (sick string) {
	ready := trend{probe: rec.Spec.Ready, good: rec.State == greenlight.ReplicaReady}
	live := trend{probe: rec.Spec.Live, good: true}
	for {
		if answer, due := b.ask(ctx, &ready, rec.Port); due {
			b.noteHealth(r, rec.Launch, ready.good, answer)
		}
		if answer, due := b.ask(ctx, &live, rec.Port); due && !live.good {
			return "the live check failed: " + answer
		}
		state := r.get()
		left := time.Until(rec.Started.Add(rec.Spec.StartGrace))
		if state.State == greenlight.ReplicaStarting && left <= 0 {
			return fmt.Sprintf("not ready within %s", rec.Spec.StartGrace)
		}
		wait := min(pause(ready), pause(live))
		if state.State == greenlight.ReplicaStarting {
			wait = min(wait, left)
		}
		select {
		case <-ctx.Done():
			return ""
		case <-time.After(wait):
		}
	}
}

// ask puts a probe's question when it is time, and tells whether the judgement
// changed.
func (b *Backend) ask(ctx context.Context, t *trend, port int) (answer string, changed bool) {
	if !asks(t.probe) && t.good || time.Now().Before(t.next) {
		return "", false
	}
	answer, ok := b.prober.check(ctx, t.probe, port)
	t.next = time.Now().Add(t.probe.Interval)
	if ctx.Err() != nil {
		return "", false // the answer may have been cut short
	}
	return answer, t.hear(ok)
}

// pause is how long until a probe's next question.
func pause(t trend) time.Duration {
	if !asks(t.probe) {
		return time.Hour
	}
	return max(time.Until(t.next), 0)
}

// noteHealth moves a running replica between ready and unready.
func (b *Backend) noteHealth(r *replica, launch string, ready bool, answer string) {
	err := r.update(func(rec *record) bool {
		switch {
		case rec.Launch != launch:
			return false
		case ready && (rec.State == greenlight.ReplicaUnready || rec.State == greenlight.ReplicaStarting):
			rec.enter(greenlight.ReplicaReady, "")
			if rec.ReadyAt.IsZero() {
				rec.ReadyAt = rec.Since
			}
		case !ready && rec.State == greenlight.ReplicaReady:
			rec.enter(greenlight.ReplicaUnready, answer)
		default:
			return false
		}
		return true
	})
	if err != nil {
		b.options.Log.Error("health not noted", "replica", r.id, "error", err)
	}
}
