package console_test

import (
	"strings"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/load"
)

// TestKneeWithoutJavaScript: a search tells its bottleneck with the evidence,
// and whether the service came back.
func TestKneeWithoutJavaScript(t *testing.T) {
	p := tested(t, shop(), 0)
	r := measured(t, time.Millisecond)
	r.StartedAt, r.Notes = time.Now(), []string{"the log holds no queries"}
	r.Routes = []load.RouteResult{{Name: "ModelInfer iris", Status: 200, Code: "UNAVAILABLE", Requests: 5, Errors: 5}}
	r.Knee = &load.KneeSummary{
		Rate: 180, Next: 200, Bottleneck: &load.Bottleneck{Limit: load.LimitWaiting, Says: "something that all requests wait for", Evidence: []string{"mean response: 340 ms at 300/s"}},
		Collapse: &load.Collapse{Rate: 300, Right: 4, Most: 180}, Recovery: &load.Recovery{Requests: 120, After: 10},
		Rungs: []load.RungSummary{{Rate: 180, Met: true, Goodput: 180, P99: 0.02}, {Rate: 300, Why: "p99<100ms not met", Goodput: 4, Errors: 0.25, P99: 2}},
	}
	knee := detailOf(t, r, 9)
	knee.Knee = &r.Knee.Rate
	p.loads = append(p.loads[:0:0], append(p.loads, knee)...)
	h := pages(t, p)
	for path, wants := range map[string][]string{
		predictorLoads + knee.ID: {"knee 180/s (open model)", "180/s meets the SLO, 200/s does not. Bottleneck: something that all requests wait for. It breaks down: of 300/s only 4",
			"It does not recover: 0 of 120 requests answered", "mean response: 340 ms at 300/s", "300/s missed 4.0/s 25 %", "ModelInfer iris UNAVAILABLE 5 5", "the log holds no queries."},
		"/load": {"knee 180/s"},
	} {
		text := get(t, h, path).main()
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not say %q:\n%s", path, want, text)
			}
		}
	}
}
