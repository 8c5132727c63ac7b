package measure_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/capacity"
	"github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/measure"
)

func measured(t *testing.T, f *fake, o measure.Options) *measure.Evidence {
	t.Helper()
	if f.stages == nil {
		f.stages = make(map[string]float64)
	}
	f.stages["nothing"] = 9000
	e, err := measure.Measure(t.Context(), f, o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func refused(t *testing.T, f *fake, o measure.Options, code greenlight.Code, reason string) {
	t.Helper()
	f.stages = map[string]float64{"nothing": 9000}
	_, err := measure.Measure(t.Context(), f, o)
	if err == nil || greenlight.CodeOf(err) != code || !strings.Contains(err.Error(), reason) {
		t.Errorf("Measure = %v (%s), want %s with %q", err, greenlight.CodeOf(err), code, reason)
	}
}

func near(a, b, share float64) bool { return math.Abs(a-b) <= share*math.Abs(b) }

func noted(e *measure.Evidence, text string) bool {
	return slices.ContainsFunc(e.Notes, func(n string) bool { return strings.Contains(n, text) })
}

func stage(e *measure.Evidence, name string) *plan.Stage {
	for i := range e.Stages {
		if e.Stages[i].Name == name {
			return &e.Stages[i]
		}
	}
	return nil
}

func TestReplicasThatOnlyCompute(t *testing.T) {
	e := measured(t, &fake{cost: 0.003}, options())
	if len(e.Runs) != 12 || e.Repeated != 0 {
		t.Errorf("%d runs counted, %d were repeated; want 12 and 0", len(e.Runs), e.Repeated)
	}
	for _, m := range e.Measurements() {
		if !near(m.X, 50*m.N, 1e-9) {
			t.Errorf("%v replicas carry %v, want %v", m.N, m.X, 50*m.N)
		}
	}
	if s := stage(e, measure.Hidden); s != nil {
		t.Errorf("found %+v, which is not there", s)
	}
	if l := e.Larger; l == nil || l.Replicas != 4 || l.Cores != 0.3 || !near(l.As, 8, 1e-9) || !near(l.X, 400, 1e-9) || l.Runs != 3 || !near(l.Deviation, 0.04, 1e-9) {
		t.Errorf("larger replicas: %+v, want 4 of 0.3 cores that carry 400 as 8 would", l)
	}
	if !noted(e, "nothing that they share gave way up to 400/s") {
		t.Errorf("notes: %q", e.Notes)
	}
	if s := stage(e, "gateway"); s == nil || s.Ceiling != 9000 || s.Low >= 9000 || s.High <= 9000 {
		t.Errorf("gateway: %+v", s)
	}
	if e.Parallel() != 1 {
		t.Errorf("a replica that computes works on %d at once", e.Parallel())
	}
}

// What a request waits for its quota is no work of the replica: the time of a
// request is measured with a core, and the rest with the quota.
func TestServiceTimeWithoutThrottling(t *testing.T) {
	f := &fake{cost: 0.003, throttle: 0.09}
	e := measured(t, f, options())
	if !near(e.Light.Mean, 0.004, 1e-9) || e.Light.Quota != 1 || e.Parallel() != 1 {
		t.Errorf("a request takes %v s of a replica with %v cores that works on %d at once, want 0.004, 1 and 1", e.Light.Mean, e.Light.Quota, e.Parallel())
	}
	if e.Quota != 0.15 || e.Rising[0].Quota != 0.15 || !near(e.Rising[len(e.Rising)-1].Rate, 50, 1e-9) {
		t.Errorf("after it, a replica of %v cores carries %v", e.Rising[0].Quota, e.Rising[len(e.Rising)-1].Rate)
	}
	for _, a := range f.asked {
		if a.Rate > 0 && (!near(a.Rate, 10, 1e-9) || a.Duration != 10*second) {
			t.Errorf("with little to do: %+v; want 10/s, and for long enough to see 300, up to ten runs", a)
		}
	}
}

// A lock that shows at 8 replicas and not at 4 is found by larger ones, so the
// plan's prediction is the lock's; the law alone misses it.
func TestHiddenLock(t *testing.T) {
	e := measured(t, &fake{cost: 0.003, ceiling: 285}, options())
	s := stage(e, measure.Hidden)
	if s == nil || !near(s.Ceiling, 285, 1e-9) || e.Larger != nil {
		t.Fatalf("found %+v; notes %q", s, e.Notes)
	}
	var points []capacity.Point
	for _, m := range e.Measurements() {
		points = append(points, capacity.Point{N: m.N, X: m.X})
	}
	fit, err := capacity.FitLaw(points)
	if err != nil {
		t.Fatal(err)
	}
	if alone := fit.At(8) / 285; alone < 1.39 {
		t.Errorf("the law alone is off by %v: the test shows nothing", alone)
	}
}

func TestAStageThatIsNamedIsNotFoundAgain(t *testing.T) {
	o := options()
	o.Stages = []string{"database"}
	e := measured(t, &fake{cost: 0.003, ceiling: 285, stages: map[string]float64{"database": 287}}, o)
	if s := stage(e, measure.Hidden); s != nil {
		t.Errorf("found %+v beside the database", s)
	}
	if s := stage(e, "database"); s == nil || !near(s.Ceiling, 285, 1e-9) || s.High < 290 || !noted(e, "the ceiling of the stage database") {
		t.Errorf("database: %+v; notes %q", s, e.Notes)
	}
}

// A stage gets no more clients than it takes, and that is said where it may
// carry more with more of them.
func TestStageWithLittleRoom(t *testing.T) {
	for name, c := range map[string]struct {
		ceiling, found float64
		room           int
		noted          bool
	}{
		"too little": {ceiling: 9000, room: 6, found: 6000, noted: true},
		"hardly any": {ceiling: 9000, room: 2, found: 2000, noted: true},
		"enough":     {ceiling: 3000, room: 6, found: 3000},
		"any":        {ceiling: 9000, found: 9000},
	} {
		o := options()
		o.Stages = []string{"database"}
		f := &fake{cost: 0.003, stages: map[string]float64{"database": c.ceiling}, room: map[string]int{"database": c.room}}
		e := measured(t, f, o)
		if s := stage(e, "database"); s == nil || !near(s.Ceiling, c.found, 1e-9) || noted(e, "The stage database had at most") != c.noted {
			t.Errorf("%s room: %+v; notes %q; want %v", name, s, e.Notes, c.found)
		}
		for _, a := range f.asked {
			if a.Stage == "database" && c.room > 0 && a.Clients > c.room {
				t.Errorf("%s room: %d clients", name, a.Clients)
			}
		}
	}
}

// Clients that get into each other's way do not lower a ceiling.
func TestCrowdedStage(t *testing.T) {
	o := options()
	o.Stages = []string{"database"}
	e := measured(t, &fake{cost: 0.003, stages: map[string]float64{"database": 9000}, crowd: map[string]int{"database": 64}}, o)
	if s := stage(e, "database"); s == nil || !near(s.Ceiling, 9000, 1e-9) {
		t.Errorf("database: %+v", s)
	}
}

// A ceiling that scatters is measured a few times more; one that does not, is
// not.
func TestStageThatScatters(t *testing.T) {
	const search = 3 // runs: with 4 clients, 16 and 64
	for name, c := range map[string]struct {
		shares []float64
		runs   int
		wide   bool
	}{
		"steady":    {[]float64{1, 0.99, 1.01, 1, 0.98, 1}, 6, false},
		"disturbed": {[]float64{0.5, 0.6, 0.7, 1, 0.8, 1.1, 1.05, 1.05}, 8, false},
		"wild":      {[]float64{0.5, 0.9, 1, 2, 0.8, 3, 0.4, 4, 0.7}, 9, true},
	} {
		o := options()
		o.Stages = []string{"database"}
		f := &fake{cost: 0.003, stages: map[string]float64{"database": 9000}, swing: func(run int) float64 {
			if run < search || run-search >= len(c.shares) {
				return 1
			}
			return c.shares[run-search]
		}}
		s := stage(measured(t, f, o), "database")
		if s == nil || f.swings-search != c.runs || s.Interval() > plan.MostStageInterval != c.wide {
			t.Errorf("%s: %+v after %d runs, want %d", name, s, f.swings-search, c.runs)
		}
	}
}

// What failed of a database is said in its own words.
func TestStageThatFails(t *testing.T) {
	o := options()
	o.Stages = []string{"database"}
	f := &fake{cost: 0.003, broken: map[string]string{"database": "checkout.sql: deadlock detected"}}
	refused(t, f, o, greenlight.CodeUnavailable, "the measurement is void: stage database with 4 clients: 50.0 % of the operations failed: checkout.sql: deadlock detected")
}

func starve(r *measure.Reading) {
	r.Idle = 0
	for i := range r.Replica {
		r.Replica[i] *= 0.7
	}
}

func TestRunsThatShowSomethingElse(t *testing.T) {
	o := options()
	f := &fake{cost: 0.003, disturb: func(run int, r *measure.Reading) {
		if run%4 == 2 {
			starve(r)
		}
	}}
	if e := measured(t, f, o); e.Repeated == 0 || len(e.Runs) != 12 {
		t.Errorf("%d runs, %d repeated", len(e.Runs), e.Repeated)
	}
	refused(t, &fake{cost: 0.003, disturb: func(_ int, r *measure.Reading) { starve(r) }}, o,
		greenlight.CodeUnavailable, "replicas got only 70 % of their quota, and no core was idle")
	refused(t, &fake{cost: 0.003, disturb: func(_ int, r *measure.Reading) { r.Void = "the generator was late" }}, o,
		greenlight.CodeUnavailable, "the generator was late")
	refused(t, &fake{cost: 0.003, disturb: func(_ int, r *measure.Reading) { r.Errors = 0.02 }}, o,
		greenlight.CodeUnavailable, "2.0 % of the requests failed")
	refused(t, &fake{cost: 0.003, gateway: 0.005}, o, greenlight.CodeUnavailable, "the gateway used 1.00 of a core")
	refused(t, &fake{cost: 0.003, unheld: true}, o, greenlight.CodeUnavailable, "nothing holds them to it")
}

func TestRoundsThatLieApart(t *testing.T) {
	swing := func(share func(run int) float64) *fake {
		return &fake{cost: 0.003, disturb: func(run int, r *measure.Reading) { r.Rate *= share(run) }}
	}
	once := swing(func(run int) float64 {
		if run == 7 {
			return 0.6
		}
		return 1
	})
	e := measured(t, once, options())
	if len(e.Runs) != 12 || !noted(e, "1 of 4 runs lay far from the others and were left out (") || !noted(e, "more than 10 %, so the 3 that lie closest together count; a quarter at most is left out") {
		t.Errorf("%d runs; notes %q", len(e.Runs), e.Notes)
	}
	refused(t, swing(func(run int) float64 { return 0.4 + 0.15*float64(run%7) }), options(), greenlight.CodeUnavailable, "the rounds scatter by")
}

// Too few clients look like replicas that wait; twice as many tell.
func TestTooFewClients(t *testing.T) {
	o := options()
	o.Clients = 2
	e := measured(t, &fake{cost: 0.003, perSlot: 20}, o)
	if e.Clients < 4 {
		t.Errorf("%d clients for each replica", e.Clients)
	}
	for _, r := range e.Runs {
		if !near(r.Rate, 50*float64(r.N), 1e-9) {
			t.Errorf("%d replicas with %d clients: %v/s", r.N, r.Clients, r.Rate)
		}
	}
}

// Where nobody says how many cores, they are few enough for twice the replicas.
func TestQuotaThatFits(t *testing.T) {
	o := options()
	o.Quota = 0
	if e := measured(t, &fake{cost: 0.003, gateway: 1e-5}, o); e.Quota != 0.15 {
		t.Errorf("quota %v, want 0.15", e.Quota)
	}
	e := measured(t, &fake{cost: 30e-6, gateway: 40e-6, perSlot: 1e5}, o)
	if at8 := 8 * e.Quota / 30e-6 * 40e-6; at8 > 0.7 || at8 < 0.4 {
		t.Errorf("quota %v: the gateway would use %v cores for 8 replicas", e.Quota, at8)
	}
	refused(t, &fake{cost: 0.003, unheld: true}, o, greenlight.CodeUnsupported, "no control groups")
	o.Quota = 1
	refused(t, &fake{cost: 0.003}, o, greenlight.CodeInvalid, "4 replicas of 1 cores do not fit on this machine's 2 cores")
}

func TestOrderDiffersByRound(t *testing.T) {
	f := &fake{cost: 0.003}
	e := measured(t, f, options())
	var orders [][]int
	for round := 1; round <= 3; round++ {
		var order []int
		for _, r := range e.Runs {
			if r.Round == round {
				order = append(order, r.N)
			}
		}
		if s := slices.Sorted(slices.Values(order)); !slices.Equal(s, []int{1, 2, 3, 4}) {
			t.Errorf("round %d has %v", round, order)
		}
		orders = append(orders, order)
	}
	if slices.Equal(orders[0], orders[1]) && slices.Equal(orders[1], orders[2]) {
		t.Errorf("every round goes %v", orders[0])
	}
}

func TestAgain(t *testing.T) {
	o := options()
	o.Replicas, o.Clients = []int{8}, 16
	f := &fake{cost: 0.003, ceiling: 285, quota: 0.15}
	e, err := measure.Again(t.Context(), f, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Runs) != 3 || e.Runs[0].N != 8 || !near(e.Runs[0].Rate, 285, 1e-9) || !noted(e, "they wait for something") {
		t.Errorf("runs %+v, notes %q", e.Runs, e.Notes)
	}
}

func TestOptions(t *testing.T) {
	for name, change := range map[string]func(*measure.Options){
		"no replicas": func(o *measure.Options) { o.Replicas = nil },
		"falling":     func(o *measure.Options) { o.Replicas = []int{4, 2, 1} },
		"too many":    func(o *measure.Options) { o.Replicas = []int{1, 2, 65} },
		"no rounds":   func(o *measure.Options) { o.Rounds = 0 },
		"no time":     func(o *measure.Options) { o.Duration = 0 },
		"clients":     func(o *measure.Options) { o.Clients = -1 },
		"attempts":    func(o *measure.Options) { o.Attempts = -1 },
	} {
		o := options()
		change(&o)
		if _, err := measure.Measure(t.Context(), &fake{cost: 0.003}, o); greenlight.CodeOf(err) != greenlight.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestProgressNamesTheGateway holds that nobody reads the name of the service
// that the gateway is measured with.
func TestProgressNamesTheGateway(t *testing.T) {
	var lines []string
	o := options()
	o.Progress = func(line string) { lines = append(lines, line) }
	measured(t, &fake{cost: 0.003}, o)
	said := strings.Join(lines, "\n")
	if !strings.Contains(said, "the gateway alone: at most") || strings.Contains(said, "stage "+o.Gateway) {
		t.Errorf("progress:\n%s", said)
	}
}
