package plan

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/greenlight-dev/greenlight/capacity"
	"github.com/greenlight-dev/greenlight/capacity/demand"
)

// Make makes a plan.
func Make(in Input) (*Plan, error) {
	in, err := in.checked()
	if err != nil {
		return nil, err
	}
	fit, err := in.fit()
	if err != nil {
		return nil, err
	}
	c := newCarry(&in, fit)
	p := &Plan{
		Version: Version, System: in.System, Service: in.Service, MadeAt: in.At.UTC().Truncate(time.Second),
		SLO: in.SLO, Policy: in.Policy, Traffic: rounded(in.Demand), Evidence: evidence(&in, fit), Latency: in.Latency.Surface,
	}
	in.Demand = p.Traffic
	for _, d := range in.Demand.Periods {
		p.Periods = append(p.Periods, c.period(d))
	}
	p.Curve = c.curve(p.Periods)
	p.Bottleneck = c.bottleneck()
	p.Stages = c.outlooks()
	p.ExpiresAt, p.ExpiresWhy = p.expiry()
	p.Scaling = c.scaling(p)
	if err := c.price(p); err != nil {
		return nil, err
	}
	p.Method, p.Limits = c.method(), c.limits(p)
	p.Risks, p.Triggers = c.risks(p), c.triggers(p)
	p.Summary = p.summarize()
	p.Inputs = inputs(&in, p.Prices != nil)
	return p, nil
}

func evidence(in *Input, fit *capacity.Fit) Evidence {
	three := func(e capacity.Estimates) capacity.Estimates {
		return capacity.Estimates{Alpha: round(e.Alpha), Beta: round(e.Beta), Gamma: round(e.Gamma)}
	}
	two := func(i [2]float64) [2]float64 { return [2]float64{round(i[0]), round(i[1])} }
	maybe := func(v *float64) *float64 {
		if v == nil {
			return nil
		}
		r := round(*v)
		return &r
	}
	return Evidence{
		Measurements: slices.Clone(in.Measurements), Larger: in.Larger,
		Law:   capacity.Law(three(capacity.Estimates(fit.Law))),
		SE:    three(fit.SE),
		CI95:  capacity.Intervals{Alpha: two(fit.CI95.Alpha), Beta: two(fit.CI95.Beta), Gamma: two(fit.CI95.Gamma)},
		PeakN: maybe(fit.PeakN), LimitX: maybe(fit.LimitX), Sigma: round(fit.Sigma), DF: fit.DF, MaxN: fit.MaxN,
		Stages: in.Stages, Notes: in.Notes,
		Concurrency: in.Latency.Surface.Concurrency, ServiceCV: round(in.Latency.Surface.CV), Outside: in.Latency.Outside,
		ServiceTime: round(float64(in.Latency.Surface.Concurrency) / fit.Gamma),
	}
}

// rounded is the demand as it is kept: what it is computed from stays as it
// was.
func rounded(d *demand.Demand) *demand.Demand {
	out := *d
	out.PeakToMean = round(d.PeakToMean)
	out.History = slices.Clone(d.History)
	for i := range out.History {
		h := &out.History[i]
		h.Mean, h.Peak = round(h.Mean), round(h.Peak)
	}
	out.Periods = slices.Clone(d.Periods)
	for i := range out.Periods {
		p := &out.Periods[i]
		p.Mean, p.Peak = roundBand(p.Mean), roundBand(p.Peak)
	}
	return &out
}

func roundBand(b demand.Band) demand.Band {
	return demand.Band{Expected: round(b.Expected), Low: round(b.Low), High: round(b.High)}
}

// reason is something that asks for a number of replicas.
type reason struct {
	replicas int
	trust    trust
	text     string
}

// period decides for one period.
func (c *carry) period(d demand.Period) Period {
	p := Period{Label: d.Label, From: d.From, To: d.To, Mean: d.Mean, Peak: d.Peak}
	chosen, worst := c.choose(d.Peak.High)
	p.Replicas, p.Decides = chosen.replicas, chosen.text
	worst = max(worst, c.survives(p.Replicas, d.Peak.High))
	p.Met, p.Uncertain = worst != unmet, worst == uncertain
	p.Extrapolated = float64(p.Replicas) > 2*c.fit.MaxN
	p.Why = c.why(p, worst)
	p.Utilization = round(c.utilization(p.Replicas, d.Peak.Expected))
	p.P99 = c.p99(p.Replicas, d.Peak.Expected)
	p.P99High = c.p99(p.Replicas, d.Peak.High)
	if c.in.Policy.SurviveReplica {
		p.ReplicaLost = c.p99(p.Replicas-1, d.Peak.High)
	}
	if c.in.Policy.SurviveZone {
		p.ZoneLost = c.p99(p.Replicas-inZone(p.Replicas, c.in.Policy.Zones), d.Peak.High)
	}
	return p
}

// survives is how sure it is that n replicas bear a peak with headroom, and
// those that are left after each loss without. It differs from what was
// chosen by only beyond the peak of the law, where more bear less.
func (c *carry) survives(n int, peak float64) trust {
	worst := c.at(n, c.withHeadroom(peak))
	if c.in.Policy.SurviveReplica {
		worst = max(worst, c.at(n-1, peak))
	}
	if c.in.Policy.SurviveZone {
		worst = max(worst, c.at(n-inZone(n, c.in.Policy.Zones), peak))
	}
	return worst
}

func (c *carry) withHeadroom(rate float64) float64 { return rate * (1 + c.in.Policy.Headroom) }

// choose is the fewest replicas that bear a peak with headroom, and without
// it after each loss that is to be survived.
func (c *carry) choose(peak float64) (reason, trust) {
	policy := c.in.Policy
	n, t := c.need(c.withHeadroom(peak))
	text := "the peak"
	if policy.Headroom > 0 {
		text += " with " + percent(policy.Headroom) + " headroom"
	}
	reasons := []reason{{n, t, text}}
	left, t := c.need(peak)
	if policy.SurviveReplica {
		reasons = append(reasons, reason{left + 1, t, "the peak with one replica lost"})
	}
	if policy.SurviveZone {
		reasons = append(reasons, reason{afterZone(left, policy.Zones), t, "the peak with one zone lost"})
	}
	reasons = append(reasons, reason{policy.MinReplicas, sure, "the least that the policy allows"})
	best, worst := reasons[0], sure
	for _, r := range reasons {
		worst = max(worst, r.trust)
		if r.replicas > best.replicas {
			best = r
		}
	}
	if best.replicas > policy.MaxReplicas {
		best, worst = reason{policy.MaxReplicas, unmet, "the most that the policy allows"}, unmet
	}
	return best, worst
}

// tooSlow says that no number of replicas helps, and what may.
func (c *carry) tooSlow() string {
	text := "even a request that waits for nobody takes longer than the SLO allows"
	if cores := c.in.Replica.CPU; cores > 0 {
		text += fmt.Sprintf(" on the %s cores that each replica is held to (--cpu gives it others)", short(cores))
	}
	return text
}

// inZone is how many of n replicas stand in the fullest zone.
func inZone(n, zones int) int { return (n + zones - 1) / zones }

// afterZone is the fewest replicas of which enough are left when the fullest
// zone is lost.
func afterZone(left, zones int) int {
	n := left + (left+zones-2)/(zones-1)
	for n > 1 && n-1-inZone(n-1, zones) >= left {
		n--
	}
	return n
}

func (c *carry) why(p Period, worst trust) string {
	rate := c.withHeadroom(p.Peak.High)
	switch {
	case c.hopeless():
		return c.tooSlow()
	case worst == unmet && p.Replicas == c.in.Policy.MaxReplicas:
		return fmt.Sprintf("even %d replicas, the most allowed, do not bear %s%s within the SLO and the losses to survive", p.Replicas, perSecond(rate), c.withWhat())
	case worst == unmet:
		b := c.bottleneck()
		text := fmt.Sprintf("no number of replicas bears %s%s within the SLO and the losses to survive; the most is %s, because of the %s", perSecond(rate), c.withWhat(), b.Text(), b.Name)
		if b.Name == byReplicas && float64(bestOf(c.midBest)) > 2*c.fit.MaxN {
			text += fmt.Sprintf(", as far as measurements at up to %s tell", short(c.fit.MaxN))
		}
		return text
	case worst == uncertain:
		return "borne by the law, but not by the low end of its interval: measure more"
	}
	return ""
}

// curve reaches beyond what the periods need and what was measured, so that
// later measurements can be compared with it.
func (c *carry) curve(periods []Period) []Carried {
	most := int(math.Ceil(2 * c.fit.MaxN))
	for _, p := range periods {
		most = max(most, p.Replicas+2)
	}
	var curve []Carried
	for n := 1; n <= min(most, c.in.Policy.MaxReplicas); n++ {
		curve = append(curve, c.carried(n))
	}
	return curve
}

// The longest that a plan may stand: software and its users change.
const longest = 182 * 24 * time.Hour

// expiry is when the plan stops to hold, and why.
func (p *Plan) expiry() (time.Time, string) {
	at, why := p.MadeAt.Add(longest), "half a year is as long as measurements of changing software may be trusted"
	earlier := func(t time.Time, reason string) {
		if t.Before(at) {
			at, why = t, reason
		}
	}
	last := p.Periods[len(p.Periods)-1]
	earlier(last.To, "the forecast ends")
	for _, d := range p.Periods {
		if !d.Met {
			earlier(d.From, "the peak of "+d.Label+" cannot be met")
		}
		if d.Extrapolated {
			earlier(d.From, d.Label+" needs more than twice the replicas that were measured")
		}
	}
	if at.Before(p.MadeAt) {
		at = p.MadeAt
	}
	return at, why
}
