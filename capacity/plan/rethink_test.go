package plan_test

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/capacity/demand"
	"github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/capacity/price"
)

func to[T any](v T) *T { return &v }

// reread is a plan as it comes out of its file.
func reread(t testing.TB, p *plan.Plan) *plan.Plan {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	q, err := plan.Read(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func rethought(t testing.TB, p *plan.Plan, c plan.Change) *plan.Plan {
	t.Helper()
	q, err := plan.Rethink(p, c)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestRethinkWithoutChangeGivesTheSamePlan(t *testing.T) {
	for name, change := range map[string]func(*plan.Input){
		"whole": func(*plan.Input) {},
		"bare": func(in *plan.Input) {
			in.Stages, in.Notes, in.Replica, in.Policy = nil, nil, plan.Replica{}, plan.Policy{}
		},
		"unmet":  func(in *plan.Input) { in.Stages[1].PerRequest = 6 },
		"prices": func(in *plan.Input) { in.Prices = price.Default(); in.Prices.Providers[0].Types[0].HourlyUSD = 0.001 },
		"time":   func(in *plan.Input) { in.At = in.At.Add(12345678901234); in.Replica.Start = 1234567 * time.Microsecond },
	} {
		in := input(t)
		change(&in)
		p := made(t, in)
		want, got := indented(t, p), indented(t, rethought(t, reread(t, p), plan.Change{}))
		if got != want {
			t.Errorf("%s comes out different:\n%s", name, firstDifference(got, want))
		}
	}
}

func indented(t testing.TB, p *plan.Plan) string {
	t.Helper()
	text, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func firstDifference(got, want string) string {
	a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return a[i] + "\nwas\n" + b[i]
		}
	}
	return "one is longer"
}

// What is thought over is what would have been planned at once.
func TestRethinkIsWhatMakeWouldHaveMade(t *testing.T) {
	stated := func(rate, growth float64) *demand.Demand {
		d, err := demand.FromRate(demand.Stated{Rate: rate, Growth: growth, Uncertainty: 0.1}, demand.Options{Periods: 12, PeakToMean: 2, From: day("2026-12-01")})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	base := input(t)
	base.Demand = stated(60, 0.04)
	p := reread(t, made(t, base))
	for name, tt := range map[string]struct {
		change plan.Change
		make   func(*plan.Input)
	}{
		"rate":     {plan.Change{Rate: to(90.0)}, func(in *plan.Input) { in.Demand = stated(90, 0.04) }},
		"growth":   {plan.Change{Growth: to(0.08)}, func(in *plan.Input) { in.Demand = stated(60, 0.08) }},
		"both":     {plan.Change{Rate: to(90.0), Growth: to(-0.02)}, func(in *plan.Input) { in.Demand = stated(90, -0.02) }},
		"slo":      {plan.Change{P99: to(0.12), Errors: to(0.01)}, func(in *plan.Input) { in.SLO = plan.SLO{P99: 0.12, Errors: 0.01} }},
		"headroom": {plan.Change{Headroom: to(1.0)}, func(in *plan.Input) { in.Policy.Headroom = 1 }},
		"cache":    {plan.Change{CacheHitRate: to(0.6)}, func(in *plan.Input) { in.Policy.CacheHitRate = 0.6 }},
		"zones":    {plan.Change{Zones: to(2)}, func(in *plan.Input) { in.Policy.Zones = 2 }},
		"one zone": {plan.Change{Zones: to(1)}, func(in *plan.Input) { in.Policy.Zones, in.Policy.SurviveZone = 1, false }},
		"losses":   {plan.Change{SurviveReplica: to(false), SurviveZone: to(false)}, func(in *plan.Input) { in.Policy.SurviveReplica, in.Policy.SurviveZone = false, false }},
	} {
		t.Run(name, func(t *testing.T) {
			in := base
			tt.make(&in)
			want, got := made(t, in), rethought(t, p, tt.change)
			if got.Summary != want.Summary || got.Traffic.Method != want.Traffic.Method || got.Bottleneck != want.Bottleneck {
				t.Errorf("got  %s %s\nwant %s %s", got.Summary, got.Traffic.Method, want.Summary, want.Traffic.Method)
			}
			for i, w := range want.Periods {
				g := got.Periods[i]
				if g.Replicas != w.Replicas || g.Met != w.Met || math.Abs(g.Peak.High/w.Peak.High-1) > 1e-5 || g.Costs[0] != w.Costs[0] && math.Abs(*g.Costs[0].PerMillion / *w.Costs[0].PerMillion - 1) > 1e-4 {
					t.Errorf("%s: got %d replicas for %v, want %d for %v", w.Label, g.Replicas, g.Peak, w.Replicas, w.Peak)
				}
			}
			if tt.change.Empty() || p.SLO.P99 != 0.25 || p.Policy.Zones != 3 || p.Periods[0].Peak != made(t, base).Periods[0].Peak {
				t.Error("the plan that was thought over has changed, or the change says that it is none")
			}
		})
	}
}

// Of measured demand, the rate stretches the forecast and growth comes on top.
func TestRethinkOfMeasuredDemand(t *testing.T) {
	p := reread(t, made(t, input(t)))
	now := p.Traffic.Now()
	q := rethought(t, p, plan.Change{Rate: to(2 * now), Growth: to(0.1)})
	for i := range p.Periods {
		f := q.Periods[i].Peak.Expected / p.Periods[i].Peak.Expected
		want := 2 * math.Pow(1.1, float64(i)+0.5)
		if math.Abs(f/want-1) > 0.01 {
			t.Errorf("period %d is %.3f times as much, want %.3f", i+1, f, want)
		}
	}
	if !strings.Contains(q.Traffic.Method, "changed to") || len(q.Traffic.History) != len(p.Traffic.History) {
		t.Errorf("the method is %q, with %d past periods", q.Traffic.Method, len(q.Traffic.History))
	}
}

// Plans of before the inputs were kept can be thought over, without prices.
func TestRethinkOfAnOldPlan(t *testing.T) {
	p := reread(t, made(t, input(t)))
	p.Inputs = nil
	q := rethought(t, p, plan.Change{})
	if q.Prices != nil || q.Periods[0].Costs != nil || q.Periods[0].Replicas != p.Periods[0].Replicas {
		t.Errorf("%v, %v, %d replicas", q.Prices, q.Periods[0].Costs, q.Periods[0].Replicas)
	}
}

func TestRethinkRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		change plan.Change
		break_ func(*plan.Plan)
		want   string
	}{
		"negative rate":      {change: plan.Change{Rate: to(-1.0)}, want: "the rate is -1"},
		"no growth at all":   {change: plan.Change{Growth: to(-1.0)}, want: "growth is -1"},
		"p99 of nothing":     {change: plan.Change{P99: to(0.0)}, want: "p99 is 0 s"},
		"p99 below outside":  {change: plan.Change{P99: to(0.0005)}, want: "must leave some time"},
		"all from the cache": {change: plan.Change{CacheHitRate: to(1.0)}, want: "hit rate is 1"},
		"zone of one":        {change: plan.Change{Zones: to(1), SurviveZone: to(true)}, want: "cannot survive"},
		"no zone":            {change: plan.Change{Zones: to(0)}, want: "0 zones"},
		"zones":              {change: plan.Change{Zones: to(101)}, want: "101 zones"},
		"headroom":           {change: plan.Change{Headroom: to(-0.1)}, want: "headroom is -0.1"},
		"no periods":         {break_: func(p *plan.Plan) { p.Traffic.Periods = nil }, want: "0 periods"},
		"band":               {break_: func(p *plan.Plan) { p.Traffic.Periods[0].Peak.Low = 1e9 }, want: "a band"},
		"rate from nothing": {change: plan.Change{Rate: to(1.0)}, break_: func(p *plan.Plan) { p.Traffic.Periods[0].Mean = demand.Band{} },
			want: "nothing is expected now"},
		"start":        {break_: func(p *plan.Plan) { p.Inputs.Start = 1e300 }, want: "starts in 1e+300 s"},
		"free machine": {break_: func(p *plan.Plan) { p.Inputs.Prices.Providers[0].Types[0].HourlyUSD = -1 }, want: "outside what is possible"},
		"no evidence":  {break_: func(p *plan.Plan) { p.Evidence.Measurements = nil }, want: "0 points"},
	} {
		p := reread(t, made(t, input(t)))
		if tt.break_ != nil {
			tt.break_(p)
		}
		if _, err := plan.Rethink(p, tt.change); greenlight.CodeOf(err) != greenlight.CodeInvalid || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// A page asks at every move of a slider.
func TestRethinkIsQuick(t *testing.T) {
	p := reread(t, made(t, input(t)))
	begin := time.Now()
	const times = 10
	for i := range times {
		rethought(t, p, plan.Change{Rate: to(float64(50 + i))})
	}
	if each := time.Since(begin) / times; each > 500*time.Millisecond {
		t.Errorf("each takes %s", each)
	}
	t.Logf("each takes %s", time.Since(begin)/times)
}

// spoiled is JSON with some of its numbers made extreme, and some of its
// members taken away.
func spoiled(v any, r *rand.Rand) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if v[k] = spoiled(e, r); r.IntN(400) == 0 {
				delete(v, k)
			}
		}
	case []any:
		for i, e := range v {
			v[i] = spoiled(e, r)
		}
		if r.IntN(200) == 0 {
			return v[:len(v)/2]
		}
	case float64:
		if r.IntN(100) == 0 {
			return []float64{0, -1, 1e308, -1e308, 1e-308, 1e9, 3, 0.5, v * 1e6, -v}[r.IntN(10)]
		}
	}
	return v
}

// What comes from a file may be anything: neither thinking it over nor its
// pictures may panic or take long.
func TestRethinkOfSpoiledPlans(t *testing.T) {
	in := input(t)
	in.Policy.MaxReplicas = 40
	text, err := json.Marshal(made(t, in))
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	read := 0
	for range 120 {
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatal(err)
		}
		spoilt, err := json.Marshal(spoiled(v, r))
		if err != nil {
			t.Fatal(err)
		}
		p, err := plan.Read(bytes.NewReader(spoilt))
		if err != nil {
			continue
		}
		read++
		p.Charts()
		q, err := plan.Rethink(p, plan.Change{Rate: to(100.0)})
		if err == nil {
			q.Charts()
		}
	}
	if read < 20 {
		t.Errorf("only %d of them could be read", read)
	}
}
