package plan

import (
	"fmt"
	htmltemplate "html/template"
	"math"
	"time"

	"github.com/greenlight-dev/greenlight/capacity/demand"
	"github.com/greenlight-dev/greenlight/chart"
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
	c := chart.Chart{Label: "Throughput by number of replicas, with its 95 % interval, what was measured, and what is borne within the SLO"}
	top := 0.0
	var mid, low, high, slo []chart.Point
	for _, at := range p.Curve {
		n := float64(at.Replicas)
		mid, low, high = append(mid, chart.Point{n, at.X}), append(low, chart.Point{n, at.Low}), append(high, chart.Point{n, at.High})
		slo = append(slo, chart.Point{n, at.SLORate * (1 - p.Policy.CacheHitRate)}) // of what reaches replicas
		top = max(top, at.X)
	}
	for _, m := range p.Evidence.Measurements {
		c.Dots = append(c.Dots, chart.Dot{At: chart.Point{m.N, m.X}, Title: fmt.Sprintf("%s: %s measured", Count(int(m.N), "replica"), perSecond(m.X))})
		top = max(top, m.X)
	}
	if l := p.Evidence.Larger; l != nil {
		c.Dots = append(c.Dots, chart.Dot{At: chart.Point{l.As, l.X}, Title: l.text()})
		top = max(top, l.X)
	}
	c.X = chart.Axis{To: max(float64(len(p.Curve)), 2), Write: short, Whole: true, Title: "replicas"}
	c.Y = chart.Axis{To: most(top) * 1.15, Write: short, Title: "requests/s"}
	c.Bands = []chart.Band{{Colour: chart.Run, Low: low, High: high}}
	c.Lines = []chart.Line{{Colour: chart.Go, Points: slo}, {Colour: chart.Run, Points: mid}}
	for _, s := range p.Evidence.Stages {
		if at := s.Ceiling / s.PerRequest; at < c.Y.To {
			c.Rules = append(c.Rules, chart.Rule{Colour: chart.Stop, At: at, Text: "ceiling of the " + s.Name})
		}
	}
	first, busiest := p.Periods[0], p.busiest()
	c.Rules = append(c.Rules, planned(first))
	if busiest.Replicas != first.Replicas {
		c.Rules = append(c.Rules, planned(busiest))
	}
	c.Shade = &chart.Shade{From: 2 * p.Evidence.MaxN, Text: "beyond twice what was measured"}
	return c.SVG()
}

// planned marks a period's replicas.
func planned(d Period) chart.Rule {
	return chart.Rule{Colour: chart.Go, At: float64(d.Replicas), Vertical: true, Text: fmt.Sprintf("%d in %s", d.Replicas, d.Label)}
}

// latencyChart is response times by load, for the replicas of the first
// period.
func (p *Plan) latencyChart() htmltemplate.HTML {
	now := p.Periods[0]
	c := chart.Chart{Label: "Response times of " + Count(now.Replicas, "replica") + " by load"}
	x := p.Evidence.Law.At(float64(now.Replicas))
	unit := float64(p.Latency.Concurrency) * float64(now.Replicas) / x
	var p50, p95, p99, low, high []chart.Point
	top := p.Latency.Utilization[len(p.Latency.Utilization)-1]
	for i := range 121 {
		load := top * float64(i) / 120
		r, _ := p.Latency.At(now.Replicas, load)
		at := func(v float64) chart.Point {
			return chart.Point{load * x / (1 - p.Policy.CacheHitRate), v*unit + p.Evidence.Outside}
		}
		p50, p95, p99 = append(p50, at(r.P50.Value)), append(p95, at(r.P95.Value)), append(p99, at(r.P99.Value))
		low, high = append(low, at(r.P99.Low)), append(high, at(r.P99.High))
	}
	last := p99[len(p99)-1]
	c.X = chart.Axis{To: last[0], Write: short, Title: "requests/s"}
	c.Y = chart.Axis{To: min(1.8*p.SLO.P99, max(1.2*p.SLO.P99, most(last[1]))), Write: seconds, Title: "response time"}
	c.Y.To = max(c.Y.To, 1.3*p99[0][1]) // where even a request alone is too slow, that is to be seen
	c.Bands = []chart.Band{{Colour: chart.Run, Low: low, High: high}}
	c.Lines = []chart.Line{{Colour: chart.Faint, Points: p50}, {Colour: chart.Dim, Points: p95}, {Colour: chart.Run, Points: p99}}
	c.Rules = []chart.Rule{{Colour: chart.Stop, At: p.SLO.P99, Text: "promised: p99 below " + seconds(p.SLO.P99)}}
	if peak := now.Peak.High; peak < c.X.To {
		c.Rules = append(c.Rules, chart.Rule{Colour: chart.Go, At: peak, Vertical: true, Text: "peak of " + now.Label})
	}
	return c.SVG()
}

// demandChart is past means and the peaks to come, beside what the planned
// replicas bear.
func (p *Plan) demandChart() htmltemplate.HTML {
	c := chart.Chart{Label: "Forecast of peaks with its band, and what the planned replicas bear"}
	var past, mean, peak, low, high, bears []chart.Point
	top := 0.0
	for _, h := range p.history() {
		past = append(past, chart.Point{days(h.From), h.Mean})
		top = max(top, h.Mean)
		c.X.Marks = append(c.X.Marks, p.markAt(h.From))
	}
	for _, d := range p.Periods {
		from, to := days(d.From), days(d.To)
		peak = append(peak, chart.Point{from, d.Peak.Expected})
		low, high = append(low, chart.Point{from, d.Peak.Low}), append(high, chart.Point{from, d.Peak.High})
		mean = append(mean, chart.Point{from, d.Mean.Expected})
		rate := p.sloRate(d.Replicas)
		bears = append(bears, chart.Point{from, rate}, chart.Point{to, rate})
		top = max(top, d.Peak.High, rate)
		c.X.Marks = append(c.X.Marks, p.markAt(d.From))
	}
	if len(past) > 0 { // to where the forecast begins
		past = append(past, mean[0])
	}
	end := days(p.Periods[len(p.Periods)-1].To)
	for _, l := range []*[]chart.Point{&peak, &low, &high, &mean} { // the last period has a width too
		*l = append(*l, chart.Point{end, (*l)[len(*l)-1][1]})
	}
	c.X.From, c.X.To = c.X.Marks[0].At, end
	c.Y = chart.Axis{To: most(top), Write: short, Title: "requests/s"}
	c.Bands = []chart.Band{{Colour: chart.Run, Low: low, High: high}}
	c.Lines = []chart.Line{{Colour: chart.Dim, Points: past}, {Colour: chart.Faint, Points: mean}, {Colour: chart.Run, Points: peak}, {Colour: chart.Go, Points: bears}}
	if limit := p.Bottleneck.Limit; limit < 1.6*top {
		c.Y.To = most(top, limit)
		c.Rules = append(c.Rules, chart.Rule{Colour: chart.Stop, At: limit, Text: "the most, because of the " + p.Bottleneck.Name})
	}
	c.Rules = append(c.Rules, chart.Rule{Colour: chart.Hold, At: min(days(p.ExpiresAt), c.X.To), Vertical: true, Text: "plan expires"})
	return c.SVG()
}

// days is a moment on an axis of time.
func days(t time.Time) float64 { return float64(t.Unix()) / 86400 }

func (p *Plan) markAt(t time.Time) chart.Mark { return chart.Mark{At: days(t), Text: p.axisLabel(t)} }

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

// costColours are those of providers, in the order of the list; the dashed one
// shows the line that it covers.
var costColours = []struct {
	Colour chart.Colour
	Dashed bool
}{{chart.Run, false}, {chart.Go, false}, {chart.Hold, true}, {chart.Dim, false}, {chart.Faint, false}}

// costChart is the monthly price of each period.
func (p *Plan) costChart() htmltemplate.HTML {
	c := chart.Chart{Label: "Monthly price by provider and period"}
	top := 0.0
	byProvider := make(map[string]int)
	for _, d := range p.Periods {
		c.X.Marks = append(c.X.Marks, p.markAt(d.From))
		for _, cost := range d.Costs {
			i, ok := byProvider[cost.Provider]
			if !ok {
				i = len(c.Lines)
				byProvider[cost.Provider] = i
				look := costColours[i%len(costColours)]
				c.Lines = append(c.Lines, chart.Line{Colour: look.Colour, Dashed: look.Dashed})
			}
			c.Lines[i].Points = append(c.Lines[i].Points, chart.Point{days(d.From), cost.Monthly}, chart.Point{days(d.To), cost.Monthly})
			top = max(top, cost.Monthly)
		}
	}
	c.X.From, c.X.To = c.X.Marks[0].At, days(p.Periods[len(p.Periods)-1].To)
	c.Y = chart.Axis{To: most(top), Write: func(v float64) string { return "$" + thousands(fmt.Sprint(math.Round(v))) }, Title: "US dollars a month"}
	return c.SVG()
}
