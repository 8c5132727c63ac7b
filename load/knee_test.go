package load

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// target simulates a queue that carries up to most requests a second: the
// mean response time of M/M/1, and a queue that grows beyond.
func target(most float64) func(context.Context, float64) (*Result, error) {
	rng := rand.New(rand.NewPCG(1, 1))
	return func(_ context.Context, rate float64) (*Result, error) {
		r := &Result{Planned: rate, Rate: min(rate, most), Goodput: min(rate, most), Elapsed: 10, ResponseTimes: newHistogram(), ServiceTimes: newHistogram()}
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

// TestKneeOfWrongAnswers: what is wrong at any rate is no question of how many;
// a target with too much to do says so by 5xx or 429.
func TestKneeOfWrongAnswers(t *testing.T) {
	for status, wrong := range map[string]bool{"404": true, "200": true, "503": false, "429": false, "UNAVAILABLE": false} {
		o := kneeOptions(t)
		runs := 0
		_, err := FindKnee(context.Background(), o, func(_ context.Context, rate float64) (*Result, error) {
			runs++
			n := int64(10 * rate)
			return &Result{
				Planned: rate, Rate: rate, Elapsed: 10, Requests: n, Errors: n, ResponseTimes: newHistogram(), ServiceTimes: newHistogram(),
				Statuses: map[string]int64{status: n}, ErrorKinds: map[Kind]int64{KindStatus: n},
			}, nil
		})
		said := err != nil && greenlight.CodeOf(err) == greenlight.CodeInvalid && strings.Contains(err.Error(), "all 100 answers at 10/s were wrong") && strings.Contains(err.Error(), status+" × 100")
		if said != wrong || wrong && runs != 1 {
			t.Errorf("%s: %v after %d runs", status, err, runs)
		}
	}
}

// TestKneeOfAGate: the search goes on only as long as the gate needs it.
func TestKneeOfAGate(t *testing.T) {
	for atLeast, within := range map[float64]float64{200: 1 + decidedPrecision, 3000: 1 + decidedPrecision, 890: 1.03} {
		o := kneeOptions(t)
		o.AtLeast = atLeast
		k, err := FindKnee(context.Background(), o, target(1000))
		if err != nil {
			t.Fatal(err)
		}
		fine := k.Next/k.Rate <= 1.03
		if k.Next/k.Rate > within || k.Gate(atLeast).OK != (atLeast == 200) || fine != (atLeast == 890) {
			t.Errorf("of at least %v: found %v to %v", atLeast, k.Rate, k.Next)
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
			all = append(all, Second{At: float64(i + 1), Mean: m, Requests: 100})
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
		"steady":  {func(r *Result) { r.Seconds = seconds(.2, .2, .21, .19, .2, .2) }, ""},
		"growing": {func(r *Result) { r.Seconds = seconds(.1, .2, .3, .4, .5, .6) }, "grew from 150 ms to 550 ms"},
		"last ones slow": {func(r *Result) {
			r.Seconds = append(seconds(.2, .2, .2, .2, .2), Second{At: 5.1, Mean: .9, Requests: 2})
		}, ""},
		"few slow answers": {func(r *Result) {
			r.Seconds = seconds(.011, .011, .018, .018, .025, .025)
			r.ResponseTimes.record(int64(3*time.Second), 10)
		}, ""},
		"one slow second":    {func(r *Result) { r.Seconds = seconds(.2, .2, .2, .2, .2, .7) }, ""},
		"a slow last one":    {func(r *Result) { r.Rate, r.late = 90, 25 }, ""},
		"too few answers":    {func(r *Result) { r.Rate, r.late = 90, 100 }, "answered 90/s of 100/s"},
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

// TestKneeLocksUp: a target that answers nothing after too much ends the
// search at once, and what it gave before stands.
func TestKneeLocksUp(t *testing.T) {
	healthy, locked := target(1000), false
	o := kneeOptions(t)
	asked := 0
	o.Recover = func(ctx context.Context, rate float64, timeout time.Duration) (*Result, error) {
		asked++
		r, err := healthy(ctx, rate)
		r.LagTimes, r.Requests = newHistogram(), 100
		if locked {
			r.Errors = 100
		}
		if timeout < recoveryTimeout || rate < 0.2*o.From {
			t.Errorf("asked for %v/s with %v for an answer", rate, timeout)
		}
		return r, err
	}
	synctest.Test(t, func(t *testing.T) {
		k, err := FindKnee(t.Context(), o, func(ctx context.Context, rate float64) (*Result, error) {
			r, err := healthy(ctx, rate)
			if locked = locked || rate > 200; locked {
				r.Goodput, r.Rate, r.Errors = 0, 0, r.Requests
			}
			return r, err
		})
		if err != nil || k.Rate == 0 || k.Rate > 200 || k.Next > 300 || k.Rungs[len(k.Rungs)-1].Rate != k.Next {
			t.Fatalf("found %v to %v in %d rungs (%v)", k.Rate, k.Next, len(k.Rungs), err)
		}
		if k.Recovery == nil || k.Recovery.Recovered || k.Recovery.Right != 0 || k.Recovery.After < 10 || k.Collapse == nil || k.Collapse.Rate != k.Next {
			t.Errorf("recovery %+v, collapse %+v", k.Recovery, k.Collapse)
		}
		if asked < 5 {
			t.Errorf("looked %d times whether it recovers", asked)
		}
	})
}

// TestKneeLocksUpAtOnce: what answers nothing any more is not asked at ever
// lower rates.
func TestKneeLocksUpAtOnce(t *testing.T) {
	healthy, tries := target(1000), 0
	o := kneeOptions(t)
	o.Recover = func(ctx context.Context, rate float64, _ time.Duration) (*Result, error) {
		r, err := healthy(ctx, rate)
		r.Requests, r.Errors = 100, 100
		return r, err
	}
	synctest.Test(t, func(t *testing.T) {
		k, err := FindKnee(t.Context(), o, func(ctx context.Context, rate float64) (*Result, error) {
			r, err := healthy(ctx, rate)
			if tries++; tries == 1 {
				r.Errors = r.Requests / 2
			} else {
				r.Goodput, r.Rate, r.Errors = 0, 0, r.Requests
			}
			return r, err
		})
		if err != nil || k.Rate != 0 || len(k.Rungs) != 2 || k.Recovery == nil || k.Recovery.Recovered {
			t.Errorf("%d rungs, recovery %v (%v)", len(k.Rungs), k.Recovery, err)
		}
	})
}

// TestKneeRecovers: a target that stumbles and comes back is searched to the
// end, and looked at afterwards.
func TestKneeRecovers(t *testing.T) {
	healthy := target(1000)
	o := kneeOptions(t)
	tries := 0
	o.Recover = func(ctx context.Context, rate float64, _ time.Duration) (*Result, error) {
		r, err := healthy(ctx, rate)
		if tries++; tries%3 != 0 { // at the third try it is well again
			return nil, greenlight.Errorf(greenlight.CodeUnavailable, "refused")
		}
		return r, err
	}
	synctest.Test(t, func(t *testing.T) {
		k, err := FindKnee(t.Context(), o, func(ctx context.Context, rate float64) (*Result, error) {
			r, err := healthy(ctx, rate)
			if rate > 1000 {
				r.Goodput = 1
			}
			return r, err
		})
		if err != nil || k.Rate < 850 || k.Collapse == nil || k.Recovery == nil || !k.Recovery.Met || k.Recovery.After > 2 {
			t.Errorf("found %v, collapse %+v, recovery %+v (%v)", k.Rate, k.Collapse, k.Recovery, err)
		}
	})
}

// TestKneeTargetGone: a target that dies in the middle is a rate missed, and
// one that was never there is an error.
func TestKneeTargetGone(t *testing.T) {
	gone := greenlight.Errorf(greenlight.CodeUnavailable, "refused")
	o := kneeOptions(t)
	o.Recover = func(context.Context, float64, time.Duration) (*Result, error) { return nil, gone }
	synctest.Test(t, func(t *testing.T) {
		healthy := target(1000)
		k, err := FindKnee(t.Context(), o, func(ctx context.Context, rate float64) (*Result, error) {
			if rate > 100 {
				return nil, gone
			}
			return healthy(ctx, rate)
		})
		if err != nil || k.Rate == 0 || k.Rate > 100 || k.Recovery == nil || k.Recovery.Recovered || k.Recovery.Why != "refused" {
			t.Errorf("%+v, %v", k, err)
		}
		if _, err := FindKnee(t.Context(), o, func(context.Context, float64) (*Result, error) { return nil, gone }); !errors.Is(err, gone) {
			t.Errorf("a target that was never there: %v", err)
		}
	})
}

// TestKneeRecoversWithErrors: errors that the SLO allows are no lock-up.
func TestKneeRecoversWithErrors(t *testing.T) {
	for allowed, met := range map[string]bool{"errors<10%": true, "errors<1%": false} {
		healthy := target(1000)
		o := kneeOptions(t)
		o.Thresholds = slo(t, "p99<50ms", allowed)
		o.Recover = func(ctx context.Context, rate float64, _ time.Duration) (*Result, error) {
			r, err := healthy(ctx, rate)
			r.Requests, r.Errors = 92, 2
			return r, err
		}
		synctest.Test(t, func(t *testing.T) {
			k, err := FindKnee(t.Context(), o, healthy)
			if err != nil || k.Recovery == nil || !k.Recovery.Recovered || k.Recovery.Met != met {
				t.Errorf("%s: %v, %v", allowed, k.Recovery, err)
			}
		})
	}
}

// TestKneeAnswersAgainButSlowly: after the load the SLO is part of the
// question.
func TestKneeAnswersAgainButSlowly(t *testing.T) {
	healthy := target(1000)
	o := kneeOptions(t)
	o.Recover = func(ctx context.Context, rate float64, _ time.Duration) (*Result, error) {
		r, err := target(30)(ctx, 29)
		r.Requests = 100
		return r, err
	}
	synctest.Test(t, func(t *testing.T) {
		k, err := FindKnee(t.Context(), o, healthy)
		if err != nil || k.Recovery == nil || !k.Recovery.Recovered || k.Recovery.Met || !strings.Contains(k.Recovery.String(), "answers again, but misses the SLO: 100 of 100") {
			t.Errorf("%v, %v", k.Recovery, err)
		}
	})
}
