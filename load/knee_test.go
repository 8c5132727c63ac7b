package load

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// target simulates a queue that carries up to most requests a second: the
// mean response time of M/M/1, and a queue that grows beyond.
func target(most float64) func(context.Context, float64) (*Result, error) {
	rng := rand.New(rand.NewPCG(1, 1))
	return func(_ context.Context, rate float64) (*Result, error) {
		r := &Result{Planned: rate, Rate: min(rate, most), Elapsed: 10, ResponseTimes: newHistogram(), ServiceTimes: newHistogram()}
		for range 20_000 {
			mean := 10.0
			if rate < most {
				mean = 1 / (most - rate)
			}
			r.ResponseTimes.record(int64(1e9*mean*rng.ExpFloat64()), 1)
		}
		r.Response = r.ResponseTimes.Summary()
		r.Requests = int64(10 * rate)
		r.InFlight = rate * r.Response.Mean
		return r, nil
	}
}

func slo(t *testing.T, texts ...string) (all []Threshold) {
	t.Helper()
	for _, text := range texts {
		threshold, err := ParseThreshold(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, threshold)
	}
	return all
}

func kneeOptions(t *testing.T) KneeOptions {
	return KneeOptions{From: 10, To: 5000, Factor: 1.5, Precision: 0.03, Thresholds: slo(t, "p99<50ms", "errors<0.1%")}
}

// TestKnee: of a queue the answer is known. p99 = ln(100)/(most−rate) is
// 50 ms at rate = most − 92.1.
func TestKnee(t *testing.T) {
	for _, most := range []float64{120, 400, 1000} {
		k, err := FindKnee(context.Background(), kneeOptions(t), target(most))
		if err != nil {
			t.Fatal(err)
		}
		want := most - math.Log(100)/0.05
		if k.Rate > want*1.03 || k.Next < want*0.97 || k.Next/k.Rate > 1.03 || len(k.Rungs) > 30 {
			t.Errorf("found %v to %v in %d rungs, want %v", k.Rate, k.Next, len(k.Rungs), want)
		}
	}
}

// TestKneeBelowTheFirstRate goes down when even the first rate is too much.
func TestKneeBelowTheFirstRate(t *testing.T) {
	o := kneeOptions(t)
	o.From = 900
	k, err := FindKnee(context.Background(), o, target(120))
	if err != nil || math.Abs(k.Rate-27.9) > 2 {
		t.Errorf("found %v (%v), want 27.9", k.Rate, err)
	}
	if k, err = FindKnee(context.Background(), o, target(50)); err != nil || k.Rate != 0 || len(k.Rungs) > MaxRungs {
		t.Errorf("found %v in %d rungs (%v), though no rate can meet it", k.Rate, len(k.Rungs), err)
	}
}

func TestKneeAtTheCeiling(t *testing.T) {
	o := kneeOptions(t)
	o.To = 100
	k, err := FindKnee(context.Background(), o, target(1000))
	if err != nil || k.Rate != 100 || k.Next != 0 {
		t.Errorf("found %v to %v (%v), want the ceiling", k.Rate, k.Next, err)
	}
}

func TestKneeOneHiccup(t *testing.T) {
	inner := target(1000)
	calls := 0
	k, err := FindKnee(context.Background(), kneeOptions(t), func(ctx context.Context, rate float64) (*Result, error) {
		r, err := inner(ctx, rate)
		if calls++; calls == 3 {
			r.Errors = 500
		}
		return r, err
	})
	if err != nil || k.Rate < 850 {
		t.Errorf("found %v after one hiccup (%v)", k.Rate, err)
	}
}

func TestKneeEndsWhenVoid(t *testing.T) {
	k, err := FindKnee(context.Background(), kneeOptions(t), func(ctx context.Context, rate float64) (*Result, error) {
		r, err := target(1000)(ctx, rate)
		r.Void, r.VoidReason = rate > 100, "too late"
		return r, err
	})
	if err != nil || k.Void != "too late" || k.Rate == 0 || k.Rate > 100 {
		t.Errorf("%+v, %v", k, err)
	}
}

func TestKneeErrors(t *testing.T) {
	broken := errors.New("broken")
	if _, err := FindKnee(context.Background(), kneeOptions(t), func(context.Context, float64) (*Result, error) { return nil, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := FindKnee(ctx, kneeOptions(t), target(1000)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	for want, change := range map[string]func(*KneeOptions){
		"the rates go from 0": func(o *KneeOptions) { o.From = 0 }, "the factor is 1": func(o *KneeOptions) { o.Factor = 1 },
		"the precision is 0": func(o *KneeOptions) { o.Precision = 0 }, "give the SLO": func(o *KneeOptions) { o.Thresholds = nil },
	} {
		o := kneeOptions(t)
		change(&o)
		if _, err := FindKnee(context.Background(), o, target(1000)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestSteadyState: what growing queues and broken measurements look like.
func TestSteadyState(t *testing.T) {
	seconds := func(means ...float64) (all []Second) {
		for i, m := range means {
			all = append(all, Second{At: float64(i + 1), Mean: m})
		}
		return all
	}
	base := func() *Result {
		r := &Result{Planned: 100, Rate: 100, Elapsed: 10, Requests: 1000, InFlight: 20, ResponseTimes: newHistogram(), ServiceTimes: newHistogram()}
		for range 1000 {
			r.ResponseTimes.record(int64(200*time.Millisecond), 1)
		}
		r.Response = r.ResponseTimes.Summary()
		return r
	}
	for name, c := range map[string]struct {
		change func(*Result)
		want   string
	}{
		"steady":             {func(r *Result) { r.Seconds = seconds(.2, .2, .21, .19, .2, .2) }, ""},
		"growing":            {func(r *Result) { r.Seconds = seconds(.1, .2, .3, .4, .5, .6) }, "grew from 150 ms to 550 ms"},
		"one slow second":    {func(r *Result) { r.Seconds = seconds(.2, .2, .2, .2, .2, .7) }, ""},
		"too few answers":    {func(r *Result) { r.Rate = 90 }, "answered 90/s of 100/s"},
		"Little's law":       {func(r *Result) { r.InFlight = 35 }, "35.0 requests in flight, though 100/s × 200 ms are 20.0"},
		"errors":             {func(r *Result) { r.Errors = 5 }, "errors<0.1% not met"},
		"ended":              {func(r *Result) { r.Stopped = "the target is down" }, "the target is down"},
		"void":               {func(r *Result) { r.Void, r.VoidReason = true, "late" }, "void: late"},
		"few in flight, off": {func(r *Result) { r.Planned, r.Rate, r.Requests, r.InFlight = 5, 5, 50, 1.9 }, ""},
	} {
		r := base()
		c.change(r)
		if got := r.misses(slo(t, "p99<300ms", "errors<0.1%")); c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
