package control

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Bounds of what is known of load tests that run.
const (
	MaxLiveLoads     = 32                     // at the same time
	MaxLoadReport    = 64 << 10               // bytes of one report
	liveLoadForgot   = 10 * time.Second       // after its last report
	liveLoadPace     = 200 * time.Millisecond // what comes faster is left out
	maxLiveSeconds   = 600                    // that are remembered of one; of longer tests, every other, and so on
	maxLiveThreshold = 20
)

// LoadReport is how a load test goes, as the one who runs it tells about once
// a second. Figures without another word are of what counted so far: nothing
// does in a warm-up.
type LoadReport struct {
	Scenario   string          `json:"scenario,omitempty" doc:"its name in the description"`
	Phase      string          `json:"phase,omitempty" doc:"where it is: a warm-up, a rate of a search, a run of a comparison"`
	Model      string          `json:"model" enum:"open,closed" doc:"open: requests are due at fixed times; closed: clients wait for answers"`
	Clients    int             `json:"clients,omitempty" minimum:"0" doc:"of the closed model"`
	Elapsed    float64         `json:"elapsed" minimum:"0" doc:"seconds since it began"`
	Total      float64         `json:"total,omitempty" minimum:"0" doc:"seconds that it takes; 0 where nobody knows"`
	Requests   int64           `json:"requests" minimum:"0"`
	Errors     float64         `json:"errors" minimum:"0" maximum:"1" doc:"share of the requests"`
	Rate       float64         `json:"rate" minimum:"0" doc:"answers a second"`
	P50        float64         `json:"p50" minimum:"0" doc:"of response times, seconds"`
	P99        float64         `json:"p99" minimum:"0" doc:"seconds"`
	Lag        float64         `json:"lag" minimum:"0" doc:"what the generator added, p99, seconds"`
	VoidReason string          `json:"void_reason,omitempty" doc:"why the result would be void if the test ended now"`
	Thresholds []LoadThreshold `json:"thresholds,omitempty" doc:"held against what counted so far"`
	Last       LoadSecond      `json:"last" doc:"its last second"`
	Ended      bool            `json:"ended,omitempty" doc:"this is the last report"`
	Stopped    string          `json:"stopped,omitempty" doc:"why it ended before its time"`
	Kept       string          `json:"kept,omitempty" doc:"id of its result, where that is kept"`
}

// LoadThreshold is a threshold as it stands.
type LoadThreshold struct {
	Threshold string  `json:"threshold"`
	Value     float64 `json:"value" doc:"seconds, a share, or requests a second"`
	OK        bool    `json:"ok"`
}

// LoadSecond is one second of a load test that runs.
type LoadSecond struct {
	At      float64 `json:"at" minimum:"0" doc:"its end, in seconds after the start"`
	Warmup  bool    `json:"warmup,omitempty" doc:"it was not counted, or not all of it"`
	Planned float64 `json:"planned" minimum:"0" doc:"requests a second that were due; 0 in the closed model"`
	Rate    float64 `json:"rate" minimum:"0" doc:"requests a second that were done, rightly or not"`
	Errors  float64 `json:"errors" minimum:"0" doc:"a second"`
	P50     float64 `json:"p50" minimum:"0" doc:"of response times, seconds"`
	P99     float64 `json:"p99" minimum:"0" doc:"seconds"`
}

// LoadState says where a load test that runs is.
type LoadState string

// The states of load tests that run.
const (
	LoadRunning  LoadState = "running"
	LoadStopping LoadState = "stopping" // it was asked to stop
	LoadEnded    LoadState = "ended"
)

// LiveLoad is a load test that runs, or ended a moment ago.
type LiveLoad struct {
	ID          string    `json:"id" doc:"chosen by the one who runs it; its result has another"`
	Environment string    `json:"environment"`
	Service     string    `json:"service"`
	StartedAt   time.Time `json:"started_at"`
	By          string    `json:"by" doc:"who runs it"`
	State       LoadState `json:"state" enum:"running,stopping,ended"`
	StoppedBy   string    `json:"stopped_by,omitempty" doc:"who asked it to stop"`
	LoadReport
	Seconds []LoadSecond `json:"seconds,omitempty" doc:"so far, oldest first; of a long test not every one"`
}

// LoadOrder is what the control plane answers to a report.
type LoadOrder struct {
	Stop string `json:"stop,omitempty" doc:"who asked the test to stop"`
}

// liveLoads are the load tests that run. They are in memory alone: whoever
// runs one goes on reporting to the control plane that comes next.
type liveLoads struct {
	mu      sync.Mutex
	tests   []*liveLoad   // oldest first
	changed chan struct{} // nil while nobody waits
}

type liveLoad struct {
	LiveLoad
	every  int       // seconds of the test for one that is remembered
	taken  time.Time // when the last report was
	whole  bool      // it reported from its start on
	forget *time.Timer
}

// NewLiveLoadID makes the id of a load test that is about to run.
func NewLiveLoadID() (string, error) { return newKeptID(time.Now()) }

// ReportLoad takes in how a load test goes and tells whether it has to stop.
// The first report makes it known, and it is forgotten when none comes for
// 10 s. While it runs, what its service is asked is left out of the
// traffic.
func (p *Plane) ReportLoad(_ context.Context, environment, service, id string, r LoadReport, actor string) (LoadOrder, error) {
	if !keptID.MatchString(id) {
		return LoadOrder{}, greenlight.Errorf(greenlight.CodeInvalid, "%q is no id of a load test; want one as 20260102-030405000-4b7d9a", clip(id, 60))
	}
	if err := p.hasService(environment, service); err != nil {
		return LoadOrder{}, err
	}
	r.bound()
	order, whole, err := p.live.report(environment, service, id, actor, r)
	if err == nil && r.Ended && r.Kept != "" && whole {
		err = p.keptApart(environment, service, r.Kept)
	}
	return order, err
}

// report takes a report in; whole tells whether its test reported from its
// start on, and that this report is the first to say how it ended.
func (l *liveLoads) report(environment, service, id, actor string, r LoadReport) (order LoadOrder, whole bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.find(environment, service, id)
	switch {
	case t == nil && len(l.tests) >= MaxLiveLoads:
		return LoadOrder{}, false, greenlight.Errorf(greenlight.CodeUnavailable, "%d load tests report already, more are not followed", MaxLiveLoads)
	case t == nil:
		t = l.begin(environment, service, id, actor, &r)
	case t.State == LoadEnded, !r.Ended && time.Since(t.taken) < liveLoadPace:
		return LoadOrder{Stop: t.StoppedBy}, false, nil
	}
	t.take(r)
	l.change()
	return LoadOrder{Stop: t.StoppedBy}, t.whole, nil
}

// sampled is how long a sampler may take to see a request, and the first report
// of a test to come.
const sampled = 2 * time.Second

// during tells which services, as "<environment>/<service>", a load test asked
// in some time.
func (l *liveLoads) during(from, to time.Time) map[string]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	tested := make(map[string]bool)
	for _, t := range l.tests {
		if !t.StartedAt.After(to) && (t.State != LoadEnded || !t.taken.Add(sampled).Before(from)) {
			tested[t.Environment+"/"+t.Service] = true
		}
	}
	return tested
}

// hasService is an error where there is no such service.
func (p *Plane) hasService(environment, service string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _, err := p.findService(environment, service)
	return err
}

// begin adds a test. The lock is held.
func (l *liveLoads) begin(environment, service, id, actor string, r *LoadReport) *liveLoad {
	began := time.Now().Add(-time.Duration(min(r.Elapsed, 1e6) * float64(time.Second)))
	t := &liveLoad{every: 1, whole: r.Elapsed < sampled.Seconds(), LiveLoad: LiveLoad{ID: id, Environment: environment, Service: service, StartedAt: began.UTC(), By: actor, State: LoadRunning}}
	t.forget = time.AfterFunc(liveLoadForgot, func() { l.remove(t) })
	l.tests = append(l.tests, t)
	return t
}

// take makes a report what is known of the test. The lock is held.
func (t *liveLoad) take(r LoadReport) {
	t.forget.Reset(liveLoadForgot)
	t.taken = time.Now()
	last := r.Last.At
	if n := len(t.Seconds); last > 0 && (n == 0 || last >= t.Seconds[n-1].At+float64(t.every)-0.5) {
		t.Seconds = append(t.Seconds, r.Last)
	}
	if len(t.Seconds) > maxLiveSeconds {
		t.every *= 2
		kept := make([]LoadSecond, 0, maxLiveSeconds)
		for i := 1; i < len(t.Seconds); i += 2 {
			kept = append(kept, t.Seconds[i])
		}
		t.Seconds = kept
	}
	t.LoadReport = r
	if r.Ended {
		t.State = LoadEnded
	}
}

// bound keeps the texts and lists of a report short.
func (r *LoadReport) bound() {
	r.Thresholds = r.Thresholds[:min(len(r.Thresholds), maxLiveThreshold)]
	for i := range r.Thresholds {
		r.Thresholds[i].Threshold = clip(r.Thresholds[i].Threshold, maxLoadText)
	}
	for _, text := range []*string{&r.Scenario, &r.Phase, &r.VoidReason, &r.Stopped} {
		*text = clip(*text, maxLoadText)
	}
	if r.Model != "closed" {
		r.Model = "open"
	}
	if !keptID.MatchString(r.Kept) {
		r.Kept = ""
	}
}

// find gives a test, nil where it is not known. The lock is held.
func (l *liveLoads) find(environment, service, id string) *liveLoad {
	for _, t := range l.tests {
		if t.ID == id && t.Environment == environment && t.Service == service {
			return t
		}
	}
	return nil
}

func (l *liveLoads) remove(gone *liveLoad) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tests = slices.DeleteFunc(l.tests, func(t *liveLoad) bool { return t == gone })
	l.change()
}

// change tells those who wait for one. The lock is held.
func (l *liveLoads) change() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// LoadsChanged gives a channel that is closed at the next report of a load
// test; then ask again.
func (p *Plane) LoadsChanged() <-chan struct{} {
	l := &p.live
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return l.changed
}

// RunningLoads are the load tests that run or ended a moment ago, of every
// service, oldest first, without the seconds that are over.
func (p *Plane) RunningLoads() []LiveLoad {
	l := &p.live
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]LiveLoad, 0, len(l.tests))
	for _, t := range l.tests {
		one := t.LiveLoad
		one.Seconds = nil
		list = append(list, one)
	}
	return list
}

// LiveLoads are those of one service, with the seconds that are over.
func (p *Plane) LiveLoads(_ context.Context, environment, service string) ([]LiveLoad, error) {
	if err := p.hasService(environment, service); err != nil {
		return nil, err
	}
	l := &p.live
	l.mu.Lock()
	defer l.mu.Unlock()
	list := []LiveLoad{}
	for _, t := range l.tests {
		if t.Environment == environment && t.Service == service {
			one := t.LiveLoad
			one.Seconds = slices.Clone(t.Seconds)
			list = append(list, one)
		}
	}
	return list, nil
}

// StopLoad asks a load test to stop; the answer to its next report says so.
func (p *Plane) StopLoad(ctx context.Context, environment, service, id, actor string) (LiveLoad, error) {
	if err := p.hasService(environment, service); err != nil {
		return LiveLoad{}, err
	}
	stopping, asked := p.live.stop(environment, service, id, actor)
	if stopping.ID == "" {
		return LiveLoad{}, greenlight.Errorf(greenlight.CodeNotFound, "no load test %q of %s runs", clip(id, 60), service)
	}
	if !asked {
		return stopping, nil
	}
	_, err := p.options.Store.Record(ctx, greenlight.Event{Actor: actor, Kind: "load.stopped", Environment: environment, Service: service, Subject: id,
		Message: "asked the load test of " + strings.TrimSpace(stopping.By) + " to stop", Evidence: map[string]any{"elapsed": stopping.Elapsed, "requests": stopping.Requests}})
	return stopping, err
}

// stop marks a test; asked tells whether that is new.
func (l *liveLoads) stop(environment, service, id, actor string) (stopping LiveLoad, asked bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.find(environment, service, id)
	if t == nil {
		return LiveLoad{}, false
	}
	if asked = t.State == LoadRunning; asked {
		t.State, t.StoppedBy = LoadStopping, actor
		l.change()
	}
	stopping = t.LiveLoad
	stopping.Seconds = nil
	return stopping, asked
}
