package control_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/capacity"
	"github.com/greenlight-dev/greenlight/capacity/demand"
	"github.com/greenlight-dev/greenlight/capacity/latency"
	"github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/control"
)

// capacityPlan is the plan of a service that comes to so many requests a
// second.
func capacityPlan(t testing.TB, service string, rate float64) *plan.Plan {
	t.Helper()
	at := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	d, err := demand.FromRate(demand.Stated{Rate: rate, Growth: 0.05, Uncertainty: 0.1}, demand.Options{Periods: 3, PeakToMean: 2, From: at})
	must(t, err)
	surface := &latency.Surface{Balancer: latency.LeastOfTwo, Concurrency: 1, CV: 1, Requests: 1000, Seed: 1, Replicas: []int{1}, Utilization: []float64{0.1, 0.5, 0.9}}
	var row []latency.Result
	for _, u := range surface.Utilization {
		v := latency.Estimate{Value: 1 / (1 - u), Low: 1 / (1 - u), High: 1 / (1 - u)}
		row = append(row, latency.Result{Utilization: u, Mean: v, P50: v, P95: v, P99: v})
	}
	surface.Cells = [][]latency.Result{row}
	in := plan.Input{System: "shop", Service: service, At: at, SLO: plan.SLO{P99: 0.2}, Demand: d, Latency: plan.Latency{Surface: surface}}
	for n, x := range []float64{50, 97, 141, 183} {
		for _, noise := range []float64{0.99, 1.01} {
			in.Measurements = append(in.Measurements, plan.Measurement{N: float64(n + 1), X: x * noise})
		}
	}
	p, err := plan.Make(in)
	must(t, err)
	return p
}

func planText(t testing.TB, p *plan.Plan) json.RawMessage {
	t.Helper()
	text, err := json.Marshal(p)
	must(t, err)
	return text
}

func TestCapacityPlansAreKept(t *testing.T) {
	p := capacityPlan(t, "api", 40)
	text := planText(t, p)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.apply("name: shop\nservices: {api: {run: ./api}}" + mem1)
		if plans, err := w.Plans(t.Context(), "dev", "api", 0); err != nil || plans == nil || len(plans) != 0 {
			t.Errorf("before any: %v, %v", plans, err)
		}
		if _, err := w.CapacityPlan(t.Context(), "dev", "api", control.NewestPlan); greenlight.CodeOf(err) != greenlight.CodeNotFound || !strings.Contains(err.Error(), "greenlight capacity plan api") {
			t.Errorf("the newest of none: %v", err)
		}
		var first, last control.CapacityPlan
		for i := range control.PlansKept + 3 {
			kept, err := w.KeepPlan(t.Context(), "dev", "api", text, "user:ada")
			must(t, err)
			if last = kept; i == 0 {
				first = kept
				_, err = w.KeepGrade(t.Context(), "dev", "api", kept.ID, grade(t, p, 8, 300), "user:ada")
				must(t, err)
			}
			time.Sleep(10 * time.Millisecond)
		}
		plans, err := w.Plans(t.Context(), "dev", "api", 0)
		must(t, err)
		if len(plans) != control.PlansKept || plans[0].ID != last.ID {
			t.Fatalf("%d are kept, the newest %s", len(plans), plans[0].ID)
		}
		if few, err := w.Plans(t.Context(), "dev", "api", 2); err != nil || len(few) != 2 || few[0].ID != last.ID {
			t.Errorf("two of them: %+v, %v", few, err)
		}
		files, err := os.ReadDir(filepath.Join(w.state, "capacity", "dev", "api"))
		must(t, err)
		if len(files) != 2*control.PlansKept {
			t.Errorf("%d files for %d plans", len(files), control.PlansKept)
		}
		if _, err := w.CapacityPlan(t.Context(), "dev", "api", first.ID); greenlight.CodeOf(err) != greenlight.CodeNotFound {
			t.Errorf("the first, which is forgotten: %v", err)
		}
		k := plans[0]
		if k.By != "user:ada" || k.Replicas != p.Periods[0].Replicas || k.Summary != p.Summary || k.Bottleneck != "replicas" || k.Period != "Dec 2026" ||
			!k.ExpiresAt.Equal(p.ExpiresAt) || k.Law != p.Evidence.Law || !k.Met || k.P99 != 0.2 || k.MaxN != 4 || k.Grade != nil {
			t.Errorf("the newest is %+v", k)
		}
		newest, err := w.CapacityPlan(t.Context(), "dev", "api", control.NewestPlan)
		if err != nil || newest.ID != last.ID || string(newest.Plan) != string(text) || newest.Grades == nil {
			t.Errorf("the newest: %+v, %v", newest.CapacityPlan, err)
		}
		events := w.events("capacity.planned")
		if len(events) != control.PlansKept+3 || events[0].Message != "capacity plan: "+p.Summary || events[0].Actor != "user:ada" || events[0].Subject != first.ID ||
			events[0].Service != "api" || events[0].Evidence["replicas"] != float64(p.Periods[0].Replicas) {
			t.Errorf("%d events, the first %+v", len(events), events[0])
		}
		must(t, w.close())
	})
}

func grade(t testing.TB, p *plan.Plan, n, x float64) plan.Grade {
	t.Helper()
	g, err := p.Grade([]capacity.Point{{N: n, X: x}}, nil)
	must(t, err)
	return g
}

func TestGradesOfACapacityPlan(t *testing.T) {
	p := capacityPlan(t, "api", 40)
	text := planText(t, p)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.apply("name: shop\nservices: {api: {run: ./api}}" + mem1)
		kept, err := w.KeepPlan(t.Context(), "dev", "api", text, "user:ada")
		must(t, err)
		good := grade(t, p, 8, p.Curve[7].X)
		if k, err := w.KeepGrade(t.Context(), "dev", "api", "newest", good, "user:bob"); err != nil || k.ID != kept.ID || k.Grade == nil || k.Expired(p.MadeAt) || k.Grade.Capacity != nil {
			t.Errorf("%+v, %v", k, err)
		}
		time.Sleep(time.Second)
		if k, err := w.KeepGrade(t.Context(), "dev", "api", kept.ID, grade(t, p, 8, p.Curve[7].X/2), "ci"); err != nil || !k.Expired(p.MadeAt) {
			t.Errorf("%+v, %v", k, err)
		}
		d, err := w.CapacityPlan(t.Context(), "dev", "api", kept.ID)
		if err != nil || len(d.Grades) != 2 || d.Grades[0].By != "ci" || !d.Grades[0].Expired || d.Grades[1].Capacity[0] != good.Capacity[0] || d.Grade.By != "ci" || d.Grade.Worst != 1 {
			t.Errorf("%+v, %v", d.Grades, err)
		}
		for range control.GradesKept {
			_, err := w.KeepGrade(t.Context(), "dev", "api", kept.ID, good, "ci")
			must(t, err)
		}
		if d, err := w.CapacityPlan(t.Context(), "dev", "api", kept.ID); err != nil || len(d.Grades) != control.GradesKept || d.Grades[control.GradesKept-1].Expired {
			t.Errorf("%d grades are kept, %v", len(d.Grades), err)
		}
		events := w.events("capacity.graded")
		if len(events) != control.GradesKept+2 || events[1].Evidence["expired"] != true || events[1].Actor != "ci" || events[1].Subject != kept.ID || !strings.Contains(events[1].Message, "off by at most 100") {
			t.Errorf("%d events, the second %+v", len(events), events[1])
		}
		for name, g := range map[string]plan.Grade{
			"nothing":  {},
			"too much": {Of: 401, Limit: 1, Capacity: make([]plan.GradedPoint, 401)},
			"a count":  {Of: 2, Limit: 1, Capacity: make([]plan.GradedPoint, 1)},
			"held":     {Of: 1, Held: 2, Limit: 1, Capacity: make([]plan.GradedPoint, 1)},
			"worst":    {Of: 1, Limit: 1, Worst: math.NaN(), Capacity: make([]plan.GradedPoint, 1)},
		} {
			if _, err := w.KeepGrade(t.Context(), "dev", "api", kept.ID, g, "ci"); greenlight.CodeOf(err) != greenlight.CodeInvalid {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := w.KeepGrade(t.Context(), "dev", "api", "20260102-030405000-4b7d9a", good, "ci"); greenlight.CodeOf(err) != greenlight.CodeNotFound {
			t.Errorf("of no plan: %v", err)
		}
		must(t, w.close())
	})
}

func TestWhatIf(t *testing.T) {
	p := capacityPlan(t, "api", 40)
	text := planText(t, p)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.apply("name: shop\nservices: {api: {run: ./api}}" + mem1)
		kept, err := w.KeepPlan(t.Context(), "dev", "api", text, "user:ada")
		must(t, err)
		same, err := w.WhatIf(t.Context(), "dev", "api", "newest", plan.Change{})
		if err != nil || same.From != kept.ID || string(same.Plan) != string(text) {
			t.Errorf("without a change: %v\n%s", err, same.Plan)
		}
		rate := 90.0
		more, err := w.WhatIf(t.Context(), "dev", "api", kept.ID, plan.Change{Rate: &rate})
		must(t, err)
		var q plan.Plan
		must(t, json.Unmarshal(more.Plan, &q))
		if q.Periods[0].Replicas <= p.Periods[0].Replicas {
			t.Errorf("%d replicas for 90/s, %d for 40/s", q.Periods[0].Replicas, p.Periods[0].Replicas)
		}
		none := 0.0
		if _, err := w.WhatIf(t.Context(), "dev", "api", kept.ID, plan.Change{P99: &none}); greenlight.CodeOf(err) != greenlight.CodeInvalid {
			t.Errorf("with no p99: %v", err)
		}
		if plans, err := w.Plans(t.Context(), "dev", "api", 0); err != nil || len(plans) != 1 || len(w.events("capacity.planned")) != 1 {
			t.Errorf("something was kept: %+v, %v", plans, err)
		}
		must(t, w.close())
	})
}

func TestStandingOfACapacityPlan(t *testing.T) {
	p := capacityPlan(t, "api", 40)
	text := planText(t, p)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.apply("name: shop\nservices: {api: {run: ./api}}" + mem1)
		if _, err := w.Standing(t.Context(), "dev", "api", control.NewestPlan); greenlight.CodeOf(err) != greenlight.CodeNotFound {
			t.Errorf("of no plan: %v", err)
		}
		_, err := w.KeepPlan(t.Context(), "dev", "api", text, "user:ada")
		must(t, err)
		s, err := w.Standing(t.Context(), "dev", "api", control.NewestPlan)
		if err != nil || s.Expired || !s.ExpiresAt.Equal(p.ExpiresAt) || !strings.Contains(s.Text, "nothing to hold the plan against yet") {
			t.Errorf("%+v, %v", s, err)
		}
		_, err = w.KeepGrade(t.Context(), "dev", "api", "newest", grade(t, p, 8, p.Curve[7].X/2), "ci")
		must(t, err)
		if s, err := w.Standing(t.Context(), "dev", "api", control.NewestPlan); err != nil || !s.Expired || !strings.Contains(s.Why(), "when it was checked last") {
			t.Errorf("with a bad grade: %+v, %v", s, err)
		}
		must(t, w.close())
	})
}

func TestCapacityPlansThatCannotBeKeptOrFound(t *testing.T) {
	text := planText(t, capacityPlan(t, "api", 40))
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.apply("name: shop\nservices: {api: {run: ./api}, web: {run: ./web}}" + mem1)
		for name, tt := range map[string]struct {
			environment, service string
			plan                 json.RawMessage
			code                 greenlight.Code
		}{
			"another form":    {"dev", "api", json.RawMessage(`{"version":9}`), greenlight.CodeUnsupported},
			"no plan":         {"dev", "api", json.RawMessage(`[]`), greenlight.CodeInvalid},
			"half a plan":     {"dev", "api", json.RawMessage(`{"version":1,"service":"api"}`), greenlight.CodeInvalid},
			"too large":       {"dev", "api", make([]byte, control.MaxCapacityPlan+1), greenlight.CodeInvalid},
			"another service": {"dev", "web", text, greenlight.CodeInvalid},
			"no service":      {"dev", "cart", text, greenlight.CodeNotFound},
			"no environment":  {"../dev", "api", text, greenlight.CodeNotFound},
		} {
			if _, err := w.KeepPlan(t.Context(), tt.environment, tt.service, tt.plan, "user:ada"); greenlight.CodeOf(err) != tt.code {
				t.Errorf("%s: %v, want %s", name, err, tt.code)
			}
		}
		if _, err := os.Stat(filepath.Join(w.state, "capacity")); err == nil {
			t.Error("something was written")
		}
		kept, err := w.KeepPlan(t.Context(), "dev", "api", text, "user:ada")
		must(t, err)
		for _, id := range []string{"", "none", "../../../greenlight", kept.ID + "/../" + kept.ID, "20260102-030405000-4b7d9a"} {
			if _, err := w.CapacityPlan(t.Context(), "dev", "api", id); greenlight.CodeOf(err) != greenlight.CodeNotFound {
				t.Errorf("plan %q: %v", id, err)
			}
		}
		must(t, w.close())
	})
}
