package latency

import (
	"context"
	"math"
	"slices"
	"sort"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Surface is response times for any number of replicas and any load, in
// units of the mean service time. It is simulated once; what is asked of it
// costs next to nothing, so plans and what-if questions share it.
type Surface struct {
	Balancer    Balancer  `json:"balancer"`
	Concurrency int       `json:"concurrency"`
	CV          float64   `json:"cv"`
	Requests    int       `json:"requests"` // in each simulation
	Seed        uint64    `json:"seed"`
	Replicas    []int     `json:"replicas"`    // rising
	Utilization []float64 `json:"utilization"` // rising, 0…1
	// Cells holds the results, [replicas][utilization]. Along utilisation
	// none falls, whatever the noise of the simulation.
	Cells [][]Result `json:"cells"`
}

// MaxUtilization is the highest load of a surface: beyond it a queue takes so
// long to settle that no simulation of bounded length tells the truth.
const MaxUtilization = 0.97

// gridLoads and gridReplicas are where a surface is simulated: denser where
// response times bend.
var (
	gridLoads    = []float64{0.05, 0.2, 0.35, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.94, MaxUtilization}
	gridReplicas = []int{1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 100, 200, 500, 1000}
)

// NewSurface simulates one. Config says balancer, concurrency, service,
// requests for each point and seed; its Replicas is the most that will be
// asked for; Rate is not used.
func NewSurface(ctx context.Context, c Config) (*Surface, error) {
	c.Rate = 1e-9 // a valid one, to check the rest
	c, err := c.checked()
	if err != nil {
		return nil, err
	}
	s := &Surface{Balancer: c.Balancer, Concurrency: c.Concurrency, CV: c.Service.cv, Requests: c.Requests, Seed: c.Seed, Utilization: slices.Clone(gridLoads)}
	for _, n := range gridReplicas {
		s.Replicas = append(s.Replicas, min(n, c.Replicas))
		row, err := simulateRow(ctx, c, s.Replicas[len(s.Replicas)-1])
		if err != nil {
			return nil, err
		}
		if s.Cells = append(s.Cells, row); n >= c.Replicas {
			break
		}
	}
	return s, nil
}

func simulateRow(ctx context.Context, c Config, replicas int) ([]Result, error) {
	c.Replicas = replicas
	var row []Result
	for _, load := range gridLoads {
		c.Rate = load * float64(replicas*c.Concurrency) / c.Service.mean
		r, err := Simulate(ctx, c)
		if err != nil {
			return nil, err
		}
		r = r.times(1 / c.Service.mean)
		r.Utilization = load // without what rounding left of it
		if len(row) > 0 {
			r = r.atLeast(row[len(row)-1])
		}
		row = append(row, r)
	}
	return row, nil
}

func (r Result) atLeast(o Result) Result {
	up := func(a, b Estimate) Estimate {
		return Estimate{max(a.Value, b.Value), max(a.Low, b.Low), max(a.High, b.High)}
	}
	return Result{r.Utilization, up(r.Mean, o.Mean), up(r.P50, o.P50), up(r.P95, o.P95), up(r.P99, o.P99)}
}

// Check tells whether a surface that came from a file can be asked.
func (s *Surface) Check() error {
	if len(s.Replicas) == 0 || len(s.Utilization) < 2 || len(s.Cells) != len(s.Replicas) {
		return greenlight.Errorf(greenlight.CodeInvalid, "the latency surface has %d rows for %d numbers of replicas and %d loads", len(s.Cells), len(s.Replicas), len(s.Utilization))
	}
	if !rising(s.Replicas) || s.Replicas[0] < 1 || !rising(s.Utilization) || s.Utilization[0] <= 0 || s.Utilization[len(s.Utilization)-1] >= 1 {
		return greenlight.Errorf(greenlight.CodeInvalid, "the latency surface's replicas or loads do not rise, or lie outside 1… and 0…1")
	}
	for i, row := range s.Cells {
		if len(row) != len(s.Utilization) {
			return greenlight.Errorf(greenlight.CodeInvalid, "row %d of the latency surface has %d cells for %d loads", i+1, len(row), len(s.Utilization))
		}
	}
	return nil
}

func rising[T int | float64](v []T) bool {
	for i := 1; i < len(v); i++ {
		if !(v[i] > v[i-1]) {
			return false
		}
	}
	return true
}

// At is the response times of n replicas at a utilisation, in mean service
// times; false beyond the surface's highest load. Between what was simulated
// it interpolates; below the lowest load it is the lowest, beyond the most
// replicas the most.
func (s *Surface) At(n int, utilization float64) (Result, bool) {
	if !(utilization >= 0 && utilization <= s.Utilization[len(s.Utilization)-1]) {
		return Result{}, false
	}
	i, j, w := s.between(n)
	r := mix(s.along(i, utilization), s.along(j, utilization), w)
	r.Utilization = utilization
	return r, true
}

// Load is the highest utilisation of n replicas at which the upper end of the
// 99th percentile is at most p99 mean service times; 0 when there is none.
func (s *Surface) Load(n int, p99 float64) float64 {
	i, j, w := s.between(n)
	upper := func(k int) float64 { return (1-w)*s.Cells[i][k].P99.High + w*s.Cells[j][k].P99.High }
	k := sort.Search(len(s.Utilization), func(k int) bool { return upper(k) > p99 })
	switch k {
	case 0:
		return 0
	case len(s.Utilization):
		return s.Utilization[k-1]
	}
	low, high := upper(k-1), upper(k)
	return s.Utilization[k-1] + (p99-low)/(high-low)*(s.Utilization[k]-s.Utilization[k-1])
}

// between is the two rows around n and the weight of the second.
func (s *Surface) between(n int) (i, j int, w float64) {
	j = sort.SearchInts(s.Replicas, n)
	switch {
	case j == len(s.Replicas):
		return j - 1, j - 1, 0
	case j == 0 || s.Replicas[j] == n:
		return j, j, 0
	}
	from, to := float64(s.Replicas[j-1]), float64(s.Replicas[j])
	return j - 1, j, math.Log(float64(n)/from) / math.Log(to/from)
}

// along is row i at a utilisation within the surface's.
func (s *Surface) along(i int, utilization float64) Result {
	k := sort.SearchFloat64s(s.Utilization, utilization)
	if k == 0 {
		return s.Cells[i][0]
	}
	from, to := s.Utilization[k-1], s.Utilization[k]
	return mix(s.Cells[i][k-1], s.Cells[i][k], (utilization-from)/(to-from))
}

// mix is a + w(b−a).
func mix(a, b Result, w float64) Result {
	one := func(x, y float64) float64 { return x + w*(y-x) }
	each := func(x, y Estimate) Estimate {
		return Estimate{one(x.Value, y.Value), one(x.Low, y.Low), one(x.High, y.High)}
	}
	return Result{one(a.Utilization, b.Utilization), each(a.Mean, b.Mean), each(a.P50, b.P50), each(a.P95, b.P95), each(a.P99, b.P99)}
}
