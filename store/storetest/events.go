package storetest

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
)

func (s suite) events(t *testing.T) {
	st := s.new(t)
	at := time.Date(2031, 5, 6, 7, 8, 9, 123456789, time.FixedZone("", 7200))
	full := greenlight.Event{
		ID: 99, Time: at, Actor: "gateway", Kind: "promoted", Environment: "production", Service: "iris", Subject: "iris-4b7d9aa-1",
		Message: "promoted: error rate 0.1 % «under» 1 %\x00\n", Evidence: map[string]any{"errors": 0.001, "gates": []any{"latency", nil}},
	}
	kept := must[[]greenlight.Event](t)(st.Record(t.Context(), full, event("scaled")))
	if len(kept) != 2 || kept[0].ID < 1 || kept[1].ID <= kept[0].ID {
		t.Fatalf("kept %+v, want two with ascending ids", kept)
	}
	recently(t, "the time filled in", kept[1].Time)
	read := must[[]greenlight.Event](t)(st.ListEvents(t.Context(), store.EventQuery{}))
	if !reflect.DeepEqual(read, kept) {
		t.Errorf("read %+v, want what Record returned: %+v", read, kept)
	}
	full.ID, full.Time = kept[0].ID, at.UTC()
	if !reflect.DeepEqual(read[0], full) {
		t.Errorf("read %+v, want %+v", read[0], full)
	}
	if none, err := st.Record(t.Context()); err != nil || len(none) != 0 {
		t.Errorf("recording nothing gave %v, %v", none, err)
	}
}

func (s suite) eventQueries(t *testing.T) {
	st := s.new(t)
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	var events []greenlight.Event
	for i := range 10 {
		e := event([]string{"scaled", "promoted"}[i%2])
		e.Time = start.Add(time.Duration(i) * time.Hour)
		e.Environment = []string{"dev", "production"}[i/5]
		e.Service = fmt.Sprint("s", i%3)
		e.Subject = fmt.Sprint("r", i%4)
		events = append(events, e)
	}
	kept := must[[]greenlight.Event](t)(st.Record(t.Context(), events...))
	tests := []struct {
		name string
		q    store.EventQuery
		want []int
	}{
		{"all", store.EventQuery{}, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{"kind", store.EventQuery{Kind: "scaled"}, []int{0, 2, 4, 6, 8}},
		{"environment", store.EventQuery{Environment: "production"}, []int{5, 6, 7, 8, 9}},
		{"service", store.EventQuery{Service: "s1"}, []int{1, 4, 7}},
		{"subject", store.EventQuery{Subject: "r3"}, []int{3, 7}},
		{"after", store.EventQuery{After: kept[6].ID}, []int{7, 8, 9}},
		{"before", store.EventQuery{Before: kept[2].ID}, []int{0, 1}},
		{"time", store.EventQuery{Since: start.Add(2 * time.Hour), Until: start.Add(4 * time.Hour)}, []int{2, 3}},
		{"oldest", store.EventQuery{Limit: 2}, []int{0, 1}},
		{"newest", store.EventQuery{Limit: 2, Newest: true}, []int{9, 8}},
		{"next older page", store.EventQuery{Limit: 2, Newest: true, Before: kept[8].ID}, []int{7, 6}},
		{"several", store.EventQuery{Kind: "scaled", Environment: "dev", Service: "s2"}, []int{2}},
		{"nothing", store.EventQuery{Kind: "scaled' OR 1=1 --"}, []int{}},
	}
	for _, tt := range tests {
		want := []greenlight.Event{}
		for _, i := range tt.want {
			want = append(want, kept[i])
		}
		if got := must[[]greenlight.Event](t)(st.ListEvents(t.Context(), tt.q)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, want)
		}
	}
}

func (s suite) wrongEvents(t *testing.T) {
	st := s.new(t)
	tests := []struct {
		field  string
		change func(*greenlight.Event)
	}{
		{"kind", func(e *greenlight.Event) { e.Kind = "" }},
		{"actor", func(e *greenlight.Event) { e.Actor = "" }},
		{"service", func(e *greenlight.Event) { e.Service = strings.Repeat("s", store.MaxName+1) }},
		{"message", func(e *greenlight.Event) { e.Message = strings.Repeat("m", store.MaxMessage+1) }},
		{"time", func(e *greenlight.Event) { e.Time = time.Date(2500, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{"evidence", func(e *greenlight.Event) { e.Evidence = map[string]any{"f": func() {}} }},
	}
	for _, tt := range tests {
		wrong := event("scaled")
		tt.change(&wrong)
		_, err := st.Record(t.Context(), event("fine"), wrong)
		wantCode(t, tt.field, err, greenlight.CodeInvalid)
		if err != nil && !strings.Contains(err.Error(), tt.field) {
			t.Errorf("%q does not name %s", err, tt.field)
		}
	}
	_, err := st.Record(t.Context(), make([]greenlight.Event, store.MaxBatch+1)...)
	wantCode(t, "too many", err, greenlight.CodeInvalid)
	if n := countEvents(t, st); n != 0 {
		t.Errorf("%d events are kept of calls that failed", n)
	}
}

func (s suite) watch(t *testing.T) {
	st := s.new(t)
	past := must[[]greenlight.Event](t)(st.Record(t.Context(), event("a"), event("b"), event("c")))
	events := st.Watch(t.Context(), past[0].ID)
	for _, want := range past[1:] {
		if got := receive(t, events); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	select {
	case e := <-events:
		t.Errorf("got %+v before it was recorded", e)
	case <-time.After(20 * time.Millisecond):
	}
	live := must[store.Setting](t)(st.PutSetting(t.Context(), store.Setting{Scope: "dev", Key: "k", Value: []byte("1")}, event("d")))
	if got := receive(t, events); got.ID != live.Revision || got.Kind != "d" {
		t.Errorf("got %+v, want the event of a setting", got)
	}
}

// watchWakes has a few events recorded at about the same time, again and
// again: the last must arrive although nothing comes after it, and although it
// is recorded while the watch still reads those before.
func (s suite) watchWakes(t *testing.T) {
	st := s.new(t)
	events := st.Watch(t.Context(), 0)
	var id int64
	for range 200 {
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if _, err := st.Record(t.Context(), event("woke")); err != nil {
					t.Error(err)
				}
			})
		}
		for range 3 {
			if got := receive(t, events); got.ID != id+1 {
				t.Fatalf("got event %d, want %d", got.ID, id+1)
			}
			id++
		}
		wg.Wait()
	}
}

func receive(t *testing.T, events <-chan greenlight.Event) greenlight.Event {
	t.Helper()
	select {
	case e, ok := <-events:
		if !ok {
			t.Fatal("the watch ended")
		}
		return e
	case <-time.After(10 * time.Second):
		t.Fatal("no event within 10 s")
	}
	return greenlight.Event{}
}

// watchUnderLoad has several writers, and watchers that start at different
// times; one reads nothing until all is written.
func (s suite) watchUnderLoad(t *testing.T) {
	const writers, each = 4, 150
	st := s.new(t)
	var wg sync.WaitGroup
	slow := st.Watch(t.Context(), 0)
	wg.Go(func() { expectAll(t, st.Watch(t.Context(), 0), 0, writers*each) })
	wg.Go(func() {
		past := uint64(each)
		seen := <-st.Watch(t.Context(), int64(past))
		expectAll(t, st.Watch(t.Context(), seen.ID-1), seen.ID-1, writers*each)
	})
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				if _, err := st.Record(t.Context(), event(fmt.Sprint(w, "/", i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	expectAll(t, slow, 0, writers*each)
	wg.Wait()
}

// expectAll reads the events between two ids, of which none may be missing:
// nothing but them was written.
func expectAll(t *testing.T, events <-chan greenlight.Event, after, last int64) {
	deadline := time.After(30 * time.Second)
	for id := after + 1; id <= last; id++ {
		select {
		case e := <-events:
			if e.ID != id {
				t.Errorf("got event %d, want %d", e.ID, id)
				return
			}
		case <-deadline:
			t.Errorf("event %d did not come", id)
			return
		}
	}
}

func (s suite) watchEnds(t *testing.T) {
	st := s.new(t)
	must[[]greenlight.Event](t)(st.Record(t.Context(), make500("full")...))
	ctx, cancel := context.WithCancel(t.Context())
	idle, stuck := st.Watch(ctx, 500), st.Watch(ctx, 0)
	cancel()
	ends(t, "idle, cancelled", idle)
	ends(t, "stuck, cancelled", stuck)
	idle, stuck = st.Watch(t.Context(), 500), st.Watch(t.Context(), 0)
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	ends(t, "idle, store closed", idle)
	ends(t, "stuck, store closed", stuck)
	ends(t, "begun after the store closed", st.Watch(t.Context(), 0))
}

func make500(kind string) []greenlight.Event {
	events := make([]greenlight.Event, 500)
	for i := range events {
		events[i] = event(kind)
	}
	return events
}

func ends(t *testing.T, what string, events <-chan greenlight.Event) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case _, ok := <-events:
			if !ok {
				return
			}
		case <-deadline:
			t.Fatalf("%s: the watch goes on", what)
		}
	}
}
