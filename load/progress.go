package load

import (
	"cmp"
	"context"
	"errors"
	"sort"
	"time"
)

// Progress is a test at the end of one of its seconds, with what it would
// come to if it ended now.
type Progress struct {
	Second  Second
	Planned float64 // requests a second that were due in that second; 0 in the closed model, and of journeys, whose steps no plan has
	Warmup  bool    // that second began before anything counts
	SoFar   *Result // without its distributions, seconds and counts by route and status
}

// StopError is the cause of a context that ends a test on purpose: the result
// says the reason.
type StopError struct{ Reason string }

func (e *StopError) Error() string { return e.Reason }

// interruption is what a result says of a test whose context is done.
func interruption(ctx context.Context) string {
	if stop, ok := errors.AsType[*StopError](context.Cause(ctx)); ok {
		return stop.Reason
	}
	return "interrupted"
}

// merge adds the times of another histogram.
func (h *Histogram) merge(other *Histogram) {
	if other.Count() == 0 {
		return
	}
	h.counts.Merge(other.counts)
	h.sum += other.sum
	h.min, h.max = min(h.min, other.min), max(h.max, other.max)
}

// soFar holds the times of the seconds that are over, so that looking at them
// keeps nobody from recording.
type soFar struct{ response, lag *Histogram }

func (s *soFar) add(second *secondCount) {
	s.response.merge(second.response)
	s.lag.merge(second.lag)
}

// progress is the test after the second s, which was the last.
func (e *engine) progress(s Second) Progress {
	end := time.Duration(s.At * float64(time.Second))
	begin := end - time.Duration(s.Length*float64(time.Second))
	p := Progress{Second: s, Warmup: begin < e.o.Warmup, SoFar: e.rec.partial()}
	if a := e.o.Arrivals; a != nil && !e.o.Mix.journeys {
		p.Planned = a.between(begin, end)
	}
	r := p.SoFar
	r.StartedAt, r.Elapsed = e.start.UTC(), max(s.At-e.o.Warmup.Seconds(), s.Length)
	r.Rate, r.Goodput = r.Rate/r.Elapsed, r.Goodput/r.Elapsed
	r.Response, r.Lag = r.ResponseTimes.Summary(), r.LagTimes.Summary()
	r.Cores, r.CPU = e.cores, (cpuTime()-e.cpu).Seconds()/time.Since(e.start).Seconds()
	for i := range e.o.Thresholds {
		r.Verdicts = append(r.Verdicts, e.verdict(&e.o.Thresholds[i], r))
	}
	if r.Requests > 0 {
		r.judge(cmp.Or(e.o.MaxLag, DefaultMaxLag))
	}
	r.ResponseTimes, r.LagTimes = nil, nil
	return p
}

// partial has what is counted so far; Rate and Goodput are how many answers came.
func (r *recorder) partial() *Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	res := &Result{Requests: r.requests, Errors: r.errors, Goodput: float64(r.right), ResponseTimes: r.soFar.response, LagTimes: r.soFar.lag}
	for _, n := range r.statuses {
		res.Rate += float64(n)
	}
	return res
}

// verdict holds a threshold against a test so far. Service times are not kept
// by the second, so those of the recorder are looked at.
func (e *engine) verdict(t *Threshold, r *Result) Verdict {
	if t.of == "service" {
		e.rec.mu.Lock()
		defer e.rec.mu.Unlock()
		r.ServiceTimes, r.Service = e.rec.service, e.rec.service.Summary()
		defer func() { r.ServiceTimes = nil }()
	}
	return t.check(r)
}

// between is how many requests a second a plan has between two times; 0 after
// its end.
func (a *Arrivals) between(begin, end time.Duration) float64 {
	end = min(end, a.length)
	if begin >= end {
		return 0
	}
	return (a.dueBy(end) - a.dueBy(begin)) / (end - begin).Seconds()
}

// dueBy is how many requests are due by a time within the plan, with the part
// of one that the rate is on the way to.
func (a *Arrivals) dueBy(t time.Duration) float64 {
	if a.recorded != nil {
		return float64(a.dueBefore(t))
	}
	k := sort.Search(len(a.begins), func(k int) bool { return a.begins[k] > t }) - 1
	s, x := a.stages[k], (t - a.begins[k]).Seconds()
	return a.before[k] + s.From*x + (s.To-s.From)/s.For.Seconds()*x*x/2
}

// dueBefore is how many requests are due before a time.
func (a *Arrivals) dueBefore(t time.Duration) int64 {
	low, high := int64(0), a.Total()
	for low < high {
		if mid := (low + high) / 2; a.At(mid) < t {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}
