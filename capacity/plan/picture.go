package plan

import (
	"fmt"
	htmltemplate "html/template"
	"math"
	"time"

	"github.com/greenlight-dev/greenlight/capacity/demand"
)

// most is an axis' end with some air above the largest value.
func most(values ...float64) float64 {
	top := 0.0
	for _, v := range values {
		top = max(top, v)
	}
	if top == 0 {
		return 1
	}
	return 1.08 * top
}

// capacityChart is throughput by replicas.
func (p *Plan) capacityChart() htmltemplate.HTML {
	c := chart{label: "Throughput by number of replicas, with its 95 % interval and what was measured"}
	top := 0.0
	var mid, low, high [][2]float64
	for _, at := range p.Curve {
		n := float64(at.Replicas)
		mid, low, high = append(mid, [2]float64{n, at.X}), append(low, [2]float64{n, at.Low}), append(high, [2]float64{n, at.High})
		top = max(top, at.X)
	}
	for _, m := range p.Evidence.Measurements {
		c.dots = append(c.dots, dot{[2]float64{m.N, m.X}, fmt.Sprintf("%s replicas: %s measured", short(m.N), perSecond(m.X))})
		top = max(top, m.X)
	}
	end := float64(len(p.Curve))
	c.x = axis{from: 0, to: max(end, 2), write: short, whole: true, title: "replicas"}
	c.y = axis{to: most(top) * 1.15, write: short, title: "requests/s"}
	c.bands = []band{{"run", low, high}}
	c.lines = []line{{"run", mid}}
	for _, s := range p.Evidence.Stages {
		if at := s.Ceiling / s.PerRequest; at < c.y.to {
			c.rules = append(c.rules, rule{class: "stop", at: at, text: s.Name})
		}
	}
	first, busiest := p.Periods[0], p.busiest()
	c.rules = append(c.rules, rule{class: "go", at: float64(first.Replicas), vertical: true, text: fmt.Sprintf("%d in %s", first.Replicas, first.Label)})
	if busiest.Replicas != first.Replicas {
		c.rules = append(c.rules, rule{class: "go", at: float64(busiest.Replicas), vertical: true, text: fmt.Sprintf("%d in %s", busiest.Replicas, busiest.Label)})
	}
	c.shade = &shade{2 * p.Evidence.MaxN, "beyond twice what was measured"}
	return c.svg()
}

// latencyChart is response times by load, for the replicas of the first
// period.
func (p *Plan) latencyChart() htmltemplate.HTML {
	now := p.Periods[0]
	c := chart{label: fmt.Sprintf("Response times of %d replicas by load", now.Replicas)}
	x := p.Evidence.Law.At(float64(now.Replicas))
	unit := float64(p.Latency.Concurrency) * float64(now.Replicas) / x
	var p50, p95, p99, low, high [][2]float64
	top := p.Latency.Utilization[len(p.Latency.Utilization)-1]
	for i := range 121 {
		load := top * float64(i) / 120
		r, _ := p.Latency.At(now.Replicas, load)
		at := func(v float64) [2]float64 {
			return [2]float64{load * x / (1 - p.Policy.CacheHitRate), v*unit + p.Evidence.Outside}
		}
		p50, p95, p99 = append(p50, at(r.P50.Value)), append(p95, at(r.P95.Value)), append(p99, at(r.P99.Value))
		low, high = append(low, at(r.P99.Low)), append(high, at(r.P99.High))
	}
	c.x = axis{to: p99[len(p99)-1][0], write: short, title: "requests/s"}
	c.y = axis{to: min(1.8*p.SLO.P99, max(1.2*p.SLO.P99, most(p99[len(p99)-1][1]))), write: seconds}
	c.y.title = "response time"
	c.bands = []band{{"run", low, high}}
	c.lines = []line{{"faint", p50}, {"dim", p95}, {"run", p99}}
	c.rules = []rule{{class: "stop", at: p.SLO.P99, text: "SLO " + seconds(p.SLO.P99)}}
	if peak := now.Peak.High; peak < c.x.to {
		c.rules = append(c.rules, rule{class: "go", at: peak, vertical: true, text: "peak of " + now.Label})
	}
	return c.svg()
}

// demandChart is past means and the peaks to come, beside what the planned
// replicas bear.
func (p *Plan) demandChart() htmltemplate.HTML {
	c := chart{label: "Forecast of peaks with its band, and what the planned replicas bear"}
	at := func(t time.Time) float64 { return float64(t.Unix()) / 86400 }
	var past, mean, peak, low, high, bears [][2]float64
	top := 0.0
	for _, h := range p.history() {
		past = append(past, [2]float64{at(h.From), h.Mean})
		top = max(top, h.Mean)
		c.x.marks = append(c.x.marks, mark{at(h.From), p.axisLabel(h.From)})
	}
	for _, d := range p.Periods {
		from, to := at(d.From), at(d.To)
		peak = append(peak, [2]float64{from, d.Peak.Expected})
		low, high = append(low, [2]float64{from, d.Peak.Low}), append(high, [2]float64{from, d.Peak.High})
		mean = append(mean, [2]float64{from, d.Mean.Expected})
		rate := p.sloRate(d.Replicas)
		bears = append(bears, [2]float64{from, rate}, [2]float64{to, rate})
		top = max(top, d.Peak.High, rate)
		c.x.marks = append(c.x.marks, mark{from, p.axisLabel(d.From)})
	}
	last := p.Periods[len(p.Periods)-1]
	for _, l := range []*[][2]float64{&peak, &low, &high, &mean} { // the last period has a width too
		end := (*l)[len(*l)-1]
		*l = append(*l, [2]float64{at(last.To), end[1]})
	}
	c.x.from, c.x.to = c.x.marks[0].at, at(last.To)
	c.y = axis{to: most(top), write: short, title: "requests/s"}
	c.bands = []band{{"run", low, high}}
	c.lines = []line{{"dim", past}, {"faint", mean}, {"run", peak}, {"go", bears}}
	if limit := p.Bottleneck.Limit; limit < 1.6*top {
		c.y.to = most(top, limit)
		c.rules = append(c.rules, rule{class: "stop", at: limit, text: p.Bottleneck.Name + ": the most"})
	}
	c.rules = append(c.rules, rule{class: "hold", at: min(at(p.ExpiresAt), c.x.to), vertical: true, text: "plan expires"})
	return c.svg()
}

// history is the last past periods, at most twice as many as are planned.
func (p *Plan) history() []demand.Past {
	all := p.Traffic.History
	return all[max(0, len(all)-2*len(p.Periods)):]
}

func (p *Plan) axisLabel(t time.Time) string {
	switch span := p.Periods[0].To.Sub(p.Periods[0].From); {
	case span <= time.Hour:
		return t.Format("15:04")
	case span <= 8*24*time.Hour:
		return t.Format("2 Jan")
	}
	return t.Format("Jan 06")
}

// sloRate is the rate that so many replicas, or fewer of them, bear within
// the SLO.
func (p *Plan) sloRate(replicas int) float64 {
	most := 0.0
	for _, c := range p.Curve[:min(replicas, len(p.Curve))] {
		most = max(most, c.SLORate)
	}
	return most
}

// costClasses are the colours of providers, in the order of the list.
var costClasses = []string{"run", "go", "hold dashed", "dim", "faint"}

// costChart is the monthly price of each period.
func (p *Plan) costChart() htmltemplate.HTML {
	c := chart{label: "Monthly price by provider and period"}
	at := func(t time.Time) float64 { return float64(t.Unix()) / 86400 }
	top := 0.0
	byProvider := make(map[string]int)
	for _, d := range p.Periods {
		c.x.marks = append(c.x.marks, mark{at(d.From), p.axisLabel(d.From)})
		for _, cost := range d.Costs {
			i, ok := byProvider[cost.Provider]
			if !ok {
				i = len(c.lines)
				byProvider[cost.Provider] = i
				c.lines = append(c.lines, line{class: costClasses[i%len(costClasses)]})
			}
			c.lines[i].points = append(c.lines[i].points, [2]float64{at(d.From), cost.Monthly}, [2]float64{at(d.To), cost.Monthly})
			top = max(top, cost.Monthly)
		}
	}
	c.x.from, c.x.to = c.x.marks[0].at, at(p.Periods[len(p.Periods)-1].To)
	c.y = axis{to: most(top), write: func(v float64) string { return "$" + thousands(fmt.Sprint(math.Round(v))) }, title: "US dollars a month"}
	return c.svg()
}
