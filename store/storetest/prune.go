package storetest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
)

// longAgo and cutoff: what is pruned in these tests is from the one and goes
// before the other.
var (
	longAgo = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	cutoff  = longAgo.Add(time.Hour)
)

// noise is an event of operation, long ago.
func noise(kind string) greenlight.Event {
	e := event(kind)
	e.Actor, e.Time = "reconciler", longAgo
	return e
}

func by(actor string, e greenlight.Event) greenlight.Event {
	e.Actor = actor
	return e
}

func at(when time.Time, e greenlight.Event) greenlight.Event {
	e.Time = when
	return e
}

// remaining are the kinds of all events, oldest first.
func remaining(t *testing.T, st store.Events) (list []string) {
	t.Helper()
	for _, e := range must[[]greenlight.Event](t)(st.ListEvents(t.Context(), store.EventQuery{})) {
		list = append(list, e.Kind)
	}
	return list
}

func (s suite) pruneEvents(t *testing.T) {
	tests := []struct {
		name string
		o    store.PruneOptions
		want string
	}{
		{"nothing asked", store.PruneOptions{}, "a.1 a.2 ab b a.user a.token a.new a.3"},
		{"no kinds", store.PruneOptions{EventsBefore: cutoff}, "a.1 a.2 ab b a.user a.token a.new a.3"},
		{"no time", store.PruneOptions{Kinds: []string{"a*"}}, "a.1 a.2 ab b a.user a.token a.new a.3"},
		{"one kind", store.PruneOptions{EventsBefore: cutoff, Kinds: []string{"a.1"}}, "a.2 ab b a.user a.token a.new a.3"},
		{"a family", store.PruneOptions{EventsBefore: cutoff, Kinds: []string{"a.*"}}, "ab b a.user a.token a.new"},
		{"several", store.PruneOptions{EventsBefore: cutoff, Kinds: []string{"b", "a.2", "none"}}, "a.1 ab a.user a.token a.new a.3"},
		{"the newest stay", store.PruneOptions{EventsBefore: cutoff, Kinds: []string{"a.*"}, KeepEvents: 2}, "ab b a.user a.token a.new a.3"},
		{"fewer than stay", store.PruneOptions{EventsBefore: cutoff, Kinds: []string{"a.*"}, KeepEvents: 5}, "a.1 a.2 ab b a.user a.token a.new a.3"},
		{"kinds are no patterns", store.PruneOptions{EventsBefore: cutoff, Kinds: []string{"?", "a.[12]", "A.1", "a_1", "a%"}}, "a.1 a.2 ab b a.user a.token a.new a.3"},
		{"the future", store.PruneOptions{EventsBefore: time.Now().Add(time.Hour), Kinds: []string{"a*"}}, "b a.user a.token"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			st := s.new(t)
			must[[]greenlight.Event](t)(st.Record(t.Context(), noise("a.1"), noise("a.2"), noise("ab"), noise("b"),
				by("user:ada", noise("a.user")), by("token:ci", noise("a.token")), at(cutoff, noise("a.new")), noise("a.3")))
			pruned := must[store.Pruned](t)(st.Prune(t.Context(), tt.o))
			got := remaining(t, st)
			if strings.Join(got, " ") != tt.want || pruned != (store.Pruned{Events: 8 - len(got)}) {
				t.Errorf("%q are left, pruned %+v; want %q", got, pruned, tt.want)
			}
		})
	}
}

// pruneReferred prunes everything there is, as far as it may go.
func (s suite) pruneReferred(t *testing.T) {
	st := s.new(t)
	_, token := store.NewToken("ci", store.RoleViewer)
	must[store.DesiredState](t)(st.ApplyDesired(t.Context(), desired("dev", "d1", 0), noise("applied")))
	must[store.DesiredState](t)(st.ApplyDesired(t.Context(), desired("dev", "d2", 1), noise("applied")))
	must[store.Release](t)(st.SaveRelease(t.Context(), release("sha256:aa", "iris"), noise("released")))
	must[store.Token](t)(st.SaveToken(t.Context(), token, noise("made")))
	if err := st.RevokeToken(t.Context(), token.ID, noise("revoked")); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"replaced", "current"} {
		must[store.Setting](t)(st.PutSetting(t.Context(), store.Setting{Scope: "all", Key: "k", Value: []byte("1"), Revision: store.AnyRevision}, noise(kind)))
	}
	must[[]greenlight.Event](t)(st.Record(t.Context(), noise("alone")))
	before := snapshot(t, st)
	all := store.PruneOptions{EventsBefore: cutoff, StepsBefore: cutoff,
		Kinds: []string{"applied", "re*", "made", "current", "alone"}}
	if got := must[store.Pruned](t)(st.Prune(t.Context(), all)); got != (store.Pruned{Events: 2}) {
		t.Errorf("pruned %+v", got)
	}
	if got, want := remaining(t, st), []string{"applied", "applied", "released", "made", "revoked", "current"}; !slices.Equal(got, want) {
		t.Errorf("%q are left, want %q", got, want)
	}
	if after := snapshot(t, st); !reflect.DeepEqual(after[1:], before[1:]) {
		t.Errorf("what is kept beside events became %+v, it was %+v", after[1:], before[1:])
	}
	if tokens := must[[]store.Token](t)(st.ListTokens(t.Context())); len(tokens) != 1 || tokens[0].RevokedAt.IsZero() {
		t.Errorf("the tokens are %+v", tokens)
	}
}

// pruneSteps has more than one part to remove.
func (s suite) pruneSteps(t *testing.T) {
	const old = 1200
	st, list := s.new(t), must[[]store.Step](t)
	steps := make([]store.Step, old)
	for i := range steps {
		steps[i] = store.Step{Plan: fmt.Sprint("old", i%3), Kind: "start", Began: longAgo}
	}
	endAll(t, st, longAgo, list(st.BeginSteps(t.Context(), steps...)))
	endAll(t, st, cutoff, list(st.BeginSteps(t.Context(), store.Step{Plan: "new", Kind: "start", Began: longAgo})))
	half := list(st.BeginSteps(t.Context(), store.Step{Plan: "half", Kind: "start", Began: longAgo}, store.Step{Plan: "half", Kind: "route", Began: longAgo}))
	endAll(t, st, longAgo, half[:1])
	prune := func() store.Pruned {
		return must[store.Pruned](t)(st.Prune(t.Context(), store.PruneOptions{StepsBefore: cutoff}))
	}
	if got := prune(); got != (store.Pruned{Steps: old}) {
		t.Errorf("pruned %+v, want %d steps", got, old)
	}
	for plan, want := range map[string]int{"old0": 0, "old1": 0, "old2": 0, "new": 1, "half": 2} {
		if got := list(st.PlanSteps(t.Context(), plan)); len(got) != want {
			t.Errorf("plan %s has %d steps, want %d", plan, len(got), want)
		}
	}
	if open := list(st.OpenSteps(t.Context())); !reflect.DeepEqual(open, half[1:]) {
		t.Errorf("open are %+v, want %+v", open, half[1:])
	}
	endAll(t, st, longAgo, half[1:])
	if got := prune(); got != (store.Pruned{Steps: 2}) {
		t.Errorf("pruned %+v after the plan ended, want its two steps", got)
	}
	if next := list(st.BeginSteps(t.Context(), store.Step{Plan: "next", Kind: "start"})); next[0].ID <= half[1].ID {
		t.Errorf("step %d was given before", next[0].ID)
	}
}

func endAll(t *testing.T, st store.Journal, when time.Time, steps []store.Step) {
	t.Helper()
	ends := make([]store.StepEnd, len(steps))
	for i, step := range steps {
		ends[i] = store.StepEnd{ID: step.ID, Outcome: store.StepDone, Ended: when}
	}
	if err := st.EndSteps(t.Context(), ends...); err != nil {
		t.Fatal(err)
	}
}

// pruneAll removes every event, so that the newest of the next process is
// none: its ids must go on all the same, and so must a watch.
func (s suite) pruneAll(t *testing.T) {
	dir := t.TempDir()
	st := s.at(t, dir)
	kept := must[[]greenlight.Event](t)(st.Record(t.Context(), slices.Repeat([]greenlight.Event{noise("a")}, 1500)...))
	last := kept[len(kept)-1].ID
	watch := st.Watch(t.Context(), last)
	all := store.PruneOptions{EventsBefore: cutoff, Kinds: []string{"a"}}
	if got := must[store.Pruned](t)(st.Prune(t.Context(), all)); got != (store.Pruned{Events: len(kept)}) {
		t.Errorf("pruned %+v, want all %d", got, len(kept))
	}
	next := must[[]greenlight.Event](t)(st.Record(t.Context(), noise("a")))
	if got := receive(t, watch); got.ID != next[0].ID || got.ID <= last {
		t.Errorf("the watch goes on with %d, recorded was %d, before it was %d", got.ID, next[0].ID, last)
	}
	must[store.Pruned](t)(st.Prune(t.Context(), all))
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := st.Prune(t.Context(), all)
	wantCode(t, "pruning a closed store", err, greenlight.CodeUnavailable)
	again := s.at(t, dir)
	if reborn := must[[]greenlight.Event](t)(again.Record(t.Context(), noise("a"))); reborn[0].ID <= next[0].ID {
		t.Errorf("the id %d was given before: it had come to %d", reborn[0].ID, next[0].ID)
	}
}

// pruneUnderLoad prunes while others record and watch: what stays comes to
// every watch once and in order, and nobody's event is lost.
func (s suite) pruneUnderLoad(t *testing.T) {
	const rounds = 60
	st := s.new(t)
	events := st.Watch(t.Context(), 0)
	ctx, stop := context.WithCancel(t.Context())
	var pruning, recording sync.WaitGroup
	pruning.Go(func() {
		for ctx.Err() == nil {
			_, err := st.Prune(t.Context(), store.PruneOptions{EventsBefore: cutoff, Kinds: []string{"noise"}, KeepEvents: 3})
			if err != nil {
				t.Error(err)
			}
		}
	})
	for range 3 {
		recording.Go(func() {
			for range rounds {
				if _, err := st.Record(t.Context(), noise("noise"), noise("noise"), event("kept")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	last := int64(0)
	for n := 0; n < 3*rounds; {
		e := receive(t, events)
		if e.ID <= last {
			t.Fatalf("event %d comes after %d", e.ID, last)
		}
		if last = e.ID; e.Kind == "kept" {
			n++
		}
	}
	recording.Wait()
	stop()
	pruning.Wait()
	kept := must[[]greenlight.Event](t)(st.ListEvents(t.Context(), store.EventQuery{Kind: "kept"}))
	noisy := must[[]greenlight.Event](t)(st.ListEvents(t.Context(), store.EventQuery{Kind: "noise"}))
	if len(kept) != 3*rounds || len(noisy) < 3 {
		t.Errorf("%d events are kept, want %d; %d of the newest noise, want 3 or more", len(kept), 3*rounds, len(noisy))
	}
}

func (s suite) pruneRefuses(t *testing.T) {
	st := s.new(t)
	must[[]greenlight.Event](t)(st.Record(t.Context(), noise("a")))
	for want, o := range map[string]store.PruneOptions{
		`"*"`:            {Kinds: []string{"*"}},
		`"a*b"`:          {Kinds: []string{"a*b"}},
		`"a**"`:          {Kinds: []string{"a**"}},
		"kind is empty":  {Kinds: []string{"a", ""}},
		"101 kinds":      {Kinds: slices.Repeat([]string{"a"}, store.MaxKinds+1)},
		"keep -1 events": {Kinds: []string{"a"}, KeepEvents: -1},
		"events before":  {Kinds: []string{"a"}, EventsBefore: time.Date(2500, 1, 1, 0, 0, 0, 0, time.UTC)},
		"steps before":   {StepsBefore: time.Date(2500, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		_, err := st.Prune(t.Context(), o)
		wantCode(t, want, err, greenlight.CodeInvalid)
		if err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := st.Prune(cancelled, store.PruneOptions{EventsBefore: cutoff, Kinds: []string{"a"}})
	wantCode(t, "cancelled", err, greenlight.CodeUnavailable)
	if n := countEvents(t, st); n != 1 {
		t.Errorf("%d events are left of 1", n)
	}
}
