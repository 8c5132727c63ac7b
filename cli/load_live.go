package cli

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/load"
)

const (
	liveTimeout = 2 * time.Second // of one report
	liveSilence = 3 * time.Second // between two where nothing is new: then the last one again
)

// liveTest is a test that the control plane of its service hears of while it
// runs. It keeps the test waiting for the first report alone, so that the
// control plane counts none of its requests as demand: what cannot be told later
// is left out. A nil one is of a target that has no control plane.
type liveTest struct {
	service *loadedService
	id      string
	begun   time.Time
	stop    context.CancelCauseFunc
	news    chan control.LoadReport // the newest, until it is sent
	over    chan control.LoadReport
	sending sync.WaitGroup

	last    control.LoadReport
	kept    string // id of the result
	stopped string // why it ended early
}

// tell begins to tell the control plane of a test's service how it goes, until
// finish. total is how long it takes, 0 where nobody knows. The context that
// comes back ends when somebody asks there for the test to stop.
func (t *loadTest) tell(ctx context.Context, scenario string, total time.Duration) context.Context {
	if t.service == nil {
		return ctx
	}
	id, err := control.NewLiveLoadID()
	if err != nil {
		return ctx
	}
	ctx, stop := context.WithCancelCause(ctx)
	l := &liveTest{service: t.service, id: id, begun: time.Now(), stop: stop, news: make(chan control.LoadReport, 1), over: make(chan control.LoadReport, 1)}
	l.last = control.LoadReport{Scenario: scenario, Model: "open", Total: total.Seconds()}
	if t.Clients > 0 {
		l.last.Model, l.last.Clients = "closed", t.Clients
	}
	t.live = l
	telling := context.WithoutCancel(ctx)
	if l.report(telling, l.last) {
		last := l.last
		l.sending.Go(func() { l.send(telling, last) })
	}
	return ctx
}

// follow has a run tell of itself; phase says which of several it is.
func (l *liveTest) follow(o *load.Options, phase string) {
	if l == nil {
		return
	}
	o.Progress = func(p load.Progress) {
		l.last = l.reportOf(&p, phase)
		select {
		case <-l.news: // was not sent in time
		default:
		}
		l.news <- l.last // nobody else puts one in
	}
}

func (l *liveTest) reportOf(p *load.Progress, phase string) control.LoadReport {
	r, s := l.last, p.SoFar
	if r.Phase = phase; p.Warmup {
		r.Phase = strings.TrimPrefix(phase+", warm-up", ", ")
	}
	r.Requests, r.Errors, r.Rate, r.P50, r.P99, r.Lag, r.VoidReason = s.Requests, s.ErrorShare(), s.Rate, s.Response.P50, s.Response.P99, s.Lag.P99, s.VoidReason
	r.Thresholds = make([]control.LoadThreshold, 0, len(s.Verdicts))
	for _, v := range s.Verdicts {
		r.Thresholds = append(r.Thresholds, control.LoadThreshold{Threshold: v.Threshold, Value: v.Value, OK: v.OK})
	}
	second := p.Second
	r.Last = control.LoadSecond{At: time.Since(l.begun).Seconds(), Warmup: p.Warmup, Planned: p.Planned, Rate: float64(second.Requests) / second.Length,
		Errors: float64(second.Errors) / second.Length, P50: second.P50, P99: second.P99}
	return r
}

// came says what the test came to, for finish: why it ended early, and the id
// of its result.
func (l *liveTest) came(stopped, kept string) {
	if l != nil {
		l.stopped, l.kept = stopped, kept
	}
}

// finish tells that the test is over, and waits until that is told.
func (l *liveTest) finish() {
	if l == nil {
		return
	}
	defer l.stop(nil)
	last := l.last
	last.Ended, last.Kept, last.Stopped = true, l.kept, l.stopped
	l.over <- last
	l.sending.Wait()
}

// send tells what is new until the test is over, or telling is refused.
func (l *liveTest) send(ctx context.Context, last control.LoadReport) {
	for told := true; told; told = l.report(ctx, last) {
		select {
		case last = <-l.news:
		case last = <-l.over:
			l.report(ctx, last)
			return
		case <-time.After(liveSilence):
		}
	}
}

// report tells once, and ends the test when the answer asks for it. It is
// false where the control plane will not be told at another time either.
func (l *liveTest) report(ctx context.Context, r control.LoadReport) bool {
	if r.Elapsed = time.Since(l.begun).Seconds(); r.Total > 0 {
		r.Elapsed = min(r.Elapsed, r.Total)
	}
	if r.Ended {
		r.Elapsed = r.Last.At
	}
	ctx, cancel := context.WithTimeout(ctx, liveTimeout)
	defer cancel()
	order, err := l.service.client.ReportLoad(ctx, l.service.name.environment, l.service.name.service, l.id, r)
	switch code := greenlight.CodeOf(err); {
	case err == nil && order.Stop != "":
		l.stop(&load.StopError{Reason: "stopped by " + order.Stop})
	case err != nil:
		return code == greenlight.CodeUnavailable || code == greenlight.CodeInternal
	}
	return true
}

// isStop tells whether somebody ended a test on purpose.
func isStop(err error) bool {
	_, ok := errors.AsType[*load.StopError](err)
	return ok
}

// whyDone is the error of a test whose context is done.
func whyDone(ctx context.Context) error {
	if stop, ok := errors.AsType[*load.StopError](context.Cause(ctx)); ok {
		return stop
	}
	return ctx.Err()
}
