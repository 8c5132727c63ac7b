package measure

import (
	"math"

	"github.com/greenlight-dev/greenlight/capacity/plan"
)

// Measurements are what the law is fitted to.
func (e *Evidence) Measurements() []plan.Measurement {
	var list []plan.Measurement
	for _, r := range e.Runs {
		list = append(list, plan.Measurement{N: float64(r.N), X: r.Rate, P99: r.P99, Errors: r.Errors})
	}
	return list
}

// distribution is how many points a distribution of times is kept as.
const distribution = 2000

// ServiceTimes is how long a replica works on a request, in seconds, as so many
// quantiles: of one with little to do, without the time outside it. Under a
// quota these are bursts at full speed: how much they vary is what counts,
// throughput says how long they take on average.
func (e *Evidence) ServiceTimes() []float64 {
	least := e.Light.Mean / 100
	times := make([]float64, distribution)
	for i := range times {
		times[i] = max(e.Light.Times.At((float64(i)+0.5)/distribution)-e.Outside, least)
	}
	return times
}

// Parallel is how many requests one replica works on at once, by Little's law:
// what it answers times how long each takes without waiting. What computes
// works on one; what waits for others works on more.
func (e *Evidence) Parallel() int {
	most := 0.0
	for _, r := range e.Rising {
		most = max(most, r.Rate)
	}
	return max(1, int(math.Round(most*max(0, e.Light.Mean-e.Outside))))
}
