package load_test

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/load"
)

// TestProgress: what is told of the last second is what the result says.
func TestProgress(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	var told []load.Progress
	o := plan(t, url)
	var err error
	if o.Arrivals, err = load.Ramp(50, 150, 2200*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	o.Warmup, o.MaxLag = 400*time.Millisecond, time.Minute
	for _, text := range []string{"p50<1ns", "service.p99<10s", "errors<1%", "rate>1/s"} {
		threshold, err := load.ParseThreshold(text)
		if err != nil {
			t.Fatal(err)
		}
		o.Thresholds, o.KeepGoing = append(o.Thresholds, threshold), true
	}
	o.Progress = func(p load.Progress) { told = append(told, p) }
	r := run(t, o)
	if len(told) < 3 {
		t.Fatalf("told %d times", len(told))
	}
	if p := told[1]; p.Warmup || !told[0].Warmup || math.Abs(p.Planned-118) > 6 { // of the ramp between 1 s and 2 s
		t.Errorf("after 2 s: %v/s planned, warm-up %v", p.Planned, p.Warmup)
	}
	last := told[len(told)-1].SoFar
	if last.Requests != r.Requests || last.Errors != r.Errors || last.Response != r.Response || last.Lag != r.Lag || last.Void != r.Void {
		t.Errorf("last told %+v\nthe result is %+v", last, r)
	}
	if math.Abs(last.Rate-r.Rate) > 0.2*r.Rate {
		t.Errorf("last told %v/s, the result is %v/s", last.Rate, r.Rate)
	}
	for i, v := range last.Verdicts {
		if want := r.Verdicts[i]; v.OK != want.OK || v.Threshold != want.Threshold || i < 3 && v.Value != want.Value {
			t.Errorf("told %v, the result is %v", v, want)
		}
	}
	if first := told[0].SoFar; first.Requests >= last.Requests || first.Requests == 0 || first.Response == last.Response {
		t.Errorf("of %d requests, %d were told after the first second", last.Requests, first.Requests)
	}
}

// TestProgressOfSpoiledTest: a generator that is too late says so at once.
func TestProgressOfSpoiledTest(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	o := open(t, plan(t, url), 50, 300*time.Millisecond)
	o.MaxLag = time.Nanosecond
	var told load.Progress
	o.Progress = func(p load.Progress) { told = p }
	if r := run(t, o); r.Void != told.SoFar.Void || r.Void && told.SoFar.VoidReason == "" {
		t.Errorf("told void %v (%s), the result is void %v", told.SoFar.Void, told.SoFar.VoidReason, r.Void)
	}
}

// TestStoppedOnPurpose: the result says who did.
func TestStoppedOnPurpose(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	for name, o := range map[string]load.Options{"open": open(t, plan(t, url), 50, time.Minute), "closed": plan(t, url)} {
		if name == "closed" {
			o.Clients, o.Duration, o.Think = 2, time.Minute, 10*time.Millisecond
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		timer := time.AfterFunc(300*time.Millisecond, func() { cancel(&load.StopError{Reason: "stopped by user:ada"}) })
		r, err := load.Run(ctx, o)
		timer.Stop()
		cancel(nil)
		if err != nil || r.Stopped != "stopped by user:ada" || r.Requests == 0 || r.Elapsed > 30 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// TestPlannedRate: the rate that is told is that of the plan, whatever
// fraction of a request a second holds.
func TestPlannedRate(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello") })
	o := plan(t, url)
	var err error
	if o.Arrivals, err = load.NewArrivals(load.Stage{For: 1500 * time.Millisecond, From: 2.5, To: 2.5}, load.Stage{For: time.Second, From: 40, To: 40}); err != nil {
		t.Fatal(err)
	}
	var told []load.Progress
	o.Progress = func(p load.Progress) { told = append(told, p) }
	run(t, o)
	if len(told) < 2 || math.Abs(told[0].Planned-2.5) > 1e-6 || told[1].Planned < 5 || told[1].Planned > 40 {
		t.Errorf("told %+v", told)
	}
}
