package measure_test

import (
	"context"
	"time"

	"github.com/greenlight-dev/greenlight/load"
	"github.com/greenlight-dev/greenlight/measure"
)

// fake is a service whose throughput is known: each request computes for cost,
// and all of them together are answered at ceiling at most.
type fake struct {
	cost     float64               // core-seconds of a request
	ceiling  float64               // requests a second; 0 is none
	stages   map[string]float64    // ceilings of those that are measured alone
	room     map[string]int        // clients that a stage takes
	crowd    map[string]int        // clients of a stage from which on it carries half
	broken   map[string]string     // why a stage fails at half of what it is asked
	swing    func(run int) float64 // of the rate of a stage, in the runs of it
	gateway  float64               // core-seconds of the gateway for a request
	unheld   bool                  // to a quota
	throttle float64               // seconds that a request with little to do waits where its quota is less than a core
	perSlot  float64               // requests a second of one client; 0 is 1000
	disturb  func(run int, r *measure.Reading)
	replicas int
	quota    float64
	runs     int // of saturated replicas
	swings   int // of stages
	asked    []measure.Traffic
	counts   []int // replicas at each of asked
}

func (f *fake) Scale(_ context.Context, n int) error { f.replicas = n; return nil }

func (f *fake) Limit(_ context.Context, cores float64) error { f.quota = cores; return nil }

func (f *fake) Calm(context.Context, float64) (bool, error) { return true, nil }

func (f *fake) Room(_ context.Context, stage string) (measure.Room, error) {
	if most := f.room[stage]; most > 0 {
		return measure.Room{Clients: most, Why: "it says so"}, nil
	}
	return measure.Room{}, nil
}

func (f *fake) Load(_ context.Context, t measure.Traffic) (measure.Reading, error) {
	f.asked, f.counts = append(f.asked, t), append(f.counts, f.replicas)
	slot := f.perSlot
	if slot == 0 {
		slot = 1000
	}
	if t.Stage != "" {
		rate := min(f.stages[t.Stage], slot*float64(t.Clients))
		if most, ok := f.crowd[t.Stage]; ok && t.Clients >= most {
			rate /= 2
		}
		if f.swing != nil && t.Stage != "nothing" {
			rate *= f.swing(f.swings)
			f.swings++
		}
		r := measure.Reading{Rate: rate, Mean: 0.001, Idle: 1, Failure: f.broken[t.Stage]}
		if r.Failure != "" {
			r.Errors = 0.5
		}
		return r, nil
	}
	n := float64(f.replicas)
	rate := n * f.quota / f.cost
	if f.unheld {
		rate = n / f.cost
	}
	if f.ceiling > 0 {
		rate = min(rate, f.ceiling)
	}
	if t.Rate > 0 {
		rate = min(rate, t.Rate)
	} else {
		rate = min(rate, slot*float64(t.Clients))
	}
	r := measure.Reading{Rate: rate, Mean: f.cost + 0.001, P99: 3 * f.cost, Gateway: rate * f.gateway, Own: rate * f.gateway / 2, Idle: 0.5, Times: times(f.cost + 0.001)}
	if t.Rate > 0 && f.quota < 1 {
		r.Mean += f.throttle
	}
	for range f.replicas {
		r.Replica = append(r.Replica, rate*f.cost/n)
	}
	if t.Clients > 0 && t.Duration == second && f.disturb != nil {
		f.disturb(f.runs, &r)
		f.runs++
	}
	return r, nil
}

const second = time.Second

// times has no histogram: load makes them of runs only, and an empty one gives
// zeros, of which service times make the least that they take.
func times(float64) *load.Histogram { return nil }

func options() measure.Options {
	return measure.Options{
		Replicas: []int{1, 2, 3, 4}, Quota: 0.15, Cores: 2, Rounds: 3, Warmup: second / 2, Duration: second, Gateway: "nothing", Seed: 1,
	}
}
