package backend

import (
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// StartError is a replica that did not become ready, with what its owner needs
// to see why. Its code is CodeUnavailable.
type StartError struct {
	ID     string
	Reason string   // "exit status 3 after 120ms"
	Health string   // the last answer of the ready check; "" when none was asked for
	Logs   []string // the last lines that this start wrote, oldest first
}

// Error is one line; the log lines are for who shows them.
func (e *StartError) Error() string { return "replica " + e.ID + " did not start: " + e.Summary() }

// Summary is the reason, the last health answer and the last log line.
func (e *StartError) Summary() string {
	var b strings.Builder
	b.WriteString(e.Reason)
	if e.Health != "" {
		b.WriteString("; last health answer: " + e.Health)
	}
	if n := len(e.Logs); n > 0 {
		b.WriteString("; last log line: " + e.Logs[n-1])
	}
	return b.String()
}

// Unwrap gives the code.
func (e *StartError) Unwrap() error {
	return &greenlight.Error{Code: greenlight.CodeUnavailable, Message: e.Reason}
}

// Backoff spaces out the starts of a replica that fails again and again. After
// the first failure it may start at once, after the second First later, and
// each time twice as long up to Max. A replica that was ready for Stable counts
// from the start again. The zero value is 500 ms, 1 min, 10 s.
type Backoff struct {
	First, Max, Stable time.Duration
}

// crashing is the count of failures in a row from which a replica is called
// crashing.
const crashing = 3

// Count gives the failures in a row after one more, of a replica that was ready
// for so long.
func (b Backoff) Count(before int, ready time.Duration) int {
	if ready >= orDefault(b.Stable, 10*time.Second) {
		return 1
	}
	return before + 1
}

// Delay is how long after that many failures in a row the next start has to
// wait.
func (b Backoff) Delay(failures int) time.Duration {
	if failures < 2 {
		return 0
	}
	limit := orDefault(b.Max, time.Minute)
	delay := orDefault(b.First, 500*time.Millisecond)
	for range failures - 2 {
		if delay >= limit {
			break
		}
		delay *= 2
	}
	return min(delay, limit)
}

// State is failed, and from the third failure in a row crashing.
func (b Backoff) State(failures int) greenlight.ReplicaState {
	if failures >= crashing {
		return greenlight.ReplicaCrashing
	}
	return greenlight.ReplicaFailed
}

// TooEarly is the error of a start before its time.
func TooEarly(r greenlight.Replica, now time.Time) error {
	return greenlight.Errorf(greenlight.CodeUnavailable, "replica %s failed again and again, the next start waits for %s: %s",
		r.ID, r.NotBefore.Sub(now).Round(time.Millisecond), r.Reason)
}
