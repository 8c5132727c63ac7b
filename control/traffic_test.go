package control_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/observe"
	"github.com/greenlight-dev/greenlight/store"
)

// counter is a gateway whose service dev/api is asked at a rate that follows
// from the time; each tenth request is an error.
type counter struct {
	began time.Time
	rate  func(second int) int
}

func (c *counter) Metrics(context.Context) ([]byte, error) {
	n := 0
	for second := range int(time.Since(c.began) / time.Second) {
		n += c.rate(second)
	}
	return fmt.Appendf(nil, `process_start_time_seconds %d
greenlight_gateway_held{service="dev/api"} 0
greenlight_gateway_requests_total{code="2xx",service="dev/api"} %d
greenlight_gateway_requests_total{code="5xx",service="dev/api"} %d
`, c.began.Unix(), n-n/10, n/10), nil
}

// live runs the sampler of a control plane for so long.
func (w *world) live(gateway observe.Gateway, length time.Duration) {
	w.t.Helper()
	resume, err := control.ResumeTraffic(context.Background(), w.store)
	must(w.t, err)
	s := observe.NewSampler(observe.Options{Gateway: gateway, Resume: resume, Grown: w.CountTraffic,
		Replicas: func(context.Context) ([]greenlight.Replica, error) { return nil, nil }})
	ctx, cancel := context.WithTimeout(context.Background(), length)
	defer cancel()
	must(w.t, s.Run(ctx))
}

func (w *world) traffic(q control.TrafficQuery) []control.TrafficPeriod {
	w.t.Helper()
	list, err := w.Traffic(context.Background(), "dev", "api", q)
	must(w.t, err)
	return list
}

const apiAlone = "name: shop\nservices: {api: {run: ./api}}" + mem1

// A day of two requests a second with a busy minute: the hours have them all,
// over ends of the control plane that leave the gateway alone.
func TestTrafficIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil) // at midnight
		w.apply(apiAlone)
		gateway := &counter{time.Now(), func(second int) int {
			if second >= 1800 && second < 1860 {
				return 50
			}
			return 2
		}}
		w.live(gateway, 50*time.Minute+20*time.Second)
		first := w.traffic(control.TrafficQuery{})
		if len(first) != 1 || first[0].Requests != 2*3020+48*60 || first[0].Peak != 50 || math.Abs(first[0].Observed-3020) > 1 {
			t.Fatalf("after 50 minutes: %+v", first)
		}
		must(t, w.close())
		time.Sleep(25 * time.Minute) // to a quarter past one
		w.begin()
		w.live(gateway, 3*time.Hour-15*time.Minute-20*time.Second)
		hours := w.traffic(control.TrafficQuery{})
		if len(hours) != 4 || hours[0].Requests != 2*3600+48*60 || hours[0].Errors != hours[0].Requests/10 || hours[0].Peak != 50 || !hours[3].To.Equal(hours[0].From.Add(4*time.Hour)) {
			t.Fatalf("hours: %+v", hours)
		}
		for _, h := range hours[1:3] {
			if h.Requests != 7200 || math.Abs(h.Observed-3600) > 1e-6 || math.Abs(h.Mean-2) > 1e-9 || math.Abs(h.Peak-2) > 0.05 {
				t.Errorf("an hour is %+v", h)
			}
		}
		must(t, w.close())

		time.Sleep(10 * time.Hour) // nobody knows when the requests of these came
		w.begin()
		w.live(gateway, time.Minute+time.Second)
		days := w.traffic(control.TrafficQuery{Step: control.TrafficDays})
		if len(days) != 1 || math.Abs(days[0].Observed-4*3600-60) > 61 || math.Abs(days[0].Mean-2.2) > 0.01 || days[0].Peak != 50 {
			t.Errorf("days: %+v", days)
		}
		if n := len(w.traffic(control.TrafficQuery{})); n != 5 {
			t.Errorf("%d hours, want the four and that of now", n)
		}
		must(t, w.close())
	})
}

// A gateway that began anew counts from nothing.
func TestTrafficOfAnotherGateway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.apply(apiAlone)
		three := func(int) int { return 3 }
		w.live(&counter{time.Now(), three}, 10*time.Minute+time.Second)
		must(t, w.close())
		time.Sleep(10 * time.Minute)
		w.begin()
		w.live(&counter{time.Now(), three}, 10*time.Minute)
		if got := w.traffic(control.TrafficQuery{}); len(got) != 1 || math.Abs(float64(got[0].Requests-3*1200)) > 3*60 || math.Abs(got[0].Mean-3) > 0.02 {
			t.Errorf("20 minutes of 3/s with 10 in between without: %+v", got)
		}
		must(t, w.close())
	})
}

// The gap that an end of both leaves is one; going down with the gateway loses
// nothing.
func TestTrafficOfTheLastSecondsIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.apply(apiAlone)
		gateway := &counter{time.Now(), func(int) int { return 5 }}
		w.live(gateway, 30*time.Second)
		must(t, w.Down(t.Context(), "user:ada"))
		w.CountTraffic(observe.Growth{From: time.Now(), To: time.Now().Add(time.Second), Services: map[string]observe.Count{"dev/api": {Requests: 5}},
			Counters: func() observe.Counters { return observe.Counters{At: time.Now()} }})
		must(t, w.wait())
		w.begin()
		w.apply(apiAlone)
		if got := w.traffic(control.TrafficQuery{}); len(got) != 1 || got[0].Requests != 150+5 {
			t.Errorf("after 31 seconds: %+v", got)
		}
		must(t, w.close())
	})
}

// What a load test asks is no demand, whether its result is kept or not.
func TestTrafficIsWithoutLoadTests(t *testing.T) {
	result := newLoadResult(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.apply("name: shop\nservices: {api: {run: ./api}, web: {run: ./web}}" + mem1)
		gateway := &counter{time.Now(), func(second int) int {
			if second >= 600 && second < 720 || second >= 1200 && second < 1320 {
				return 500
			}
			return 2
		}}
		lived := make(chan struct{})
		go func() {
			defer close(lived)
			w.live(gateway, time.Hour+time.Second)
		}()
		report := func(id string, r control.LoadReport) {
			_, err := w.ReportLoad(t.Context(), "dev", "api", id, r, "user:ada")
			must(t, err)
		}
		test := func(id string) {
			for second := range 120 {
				report(id, reportAt(float64(second)))
				time.Sleep(time.Second)
			}
		}
		ended := reportAt(120)
		ended.Ended = true
		time.Sleep(600*time.Second + time.Millisecond)
		test(liveTest)
		report(liveTest, ended)
		time.Sleep(8 * time.Minute)
		other := "20260102-040405000-4b7d9a"
		test(other)
		result.StartedAt, result.Elapsed = time.Now().Add(-120*time.Second), 120
		kept, err := w.KeepLoad(t.Context(), "dev", "api", result.at(t, 500), "user:ada")
		must(t, err)
		ended.Kept = kept.ID
		report(other, ended)
		<-lived
		hours := w.traffic(control.TrafficQuery{})
		if len(hours) != 2 || hours[0].Peak != 2 || hours[0].Mean != 2 || hours[0].Observed < 3600-2*126 || hours[0].Observed > 3600-2*120 {
			t.Errorf("2/s with two load tests of two minutes: %+v", hours)
		}
		runs, err := w.Loads(t.Context(), "dev", "api", 0)
		must(t, err)
		seen := control.ProductionOf(hours, runs)
		if len(seen.Tests) != 1 || !seen.Tests[0].Apart || plan.Tested(hours[0].From, seen.Tests) {
			t.Errorf("the hour counts as one with a load test: %+v", seen.Tests)
		}
		must(t, w.close())
	})
}

// A test that the control plane did not follow from its start is in the
// traffic, so its hour says nothing of demand.
func TestTrafficWithALoadTestThatWasNotFollowed(t *testing.T) {
	result := newLoadResult(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.apply(apiAlone)
		result.StartedAt, result.Elapsed = time.Now(), 120
		kept, err := w.KeepLoad(t.Context(), "dev", "api", result.at(t, 500), "user:ada")
		must(t, err)
		last := reportAt(120)
		last.Ended, last.Kept = true, kept.ID
		_, err = w.ReportLoad(t.Context(), "dev", "api", liveTest, last, "user:ada")
		must(t, err)
		runs, err := w.Loads(t.Context(), "dev", "api", 0)
		must(t, err)
		if seen := control.ProductionOf(nil, runs); len(seen.Tests) != 1 || seen.Tests[0].Apart || !plan.Tested(result.StartedAt.Truncate(time.Hour), seen.Tests) {
			t.Errorf("%+v", seen.Tests)
		}
		must(t, w.close())
	})
}

// While the store takes nothing, what is counted waits.
func TestTrafficWaitsForTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.apply(apiAlone)
		gateway := &counter{time.Now(), func(int) int { return 1 }}
		kept := func() []store.TrafficHour {
			list, err := w.store.TrafficHours(t.Context(), store.TrafficQuery{Environment: "dev", Service: "api"})
			must(t, err)
			return list
		}
		w.full.Store(true)
		lived := make(chan struct{})
		go func() {
			defer close(lived)
			w.live(gateway, 7*time.Minute+time.Second/2)
		}()
		time.Sleep(5*time.Minute + time.Second/2)
		if got := w.traffic(control.TrafficQuery{}); len(got) != 1 || got[0].Requests != 300 || len(kept()) != 0 {
			t.Errorf("while the disk is full: %+v told, %+v kept", got, kept())
		}
		w.full.Store(false)
		<-lived
		if got := w.traffic(control.TrafficQuery{}); len(got) != 1 || got[0].Requests != 420 || len(kept()) != 1 || kept()[0].Requests != 420 {
			t.Errorf("afterwards: %+v told, %+v kept", got, kept())
		}
		must(t, w.close())
	})
}

func TestTrafficQueries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.apply(apiAlone)
		midnight := time.Now().UTC()
		var hours []store.TrafficHour
		for n := range 24 * 800 {
			hours = append(hours, store.TrafficHour{Environment: "dev", Service: "api", Hour: midnight.Add(-time.Duration(n) * time.Hour), Requests: 3600, Peak: 2, Observed: 3600})
		}
		must(t, w.store.AddTraffic(t.Context(), store.TrafficMark{At: midnight, Counters: []byte("{}")}, hours...))
		day := 24 * time.Hour
		for name, c := range map[string]struct {
			q    control.TrafficQuery
			want int
		}{
			"35 days by default":  {control.TrafficQuery{}, 35 * 24},
			"all days by default": {control.TrafficQuery{Step: "day"}, 799},
			"more than one page":  {control.TrafficQuery{From: midnight.Add(-790 * day), To: midnight}, 790 * 24},
			"parts of days":       {control.TrafficQuery{From: midnight.Add(-day - time.Minute), To: midnight.Add(time.Minute), Step: "day"}, 3},
		} {
			list := w.traffic(c.q)
			if len(list) != c.want {
				t.Errorf("%s: %d periods, want %d", name, len(list), c.want)
			}
		}
		for want, q := range map[string]control.TrafficQuery{
			"want a range":  {From: midnight, To: midnight.Add(-time.Second)},
			"800 days":      {From: midnight.Add(-801 * day)},
			`step "minute"`: {Step: "minute"},
		} {
			_, err := w.Traffic(t.Context(), "dev", "api", q)
			if greenlight.CodeOf(err) != greenlight.CodeInvalid || !strings.Contains(fmt.Sprint(err), want) {
				t.Errorf("%v, want %q", err, want)
			}
		}
		if _, err := w.Traffic(t.Context(), "dev", "nobody", control.TrafficQuery{}); greenlight.CodeOf(err) != greenlight.CodeNotFound {
			t.Errorf("of no service: %v", err)
		}
		time.Sleep(48 * time.Hour) // it is pruned once a day
		left := w.traffic(control.TrafficQuery{From: midnight.Add(-790 * day), Step: "day"})
		year, month, _ := time.Now().UTC().Date()
		if oldest := time.Date(year, month-25, 1, 0, 0, 0, 0, time.UTC); !left[0].From.Equal(oldest) {
			t.Errorf("%d days are left, from %s; want 25 whole months, from %s", len(left), left[0].From, oldest)
		}
		must(t, w.close())
	})
}
