package plan

import (
	"fmt"
	"math"
	"slices"

	"github.com/greenlight-dev/greenlight/capacity"
)

// bottleneck finds what gives way first, by the ends that the plan counts on.
func (c *carry) bottleneck() Bottleneck {
	limit, by := c.limit(slices.Max(c.lowAlone), Stage.low)
	expected, expectedBy := c.limit(slices.Max(c.midAlone), Stage.mid)
	b := Bottleneck{Name: nameOf(by), Limit: round(limit), Expected: round(expected), ExpectedName: nameOf(expectedBy)}
	if by != nil {
		b.Why = c.whyStage(*by)
		return b
	}
	at := bestOf(highest(c.lowAlone))
	b.Why, b.Extrapolated = c.whyReplicas(at), float64(at) > 2*c.fit.MaxN
	if b.Extrapolated {
		b.Why += fmt.Sprintf("; a guess, because only up to %s were measured", short(c.fit.MaxN))
	}
	return b
}

// Text is the limit, with the expected one beside it and what gives way then
// where that is something else.
func (b Bottleneck) Text() string {
	if b.ExpectedName == b.Name {
		return beside(b.Limit, b.Expected, "")
	}
	return beside(b.Limit, b.Expected, ", because of the "+b.ExpectedName)
}

// Text is the limit, with the expected one beside it.
func (o Outlook) Text() string { return beside(o.Limit, o.Expected, "") }

// beside is a limit with what is expected, where that reads differently; plans
// of before it was kept have none.
func beside(limit, expected float64, why string) string {
	text := perSecond(limit)
	if e := perSecond(expected); expected > 0 && e != text {
		text += " (expected: " + e + why + ")"
	}
	return text
}

// whyReplicas says why more than at, those that bear the most for sure, do not
// help.
func (c *carry) whyReplicas(at int) string {
	f, n := c.fit, bestOf(highest(c.midAlone))
	switch {
	case c.hopeless():
		return c.tooSlow()
	case at < n && float64(at) >= 2*f.MaxN:
		return fmt.Sprintf("beyond %d replicas it is less and less sure what each adds", at)
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
	text := fmt.Sprintf("its ceiling is at least %s operations/s", short(s.Low))
	if expected := short(s.Ceiling); expected != short(s.Low) {
		text += fmt.Sprintf(" (expected: %s)", expected)
	}
	if s.PerRequest != 1 {
		text += fmt.Sprintf(", %s for each request", short(s.PerRequest))
	}
	if s.BehindCache && c.in.Policy.CacheHitRate > 0 {
		text += fmt.Sprintf("; the cache answers %s before it", percent(c.in.Policy.CacheHitRate))
	}
	return text + fmt.Sprintf("; it is planned for %s of the least", percent(c.in.Policy.StageUse))
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
	limit, expected := c.in.stageBears(s, s.Low), c.in.stageBears(s, s.Ceiling)
	o := Outlook{Name: s.Name, BehindCache: s.BehindCache, Limit: round(limit), Expected: round(expected), FirstUse: round(periods[0].Peak.High / limit)}
	worst := 0.0 // of the periods so far: a cache that carries through one must carry through those before
	for _, d := range periods {
		o.MostUse = max(o.MostUse, round(d.Peak.High/limit))
		worst = max(worst, c.withHeadroom(d.Peak.High))
		if o.RunsOut == "" && worst > limit {
			o.RunsOut = d.Label
		}
		if o.RunsOutExpected == "" && c.withHeadroom(d.Peak.Expected) > expected {
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
