package scale_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/scale"
)

// service is a simulated one: requests come at a rate, each replica answers at
// most capacity a second of them and takes least seconds for one; what is too
// much waits. A replica takes requests five seconds after it was added.
type service struct {
	capacity, least float64
	noise           *rand.Rand
	starting        []time.Time
	ready           int
	backlog         float64
}

func (s *service) scaleTo(now time.Time, n int) {
	for s.ready+len(s.starting) < n {
		s.starting = append(s.starting, now.Add(5*time.Second))
	}
	for s.ready+len(s.starting) > n && len(s.starting) > 0 {
		s.starting = s.starting[:len(s.starting)-1]
	}
	s.ready = min(s.ready, n)
}

// second lets a second pass.
func (s *service) second(now time.Time, arriving float64) scale.Measure {
	for len(s.starting) > 0 && !s.starting[0].After(now) {
		s.starting, s.ready = s.starting[1:], s.ready+1
	}
	m := scale.Measure{Ready: s.ready, Wanted: s.ready + len(s.starting)}
	arriving *= 1 + .03*s.noise.NormFloat64()
	bears := s.capacity * float64(s.ready)
	if s.ready == 0 {
		m.Held = int64(math.Ceil(arriving))
		return m
	}
	answered := min(arriving+s.backlog, bears)
	s.backlog += arriving - answered
	busy := answered / bears
	// near nothing until it is much: the wait in front of a pool (Sakasegawa)
	wait := s.least * math.Pow(busy, math.Sqrt(2*float64(s.ready)+2)-1) / (float64(s.ready) * max(1-busy, .01))
	wait += s.backlog / bears
	m.Rate, m.CPU = answered, busy*float64(s.ready)
	m.Queue = time.Duration(wait * float64(time.Second))
	m.InFlight = answered * (s.least + wait)
	return m
}

// load is a rate from a time on.
type load struct {
	from time.Duration
	rate float64
}

// run drives a decider with a load for so long and gives the number of
// replicas at each second.
func run(p scale.Policy, s *service, loads []load, length time.Duration) (wanted []int, backlog []float64) {
	d := scale.NewDecider(p)
	n, now := max(p.Min, 1), epoch
	s.ready = n
	rate := 0.0
	for t := time.Duration(0); t < length; t += time.Second {
		for _, l := range loads {
			if l.from <= t {
				rate = l.rate
			}
		}
		d.Observe(now, s.second(now, rate))
		n = d.Decide(now, n).Replicas
		s.scaleTo(now, n)
		wanted, backlog = append(wanted, n), append(backlog, s.backlog)
		now = now.Add(time.Second)
	}
	return wanted, backlog
}

// turns counts changes of direction.
func turns(wanted []int) int {
	count, direction := 0, 0
	for i := 1; i < len(wanted); i++ {
		step := wanted[i] - wanted[i-1]
		if step*direction < 0 {
			count++
		}
		if step != 0 {
			direction = step
		}
	}
	return count
}

// The load steps up tenfold, stays, and steps down again. After each step at
// most one correction follows, and the replicas in the end bear the load.
func TestLoop(t *testing.T) {
	steps := []load{{0, 80}, {10 * time.Minute, 800}, {40 * time.Minute, 80}}
	const length = 80 * time.Minute
	base := scale.Policy{Min: 1, Max: 40, Up: 10 * time.Second, Down: 2 * time.Minute}
	with := func(set func(*scale.Policy)) scale.Policy { p := base; set(&p); return p }
	for name, c := range map[string]struct {
		policy    scale.Policy
		low, high [2]int // replicas at 80 and at 800 requests a second
	}{
		"requests":    {with(func(p *scale.Policy) { p.Requests = 70 }), [2]int{1, 2}, [2]int{11, 13}},
		"cpu":         {with(func(p *scale.Policy) { p.CPU = .7 }), [2]int{1, 2}, [2]int{11, 13}},
		"concurrency": {with(func(p *scale.Policy) { p.Concurrency = 4 }), [2]int{1, 2}, [2]int{9, 12}},
		"queue":       {with(func(p *scale.Policy) { p.Queue = 20 * time.Millisecond }), [2]int{1, 2}, [2]int{9, 13}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &service{capacity: 100, least: .05, noise: rand.New(rand.NewPCG(1, 2))}
			wanted, backlog := run(c.policy, s, steps, length)
			for i, b := range backlog {
				if i >= 12*60 && i < 40*60 && b > 100 {
					t.Fatalf("%v requests wait %d s after the step", b, i-600)
				}
			}
			phases := []struct {
				from, to int
				want     [2]int
			}{{0, 600, c.low}, {600, 2400, c.high}, {2400, 4800, c.low}}
			for _, p := range phases {
				part := wanted[p.from:p.to]
				if got := turns(part); got > 1 {
					t.Errorf("%d corrections from %d s on: %v", got, p.from, runs(part))
				}
				if last := part[len(part)-1]; last < p.want[0] || last > p.want[1] {
					t.Errorf("%d replicas at %d s, want %v: %v", last, p.to, p.want, runs(part))
				}
			}
		})
	}
}

// runs is a list of numbers with how often each follows itself.
func runs(list []int) (r [][2]int) {
	for _, n := range list {
		if len(r) == 0 || r[len(r)-1][0] != n {
			r = append(r, [2]int{n, 0})
		}
		r[len(r)-1][1]++
	}
	return r
}

// A spike shorter than Up adds nothing, a lull shorter than Down removes
// nothing.
func TestSpikesAndLulls(t *testing.T) {
	p := scale.Policy{Min: 1, Max: 40, Requests: 70, Up: 10 * time.Second, Down: 2 * time.Minute}
	loads := []load{{0, 200}}
	for at := 5 * time.Minute; at < 20*time.Minute; at += time.Minute {
		loads = append(loads, load{at, 2000}, load{at + 8*time.Second, 0}, load{at + 50*time.Second, 200})
	}
	s := &service{capacity: 1e6, least: .01, noise: rand.New(rand.NewPCG(1, 2))}
	wanted, _ := run(p, s, loads, 20*time.Minute)
	if got := runs(wanted); len(got) != 2 || got[1][0] != 3 {
		t.Errorf("replicas %v, want 1, then 3 for good", got)
	}
}

// A service that sleeps wakes with the first request, grows, and sleeps
// again.
func TestLoopToZeroAndBack(t *testing.T) {
	p := scale.Policy{Min: 0, Max: 10, Requests: 70, Up: 10 * time.Second, Down: 2 * time.Minute}
	s := &service{capacity: 100, least: .01, noise: rand.New(rand.NewPCG(1, 2))}
	wanted, _ := run(p, s, []load{{0, 0}, {10 * time.Minute, 200}, {20 * time.Minute, 0}}, 30*time.Minute)
	if wanted[599] != 0 || wanted[600] != 1 {
		t.Errorf("%d replicas while nobody asks, %d at the first request", wanted[599], wanted[600])
	}
	// 2.9 on average: with its noise the load needs three or four
	if n := wanted[1199]; n < 3 || n > 4 || wanted[len(wanted)-1] != 0 {
		t.Errorf("%d replicas at 200/s, %d in the end: %v", n, wanted[len(wanted)-1], runs(wanted))
	}
}

// Two replicas make requests wait long, three hardly: the wait alone would take
// the third away again and again.
func TestAWaitDoesNotFlap(t *testing.T) {
	p := scale.Policy{Min: 1, Max: 10, Queue: 60 * time.Millisecond, Up: 10 * time.Second, Down: 2 * time.Minute}
	s := &service{capacity: 100, least: .05, noise: rand.New(rand.NewPCG(1, 2))}
	wanted, _ := run(p, s, []load{{0, 185}}, 50*time.Minute)
	if got := turns(wanted); got > 1 || wanted[len(wanted)-1] != 3 {
		t.Errorf("%d corrections: %v", got, runs(wanted))
	}
}
