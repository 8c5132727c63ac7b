package load

import (
	"context"
	"fmt"
	"math"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// KneeOptions say how the highest rate that meets an SLO is looked for.
type KneeOptions struct {
	From, To   float64       // the first rate, and the highest one to try
	Factor     float64       // between rungs of the ladder, above 1
	Precision  float64       // the relative width at which the bisection ends
	Warmup     time.Duration // of each rung, not counted
	Hold       time.Duration // of each rung, counted
	Rest       time.Duration // after a rung that failed, for queues to empty
	Thresholds []Threshold   // the SLO
	Observe    func(Rung)    // called after each; may be nil
}

// MaxRungs bounds the search.
const MaxRungs = 60

// Rung is one rate that was tried.
type Rung struct {
	Rate   float64 `json:"rate"` // requests a second that were due
	Met    bool    `json:"met"`
	Why    string  `json:"why,omitempty"` // it is not met
	Result *Result `json:"result"`
}

// Knee is what was found.
type Knee struct {
	// Rate is the highest rate that met the SLO, 0 when none did.
	Rate float64 `json:"rate"`
	// Next is the lowest rate that did not, 0 when all did.
	Next  float64 `json:"next"`
	Rungs []Rung  `json:"rungs"`
	// Void says why the search ended without an answer: the generator was
	// the limit before the target.
	Void string `json:"void_reason,omitempty"`
}

// FindKnee climbs a geometric ladder of rates until one misses the SLO, then
// bisects between it and the one before. trial runs one rate. A rung that
// misses is tried once more: one hiccup is not the target's limit.
func FindKnee(ctx context.Context, o KneeOptions, trial func(context.Context, float64) (*Result, error)) (*Knee, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	k := &Knee{}
	rate := o.From
	for len(k.Rungs) < MaxRungs && ctx.Err() == nil {
		met, err := k.climb(ctx, o, rate, trial)
		if err != nil || k.Void != "" {
			return k, err
		}
		if met {
			k.Rate = rate
		} else {
			k.Next = rate
		}
		if rate = k.following(o, rate); rate == 0 {
			return k, nil
		}
	}
	return k, ctx.Err()
}

func (o *KneeOptions) check() error {
	switch {
	case !(o.From > 0 && o.From <= o.To && o.To <= MaxRate):
		return greenlight.Errorf(greenlight.CodeInvalid, "the rates go from %v to %v; want above 0, ascending, at most %d", o.From, o.To, MaxRate)
	case !(o.Factor >= 1.05 && o.Factor <= 10):
		return greenlight.Errorf(greenlight.CodeInvalid, "the factor is %v; want 1.05 to 10", o.Factor)
	case !(o.Precision >= 0.005 && o.Precision < 1):
		return greenlight.Errorf(greenlight.CodeInvalid, "the precision is %v; want 0.005 to 1", o.Precision)
	case len(o.Thresholds) == 0:
		return greenlight.Errorf(greenlight.CodeInvalid, "without a threshold every rate is met; give the SLO")
	}
	return nil
}

// following is the rate to try after this one, 0 for none.
func (k *Knee) following(o KneeOptions, rate float64) float64 {
	switch {
	case k.Next == 0 && rate >= o.To:
		return 0
	case k.Next == 0:
		return min(rate*o.Factor, o.To)
	case k.Rate == 0 && k.Next <= o.From/100: // even a hundredth is too much
		return 0
	case k.Rate == 0:
		return k.Next / o.Factor
	case k.Next/k.Rate <= 1+o.Precision:
		return 0
	}
	return math.Sqrt(k.Rate * k.Next)
}

// climb tries a rate, and once more when it is missed.
func (k *Knee) climb(ctx context.Context, o KneeOptions, rate float64, trial func(context.Context, float64) (*Result, error)) (bool, error) {
	for attempt := range 2 {
		r, err := trial(ctx, rate)
		if err != nil {
			return false, err
		}
		rung := Rung{Rate: rate, Result: r}
		rung.Why = r.misses(o.Thresholds)
		rung.Met = rung.Why == ""
		k.Rungs = append(k.Rungs, rung)
		if o.Observe != nil {
			o.Observe(rung)
		}
		switch {
		case rung.Met:
			return true, nil
		case r.Void && attempt == 1:
			k.Void = r.VoidReason
			return false, nil
		}
		if err := rest(ctx, o.Rest); err != nil {
			return false, err
		}
	}
	return false, nil
}

func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// misses tells why a rung does not show that the target carries its rate, ""
// when it does.
func (r *Result) misses(slo []Threshold) string {
	if r.Void {
		return "void: " + r.VoidReason
	}
	if r.Stopped != "" {
		return r.Stopped
	}
	for i := range slo {
		if v := slo[i].check(r); !v.OK {
			return v.String()
		}
	}
	if r.Rate < 0.98*r.Planned-1/r.Elapsed {
		return fmt.Sprintf("it answered %.4g/s of %.4g/s", r.Rate, r.Planned)
	}
	if why := r.unsteady(); why != "" {
		return why
	}
	return r.littlesLaw()
}

// littleTolerance is how far the two sides of Little's law may be apart: as
// a share, and in requests, since few in flight are sampled coarsely.
const (
	littleTolerance = 0.25
	littleLeast     = 1.0
)

// littlesLaw holds the requests in flight, which were sampled, against rate ×
// mean response time (J. D. C. Little, 1961). In a steady state both are the
// same; they part when a queue grows or something was measured wrongly.
func (r *Result) littlesLaw() string {
	rate := float64(r.Requests) / r.Elapsed // of every step, where a plan counts journeys
	want := rate * r.Response.Mean
	if diff := math.Abs(r.InFlight - want); diff > littleTolerance*want && diff > littleLeast {
		return fmt.Sprintf("no steady state: %.1f requests in flight, though %.4g/s × %s are %.1f", r.InFlight, rate, Seconds(r.Response.Mean), want)
	}
	return ""
}

// unsteady tells whether response times went on growing: the mean of the
// last third is over one and a half times that of the first and beyond the
// noise of seconds.
func (r *Result) unsteady() string {
	n := len(r.Seconds)
	if n < 6 {
		return ""
	}
	mean := func(seconds []Second) (sum float64) {
		for _, s := range seconds {
			sum += s.Mean
		}
		return sum / float64(len(seconds))
	}
	first, middle, last := mean(r.Seconds[:n/3]), mean(r.Seconds[n/3:n-n/3]), mean(r.Seconds[n-n/3:])
	if last > 1.5*first && last > middle && middle > first && last-first > 0.005 {
		return fmt.Sprintf("no steady state: the mean response time grew from %s to %s", Seconds(first), Seconds(last))
	}
	return ""
}
