package scale_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/greenlight-dev/greenlight/scale"
	"github.com/greenlight-dev/greenlight/spec"
)

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func policy(change ...func(*scale.Policy)) scale.Policy {
	p := scale.Policy{Min: 1, Max: 10, Concurrency: 16, Up: 10 * time.Second, Down: 2 * time.Minute}
	for _, c := range change {
		c(&p)
	}
	return p
}

// after observes m once a second for so long, then decides.
func after(p scale.Policy, current int, m scale.Measure, length time.Duration) scale.Decision {
	d := scale.NewDecider(p)
	at := epoch
	for ; !at.After(epoch.Add(length)); at = at.Add(time.Second) {
		d.Observe(at, m)
	}
	return d.Decide(at.Add(-time.Second), current)
}

func TestReasons(t *testing.T) {
	sleepy := func(p *scale.Policy) { p.Min = 0 }
	signal := func(set func(*scale.Policy)) func(*scale.Policy) {
		return func(p *scale.Policy) { p.Concurrency = 0; set(p) }
	}
	requests := signal(func(p *scale.Policy) { p.Requests = 100 })
	cpu := signal(func(p *scale.Policy) { p.CPU = .7 })
	queue := signal(func(p *scale.Policy) { p.Queue = 20 * time.Millisecond })
	for _, c := range []struct {
		name    string
		policy  scale.Policy
		current int
		measure scale.Measure
		length  time.Duration
		want    int
		reason  string
	}{
		{"up", policy(func(p *scale.Policy) { p.Up = 2 * time.Minute }), 3, scale.Measure{InFlight: 57.6, Ready: 3}, 2 * time.Minute, 4, "concurrency 19.2 over target 16 for 2 min: 3 → 4 replicas"},
		{"up without a window", policy(func(p *scale.Policy) { p.Up = 0 }), 3, scale.Measure{InFlight: 57.6, Ready: 3}, 0, 4, "concurrency 19.2 over target 16: 3 → 4 replicas"},
		{"not yet up", policy(), 3, scale.Measure{InFlight: 57.6, Ready: 3}, 9 * time.Second, 3, "concurrency 19.2 over target 16, not yet for 10 s: 3 replicas"},
		{"held count", policy(), 1, scale.Measure{InFlight: 10, Held: 14, Ready: 1}, 10 * time.Second, 2, "concurrency 24 over target 16 for 10 s: 1 → 2 replicas"},
		{"four more", policy(), 1, scale.Measure{InFlight: 1600, Ready: 1}, 10 * time.Second, 5, "concurrency 1600 over target 16 for 10 s: 1 → 5 replicas"},
		{"doubled", policy(func(p *scale.Policy) { p.Max = 50 }), 8, scale.Measure{InFlight: 1600, Ready: 8}, 10 * time.Second, 16, "concurrency 200 over target 16 for 10 s: 8 → 16 replicas"},
		{"as many as allowed", policy(), 8, scale.Measure{InFlight: 1600, Ready: 8}, 10 * time.Second, 10, "concurrency 200 over target 16 for 10 s: 8 → 10 replicas"},
		{"no more are allowed", policy(), 10, scale.Measure{InFlight: 1600, Ready: 10}, 10 * time.Second, 10, "concurrency 160 over target 16 for 10 s, but no more are allowed: 10 replicas"},
		{"in the band above", policy(), 3, scale.Measure{InFlight: 52, Ready: 3}, time.Hour, 3, "concurrency 17.3 at target 16: 3 replicas"},
		{"in the band below", policy(func(p *scale.Policy) { p.Max = 50 }), 20, scale.Measure{InFlight: 300, Ready: 20}, time.Hour, 20, "concurrency 15 at target 16: 20 replicas"},
		{"down", policy(), 4, scale.Measure{InFlight: 36.4, Ready: 4}, 2 * time.Minute, 3, "concurrency 9.1 under target 16 for 2 min: 4 → 3 replicas"},
		{"not yet down", policy(), 4, scale.Measure{InFlight: 36.4, Ready: 4}, 119 * time.Second, 4, "concurrency 9.1 under target 16, not yet for 2 min: 4 replicas"},
		{"half of them", policy(), 9, scale.Measure{InFlight: 1, Ready: 9}, 2 * time.Minute, 5, "concurrency 0.111 under target 16 for 2 min: 9 → 5 replicas"},
		{"none fewer would do", policy(), 4, scale.Measure{InFlight: 50, Ready: 4}, 2 * time.Minute, 4, "concurrency 12.5 under target 16: 4 replicas"},
		{"one stays", policy(), 1, scale.Measure{Ready: 1}, time.Hour, 1, "concurrency 0 under target 16: 1 replica"},
		{"one stays awake", policy(sleepy), 1, scale.Measure{Rate: 1, Ready: 1}, time.Hour, 1, "concurrency 0 under target 16: 1 replica"},
		{"sleep", policy(sleepy), 3, scale.Measure{Ready: 3}, 2 * time.Minute, 0, "no request for 2 min: 3 → 0 replicas"},
		{"sleep after half a minute at least", policy(sleepy, func(p *scale.Policy) { p.Down = 0 }), 1, scale.Measure{Ready: 1}, 29 * time.Second, 1, "concurrency 0 under target 16: 1 replica"},
		{"asleep", policy(sleepy), 0, scale.Measure{}, time.Hour, 0, "asleep, nobody asks: 0 replicas"},
		{"wake", policy(sleepy), 0, scale.Measure{Held: 300}, 0, 1, "300 requests wait: 0 → 1 replica"},
		{"wake for one", policy(sleepy), 0, scale.Measure{Held: 1}, 0, 1, "1 request waits: 0 → 1 replica"},
		{"least", policy(func(p *scale.Policy) { p.Min = 2 }), 0, scale.Measure{}, 0, 2, "2 replicas at least: 0 → 2 replicas"},
		{"most", policy(), 12, scale.Measure{}, 0, 10, "10 replicas at most: 12 → 10 replicas"},
		{"fixed", policy(func(p *scale.Policy) { p.Min = 10 }), 3, scale.Measure{}, 0, 10, "the description asks for 10 replicas: 3 → 10 replicas"},
		{"fixed and there", scale.Policy{Min: 2, Max: 2}, 2, scale.Measure{}, 0, 2, "as described: 2 replicas"},
		{"stopped", scale.Policy{}, 2, scale.Measure{}, 0, 0, "the description asks for 0 replicas: 2 → 0 replicas"},
		{"no target", scale.Policy{Min: 1, Max: 4}, 2, scale.Measure{InFlight: 99, Ready: 2}, time.Hour, 2, "no target to follow: 2 replicas"},
		{"none ready", policy(), 2, scale.Measure{InFlight: 99}, time.Hour, 2, "no replica is ready, so nothing is measured: 2 replicas"},
		{"nonsense", policy(), 2, scale.Measure{InFlight: math.NaN(), Ready: 2}, time.Hour, 2, "no replica is ready, so nothing is measured: 2 replicas"},
		{"requests", policy(requests), 2, scale.Measure{Rate: 290, Ready: 2}, 10 * time.Second, 3, "requests 145/s over target 100/s for 10 s: 2 → 3 replicas"},
		{"cpu", policy(cpu), 2, scale.Measure{CPU: 1.9, Ready: 2}, 10 * time.Second, 3, "cpu 0.95 cores over target 0.7 cores for 10 s: 2 → 3 replicas"},
		{"queue", policy(queue), 2, scale.Measure{Queue: 31 * time.Millisecond, Ready: 2}, 10 * time.Second, 4, "queue 31ms over target 20ms for 10 s: 2 → 4 replicas"},
		{"queue, one fewer", policy(queue), 8, scale.Measure{Queue: 100 * time.Microsecond, Ready: 8}, 2 * time.Minute, 7, "queue 100µs under target 20ms for 2 min: 8 → 7 replicas"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := after(c.policy, c.current, c.measure, c.length)
			if got.Replicas != c.want || got.Reason != c.reason {
				t.Errorf("%d, %q\nwant %d, %q", got.Replicas, got.Reason, c.want, c.reason)
			}
			if got.Evidence["current"] != c.current || got.Evidence["ready"] != c.measure.Ready {
				t.Errorf("evidence %v", got.Evidence)
			}
		})
	}
}

func TestMissingMeasures(t *testing.T) {
	d := scale.NewDecider(policy())
	if got := d.Decide(epoch, 3); got.Replicas != 3 || got.Reason != "not measured yet, so nothing changes: 3 replicas" {
		t.Errorf("%+v", got)
	}
	m := scale.Measure{InFlight: 160, Ready: 3}
	for i := range 11 {
		d.Observe(epoch.Add(time.Duration(i)*time.Second), m)
	}
	last := epoch.Add(10 * time.Second)
	if got := d.Decide(last.Add(7*time.Second), 3); got.Replicas != 3 || got.Reason != "not measured for 7 s, so nothing changes: 3 replicas" {
		t.Errorf("%+v", got)
	}
	// what was before the gap does not count
	d.Observe(last.Add(7*time.Second), m)
	if got := d.Decide(last.Add(7*time.Second), 3); got.Replicas != 3 {
		t.Errorf("%+v", got)
	}
	for i := range 11 {
		d.Observe(last.Add(time.Duration(7+i)*time.Second), m)
	}
	if got := d.Decide(last.Add(17*time.Second), 3); got.Replicas != 7 {
		t.Errorf("%+v", got)
	}
}

func TestTheSameMeasureAgainCountsOnce(t *testing.T) {
	d := scale.NewDecider(policy())
	for i := range 11 {
		d.Observe(epoch.Add(time.Duration(i)*time.Second), scale.Measure{InFlight: 160, Ready: 3})
	}
	d.Observe(epoch, scale.Measure{Ready: 3}) // older: ignored
	if got := d.Decide(epoch.Add(10*time.Second), 3); got.Replicas != 7 {
		t.Errorf("%+v", got)
	}
}

func TestWhoWokeAServiceGetsItsTime(t *testing.T) {
	p := policy(func(p *scale.Policy) { p.Min = 0; p.Idle = time.Minute })
	d := scale.NewDecider(p)
	at := epoch
	for range 600 {
		d.Observe(at, scale.Measure{})
		d.Decide(at, 0)
		at = at.Add(time.Second)
	}
	for i := range 70 { // a person scaled it to one
		d.Observe(at, scale.Measure{Ready: 1})
		want := 1
		if i >= 60 {
			want = 0
		}
		if got := d.Decide(at, 1); got.Replicas != want {
			t.Fatalf("after %d s: %+v", i, got)
		}
		at = at.Add(time.Second)
	}
}

func TestSetPolicy(t *testing.T) {
	d := scale.NewDecider(policy())
	for i := range 11 {
		d.Observe(epoch.Add(time.Duration(i)*time.Second), scale.Measure{InFlight: 160, Ready: 3})
	}
	now := epoch.Add(10 * time.Second)
	d.SetPolicy(policy(func(p *scale.Policy) { p.Max = 5 }))
	if got := d.Decide(now, 3); got.Replicas != 5 {
		t.Errorf("other bounds: %+v", got)
	}
	d.SetPolicy(policy(func(p *scale.Policy) { p.Concurrency = 10 }))
	if got := d.Decide(now, 3); got.Replicas != 3 {
		t.Errorf("another target decides on the measures of the old one: %+v", got)
	}
}

func TestPolicyOf(t *testing.T) {
	s := &spec.Service{Replicas: spec.Replicas{Min: 1, Max: 4, Target: spec.Target{CPU: 70}, Window: spec.Window{Up: spec.Duration(time.Second), Down: spec.Duration(time.Minute)}}}
	want := scale.Policy{Min: 1, Max: 4, CPU: .7, Up: time.Second, Down: time.Minute}
	if got := scale.PolicyOf(s); got != want {
		t.Errorf("%+v", got)
	}
	s.Resources.CPU = 500
	if got := scale.PolicyOf(s).CPU; got != .35 {
		t.Errorf("cpu %v of half a core", got)
	}
	s.Replicas.Target = spec.Target{Queue: spec.Duration(20 * time.Millisecond)}
	if got := scale.PolicyOf(s); got.Queue != 20*time.Millisecond || got.CPU != 0 {
		t.Errorf("%+v", got)
	}
}

// drawPolicy is any policy that a description can ask for.
func drawPolicy(t *rapid.T) scale.Policy {
	p := scale.Policy{
		Min:  rapid.IntRange(0, 20).Draw(t, "min"),
		Up:   time.Duration(rapid.IntRange(0, 30).Draw(t, "up")) * time.Second,
		Down: time.Duration(rapid.IntRange(0, 60).Draw(t, "down")) * time.Second,
	}
	p.Max = p.Min + rapid.IntRange(0, 40).Draw(t, "more")
	switch rapid.SampledFrom([]string{"concurrency", "requests", "cpu", "queue", "none"}).Draw(t, "signal") {
	case "concurrency":
		p.Concurrency = rapid.Float64Range(1, 100).Draw(t, "target")
	case "requests":
		p.Requests = rapid.Float64Range(.1, 1000).Draw(t, "target")
	case "cpu":
		p.CPU = rapid.Float64Range(.01, 8).Draw(t, "target")
	case "queue":
		p.Queue = time.Duration(rapid.IntRange(1, 1000).Draw(t, "target")) * time.Millisecond
	}
	return p
}

// Whatever is measured, a decision stays in the bounds, and its step too.
func TestBounds(t *testing.T) {
	value := rapid.OneOf(rapid.Float64Range(0, 1e4), rapid.Float64())
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		d := scale.NewDecider(p)
		now, current := epoch, rapid.IntRange(0, 80).Draw(t, "current")
		for range rapid.IntRange(1, 60).Draw(t, "ticks") {
			now = now.Add(time.Duration(rapid.IntRange(0, 7000).Draw(t, "ms")) * time.Millisecond)
			d.Observe(now, scale.Measure{
				InFlight: value.Draw(t, "in flight"), Rate: value.Draw(t, "rate"), CPU: value.Draw(t, "cpu"),
				Queue: time.Duration(rapid.Int64().Draw(t, "queue")), Held: rapid.Int64Range(0, 1000).Draw(t, "held"),
				Ready: rapid.IntRange(0, 80).Draw(t, "ready"), Wanted: current,
			})
			got := d.Decide(now, current)
			if got.Replicas < p.Min || got.Replicas > p.Max {
				t.Fatalf("%+v is outside %d to %d", got, p.Min, p.Max)
			}
			if inside := current >= p.Min && current <= p.Max; inside && got.Replicas > 0 && current > 0 &&
				(got.Replicas > max(2*current, current+4) || got.Replicas < current-current/2) {
				t.Fatalf("from %d: %+v", current, got)
			}
			if got.Reason == "" || got.Evidence == nil {
				t.Fatalf("%+v", got)
			}
			current = got.Replicas
		}
	})
}

// More load never gives fewer replicas.
func TestMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		p.Queue = 0 // whose guard looks at rates too
		current := rapid.IntRange(0, 60).Draw(t, "current")
		less, more := scale.NewDecider(p), scale.NewDecider(p)
		now := epoch
		for range rapid.IntRange(1, 90).Draw(t, "ticks") {
			load := rapid.Float64Range(0, 500).Draw(t, "load")
			extra := load + rapid.Float64Range(0, 100).Draw(t, "extra")
			less.Observe(now, scale.Measure{InFlight: load, Rate: load, CPU: load, Ready: max(current, 1)})
			more.Observe(now, scale.Measure{InFlight: extra, Rate: extra, CPU: extra, Ready: max(current, 1)})
			now = now.Add(time.Second)
		}
		now = now.Add(-time.Second)
		a, b := less.Decide(now, current), more.Decide(now, current)
		if a.Replicas > b.Replicas {
			t.Fatalf("more load, fewer replicas:\n%+v\n%+v", a, b)
		}
	})
}

// Constant load ends at the number that bears it, or within the dead band of
// another, and then nothing changes any more.
func TestConstantLoadConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := scale.Policy{Min: 1, Max: 200, Concurrency: rapid.Float64Range(1, 50).Draw(t, "target"),
			Up: time.Duration(rapid.IntRange(0, 15).Draw(t, "up")) * time.Second, Down: time.Duration(rapid.IntRange(0, 40).Draw(t, "down")) * time.Second}
		load := rapid.Float64Range(0, 5000).Draw(t, "load")
		d := scale.NewDecider(p)
		now, current := epoch, rapid.IntRange(1, 200).Draw(t, "current")
		var changed time.Time
		for range 900 {
			d.Observe(now, scale.Measure{InFlight: load, Ready: current})
			if got := d.Decide(now, current); got.Replicas != current {
				current, changed = got.Replicas, now
			}
			now = now.Add(time.Second)
		}
		if now.Sub(changed) < 5*time.Minute {
			t.Fatalf("still changed at %v", changed.Sub(epoch))
		}
		need := load / p.Concurrency
		want := min(max(int(math.Ceil(need-1e-9)), 1), p.Max)
		if off := need / float64(current); current != want && (off < .9 || off > 1.1) {
			t.Fatalf("%d replicas for a load of %v, want %d", current, need, want)
		}
	})
}
