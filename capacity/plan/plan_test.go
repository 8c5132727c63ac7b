package plan_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"pgregory.net/rapid"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/capacity"
	"github.com/greenlight-dev/greenlight/capacity/demand"
	"github.com/greenlight-dev/greenlight/capacity/latency"
	"github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/spec"
)

// flat is one period with a peak that is certain.
func flat(peak float64) *demand.Demand {
	at := demand.Band{Expected: peak, Low: peak, High: peak}
	return &demand.Demand{Unit: demand.Month, Method: "as the test says", Measured: true, Probability: 0.95, PeakToMean: 1, PeakSource: "stated",
		Periods: []demand.Period{{Label: "Jan 2027", From: day("2027-01-01"), To: day("2027-02-01"), Mean: at, Peak: at}}}
}

// growing is periods whose peaks grow from one rate to another.
func growing(from, to float64, periods int) *demand.Demand {
	d := flat(from)
	d.Periods = nil
	for i := range periods {
		v := from + (to-from)*float64(i)/float64(max(periods-1, 1))
		at := day("2027-01-01").AddDate(0, i, 0)
		d.Periods = append(d.Periods, demand.Period{
			Label: at.Format("Jan 2006"), From: at, To: at.AddDate(0, 1, 0),
			Mean: demand.Band{Expected: v / 2, Low: v / 2.5, High: v / 1.8}, Peak: demand.Band{Expected: v, Low: 0.9 * v, High: 1.1 * v},
		})
	}
	return d
}

func has(p *plan.Plan, code string) bool {
	return slices.ContainsFunc(p.Risks, func(r plan.Risk) bool { return r.Code == code })
}

func TestTheBottleneckIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		law    capacity.Law
		stages []plan.Stage
		want   string
		why    string
	}{
		"nothing shared": {capacity.Law{Gamma: 50}, nil, "replicas", "it is less and less sure what each adds; a guess, because only up to 8"},
		"a serial part":  {capacity.Law{Alpha: 0.2, Gamma: 50}, nil, "replicas", "cannot be shared"},
		"agreement":      {capacity.Law{Alpha: 0.02, Beta: 0.01, Gamma: 50}, nil, "replicas", "in agreeing"},
		"the database":   {capacity.Law{Gamma: 50}, []plan.Stage{{Name: "gateway", Ceiling: 9000, Low: 8900, High: 9100}, {Name: "database", Ceiling: 900, Low: 880, High: 920}}, "database", "its ceiling is at least 880 operations/s (expected: 900)"},
		"calls for each": {capacity.Law{Gamma: 50}, []plan.Stage{{Name: "gateway", Ceiling: 1500, Low: 1400, High: 1600}, {Name: "cache", Ceiling: 5000, Low: 4900, High: 5100, PerRequest: 10}}, "cache", "10 for each request"},
	} {
		in := input(t)
		in.Measurements, in.Stages, in.Policy.MaxReplicas = measured(c.law, 1, 2, 3, 4, 6, 8), c.stages, 60
		p := made(t, in)
		if p.Bottleneck.Name != c.want || !strings.Contains(p.Bottleneck.Why, c.why) {
			t.Errorf("%s: the bottleneck is the %s, because %s; want the %s, because %s", name, p.Bottleneck.Name, p.Bottleneck.Why, c.want, c.why)
		}
	}
}

func TestAnSLOThatNobodyKeepsIsSaid(t *testing.T) {
	in := input(t)
	in.SLO.P99 = 0.02 // a request alone takes 16 ms on average
	p := made(t, in)
	if p.Periods[0].Met || !strings.Contains(p.Summary, "waits for nobody") {
		t.Errorf("met %v: %s", p.Periods[0].Met, p.Summary)
	}
	in.Demand = flat(0)
	if p := made(t, in); p.Periods[0].Met {
		t.Error("no demand is met by replicas that miss the SLO on their first request")
	}
}

// The cache that the outlook asks for does carry the stage.
func TestTheHitRateThatIsAskedForIsEnough(t *testing.T) {
	in := input(t)
	in.Stages = []plan.Stage{{Name: "database", Ceiling: 500, Low: 480, High: 520, BehindCache: true}}
	in.Demand, in.Policy.CacheHitRate = growing(200, 900, 8), 0
	o := made(t, in).Stages[0]
	if o.RunsOut == "" || o.RunsOut == "Jan 2027" || len(o.HitRates) == 0 || o.RunsOutExpected <= "" {
		t.Fatalf("the outlook is %+v", o)
	}
	for _, h := range o.HitRates {
		in.Policy.CacheHitRate = h.HitRate
		after := made(t, in).Stages[0]
		for _, d := range in.Demand.Periods {
			if after.RunsOut == d.Label {
				t.Errorf("with %v cached it runs out in %s, not after %s", h.HitRate, d.Label, h.Through)
			}
			if d.Label == h.Through {
				break
			}
		}
		in.Policy.CacheHitRate = h.HitRate - 0.01
		if after := made(t, in).Stages[0]; after.RunsOut == "" {
			t.Errorf("%v cached is more than is needed through %s", h.HitRate, h.Through)
		}
	}
	in.Policy.CacheHitRate, in.Stages[0].BehindCache = 0, false
	if o := made(t, in).Stages[0]; o.RunsOut == "" || o.HitRates != nil {
		t.Errorf("a stage before the cache is helped by it: %+v", o)
	}
}

func TestBeyondTwiceWhatWasMeasuredIsSaid(t *testing.T) {
	in := input(t)
	in.Stages, in.Demand = nil, growing(100, 1200, 12)
	in.Measurements = measured(capacity.Law{Alpha: 0.005, Gamma: 62}, 1, 2, 3, 4)
	p := made(t, in)
	last := p.Periods[11]
	if p.Periods[0].Extrapolated || !last.Extrapolated || !has(p, "extrapolated") || !strings.Contains(p.ExpiresWhy, "more than twice") {
		t.Errorf("first %+v, last %+v, expires because %s", p.Periods[0], last, p.ExpiresWhy)
	}
	inside, outside := p.Curve[7], p.Curve[15]
	if inside.Extrapolated || !outside.Extrapolated || (outside.High-outside.Low)/outside.X <= 2*(inside.High-inside.Low)/inside.X {
		t.Errorf("the interval at 8 is %+v, at 16 %+v", inside, outside)
	}
}

func TestLargerReplicasCorrectTheLaw(t *testing.T) {
	in := input(t)
	in.Stages, in.Demand = nil, growing(100, 1200, 12)
	in.Measurements = measured(capacity.Law{Alpha: 0.005, Gamma: 62}, 1, 2, 3, 4)
	without := made(t, in)
	in.Larger = &plan.Larger{Replicas: 4, Cores: 1, As: 8, X: 0.9 * without.Curve[7].X, Runs: 3, Deviation: 0.04}
	p := made(t, in)
	if at, was := p.Curve[7].X, without.Curve[7].X; at > 0.98*was || at < 0.9*was {
		t.Errorf("8 replicas carry %v, %v without; larger ones carried %v", at, was, in.Larger.X)
	}
	if p.Evidence.MaxN != 4 || p.Curve[7].Extrapolated || !p.Curve[8].Extrapolated {
		t.Errorf("up to %v replicas were measured: %+v, %+v", p.Evidence.MaxN, p.Curve[7], p.Curve[8])
	}
	if g, err := p.Grade([]capacity.Point{{N: 8, X: p.Curve[7].X}}, nil); err != nil || g.Capacity[0].Fitted {
		t.Errorf("8 replicas count as measured, and never ran: %+v, %v", g.Capacity, err)
	}
	again, err := plan.Rethink(p, plan.Change{})
	if err != nil || again.Curve[7] != p.Curve[7] {
		t.Errorf("made anew: %+v, %v; want %+v", again, err, p.Curve[7])
	}
}

func TestExpiry(t *testing.T) {
	in := input(t)
	in.Stages, in.Demand = nil, growing(100, 110, 3)
	if p := made(t, in); !p.ExpiresAt.Equal(day("2027-04-01")) || p.ExpiresWhy != "the forecast ends" {
		t.Errorf("expires %s: %s", p.ExpiresAt, p.ExpiresWhy)
	}
	in.Demand = growing(100, 110, 24)
	if p := made(t, in); p.ExpiresAt.Sub(in.At).Hours() != 182*24 {
		t.Errorf("expires %s: %s", p.ExpiresAt, p.ExpiresWhy)
	}
	in.Demand = growing(1e6, 1e6, 2)
	if p := made(t, in); !p.ExpiresAt.Equal(day("2027-01-01")) || p.Periods[0].Met || !has(p, "unmet") || !strings.HasPrefix(p.Summary, "The peak of Jan 2027 is not met") {
		t.Errorf("expires %s: %s, %s", p.ExpiresAt, p.ExpiresWhy, p.Summary)
	}
}

func TestRisks(t *testing.T) {
	for code, change := range map[string]func(*plan.Input){
		"one-zone":      func(in *plan.Input) { in.Policy.Zones, in.Policy.SurviveZone = 1, false },
		"packed":        func(in *plan.Input) { in.Policy.Zones, in.Policy.SurviveZone, in.Replica.CPU = 1, false, 0.1 },
		"small-share":   func(in *plan.Input) { in.Replica.CPU = 0.1 },
		"no-spare":      func(in *plan.Input) { in.Policy.SurviveReplica, in.Policy.SurviveZone = false, false },
		"stage-guessed": func(in *plan.Input) { in.Stages[0].Driven = 0.5 },
		"stage-wide":    func(in *plan.Input) { in.Stages[0].Low, in.Stages[0].High = 4000, 15600 },
		"contradiction": func(in *plan.Input) { in.Stages[1].PerRequest = 5 },
		"errors":        func(in *plan.Input) { in.Measurements[2].Errors = 0.02 },
		"varied":        func(in *plan.Input) { in.Latency.Surface.CV = 2.2 },
		"stated":        func(in *plan.Input) { in.Demand.Measured = false },
		"wide":          func(in *plan.Input) { in.Measurements[17].X *= 0.5 },
		"stage":         func(in *plan.Input) { in.Demand = growing(300, 700, 4) },
		"old-prices":    func(in *plan.Input) { in.At = day("2028-01-01") },
	} {
		in := input(t)
		in.At = day("2025-10-01")
		if has(made(t, in), code) {
			t.Errorf("the sound plan has the risk %q", code)
		}
		change(&in)
		if !has(made(t, in), code) {
			t.Errorf("no risk %q", code)
		}
	}
}

func TestInputsAreRefused(t *testing.T) {
	for want, change := range map[string]func(*plan.Input){
		"name of the system":         func(in *plan.Input) { in.Service = "" },
		`service "a: b\nc"`:          func(in *plan.Input) { in.Service = "a: b\nc" },
		"date on which":              func(in *plan.Input) { in.At = in.At.AddDate(-3000, 0, 0); in.At = day("0001-01-01") },
		"needs demand":               func(in *plan.Input) { in.Demand = &demand.Demand{} },
		"the SLO's p99 is 0":         func(in *plan.Input) { in.SLO.P99 = 0 },
		"the SLO's errors":           func(in *plan.Input) { in.SLO.Errors = 1 },
		"headroom is -1":             func(in *plan.Input) { in.Policy.Headroom = -1 },
		"in one zone cannot survive": func(in *plan.Input) { in.Policy.Zones = 1 },
		"hit rate is 1":              func(in *plan.Input) { in.Policy.CacheHitRate = 1 },
		"stage use is 2":             func(in *plan.Input) { in.Policy.StageUse = 2 },
		"from 5 to 4 replicas":       func(in *plan.Input) { in.Policy.MinReplicas, in.Policy.MaxReplicas = 5, 4 },
		"from 1 to 5000 replicas":    func(in *plan.Input) { in.Policy.MaxReplicas = 5000 },
		"the largest error":          func(in *plan.Input) { in.Policy.MaxError = -1 },
		`stage "gateway": each`:      func(in *plan.Input) { in.Stages[1].Name = "gateway" },
		`stage "replicas": each`:     func(in *plan.Input) { in.Stages[1].Name = "replicas" },
		"want 0 < low":               func(in *plan.Input) { in.Stages[1].Low = in.Stages[1].High },
		"operations for each":        func(in *plan.Input) { in.Stages[1].PerRequest = math.NaN() },
		"needs the latency surface":  func(in *plan.Input) { in.Latency.Surface = nil },
		"must leave some time":       func(in *plan.Input) { in.Latency.Outside = 1 },
		"the latency surface has":    func(in *plan.Input) { in.Latency.Surface = &latency.Surface{} },
		"measurement 2: errors":      func(in *plan.Input) { in.Measurements[1].Errors = 2 },
		"the law has three":          func(in *plan.Input) { in.Measurements = in.Measurements[:3] },
		"larger replicas: 4 of 0 c":  func(in *plan.Input) { in.Larger = &plan.Larger{Replicas: 4, As: 8, X: 400, Runs: 3, Deviation: 0.04} },
		"with a deviation of 0":      func(in *plan.Input) { in.Larger = &plan.Larger{Replicas: 4, Cores: 1, As: 8, X: 400, Runs: 3} },
		"a replica of -1 cores":      func(in *plan.Input) { in.Replica.CPU = -1 },
	} {
		in := input(t)
		change(&in)
		if _, err := plan.Make(in); greenlight.CodeOf(err) != greenlight.CodeInvalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// anything is an input that somebody might have measured.
func anything(t *rapid.T, base plan.Input) plan.Input {
	law := capacity.Law{
		Alpha: rapid.Float64Range(0, 0.3).Draw(t, "alpha"), Beta: rapid.SampledFrom([]float64{0, 1e-4, 2e-3, 0.02}).Draw(t, "beta"),
		Gamma: rapid.Float64Range(1, 500).Draw(t, "gamma"),
	}
	base.Measurements = measured(law, 1, 2, 3, 4, rapid.SampledFrom([]float64{5, 8, 16}).Draw(t, "most"))
	base.Stages = nil
	if rapid.Bool().Draw(t, "stage") {
		c := law.Gamma * rapid.Float64Range(2, 30).Draw(t, "ceiling")
		base.Stages = []plan.Stage{{Name: "database", Ceiling: c, Low: 0.95 * c, High: 1.05 * c, BehindCache: rapid.Bool().Draw(t, "behind")}}
	}
	base.SLO.P99 = rapid.Float64Range(3, 60).Draw(t, "p99") / law.Gamma
	base.Latency.Outside = 0
	zones := rapid.IntRange(1, 4).Draw(t, "zones")
	base.Policy = plan.Policy{
		Headroom: rapid.Float64Range(0, 1).Draw(t, "headroom"), Zones: zones, SurviveReplica: rapid.Bool().Draw(t, "replica"), SurviveZone: zones > 1,
		CacheHitRate: rapid.Float64Range(0, 0.9).Draw(t, "cache"), MinReplicas: rapid.IntRange(1, 3).Draw(t, "min"), MaxReplicas: rapid.IntRange(3, 200).Draw(t, "max"),
	}
	base.Demand = flat(law.Gamma * rapid.Float64Range(0, 40).Draw(t, "demand"))
	return base
}

func TestMoreDemandNeverNeedsFewer(t *testing.T) {
	base := input(t)
	rapid.Check(t, func(t *rapid.T) {
		in := anything(t, base)
		less := made2(t, in)
		in.Demand = flat(in.Demand.Periods[0].Peak.High * rapid.Float64Range(1, 3).Draw(t, "more"))
		more := made2(t, in)
		if more.Periods[0].Replicas < less.Periods[0].Replicas {
			t.Fatalf("%d replicas for %v, %d for %v", less.Periods[0].Replicas, less.Periods[0].Peak.High, more.Periods[0].Replicas, more.Periods[0].Peak.High)
		}
		if !less.Periods[0].Met && more.Periods[0].Met {
			t.Fatalf("%v is met, but less, %v, is not", more.Periods[0].Peak.High, less.Periods[0].Peak.High)
		}
	})
}

func made2(t *rapid.T, in plan.Input) *plan.Plan {
	p, err := plan.Make(in)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWhatIsMetSurvivesItsLosses(t *testing.T) {
	base := input(t)
	rapid.Check(t, func(t *rapid.T) {
		in := anything(t, base)
		p := made2(t, in)
		d, policy := p.Periods[0], p.Policy
		if d.Replicas < policy.MinReplicas || d.Replicas > policy.MaxReplicas {
			t.Fatalf("%d replicas, allowed are %d to %d", d.Replicas, policy.MinReplicas, policy.MaxReplicas)
		}
		if p.Scaling.Min > p.Scaling.Max || p.Scaling.Max != d.Replicas || p.Scaling.Min < policy.MinReplicas {
			t.Fatalf("scaling is %+v for %d replicas", p.Scaling, d.Replicas)
		}
		if !d.Met || d.Uncertain {
			return
		}
		for what, e := range map[string]*latency.Estimate{"all": d.P99High, "one replica lost": d.ReplicaLost, "one zone lost": d.ZoneLost} {
			asked := what == "all" || what == "one replica lost" && policy.SurviveReplica || what == "one zone lost" && policy.SurviveZone
			if asked && (e == nil || e.High > in.SLO.P99*1.0001) {
				t.Fatalf("%s: the p99 is %+v, the SLO %v, with %d replicas", what, e, in.SLO.P99, d.Replicas)
			}
		}
		if rate := p.Curve[d.Replicas-1].SLORate; rate < d.Peak.High*(1+policy.Headroom)*0.9999 {
			t.Fatalf("%d replicas bear %v, the peak with headroom is %v", d.Replicas, rate, d.Peak.High*(1+policy.Headroom))
		}
		// The settings lead to as many as were planned.
		if d.Peak.High > 0 {
			follow := d.Peak.High * (1 - policy.CacheHitRate) / p.Scaling.Requests
			if n := int(math.Ceil(follow - 1e-3)); n != d.Replicas {
				t.Fatalf("the target %v makes %d replicas at the peak, planned are %d", p.Scaling.Requests, n, d.Replicas)
			}
		}
	})
}

func TestGrade(t *testing.T) {
	p := made(t, input(t))
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := plan.Read(bytes.NewReader(text)) // months later
	if err != nil {
		t.Fatal(err)
	}
	good := capacity.Point{N: 10, X: capacity.Law{Alpha: 0.02, Beta: 0.0004, Gamma: 62}.At(10)}
	g, err := kept.Grade([]capacity.Point{good, {N: 2, X: 121}}, []demand.Past{{From: day("2026-12-01"), Mean: 76}, {From: day("2031-01-01"), Mean: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if g.Expired || g.Of != 3 || g.Held != 3 || g.Worst > 0.05 || g.Capacity[0].Fitted || !g.Capacity[1].Fitted || len(g.Demand) != 1 {
		t.Errorf("the grade is %+v", g)
	}
	bad, err := kept.Grade([]capacity.Point{{N: 7.5, X: 250}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !bad.Expired || bad.Held != 0 || math.Abs(bad.Worst-(kept.Curve[6].X+kept.Curve[7].X)/2/250+1) > 1e-4 || !strings.Contains(bad.Text, "has expired") {
		t.Errorf("the grade is %+v", bad)
	}
	for _, m := range []capacity.Point{{N: 0, X: 1}, {N: 1e9, X: 1}, {N: math.NaN(), X: 1}, {N: 2, X: 0}, {N: 2, X: math.NaN()}} {
		if _, err := kept.Grade([]capacity.Point{m}, nil); greenlight.CodeOf(err) != greenlight.CodeInvalid {
			t.Errorf("%+v is graded: %v", m, err)
		}
	}
	if _, err := kept.Grade(nil, nil); greenlight.CodeOf(err) != greenlight.CodeInvalid {
		t.Errorf("nothing is graded: %v", err)
	}
}

// A law fitted to four replicas and a ceiling that was measured alone predict
// what a lock does at eight; the law alone does not.
func TestAHiddenLockIsPredictedByItsCeiling(t *testing.T) {
	in := input(t)
	in.Measurements = measured(capacity.Law{Alpha: 0.005, Gamma: 100}, 1, 2, 3, 4)
	in.Stages = []plan.Stage{{Name: "lock", Ceiling: 520, Low: 495, High: 545, Driven: 0.95}}
	in.Demand = flat(250)
	p := made(t, in)
	g, err := p.Grade([]capacity.Point{{N: 8, X: 511}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !g.Capacity[0].Held || g.Worst > 0.05 || p.Curve[7].By != "lock" {
		t.Errorf("the grade is %+v", g)
	}
	in.Stages = nil
	if g, _ := made(t, in).Grade([]capacity.Point{{N: 8, X: 511}}, nil); g.Worst < 0.4 {
		t.Errorf("without the ceiling the error is only %v", g.Worst)
	}
}

func TestSettings(t *testing.T) {
	in := input(t)
	p := made(t, in)
	var hpa struct {
		APIVersion string `yaml:"apiVersion"`
		Spec       struct {
			MinReplicas, MaxReplicas int
			Metrics                  []map[string]any
		}
	}
	if err := yaml.Unmarshal([]byte(strings.NewReplacer("minReplicas", "minreplicas", "maxReplicas", "maxreplicas").Replace(p.HPA())), &hpa); err != nil {
		t.Fatal(err)
	}
	if hpa.APIVersion != "autoscaling/v2" || hpa.Spec.MinReplicas != p.Scaling.Min || hpa.Spec.MaxReplicas != p.Scaling.Max || len(hpa.Spec.Metrics) != 1 {
		t.Errorf("the autoscaler is %+v", hpa)
	}
	described := "name: zoo\n" + strings.Replace(p.ReplicasYAML(), "  penguins:\n", "  penguins:\n    run: [serve]\n", 1)
	file, err := spec.Parse("greenlight.yaml", []byte(described))
	if err != nil {
		t.Fatal(err)
	}
	env, err := file.Resolve("", spec.ResolveOptions{})
	if err != nil {
		t.Fatalf("%v in\n%s", err, described)
	}
	if r := env.Services[0].Replicas; r.Min != p.Scaling.Min || r.Max != p.Scaling.Max || r.Window.Up.Std().Seconds() != 10 || math.Abs(float64(r.Target.Requests)-p.Scaling.Requests) > 0.1 {
		t.Errorf("greenlight.yaml takes the settings as %+v", r)
	}
	in.Demand = growing(100, 100, 1)
	in.Demand.Periods[0].Mean = in.Demand.Periods[0].Peak
	in.Policy.MinReplicas = 20
	if p := made(t, in); !strings.HasSuffix(p.ReplicasYAML(), "    replicas: 20\n") {
		t.Errorf("a fixed number is written as\n%s", p.ReplicasYAML())
	}
}

func TestManyAtOnceAreFollowedByConcurrency(t *testing.T) {
	in := input(t)
	s := surface()
	s.Concurrency = 16
	in.Latency.Surface, in.SLO.P99 = s, 5
	p := made(t, in)
	if p.Scaling.Signal != "concurrency" || p.Scaling.Concurrency < 4 || !strings.Contains(p.ReplicasYAML(), "target: {concurrency: ") {
		t.Errorf("scaling is %+v", p.Scaling)
	}
	// Little's law: under way = rate × mean response
	d := p.Periods[3]
	r, _ := s.At(d.Replicas, d.Peak.High*0.9/p.Evidence.Law.At(float64(d.Replicas)))
	mean := r.Mean.Value*16*float64(d.Replicas)/p.Evidence.Law.At(float64(d.Replicas)) + in.Latency.Outside
	if want := p.Scaling.Requests * mean; d.Replicas == p.Scaling.Max && math.Abs(p.Scaling.Concurrency-want) > 0.01*want {
		t.Errorf("concurrency is %v, by Little's law %v", p.Scaling.Concurrency, want)
	}
}

func TestPagesNeedNothingElseAndEscape(t *testing.T) {
	in := input(t)
	in.Notes = []string{`<script>alert(1)</script>`}
	in.Demand.Periods[1].Events = []string{`</table><b>`}
	in.Stages[1].Name = `db"><i>`
	p := made(t, in)
	var page bytes.Buffer
	if err := p.WriteHTML(&page); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "</table><b>", `db"><i>`, "http://", "https://", " src=", "url(", "@import", "NaN", "Inf"} {
		if strings.Contains(page.String(), bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	for _, want := range []string{`id="slo"`, `id="traffic"`, `id="method"`, `id="evidence"`, `id="limits"`, `id="plan"`, `id="risks"`, `id="triggers"`, `id="expiry"`} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

func TestReadRefusesWhatIsNoPlan(t *testing.T) {
	text, err := json.Marshal(made(t, input(t)))
	if err != nil {
		t.Fatal(err)
	}
	for want, bad := range map[string]string{
		"not a capacity plan":   "plan",
		"of form 2":             strings.Replace(string(text), `"version":1`, `"version":2`, 1),
		"are missing":           `{"version":1}`,
		"through 1, 2, 3":       strings.Replace(string(text), `"curve":[{"replicas":1`, `"curve":[{"replicas":2`, 1),
		"no operations":         strings.Replace(string(text), `"per_request":2`, `"per_request":0`, 1),
		"more than 16777216":    strings.Repeat(" ", plan.MaxFileBytes+1),
		"the latency surface's": strings.Replace(string(text), `"utilization":[0.05`, `"utilization":[7`, 1),
	} {
		if _, err := plan.Read(strings.NewReader(bad)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, name := range []string{"whole", "plain"} {
		text, err := os.ReadFile("testdata/" + name + ".json")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := plan.Read(bytes.NewReader(text))
		if err != nil {
			return
		}
		if err := errors.Join(p.WriteHTML(io.Discard), p.WriteMarkdown(io.Discard)); err != nil {
			t.Fatal(err)
		}
		_ = p.HPA() + p.ReplicasYAML()
		_, _ = p.Grade([]capacity.Point{{N: 1.5, X: 3}}, nil)
	})
}

// TestSteps holds that the steps of a plan are its periods, joined where
// nothing changes.
func TestSteps(t *testing.T) {
	p := made(t, input(t))
	steps := p.Steps()
	if len(steps) < 3 || len(steps) >= len(p.Periods) {
		t.Fatalf("%d steps of %d periods", len(steps), len(p.Periods))
	}
	i := 0
	for _, s := range steps {
		if p.Periods[i].Label != s.From {
			t.Errorf("a step begins with %s, want %s", s.From, p.Periods[i].Label)
		}
		for ; i < len(p.Periods); i++ {
			d := p.Periods[i]
			if d.Replicas != s.Replicas || d.State() != s.State {
				t.Errorf("%s needs %d (%s), and lies in a step of %d (%s)", d.Label, d.Replicas, d.State(), s.Replicas, s.State)
			}
			if d.Peak.High > s.Peak || d.P99.Value > s.P99.Value {
				t.Errorf("%s: the step's peak is %v and its p99 %v, those of the period %v and %v", d.Label, s.Peak, s.P99.Value, d.Peak.High, d.P99.Value)
			}
			if d.Label == s.To {
				i++
				break
			}
		}
	}
	if i != len(p.Periods) {
		t.Errorf("the steps end before %s", p.Periods[i].Label)
	}
}
