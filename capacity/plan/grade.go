package plan

import (
	"fmt"
	"math"

	"github.com/greenlight-dev/greenlight/capacity"
	"github.com/greenlight-dev/greenlight/capacity/demand"
)

// Grade is how far a plan was off.
type Grade struct {
	Capacity []GradedPoint  `json:"capacity,omitempty"`
	Demand   []GradedPeriod `json:"demand,omitempty"`
	Worst    float64        `json:"worst"` // the largest error of capacity, as a share
	Held     int            `json:"held"`  // measurements and periods that their intervals held
	Of       int            `json:"of"`
	Limit    float64        `json:"limit"`   // the plan's MaxError
	Expired  bool           `json:"expired"` // an error of capacity beyond it
	Text     string         `json:"text"`
}

// GradedPoint is a measurement beside what was predicted of it.
type GradedPoint struct {
	N         float64 `json:"n"`
	Measured  float64 `json:"measured"`
	Predicted float64 `json:"predicted"`
	Low       float64 `json:"low"`
	High      float64 `json:"high"`
	// Error is predicted over measured, less one: positive promised too much.
	Error  float64 `json:"error"`
	Held   bool    `json:"held"`   // the interval holds the measurement
	Fitted bool    `json:"fitted"` // the law was fitted to this N, so it proves little
}

// GradedPeriod is a period's traffic beside its forecast.
type GradedPeriod struct {
	Label    string      `json:"label"`
	Mean     float64     `json:"mean"`
	Forecast demand.Band `json:"forecast"`
	Error    float64     `json:"error"`
	Held     bool        `json:"held"`
}

// Grade compares the plan with throughput that was measured at some N, and
// with the traffic of periods; either may be empty. Traffic of other periods
// than the plan's is left out; an N beyond its curve is an error.
func (p *Plan) Grade(measured []capacity.Point, traffic []demand.Past) (Grade, error) {
	g := Grade{Limit: p.Policy.MaxError}
	for _, m := range measured {
		point, err := p.gradePoint(m)
		if err != nil {
			return Grade{}, err
		}
		g.Capacity = append(g.Capacity, point)
		g.Worst = max(g.Worst, math.Abs(point.Error))
		g.count(point.Held)
	}
	for _, past := range traffic {
		if graded, ok := p.gradePeriod(past); ok {
			g.Demand = append(g.Demand, graded)
			g.count(graded.Held)
		}
	}
	if g.Of == 0 {
		return Grade{}, invalid("nothing to grade by: no measurement, and no traffic of a period of the plan")
	}
	g.Expired = g.Worst > g.Limit
	g.Text = g.say()
	return g, nil
}

func (g *Grade) count(held bool) {
	g.Of++
	if held {
		g.Held++
	}
}

func (g *Grade) say() string {
	text := fmt.Sprintf("%d of %d intervals held what came", g.Held, g.Of)
	if len(g.Capacity) > 0 {
		text = fmt.Sprintf("capacity is off by at most %s; ", percent(g.Worst)) + text
	}
	if g.Expired {
		text += fmt.Sprintf("; the plan has expired, because it may be off by %s", percent(g.Limit))
	}
	return text
}

func (p *Plan) gradePoint(m capacity.Point) (GradedPoint, error) {
	if !(m.X > 0 && m.X <= 1e12) {
		return GradedPoint{}, invalid("a throughput of %v at %v replicas; it must be above 0", m.X, m.N)
	}
	c, err := p.carriedAt(m.N)
	if err != nil {
		return GradedPoint{}, err
	}
	g := GradedPoint{N: m.N, Measured: m.X, Predicted: c.X, Low: c.Low, High: c.High, Error: round(c.X/m.X - 1)}
	g.Held = m.X >= c.Low && m.X <= c.High
	for _, e := range p.Evidence.Measurements {
		g.Fitted = g.Fitted || e.N == m.N
	}
	return g, nil
}

// carriedAt is the curve at n; between whole numbers, on the straight line.
func (p *Plan) carriedAt(n float64) (Carried, error) {
	if !(n >= 1 && n <= float64(len(p.Curve))) {
		return Carried{}, invalid("a measurement at %v replicas; the plan's curve goes from 1 to %d", n, len(p.Curve))
	}
	low := p.Curve[int(n)-1]
	part := n - math.Floor(n)
	if part == 0 {
		return low, nil
	}
	high := p.Curve[int(n)]
	between := func(a, b float64) float64 { return a + part*(b-a) }
	low.X, low.Low, low.High = between(low.X, high.X), between(low.Low, high.Low), between(low.High, high.High)
	return low, nil
}

func (p *Plan) gradePeriod(past demand.Past) (GradedPeriod, bool) {
	for _, d := range p.Periods {
		if d.From.Equal(past.From) && past.Mean > 0 {
			return GradedPeriod{
				Label: d.Label, Mean: past.Mean, Forecast: d.Mean, Error: round(d.Mean.Expected/past.Mean - 1),
				Held: past.Mean >= d.Mean.Low && past.Mean <= d.Mean.High,
			}, true
		}
	}
	return GradedPeriod{}, false
}
