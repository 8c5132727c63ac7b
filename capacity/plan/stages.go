package plan

import (
	"fmt"
	"math"

	"github.com/greenlight-dev/greenlight/capacity"
)

// bottleneck finds what gives way first, by what was measured and not by the
// ends of intervals.
func (c *carry) bottleneck() Bottleneck {
	most, at := 0.0, 1
	for n := 1; n <= c.in.Policy.MaxReplicas; n++ {
		if rate := c.replicasBear(n, c.fit.At(float64(n))); rate > most {
			most, at = rate, n
		}
	}
	b := Bottleneck{Name: byReplicas, Limit: most, Why: c.whyReplicas(at), Extrapolated: float64(at) > 2*c.fit.MaxN}
	if b.Extrapolated {
		b.Why += fmt.Sprintf("; a guess, because only up to %s were measured", short(c.fit.MaxN))
	}
	for _, s := range c.in.Stages {
		if rate := c.in.stageBears(s, s.Ceiling); rate < b.Limit {
			b = Bottleneck{Name: s.Name, Limit: rate, Why: c.whyStage(s)}
		}
	}
	b.Limit = round(b.Limit)
	return b
}

func (c *carry) whyReplicas(n int) string {
	f := c.fit
	switch {
	case c.hopeless():
		return c.tooSlow()
	case n < c.in.Policy.MaxReplicas && agreeing(f.Law, float64(n)) > leastAgreeing:
		return fmt.Sprintf("beyond %d replicas each more costs the others more in agreeing (β %s) than it adds", n, short(f.Beta))
	case n == c.in.Policy.MaxReplicas && (f.LimitX == nil || f.At(float64(n)) < 0.8**f.LimitX):
		return fmt.Sprintf("more than %d are not allowed; up to there each adds", n)
	}
	return fmt.Sprintf("%s of each request's work cannot be shared (α %s): something that all replicas wait for", percent(f.Alpha), short(f.Alpha))
}

// leastAgreeing is the share of its time above which agreeing is worth a word.
const leastAgreeing = 0.01

// agreeing is the share of their time that n replicas spend on agreeing.
func agreeing(l capacity.Law, n float64) float64 {
	cost := l.Beta * n * (n - 1)
	return cost / (1 + l.Alpha*(n-1) + cost)
}

func (c *carry) whyStage(s Stage) string {
	text := fmt.Sprintf("its ceiling is %s operations/s", short(s.Ceiling))
	if s.PerRequest != 1 {
		text += fmt.Sprintf(", %s for each request", short(s.PerRequest))
	}
	if s.BehindCache && c.in.Policy.CacheHitRate > 0 {
		text += fmt.Sprintf("; the cache answers %s before it", percent(c.in.Policy.CacheHitRate))
	}
	return text + fmt.Sprintf("; it is planned for %s of that", percent(c.in.Policy.StageUse))
}

func (c *carry) outlooks() []Outlook {
	var list []Outlook
	for _, s := range c.in.Stages {
		list = append(list, c.outlook(s))
	}
	return list
}

func (c *carry) outlook(s Stage) Outlook {
	periods := c.in.Demand.Periods
	whole := c.in.stageBears(s, s.Ceiling) / c.in.Policy.StageUse
	limit := c.in.stageBears(s, s.Low)
	o := Outlook{Name: s.Name, BehindCache: s.BehindCache, Limit: round(limit), FirstUse: round(periods[0].Peak.Expected / whole)}
	worst := 0.0 // of the periods so far: a cache that carries through one must carry through those before
	for _, d := range periods {
		o.MostUse = max(o.MostUse, round(d.Peak.Expected/whole))
		worst = max(worst, c.withHeadroom(d.Peak.High))
		if o.RunsOut == "" && worst > limit {
			o.RunsOut = d.Label
		}
		if o.RunsOutExpected == "" && c.withHeadroom(d.Peak.Expected) > c.in.stageBears(s, s.Ceiling) {
			o.RunsOutExpected = d.Label
		}
		if h, ok := c.hitRate(s, worst); o.RunsOut != "" && s.BehindCache && ok {
			o.HitRates = through(o.HitRates, HitRate{d.Label, h})
		}
	}
	return o
}

// through adds a hit rate; one that is the same as before carries further.
func through(list []HitRate, h HitRate) []HitRate {
	if n := len(list); n > 0 && list[n-1].HitRate == h.HitRate {
		list = list[:n-1]
	}
	return append(list, h)
}

// hitRate is what the cache must answer for the stage to bear a rate, rounded
// up to tenths of a per cent; false when no cache that still asks anything
// does.
func (c *carry) hitRate(s Stage, rate float64) (float64, bool) {
	bears := c.in.Policy.StageUse * s.Low / s.PerRequest // of misses
	h := math.Ceil(1000*(1-bears/rate)-1e-9) / 1000
	return max(h, c.in.Policy.CacheHitRate), h <= 0.99
}
