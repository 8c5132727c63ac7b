package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api/client"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/store"
)

// settling waits until what was asked for is so.
type settling struct {
	client  *client.Client
	timeout time.Duration
	after   int64                   // the last event that was there before
	event   func(greenlight.Event)  // hears what happens; may be nil
	status  func(s *control.Status) // hears how it is; may be nil
	// done tells whether it is so.
	done func(s *control.Status) bool
	// failed gives the reason why it will not be so without another change; it
	// may be nil.
	failed func(s *control.Status) error
	// missing says what is still to come, for the error of the timeout.
	missing func(s *control.Status) string
}

// wait asks again and again: often at first, as most changes take less than a
// second.
func (w *settling) wait(ctx context.Context) error {
	started := time.Now()
	for {
		s, err := w.client.Status(ctx)
		if err != nil {
			return err
		}
		if err := w.hear(ctx); err != nil {
			return err
		}
		if w.status != nil {
			w.status(&s)
		}
		if w.done(&s) {
			return w.hear(ctx)
		}
		if w.failed != nil {
			if err := w.failed(&s); err != nil {
				return err
			}
		}
		elapsed := time.Since(started)
		if elapsed > w.timeout {
			return greenlight.Errorf(greenlight.CodeUnavailable, "after %s it is not done: %s; it goes on, see greenlight status",
				w.timeout, w.missing(&s))
		}
		pause := 20 * time.Millisecond
		if elapsed > 3*time.Second {
			pause = 250 * time.Millisecond
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// hear passes on the events since the last time.
func (w *settling) hear(ctx context.Context) error {
	if w.event == nil {
		return nil
	}
	events, err := w.client.Events(ctx, store.EventQuery{After: w.after})
	if err != nil {
		return err
	}
	for _, e := range events {
		w.after = e.ID
		w.event(e)
	}
	return nil
}

// newestEvent is the last thing that happened; its zero value where nothing
// did yet.
func newestEvent(ctx context.Context, c *client.Client) (greenlight.Event, error) {
	events, err := c.Events(ctx, store.EventQuery{Newest: true, Limit: 1})
	if err != nil || len(events) == 0 {
		return greenlight.Event{}, err
	}
	return events[0], nil
}

// settled tells whether a service is as it should be.
func settled(s *control.Service) bool {
	switch s.Health {
	case control.Good, control.Asleep:
		return true
	case control.Changing, control.Down:
		return false
	}
	if s.Ready < s.Desired || len(s.Replicas) != s.Desired {
		return false
	}
	for _, r := range s.Replicas {
		if !sameRelease(r.Release, s.Release) || r.State != greenlight.ReplicaReady {
			return false
		}
	}
	return true
}

// sameRelease compares digests, of which one may be shortened.
func sameRelease(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }

// crashes are the replicas that fail again and again, by ID, with how often
// each was started again.
type crashes map[string]int

func crashesIn(s *control.Status) crashes {
	found := make(crashes)
	for _, e := range s.Environments {
		for _, service := range e.Services {
			for _, r := range service.Replicas {
				if r.State == greenlight.ReplicaCrashing {
					found[r.ID] = r.Restarts
				}
			}
		}
	}
	return found
}

// another is the first replica of the wanted release that has failed again
// since the crashes before, nil for none: one that waits for its next start may
// well succeed then.
func (before crashes) another(s *control.Service) *control.Replica {
	for i, r := range s.Replicas {
		restarts, known := before[r.ID]
		if r.State == greenlight.ReplicaCrashing && sameRelease(r.Release, s.Release) && (!known || r.Restarts > restarts) {
			return &s.Replicas[i]
		}
	}
	return nil
}

// missingOf says what of a service is still to come.
func missingOf(name serviceName, s *control.Service) string {
	line := fmt.Sprintf("%s has %d of %d replicas ready", name, s.Ready, s.Desired)
	if s.Note != "" {
		line += " (" + s.Note + ")"
	}
	return line
}

// startFailure is a service that does not start, with what its owner needs to
// see why.
type startFailure struct {
	name    serviceName
	replica control.Replica
	lines   []string // the last ones that it wrote
}

// shownLogLines of a replica that failed.
const shownLogLines = 15

// newStartFailure asks for what a failing replica wrote. What cannot be had is
// left out: the failure itself matters more.
func newStartFailure(ctx context.Context, c *client.Client, name serviceName, r control.Replica) *startFailure {
	f := &startFailure{name: name, replica: r}
	_ = c.Logs(ctx, name.environment, name.service, control.LogQuery{Replica: r.ID, Tail: shownLogLines}, func(l control.LogLine) error {
		f.lines = append(f.lines, l.Text)
		return nil
	})
	return f
}

func (f *startFailure) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s does not start: %s", f.name, f.replica.ID)
	if reason := f.replica.Reason; reason != "" {
		if len(f.lines) > 0 {
			reason, _, _ = strings.Cut(reason, "; last log line: ") // it comes below
		}
		fmt.Fprintf(&b, ": %s", oneLine(reason))
	}
	if len(f.lines) > 0 {
		fmt.Fprintf(&b, "\n  the last it wrote:")
		for _, line := range f.lines {
			fmt.Fprintf(&b, "\n    %s", tame(line))
		}
	}
	return b.String()
}
