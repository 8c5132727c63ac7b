package plan

import (
	"math"
	"sort"

	"github.com/greenlight-dev/greenlight/capacity"
	"github.com/greenlight-dev/greenlight/capacity/latency"
)

// byReplicas is the name of the replicas among the stages.
const byReplicas = "replicas"

// carry knows what any number of replicas carries.
type carry struct {
	in  *Input
	fit *capacity.Fit
	// low and mid hold, for each number of replicas, the rate from clients
	// that they bear within the SLO: by the low end of the interval, and by
	// the law itself.
	low, mid []float64
	// lowAlone and midAlone are the same without what they share.
	lowAlone, midAlone []float64
	// lowBest and midBest are the most that so many replicas or fewer bear:
	// they never fall, which is what makes the plan monotone in demand.
	lowBest, midBest []float64
}

func newCarry(in *Input, fit *capacity.Fit) *carry {
	c := &carry{in: in, fit: fit}
	for n := 1; n <= in.Policy.MaxReplicas; n++ {
		p := fit.Predict(float64(n))
		c.lowAlone = append(c.lowAlone, c.replicasBear(n, p.Low))
		c.midAlone = append(c.midAlone, c.replicasBear(n, p.X))
		low, _ := c.limit(c.lowAlone[n-1], Stage.low)
		mid, _ := c.limit(c.midAlone[n-1], Stage.mid)
		c.low, c.mid = append(c.low, low), append(c.mid, mid)
	}
	c.lowBest, c.midBest = highest(c.low), highest(c.mid)
	return c
}

func (s Stage) low() float64 { return s.Low }
func (s Stage) mid() float64 { return s.Ceiling }

// limit is the rate from clients that is borne where the replicas alone bear
// one within the SLO, and the stage that holds it up; nil where the replicas do.
func (c *carry) limit(rate float64, end func(Stage) float64) (float64, *Stage) {
	var by *Stage
	for i := range c.in.Stages {
		s := &c.in.Stages[i]
		if bears := c.in.stageBears(*s, end(*s)); bears < rate {
			rate, by = bears, s
		}
	}
	return rate, by
}

func nameOf(s *Stage) string {
	if s == nil {
		return byReplicas
	}
	return s.Name
}

// replicasBear is the rate from clients that n replicas, which saturate at x,
// bear within the SLO.
func (c *carry) replicasBear(n int, x float64) float64 {
	if x <= 0 {
		return 0
	}
	load := c.in.Latency.Surface.Load(n, (c.in.SLO.P99-c.in.Latency.Outside)/c.serviceTime(n, x))
	return load * x / c.in.misses()
}

// serviceTime is how long a replica works on a request when n of them
// saturate at x: contention between replicas shows as longer work.
func (c *carry) serviceTime(n int, x float64) float64 {
	return float64(c.in.Latency.Surface.Concurrency) * float64(n) / x
}

// misses is the share of requests that the response cache does not answer.
func (in *Input) misses() float64 { return 1 - in.Policy.CacheHitRate }

// stageBears is the rate from clients that a stage with this ceiling is
// planned for.
func (in *Input) stageBears(s Stage, ceiling float64) float64 {
	rate := in.Policy.StageUse * ceiling / s.PerRequest
	if s.BehindCache {
		rate /= in.misses()
	}
	return rate
}

func highest(v []float64) []float64 {
	out := make([]float64, len(v))
	most := 0.0
	for i, x := range v {
		most = max(most, x)
		out[i] = most
	}
	return out
}

// trust is how sure it is that a load is borne.
type trust int

const (
	sure      trust = iota // by the low end of the interval
	uncertain              // by the law
	unmet                  // not at all
)

// leastRate stands for none: replicas that miss the SLO on a single request do
// not bear it.
const leastRate = 1e-9

// hopeless tells that even a request alone takes longer than the SLO allows.
func (c *carry) hopeless() bool { return c.midBest[len(c.midBest)-1] == 0 }

// need is the fewest replicas that bear a rate. Where none are sure to, it is
// those that bear it by the law, and never fewer than bear the most for sure;
// where none do at all, those that bear the most.
func (c *carry) need(rate float64) (int, trust) {
	rate = max(rate, leastRate)
	if n := sort.SearchFloat64s(c.lowBest, rate); n < len(c.lowBest) {
		return n + 1, sure
	}
	most := bestOf(c.lowBest)
	if n := sort.SearchFloat64s(c.midBest, rate); n < len(c.midBest) {
		return max(n+1, most), uncertain
	}
	return max(bestOf(c.midBest), most), unmet
}

// bestOf is the fewest replicas that bear the most.
func bestOf(best []float64) int {
	return sort.SearchFloat64s(best, best[len(best)-1]) + 1
}

// at is how sure it is that exactly n replicas bear a rate: beyond the peak
// of the law, more bear less.
func (c *carry) at(n int, rate float64) trust {
	rate = max(rate, leastRate)
	switch {
	case n < 1 || n > len(c.mid) || c.mid[n-1] < rate && c.low[n-1] < rate:
		return unmet
	case c.low[n-1] < rate:
		return uncertain
	}
	return sure
}

// p99 is the response time of n replicas at a rate from clients, by the law;
// nil beyond what the latency surface reaches.
func (c *carry) p99(n int, rate float64) *latency.Estimate {
	r, ok := c.responses(n, rate)
	if !ok {
		return nil
	}
	return &r.P99
}

func (c *carry) responses(n int, rate float64) (latency.Result, bool) {
	if n < 1 {
		return latency.Result{}, false
	}
	r, ok := c.in.Latency.Surface.At(n, c.utilization(n, rate))
	if !ok {
		return latency.Result{}, false
	}
	unit, outside := c.serviceTime(n, c.fit.At(float64(n))), c.in.Latency.Outside
	for _, e := range []*latency.Estimate{&r.Mean, &r.P50, &r.P95, &r.P99} {
		*e = latency.Estimate{Value: round(e.Value*unit + outside), Low: round(e.Low*unit + outside), High: round(e.High*unit + outside)}
	}
	return r, true
}

func (c *carry) utilization(n int, rate float64) float64 {
	return rate * c.in.misses() / c.fit.At(float64(n))
}

// carried is the curve for n replicas, without the response cache, as it
// can be measured.
func (c *carry) carried(n int) Carried {
	p := c.fit.Predict(float64(n))
	_, by := c.limit(c.lowAlone[n-1], Stage.low)
	out := Carried{Replicas: n, X: p.X, Low: p.Low, High: p.High, By: nameOf(by), Extrapolated: p.Extrapolated, SLORate: round(c.low[n-1])}
	for _, s := range c.in.Stages {
		out.X = min(out.X, s.Ceiling/s.PerRequest)
		out.Low = min(out.Low, s.Low/s.PerRequest)
		out.High = min(out.High, s.High/s.PerRequest)
	}
	out.X, out.Low, out.High = round(out.X), round(out.Low), round(out.High)
	return out
}

// round keeps six digits: what differs beyond is the machine's arithmetic.
func round(v float64) float64 {
	if v == 0 || math.IsInf(v, 0) || math.IsNaN(v) {
		return v
	}
	scale := math.Pow(10, 5-math.Floor(math.Log10(math.Abs(v))))
	if math.IsInf(scale, 0) || scale == 0 {
		return v
	}
	return math.Round(v*scale) / scale
}
