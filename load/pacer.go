package load

import (
	"context"
	"runtime"
	"time"
)

// pacer sleeps on a thread of its own with nanosleep, whose wake-ups come
// within some tens of microseconds; Go's timers wait for the poller, which
// may be a millisecond late.
type pacer struct {
	start time.Time
}

// nap bounds one sleep, so that the end of a test is noticed.
const nap = 20 * time.Millisecond

// run calls due for every request at its time, on a locked thread, until all
// are due or ctx is done. It gives how many were.
func (p *pacer) run(ctx context.Context, a *Arrivals, due func(i int64)) int64 {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer sharpen()()
	for i := range a.Total() {
		if !p.sleepUntil(ctx, a.At(i)) {
			return i
		}
		due(i)
	}
	p.sleepUntil(ctx, a.Length())
	return a.Total()
}

// sleepUntil is false when ctx is done first.
func (p *pacer) sleepUntil(ctx context.Context, at time.Duration) bool {
	for {
		left := at - time.Since(p.start)
		if left <= 0 {
			return ctx.Err() == nil
		}
		if ctx.Err() != nil {
			return false
		}
		sleep(min(left, nap)) // may end early: the loop goes on
	}
}
