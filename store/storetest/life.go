package storetest

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
)

// concurrency calls everything at once; what it checks is that nothing fails
// and, under the race detector, that nothing races.
func (s suite) concurrency(t *testing.T) {
	const rounds = 15
	st := s.new(t)
	var wg sync.WaitGroup
	for w := range 3 {
		for name, call := range operations(st, w) {
			wg.Go(func() {
				for i := range rounds {
					if err := call(t.Context(), i); err != nil {
						t.Errorf("%s: %v", name, err)
						return
					}
				}
			})
		}
	}
	wg.Wait()
	if open := must[[]store.Step](t)(st.OpenSteps(t.Context())); len(open) != 0 {
		t.Errorf("%d steps stayed open", len(open))
	}
}

// operations is every kind of call of one worker w, as its ith.
func operations(st store.Store, w int) map[string]func(ctx context.Context, i int) error {
	environment := fmt.Sprint("e", w)
	return map[string]func(ctx context.Context, i int) error{
		"record": func(ctx context.Context, _ int) error {
			_, err := st.Record(ctx, event("a"), event("b"))
			return err
		},
		"apply": func(ctx context.Context, i int) error {
			d, err := st.ApplyDesired(ctx, desired(environment, fmt.Sprint("d", i), int64(i)), event("applied"))
			if err == nil && d.Revision != int64(i+1) {
				err = fmt.Errorf("got revision %d, want %d", d.Revision, i+1)
			}
			return err
		},
		"release": func(ctx context.Context, i int) error {
			_, err := st.SaveRelease(ctx, release(fmt.Sprint("sha256:", i), "shared"), event("released"))
			return err
		},
		"steps": func(ctx context.Context, _ int) error {
			steps, err := st.BeginSteps(ctx, store.Step{Plan: environment, Kind: "start"})
			if err != nil {
				return err
			}
			return st.EndSteps(ctx, store.StepEnd{ID: steps[0].ID, Outcome: store.StepDone, Events: []greenlight.Event{event("started")}})
		},
		"setting": func(ctx context.Context, i int) error {
			_, err := st.PutSetting(ctx, store.Setting{Scope: "all", Key: "k", Value: []byte("1"), Revision: store.AnyRevision}, event("set"))
			return err
		},
		"prune": func(ctx context.Context, _ int) error {
			_, err := st.Prune(ctx, store.PruneOptions{EventsBefore: cutoff, StepsBefore: cutoff, Kinds: []string{"noise"}})
			return err
		},
		"traffic": func(ctx context.Context, _ int) error {
			return st.AddTraffic(ctx, mark(longAgo), store.TrafficHour{Environment: environment, Service: "iris", Hour: longAgo, Requests: 1, Observed: 1})
		},
		"prune traffic": func(ctx context.Context, _ int) error {
			_, err := st.PruneTraffic(ctx, longAgo)
			return err
		},
		"read": func(ctx context.Context, _ int) error { return readEverything(ctx, st) },
	}
}

func readEverything(ctx context.Context, st store.Store) error {
	if _, err := st.ListEvents(ctx, store.EventQuery{Newest: true, Limit: 20}); err != nil {
		return err
	}
	if _, err := st.Environments(ctx); err != nil {
		return err
	}
	if _, err := st.ListReleases(ctx, "", 20); err != nil {
		return err
	}
	if _, err := st.OpenSteps(ctx); err != nil {
		return err
	}
	if _, err := st.ListTokens(ctx); err != nil {
		return err
	}
	_, err := st.ListSettings(ctx, "all")
	return err
}

func (s suite) reopen(t *testing.T) {
	dir := t.TempDir()
	st := s.at(t, dir)
	for name, call := range operations(st, 0) {
		if err := call(t.Context(), 0); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	before := snapshot(t, st)
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	again := s.at(t, dir)
	if after := snapshot(t, again); !reflect.DeepEqual(after, before) {
		t.Errorf("after opening again: %+v\nwant %+v", after, before)
	}
	last := before[0].([]greenlight.Event)
	next := must[[]greenlight.Event](t)(again.Record(t.Context(), event("next")))
	if next[0].ID <= last[len(last)-1].ID {
		t.Errorf("the id %d was given before", next[0].ID)
	}
}

func snapshot(t *testing.T, st store.Store) []any {
	return []any{
		must[[]greenlight.Event](t)(st.ListEvents(t.Context(), store.EventQuery{})),
		must[[]store.DesiredState](t)(st.Environments(t.Context())),
		must[[]store.Release](t)(st.ListReleases(t.Context(), "", 0)),
		must[[]store.Step](t)(st.PlanSteps(t.Context(), "e0")),
		must[[]store.Setting](t)(st.ListSettings(t.Context(), "all")),
		must[[]store.TrafficHour](t)(st.TrafficHours(t.Context(), store.TrafficQuery{Environment: "e0", Service: "iris"})),
	}
}

func (s suite) cancelled(t *testing.T) {
	st := s.new(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := st.Record(ctx, event("late")); err == nil {
		t.Error("recorded with a cancelled context")
	}
	if _, err := st.ListEvents(ctx, store.EventQuery{}); err == nil {
		t.Error("listed with a cancelled context")
	}
	if n := countEvents(t, st); n != 0 {
		t.Errorf("%d events", n)
	}
	s.impatient(t, st)
}

// impatient cancels changes while they are made: the answer must be the
// truth.
func (s suite) impatient(t *testing.T, st store.Store) {
	var mu sync.Mutex
	want := 0
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 20 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*50*time.Microsecond)
				_, err := st.Record(ctx, event("maybe"))
				cancel()
				if err == nil {
					mu.Lock()
					want++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if got := countEvents(t, st); got != want {
		t.Errorf("%d events are kept, %d were said to be", got, want)
	}
}

func (s suite) closed(t *testing.T) {
	st := s.new(t)
	var wg sync.WaitGroup
	acknowledged := make(chan int64, 10_000)
	for range 4 {
		wg.Go(func() {
			for {
				kept, err := st.Record(t.Context(), event("racing"))
				if err != nil {
					wantCode(t, "racing with Close", err, greenlight.CodeUnavailable)
					return
				}
				acknowledged <- kept[0].ID
			}
		})
	}
	<-acknowledged
	if err := st.Close(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	for name, call := range operations(st, 0) {
		wantCode(t, name, call(t.Context(), 0), greenlight.CodeUnavailable)
	}
	if err := st.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}
