package latency

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// Estimate is a figure of a simulation and the interval that holds the true
// one in 95 % of cases.
type Estimate struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

func (e Estimate) times(f float64) Estimate { return Estimate{e.Value * f, e.Low * f, e.High * f} }

// Result is response times in seconds, or in mean service times where a
// Surface says so.
type Result struct {
	Utilization float64  `json:"utilization"` // 0…1
	Mean        Estimate `json:"mean"`
	P50         Estimate `json:"p50"`
	P95         Estimate `json:"p95"`
	P99         Estimate `json:"p99"`
}

func (r Result) times(f float64) Result {
	return Result{r.Utilization, r.Mean.times(f), r.P50.times(f), r.P95.times(f), r.P99.times(f)}
}

// batches is how many parts a run is cut into to see how much they differ:
// few enough that each is long against the time over which a queue
// remembers (A. M. Law and W. D. Kelton, Simulation Modeling and Analysis).
const batches = 20

// summarize gives figures of responses, which it sorts, with intervals by
// batch means.
func summarize(responses []float64) Result {
	size := len(responses) / batches
	var parts [4][]float64
	for b := range batches {
		batch := slices.Clone(responses[b*size : (b+1)*size])
		for i, v := range figures(batch) {
			parts[i] = append(parts[i], v)
		}
	}
	all := figures(responses)
	var e [4]Estimate
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: batches - 1}.Quantile(0.975)
	for i, v := range all {
		half := t * stat.StdDev(parts[i], nil) / math.Sqrt(batches)
		e[i] = Estimate{v, max(0, v-half), v + half}
	}
	return Result{Mean: e[0], P50: e[1], P95: e[2], P99: e[3]}
}

// figures are mean, p50, p95 and p99.
func figures(v []float64) [4]float64 {
	slices.Sort(v)
	return [4]float64{stat.Mean(v, nil), quantile(v, 0.50), quantile(v, 0.95), quantile(v, 0.99)}
}

// quantile is the smallest value that at least a share p does not exceed.
func quantile(sorted []float64, p float64) float64 {
	return sorted[max(0, int(math.Ceil(p*float64(len(sorted))))-1)]
}
