package observe

import (
	"math"
	"time"
)

// Counters are the gateway's counters of requests at one moment. Whoever
// counts requests for good keeps them, so that a later process goes on where
// this one ended: the gateway outlives the control plane.
type Counters struct {
	At    time.Time `json:"at"`
	Began float64   `json:"began"` // start of the gateway's process, Unix seconds; 0: not known
	// Series are their values, by series as the gateway writes them.
	Series map[string]float64 `json:"series"`
}

// Growth is what services were asked from one look at the gateway to the next.
type Growth struct {
	From, To time.Time
	// Services has every service that the gateway knows, by
	// "<environment>/<service>".
	Services map[string]Count
	// Counters gives the counters as they stand at To. It must be called before
	// the function that got the Growth returns.
	Counters func() Counters
}

// Count is a number of requests, and how many of them were answered 5xx or
// not at all.
type Count struct{ Requests, Errors int64 }

// longestGap is the longest time between two looks whose requests are counted
// as if they had come evenly. Of a longer one, nobody knows when they came.
const longestGap = time.Hour

// grown tells what services were asked since the look before, or since the
// counters to resume from.
func (s *Sampler) grown(now time.Time) {
	if s.options.Grown == nil {
		return
	}
	g := Growth{From: s.scraped, To: now, Services: make(map[string]Count, len(s.scrape.services)), Counters: func() Counters { return s.scrape.counters(now) }}
	if g.From.IsZero() {
		g.From = s.options.Resume.At
	}
	if began := fromUnix(s.scrape.began); began.After(g.From) {
		g.From = began
	}
	known := !g.From.IsZero() && now.Sub(g.From) <= longestGap
	if !known || g.From.After(now) {
		g.From = now
	}
	for name, t := range s.scrape.services {
		switch {
		case known && (t.configured || t.counted > 0):
			g.Services[name] = Count{Requests: int64(t.counted), Errors: int64(t.countedFailed)}
		case t.configured:
			g.Services[name] = Count{}
		}
	}
	s.options.Grown(g)
}

func fromUnix(seconds float64) time.Time {
	if !(seconds > 0 && seconds < 1e11) {
		return time.Time{}
	}
	whole, part := math.Modf(seconds)
	return time.Unix(int64(whole), int64(part*1e9))
}

// counters are those of requests as they are now.
func (s *scrape) counters(now time.Time) Counters {
	c := Counters{At: now.UTC(), Began: s.began, Series: make(map[string]float64)}
	for key, t := range s.series {
		if t.what == countedRequests || t.what == countedFailures {
			c.Series[key] = t.value
		}
	}
	return c
}
