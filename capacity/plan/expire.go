package plan

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/greenlight-dev/greenlight/capacity"
	"github.com/greenlight-dev/greenlight/capacity/demand"
	"github.com/greenlight-dev/greenlight/capacity/latency"
)

// Production is what production did, as far as a plan can be held against it.
type Production struct {
	Hours []ProductionHour // oldest first
	Tests []ProductionTest // load tests of the service
	Grade *Grade           // what the plan came to in a check; nil for none
}

// ProductionHour is what a service was asked within one hour.
type ProductionHour struct {
	From     time.Time
	Requests float64
	Peak     float64 // requests a second in the busiest minute
	Observed float64 // seconds of the hour that somebody counted
}

// ProductionTest is a load test with a fixed rate (the open model).
type ProductionTest struct {
	ID       string
	At       time.Time
	Length   time.Duration
	Around   time.Duration // before and after it in which other tests may have been: of a search for the knee
	Replicas int           // that took requests all the time; 0: not known, or it changed
	Planned  float64       // requests a second that were due
	Rate     float64       // answers a second
	P50      float64       // seconds, from when a request was due
	P99      float64
	Errors   float64 // share of the requests, 0 to 1
	Quota    float64 // cores that each replica might use; 0: not known, or all
	// Search tells that it is the best of a search for the knee, whose rates are
	// tried briefly and at the edge of what is borne.
	Search bool
	// Counts tells that it says something: with a fixed rate, neither void nor
	// stopped early.
	Counts bool
	// Apart tells that its requests are in no hour of the production.
	Apart bool
}

// Standing is how a plan stands against production.
type Standing struct {
	At        time.Time     `json:"at"`
	ExpiresAt time.Time     `json:"expires_at"`
	Expired   bool          `json:"expired"`
	Reasons   []Reason      `json:"reasons"` // why it has expired; none while it holds
	Periods   []PeriodSoFar `json:"periods"`
	Tests     []GradedTest  `json:"tests"`
	Capacity  []GradedPoint `json:"capacity"` // of load tests that were more than the replicas carry
	Limit     float64       `json:"limit"`    // by what share capacity may be off
	Notes     []string      `json:"notes"`
	Text      string        `json:"text"`
}

// The codes of reasons.
const (
	ExpiredDate   = "date"   // its date has passed
	ExpiredDemand = "demand" // demand is outside its band
	ExpiredError  = "error"  // capacity is off by more than its limit
	ExpiredSLO    = "slo"    // p99 is above the SLO where the plan says that it is not
)

// Reason is why a plan has expired.
type Reason struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

// PeriodSoFar is the traffic of a period, since the plan was made, beside its
// forecast.
type PeriodSoFar struct {
	Label    string      `json:"label"`
	From     time.Time   `json:"from"` // the plan's begin where that is later than the period's
	To       time.Time   `json:"to"`
	Running  bool        `json:"running"`  // it is not over
	Observed float64     `json:"observed"` // seconds that somebody counted
	Mean     float64     `json:"mean"`
	Forecast demand.Band `json:"forecast"`
	// Judged tells that enough of it was seen for its mean to say something.
	Judged   bool        `json:"judged"`
	Held     bool        `json:"held"` // the band holds the mean
	Peak     float64     `json:"peak"`
	PeakBand demand.Band `json:"peak_forecast"`
	PeakHeld bool        `json:"peak_held"` // the peak is not above its band
}

// GradedTest is the p99 of a load test beside what the plan's simulation says
// at that rate.
type GradedTest struct {
	ID       string    `json:"id"`
	At       time.Time `json:"at"`
	Replicas int       `json:"replicas"`
	Rate     float64   `json:"rate"` // requests a second that were due
	P99      float64   `json:"p99"`
	// Predicted is what the simulation says, Low and High its interval, Error
	// predicted over measured, less one.
	Predicted float64 `json:"predicted"`
	Low       float64 `json:"low"`
	High      float64 `json:"high"`
	Error     float64 `json:"error"`
	// Promised tells that the plan says that so many replicas bear the rate
	// within the SLO, Broken that they did not.
	Promised bool `json:"promised"`
	Broken   bool `json:"broken"`
}

// Stand holds the plan against what production did until now. Hours that
// count a load test say nothing of demand and are left out.
func (p *Plan) Stand(now time.Time, seen Production) *Standing {
	s := &Standing{At: now.UTC().Truncate(time.Second), ExpiresAt: p.ExpiresAt, Limit: p.Policy.MaxError,
		Reasons: []Reason{}, Periods: []PeriodSoFar{}, Tests: []GradedTest{}, Capacity: []GradedPoint{}, Notes: []string{}}
	if !now.Before(p.ExpiresAt) {
		s.because(ExpiredDate, "its date, %s, has passed: %s", p.ExpiresAt.Format(time.DateOnly), p.ExpiresWhy)
	}
	p.standDemand(s, now, seen)
	p.standTests(s, seen.Tests)
	if g := seen.Grade; g != nil && g.Expired {
		s.because(ExpiredError, "when it was checked last, capacity was off by %s; the limit is %s", percent(g.Worst), percent(g.Limit))
	}
	s.Expired = len(s.Reasons) > 0
	s.Text = s.say()
	return s
}

func (s *Standing) because(code, format string, args ...any) {
	s.Reasons = append(s.Reasons, Reason{code, fmt.Sprintf(format, args...)})
}

func (s *Standing) note(format string, args ...any) {
	s.Notes = append(s.Notes, fmt.Sprintf(format, args...))
}

func (s *Standing) say() string {
	judged := 0
	for _, d := range s.Periods {
		if d.Judged {
			judged++
		}
	}
	switch {
	case s.Expired:
		return "the plan has expired: " + s.Why()
	case judged+len(s.Tests)+len(s.Capacity) == 0:
		return "nothing to hold the plan against yet; it expires on " + s.ExpiresAt.Format(time.DateOnly)
	}
	return fmt.Sprintf("the plan holds: %s and %s; it expires on %s", Count(judged, "period"), Count(len(s.Tests)+len(s.Capacity), "load test"), s.ExpiresAt.Format(time.DateOnly))
}

// Why says why the plan has expired, "" while it holds.
func (s *Standing) Why() string {
	switch len(s.Reasons) {
	case 0:
		return ""
	case 1:
		return s.Reasons[0].Text
	}
	return fmt.Sprintf("%s; and %s more", s.Reasons[0].Text, Count(len(s.Reasons)-1, "reason"))
}

// standDemand holds the demand against the hours.
func (p *Plan) standDemand(s *Standing, now time.Time, seen Production) {
	hours, without, any := p.demandHours(seen)
	if without > 0 {
		s.note("left out of the demand, because of load tests: %s", Count(without, "hour"))
	}
	if !any {
		s.note("no requests have come since the plan was made, so its demand is not judged")
		return
	}
	for i := range p.Periods {
		d := &p.Periods[i]
		so, ok := p.soFar(d, hours, now)
		if !ok {
			continue
		}
		s.Periods = append(s.Periods, so)
		if so.Judged && !so.Held {
			s.because(ExpiredDemand, "%s%s had %s on average; the forecast is %s to %s", d.Label, runningText(so), perSecond(so.Mean), perSecond(d.Mean.Low), perSecond(d.Mean.High))
		}
		if !so.PeakHeld {
			s.because(ExpiredDemand, "the busiest minute of %s%s had %s; the forecast is at most %s", d.Label, runningText(so), perSecond(so.Peak), perSecond(d.Peak.High))
		}
	}
}

func runningText(d PeriodSoFar) string {
	if d.Running {
		return " so far"
	}
	return ""
}

// demandHours are the hours since the plan was made that hold no load test, how
// many do, and whether any request came.
func (p *Plan) demandHours(seen Production) (hours []ProductionHour, without int, requests bool) {
	for _, h := range seen.Hours {
		switch {
		case h.From.Before(p.MadeAt) || !(h.Observed > 0) || !(h.Requests >= 0):
		case Tested(h.From, seen.Tests):
			without++
		default:
			hours = append(hours, h)
			requests = requests || h.Requests > 0
		}
	}
	return hours, without, requests
}

// Tested tells whether the hour that begins then counts a part of a load test,
// or of the minute before or after one, in which it warms up or its last
// requests end.
func Tested(hour time.Time, tests []ProductionTest) bool {
	for _, t := range tests {
		if t.Apart {
			continue
		}
		around := t.Around + time.Minute
		if t.At.Add(-around).Before(hour.Add(time.Hour)) && t.At.Add(t.Length+around).After(hour) {
			return true
		}
	}
	return false
}

const week = 7 * 24 * time.Hour

// soFar sums a period up; false where nothing was seen of it.
func (p *Plan) soFar(d *Period, hours []ProductionHour, now time.Time) (PeriodSoFar, bool) {
	so := PeriodSoFar{Label: d.Label, From: d.From, To: d.To, Running: now.Before(d.To), Forecast: d.Mean, PeakBand: d.Peak}
	if so.From.Before(p.MadeAt) {
		so.From = p.MadeAt
	}
	requests := 0.0
	for _, h := range hours {
		if h.From.Before(d.From) || !h.From.Before(d.To) {
			continue
		}
		requests += h.Requests
		so.Observed += h.Observed
		so.Peak = max(so.Peak, h.Peak)
	}
	if so.Observed == 0 {
		return so, false
	}
	so.Mean, so.Peak = round(requests/so.Observed), round(so.Peak)
	so.Judged = so.Observed >= leastSeen(d, so.Running).Seconds()
	so.Held = so.Mean >= d.Mean.Low && so.Mean <= d.Mean.High
	so.PeakHeld = so.Peak <= d.Peak.High
	return so, true
}

// leastSeen is how much of a period must have been seen for its mean to say
// something: three quarters of it or of a week, because days and hours differ,
// and a whole week while it runs.
func leastSeen(d *Period, running bool) time.Duration {
	if running {
		return week
	}
	return min(d.To.Sub(d.From), week) * 3 / 4
}

// answered is the share of the requests that were due of which answers keep
// up with them.
const answered = 0.95

// saturated tells whether a test was more than the replicas carry: answers fell
// behind, and most requests waited for longer than any should. A few slow ones
// at its end only stretch it.
func (p *Plan) saturated(t ProductionTest) bool {
	return t.Rate < answered*t.Planned && t.P50 > p.SLO.P99
}

// standTests holds capacity and p99 against load tests, the newest first.
func (p *Plan) standTests(s *Standing, tests []ProductionTest) {
	tests = slices.SortedFunc(slices.Values(tests), func(a, b ProductionTest) int { return b.At.Compare(a.At) })
	tests = p.telling(s, tests)
	for i, t := range tests {
		if p.saturated(t) {
			p.standCapacity(s, t, tests[:i])
		} else {
			p.standP99(s, t, tests[:i])
		}
	}
}

// telling is the tests since the plan was made that it can be held against; it
// notes how many others there are, and why they are none.
func (p *Plan) telling(s *Standing, tests []ProductionTest) []ProductionTest {
	var why []string // in the order in which they are met
	others := make(map[string]int)
	unknown := 0
	tests = slices.DeleteFunc(tests, func(t ProductionTest) bool {
		if t.At.Before(p.MadeAt) {
			return true
		}
		reason := p.saysNothing(t)
		if reason == "" {
			if p.cores() > 0 && t.Quota == 0 {
				unknown++
			}
			return false
		}
		if others[reason]++; others[reason] == 1 {
			why = append(why, reason)
		}
		return true
	})
	for _, reason := range why {
		s.note("left out: %s, %s", Count(others[reason], "load test"), reason)
	}
	if unknown > 0 {
		s.note("the plan is of replicas with %s cores each; what those of %s had is not known", short(p.cores()), Count(unknown, "load test"))
	}
	return tests
}

// cores are those of a replica that was measured; 0: not known.
func (p *Plan) cores() float64 {
	if p.Inputs == nil {
		return 0
	}
	return p.Inputs.CPU
}

// Of a load test: the share of failed requests that says nothing against it,
// and by what share its replicas' quota may differ from the plan's.
const (
	fewErrors = 0.01
	sameQuota = 0.05
)

// saysNothing is why a load test is none to hold the plan against, "" for one
// that is.
func (p *Plan) saysNothing(t ProductionTest) string {
	most, cores := max(fewErrors, p.SLO.Errors), p.cores()
	switch {
	case t.Search:
		return "a search for the knee, whose rates are tried briefly"
	case !t.Counts || !(t.Planned > 0) || !(t.Rate > 0):
		return "void, stopped early, without a fixed rate or without an answer"
	case !(t.Errors <= most):
		return fmt.Sprintf("with more than %s errors", percent(most))
	case t.Replicas < 1 || t.Replicas > len(p.Curve):
		return fmt.Sprintf("whose replicas changed, are not known or are more than %d", len(p.Curve))
	case cores > 0 && t.Quota > 0 && math.Abs(t.Quota/cores-1) > sameQuota:
		return fmt.Sprintf("of replicas with another quota than the plan's, %s cores each", short(cores))
	}
	return ""
}

// standP99 holds the p99 at a rate against what the simulation says.
func (p *Plan) standP99(s *Standing, t ProductionTest, later []ProductionTest) {
	e, ok := p.p99At(t.Replicas, t.Planned)
	if !ok || !(t.P99 > 0) {
		return
	}
	promised := p.Curve[t.Replicas-1].SLORate
	g := GradedTest{ID: t.ID, At: t.At, Replicas: t.Replicas, Rate: t.Planned, P99: t.P99, Predicted: e.Value, Low: e.Low, High: e.High,
		Error: round(e.Value/t.P99 - 1), Promised: t.Planned <= promised, Broken: t.Planned <= promised && t.P99 > p.SLO.P99}
	s.Tests = append(s.Tests, g)
	better := func(l ProductionTest) bool { return l.Planned >= answered*t.Planned && l.P99 <= p.SLO.P99 }
	if g.Broken && !done(later, t.Replicas, better) && !s.has(ExpiredSLO) {
		s.because(ExpiredSLO, "load test %s had a p99 of %s at %s with %s; the plan says that they bear %s within %s",
			t.ID, seconds(t.P99), perSecond(t.Planned), Count(t.Replicas, "replica"), perSecond(promised), seconds(p.SLO.P99))
	}
}

// standCapacity holds what replicas carried at most against the curve. That
// they carried more than it says is no harm: what each of them may take is not
// known here.
func (p *Plan) standCapacity(s *Standing, t ProductionTest, later []ProductionTest) {
	passed := 1 - p.Policy.CacheHitRate
	g, err := p.gradePoint(capacity.Point{N: float64(t.Replicas), X: t.Rate * passed})
	if err != nil {
		return
	}
	s.Capacity = append(s.Capacity, g)
	better := func(l ProductionTest) bool { return l.Rate*passed >= g.Predicted/(1+p.Policy.MaxError) }
	if g.Error > p.Policy.MaxError && !done(later, t.Replicas, better) && !s.has(ExpiredError) {
		s.because(ExpiredError, "in load test %s, %s carried %s, where the plan says %s: off by %s, and the limit is %s",
			t.ID, Count(t.Replicas, "replica"), perSecond(g.Measured), perSecond(g.Predicted), percent(g.Error), percent(p.Policy.MaxError))
	}
}

// done tells whether one of the tests, with so many replicas or fewer, did
// better.
func done(tests []ProductionTest, replicas int, better func(ProductionTest) bool) bool {
	return slices.ContainsFunc(tests, func(t ProductionTest) bool { return t.Replicas <= replicas && better(t) })
}

func (s *Standing) has(code string) bool {
	return slices.ContainsFunc(s.Reasons, func(r Reason) bool { return r.Code == code })
}

// p99At is the response time of n replicas at a rate from clients, as the plan
// simulated it; false beyond what it simulated.
func (p *Plan) p99At(n int, rate float64) (latency.Estimate, bool) {
	x := p.Evidence.Law.At(float64(n))
	if !(x > 0) {
		return latency.Estimate{}, false
	}
	r, ok := p.Latency.At(n, rate*(1-p.Policy.CacheHitRate)/x)
	if !ok {
		return latency.Estimate{}, false
	}
	unit, outside := float64(p.Latency.Concurrency)*float64(n)/x, p.Evidence.Outside
	return latency.Estimate{Value: round(r.P99.Value*unit + outside), Low: round(r.P99.Low*unit + outside), High: round(r.P99.High*unit + outside)}, true
}
