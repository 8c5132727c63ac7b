package scale

import (
	"math"
	"time"
)

// Stale is the age from which a measure tells nothing any more.
const Stale = 5 * time.Second

// band is how far the load of a replica may be from its target, as a share of
// it, without any change.
const band = 0.1

// downPace is the least time between two removals: not more than half of the
// replicas go at a time.
const downPace = 30 * time.Second

// Decider decides for one service; what it keeps is bounded. It is not safe
// for use by several goroutines at once.
type Decider struct {
	policy   Policy
	signal   signal // zero without a target
	up, down window
	last     Measure
	lastAt   time.Time // of the last measure
	loadAt   time.Time // of the last measure that told the load
	activeAt time.Time // of the last sign that the service is needed
	asleep   bool
	added    time.Time // last decision to add
	removed  time.Time
	guard    guard
}

// NewDecider makes a decider that knows nothing yet.
func NewDecider(p Policy) *Decider {
	d := new(Decider)
	d.SetPolicy(p)
	return d
}

// SetPolicy goes on by another policy. What was measured so far still counts
// when only the bounds differ.
func (d *Decider) SetPolicy(p Policy) {
	old := d.policy
	d.policy = p
	old.Min, old.Max, old.Idle = p.Min, p.Max, p.Idle
	if old == p && d.up.extreme != nil {
		return
	}
	d.signal, _ = p.signal()
	d.up = window{length: p.Up, extreme: math.Min}
	d.down = window{length: p.Down, extreme: math.Max}
	d.guard = guard{}
}

// Observe takes in what was measured at now. One that is not newer than the
// last is ignored, so the same may be given again.
func (d *Decider) Observe(now time.Time, m Measure) {
	if !now.After(d.lastAt) {
		return
	}
	if m.active() || d.lastAt.IsZero() || now.Sub(d.lastAt) > Stale {
		d.activeAt = now // what was between is not known
	}
	d.last, d.lastAt = m, now
	if d.signal.target == 0 {
		return
	}
	load := d.signal.load(m)
	if math.IsNaN(load) {
		return
	}
	if now.Sub(d.loadAt) > Stale {
		d.up.clear()
		d.down.clear()
	}
	d.up.add(now, load)
	d.down.add(now, load)
	d.guard.observe(now.Sub(d.loadAt), m)
	d.loadAt = now
}

// Decision is how many replicas there should be, and why.
type Decision struct {
	Replicas int
	Reason   string         // one line of prose
	Evidence map[string]any // what it was decided on, as events keep it
}

// Decide says how many replicas there should be, when by the last decision
// there should be current, whether they have started yet or not.
func (d *Decider) Decide(now time.Time, current int) Decision {
	p := d.policy
	if d.asleep && current > 0 {
		d.activeAt = now // whoever woke it gets its time
	}
	d.asleep = current == 0
	switch {
	case current < p.Min && p.Min == p.Max, current > p.Max && p.Min == p.Max:
		return d.decide(current, p.Min, "the description asks for "+replicas(p.Min))
	case current < p.Min:
		return d.decide(current, p.Min, replicas(p.Min)+" at least")
	case current > p.Max:
		return d.decide(current, p.Max, replicas(p.Max)+" at most")
	case p.Min == p.Max:
		return d.decide(current, current, "as described")
	case now.Sub(d.lastAt) > Stale:
		return d.decide(current, current, "not measured "+d.missing(now)+", so nothing changes")
	case current == 0 && d.last.Held > 0:
		return d.decide(0, 1, waiting(d.last.Held))
	case current == 0:
		return d.decide(0, 0, "asleep, nobody asks")
	case p.Min == 0 && now.Sub(d.activeAt) >= p.idle():
		return d.decide(current, 0, "no request for "+span(p.idle()))
	case d.signal.target == 0:
		return d.decide(current, current, "no target to follow")
	case now.Sub(d.loadAt) > Stale, d.last.Ready == 0:
		return d.decide(current, current, "no replica is ready, so nothing is measured")
	}
	return d.follow(now, current)
}

// follow changes the number as the load of the windows asks.
func (d *Decider) follow(now time.Time, current int) Decision {
	n := float64(current)
	least, lasted := d.up.get(now)
	if lasted && least > n*(1+band) {
		return d.add(now, current, least)
	}
	most, lasted := d.down.get(now)
	if lasted && most < n*(1-band) {
		return d.remove(now, current, most)
	}
	load := d.signal.load(d.last)
	switch {
	case load > n*(1+band):
		return d.judge(load, current, current, ", not yet for "+span(d.policy.Up))
	case load < n*(1-band) && ceil(load) < current && current > max(1, d.policy.Min):
		return d.judge(load, current, current, ", not yet for "+span(d.policy.Down))
	}
	return d.judge(load, current, current, "")
}

// add at most doubles the replicas, or adds four. Then a whole window has to
// ask for more: one in which the new ones bear their part.
func (d *Decider) add(now time.Time, current int, load float64) Decision {
	switch {
	case current >= d.policy.Max:
		return d.judge(load, current, current, lasting(d.policy.Up)+", but no more are allowed")
	case now.Sub(d.added) < d.policy.Up:
		return d.judge(load, current, current, ", but those added last have their turn first")
	}
	if d.policy.Queue > 0 {
		d.guard.overloaded(now)
	}
	d.added = now
	wanted := min(ceil(load), max(2*current, current+4), d.policy.Max)
	return d.judge(load, current, wanted, lasting(d.policy.Up))
}

// remove takes away half of the replicas at most.
func (d *Decider) remove(now time.Time, current int, load float64) Decision {
	wanted := max(ceil(load), current-current/2, d.policy.Min, 1)
	pace := min(d.policy.Down, downPace)
	if d.policy.Queue > 0 {
		wanted, pace = d.cautiously(now, current, wanted, pace)
	}
	switch {
	case wanted >= current && ceil(load) < current && current > max(d.policy.Min, 1):
		return d.judge(load, current, current, ", but fewer did not bear as many requests before")
	case wanted >= current:
		return d.judge(load, current, current, "")
	case now.Sub(d.removed) < pace || now.Sub(d.added) < d.policy.Down:
		return d.judge(load, current, current, ", but what changed last has its turn first")
	}
	d.removed = now
	return d.judge(load, current, wanted, lasting(d.policy.Down))
}

// cautiously is how many replicas to keep of those that follow a wait, which
// does not tell how much fewer would do: as many as the guard knows of, else
// one fewer each window.
func (d *Decider) cautiously(now time.Time, current, wanted int, pace time.Duration) (int, time.Duration) {
	if least, known := d.guard.least(now, d.policy.Down); known {
		return max(wanted, least), pace
	}
	return max(wanted, current-1), d.policy.Down
}

// ceil rounds up, but for what is only a rounding error.
func ceil(load float64) int { return int(math.Ceil(min(load, math.MaxInt32) - 1e-9)) }
