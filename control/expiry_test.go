package control_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/load"
	"github.com/greenlight-dev/greenlight/store"
)

// madeAt is a plan as if it had been made at another time; its first period
// begins then.
func madeAt(p *plan.Plan, at time.Time) *plan.Plan {
	moved := *p
	by := at.Sub(p.MadeAt)
	moved.MadeAt, moved.ExpiresAt = at, p.ExpiresAt.Add(by)
	moved.Periods = append([]plan.Period(nil), p.Periods...)
	for i := range moved.Periods {
		d := &moved.Periods[i]
		d.From, d.To = d.From.Add(by), d.To.Add(by)
	}
	return &moved
}

// asked puts hours of the same rate into the history, the last being that
// before now.
func (w *world) asked(hours int, rate, peak float64) {
	w.t.Helper()
	now := time.Now().UTC().Truncate(time.Hour)
	var list []store.TrafficHour
	for n := range hours {
		list = append(list, store.TrafficHour{Environment: "dev", Service: "api", Hour: now.Add(-time.Duration(n+1) * time.Hour),
			Requests: int64(3600 * rate), Peak: peak, Observed: 3600})
	}
	must(w.t, w.store.AddTraffic(w.t.Context(), store.TrafficMark{At: now, Counters: []byte("{}")}, list...))
}

func (w *world) wantAlert(when, text string, events int) {
	w.t.Helper()
	synctest.Wait()
	alerts := w.service("api").Alerts
	if (len(alerts) == 1) != (text != "") || len(alerts) == 1 && !strings.Contains(alerts[0].Text, text) {
		w.t.Errorf("%s: the alerts are %+v, want %q", when, alerts, text)
	}
	plans, err := w.Plans(w.t.Context(), "dev", "api", 1)
	must(w.t, err)
	if len(plans) == 1 && plans[0].Expired(time.Now()) != (text != "") {
		w.t.Errorf("%s: the plan is %+v", when, plans[0])
	}
	if got := w.events("capacity.expired"); len(got) != events {
		w.t.Errorf("%s: %d events, want %d: %+v", when, len(got), events, got)
	}
}

func (w *world) keepPlan(p *plan.Plan) control.CapacityPlan {
	w.t.Helper()
	kept, err := w.KeepPlan(w.t.Context(), "dev", "api", planText(w.t, p), "user:ada")
	must(w.t, err)
	return kept
}

// Demand outside its band is told once, and shown until there is a new plan.
func TestDemandExpiresAPlan(t *testing.T) {
	p := capacityPlan(t, "api", 40)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.apply(apiAlone)
		w.asked(24*8, 90, 95)
		ten := time.Now().Add(-10 * 24 * time.Hour)
		kept := w.keepPlan(madeAt(p, ten))
		w.wantAlert("as it arrives", "the capacity plan has expired: Dec 2026 so far had 90/s on average; the forecast is 36.", 1)
		e := w.events("capacity.expired")[0]
		if e.Subject != kept.ID || e.Service != "api" || e.Actor != "capacity" || !strings.Contains(e.Message, "make it anew with greenlight capacity plan") ||
			e.Evidence["reasons"] == nil || e.Evidence["periods"] == nil || e.Evidence["limit"] != 0.2 {
			t.Errorf("the event is %+v", e)
		}
		if a := w.service("api").Alerts[0]; a.Kind != "capacity.expired" || a.Subject != kept.ID || !a.Since.Equal(e.Time) {
			t.Errorf("the alert is %+v", a)
		}
		time.Sleep(3 * time.Hour)
		w.wantAlert("hours later", "Dec 2026", 1)
		must(t, w.close())
		w.begin()
		w.wantAlert("after a restart", "", 1)
		time.Sleep(11 * time.Second)
		w.wantAlert("a moment later", "Dec 2026", 1)
		w.keepPlan(madeAt(p, time.Now()))
		w.wantAlert("with a new plan", "", 1)
		must(t, w.close())
	})
}

func TestAPlanThatHoldsUntilItsDate(t *testing.T) {
	p := capacityPlan(t, "api", 40)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.apply(apiAlone)
		w.asked(24*8, 40, 70)
		short := madeAt(p, time.Now().Add(-10*24*time.Hour))
		short.ExpiresAt = time.Now().Add(90 * time.Minute)
		w.keepPlan(short)
		time.Sleep(80 * time.Minute)
		w.wantAlert("before", "", 0)
		time.Sleep(time.Hour)
		w.wantAlert("after", "its date, 2000-01-01, has passed", 1)
		must(t, w.close())
	})
}

// A load test and a check expire a plan as they arrive.
func TestEvidenceExpiresAPlan(t *testing.T) {
	p := capacityPlan(t, "api", 40)
	result := newLoadResult(t)
	result.Planned, result.Steady, result.Response.P99, result.Server.Ready = 60, true, 0.5, load.Range{Min: 2, Mean: 2, Max: 2}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.apply(apiAlone)
		w.keepPlan(madeAt(p, time.Now()))
		w.wantAlert("at first", "", 0)
		time.Sleep(time.Minute)
		result.StartedAt = time.Now()
		run, err := w.KeepLoad(t.Context(), "dev", "api", result.at(t, 60), "user:ada")
		must(t, err)
		if run.Replicas != 2 || !run.Steady {
			t.Errorf("the test is %+v", run)
		}
		w.wantAlert("after a load test", "had a p99 of 500 ms at 60/s with 2 replicas", 1)
		again := w.keepPlan(madeAt(p, time.Now().Add(time.Second)))
		w.wantAlert("with a new plan", "", 1)
		_, err = w.KeepGrade(t.Context(), "dev", "api", again.ID, grade(t, p, 8, 150), "user:ada")
		must(t, err)
		w.wantAlert("after a check", "when it was checked last, capacity was off by", 2)
		must(t, w.close())
	})
}
