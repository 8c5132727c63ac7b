package measure

import (
	"context"
	"time"

	"github.com/greenlight-dev/greenlight/load"
)

// Subject is what is measured.
type Subject interface {
	// Scale returns when exactly n replicas take requests.
	Scale(ctx context.Context, n int) error
	// Limit holds every replica to so many cores; it returns when all are.
	Limit(ctx context.Context, cores float64) error
	// Calm returns when the machine has so many cores idle, or after a while
	// in any case; it tells which.
	Calm(ctx context.Context, cores float64) (bool, error)
	// Load puts the service, or one of its stages, under load.
	Load(ctx context.Context, t Traffic) (Reading, error)
	// Room is how many clients a stage takes now.
	Room(ctx context.Context, stage string) (Room, error)
}

// Room is a bound on the clients of a stage.
type Room struct {
	Clients int    // 0: as many as come
	Why     string // no more
}

// Traffic is one load test.
type Traffic struct {
	Stage    string        // "" is the service itself
	Clients  int           // that send one request after the other, or:
	Rate     float64       // requests a second
	Warmup   time.Duration // before Duration, not counted
	Duration time.Duration
}

// Reading is what a load test showed. CPU is in cores, over the counted time.
type Reading struct {
	Rate    float64         `json:"rate"` // good answers a second
	Mean    float64         `json:"mean"` // seconds
	P99     float64         `json:"p99"`  // seconds
	Errors  float64         `json:"errors"`
	Replica []float64       `json:"replica_cpu"` // of each replica
	Gateway float64         `json:"gateway_cpu"`
	Own     float64         `json:"own_cpu"`  // of this process, the generator
	Idle    float64         `json:"idle_cpu"` // of the machine
	Void    string          `json:"void,omitempty"`
	Failure string          `json:"failure,omitempty"` // one of the errors in its own words, where it has any
	Times   *load.Histogram `json:"-"`                 // from sending to answer
}

// busy is the mean share of its quota that a replica used, 0…1.
func (r *Reading) busy(quota float64) float64 {
	if len(r.Replica) == 0 || quota <= 0 {
		return 0
	}
	sum := 0.0
	for _, cores := range r.Replica {
		sum += cores
	}
	return sum / float64(len(r.Replica)) / quota
}
