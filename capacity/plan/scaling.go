package plan

import (
	"fmt"
	"math"
	"time"
)

// The signals of Scaling.
const (
	byConcurrency = "concurrency"
	byRequests    = "requests"
)

// Windows of a scaling decision. Up is short, because headroom is all that
// bears the load until replicas have started; down is long, because
// starting one again costs more than keeping it.
const (
	windowUp   = 10 * time.Second
	windowDown = 5 * time.Minute
	startsDown = 10 // window down in starts of a replica
)

// leastConcurrency is from where on a whole number of requests under way is
// exact enough to be followed.
const leastConcurrency = 4

// scaling makes settings that hold until the plan expires: as many replicas
// at the highest peak as were planned, fewer in proportion below it.
func (c *carry) scaling(p *Plan) Scaling {
	busiest := p.Periods[0]
	least := c.in.Policy.MinReplicas
	for i, d := range p.Periods {
		if i > 0 && !d.From.Before(p.ExpiresAt) {
			break
		}
		if d.Replicas > busiest.Replicas || d.Replicas == busiest.Replicas && d.Peak.High > busiest.Peak.High {
			busiest = d
		}
		quiet, _ := c.choose(min(d.Mean.Expected, d.Peak.High))
		least = max(least, quiet.replicas)
	}
	n := busiest.Replicas
	// What cannot be borne must not become the target.
	rate := min(busiest.Peak.High, max(c.mid[n-1], c.low[n-1])/(1+c.in.Policy.Headroom))
	s := Scaling{Min: min(least, n), Max: n, Signal: byRequests, UpSeconds: int(windowUp / time.Second)}
	s.Requests = round(rate * c.in.misses() / float64(n))
	load := c.utilization(n, rate)
	s.CPUPercent = min(max(int(100*load), 1), 100)
	if r, ok := c.responses(n, rate); ok {
		s.Concurrency = round(s.Requests * r.Mean.Value) // J. D. C. Little, A proof for the queuing formula L = λW, 1961
	}
	if s.Concurrency >= leastConcurrency {
		s.Signal = byConcurrency
	}
	down := max(windowDown, startsDown*c.in.Replica.Start)
	s.DownSeconds = int(math.Ceil(down.Minutes())) * 60
	s.Why = fmt.Sprintf("%d at %s, the peak of %s at the high end of its band; %d where the mean rate asks for no more", s.Max, perSecond(rate), busiest.Label, s.Min)
	return s
}
