package plan

import (
	"fmt"
	"strings"
	"time"
)

// text says what larger replicas carried, and what that is taken for.
func (l *Larger) text() string {
	return fmt.Sprintf("%s with %s cores each carried %s (mean of %s), and count as one measurement at %s", Count(l.Replicas, "replica"), short(l.Cores), perSecond(l.X), Count(l.Runs, "run"), short(l.As))
}

// method says how the figures came about.
func (c *carry) method() []string {
	s := c.in.Latency.Surface
	list := []string{
		fmt.Sprintf("Throughput was measured at 1 to %s saturated replicas (%s) and the Universal Scalability Law fitted to it by least squares of relative errors; with and without contention and coherency, each weighted by how likely the measurements make it, so that scatter is not taken for a bend. Intervals are of 95 %%, with Student's t of %s of freedom.", short(c.fit.MaxN), Count(len(c.in.Measurements), "measurement"), Count(c.fit.DF, "degree")),
	}
	if l := c.in.Larger; l != nil {
		list = append(list, "Larger replicas drive what all share as more replicas do, and nothing of it gave way: "+l.text()+".")
	}
	if len(c.in.Stages) > 0 {
		list = append(list, fmt.Sprintf("What all replicas share (%s) was loaded alone. What is carried is the least of the law and of each stage's ceiling.", strings.Join(c.stageNames(), ", ")))
	}
	return append(list,
		fmt.Sprintf("Response times come from simulations of %s requests at each load, with the balancer in use (%s), %s at once in a replica and service times that vary by %s of their mean. The upper end of their interval must meet the SLO.", short(float64(s.Requests)), s.Balancer, Count(s.Concurrency, "request"), percent(s.CV)),
		fmt.Sprintf("Demand: %s. The peak of a period is %s times its mean (%s).", c.in.Demand.Method, short(c.in.Demand.PeakToMean), c.in.Demand.PeakSource),
		"Replicas and limits are decided by the high end of the demand's band and the low end of what is carried; what is called expected lies in the middle.",
	)
}

func (c *carry) stageNames() []string {
	var names []string
	for _, s := range c.in.Stages {
		names = append(names, s.Name)
	}
	return names
}

// limits says what the plan does not know.
func (c *carry) limits(p *Plan) []string {
	list := []string{
		fmt.Sprintf("Nothing is known of more than %s replicas; up to %s the law is trusted, beyond its interval is widened and the plan says so.", short(c.fit.MaxN), short(2*c.fit.MaxN)),
		"Requests are taken to come independently of each other. Clients that act at the same moment (on the hour, after an outage) make longer queues.",
		"All replicas are taken to be equal, and each to serve requests in the order in which they come.",
		"Errors are not predicted. The plan keeps load below saturation, where those for want of capacity begin.",
	}
	if len(c.in.Stages) > 0 {
		list = append(list, fmt.Sprintf("Waiting inside shared stages is not simulated; they are planned for at most %s of their ceilings instead.", percent(c.in.Policy.StageUse)))
	}
	if p.Prices != nil {
		list = append(list, fmt.Sprintf("Prices are list prices as of %s, of machines that run all month, without disks, traffic and discounts. Check them before you decide by them.", p.Prices.AsOf.Format("2 January 2006")))
	}
	return list
}

// risks says what may make the plan wrong, the worst first.
func (c *carry) risks(p *Plan) []Risk {
	var list []Risk
	add := func(when bool, code, format string, args ...any) {
		if when {
			list = append(list, Risk{code, fmt.Sprintf(format, args...)})
		}
	}
	if d, when := p.when(func(d Period) bool { return !d.Met }); when != "" {
		add(true, "unmet", "The peak is not met in %s: %s.", when, d.Why)
	}
	if _, when := p.when(func(d Period) bool { return d.Uncertain }); when != "" {
		add(true, "uncertain", "The peak is met in %s by the law, but not by the low end of its interval. Measure at more replicas, or more often.", when)
	}
	if d, when := p.when(func(d Period) bool { return d.Extrapolated }); when != "" {
		add(true, "extrapolated", "The plan needs %d replicas in %s; only %s were measured. Measure at %d or more before then.", d.Replicas, when, short(c.fit.MaxN), (d.Replicas+1)/2)
	}
	for _, s := range p.Stages {
		add(s.RunsOut != "", "stage", "The %s runs out in %s at the high end of the forecast%s.", s.Name, s.RunsOut, s.remedy())
	}
	for _, s := range c.in.Stages {
		add(s.Driven > 0 && s.Driven < 0.7, "stage-guessed", "The ceiling of the %s is a guess: it was driven to only %s of it.", s.Name, percent(s.Driven))
	}
	for _, s := range c.in.Stages {
		wide := s.Interval()
		add(wide > MostStageInterval, "stage-wide", "The ceiling of the %s is known to ±%s only, %s to %s, and the plan counts on the low end. Measure on a machine that has less else to do.", s.Name, percent(wide), perSecond(s.Low), perSecond(s.High))
	}
	for _, s := range c.in.Stages {
		m := c.most()
		add(s.High/s.PerRequest < m.X, "contradiction", "The ceiling of the %s is %s, but %s replicas carried %s through it: one of the two measurements is wrong.", s.Name, perSecond(s.Ceiling/s.PerRequest), short(m.N), perSecond(m.X))
	}
	wide := c.fit.Predict(c.fit.MaxN)
	add(wide.Low < 0.8*wide.X, "wide", "The law's interval is wide: at %s replicas from %s to %s. More repetitions would narrow it, and may need fewer replicas.", short(c.fit.MaxN), perSecond(wide.Low), perSecond(wide.High))
	add(!c.in.Demand.Measured, "stated", "The demand is stated, not measured. Replace it by a series as soon as there is one.")
	add(c.in.Demand.Measured && c.in.Demand.PeakSource == "stated", "peak-stated", "How far peaks exceed the mean is stated, not measured.")
	add(c.in.Latency.Surface.CV > 1.5, "varied", "Service times vary by %s of their mean: a few slow requests decide the p99. Find out which they are.", percent(c.in.Latency.Surface.CV))
	cores := c.in.Replica.CPU
	add(cores > 0 && cores < smallShare, "small-share", "Each replica was held to %s of a core. With so little, part of the response times is waiting for the next share of the processor, up to 0.1 s each time, which larger replicas do not have. Measure with what production gives them (--cpu, or resources in the description).", short(cores))
	if m, ok := c.failing(); ok {
		add(true, "errors", "At %s replicas %s of the requests failed while measuring; the SLO allows %s.", short(m.N), percent(m.Errors), percent(c.in.SLO.Errors))
	}
	add(c.in.Policy.Zones == 1, "one-zone", "All replicas stand in one zone: its loss is an outage.")
	add(!c.in.Policy.SurviveReplica && !c.in.Policy.SurviveZone, "no-spare", "No replica is spare: while one is replaced, the SLO may be missed.")
	if per, ok := p.packed(); ok && c.in.Policy.Zones == 1 {
		add(true, "packed", "The cheapest machines hold up to %d replicas; the loss of one takes them all, and the plan survives one.", per)
	}
	if c.in.Policy.CacheHitRate > 0 {
		add(true, "cache", "The plan counts on the cache to answer %s. With it empty, after a release or a restart, the replicas see %s times as much.", percent(c.in.Policy.CacheHitRate), short(1/c.in.misses()))
	}
	add(p.Prices != nil && p.MadeAt.Sub(p.Prices.AsOf) > 365*24*time.Hour, "old-prices", "The price list is more than a year old.")
	return list
}

// smallShare is the share of a core below which a replica's quota shows in its
// response times: the kernel deals it out every 0.1 s.
const smallShare = 0.25

func (s Outlook) remedy() string {
	if n := len(s.HitRates); n > 0 {
		last := s.HitRates[n-1]
		return fmt.Sprintf("; a cache that answers %s would carry it through %s", tenths(last.HitRate), last.Through)
	}
	if s.BehindCache {
		return "; no cache that still asks it anything carries it on"
	}
	return "; a cache does not help it"
}

func (p *Plan) first(is func(Period) bool) (Period, bool) {
	for _, d := range p.Periods {
		if is(d) {
			return d, true
		}
	}
	return Period{}, false
}

// when is the first period that is so, and it with the number of others in
// words; "" when none is.
func (p *Plan) when(is func(Period) bool) (first Period, words string) {
	others := -1
	for _, d := range p.Periods {
		if is(d) {
			if others++; others == 0 {
				first = d
			}
		}
	}
	switch {
	case others < 0:
		return first, ""
	case others == 0:
		return first, first.Label
	}
	return first, fmt.Sprintf("%s and %s", first.Label, Count(others, "later period"))
}

// packed is the most replicas on a machine of the first period's costs, when
// several share one.
func (p *Plan) packed() (int, bool) {
	most := 0
	for _, c := range p.Periods[0].Costs {
		most = max(most, min(c.PerMachine, p.Periods[0].Replicas))
	}
	return most, most > 1
}

// most is the measurement with the highest throughput.
func (c *carry) most() (most Measurement) {
	for _, m := range c.in.Measurements {
		if m.X > most.X {
			most = m
		}
	}
	return most
}

// failing is the measurement with the most errors beyond the SLO.
func (c *carry) failing() (worst Measurement, found bool) {
	for _, m := range c.in.Measurements {
		if m.Errors > c.in.SLO.Errors && m.Errors > worst.Errors {
			worst, found = m, true
		}
	}
	return worst, found
}

// triggers says what to watch.
func (c *carry) triggers(p *Plan) []Trigger {
	now := p.Periods[0]
	list := []Trigger{
		{"rate", fmt.Sprintf("the peak rate of %s exceeds %s, the high end of its band", now.Label, perSecond(now.Peak.High)), round(now.Peak.High), "forecast again"},
		{"slo", fmt.Sprintf("p99 exceeds %s", seconds(p.SLO.P99)), p.SLO.P99, "add replicas, then measure again"},
		{"errors", fmt.Sprintf("errors exceed %s", percent(p.SLO.Errors)), p.SLO.Errors, "find the cause first, for the plan keeps load below saturation"},
		{"at-max", fmt.Sprintf("%s run for more than 10 minutes", Count(p.Scaling.Max, "replica")), float64(p.Scaling.Max), "raise max as the next period plans, if the bottleneck allows"},
	}
	for _, s := range c.in.Stages {
		most := c.in.Policy.StageUse * s.Low
		list = append(list, Trigger{"stage", fmt.Sprintf("the %s is asked more than %s operations", s.Name, perSecond(most)), round(most), "see what postpones it"})
	}
	if h := c.in.Policy.CacheHitRate; h > 0 {
		list = append(list, Trigger{"cache", fmt.Sprintf("the cache misses more than %s of the requests", percent(c.in.misses())), round(c.in.misses()), "plan again with the rate that it reaches"})
	}
	return append(list, Trigger{"error", fmt.Sprintf("a measurement differs from the plan by more than %s", percent(p.Policy.MaxError)), p.Policy.MaxError, "the plan has expired: measure and fit again"})
}

// summarize says the plan in a few sentences.
func (p *Plan) summarize() string {
	first, busiest := p.Periods[0], p.busiest()
	if d, ok := p.first(func(d Period) bool { return !d.Met }); ok {
		if d.Label == first.Label {
			return fmt.Sprintf("The peak of %s is not met: %s.", d.Label, d.Why)
		}
		return fmt.Sprintf("%s in %s will do, but the peak of %s is not met: %s.", Count(first.Replicas, "replica"), first.Label, d.Label, d.Why)
	}
	peaks := perSecond(first.Peak.High)
	if busiest.Label != first.Label {
		peaks += fmt.Sprintf(" in %s and %s in %s", first.Label, perSecond(busiest.Peak.High), busiest.Label)
	}
	keeps := "keeps"
	if _, uncertain := p.first(func(d Period) bool { return d.Uncertain }); uncertain {
		keeps = "should keep"
	}
	return fmt.Sprintf("Run %s: that %s the p99 below %s at peaks of up to %s%s. More than %s may be too much for the %s%s.",
		p.stepsText(), keeps, seconds(p.SLO.P99), peaks, p.Policy.losses(), p.Bottleneck.Text(), p.Bottleneck.Name, p.guessed())
}

// guessed says of the bottleneck when it is one.
func (p *Plan) guessed() string {
	if p.Bottleneck.Extrapolated {
		return fmt.Sprintf(", as far as measurements at up to %s tell", short(p.Evidence.MaxN))
	}
	return ""
}

// losses are those that the plan survives, in words.
func (p Policy) losses() string {
	switch {
	case p.SurviveReplica && p.SurviveZone:
		return ", also with one replica or one zone lost"
	case p.SurviveReplica:
		return ", also with one replica lost"
	case p.SurviveZone:
		return ", also with one zone lost"
	}
	return ""
}

// busiest is the period that needs the most replicas, and of several that
// with the highest peak.
func (p *Plan) busiest() Period {
	busiest := p.Periods[0]
	for _, d := range p.Periods {
		if d.Replicas > busiest.Replicas || d.Replicas == busiest.Replicas && d.Peak.High > busiest.Peak.High {
			busiest = d
		}
	}
	return busiest
}

// withWhat says what a rate holds beyond the forecast.
func (c *carry) withWhat() string {
	if c.in.Policy.Headroom == 0 {
		return ""
	}
	return fmt.Sprintf(" (the peak and %s headroom)", percent(c.in.Policy.Headroom))
}
