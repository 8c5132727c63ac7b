// Package scale decides how many replicas a service should have from what was
// measured of it. It measures nothing and changes nothing: time and measures
// are given to it.
//
// A measure becomes a load in units of replicas: what all replicas bear
// together over what one should bear. Replicas are added when the smallest
// load of the window Up asks for more, and removed when the largest load of
// the window Down asks for fewer. So a spike shorter than Up adds none, a lull
// shorter than Down removes none, and between the two lies a dead band.
package scale

import (
	"cmp"
	"math"
	"strconv"
	"time"

	"github.com/greenlight-dev/greenlight/spec"
)

// Policy is how a service is scaled. At most one of the targets is set;
// without one the number only stays between Min and Max.
type Policy struct {
	Min, Max    int
	Concurrency float64       // requests under way per replica
	Requests    float64       // a second, per replica
	CPU         float64       // cores per replica
	Queue       time.Duration // mean time that requests wait to be computed
	// Up and Down are how long the load must ask for more or fewer replicas
	// before they are added or removed.
	Up, Down time.Duration
	// Idle is how long there must be no request before the last replica of a
	// service with Min 0 is stopped; 0 is Down, but at least half a minute.
	Idle time.Duration
}

// PolicyOf is the policy that a description asks for.
func PolicyOf(s *spec.Service) Policy {
	r := s.Replicas
	p := Policy{
		Min: r.Min, Max: r.Max,
		Concurrency: float64(r.Target.Concurrency),
		Requests:    float64(r.Target.Requests),
		Queue:       r.Target.Queue.Std(),
		Up:          r.Window.Up.Std(),
		Down:        r.Window.Down.Std(),
	}
	if r.Target.CPU > 0 { // a share of what a replica may use, or of one core
		cores := float64(cmp.Or(s.Resources.CPU, 1000)) / 1000
		p.CPU = cores * float64(r.Target.CPU) / 100
	}
	return p
}

// leastIdle is the shortest time without requests before a service goes to sleep.
const leastIdle = 30 * time.Second

func (p Policy) idle() time.Duration { return cmp.Or(p.Idle, max(p.Down, leastIdle)) }

// Measure is a service at one moment.
type Measure struct {
	InFlight float64       // requests under way
	Rate     float64       // requests a second
	CPU      float64       // cores, all replicas together
	Queue    time.Duration // mean wait of a request to be computed
	Held     int64         // requests that wait for a first replica
	Ready    int           // replicas that take requests
	Wanted   int           // replicas that should run
}

func (m Measure) active() bool { return m.Rate > 0 || m.InFlight > 0 || m.Held > 0 }

// signal is what a policy follows.
type signal struct {
	name   string
	target float64 // of one replica
	total  func(m Measure) float64
	format func(v float64) string
}

// signal is the target that is set; false without one.
func (p Policy) signal() (signal, bool) {
	switch {
	case p.Concurrency > 0:
		return signal{"concurrency", p.Concurrency, func(m Measure) float64 { return m.InFlight + float64(m.Held) }, short}, true
	case p.Requests > 0:
		return signal{"requests", p.Requests, func(m Measure) float64 { return m.Rate }, func(v float64) string { return short(v) + "/s" }}, true
	case p.CPU > 0:
		return signal{"cpu", p.CPU, func(m Measure) float64 { return m.CPU }, func(v float64) string { return short(v) + " cores" }}, true
	case p.Queue > 0:
		return signal{"queue", p.Queue.Seconds(), queueTotal, func(v float64) string {
			return (time.Duration(v*1e6) * time.Microsecond).Round(100 * time.Microsecond).String()
		}}, true
	}
	return signal{}, false
}

// queueTotal makes a wait, which is no sum, comparable to the others: so that
// the load is the replicas times the wait over its target.
func queueTotal(m Measure) float64 { return float64(m.Ready) * m.Queue.Seconds() }

// load is how many replicas the measure asks for; NaN when it does not tell.
func (s signal) load(m Measure) float64 {
	if m.Ready == 0 { // nothing is borne by anybody
		return math.NaN()
	}
	load := s.total(m) / s.target
	if load < 0 || math.IsInf(load, 0) {
		return math.NaN()
	}
	return load
}

// short has three digits that count.
func short(v float64) string {
	if v >= 100 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}
