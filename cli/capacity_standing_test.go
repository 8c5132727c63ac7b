package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api"
	"github.com/greenlight-dev/greenlight/api/apitest"
	"github.com/greenlight-dev/greenlight/capacity/demand"
	"github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/store/sqlite"
)

// produced is a control plane with what a test says of dev/iris.
type produced struct {
	apitest.Plane
	hours []control.TrafficPeriod
	runs  []control.LoadRun
	plan  *plan.Plan
	grade *control.CapacityGrade
}

func (p *produced) Traffic(_ context.Context, _, _ string, q control.TrafficQuery) (list []control.TrafficPeriod, err error) {
	for _, h := range p.hours {
		if !h.From.Before(q.From.Truncate(time.Hour)) && h.From.Before(q.To) {
			list = append(list, h)
		}
	}
	return list, nil
}

func (p *produced) Loads(context.Context, string, string, int) ([]control.LoadRun, error) {
	return append([]control.LoadRun{}, p.runs...), nil
}

func (p *produced) Plans(context.Context, string, string, int) ([]control.CapacityPlan, error) {
	return []control.CapacityPlan{{MadeAt: p.plan.MadeAt, Grade: p.grade}}, nil
}

func (p *produced) CapacityPlan(_ context.Context, _, _, id string) (control.CapacityDetail, error) {
	text, err := json.Marshal(p.plan)
	if id != control.NewestPlan {
		err = greenlight.Errorf(greenlight.CodeNotFound, "no plan %s", id)
	}
	return control.CapacityDetail{CapacityPlan: control.CapacityPlan{MadeAt: p.plan.MadeAt, Grade: p.grade}, Plan: text}, err
}

func (p *produced) serve(t *testing.T) (socket string) {
	t.Helper()
	s, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return apitest.Serve(t, api.Options{Plane: p, Events: s, Tokens: s}).Socket
}

// came is hours of a rate until now.
func (p *produced) came(hours int, rate, peak float64) {
	now := time.Now().UTC().Truncate(time.Hour)
	p.hours = nil
	for n := hours; n > 0; n-- {
		from := now.Add(-time.Duration(n) * time.Hour)
		p.hours = append(p.hours, control.TrafficPeriod{From: from, To: from.Add(time.Hour), Requests: int64(3600 * rate), Mean: rate, Peak: peak, Observed: 3600})
	}
}

// irisPlan is a plan of the service shop/iris that was made ten days ago, with
// what its first period forecasts.
func irisPlan(t *testing.T) *plan.Plan {
	t.Helper()
	f, err := os.Open("../capacity/plan/testdata/plain.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := plan.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().UTC().Truncate(time.Hour).Add(-10 * 24 * time.Hour)
	by := at.Sub(p.MadeAt)
	p.System, p.Service, p.MadeAt, p.ExpiresAt = "shop", "iris", at, p.ExpiresAt.Add(by)
	for i := range p.Periods {
		p.Periods[i].From, p.Periods[i].To = p.Periods[i].From.Add(by), p.Periods[i].To.Add(by)
	}
	return p
}

func TestCheckAgainstProduction(t *testing.T) {
	p := &produced{plan: irisPlan(t)}
	socket := p.serve(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "plan.json")
	text, err := json.Marshal(p.plan)
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	first := p.plan.Periods[0]
	mean, below := first.Mean.Expected, 0.9*first.Peak.High
	two := 2
	slow := control.LoadRun{ID: "20260102-030405000-4b7d9a", StartedAt: time.Now().Add(-3 * time.Hour), Model: "open", Steady: true, Replicas: two,
		Planned: 0.5 * p.plan.Curve[1].SLORate, Rate: 0.5 * p.plan.Curve[1].SLORate, P99: 2 * p.plan.SLO.P99, Elapsed: 10}
	fast := slow
	fast.P99 = 0.5 * p.plan.SLO.P99
	failed, search := fast, fast
	failed.Errors, search.Rungs = 1, 4
	for _, tt := range []struct {
		name string
		set  func()
		args []string
		code int
		says []string
	}{
		{"nothing yet", func() {}, []string{file}, 0, []string{"no requests have come since the plan was made", "nothing to hold the plan against yet"}},
		{"as forecast", func() { p.came(8*24, mean, below) }, []string{file}, 0, []string{first.Label + " so far", "8 days", "held", "the plan holds: 1 period and 0 load tests"}},
		{"by its service", func() {}, []string{"iris"}, 0, []string{first.Label + " so far", "the plan holds"}},
		{"too early", func() { p.came(50, 3*mean, below) }, []string{"dev/iris"}, 0, []string{"too early"}},
		{"more", func() { p.came(8*24, 3*mean, below) }, []string{file}, 3, []string{"outside", "expired: " + first.Label + " so far had", "make it anew with greenlight capacity plan"}},
		{"a peak", func() { p.came(1, mean, 2*below) }, []string{file}, 3, []string{"above", "expired: the busiest minute of " + first.Label + " so far had"}},
		{"as JSON", func() {}, []string{file, "--json"}, 3, []string{`"code": "demand"`, `"expired": true`}},
		{"a slow test", func() { p.hours, p.runs = nil, []control.LoadRun{slow} }, []string{file}, 3, []string{"above the SLO", "the plan says that they bear"}},
		{"a fast test", func() { p.runs = []control.LoadRun{fast} }, []string{file}, 0, []string{fast.ID, "the plan holds: 0 periods and 1 load test"}},
		{"tests that say nothing", func() { p.runs = []control.LoadRun{fast, failed, search} }, []string{file}, 0,
			[]string{"left out: 1 load test, with more than 1 % errors", "left out: 1 load test, a search for the knee", "the plan holds: 0 periods and 1 load test"}},
		{"a check", func() {
			p.grade = &control.CapacityGrade{Grade: plan.Grade{Expired: true, Worst: 0.33, Limit: 0.2}}
		}, []string{file}, 3, []string{"off by 33 %"}},
		{"no file", func() {}, []string{filepath.Join(dir, "nothing.json")}, 1, []string{"no such file"}},
		{"no service", func() {}, []string{"nobody"}, 1, []string{`there is no service "nobody"`}},
		{"a limit", func() {}, []string{file, "--limit", "much"}, 2, []string{`--limit "much"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.set()
			var out, said bytes.Buffer
			code := Run(t.Context(), append([]string{"capacity", "check", "--control", socket}, tt.args...), Env{Stdin: bytes.NewReader(nil), Stdout: &out, Stderr: &said})
			all := strings.Join(strings.Fields(out.String()+said.String()), " ")
			for _, want := range tt.says {
				if !strings.Contains(all, want) {
					t.Errorf("it does not say %q", want)
				}
			}
			if code != tt.code || t.Failed() {
				t.Errorf("exit code %d, want %d:\n%s%s", code, tt.code, out.String(), said.String())
			}
		})
	}
}

// Nobody needs a control plane to see that a date has passed.
func TestCheckWithoutAControlPlane(t *testing.T) {
	p := irisPlan(t)
	t.Chdir(t.TempDir())
	check := func(args ...string) (int, string) {
		var out bytes.Buffer
		code := Run(t.Context(), append([]string{"capacity", "check"}, args...), Env{Stdin: bytes.NewReader(nil), Stdout: &out, Stderr: &out})
		return code, strings.Join(strings.Fields(out.String()), " ")
	}
	if code, said := check(); code != 1 || !strings.Contains(said, "there is no capacity-plan/plan.json here") {
		t.Errorf("%d, %s", code, said)
	}
	write := func() {
		text, err := json.Marshal(p)
		if err == nil {
			err = os.MkdirAll("capacity-plan", 0o700)
		}
		if err == nil {
			err = os.WriteFile("capacity-plan/plan.json", text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write()
	if code, said := check(); code != 1 || !strings.Contains(said, "or measure with --at") {
		t.Errorf("%d, %s", code, said)
	}
	p.ExpiresAt = time.Now().Add(-time.Hour)
	write()
	if code, said := check(); code != 3 || !strings.Contains(said, "has passed") || !strings.Contains(said, "no control plane tells") {
		t.Errorf("%d, %s", code, said)
	}
}

func TestPlanFromOwnHistory(t *testing.T) {
	p := &produced{}
	socket := p.serve(t)
	input := func(flags func(*capacityPlanOptions)) (*demand.Demand, string, error) {
		in, said, err := p.input(t, socket, time.Now(), flags)
		if err != nil {
			return nil, said, err
		}
		return in.Demand, said, nil
	}
	if _, _, err := input(nil); greenlight.CodeOf(err) != greenlight.CodeNotFound || !strings.Contains(err.Error(), "has counted nothing of dev/iris yet") {
		t.Errorf("without a history: %v", err)
	}
	p.came(20*24, 40, 100)
	p.hours[3].Observed, p.hours[3].Mean = 60, 1e6 // a minute says nothing of its hour
	d, said, err := input(nil)
	if err != nil {
		t.Fatal(err)
	}
	if d.Unit != demand.Day || !d.Measured || d.PeakToMean != 2.5 || len(d.Periods) != 6 || d.Periods[0].Mean.Expected < 39 || d.Periods[0].Mean.Expected > 41 ||
		!strings.HasPrefix(d.Method, "Holt-Winters, ") || !strings.HasSuffix(d.Method, "; counted by the control plane") {
		t.Errorf("%+v", d)
	}
	if !strings.Contains(said, "history of dev/iris: 479 hours of traffic from ") || !strings.Contains(said, "; planned by the day") {
		t.Errorf("said %q", said)
	}
	p.came(9, 40, 100)
	if d, _, err = input(func(o *capacityPlanOptions) { o.unit = "month" }); err != nil || !strings.HasPrefix(d.Method, "level of 9 hours") || d.Unit != demand.Month {
		t.Errorf("nine hours by the month: %+v, %v", d, err)
	}
	p.came(30, 40, 100)
	p.runs = []control.LoadRun{{StartedAt: p.hours[5].From.Add(10 * time.Minute), Elapsed: 60}}
	p.hours[5].Mean, p.hours[5].Peak = 5000, 9000
	if d, said, err = input(nil); err != nil || d.PeakToMean != 2.5 || !strings.Contains(said, "; 1 hour with a load test is left out") {
		t.Errorf("with a load test in it: %+v, %q, %v", d, said, err)
	}
	if _, _, err = input(func(o *capacityPlanOptions) { o.rate = 5 }); exitCode(err) != 2 {
		t.Errorf("with a rate: %v", err)
	}
}
