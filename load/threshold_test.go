package load

import (
	"math"
	"strings"
	"testing"
)

func TestThresholds(t *testing.T) {
	r := &Result{Requests: 1000, Errors: 10, Rate: 900, Goodput: 499.9, ResponseTimes: newHistogram(), ServiceTimes: newHistogram()}
	for i := int64(1); i <= 1000; i++ {
		r.ResponseTimes.record(i*1e5, 1) // 0.1 ms to 100 ms
		r.ServiceTimes.record(1e6, 1)
	}
	r.Response, r.Service = r.ResponseTimes.Summary(), r.ServiceTimes.Summary()
	for text, want := range map[string]bool{
		"p50<51ms": true, "p50<49ms": false, "p99 < 0.1s": true, "p99.9<99ms": false, "p999<=101ms": true, "p99.99<=110ms": true,
		"max<=100ms": true, "max<100ms": false, "mean<50.1ms": true, "min>0.09ms": true,
		"service.p99<2ms": true, "response.p99<2ms": false,
		"errors<1%": false, "errors<=1%": true, "errors<0.02": true,
		"rate>=500/s": false, "rate>499": true, "goodput>=500/s": false, "goodput>=499/s": true,
	} {
		threshold, err := ParseThreshold(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if v := threshold.check(r); v.OK != want {
			t.Errorf("%s: %v, want %v", text, v, want)
		}
	}
	for text, want := range map[string]string{
		"p99": "no < or >", "<5ms": "no < or >", "p99<5": "no limit for p99", "p100<5ms": "no limit", "p0<5ms": "no limit",
		"errors<x%": "no limit", "speed>5": `no "speed" to compare`, "p99<-5ms": "no limit", "rate>NaN": "no limit",
	} {
		if _, err := ParseThreshold(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gives %v, want %q", text, err, want)
		}
	}
}

func TestThresholdWithoutAnswers(t *testing.T) {
	check := func(text string, r *Result) Verdict {
		threshold, err := ParseThreshold(text)
		if err != nil {
			t.Fatal(err)
		}
		return threshold.check(r)
	}
	r := &Result{Requests: 3, Errors: 3, ResponseTimes: newHistogram(), ServiceTimes: newHistogram()}
	if v := check("p99<1s", r); v.OK || v.String() != "p99<1s not met: nothing was answered" {
		t.Errorf("of no answers at all: %+v, %s", v, v)
	}
	r.ResponseTimes.record(1e6, 3)
	if v := check("max<1s", r); v.OK || v.String() != "max<1s not met: nothing was answered rightly" {
		t.Errorf("of wrong answers: %+v, %s", v, v)
	}
	if v := check("errors<1%", r); v.OK || v.String() != "errors<1% not met: 100 %" {
		t.Errorf("of their share: %+v, %s", v, v)
	}
	if r.Errors = 2; !check("p99<1s", r).OK || r.AllFailed() {
		t.Error("one right answer is not enough")
	}
}

func TestHopeless(t *testing.T) {
	for _, c := range []struct {
		text              string
		over, errors, due int64
		want              bool
	}{
		{"p99<50ms", 10, 0, 1000, false}, {"p99<50ms", 11, 0, 1000, true}, {"max<50ms", 1, 0, 1000, true}, {"max<50ms", 0, 0, 1000, false},
		{"errors<1%", 0, 9, 1000, false}, {"errors<1%", 0, 10, 1000, true}, {"errors<=1%", 0, 10, 1000, false},
		{"service.p99<1ms", 1000, 0, 1000, false}, {"rate>5", 0, 1000, 1000, false}, {"p99<50ms", 5, 0, 0, false},
	} {
		threshold, err := ParseThreshold(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := threshold.hopeless(c.over, c.errors, c.due); got != c.want {
			t.Errorf("%s with %d over, %d errors of %d: %v", c.text, c.over, c.errors, c.due, got)
		}
	}
}

func TestHistogram(t *testing.T) {
	h := newHistogram()
	if h.At(0.5) != 0 || h.Mean() != 0 || h.Summary() != (Summary{}) {
		t.Error("an empty histogram has values")
	}
	for i := int64(1); i <= 100_000; i++ {
		h.record(i*1000, 1) // 1 µs to 100 ms
	}
	for q, want := range map[float64]float64{0.5: 0.05, 0.9: 0.09, 0.99: 0.099, 0.999: 0.0999, 0.9999: 0.09999} {
		if got := h.At(q); math.Abs(got/want-1) > 0.001 {
			t.Errorf("p%v is %v, want %v", 100*q, got, want)
		}
	}
	if s := h.Summary(); s.Min != 1e-6 || s.Max != 0.1 || math.Abs(s.Mean-0.0500005) > 1e-12 {
		t.Errorf("%+v", s)
	}
	text, err := h.encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := decodeHistogram(text)
	if err != nil || back.Count() != h.Count() || back.At(0.99) != h.At(0.99) {
		t.Errorf("it comes back with %v (%v)", back, err)
	}
	curve := h.Curve()
	if last := curve[len(curve)-1]; last.Share != 1 || math.Abs(last.Seconds-0.1) > 1e-4 {
		t.Errorf("the curve ends at %v", last)
	}
	h.record(math.MaxInt64, 1)
	h.record(-5, 1)
	if s := h.Summary(); s.Min != 0 || s.Max != MaxDuration.Seconds() {
		t.Errorf("beyond the bounds it holds %+v", s)
	}
}

func TestVoid(t *testing.T) {
	fine := func() *Result {
		r := &Result{Cores: 2, CPU: 0.5, LagTimes: newHistogram()}
		r.LagTimes.record(1, 1)
		r.Response.P99, r.Lag.P99 = 0.010, 0.0049
		return r
	}
	for name, c := range map[string]struct {
		change func(*Result)
		want   string
	}{
		"fine":                    {func(*Result) {}, ""},
		"late":                    {func(r *Result) { r.Lag.P99 = 0.0051 }, "late: p99 5.1 ms of lag, over 5.0 ms"},
		"late, beside long times": {func(r *Result) { r.Lag.P99, r.Response.P99 = 0.050, 0.9 }, ""},
		"late, even so":           {func(r *Result) { r.Lag.P99, r.Response.P99 = 0.095, 0.9 }, "over 90.0 ms"},
		"busy":                    {func(r *Result) { r.CPU = 1.9 }, "used 1.90 of 2 cores"},
		"nothing":                 {func(r *Result) { r.LagTimes.reset() }, "nothing was sent"},
	} {
		r := fine()
		c.change(r)
		r.judge(DefaultMaxLag)
		if r.Void != (c.want != "") || !strings.Contains(r.VoidReason, c.want) {
			t.Errorf("%s: void %v because %q, want %q", name, r.Void, r.VoidReason, c.want)
		}
	}
}
