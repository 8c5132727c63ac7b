package scale

import (
	"math"
	"time"
)

// guard remembers under how many requests a replica the wait was last too
// long. A wait alone tells nothing of that: it is near nothing until suddenly
// it is much, and a service that follows it would lose a replica and get it
// back for ever.
type guard struct {
	rate  float64 // requests a second, smoothed
	ready float64 // replicas, smoothed alike
	limit float64 // requests a second that one replica does not bear
	at    time.Time
}

const (
	smoothing = 10 * time.Second
	// margin below the limit that removing a replica must leave.
	margin = 0.2
	// memory is for how many windows Down the limit holds; then it is tried
	// again, as requests may have become lighter.
	memory = 30
)

// observe takes in a measure, elapsed after the last.
func (g *guard) observe(elapsed time.Duration, m Measure) {
	share := 1 - math.Exp(-elapsed.Seconds()/smoothing.Seconds())
	g.rate += share * (m.Rate - g.rate)
	g.ready += share * (float64(m.Ready) - g.ready)
}

// overloaded notes that the replicas are too few for what comes.
func (g *guard) overloaded(now time.Time) {
	g.limit, g.at = g.rate/max(g.ready, 1), now
}

// least is how few replicas may bear what comes; false when it is not known,
// or not any more.
func (g *guard) least(now time.Time, down time.Duration) (int, bool) {
	if g.limit == 0 || now.Sub(g.at) > memory*down {
		return 0, false
	}
	return ceil(g.rate / ((1 - margin) * g.limit)), true
}
