package load

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// silence is the longest time in seconds in which no right answer came though
// requests were due.
func (r *Result) silence() float64 {
	var longest, since float64
	for _, s := range r.Seconds {
		if s.Right > 0 || s.InFlight < 1 && s.Requests == 0 {
			since = 0
			continue
		}
		since += s.Length
		longest = max(longest, since)
	}
	return longest
}

// Collapse is a target that gives less when more is asked of it.
type Collapse struct {
	Rate  float64 `json:"rate"`           // that was due, a second
	Right float64 `json:"right"`          // right answers then, a second
	Most  float64 `json:"most"`           // at a lower rate
	Quiet float64 `json:"quiet,omitzero"` // longest time in seconds without a right answer
}

// String says what happened.
func (c *Collapse) String() string {
	said := fmt.Sprintf("of %s only %s were answered rightly", PerSecond(c.Rate), PerSecond(c.Right))
	if c.Most > 0 {
		said += fmt.Sprintf(", though it had been %s at a lower rate", PerSecond(c.Most))
	}
	if c.Quiet > 0 {
		said += fmt.Sprintf("; none for %.1f s", c.Quiet)
	}
	return said
}

// A target falls apart when it gives less than half of what it gave before,
// or nothing for some seconds.
const (
	collapseShare = 0.5
	collapseQuiet = 3.0 // seconds
)

// before is the highest rate of right answers at rates below this one.
func (k *Knee) before(rate float64) (most float64) {
	for i := range k.Rungs {
		if r := &k.Rungs[i]; r.Rate < rate && !r.Result.Void {
			most = max(most, r.Result.Goodput)
		}
	}
	return most
}

// fellApart tells whether a rung gave much less than those below it.
func (k *Knee) fellApart(r *Rung) bool { return k.collapseAt(r) != nil }

func (k *Knee) collapseAt(r *Rung) *Collapse {
	if r.Met || r.Result.Void {
		return nil
	}
	c := &Collapse{Rate: r.Rate, Right: r.Result.Goodput, Most: k.before(r.Rate)}
	if quiet := r.Result.silence(); quiet >= collapseQuiet {
		c.Quiet = quiet
	}
	if c.Quiet == 0 && c.Right >= collapseShare*c.Most {
		return nil
	}
	return c
}

// worstCollapse is the one that gave least of what was given before.
func (k *Knee) worstCollapse() *Collapse {
	var all []*Collapse
	for i := range k.Rungs {
		if c := k.collapseAt(&k.Rungs[i]); c != nil {
			all = append(all, c)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return slices.MinFunc(all, func(a, b *Collapse) int { return cmp.Compare(a.Right, b.Right) })
}

// Recovery says whether a target answers again after more than it carries.
type Recovery struct {
	Recovered bool    `json:"recovered"` // it answers
	Met       bool    `json:"met"`       // and meets the SLO
	Rate      float64 `json:"rate"`      // that was due then, a second
	After     float64 `json:"after"`     // seconds from the end of the load to when this was known
	Requests  int64   `json:"requests"`  // of the last try
	Right     int64   `json:"right"`     // of them, answered rightly and in time
	Why       string  `json:"why,omitempty"`
}

// String says it in a sentence.
func (r *Recovery) String() string {
	said := "does not recover"
	switch {
	case r.Met:
		said = "recovers"
	case r.Recovered:
		said = "answers again, but misses the SLO"
	}
	said = fmt.Sprintf("%s: %d of %d requests answered %.0f s after the load ended", said, r.Right, r.Requests, r.After)
	if r.Why != "" {
		said += "; " + r.Why
	}
	return said
}

// What the check of recovery sends, and how long it waits.
const (
	recoveryShare    = 0.2  // of the highest rate that was answered rightly
	recoveryLeast    = 0.1  // of the first rate that was tried
	recoveryHalf     = 0.5  // of the requests: who answers fewer does not work
	recoveryRight    = 0.99 // likewise, for an SLO that says nothing of errors
	recoveryTimeout  = 3 * time.Second
	recoverySlower   = 5 // times the p99 of the lowest rate may be waited
	recoveryPatience = 10 * time.Second
	recoveryPause    = 500 * time.Millisecond
)

// recovery sends little, again and again, until the target meets the SLO or
// patience ends.
func (k *Knee) recovery(ctx context.Context, o *KneeOptions) (*Recovery, error) {
	ended := time.Now()
	rate := max(recoveryShare*max(k.Rate, k.most()), recoveryLeast*o.From, 1)
	timeout := recoveryTimeout
	if _, _, first := k.evidence(); first != nil && first.Met {
		timeout = max(timeout, time.Duration(recoverySlower*first.Result.Response.P99*1e9))
	}
	for {
		r, err := o.Recover(ctx, rate, timeout)
		found := &Recovery{Rate: rate, After: time.Since(ended).Seconds()}
		switch {
		case err == nil && r.Void:
			found.take(r, nil, k.Rate == 0) // whether it answers is known all the same
		case err == nil:
			found.take(r, o.Thresholds, k.Rate == 0)
		case greenlight.CodeOf(err) == greenlight.CodeUnavailable:
			found.Why = err.Error()
		default:
			return nil, err
		}
		if found.Met || time.Since(ended) >= recoveryPatience {
			return found, nil
		}
		if err := rest(ctx, recoveryPause); err != nil {
			return nil, err
		}
	}
}

// take judges one try; where no rate meets the SLO, answers are enough.
func (r *Recovery) take(result *Result, slo []Threshold, never bool) {
	r.Requests, r.Right, r.Why = result.Requests, result.Requests-result.Errors, result.Stopped
	right := float64(r.Right) / float64(max(r.Requests, 1))
	r.Recovered = right >= recoveryHalf
	r.Met = right >= recoveryRight || r.Recovered && ofErrors(slo) && !never
	for i := range slo {
		if v := slo[i].check(result); r.Recovered && !never && !v.OK && slo[i].metric != "rate" {
			r.Met, r.Why = false, v.String()
		}
	}
}
