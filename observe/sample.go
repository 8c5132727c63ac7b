// Package observe watches from outside what goes on: it samples the gateway
// and the replicas once a second and keeps an hour of it, for scaling
// decisions and for the console. It decides nothing.
package observe

import "time"

// Finest is the shortest time that the gateway tells from others, in seconds:
// the upper bound of its first bucket. A percentile below it is known to be
// that, and no more.
const Finest = 50e-6

// Sample is what a service did in one second, or in one step of a longer
// series, as the gateway saw it.
type Sample struct {
	At       time.Time `json:"at"`
	Rate     float64   `json:"rate" doc:"requests a second"`
	Errors   float64   `json:"errors" doc:"share of them answered 5xx or not at all, 0 to 1"`
	Mean     float64   `json:"mean" doc:"seconds that a request took, mean of those that ended; 0 without requests"`
	P50      float64   `json:"p50" doc:"seconds; 0 without requests"`
	P99      float64   `json:"p99" doc:"seconds; 0 without requests"`
	InFlight float64   `json:"in_flight" doc:"requests under way, at the moment of sampling"`
	Held     int64     `json:"held" doc:"requests waiting for a replica of a service that sleeps"`
	CPU      float64   `json:"cpu" doc:"cores, all replicas together"`
	Memory   int64     `json:"memory" doc:"bytes resident, all replicas together"`
	Queue    float64   `json:"queue" doc:"seconds a request waited to be computed, mean; models only"`
}

// Series is a service's past, oldest first.
type Series struct {
	Environment string        `json:"environment"`
	Service     string        `json:"service"`
	Step        time.Duration `json:"-"`
	Samples     []Sample      `json:"samples"`
}
