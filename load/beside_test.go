package load_test

import (
	"strings"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/load"
)

func TestBeside(t *testing.T) {
	a := reported(t)
	other := *a
	b := &other
	same := must[*load.StoredComparison](t)(load.Beside(a, b))
	if len(same.Doubts) != 0 || same.Limits != load.StoredLimits {
		t.Errorf("a result beside itself: %q", same.Doubts)
	}
	intervals := 0
	for _, d := range same.Rows {
		if d.Change == nil || *d.Change != 0 || d.A != d.B {
			t.Errorf("%s differs from itself: %+v", d.Metric, d)
		}
		if d.CI95 != nil {
			intervals++
		}
	}
	if intervals != 4 {
		t.Errorf("%d intervals, want those of four percentiles", intervals)
	}
	b.Target, b.Protocol, b.Model, b.Clients, b.Planned, b.Cores, b.Stopped = "http://127.0.0.1:1/", "gRPC", "closed", 16, 0, a.Cores+1, "interrupted"
	b.StartedAt, b.Routes, b.Rate = a.StartedAt.Add(75*time.Hour), []load.RouteResult{{Name: "GET /other"}}, 2*a.Rate
	a.Server, b.Server = &load.Server{CPU: load.Range{Mean: 1}}, &load.Server{CPU: load.Range{Mean: 1.5}, Memory: 5}
	a.Knee, b.Knee = &load.KneeSummary{Rate: 100}, &load.KneeSummary{Rate: 90}
	apart := must[*load.StoredComparison](t)(load.Beside(a, b))
	said := strings.Join(apart.Doubts, "\n")
	for _, want := range []string{"B ended early: interrupted", "not asked for the same load", "B 16 clients", "not send the same requests", "different addresses", "different protocols",
		"different machines", "run 3 days apart"} {
		if !strings.Contains(said, want) {
			t.Errorf("the doubts lack %q:\n%s", want, said)
		}
	}
	changes := map[string]float64{"achieved": 1, "CPU of the replicas, mean": 0.5, "knee": -0.1}
	for _, d := range apart.Rows {
		if want, asked := changes[d.Metric]; asked && (d.Change == nil || *d.Change-want > 1e-9 || want-*d.Change > 1e-9) {
			t.Errorf("%s: %+v, want a change of %v", d.Metric, d, want)
		}
		if d.Metric == "memory, most" && d.Change != nil {
			t.Errorf("a change from nothing: %v", *d.Change)
		}
	}
}
