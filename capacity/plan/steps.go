package plan

import (
	"fmt"
	"strings"

	"github.com/greenlight-dev/greenlight/capacity/latency"
)

// Step is periods in a row with the same number of replicas and the same
// standing.
type Step struct {
	From, To string // labels of the first and the last period
	Replicas int
	State    string  // as Period.State
	Class    string  // as Period.Class
	Peak     float64 // requests a second: the highest of the bands' high ends
	// P99 is the longest at the expected peaks; nil where one cannot be told.
	P99 *latency.Estimate
	// Cost is the highest of the periods' cheapest prices; nil without any.
	Cost *Cost
}

// When is the step's time in words.
func (s Step) When() string {
	if s.From == s.To {
		return s.From
	}
	return s.From + " – " + s.To
}

// Steps is the plan's periods as a reader asks for them: how many replicas,
// from when to when.
func (p *Plan) Steps() []Step {
	var steps []Step
	for i, d := range p.Periods {
		n := len(steps)
		if n == 0 || steps[n-1].Replicas != d.Replicas || steps[n-1].State != d.State() {
			steps = append(steps, Step{From: d.Label, To: d.Label, Replicas: d.Replicas, State: d.State(), Class: d.Class(), Peak: d.Peak.High, P99: d.P99, Cost: d.Cheapest()})
			continue
		}
		steps[n-1].take(&p.Periods[i])
	}
	return steps
}

// take adds a period that follows.
func (s *Step) take(d *Period) {
	s.To = d.Label
	s.Peak = max(s.Peak, d.Peak.High)
	if s.P99 != nil && (d.P99 == nil || d.P99.Value > s.P99.Value) {
		s.P99 = d.P99
	}
	if c := d.Cheapest(); c != nil && (s.Cost == nil || c.Monthly > s.Cost.Monthly) {
		s.Cost = c
	}
}

// ShownSteps bounds the answer at the head of a page; the whole table is
// further down.
const ShownSteps = 8

// FirstSteps are the steps that a page begins with, and how many more follow.
func (p *Plan) FirstSteps() (first []Step) {
	all := p.Steps()
	return all[:min(len(all), ShownSteps)]
}

// MoreSteps is how many follow FirstSteps.
func (p *Plan) MoreSteps() int { return len(p.Steps()) - len(p.FirstSteps()) }

// Cheapest is the cheapest price of the period; nil without any.
func (d Period) Cheapest() *Cost {
	var best *Cost
	for i := range d.Costs {
		if best == nil || d.Costs[i].Monthly < best.Monthly {
			best = &d.Costs[i]
		}
	}
	return best
}

// stepsText is how many replicas, and from when: "3 replicas from Nov 2026 and
// 4 from Aug 2027".
func (p *Plan) stepsText() string {
	const few = 3
	type change struct {
		replicas int
		from     string
	}
	var changes []change
	for _, d := range p.Periods {
		if n := len(changes); n == 0 || changes[n-1].replicas != d.Replicas {
			changes = append(changes, change{d.Replicas, d.Label})
		}
	}
	first, busiest := p.Periods[0], p.busiest()
	text := Count(first.Replicas, "replica") + " from " + first.Label
	switch {
	case len(changes) == 1:
		return text + " through " + p.Periods[len(p.Periods)-1].Label
	case len(changes) > few:
		return fmt.Sprintf("%s, and later up to %d, in %s", text, busiest.Replicas, busiest.Label)
	}
	parts := []string{text}
	for _, c := range changes[1:] {
		parts = append(parts, fmt.Sprintf("%d from %s", c.replicas, c.from))
	}
	last := len(parts) - 1
	return strings.Join(parts[:last], ", ") + " and " + parts[last]
}

// Sure says how sure the plan is, in a few sentences.
func (p *Plan) Sure() string {
	return strings.Join(append(p.sureOfCapacity(), p.sureOfDemand()), " ")
}

func (p *Plan) sureOfCapacity() []string {
	first := p.Periods[0]
	at := p.Curve[min(first.Replicas, len(p.Curve))-1]
	text := fmt.Sprintf("What %s when saturated lies between %s and %s in 95 %% of cases, after %s at up to %s replicas; the plan counts on the low end.",
		carries(first.Replicas), perSecond(at.Low), perSecond(at.High), Count(len(p.Evidence.Measurements), "measurement"), short(p.Evidence.MaxN))
	list := []string{text}
	if _, when := p.when(func(d Period) bool { return d.Met && d.Uncertain }); when != "" {
		list = append(list, fmt.Sprintf("In %s the low end is not enough, only the expected value: uncertain.", when))
	}
	if _, when := p.when(func(d Period) bool { return d.Extrapolated }); when != "" {
		list = append(list, fmt.Sprintf("In %s more than twice the measured replicas are needed: a guess.", when))
	}
	return list
}

func carries(n int) string {
	if n == 1 {
		return "1 replica carries"
	}
	return Count(n, "replica") + " carry"
}

func (p *Plan) sureOfDemand() string {
	if !p.Traffic.Measured {
		return "The traffic is stated, not measured, and the plan counts on the high end of its band."
	}
	return fmt.Sprintf("The traffic is a forecast whose band holds %s of cases, and the plan counts on its high end.", percent(p.Traffic.Probability))
}

// Interval is half the width of the interval of what the first period's
// replicas carry, as a share.
func (p *Plan) Interval() float64 {
	at := p.Curve[min(p.Periods[0].Replicas, len(p.Curve))-1]
	if at.X <= 0 {
		return 0
	}
	return (at.High - at.Low) / 2 / at.X
}
