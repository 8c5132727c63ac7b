package load

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// KneeOptions say how the highest rate that meets an SLO is looked for.
type KneeOptions struct {
	From, To   float64       // the first rate, and the highest one to try
	Factor     float64       // between rungs of the ladder, above 1
	Precision  float64       // the relative width at which the bisection ends
	AtLeast    float64       // the rate that a gate wants: once it is decided, less precision does; 0 without one
	Warmup     time.Duration // of each rung, not counted
	Hold       time.Duration // of each rung, counted
	Rest       time.Duration // after a rung that failed, for queues to empty
	Thresholds []Threshold   // the SLO
	Observe    func(Rung)    // called after each; may be nil
	// Recover runs a short test of a low rate, in which each answer may take
	// so long: whether the target answers again after more than it carries.
	// Without it nobody looks.
	Recover func(ctx context.Context, rate float64, timeout time.Duration) (*Result, error)
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
	// Bottleneck is nil when no rate missed the SLO.
	Bottleneck *Bottleneck `json:"bottleneck,omitempty"`
	// Collapse is nil unless the target gave much less when more was asked.
	Collapse *Collapse `json:"collapse,omitempty"`
	// Recovery is how the target was after the last rate that was too much;
	// nil when none was, or nobody looked.
	Recovery *Recovery `json:"recovery,omitempty"`
}

// FindKnee climbs a geometric ladder of rates until one misses the SLO, then
// bisects between it and the one before. trial runs one rate. A rung that
// misses is tried once more: one hiccup is not the target's limit. One that
// the target does not recover from ends the search.
func FindKnee(ctx context.Context, o KneeOptions, trial func(context.Context, float64) (*Result, error)) (*Knee, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	k := &Knee{}
	err := k.search(ctx, &o, trial)
	if err == nil && o.Recover != nil && k.Next > 0 && k.Recovery == nil {
		k.Recovery, err = k.recovery(ctx, &o)
	}
	k.Bottleneck, k.Collapse = NameBottleneck(k), k.worstCollapse()
	return k, err
}

func (k *Knee) search(ctx context.Context, o *KneeOptions, trial func(context.Context, float64) (*Result, error)) error {
	rate := o.From
	for len(k.Rungs) < MaxRungs && ctx.Err() == nil {
		met, err := k.climb(ctx, o, rate, trial)
		if err != nil || k.Void != "" {
			return err
		}
		if met {
			k.Rate = rate
		} else {
			k.Next = rate
		}
		if k.Recovery != nil && !k.Recovery.Recovered {
			return nil
		}
		if rate = k.following(*o, rate); rate == 0 {
			return nil
		}
	}
	return ctx.Err()
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
	case k.Next/k.Rate <= 1+o.Precision, k.decides(o.AtLeast) && k.Next/k.Rate <= 1+decidedPrecision:
		return 0
	}
	return math.Sqrt(k.Rate * k.Next)
}

// decidedPrecision is enough where a gate wants a rate that lies outside of
// what is left to search.
const decidedPrecision = 0.25

// decides tells whether the search has shown that the knee is above a rate, or
// below it.
func (k *Knee) decides(rate float64) bool {
	return rate > 0 && (k.Rate >= rate || k.Next > 0 && k.Next <= rate)
}

// How often a rate is tried that is missed, and how often one whose runs are
// void: neighbours of the generator come and go.
const (
	missedTries = 2
	voidTries   = 3
)

// climb tries a rate, and again when it is missed.
func (k *Knee) climb(ctx context.Context, o *KneeOptions, rate float64, trial func(context.Context, float64) (*Result, error)) (bool, error) {
	for missed, void := 0, 0; missed < missedTries; {
		r, err := trial(ctx, rate)
		if err != nil && len(k.Rungs) > 0 && greenlight.CodeOf(err) == greenlight.CodeUnavailable && ctx.Err() == nil {
			r, err = &Result{Format: ResultFormat, Planned: rate, Stopped: err.Error()}, nil // it was there before
		}
		if err != nil {
			return false, err
		}
		rung := k.take(o, rate, r)
		if k.most() == 0 && r.allWrong() {
			return false, greenlight.Errorf(greenlight.CodeInvalid, "all %s answers at %s were wrong (%s), which fewer requests do not mend: "+
				"look at them with greenlight load --rate 1, or say which are right with --expect-status", grouped(r.Requests), PerSecond(rate), r.errorText()+": "+r.statusText())
		}
		if rung.Met {
			return true, nil
		}
		if !r.Void {
			missed++
		} else if void++; void == voidTries {
			k.Void = r.VoidReason
			return false, nil
		}
		if gone, err := k.gone(ctx, o, rung); gone || err != nil {
			return false, err
		}
		if err := rest(ctx, o.Rest); err != nil {
			return false, err
		}
	}
	return false, nil
}

// allWrong tells whether every request was answered, and wrongly, by a target
// that did not say that it had too much to do.
func (r *Result) allWrong() bool {
	for status := range r.Statuses {
		code, err := strconv.Atoi(status)
		if err != nil || code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout {
			return false
		}
	}
	wrong := r.ErrorKinds[KindStatus] + r.ErrorKinds[KindCheck] + r.ErrorKinds[KindNotGRPC]
	return r.Requests > 0 && wrong == r.Requests
}

// take adds a rung.
func (k *Knee) take(o *KneeOptions, rate float64, r *Result) *Rung {
	rung := Rung{Rate: rate, Result: r, Why: r.misses(o.Thresholds)}
	rung.Met = rung.Why == ""
	k.Rungs = append(k.Rungs, rung)
	if o.Observe != nil {
		o.Observe(rung)
	}
	return &rung
}

// gone tells whether a target that fell apart stays so: more of it would only
// take time.
func (k *Knee) gone(ctx context.Context, o *KneeOptions, r *Rung) (bool, error) {
	nothing := !r.Met && !r.Result.Void && r.Result.Goodput == 0 && k.most() > 0
	if o.Recover == nil || !nothing && !k.fellApart(r) {
		return false, nil
	}
	found, err := k.recovery(ctx, o)
	if err != nil || found.Recovered {
		return false, err
	}
	k.Recovery = found
	return true, nil
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
	if r.Rate < (1-shortShare)*r.Planned-1/r.Elapsed && r.backlog(slo) {
		return fmt.Sprintf("it answered %s of %s", PerSecond(r.Rate), PerSecond(r.Planned))
	}
	if why := r.unsteady(); why != "" {
		return why
	}
	return r.littlesLaw()
}

// shortShare of the requests may be missing where the target keeps up.
const shortShare = 0.02

// backlog tells whether answers are missing because they came after the end,
// and more than are under way at any time: one slow answer, which makes a test
// longer, is none. Nor are requests without an answer, if the SLO allows them.
func (r *Result) backlog(slo []Threshold) bool {
	usual := 1 + r.Planned*r.Response.P50 + shortShare*float64(r.Requests)
	if float64(r.late) > usual {
		return true
	}
	return !ofErrors(slo) && r.Rate*r.Elapsed < (1-shortShare)*float64(r.Requests)
}

// ofErrors tells whether an SLO says how many errors there may be.
func ofErrors(slo []Threshold) bool {
	return slices.ContainsFunc(slo, func(t Threshold) bool { return t.metric == "errors" })
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
// last third is over one and a half times that of the first, and further from
// it than three standard errors, as a few slow answers do not make a queue.
func (r *Result) unsteady() string {
	n := len(r.Seconds)
	if n < 6 {
		return ""
	}
	// By requests: in the last second may be only those that took longest.
	mean := func(seconds []Second) (mean, requests float64) {
		for _, s := range seconds {
			mean += s.Mean * float64(s.Requests)
			requests += float64(s.Requests)
		}
		requests = max(requests, 1)
		return mean / requests, requests
	}
	first, before := mean(r.Seconds[:n/3])
	middle, _ := mean(r.Seconds[n/3 : n-n/3])
	last, after := mean(r.Seconds[n-n/3:])
	noise := 3 * r.ResponseTimes.spread() * math.Sqrt(1/before+1/after)
	if last > 1.5*first && last > middle && middle > first && last-first > max(noise, 0.005) {
		return fmt.Sprintf("no steady state: the mean response time grew from %s to %s", Seconds(first), Seconds(last))
	}
	return ""
}
