package load_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/load"
)

func thresholds(t *testing.T, texts ...string) (all []load.Threshold) {
	t.Helper()
	for _, text := range texts {
		all = append(all, must[load.Threshold](t)(load.ParseThreshold(text)))
	}
	return all
}

// TestBrokenAnswersAreNone: a head and a piece of a body are neither a rate
// nor a time nor a status.
func TestBrokenAnswersAreNone(t *testing.T) {
	o := open(t, plan(t, raw(t, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc", true)), 100, 100*time.Millisecond)
	o.KeepGoing = true
	o.Thresholds = thresholds(t, "rate>=2/s", "goodput>=1/s", "p99<50ms", "errors<1%")
	var last load.Progress
	o.Progress = func(p load.Progress) { last = p }
	r := run(t, o)
	if r.Errors != 10 || r.ErrorKinds[load.KindClosed] != 10 || r.Rate != 0 || r.Goodput != 0 || len(r.Statuses) != 0 || r.Routes[0].Status != 0 {
		t.Errorf("rate %v, goodput %v, %d errors %v, statuses %v, routes %+v", r.Rate, r.Goodput, r.Errors, r.ErrorKinds, r.Statuses, r.Routes)
	}
	if !r.AllFailed() || !r.Response.Empty() || r.Passed() {
		t.Errorf("all failed: %v, response %+v, passed: %v", r.AllFailed(), r.Response, r.Passed())
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"10 requests in", " 0/s answered", "–", "rate>=2/s not met: 0.0/s", "rate>=1/s not met: 0.0/s", "p99<50ms not met: nothing was answered\n", "errors<1% not met: 100 %", "status none"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	if strings.Contains(text.String(), "generator's own lag") {
		t.Errorf("lag of no times in\n%s", text.String())
	}
	if v := last.SoFar.Verdicts; len(v) != 4 || v[0].OK || v[2].Why != "nothing was answered" || last.SoFar.Rate != 0 {
		t.Errorf("so far: %+v", last.SoFar)
	}
}

// TestRateIsOfRightAnswers: the threshold rate counts no wrong answers, though
// they are answers.
func TestRateIsOfRightAnswers(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wrong" {
			w.WriteHeader(500)
		}
	})
	o := open(t, plan(t, url, load.Request{Path: "/wrong"}, load.Request{Path: "/right"}), 100, time.Second)
	o.Thresholds = thresholds(t, "rate>=60/s", "rate>=40/s")
	var last load.Progress
	o.Progress = func(p load.Progress) { last = p }
	r := run(t, o)
	if r.Rate < 80 || r.Goodput > 55 || r.Verdicts[0].OK || !r.Verdicts[1].OK || r.Verdicts[1].Value != r.Goodput {
		t.Errorf("rate %v, goodput %v, %v", r.Rate, r.Goodput, r.Verdicts)
	}
	if v := last.SoFar.Verdicts; v[0].OK || !v[1].OK {
		t.Errorf("so far: %v, goodput %v", v, last.SoFar.Goodput)
	}
}

// TestJourneysAreCounted: journeys stand against journeys that were due, steps
// against nothing.
func TestJourneysAreCounted(t *testing.T) {
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/second" && r.URL.Query().Get("n") == "3" {
			w.WriteHeader(500)
		}
		fmt.Fprint(w, "{}")
	})
	o := plan(t, url, load.Request{Path: "/first", Then: []load.Request{{Path: "/second?n={{seq}}"}, {Path: "/third"}}})
	o.Progress = func(p load.Progress) {
		if p.Planned != 0 {
			t.Errorf("%v steps a second are due in %+v", p.Planned, p.Second)
		}
	}
	r := run(t, open(t, o, 50, 200*time.Millisecond))
	if r.Journeys == nil || r.Journeys.Ended != 10 || r.Journeys.Whole != 9 || r.Requests != 29 || r.Journeys.Rate > r.Planned+0.01 || r.Journeys.Rate < r.Planned/2 {
		t.Errorf("%d requests, journeys %+v", r.Requests, r.Journeys)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if want := " journeys ended of 50/s due, 1 error"; !strings.Contains(text.String(), want) {
		t.Errorf("no %q in\n%s", want, text.String())
	}
	if r := run(t, open(t, plan(t, url), 50, 40*time.Millisecond)); r.Journeys != nil {
		t.Errorf("journeys of single requests: %+v", r.Journeys)
	}
}
