package process

import (
	"context"
	"net"
	"strconv"
	"sync"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
)

// replica is the entry of one replica. Who starts, stops or buries it holds its
// lock for as long as that takes; who only looks, or notes a health, does not.
type replica struct {
	key
	backend *Backend
	busy    chan struct{} // the lock: holds one element while it is taken

	mu        sync.Mutex
	rec       record
	gone      bool
	watched   string             // the launch that Run watches
	interrupt context.CancelFunc // gives up the start under way; nil when there is none
}

func newReplica(b *Backend, k key) *replica {
	return &replica{key: k, backend: b, busy: make(chan struct{}, 1)}
}

func (r *replica) lock(ctx context.Context) error {
	select {
	case r.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (r *replica) tryLock() bool {
	select {
	case r.busy <- struct{}{}:
		return true
	default:
		return false
	}
}

func (r *replica) unlock() { <-r.busy }

func (r *replica) get() record {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rec
}

func (r *replica) forgotten() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.gone
}

// view is the replica for others; false before its first record.
func (r *replica) view() (greenlight.Replica, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rec.replica(), r.rec.State != "" && !r.gone
}

// tell tells of the replica as it is.
func (r *replica) tell() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rec.State != "" && !r.gone {
		r.backend.feed.Tell(backend.Change{Replica: r.rec.replica()})
	}
}

// update changes the record, on disk first, and tells of it. change returns
// false to leave all as it is.
func (r *replica) update(change func(rec *record) bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone {
		return nil
	}
	next := r.rec
	if !change(&next) {
		return nil
	}
	if err := next.save(r.backend.options.State); err != nil {
		return greenlight.Errorf(greenlight.CodeInternal, "replica %s: writing its record: %w", r.id, err)
	}
	launching := next.State == greenlight.ReplicaStarting && !next.running() // told with its process
	told := next.replica() != r.rec.replica() && !launching
	r.rec = next
	if told {
		r.backend.feed.Tell(backend.Change{Replica: next.replica()})
	}
	return nil
}

// note is update for what cannot be undone: when the disk refuses, memory still
// has to know.
func (r *replica) note(change func(rec *record)) {
	err := r.update(func(rec *record) bool { change(rec); return true })
	if err == nil {
		return
	}
	r.backend.options.Log.Error("the record is behind", "replica", r.id, "error", err)
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.rec)
	r.backend.feed.Tell(backend.Change{Replica: r.rec.replica()})
}

// forget removes the record and is false when that was done before.
func (r *replica) forget() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone {
		return false
	}
	if err := r.rec.remove(r.backend.options.State, r.key); err != nil {
		r.backend.options.Log.Error("removing a record", "replica", r.id, "error", err)
	}
	r.gone = true
	if r.rec.State != "" {
		r.backend.feed.Tell(backend.Change{Replica: r.rec.replica(), Gone: true})
	}
	return true
}

// interruptible gives ctx an end by Stop.
func (r *replica) interruptible(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.interrupt = func() { cancel(errInterrupted) }
	return ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.interrupt = nil
		cancel(nil)
	}
}

func (r *replica) giveUpStart() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.interrupt != nil {
		r.interrupt()
	}
}

// replica is what others see of a record.
func (rec record) replica() greenlight.Replica {
	at := ""
	if rec.running() {
		at = address(rec.Port)
	}
	return greenlight.Replica{
		ID:          rec.Spec.ID,
		Environment: rec.Spec.Environment,
		Service:     rec.Spec.Service,
		Release:     rec.Spec.Release,
		PID:         rec.Leader.PID,
		Address:     at,
		State:       rec.State,
		Reason:      rec.Reason,
		Restarts:    rec.Restarts,
		Since:       rec.Since,
		NotBefore:   rec.NotBefore,
	}
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// enter brings a record into a state.
func (rec *record) enter(state greenlight.ReplicaState, reason string) {
	rec.State, rec.Reason = state, reason
	rec.Since = now()
}

// now is the time as a record keeps it: without a monotonic part, so that a
// replica is the same before and after it was read again.
func now() time.Time { return time.Now().UTC().Round(0) }

// running tells whether the record has a process, alive or not yet buried.
func (rec record) running() bool { return rec.Leader.PID != 0 }
