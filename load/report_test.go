package load_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/greenlight-dev/greenlight/load"
)

// reported is a result with an awkward name and a threshold that is missed.
func reported(t *testing.T) *load.Result {
	t.Helper()
	url := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "x") })
	o := plan(t, url, load.Request{Path: "/", Name: `<script>alert("x")</script>`})
	o.KeepGoing, o.MaxLag = true, time.Minute // what a void run looks like has cases of its own
	for _, text := range []string{"p99<1ns", "errors<1%", "rate>1/s"} {
		o.Thresholds = append(o.Thresholds, must[load.Threshold](t)(load.ParseThreshold(text)))
	}
	return run(t, open(t, o, 50, 2100*time.Millisecond))
}

func TestReports(t *testing.T) {
	r := reported(t)
	var page, junit, prom, text bytes.Buffer
	for _, write := range []error{r.WriteHTML(&page), r.WriteJUnit(&junit), r.WritePrometheus(&prom), r.WriteText(&text)} {
		if write != nil {
			t.Fatal(write)
		}
	}
	checkPage(t, page.String())

	var suite struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Cases    []struct {
			Name    string    `xml:"name,attr"`
			Failure *struct{} `xml:"failure"`
		} `xml:"testcase"`
	}
	if err := xml.Unmarshal(junit.Bytes(), &suite); err != nil || suite.Tests != 4 || suite.Failures != 1 || suite.Cases[1].Failure == nil || suite.Cases[2].Failure != nil {
		t.Errorf("%+v (%v) from\n%s", suite, err, &junit)
	}
	for _, want := range []string{"\ngreenlight_load_requests{target=\"", "} 105\n", `quantile="0.9999"}`, "greenlight_load_response_seconds_count{target=", `",request="<script>alert(\"x\")</script>",status="200"} 105` + "\n", "# TYPE greenlight_load_lag_seconds summary\n"} {
		if !strings.Contains(prom.String(), want) {
			t.Errorf("the metrics lack %q:\n%s", want, &prom)
		}
	}
	for _, want := range []string{"105 requests in 2.1 s", "p99<1ns not met", "errors<1% met: 0 %", "status 200 × 105"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, &text)
		}
	}
}

// checkPage: the report is whole, needs no other file, runs nothing, and its
// pictures have lines and names.
func checkPage(t *testing.T, page string) {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	counts := make(map[string]int)
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		counts[n.Data]++
		for _, a := range n.Attr {
			if a.Key == "src" || a.Key == "href" || strings.HasPrefix(a.Key, "on") {
				t.Errorf("<%s %s=%q>: the report needs something else", n.Data, a.Key, a.Val)
			}
			if a.Key == "class" && strings.HasPrefix(a.Val, "line ") {
				counts["line"]++
			}
			if a.Key == "d" && !strings.HasPrefix(a.Val, "M") {
				t.Errorf("a line without points: %q", a.Val)
			}
		}
	}
	if counts["script"] != 0 || counts["figure"] != 3 || counts["line"] != 2*6 || counts["table"] < 3 {
		t.Errorf("the page holds %v", counts)
	}
	if strings.Contains(page, "NaN") || strings.Contains(page, "Inf") || !strings.Contains(page, "&lt;script&gt;") {
		t.Error("a number or a name is not written rightly")
	}
}

// TestReportHeadings holds that a report begins with what came of the test.
func TestReportHeadings(t *testing.T) {
	r := reported(t)
	met := []load.Verdict{{Threshold: "p99<50ms", Value: 0.0042, OK: true}}
	for _, test := range []struct {
		name   string
		change func(*load.Result)
		state  string
		want   []string
	}{
		{"met", func(r *load.Result) { r.Verdicts = met }, "go", []string{"<h1>All thresholds are met. Half of the requests took up to ", "4.20 ms <span class=\"pill go\">met</span>"}},
		{"not met", func(*load.Result) {}, "stop", []string{"<h1>Not met: p99&lt;1ns (it is ", "pill stop"}},
		{"errors", func(r *load.Result) { r.Verdicts, r.Errors, r.Requests = nil, 5, 200 }, "hold", []string{"<h1>2.5 % of the requests failed; half took", "5 errors in 200 requests"}},
		{"most fail", func(r *load.Result) { r.Verdicts, r.Errors, r.Requests = nil, 101, 201 }, "stop", []string{"<h1>50.2 % of the requests failed.</h1>"}},
		{"all fail", func(r *load.Result) {
			r.Verdicts, r.Errors, r.Response, r.ErrorKinds = nil, r.Requests, load.Summary{}, map[load.Kind]int64{load.KindRefused: 105}
		}, "stop", []string{"<h1>None of the requests was answered rightly.</h1>", "<b>All 105 requests failed: connection refused × 105.</b> No time could be measured.", "<b>–</b><span>p99: 99 of 100 took"}},
		{"void", func(r *load.Result) { r.Void, r.VoidReason = true, "the generator was late" }, "stop", []string{"<h1>Void: this shows the generator, not the target.</h1>", "the generator was late. The figures below do not describe the target."}},
		{"stopped", func(r *load.Result) { r.Verdicts, r.Stopped = met, "the target is down" }, "stop", []string{"Stopped early: the target is down."}},
		{"knee", func(r *load.Result) {
			r.Verdicts = met
			r.Knee = &load.KneeSummary{Rate: 96, Next: 101, Rungs: []load.RungSummary{{Rate: 96, Met: true, P50: 0.01, P99: 0.02}, {Rate: 101, Why: "p99 is 1 s", P99: 1}}}
		}, "go", []string{"<h1>Knee: 96/s meets the SLO, 101/s does not.</h1>", "Response time by rate", "p99 is 1 s"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			changed := *r
			test.change(&changed)
			var page bytes.Buffer
			if err := changed.WriteHTML(&page); err != nil {
				t.Fatal(err)
			}
			for _, want := range append(test.want, `<i class="lamp `+test.state+`">`) {
				if !strings.Contains(page.String(), want) {
					t.Errorf("the page lacks %q:\n%s", want, page.String()[strings.Index(page.String(), "<main"):][:600])
				}
			}
		})
	}
}

func TestPerSecond(t *testing.T) {
	for rate, want := range map[float64]string{0: "0/s", 0.05: "0.05/s", 28.46: "28.5/s", 99.96: "100/s", 200.4: "200/s", 10_000: "10,000/s", 14_534.5: "14,500/s", 1e6: "1,000,000/s"} {
		if got := load.PerSecond(rate); got != want {
			t.Errorf("%v is written %s, want %s", rate, got, want)
		}
	}
}

// A percentile that too few times have is a dash, and no maximum in disguise.
func TestKnown(t *testing.T) {
	for _, c := range []struct {
		share float64
		times int64
		want  bool
	}{{0.5, 1, false}, {0.5, 2, true}, {0.99, 99, false}, {0.99, 100, true}, {0.999, 999, false}, {0.999, 1000, true}, {0.9999, 9999, false}, {0.9999, 10_000, true}} {
		if got := load.Known(c.share, c.times); got != c.want {
			t.Errorf("%v of %d times: known %v", c.share, c.times, got)
		}
	}
}
