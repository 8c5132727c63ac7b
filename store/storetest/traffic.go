package storetest

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
)

func mark(at time.Time) store.TrafficMark {
	return store.TrafficMark{At: at, Counters: []byte(`{"a": 1}`)}
}

// hour is the n-th hour from longAgo on.
func hour(service string, n int, requests, errors int64, peak, observed float64) store.TrafficHour {
	return store.TrafficHour{Environment: "dev", Service: service, Hour: longAgo.Add(time.Duration(n) * time.Hour),
		Requests: requests, Errors: errors, Peak: peak, Observed: observed}
}

func hoursOf(t *testing.T, st store.Traffic, service string) []store.TrafficHour {
	t.Helper()
	return must[[]store.TrafficHour](t)(st.TrafficHours(t.Context(), store.TrafficQuery{Environment: "dev", Service: service}))
}

func (s suite) traffic(t *testing.T) {
	st := s.new(t)
	if list := hoursOf(t, st, "iris"); list == nil || len(list) != 0 {
		t.Errorf("nothing was added: %v", list)
	}
	add := func(hours ...store.TrafficHour) {
		t.Helper()
		if err := st.AddTraffic(t.Context(), mark(longAgo), hours...); err != nil {
			t.Fatal(err)
		}
	}
	add(hour("iris", 2, 10, 1, 0.5, 60), hour("iris", 0, 7, 0, 1, 3600), hour("shop", 2, 1000, 0, 9, 60))
	add(hour("iris", 2, 5, 2, 0.25, 60), hour("iris", 2, 1, 0, 0.75, 3590))
	add()
	want := []store.TrafficHour{hour("iris", 0, 7, 0, 1, 3600), hour("iris", 2, 16, 3, 0.75, 3600)}
	if got := hoursOf(t, st, "iris"); !reflect.DeepEqual(got, want) {
		t.Errorf("hours are %+v\nwant %+v", got, want)
	}
	for name, c := range map[string]struct {
		q    store.TrafficQuery
		want int
	}{
		"another environment": {store.TrafficQuery{Environment: "prod", Service: "iris"}, 0},
		"from":                {store.TrafficQuery{Environment: "dev", Service: "iris", From: longAgo.Add(time.Second)}, 1},
		"from a whole hour":   {store.TrafficQuery{Environment: "dev", Service: "iris", From: longAgo}, 2},
		"until":               {store.TrafficQuery{Environment: "dev", Service: "iris", Until: longAgo.Add(2 * time.Hour)}, 1},
		"until within":        {store.TrafficQuery{Environment: "dev", Service: "iris", Until: longAgo.Add(2*time.Hour + 1)}, 2},
		"limit":               {store.TrafficQuery{Environment: "dev", Service: "iris", Limit: 1}, 1},
	} {
		if got := must[[]store.TrafficHour](t)(st.TrafficHours(t.Context(), c.q)); len(got) != c.want || c.want == 1 && name != "from" && got[0].Requests != 7 {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if n := countEvents(t, st); n != 0 {
		t.Errorf("traffic wrote %d events", n)
	}
}

// What an addition adds is there with its mark, or neither is.
func (s suite) trafficMark(t *testing.T) {
	st := s.new(t)
	_, err := st.TrafficMark(t.Context())
	wantCode(t, "no mark", err, greenlight.CodeNotFound)
	first := mark(longAgo.Add(12345))
	if err := st.AddTraffic(t.Context(), first, hour("iris", 0, 1, 0, 0, 1)); err != nil {
		t.Fatal(err)
	}
	if err := st.AddTraffic(t.Context(), mark(longAgo.Add(time.Hour)), hour("iris", 1, 1, 0, 0, 1), hour("iris", 2, -1, 0, 0, 1)); err == nil {
		t.Error("−1 requests were added")
	}
	got := must[store.TrafficMark](t)(st.TrafficMark(t.Context()))
	if !got.At.Equal(first.At) || got.At.Location() != time.UTC || string(got.Counters) != string(first.Counters) {
		t.Errorf("the mark is %+v, want %+v", got, first)
	}
	if list := hoursOf(t, st, "iris"); len(list) != 1 {
		t.Errorf("part of an addition stayed: %+v", list)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				if err := st.AddTraffic(t.Context(), mark(longAgo), hour("iris", 0, 1, 0, 0, 1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if list := hoursOf(t, st, "iris"); list[0].Requests != 41 || list[0].Observed != 41 {
		t.Errorf("41 additions made %+v", list[0])
	}
}

func (s suite) pruneTraffic(t *testing.T) {
	st := s.new(t)
	var hours []store.TrafficHour
	for n := range 1300 { // more than one transaction removes
		hours = append(hours, hour("iris", n, int64(n), 0, 0, 3600))
	}
	hours = append(hours, hour("shop", 0, 1, 0, 0, 1), hour("shop", 2000, 1, 0, 0, 1))
	if err := st.AddTraffic(t.Context(), mark(longAgo), hours...); err != nil {
		t.Fatal(err)
	}
	before := longAgo.Add(1250*time.Hour + time.Minute)
	if n := must[int](t)(st.PruneTraffic(t.Context(), before)); n != 1252 {
		t.Errorf("%d hours went, want 1252", n)
	}
	if list := hoursOf(t, st, "iris"); len(list) != 49 || list[0].Requests != 1251 {
		t.Errorf("%d are left, the first %+v", len(list), list[:min(1, len(list))])
	}
	if list := hoursOf(t, st, "shop"); len(list) != 1 {
		t.Errorf("of another service %+v are left", list)
	}
	if n := must[int](t)(st.PruneTraffic(t.Context(), before)); n != 0 {
		t.Errorf("%d more went", n)
	}
	must[store.TrafficMark](t)(st.TrafficMark(t.Context())) // stays
}

func (s suite) wrongTraffic(t *testing.T) {
	st := s.new(t)
	good := hour("iris", 0, 1, 0, 0, 1)
	with := func(change func(h *store.TrafficHour)) error {
		h := good
		change(&h)
		return st.AddTraffic(t.Context(), mark(longAgo), h)
	}
	for want, err := range map[string]error{
		"environment is empty": with(func(h *store.TrafficHour) { h.Environment = "" }),
		"service is empty":     with(func(h *store.TrafficHour) { h.Service = "" }),
		"no whole hour":        with(func(h *store.TrafficHour) { h.Hour = h.Hour.Add(time.Second) }),
		"1 requests with 2":    with(func(h *store.TrafficHour) { h.Errors = 2 }),
		"a peak of -1":         with(func(h *store.TrafficHour) { h.Peak = -1 }),
		"3601 seconds":         with(func(h *store.TrafficHour) { h.Observed = 3601 }),
		"the mark has no time": st.AddTraffic(t.Context(), store.TrafficMark{Counters: []byte("{}")}),
		"counters is not JSON": st.AddTraffic(t.Context(), store.TrafficMark{At: longAgo}),
		"20001 hours":          st.AddTraffic(t.Context(), mark(longAgo), make([]store.TrafficHour, store.MaxTraffic+1)...),
		"before which time":    func() error { _, err := st.PruneTraffic(t.Context(), time.Time{}); return err }(),
		"traffic: service is empty": func() error {
			_, err := st.TrafficHours(t.Context(), store.TrafficQuery{Environment: "dev"})
			return err
		}(),
	} {
		wantCode(t, want, err, greenlight.CodeInvalid)
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	if list := hoursOf(t, st, "iris"); len(list) != 0 {
		t.Errorf("wrong hours were kept: %+v", list)
	}
}
