package plan_test

import (
	"math"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/capacity"
	"github.com/greenlight-dev/greenlight/capacity/demand"
	"github.com/greenlight-dev/greenlight/capacity/latency"
	"github.com/greenlight-dev/greenlight/capacity/plan"
)

func day(text string) time.Time {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		panic(err)
	}
	return t
}

// surface is response times of one exponential server for each replica, by
// formula: what a simulation says may differ in its last digit between
// processors, and golden files must not.
func surface() *latency.Surface {
	s := &latency.Surface{
		Balancer: latency.LeastOfTwo, Concurrency: 1, CV: 1, Requests: 200_000, Seed: 1,
		Replicas: []int{1, 2, 4, 8, 16, 64}, Utilization: []float64{0.05, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95},
	}
	for _, n := range s.Replicas {
		var row []latency.Result
		for _, load := range s.Utilization {
			mean := 1 / (1 - math.Pow(load, math.Sqrt(float64(n))))
			around := func(v float64) latency.Estimate { return latency.Estimate{Value: v, Low: 0.97 * v, High: 1.03 * v} }
			row = append(row, latency.Result{
				Utilization: load, Mean: around(mean), P50: around(mean * math.Ln2),
				P95: around(mean * math.Log(20)), P99: around(mean * math.Log(100)),
			})
		}
		s.Cells = append(s.Cells, row)
	}
	return s
}

// measured is three repetitions at each N of a law, with errors of a per cent.
func measured(law capacity.Law, at ...float64) []plan.Measurement {
	noise := []float64{0.99, 1, 1.011, 1.006, 0.992, 1.002, 0.996, 1.009, 0.994}
	var list []plan.Measurement
	for i, n := range at {
		for j := range 3 {
			list = append(list, plan.Measurement{N: n, X: math.Round(1e3*law.At(n)*noise[(3*i+5*j)%len(noise)]) / 1e3})
		}
	}
	return list
}

// passengers is three years of a growing, seasonal service.
func passengers(t testing.TB, periods int) *demand.Demand {
	t.Helper()
	samples := make([]demand.Sample, 36)
	for i := range samples {
		x := float64(i)
		rate := (40 + 1.6*x) * (1 + 0.22*math.Sin(2*math.Pi*(x-3)/12)) * (1 + 0.02*math.Sin(5*x))
		samples[i] = demand.Sample{At: day("2023-12-01").AddDate(0, i, 0), Rate: math.Round(100*rate) / 100}
	}
	d, err := demand.FromSeries(samples, demand.Options{
		Periods: periods, PeakToMean: 1.8,
		Events: []demand.Event{{Name: "spring sale", From: day("2027-03-08"), To: day("2027-03-15"), Factor: 1.5}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func input(t testing.TB) plan.Input {
	t.Helper()
	return plan.Input{
		System: "zoo", Service: "penguins", At: day("2026-12-01"),
		Measurements: measured(capacity.Law{Alpha: 0.02, Beta: 0.0004, Gamma: 62}, 1, 2, 3, 4, 6, 8),
		Stages: []plan.Stage{
			{Name: "gateway", Ceiling: 9800, Low: 9500, High: 10100, Driven: 0.9},
			{Name: "database", Ceiling: 1150, Low: 1110, High: 1190, PerRequest: 2, BehindCache: true, Driven: 0.8},
		},
		Latency: plan.Latency{Surface: surface(), Outside: 0.001},
		SLO:     plan.SLO{P99: 0.25, Errors: 0.001},
		Demand:  passengers(t, 12),
		Policy:  plan.Policy{Headroom: 0.25, Zones: 3, SurviveReplica: true, SurviveZone: true, CacheHitRate: 0.1},
		Replica: plan.Replica{CPU: 0.5, Memory: 384 << 20, Start: 4 * time.Second},
		Notes:   []string{"Release 9f31c02 on two cores of an AMD EPYC, replicas held to half a core by cgroup v2."},
	}
}

func made(t testing.TB, in plan.Input) *plan.Plan {
	t.Helper()
	p, err := plan.Make(in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
