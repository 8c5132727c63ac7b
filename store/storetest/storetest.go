// Package storetest checks that a store keeps the promises of package store.
package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
)

// Open opens the store in a folder, as it was left or new.
type Open func(ctx context.Context, dir string) (store.Store, error)

// Run checks a store. The package's TestMain must call Child first: one of
// the tests kills a process in the middle of its writes.
func Run(t *testing.T, open Open) {
	s := suite{open}
	t.Run("events", s.events)
	t.Run("event queries", s.eventQueries)
	t.Run("wrong events", s.wrongEvents)
	t.Run("watch", s.watch)
	t.Run("watch wakes", s.watchWakes)
	t.Run("watch under load", s.watchUnderLoad)
	t.Run("watch ends", s.watchEnds)
	t.Run("desired", s.desired)
	t.Run("releases", s.releases)
	t.Run("journal", s.journal)
	t.Run("settings", s.settings)
	t.Run("settings race", s.settingsRace)
	t.Run("tokens", s.tokens)
	t.Run("refused changes leave nothing", s.refusedLeaveNothing)
	t.Run("wrong input", s.wrongInput)
	t.Run("prune events", s.pruneEvents)
	t.Run("prune what is referred to", s.pruneReferred)
	t.Run("prune steps", s.pruneSteps)
	t.Run("prune all", s.pruneAll)
	t.Run("prune under load", s.pruneUnderLoad)
	t.Run("prune refuses", s.pruneRefuses)
	t.Run("traffic", s.traffic)
	t.Run("traffic with its mark", s.trafficMark)
	t.Run("prune traffic", s.pruneTraffic)
	t.Run("wrong traffic", s.wrongTraffic)
	t.Run("concurrency", s.concurrency)
	t.Run("reopen", s.reopen)
	t.Run("cancelled", s.cancelled)
	t.Run("closed", s.closed)
	t.Run("killed", s.killed)
}

type suite struct{ open Open }

// new opens an empty store that the test's end closes.
func (s suite) new(t *testing.T) store.Store { return s.at(t, t.TempDir()) }

func (s suite) at(t *testing.T, dir string) store.Store {
	t.Helper()
	st, err := s.open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

// event is a valid event of a kind.
func event(kind string) greenlight.Event {
	return greenlight.Event{Actor: "user:ada", Kind: kind, Environment: "dev", Service: "iris", Message: kind}
}

// must is for calls that only give a value when they work.
func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func wantCode(t *testing.T, doing string, err error, want greenlight.Code) {
	t.Helper()
	if got := greenlight.CodeOf(err); got != want {
		t.Errorf("%s: got code %q (%v), want %q", doing, got, err, want)
	}
}

func wantConflict(t *testing.T, doing string, err error) {
	t.Helper()
	if !errors.Is(err, store.ErrConflict) {
		t.Errorf("%s: got %v, want a conflict", doing, err)
	}
}

func countEvents(t *testing.T, s store.Events) int {
	t.Helper()
	return len(must[[]greenlight.Event](t)(s.ListEvents(t.Context(), store.EventQuery{})))
}

// recently checks a time that the store filled in.
func recently(t *testing.T, what string, at time.Time) {
	t.Helper()
	if age := time.Since(at); age < 0 || age > time.Minute || at.Location() != time.UTC {
		t.Errorf("%s is %v, want now in UTC", what, at)
	}
}
