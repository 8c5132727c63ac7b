package load

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// seen is a rung as a service with a quota of half a core for each of two
// replicas gives it when nothing limits it but a lock.
func seen(rate float64, met bool) Rung {
	r := &Result{
		Planned: rate, Goodput: min(rate, 200), Rate: min(rate, 200), Requests: int64(10 * rate), Elapsed: 10, InFlight: 2, CPU: 0.2, Cores: 2,
		Response: Summary{Mean: 0.02, P99: 0.04}, Service: Summary{Mean: 0.02}, Statuses: map[string]int64{"200": 1000}, ErrorKinds: map[Kind]int64{},
		ResponseTimes: newHistogram(), ServiceTimes: newHistogram(), LagTimes: newHistogram(),
		Server: &Server{
			Ready: Range{Mean: 2}, CPU: Range{Mean: 0.12}, InFlight: Range{Mean: 2}, Quota: 0.5, Throttling: &Throttling{Periods: 100},
			Machine:  &Machine{Cores: 4, Idle: 3, Gateway: 0.1},
			Replicas: []ServerReplica{{ID: "a", CPU: Range{Mean: 0.06}}, {ID: "b", CPU: Range{Mean: 0.06}}},
		},
	}
	rung := Rung{Rate: rate, Met: met, Result: r}
	if !met {
		rung.Why = "p99<100ms not met"
		r.InFlight, r.Server.InFlight.Mean, r.Response.Mean, r.Service.Mean = 64, 38, 0.34, 0.3
	}
	return rung
}

func TestNameBottleneck(t *testing.T) {
	for name, c := range map[string]struct {
		change func(over *Result)
		limit  Limit
		says   string
	}{
		"lock":  {func(*Result) {}, LimitWaiting, "replicas used only 12 % of their CPU while 38 requests waited in them: a lock"},
		"quota": {func(r *Result) { r.Server.CPU.Mean = 0.95 }, LimitReplicas, "they used 95 % of their quota"},
		"quota, after an idle second": {func(r *Result) {
			r.Server.CPU.Mean, r.Server.Seconds = 0.7, []ServerSecond{{CPU: 0.2}, {CPU: 0.9}, {CPU: 1}}
		}, LimitReplicas, "they used 95 % of their quota"},
		"throttled": {func(r *Result) {
			r.Server.CPU.Mean, r.Server.Throttling.Throttled = 0.6, 55
		}, LimitReplicas, "throttled in 55 % of the periods"},
		"throttled at a start, idle": {func(r *Result) { r.Server.Throttling.Throttled = 55 }, LimitWaiting, "only 12 %"},
		"one hot replica": {func(r *Result) {
			r.Server.CPU.Mean, r.Server.Replicas[1].CPU.Mean = 0.55, 0.49
		}, LimitReplicas, "the CPU of one replica of 2: it used 98 % of its quota, all together 55 %"},
		"no quota, replicas fill the machine": {func(r *Result) {
			r.Server.Quota, r.Server.CPU.Mean, r.Server.Machine.Idle = 0, 3.2, 0.2
		}, LimitReplicas, "the replicas' CPU: 3.20 of the machine's 4 cores"},
		"a quota that nothing enforces": {func(r *Result) {
			r.Server.CPU.Mean, r.Server.Machine.Idle = 3.2, 0.2
		}, LimitReplicas, "3.20 of the machine's 4 cores"},
		"gateway": {func(r *Result) {
			r.Server.Machine.Idle, r.Server.Machine.Gateway = 0.1, 2.5
		}, LimitGateway, "the gateway: 2.50 of the machine's 4 cores, of which nothing is left"},
		"generator":  {func(r *Result) { r.Server.Machine.Idle, r.CPU = 0.1, 3 }, LimitGenerator, "the generator: 3.00"},
		"neighbours": {func(r *Result) { r.Server.Machine.Idle = 0 }, LimitMachine, "other programs: 3.58"},
		"one thread": {func(r *Result) {
			r.Server.Quota, r.Server.CPU.Mean = 0, 1.96
			r.Server.Replicas[0].CPU.Mean, r.Server.Replicas[1].CPU.Mean = 0.98, 0.98
		}, LimitThread, "2 of 2 computed on one core"},
		"model's queue": {func(r *Result) { r.Server.Queue = Range{Mean: 0.2, Max: 0.3} }, LimitQueue, "the model's queue: a request waited 200 ms in it, of 300 ms in all"},
		"connections":   {func(r *Result) { r.Service.Mean = 0.021 }, LimitConnections, "took 21.0 ms as without load; raise --connections"},
		"refused": {func(r *Result) {
			r.Service.Mean, r.Errors, r.ErrorKinds[KindStatus] = 0.01, 900, 900
			r.Statuses = map[string]int64{"200": 2100, "429": 900}
		}, LimitRefused, "429 × 900)"},
		"another machine": {func(r *Result) { r.Server.Machine, r.Server.Quota = nil, 0 }, LimitWaiting, "replicas used only 0.12 cores"},
		"no service":      {func(r *Result) { r.Server = nil }, LimitUnknown, "nothing was seen of the target's own side"},
	} {
		k := &Knee{Rate: 180, Next: 200, Rungs: []Rung{seen(20, true), seen(180, true), seen(300, false)}}
		c.change(k.Rungs[2].Result)
		b := NameBottleneck(k)
		if b == nil || b.Limit != c.limit || !strings.Contains(b.Says, c.says) {
			t.Errorf("%s: %+v, want %s: %s", name, b, c.limit, c.says)
		} else if (b.Serial > 0) != (c.limit == LimitWaiting) || c.limit == LimitWaiting && b.Serial != 1.0/200 {
			t.Errorf("%s: each request holds it for %v", name, b.Serial)
		}
	}
}

// TestBottleneckOnABusyMachine: what other programs do all the time is not
// what a higher rate fails by.
func TestBottleneckOnABusyMachine(t *testing.T) {
	for name, c := range map[string]struct {
		before float64 // cores that are idle at the rate that is met
		used   float64 // by the replicas, above it
		limit  Limit
	}{
		"busy at every rate":                    {0, 0.12, LimitWaiting},
		"busy at the higher rate":               {3, 0.12, LimitMachine},
		"busy at every rate, the replicas, too": {0, 1.1, LimitMachine},
	} {
		k := &Knee{Rate: 180, Next: 200, Rungs: []Rung{seen(20, true), seen(180, true), seen(300, false)}}
		k.Rungs[1].Result.Server.Machine.Idle = c.before
		over := k.Rungs[2].Result.Server
		over.Machine.Idle, over.CPU.Mean, over.Quota = 0, c.used, 0
		if b := NameBottleneck(k); b.Limit != c.limit {
			t.Errorf("%s: %s, want %s", name, b.Says, c.limit)
		}
		again := seen(300, false)
		again.Result.Server.Machine.Idle = 3
		k.Rungs = slices.Insert(k.Rungs, 2, again)
		if b := NameBottleneck(k); b.Limit != LimitWaiting {
			t.Errorf("%s, and missed once on an idle machine: %s", name, b.Says)
		}
	}
}

func TestBottleneckEvidence(t *testing.T) {
	k := &Knee{Rate: 180, Next: 200, Rungs: []Rung{seen(20, true), seen(180, true), seen(300, false)}}
	got := strings.Join(NameBottleneck(k).Evidence, "\n")
	for _, want := range []string{
		"right answers: 200/s of 300/s, at most 200/s at any rate",
		"mean response: 340 ms at 300/s, 20.0 ms at 180/s",
		"each request would hold the bottleneck for 5.00 ms (1 / 200/s)",
		"requests in the service: 38.0 at 300/s, 2.0 at 180/s",
		"replicas' CPU: 0.12 cores, 12 % of their quota (2 × 0.5), never throttled",
		"the machine: 25 % of 4 cores in use; replicas 0.12, gateway 0.10, generator 0.20, others 0.58",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the evidence lacks %q:\n%s", want, got)
		}
	}
}

// TestBottleneckNone: what a search that found no limit, or not the target's,
// says.
func TestBottleneckNone(t *testing.T) {
	if b := NameBottleneck(&Knee{Rate: 20, Rungs: []Rung{seen(20, true)}}); b != nil {
		t.Errorf("all rates were met, and yet: %+v", b)
	}
	void := seen(300, false)
	void.Result.Void = true
	b := NameBottleneck(&Knee{Rate: 20, Void: "the generator was late", Rungs: []Rung{seen(20, true), void}})
	if b == nil || b.Limit != LimitGenerator || b.Says != "the generator was late" {
		t.Errorf("void: %+v", b)
	}
	slow := seen(20, false)
	slow.Result.Server.InFlight.Mean, slow.Result.InFlight = 1, 1
	if b := NameBottleneck(&Knee{Next: 20, Rungs: []Rung{slow}}); b == nil || b.Limit != LimitSlow {
		t.Errorf("slow without load: %+v", b)
	}
}

// TestBottleneckRung: where a target fell apart its figures say little, and
// the rung below is taken.
func TestBottleneckRung(t *testing.T) {
	fallen := seen(450, false)
	fallen.Result.Goodput, fallen.Result.Server.CPU.Mean = 10, 1
	k := &Knee{Rate: 180, Next: 300, Rungs: []Rung{seen(180, true), fallen, seen(300, false)}}
	if b := NameBottleneck(k); b.Limit != LimitWaiting || !strings.Contains(b.Evidence[0], "of 300/s") {
		t.Errorf("judged by the wrong rung: %+v", b)
	}
	k.Rungs = k.Rungs[:2]
	if b := NameBottleneck(k); b.Limit != LimitReplicas {
		t.Errorf("with nothing else, the one that fell apart: %+v", b)
	}
}

func TestCollapse(t *testing.T) {
	rung := func(rate, right float64, quiet ...float64) Rung {
		r := seen(rate, rate <= 100)
		r.Result.Goodput = right
		for i, q := range quiet {
			r.Result.Seconds = append(r.Result.Seconds, Second{At: float64(i + 1), Length: 1, Right: int64(q), InFlight: 10})
		}
		return r
	}
	for name, c := range map[string]struct {
		rungs []Rung
		want  string
	}{
		"holds":      {[]Rung{rung(100, 100), rung(200, 98)}, ""},
		"less":       {[]Rung{rung(100, 100), rung(150, 60), rung(200, 40)}, "of 200/s only 40/s were answered rightly, though it had been 100/s at a lower rate"},
		"quiet":      {[]Rung{rung(100, 100), rung(200, 90, 5, 0, 0, 0, 5)}, "; none for 3.0 s"},
		"hiccups":    {[]Rung{rung(100, 100), rung(200, 90, 5, 0, 0, 5, 0, 0)}, ""},
		"from first": {[]Rung{rung(200, 0, 0, 0, 0, 0)}, "of 200/s only 0/s were answered rightly; none for 4.0 s"},
	} {
		got := ""
		if found := (&Knee{Rungs: c.rungs}).worstCollapse(); found != nil {
			got = found.String()
		}
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestKneeKept: the result that is kept is of the highest rate that met the
// SLO, with the search and its gate.
func TestKneeKept(t *testing.T) {
	k := &Knee{Rate: 180, Next: 300, Rungs: []Rung{seen(20, true), seen(180, true), seen(300, false)}}
	k.Bottleneck = NameBottleneck(k)
	r := k.Result(200)
	if r.Planned != 180 || r.Knee.Bottleneck.Limit != LimitWaiting || len(r.Knee.Rungs) != 3 || r.Knee.Rungs[2].CPU != 0.12 || r.Passed() {
		t.Errorf("kept: %+v", r.Knee)
	}
	if said := r.Verdicts[0].String(); said != "knee>=200/s not met: 180/s" {
		t.Errorf("the gate says %q", said)
	}
	if k.Rungs[1].Result.Knee != nil || !k.Result(180).Passed() || len(k.Result(0).Verdicts) != 0 {
		t.Error("the gate is wrong, or the search's own result was changed")
	}
	var text bytes.Buffer
	if err := r.Knee.WriteText(&text); err != nil || !strings.Contains(text.String(), "180/s meets the SLO, 300/s does not\nbottleneck: something that all requests wait for") {
		t.Errorf("%v:\n%s", err, &text)
	}
	k.Recovery = &Recovery{Rate: 36, After: 10.4, Requests: 120, Why: "timeouts"}
	if k.Gate(100).OK || k.Recovery.String() != "does not recover: 0 of 120 requests answered 10 s after the load ended; timeouts" {
		t.Errorf("a target that does not recover passes: %s", k.Recovery)
	}
	if data, err := json.Marshal(k); err != nil || !bytes.Contains(data, []byte(`"limit":"waiting"`)) {
		t.Errorf("%s (%v)", data, err)
	}
	if (&Knee{}).Result(5) != nil {
		t.Error("nothing was measured, and yet there is a result")
	}
}
