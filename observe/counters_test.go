package observe_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/observe"
)

// texts is a gateway that tells what a test puts in; "" does not answer.
type texts struct{ text string }

func (g *texts) Metrics(context.Context) ([]byte, error) {
	if g.text == "" {
		return nil, errors.New("it does not answer")
	}
	return []byte(g.text), nil
}

// counted is what a gateway that began at a time says of dev/iris.
func counted(began time.Time, releases map[string][2]int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "process_start_time_seconds %.2f\ngreenlight_gateway_held{service=\"dev/iris\"} 0\n", float64(began.UnixMilli())/1e3)
	for release, n := range releases {
		fmt.Fprintf(&b, "greenlight_gateway_requests_total{code=\"2xx\",release=%q,service=\"dev/iris\"} %d\n", release, n[0])
		fmt.Fprintf(&b, "greenlight_gateway_requests_total{code=\"5xx\",release=%q,service=\"dev/iris\"} %d\n", release, n[1])
	}
	return b.String()
}

// growths samples with each text, so long after the one before.
type look struct {
	after time.Duration
	text  string
}

func growths(t *testing.T, resume observe.Counters, looks ...look) (list []observe.Growth, last observe.Counters) {
	t.Helper()
	gateway := &texts{}
	s := observe.NewSampler(observe.Options{
		Gateway:  gateway,
		Replicas: func(context.Context) ([]greenlight.Replica, error) { return nil, nil },
		Resume:   resume,
		Grown:    func(g observe.Growth) { list, last = append(list, g), g.Counters() },
	})
	for _, l := range looks {
		time.Sleep(l.after)
		gateway.text = l.text
		s.Tick(t.Context())
	}
	return list, last
}

func wantGrowth(t *testing.T, what string, g observe.Growth, length time.Duration, requests, errors int64) {
	t.Helper()
	if got := g.Services["dev/iris"]; g.To.Sub(g.From) != length || got != (observe.Count{Requests: requests, Errors: errors}) {
		t.Errorf("%s: %+v in %s; want %d requests with %d errors in %s", what, got, g.To.Sub(g.From), requests, errors, length)
	}
}

func TestGrowth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		list, last := growths(t, observe.Counters{},
			look{3 * time.Second, counted(began, map[string][2]int{"a": {40, 2}})},
			look{time.Second, counted(began, map[string][2]int{"a": {50, 3}, "b": {5, 0}})},
			look{10 * time.Second, ""},
			look{10 * time.Second, counted(began, map[string][2]int{"b": {6, 0}})},
			look{2 * time.Second, counted(time.Now().Add(23*time.Second), map[string][2]int{"b": {4, 1}})},
			look{time.Second, counted(time.Now().Add(23*time.Second), map[string][2]int{"b": {4, 1}})},
			look{2 * time.Hour, counted(time.Now().Add(23*time.Second), map[string][2]int{"b": {9, 1}})},
		)
		if len(list) != 6 {
			t.Fatalf("%d growths", len(list))
		}
		wantGrowth(t, "since the gateway began", list[0], 3*time.Second, 42, 2)
		wantGrowth(t, "with a release that is new", list[1], time.Second, 16, 1)
		wantGrowth(t, "after a silence, with a release gone", list[2], 20*time.Second, 1, 0)
		wantGrowth(t, "of another gateway", list[3], 2*time.Second, 5, 1)
		wantGrowth(t, "nothing", list[4], time.Second, 0, 0)
		wantGrowth(t, "after a silence of hours", list[5], 0, 0, 0)
		if len(last.Series) != 2 || !last.At.Equal(list[5].To) {
			t.Errorf("the counters are %+v", last)
		}
	})
}

// Who goes on counts what came meanwhile, once.
func TestGrowthGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, mark := growths(t, observe.Counters{}, look{time.Second, counted(began, map[string][2]int{"a": {100, 10}})})
		text, err := json.Marshal(mark)
		if err != nil {
			t.Fatal(err)
		}
		var kept observe.Counters
		if err := json.Unmarshal(text, &kept); err != nil {
			t.Fatal(err)
		}
		list, _ := growths(t, kept, look{40 * time.Second, counted(began, map[string][2]int{"a": {130, 11}, "b": {7, 0}})},
			look{time.Second, counted(began, map[string][2]int{"a": {131, 11}, "b": {7, 0}})})
		wantGrowth(t, "first", list[0], 40*time.Second, 38, 1)
		wantGrowth(t, "second", list[1], time.Second, 1, 0)

		other := time.Now().Add(10 * time.Second)
		list, _ = growths(t, kept, look{30 * time.Second, counted(other, map[string][2]int{"a": {3, 0}})})
		wantGrowth(t, "of a gateway that began meanwhile", list[0], 20*time.Second, 3, 0)

		list, _ = growths(t, kept, look{61 * time.Minute, counted(began, map[string][2]int{"a": {9000, 10}})})
		wantGrowth(t, "long after", list[0], 0, 0, 0)

		list, _ = growths(t, observe.Counters{}, look{time.Second, counted(time.Now().Add(-5*time.Hour), map[string][2]int{"a": {9000, 10}})})
		wantGrowth(t, "of a gateway that was there long before", list[0], 0, 0, 0)
	})
}
