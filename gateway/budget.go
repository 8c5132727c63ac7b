package gateway

import (
	"sync/atomic"
	"time"
)

// retryBudget lets retries be a share of the requests, so that a service in
// trouble is not asked three times as much. Each request pays in that share
// of a token, each retry takes one out; ten tokens a second come for free, so
// that a quiet service can retry too (the scheme of Finagle's RetryBudget).
type retryBudget struct {
	milli      atomic.Int64 // thousandths of a token
	refilledAt atomic.Int64 // nanoseconds since 1970
}

const (
	fullBudget      = 100_000 // thousandths: what a burst of failures may use
	freeMilliPerSec = 10_000
)

// deposit pays for one request.
func (b *retryBudget) deposit(milli int64) {
	if milli > 0 && b.milli.Load() < fullBudget {
		b.milli.Add(milli)
	}
}

// withdraw takes the token for one retry if there is one.
func (b *retryBudget) withdraw(now time.Time) bool {
	b.refill(now.UnixNano())
	for {
		have := b.milli.Load()
		if have < 1000 {
			return false
		}
		if b.milli.CompareAndSwap(have, have-1000) {
			return true
		}
	}
}

// refill adds the free tokens since the last time; a new budget is full.
func (b *retryBudget) refill(now int64) {
	last := b.refilledAt.Load()
	if !b.refilledAt.CompareAndSwap(last, max(now, last)) || now <= last {
		return
	}
	free := int64(fullBudget)
	if last != 0 {
		free = min(fullBudget, int64(float64(now-last)/1e9*freeMilliPerSec))
	}
	if have := b.milli.Add(free); have > fullBudget {
		b.milli.Add(fullBudget - have)
	}
}
