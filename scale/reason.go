package scale

import (
	"fmt"
	"strconv"
	"time"
)

// decide words a decision and adds what it was taken on.
func (d *Decider) decide(current, wanted int, why string) Decision {
	reason := why + ": " + replicas(wanted)
	if wanted != current {
		reason = why + ": " + strconv.Itoa(current) + " → " + replicas(wanted)
	}
	return Decision{Replicas: wanted, Reason: reason, Evidence: d.evidence(current)}
}

func (d *Decider) evidence(current int) map[string]any {
	e := map[string]any{"current": current, "min": d.policy.Min, "max": d.policy.Max}
	if !d.lastAt.IsZero() {
		m := d.last
		e["measured_at"], e["ready"], e["wanted"], e["in_flight"] = d.lastAt, m.Ready, m.Wanted, m.InFlight
		e["held"], e["rate"], e["cpu"], e["queue_seconds"] = m.Held, m.Rate, m.CPU, m.Queue.Seconds()
	}
	if d.signal.target > 0 {
		e["signal"], e["target"] = d.signal.name, d.signal.target
		e["up_seconds"], e["down_seconds"] = d.policy.Up.Seconds(), d.policy.Down.Seconds()
	}
	return e
}

// judge is a decision on the load of all replicas together.
func (d *Decider) judge(load float64, current, wanted int, more string) Decision {
	decision := d.decide(current, wanted, d.against(load, current)+more)
	decision.Evidence["load"] = load
	return decision
}

// against says what a replica bears beside what it should: "concurrency 19.2
// over target 16".
func (d *Decider) against(load float64, current int) string {
	n := float64(max(current, 1))
	where := "at"
	switch {
	case load > n*(1+band):
		where = "over"
	case load < n*(1-band):
		where = "under"
	}
	s := d.signal
	return fmt.Sprintf("%s %s %s target %s", s.name, s.format(load*s.target/n), where, s.format(s.target))
}

func (d *Decider) missing(now time.Time) string {
	if d.lastAt.IsZero() {
		return "yet"
	}
	return "for " + span(now.Sub(d.lastAt).Round(time.Second))
}

func lasting(window time.Duration) string {
	if window == 0 {
		return ""
	}
	return " for " + span(window)
}

// span writes a time as a person would.
func span(d time.Duration) string {
	switch {
	case d >= time.Minute && d%time.Minute == 0:
		return strconv.Itoa(int(d/time.Minute)) + " min"
	case d%time.Second == 0:
		return strconv.Itoa(int(d/time.Second)) + " s"
	}
	return d.String()
}

func replicas(n int) string {
	if n == 1 {
		return "1 replica"
	}
	return strconv.Itoa(n) + " replicas"
}

func waiting(held int64) string {
	if held == 1 {
		return "1 request waits"
	}
	return strconv.FormatInt(held, 10) + " requests wait"
}
