package modelserver

import (
	"context"
	"sync/atomic"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// limiter lets a bounded number of calls compute at once and a bounded number
// wait: more than the cores can do at a time only makes every call slower.
type limiter struct {
	slots   chan struct{}
	waiting atomic.Int64
	most    int64
}

func newLimiter(running, waiting int) *limiter {
	return &limiter{slots: make(chan struct{}, running), most: int64(waiting)}
}

// enter waits for a slot and says for how long it did. After a nil error the
// caller leaves once.
func (l *limiter) enter(ctx context.Context) (waited time.Duration, err error) {
	select {
	case l.slots <- struct{}{}:
		return 0, nil
	default:
	}
	if l.waiting.Add(1) > l.most {
		l.waiting.Add(-1)
		return 0, greenlight.Errorf(greenlight.CodeUnavailable, "%d requests are waiting already; try again shortly", l.most)
	}
	defer l.waiting.Add(-1)
	start := time.Now()
	select {
	case l.slots <- struct{}{}:
		return time.Since(start), nil
	case <-ctx.Done():
		return time.Since(start), ctx.Err()
	}
}

func (l *limiter) leave() { <-l.slots }
