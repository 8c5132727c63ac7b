package gateway

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"
)

// checker asks one target again and again.
type checker struct {
	target             *target
	path               string
	interval, timeout  time.Duration
	unhealthy, healthy int
}

func newChecker(t *target, c *Check) *checker {
	k := &checker{target: t, path: c.Path, interval: c.Interval.or(2 * time.Second), timeout: c.Timeout.or(time.Second),
		unhealthy: max(1, c.Unhealthy), healthy: max(1, c.Healthy)}
	if c.Unhealthy == 0 {
		k.unhealthy = 2
	}
	return k
}

// run checks until ctx is done. The first check comes after a random part of
// the interval, so that a thousand targets are not asked at once.
func (k *checker) run(ctx context.Context) {
	timer := time.NewTimer(rand.N(k.interval))
	defer timer.Stop()
	failures, successes := 0, 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		err := k.ask(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			failures, successes = 0, successes+1
		} else {
			failures, successes = failures+1, 0
		}
		k.record(err, failures, successes)
		timer.Reset(k.interval)
	}
}

func (k *checker) record(err error, failures, successes int) {
	t := k.target
	switch {
	case failures >= k.unhealthy:
		t.checkFailed.Store(true)
	case successes >= k.healthy:
		t.checkFailed.Store(false)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.checkedAt, t.lastCheck = time.Now(), "ok"
	if err != nil {
		t.lastCheck = err.Error()
	}
}

// ask is one check: any answer below 400 is well.
func (k *checker) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, k.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+k.target.address+k.path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "greenlight-gateway-check")
	resp, err := k.target.upstream.roundTrip(req, true, nil, true)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	if resp.StatusCode >= 400 {
		return fmt.Errorf("GET %s answered %s", k.path, resp.Status)
	}
	return nil
}
