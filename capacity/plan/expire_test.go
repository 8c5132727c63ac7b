package plan_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/capacity/plan"
)

// came is hours of the same rate from a day on, with a peak.
func came(from time.Time, hours int, rate, peak float64) []plan.ProductionHour {
	var list []plan.ProductionHour
	for i := range hours {
		list = append(list, plan.ProductionHour{From: from.Add(time.Duration(i) * time.Hour), Requests: 3600 * rate, Peak: peak, Observed: 3600})
	}
	return list
}

// loaded is a load test at so many replicas.
func loaded(id string, at time.Time, replicas int, planned, rate, p99 float64) plan.ProductionTest {
	return plan.ProductionTest{ID: id, At: at, Length: time.Minute, Replicas: replicas, Planned: planned, Rate: rate, P50: p99 / 3, P99: p99, Counts: true}
}

func reasons(s *plan.Standing) string {
	var list []string
	for _, r := range s.Reasons {
		list = append(list, r.Code)
	}
	return strings.Join(list, " ")
}

func TestStanding(t *testing.T) {
	p := made(t, input(t)) // on 1 December 2026
	december, january := p.Periods[0], p.Periods[1]
	start := december.From
	middle := func(d plan.Period) float64 { return d.Mean.Expected }
	below := 0.9 * december.Peak.High
	cores, carries := 4, p.Curve[3]
	for name, c := range map[string]struct {
		now  time.Time
		seen plan.Production
		want string // codes
		says string
	}{
		"nothing yet":        {start, plan.Production{}, "", "nothing to hold the plan against yet"},
		"its date":           {p.ExpiresAt, plan.Production{}, "date", "its date, " + p.ExpiresAt.Format(time.DateOnly) + ", has passed"},
		"a moment before":    {p.ExpiresAt.Add(-time.Second), plan.Production{}, "", ""},
		"as forecast":        {january.From, plan.Production{Hours: came(start, 24*31, middle(december), below)}, "", "the plan holds: 1 period and 0 load tests"},
		"less":               {january.From, plan.Production{Hours: came(start, 24*31, 0.9*december.Mean.Low, below)}, "demand", "Dec 2026 had "},
		"more":               {january.From, plan.Production{Hours: came(start, 24*31, 1.1*december.Mean.High, below)}, "demand", " on average; the forecast is "},
		"too little to tell": {january.From, plan.Production{Hours: came(start, 100, 2*december.Mean.High, below)}, "", "nothing to hold the plan against yet"},
		"six days so far":    {start.Add(6 * 24 * time.Hour), plan.Production{Hours: came(start, 6*24, 2*december.Mean.High, below)}, "", ""},
		"a week so far":      {start.Add(8 * 24 * time.Hour), plan.Production{Hours: came(start, 8*24, 2*december.Mean.High, below)}, "demand", "Dec 2026 so far had "},
		"a peak so far":      {start.Add(time.Hour), plan.Production{Hours: came(start, 1, middle(december), 1.1*december.Peak.High)}, "demand", "the busiest minute of Dec 2026 so far had "},
		"before it was made": {start.Add(time.Hour), plan.Production{Hours: came(start.Add(-48*time.Hour), 48, 1e6, 1e6)}, "", ""},
		"no requests":        {january.From, plan.Production{Hours: came(start, 24*31, 0, 0)}, "", ""},
		"a load test is no demand": {start.Add(3 * time.Hour), plan.Production{Hours: came(start, 2, 1e4, 1e5), Tests: []plan.ProductionTest{
			{At: start.Add(59 * time.Minute), Length: time.Minute}}}, "", ""},
		"a load test that is not in the hours": {start.Add(3 * time.Hour), plan.Production{Hours: came(start, 2, 1e4, 1e5), Tests: []plan.ProductionTest{
			{At: start.Add(59 * time.Minute), Length: time.Minute, Apart: true}}}, "demand", "the busiest minute"},
		"nor is a search for the knee": {start.Add(3 * time.Hour), plan.Production{Hours: came(start, 2, 1e4, 1e5), Tests: []plan.ProductionTest{
			{At: start.Add(65 * time.Minute), Length: time.Minute, Around: 10 * time.Minute}}}, "", ""},
		"beside a load test": {start.Add(3 * time.Hour), plan.Production{Hours: came(start, 3, 1e4, 1e5), Tests: []plan.ProductionTest{
			{At: start.Add(59 * time.Minute), Length: time.Minute}}}, "demand", "the busiest minute"},
		"a check":      {start, plan.Production{Grade: &plan.Grade{Expired: true, Worst: 0.4, Limit: 0.2}}, "error", "capacity was off by 40 %; the limit is 20 %"},
		"a good check": {start, plan.Production{Grade: &plan.Grade{Worst: 0.1, Limit: 0.2}}, "", ""},
		"a fast test":  {start, plan.Production{Tests: []plan.ProductionTest{loaded("a", start, cores, 100, 100, 0.05)}}, "", "0 periods and 1 load test"},
		"a slow test": {start, plan.Production{Tests: []plan.ProductionTest{loaded("a", start, cores, 100, 100, 0.3)}}, "slo",
			"load test a had a p99 of 300 ms at 100/s with 4 replicas; the plan says that they bear "},
		"slow beyond what was promised": {start, plan.Production{Tests: []plan.ProductionTest{loaded("a", start, cores, 230, 230, 0.3)}}, "", ""},
		"slow, then mended": {start, plan.Production{Tests: []plan.ProductionTest{loaded("a", start, cores, 100, 100, 0.3),
			loaded("b", start.Add(time.Hour), cores, 100, 99, 0.05)}}, "", ""},
		"slow, then fast with more replicas": {start, plan.Production{Tests: []plan.ProductionTest{loaded("a", start, cores, 100, 100, 0.3),
			loaded("b", start.Add(time.Hour), cores+1, 100, 99, 0.05)}}, "slo", ""},
		"too much for them, as it should be": {start, plan.Production{Tests: []plan.ProductionTest{loaded("a", start, cores, 1000, carries.X/0.9, 3)}}, "", "1 load test"},
		"less than they should": {start, plan.Production{Tests: []plan.ProductionTest{loaded("a", start, cores, 1000, carries.X/0.9/1.5, 3)}}, "error",
			"in load test a, 4 replicas carried "},
		"a slow last request":   {start, plan.Production{Tests: []plan.ProductionTest{loaded("a", start, cores, 100, 60, 0.2)}}, "", "0 periods and 1 load test"},
		"more than they should": {start, plan.Production{Tests: []plan.ProductionTest{loaded("a", start, cores, 3000, 3*carries.X, 3)}}, "", ""},
		"tests that do not count": {start, plan.Production{Tests: []plan.ProductionTest{loaded("old", start.Add(-time.Second), cores, 100, 100, 0.3),
			loaded("beyond", start, 400, 100, 100, 0.3), loaded("unknown", start, 0, 100, 100, 0.3),
			{ID: "void", At: start, Replicas: cores, Planned: 100, Rate: 100, P99: 0.3}}}, "", "nothing to hold"},
	} {
		s := p.Stand(c.now, c.seen)
		if got := reasons(s); got != c.want || s.Expired != (c.want != "") || !strings.Contains(s.Text, c.says) || s.Expired != strings.HasPrefix(s.Text, "the plan has expired: ") {
			t.Errorf("%s: %q, %q; want %q, %q", name, got, s.Text, c.want, c.says)
		}
	}
}

// TestTestsThatSayNothingAreLeftOut holds that each is counted by its reason,
// and says nothing of the plan.
func TestTestsThatSayNothingAreLeftOut(t *testing.T) {
	p := made(t, input(t)) // of replicas with 0.5 cores each
	for name, c := range map[string]struct {
		change func(*plan.ProductionTest)
		want   string
	}{
		"no answer but 404": {func(l *plan.ProductionTest) { l.Errors = 1 }, "left out: 2 load tests, with more than 1 % errors"},
		"a few errors":      {func(l *plan.ProductionTest) { l.Errors = 0.01 }, ""},
		"a search":          {func(l *plan.ProductionTest) { l.Search = true }, "left out: 2 load tests, a search for the knee, whose rates are tried briefly"},
		"void":              {func(l *plan.ProductionTest) { l.Counts = false }, "left out: 2 load tests, void, stopped early, without a fixed rate or without an answer"},
		"scaled meanwhile":  {func(l *plan.ProductionTest) { l.Replicas = 0 }, fmt.Sprintf("left out: 2 load tests, whose replicas changed, are not known or are more than %d", len(p.Curve))},
		"larger replicas":   {func(l *plan.ProductionTest) { l.Quota = 1 }, "left out: 2 load tests, of replicas with another quota than the plan's, 0.5 cores each"},
		"the same replicas": {func(l *plan.ProductionTest) { l.Quota = 0.5 }, ""},
		"any replicas":      {func(l *plan.ProductionTest) { l.Quota = 0 }, "the plan is of replicas with 0.5 cores each; what those of 2 load tests had is not known"},
	} {
		slow := loaded("a", p.MadeAt, 4, 100, 100, 0.3)
		slow.Quota = 0.5
		c.change(&slow)
		old := loaded("b", p.MadeAt.Add(-time.Second), 4, 100, 100, 0.05) // not counted either
		s := p.Stand(p.MadeAt, plan.Production{Tests: []plan.ProductionTest{slow, slow, old}})
		if got := strings.Join(s.Notes[1:], "; "); got != c.want { // the first: no requests have come
			t.Errorf("%s: the notes are %q, want %q", name, got, c.want)
		}
		if left := strings.HasPrefix(c.want, "left out"); left != (len(s.Tests) == 0) || s.Expired == left || left != strings.HasPrefix(s.Text, "nothing to hold") {
			t.Errorf("%s: %d tests, %q", name, len(s.Tests), s.Text)
		}
	}
}

func TestStandingTellsPeriods(t *testing.T) {
	in := input(t)
	in.At = day("2026-12-11").Add(30 * time.Minute)
	p := made(t, in)
	january := p.Periods[1]
	mean := 1.01 * p.Periods[0].Mean.Expected
	s := p.Stand(january.From.Add(48*time.Hour), plan.Production{
		Hours: append(came(day("2026-12-11"), 24*21, mean, 100), came(january.From, 48, 90, 120)...),
		Tests: []plan.ProductionTest{loaded("a", january.From.Add(30*time.Minute), 2, 10, 10, 0.08)}})
	if len(s.Periods) != 2 || len(s.Tests) != 1 || s.Expired {
		t.Fatalf("%+v", s)
	}
	d, j := s.Periods[0], s.Periods[1]
	if d.Running || !d.Judged || !d.Held || !d.From.Equal(p.MadeAt) || d.Observed != 3600*(24*21-1) || math.Abs(d.Mean/mean-1) > 1e-5 || d.Peak != 100 {
		t.Errorf("december is %+v", d)
	}
	if !j.Running || j.Judged || j.Observed != 3600*47 || !j.PeakHeld {
		t.Errorf("january is %+v", j)
	}
	if got := fmt.Sprint(s.Notes); got != "[left out of the demand, because of load tests: 1 hour the plan is of replicas with 0.5 cores each; what those of 1 load test had is not known]" {
		t.Errorf("notes are %s", got)
	}
	if g := s.Tests[0]; !(g.Low <= g.Predicted && g.Predicted <= g.High) || !g.Promised || g.Broken || g.Predicted < 0.01 || math.Abs(g.Error-(g.Predicted/0.08-1)) > 1e-5 {
		t.Errorf("the test is %+v", g)
	}
	// What a plan simulates itself is what a test is held against.
	at := p.Periods[0]
	if at.P99 == nil {
		t.Fatal("no p99")
	}
	s = p.Stand(p.MadeAt, plan.Production{Tests: []plan.ProductionTest{loaded("a", p.MadeAt, at.Replicas, at.Peak.Expected, at.Peak.Expected, 0.1)}})
	if got := s.Tests[0].Predicted; math.Abs(got/at.P99.Value-1) > 1e-4 {
		t.Errorf("the p99 at the peak is %v, the plan says %v", got, at.P99.Value)
	}
	if _, err := json.Marshal(s); err != nil {
		t.Error(err)
	}
}
