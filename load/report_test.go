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
	o.KeepGoing = true
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
	for _, want := range []string{"\ngreenlight_load_requests{target=\"", "} 105\n", `quantile="0.9999"}`, "greenlight_load_response_seconds_count{target=", "# TYPE greenlight_load_lag_seconds summary\n"} {
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
			if a.Key == "points" && len(strings.Fields(a.Val)) < 2 {
				t.Errorf("a line without points: %q", a.Val)
			}
		}
	}
	if counts["script"] != 0 || counts["svg"] != 3 || counts["polyline"] != 6 || counts["table"] < 3 {
		t.Errorf("the page holds %v", counts)
	}
	if strings.Contains(page, "NaN") || strings.Contains(page, "Inf") || !strings.Contains(page, "&lt;script&gt;") {
		t.Error("a number or a name is not written rightly")
	}
}
