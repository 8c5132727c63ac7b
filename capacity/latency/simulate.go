package latency

import (
	"context"
	"math/rand/v2"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Balancer is how a replica is chosen for a request.
type Balancer string

// The balancers.
const (
	LeastOfTwo Balancer = "least-of-two" // the one with fewer requests under way of two at random; the gateway's
	RoundRobin Balancer = "round-robin"  // one after the other
	Random     Balancer = "random"       // any
)

// Bounds of a simulation.
const (
	MaxReplicas = 1_000
	MaxServers  = 100_000 // replicas × concurrency
	MinRequests = 2_000
	MaxRequests = 5_000_000

	// DefaultRequests keep the interval of the 99th percentile within a few
	// per cent up to a utilisation of 0.9.
	DefaultRequests = 200_000
)

// Config is what is simulated: requests that arrive at random, one by one and
// independent of each other (a Poisson process); a balancer in front of equal
// replicas; each works on at most Concurrency requests at once and takes the
// others in the order in which they came.
type Config struct {
	Replicas    int      // 1…MaxReplicas
	Concurrency int      // requests that a replica works on at once; at least 1
	Balancer    Balancer // "" is LeastOfTwo
	Service     Service
	Rate        float64 // requests a second, of all replicas together
	Requests    int     // how many are simulated; 0 is DefaultRequests
	Seed        uint64  // the same seed gives the same result
}

// Utilization is the share of time that a replica's places are taken.
func (c Config) Utilization() float64 {
	return c.Rate * c.Service.mean / float64(c.Replicas*c.Concurrency)
}

// Simulate gives response times, waiting included. It takes some 0.2 µs for
// each request, stops when ctx is done, and needs memory for MaxRequests
// numbers at most. A load that the replicas cannot carry is
// CodeUnsupported: it has no response time, only a growing queue.
func Simulate(ctx context.Context, c Config) (Result, error) {
	c, err := c.checked()
	if err != nil {
		return Result{}, err
	}
	s := newSimulation(c)
	skip := c.Requests / 10 // an empty system is faster than one in its steady state
	responses := make([]float64, c.Requests)
	for i := range skip + c.Requests {
		if i%4096 == 0 && ctx.Err() != nil {
			return Result{}, greenlight.WithCode(greenlight.CodeUnavailable, ctx.Err())
		}
		response := s.next()
		if i >= skip {
			responses[i-skip] = response
		}
	}
	r := summarize(responses).times(c.Service.mean)
	r.Utilization = c.Utilization()
	return r, nil
}

func (c Config) checked() (Config, error) {
	if c.Balancer == "" {
		c.Balancer = LeastOfTwo
	}
	if c.Requests == 0 {
		c.Requests = DefaultRequests
	}
	invalid := func(format string, args ...any) (Config, error) {
		return c, greenlight.Errorf(greenlight.CodeInvalid, format, args...)
	}
	switch {
	case c.Balancer != LeastOfTwo && c.Balancer != RoundRobin && c.Balancer != Random:
		return invalid("balancer is %q, want %q, %q or %q", c.Balancer, LeastOfTwo, RoundRobin, Random)
	case c.Replicas < 1 || c.Replicas > MaxReplicas:
		return invalid("%d replicas; from 1 to %d are simulated", c.Replicas, MaxReplicas)
	case c.Concurrency < 1 || c.Concurrency > MaxServers/c.Replicas:
		return invalid("concurrency is %d; with %d replicas it must be from 1 to %d", c.Concurrency, c.Replicas, MaxServers/c.Replicas)
	case c.Service.mean == 0:
		return invalid("no service time; measure one, or state its mean and variation")
	case c.Requests < MinRequests || c.Requests > MaxRequests:
		return invalid("%d requests; from %d to %d are simulated", c.Requests, MinRequests, MaxRequests)
	case !(c.Rate > 0):
		return invalid("the rate is %v a second; it must be above 0", c.Rate)
	case c.Utilization() >= 1:
		return c, greenlight.Errorf(greenlight.CodeUnsupported, "%.4g requests/s need %.3g of %d replicas: they cannot carry it", c.Rate, c.Utilization()*float64(c.Replicas), c.Replicas)
	}
	return c, nil
}

// simulation is the state that requests move, in units of the mean service
// time.
type simulation struct {
	random   *rand.Rand
	service  Service
	balancer Balancer
	gap      float64 // mean time between arrivals
	now      float64
	turn     int
	replicas []replica
}

// replica is one queue with several places. Because requests are taken in
// order, the moment a request leaves is known when it arrives.
type replica struct {
	free  heap // when each place is free
	leave heap // when each request under way leaves
}

func newSimulation(c Config) *simulation {
	s := &simulation{
		random:   rand.New(rand.NewPCG(c.Seed, 0x67726565)), //nolint:gosec // a simulation, no secret
		service:  c.Service,
		balancer: c.Balancer,
		gap:      1 / (c.Rate * c.Service.mean),
		replicas: make([]replica, c.Replicas),
	}
	for i := range s.replicas {
		s.replicas[i].free = make(heap, c.Concurrency)
	}
	return s
}

// next lets one request arrive and gives its response time.
func (s *simulation) next() float64 {
	s.now += s.random.ExpFloat64() * s.gap
	r := s.choose()
	left := max(s.now, r.free[0]) + s.service.draw(s.random)
	r.free.replaceFirst(left)
	if s.balancer == LeastOfTwo {
		r.leave.push(left)
	}
	return left - s.now
}

func (s *simulation) choose() *replica {
	n := len(s.replicas)
	switch {
	case n == 1:
		return &s.replicas[0]
	case s.balancer == RoundRobin:
		s.turn = (s.turn + 1) % n
		return &s.replicas[s.turn]
	case s.balancer == Random:
		return &s.replicas[s.random.IntN(n)]
	}
	i, j := s.random.IntN(n), s.random.IntN(n-1)
	if j >= i {
		j++
	}
	a, b := &s.replicas[i], &s.replicas[j]
	if b.underWay(s.now) < a.underWay(s.now) {
		return b
	}
	return a
}

// underWay is how many requests are at the replica, forgetting those that
// have left.
func (r *replica) underWay(now float64) int {
	for len(r.leave) > 0 && r.leave[0] <= now {
		r.leave.pop()
	}
	return len(r.leave)
}
