package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/capacity"
	"github.com/greenlight-dev/greenlight/capacity/demand"
	"github.com/greenlight-dev/greenlight/capacity/latency"
	"github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/control"
)

func (p *plane) KeepPlan(context.Context, string, string, json.RawMessage, string) (control.CapacityPlan, error) {
	return control.CapacityPlan{}, p.called("KeepPlan")
}

// Plans are the capacity plans of a service, newest first.
func (p *plane) Plans(_ context.Context, environment, service string, limit int) ([]control.CapacityPlan, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.find(environment, service); err != nil {
		return nil, err
	}
	var plans []control.CapacityPlan
	for _, d := range p.capacity {
		if d.Environment == environment && d.Service == service && (limit == 0 || len(plans) < limit) {
			plans = append(plans, d.CapacityPlan)
		}
	}
	return plans, nil
}

func (p *plane) CapacityPlan(_ context.Context, environment, service, id string) (control.CapacityDetail, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.capacity {
		if d.Environment == environment && d.Service == service && (d.ID == id || id == control.NewestPlan) {
			return d, nil
		}
	}
	return control.CapacityDetail{}, greenlight.Errorf(greenlight.CodeNotFound, "no capacity plan %q", id)
}

func (p *plane) KeepGrade(context.Context, string, string, string, plan.Grade, string) (control.CapacityPlan, error) {
	return control.CapacityPlan{}, p.called("KeepGrade")
}

func (p *plane) WhatIf(context.Context, string, string, string, plan.Change) (control.WhatIf, error) {
	return control.WhatIf{}, p.called("WhatIf")
}

// Standing holds a plan against what its test says that production did.
func (p *plane) Standing(ctx context.Context, environment, service, id string) (*plan.Standing, error) {
	d, err := p.CapacityPlan(ctx, environment, service, id)
	if err != nil {
		return nil, err
	}
	read, err := d.Read()
	if err != nil {
		return nil, err
	}
	seen := p.production
	if d.Grade != nil {
		seen.Grade = &d.Grade.Grade
	}
	return read.Stand(p.producedBy, seen), nil
}

// responses is a surface of one server a replica, by formula.
func responses() *latency.Surface {
	s := &latency.Surface{
		Balancer: latency.LeastOfTwo, Concurrency: 1, CV: 1, Requests: 200_000, Seed: 1,
		Replicas: []int{1, 2, 4, 8, 16, 64}, Utilization: []float64{0.05, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95},
	}
	for _, n := range s.Replicas {
		var row []latency.Result
		for _, u := range s.Utilization {
			mean := 1 / (1 - math.Pow(u, math.Sqrt(float64(n))))
			around := func(v float64) latency.Estimate { return latency.Estimate{Value: v, Low: 0.97 * v, High: 1.03 * v} }
			row = append(row, latency.Result{Utilization: u, Mean: around(mean), P50: around(mean * math.Ln2), P95: around(mean * math.Log(20)), P99: around(mean * math.Log(100))})
		}
		s.Cells = append(s.Cells, row)
	}
	return s
}

// capacityInput is a growing, seasonal service with a database behind it.
func capacityInput(t testing.TB, at time.Time) plan.Input {
	t.Helper()
	at = time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
	var samples []demand.Sample
	for i := range 30 {
		x := float64(i)
		samples = append(samples, demand.Sample{At: at.AddDate(0, i-30, 0), Rate: math.Round((40 + 1.6*x) * (1 + 0.22*math.Sin(2*math.Pi*(x-3)/12)) * (1 + 0.02*math.Sin(5*x)))})
	}
	d, err := demand.FromSeries(samples, demand.Options{Periods: 12, PeakToMean: 1.8})
	if err != nil {
		t.Fatal(err)
	}
	in := plan.Input{
		System: "shop", Service: "predictor", At: at, Demand: d, SLO: plan.SLO{P99: 0.25, Errors: 0.001},
		Latency: plan.Latency{Surface: responses(), Outside: 0.001},
		Stages: []plan.Stage{
			{Name: "gateway", Ceiling: 9800, Low: 9500, High: 10100, Driven: 0.9},
			{Name: "database", Ceiling: 900, Low: 870, High: 930, PerRequest: 2.5, BehindCache: true, Driven: 0.8},
		},
		Policy:  plan.Policy{Headroom: 0.25, Zones: 3, SurviveReplica: true, SurviveZone: true, CacheHitRate: 0.1},
		Replica: plan.Replica{CPU: 0.5, Memory: 384 << 20, Start: 4 * time.Second},
		Notes:   []string{"Release 4b7d9aa on two cores, replicas held to half a core by cgroup v2."},
	}
	law := capacity.Law{Alpha: 0.02, Beta: 0.0004, Gamma: 62}
	for _, n := range []float64{1, 2, 3, 4, 6} {
		for _, noise := range []float64{0.99, 1.002, 1.011} {
			in.Measurements = append(in.Measurements, plan.Measurement{N: n, X: math.Round(10*law.At(n)*noise) / 10})
		}
	}
	return in
}

func keptPlan(t testing.TB, p *plan.Plan, i int) control.CapacityDetail {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	first := p.Periods[0]
	return control.CapacityDetail{
		CapacityPlan: control.CapacityPlan{
			ID: p.MadeAt.Format("20060102") + fmt.Sprintf("-000000000-%06x", i), Environment: "production", Service: "predictor", By: "user:ada",
			MadeAt: p.MadeAt, ExpiresAt: p.ExpiresAt, ExpiresWhy: p.ExpiresWhy, Summary: p.Summary, Bottleneck: p.Bottleneck.Name, Limit: p.Bottleneck.Limit,
			Period: first.Label, Replicas: first.Replicas, Peak: first.Peak.High, Met: p.Worst() == "", P99: p.SLO.P99, Law: p.Evidence.Law, MaxN: p.Evidence.MaxN,
		},
		Grades: []control.CapacityGrade{}, Plan: text,
	}
}

// graded attaches a grade: a measurement at eight replicas that was so much
// of what the plan predicts.
func graded(t testing.TB, d control.CapacityDetail, part float64) control.CapacityDetail {
	t.Helper()
	p, err := d.Read()
	if err != nil {
		t.Fatal(err)
	}
	g, err := p.Grade([]capacity.Point{{N: 8, X: math.Round(part * p.Curve[7].X)}}, []demand.Past{{From: p.Periods[0].From, Mean: p.Periods[0].Mean.Expected * 1.03}})
	if err != nil {
		t.Fatal(err)
	}
	kept := control.CapacityGrade{At: time.Now().Add(-3 * time.Hour), By: "user:ada", Grade: g}
	d.Grades = append([]control.CapacityGrade{kept}, d.Grades...)
	d.Grade = &kept
	return d
}

// planned gives the service predictor in production capacity plans: the newest
// has a good grade, the one before it was far off, the oldest is out of date.
func planned(t testing.TB, p *plane) *plane {
	t.Helper()
	for i, months := range []int{0, -2, -9} {
		made, err := plan.Make(capacityInput(t, time.Now().AddDate(0, months, 0)))
		if err != nil {
			t.Fatal(err)
		}
		d := keptPlan(t, made, i)
		if i < 2 {
			d = graded(t, d, []float64{0.96, 0.7}[i])
		}
		p.capacity = append(p.capacity, d)
	}
	return produced(t, p)
}

// produced gives the newest plan two weeks of traffic as it was forecast, with
// a minute that was busier, and a load test.
func produced(t testing.TB, p *plane) *plane {
	t.Helper()
	newest, err := p.capacity[0].Read()
	if err != nil {
		t.Fatal(err)
	}
	first := newest.Periods[0]
	for i := range 14 * 24 {
		h := plan.ProductionHour{From: first.From.Add(time.Duration(i) * time.Hour), Requests: 3600 * first.Mean.Expected, Peak: first.Peak.Expected, Observed: 3600}
		if i == 30 {
			h.Peak = 0.97 * first.Peak.High
		}
		p.production.Hours = append(p.production.Hours, h)
	}
	p.production.Tests = []plan.ProductionTest{{ID: "20260102-030405000-4b7d9a", At: first.From.AddDate(0, 0, 18), Length: time.Minute, Replicas: 3, Planned: 100, Rate: 99.8, P50: 0.02, P99: 0.104, Counts: true}}
	p.producedBy = first.From.AddDate(0, 0, 20)
	return p
}

const predictorCapacity = "/capacity/production/predictor"

func TestCapacityWithoutJavaScript(t *testing.T) {
	p := planned(t, shop())
	h := pages(t, p)
	newest, err := p.capacity[0].Read()
	if err != nil {
		t.Fatal(err)
	}
	first := newest.Periods[0]
	twice := fmt.Sprintf("?rate=%.0f&losses=both&zones=3", 2*newest.Traffic.Now())
	for path, wants := range map[string][]string{
		"/capacity":                                    {"predictor production not met", "the database, at ", "Without a plan", "web"},
		predictorPath:                                  {fmt.Sprintf("%d replicas planned for %s not met", first.Replicas, first.Label)},
		"/environments/production/services/web":        {"no plan yet"},
		"/capacity/production/web":                     {"No capacity plan yet", "greenlight capacity plan production/web --rate"},
		predictorCapacity:                              {newest.Summary, "What if", "Rate now", "Replicas now " + fmt.Sprint(first.Replicas), "Gives way at 309/s", "The database, at 309/s (expected: 320/s) : its ceiling is at least", "A cache would carry the database further:", "8 replicas", "+4.0 %", "held", "What came since", first.Label + " so far " + plan.Rate(first.Mean.Expected), "within", "Load tests", "104 ms", "kept", "the plan holds: 1 period and 1 load test", "Release 4b7d9aa", "min: ", "off by"},
		predictorCapacity + "/" + p.capacity[1].ID:     {"expired", "Expired: when it was checked last, capacity was off by 43 %", "The newest plan", "did not hold"},
		predictorCapacity + "/" + p.capacity[2].ID:     {"expired", "Expired: its date", "greenlight capacity plan production/predictor", "Not measured yet"},
		predictorCapacity + twice:                      {"changed from the plan", "Back to the plan", "was " + fmt.Sprint(first.Replicas), "planned: "},
		predictorCapacity + "?zones=1":                 {"of the only zone it cannot", "changed from the plan"},
		predictorCapacity + "?p99=0.5":                 {"must leave some time", newest.Summary},
		predictorCapacity + "?rate=lots":               {`Rate now: "lots" is not a number`, newest.Summary},
		predictorCapacity + "?losses=everything":       {"is none of the choices"},
		predictorCapacity + "?growth=1e400&headroom=9": {"is not a number"},
	} {
		text := get(t, h, path).main()
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not say %q:\n%s", path, want, text)
			}
		}
	}
	if text := get(t, h, predictorCapacity+"?rate=&zones=3&losses=both").main(); strings.Contains(text, "changed from the plan") {
		t.Error("what is as planned counts as changed")
	}
	p.production.Hours[30].Peak = 1.4 * first.Peak.High
	if text := get(t, h, predictorCapacity).main(); !strings.Contains(text, "Capacity plan expired") || !strings.Contains(text, "Expired: the busiest minute of "+first.Label) || !strings.Contains(text, "above") {
		t.Errorf("a minute that was busier than the forecast: %s", text)
	}
	for path, status := range map[string]int{predictorCapacity + "/none": 404, "/capacity/production/none": 404} {
		if got := get(t, h, path).response.StatusCode; got != status {
			t.Errorf("%s answers %d, want %d", path, got, status)
		}
	}
	if text := get(t, pages(t, shop()), "/capacity").main(); !strings.Contains(text, "No capacity plan yet") || !strings.Contains(text, "/predictor --rate") {
		t.Errorf("without any plan: %s", text)
	}
}

// A plan that was made from nonsense must not break a page.
func TestCapacityOfOddPlans(t *testing.T) {
	for name, spoil := range map[string]func(*plan.Plan){
		"no law":    func(p *plan.Plan) { p.Evidence.Law = capacity.Law{} },
		"no prices": func(p *plan.Plan) { p.Prices, p.Inputs = nil, nil },
		"no costs": func(p *plan.Plan) {
			for i := range p.Periods {
				p.Periods[i].Costs = nil
			}
		},
		"no measurements": func(p *plan.Plan) { p.Evidence.Measurements = nil },
		"no stages":       func(p *plan.Plan) { p.Evidence.Stages, p.Stages = nil, nil },
		"huge": func(p *plan.Plan) {
			p.Periods[0].Peak = demand.Band{Expected: 1e300, Low: 1e300, High: 1e300}
			p.Curve[0].X, p.SLO.P99 = 1e308, 1e308
		},
		"markup": func(p *plan.Plan) {
			p.Summary, p.System, p.ExpiresWhy, p.Bottleneck.Name, p.Bottleneck.Why = attack, attack, attack, attack, attack
			p.Evidence.Notes, p.Method, p.Limits, p.Traffic.Method = []string{attack}, []string{attack}, []string{attack}, attack
			p.Risks, p.Triggers = []plan.Risk{{Code: attack, Text: attack}}, []plan.Trigger{{When: attack, Then: attack}}
			p.Stages[0].Name, p.Evidence.Stages[1].Name, p.Periods[0].Label, p.Periods[0].Decides, p.Periods[0].Why = attack, attack, attack, attack, attack
			p.Periods[0].Costs[0].Provider, p.Periods[0].Costs[0].Type, p.Scaling.Why = attack, attack, attack
		},
		"many providers": func(p *plan.Plan) {
			for i := range 9 {
				p.Periods[0].Costs = append(p.Periods[0].Costs, plan.Cost{Provider: fmt.Sprint("p", i), Monthly: 1})
			}
		},
	} {
		made, err := plan.Make(capacityInput(t, time.Now()))
		if err != nil {
			t.Fatal(err)
		}
		spoil(made)
		p := shop()
		p.capacity = []control.CapacityDetail{keptPlan(t, made, 0)}
		for _, query := range []string{"", "?rate=500"} {
			got := get(t, pages(t, p), predictorCapacity+query)
			if scripts := got.all(element("script")); len(scripts) > 3 || len(got.all(element("img"))) > 0 || len(got.all(element("b"))) > 200 {
				t.Errorf("%s%s: what a plan says has become markup", name, query)
			}
			if got.response.StatusCode != 200 || !strings.Contains(got.main(), "By period") {
				t.Errorf("%s%s answers %d: %s", name, query, got.response.StatusCode, got.main())
			}
		}
	}
}

func capacityPages(t *testing.T, browser context.Context) {
	s := serve(t, planned(t, shop()))
	tb := open(t, browser, s, predictorPath, wide)
	tb.awaitLive()
	tb.click(`.facts a[href="` + predictorCapacity + `"]`)
	const replicas = `document.querySelector("[data-replicas]").textContent`
	tb.await("the plan", `location.pathname === "`+predictorCapacity+`" && document.querySelectorAll(".chart").length === 8`)
	before := eval[string](tb, replicas)
	eval[bool](tb, `window.same = true`)

	// By the keyboard, as a slider is moved.
	const value = `document.querySelector("[name=rate]").value`
	planned := eval[string](tb, value)
	tb.run(chromedp.Focus(chromedp.CSS(`[data-for=rate]`)))
	for range 4 {
		tb.key(kb.PageUp)
	}
	tb.await("more replicas for more requests", `Number(`+replicas+`) > `+before+` && document.querySelector(".whatif .pill.run") && location.search.includes("rate=")`)
	tb.await("the answer to the last move", `document.querySelector("[name=rate]").getAttribute("value") === `+value)
	if now := eval[string](tb, value); now == planned || eval[string](tb, `document.querySelector("[data-for=rate]").value`) != now {
		t.Errorf("the field says %s, planned were %s", now, planned)
	}
	if text := tb.text(".whatif .figures"); !strings.Contains(text, "was "+before) {
		t.Errorf("the figures do not say what was: %s", text)
	}
	more := eval[string](tb, replicas)

	// A fleeting status changes the page, not the question.
	s.change(func(status *control.Status) { status.Environments[2].Note = "another" })
	record(t, s.store, greenlight.Event{Actor: "user:ada", Kind: "capacity.graded", Environment: "production", Service: "predictor", Message: "held"})
	time.Sleep(time.Second)
	if now := eval[string](tb, replicas); now != more {
		t.Errorf("%s replicas after a refresh, %s before", now, more)
	}

	// What cannot be is said, and the plan stays.
	tb.fill("[name=p99]", "0.5")
	tb.await("a word on what cannot be", `document.querySelector(".whatif .error").textContent.includes("must leave some time") && `+replicas+` === "`+before+`"`)
	tb.fill("[name=p99]", "120")
	tb.await("the way back", `document.querySelector(".whatif .error").textContent === "" && document.querySelector("[name=p99]").closest(".changed")`)

	tb.click("[data-reset]")
	tb.await("the plan again", replicas+` === "`+before+`" && !document.querySelector(".whatif .pill.run") && location.search === "" && `+value+` === "`+planned+`"`)
	if focus := eval[string](tb, `document.activeElement.dataset.for ?? document.activeElement.nodeName`); focus != "rate" {
		t.Errorf("the focus is on %s", focus)
	}
	if !eval[bool](tb, `window.same`) {
		t.Error("the page was loaded anew")
	}

	tb.key("\x1b")
	tb.run(chromedp.Evaluate[chromedp.Void](`document.activeElement.blur()`))
	tb.key("j")
	if row := eval[string](tb, `document.activeElement.dataset.key`); row == "" {
		t.Error("j does not walk through the periods")
	}
	tb.key("g")
	tb.key("c")
	tb.await("the list of plans", `location.pathname === "/capacity" && document.querySelector(".loads tbody tr")`)

	// A question can be shared.
	tb.run(chromedp.Navigate(s.url + predictorCapacity + "?rate=" + strings.Repeat("9", 3) + "&losses=none"))
	tb.await("the question", `document.querySelector("[name=rate]").value === "999" && document.querySelector("[name=losses]").value === "none"`)

	small := open(t, browser, s, predictorCapacity+"?rate=160", phone)
	small.await("the plan", `document.querySelectorAll(".chart").length === 8`)
	for _, path := range []string{predictorCapacity, "/capacity", "/capacity/production/web"} {
		small.run(chromedp.Navigate(s.url + path))
		if wide := eval[int](small, `document.documentElement.scrollWidth`); wide > int(phone.width) {
			t.Errorf("%s is %d wide on a phone of %d", path, wide, phone.width)
		}
	}
}
