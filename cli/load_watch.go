package cli

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/load"
)

const (
	watchEvery = 400 * time.Millisecond // twice in each second that the control plane samples
	watchLast  = 2500 * time.Millisecond
	keepTime   = 20 * time.Second // for a result to reach the control plane
	wrongClock = 5 * time.Second  // beyond, the control plane's clock is not ours
)

// loadWatch follows a service while a test runs.
type loadWatch struct {
	*loadedService
	seen *load.Observer
	skew *time.Duration // of the control plane's clock; nil until it was seen
	last time.Time      // end of the last second that was seen, by our clock
	end  time.Time      // of the test, once it ended
}

// watch follows the service as its control plane sees it, until the function
// that it gives is called: that one waits for the last second and sums up. It
// gives nil when nothing was seen.
func (s *loadedService) watch(ctx context.Context) func() *load.Server {
	begun := time.Now()
	w := &loadWatch{loadedService: s, seen: load.NewObserver(s.name.environment, s.name.service, s.detail.Release, begun)}
	// The last second comes after the test, when ctx may be done already.
	watching, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan time.Time, 1)
	machine := func() *load.Machine { return nil }
	if s.here {
		machine = load.WatchMachine(s.gateway)
	}
	var done sync.WaitGroup
	done.Go(func() { w.follow(watching, ended) })
	return func() *load.Server {
		end := time.Now()
		used := machine()
		ended <- end
		timer := time.AfterFunc(watchLast, stop)
		defer timer.Stop()
		defer stop()
		done.Wait()
		server := w.seen.Server(end.Sub(begun))
		if server != nil {
			server.Quota, server.Machine = s.quota, used
		}
		return server
	}
}

// follow looks again and again, until it has seen the second in which the test
// ended.
func (w *loadWatch) follow(ctx context.Context, ended <-chan time.Time) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for w.end.IsZero() || w.last.Before(w.end) {
		if status, err := w.client.Status(ctx); err == nil {
			w.look(&status)
		}
		select {
		case <-ctx.Done():
			return
		case w.end = <-ended:
		case <-tick.C:
		}
	}
}

// look takes the last second of a status, unless it began after the test.
func (w *loadWatch) look(status *control.Status) {
	service := serviceIn(status, w.name)
	if service == nil || service.Traffic.At.IsZero() {
		return
	}
	t := service.Traffic
	if w.last.IsZero() {
		for _, r := range service.Replicas {
			w.seen.Begin(r.ID, w.throttlingOf(r.PID))
		}
	}
	w.last = w.byOurClock(t.At)
	if !w.end.IsZero() && w.last.Sub(w.end) >= time.Second {
		return
	}
	if !w.seen.Add(w.last, load.ServerSecond{
		Rate: t.Rate, Errors: t.Errors, Mean: t.Mean, P50: t.P50, P99: t.P99, InFlight: t.InFlight, Held: t.Held, Queue: t.Queue,
		CPU: t.CPU, Memory: t.Memory, Ready: service.Ready,
	}) {
		return
	}
	for _, r := range service.Replicas {
		w.seen.AddReplica(r.ID, r.CPU, r.Memory, w.throttlingOf(r.PID))
	}
}

// throttlingOf is nil for processes of another machine, and where nobody tells.
func (w *loadWatch) throttlingOf(pid int) *load.Throttling {
	if !w.here || pid <= 0 {
		return nil
	}
	if counts, ok := load.ThrottlingOf(pid); ok {
		return &counts
	}
	return nil
}

// byOurClock is a moment of the control plane's clock.
func (w *loadWatch) byOurClock(at time.Time) time.Time {
	if w.skew == nil {
		off := time.Since(at)
		if off.Abs() <= wrongClock {
			off = 0
		}
		w.skew = &off
	}
	return at.Add(*w.skew)
}

// keep hands a result to the control plane and gives its id there. That it
// cannot is no fault of the test, so it is only said.
func (s *loadedService) keep(ctx context.Context, stderr io.Writer, r *load.Result, quiet bool) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTime)
	defer cancel()
	kept, err := s.client.KeepLoad(ctx, s.name.environment, s.name.service, r)
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "the control plane does not keep the result: %v\n", err)
	case !quiet:
		fmt.Fprintf(stderr, "kept as %s; greenlight load show %s shows it again\n", kept.ID, s.name)
	}
	return kept.ID
}
