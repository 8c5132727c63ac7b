package gateway

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// target is one replica with what is known of it. It lives as long as its
// address stands in the configuration, and then until its last request ends.
type target struct {
	service, release, id, address string
	upstream                      *upstream

	inFlight atomic.Int64
	// retired is set before the in-flight count is read for the last time, and
	// read after it is raised: a request is either counted or goes elsewhere.
	retired atomic.Bool

	health
	stopCheck context.CancelFunc // nil without active checks
}

// health is how a target's requests and checks went.
type health struct {
	checkFailed     atomic.Bool
	ejectedUntil    atomic.Int64 // nanoseconds since 1970, 0 never
	connectFailures atomic.Int32 // in a row
	failures        atomic.Int32 // in a row

	mu           sync.Mutex
	ejections    int // in all
	backOff      int // ejections without a success between them
	lastError    string
	lastFailedAt time.Time
	lastCheck    string
	checkedAt    time.Time
}

func (h *health) usable(now time.Time) bool {
	return !h.checkFailed.Load() && h.ejectedUntil.Load() <= now.UnixNano()
}

// acquire counts a request, unless the target is about to be gone.
func (t *target) acquire() bool {
	t.inFlight.Add(1)
	if t.retired.Load() {
		t.inFlight.Add(-1)
		return false
	}
	return true
}

func (t *target) done() { t.inFlight.Add(-1) }

// succeeded ends a row of failures.
func (t *target) succeeded() {
	if t.connectFailures.Load() == 0 && t.failures.Load() == 0 && t.ejectedUntil.Load() == 0 {
		return
	}
	t.connectFailures.Store(0)
	t.failures.Store(0)
	if t.ejectedUntil.Swap(0) != 0 {
		t.mu.Lock()
		t.backOff = 0
		t.mu.Unlock()
	}
}

// ejection is the compiled policy of a service.
type ejection struct {
	failures, connectFailures int32 // negative never
	base, max                 time.Duration
}

func compileEjection(c Ejection) ejection {
	e := ejection{int32(c.Failures), int32(c.ConnectFailures), c.Base.or(time.Second), c.Max.or(time.Minute)}
	if e.failures == 0 {
		e.failures = 5
	}
	if e.connectFailures == 0 {
		e.connectFailures = 2
	}
	return e
}

// failed counts a failure and takes the target out when the policy says so
// and another one of its release is usable.
func (t *target) failed(r *release, policy ejection, connect bool, reason string, now time.Time) {
	row, most := &t.failures, policy.failures
	if connect {
		row, most = &t.connectFailures, policy.connectFailures
	}
	n := row.Add(1)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lastError, t.lastFailedAt = reason, now
	if most < 0 || n < most || !t.usable(now) || !r.otherUsable(t, now) {
		return
	}
	out := policy.max
	if t.backOff < 32 && policy.base<<t.backOff < policy.max && policy.base<<t.backOff > 0 {
		out = policy.base << t.backOff
	}
	t.backOff++
	t.ejections++
	t.ejectedUntil.Store(now.Add(out).UnixNano())
	row.Store(most - 1) // back again, one more failure is enough
}

// release is the compiled targets of a release. It never changes.
type release struct {
	name    string
	index   int // in the service
	weight  int
	targets []*target
	metrics *releaseMetrics
}

func (r *release) otherUsable(than *target, now time.Time) bool {
	for _, t := range r.targets {
		if t != than && t.usable(now) {
			return true
		}
	}
	return false
}

// pick chooses the less loaded of two random usable targets that were not
// tried; when none is usable, of all: a gateway that guesses wrong about
// health must not stop the service. It gives nil when all were tried or are
// about to be gone.
func (r *release) pick(now time.Time, tried []*target) *target {
	for _, needUsable := range [...]bool{true, false} {
		first := r.from(rand.IntN(max(1, len(r.targets))), now, tried, needUsable, nil)
		if first == nil {
			continue
		}
		best := first
		if len(r.targets) > 1 {
			second := r.from(rand.IntN(len(r.targets)), now, tried, needUsable, first)
			if second != nil && second.inFlight.Load() < first.inFlight.Load() {
				best = second
			}
		}
		if best.acquire() {
			return best
		}
	}
	return nil
}

// from gives the first eligible target from index i on, around the end.
func (r *release) from(i int, now time.Time, tried []*target, needUsable bool, not *target) *target {
	for n := range r.targets {
		t := r.targets[(i+n)%len(r.targets)]
		if t != not && (!needUsable || t.usable(now)) && !slices.Contains(tried, t) && !t.retired.Load() {
			return t
		}
	}
	return nil
}
