package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/load"
)

// measured is a result of a real, short test of a service that takes its time.
func measured(t testing.TB, takes time.Duration) *load.Result {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(takes)
		fmt.Fprint(w, "x")
	}))
	defer server.Close()
	target, err := load.ParseTarget(t.Context(), server.URL+"/predictor/predict")
	if err != nil {
		t.Fatal(err)
	}
	mix, err := load.NewMix(target, []load.Request{{}}, nil, true, 1)
	if err != nil {
		t.Fatal(err)
	}
	arrivals, err := load.Constant(300, 800*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	r, err := load.Run(t.Context(), load.Options{Target: target, Mix: mix, Arrivals: arrivals, Connections: 8, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	r.Void, r.VoidReason = false, ""
	return r
}

// tested gives the service predictor in production load tests: the newest
// missed a threshold, the one before it met it, the oldest is void. Beyond
// those come more of the same.
func tested(t testing.TB, p *plane, more int) *plane {
	t.Helper()
	slowly, quickly := measured(t, 5*time.Millisecond), measured(t, 2*time.Millisecond)
	for i := range 3 + more {
		r := quickly
		if i%3 == 0 {
			r = slowly
		}
		r.StartedAt = time.Now().Add(-time.Duration(1+i*47) * time.Minute).UTC()
		slow := []float64{1.9, 1, 1.4}[i%3]
		r.Planned, r.Requests, r.Errors, r.Elapsed = 200, 12_000, []int64{31, 0, 0}[i%3], 60
		r.Rate, r.Scenario = 199.4-slow, []string{"steady", "steady", ""}[i%3]
		r.Response.P50, r.Response.P99, r.Response.P999 = 0.0009*slow, 0.0181*slow, 0.042*slow
		r.Verdicts = []load.Verdict{{Threshold: "p99<20ms", Value: r.Response.P99, OK: i%3 == 1}}
		r.Void, r.VoidReason, r.Model, r.Clients = false, "", "open", 0
		if i%3 == 2 {
			r.Void, r.VoidReason = true, "the generator was late: p99 31.4 ms of lag, over 5.0 ms"
			r.Model, r.Clients, r.Planned, r.Verdicts = "closed", 16, 0, nil
		}
		r.Seconds, r.Server = seconds(slow), nil
		if i%3 < 2 {
			r.Server = served(slow)
		}
		p.loads = append(p.loads, detailOf(t, r, i))
	}
	return p
}

func seconds(slow float64) (list []load.Second) {
	for i := range 60 {
		wave := 1 + 0.2*math.Sin(float64(i)/5)
		s := load.Second{At: float64(i + 1), Length: 1, Requests: 200, P50: 0.0009 * slow * wave, P99: 0.015 * slow * wave, InFlight: 3 * slow}
		if slow > 1.5 && i > 40 {
			s.Errors = int64(i) % 4
		}
		list = append(list, s)
	}
	return list
}

func served(slow float64) *load.Server {
	o := load.NewObserver("production", "predictor", "4b7d9aa01c55", time.Unix(0, 0))
	for i := range 60 {
		o.Add(time.Unix(int64(i+1), 0), load.ServerSecond{Rate: 200, Mean: 0.0021 * slow, P50: 0.0007 * slow, P99: 0.013 * slow, InFlight: 2, CPU: 0.6 * slow * (1 + 0.1*math.Sin(float64(i)/4)), Memory: 64 << 20, Ready: 3})
		for k := range 3 {
			o.AddReplica(fmt.Sprintf("predictor-4b7d9aa-%d", k+1), 0.2*slow, 21<<20, &load.Throttling{Periods: int64(10 * i), Throttled: int64(i)})
		}
	}
	return o.Server(time.Minute)
}

func detailOf(t testing.TB, r *load.Result, i int) control.LoadDetail {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	run := control.LoadRun{
		ID: r.StartedAt.Format("20060102-150405") + fmt.Sprintf("000-%06x", i), Environment: "production", Service: "predictor", StartedAt: r.StartedAt, By: "user:ada",
		Scenario: r.Scenario, Model: r.Model, Clients: r.Clients, Planned: r.Planned, Rate: r.Rate, Requests: r.Requests, Errors: r.ErrorShare(), Elapsed: r.Elapsed,
		P50: r.Response.P50, P99: r.Response.P99, P999: r.Response.P999, Void: r.Void, VoidReason: r.VoidReason, Thresholds: len(r.Verdicts), Failed: []string{},
	}
	if r.Server != nil {
		run.Release = r.Server.Release
	}
	for _, v := range r.Verdicts {
		if !v.OK {
			run.Failed = append(run.Failed, v.Threshold)
		}
	}
	return control.LoadDetail{LoadRun: run, Result: text}
}

const predictorLoads = "/load/production/predictor/"

func TestLoadsWithoutJavaScript(t *testing.T) {
	p := tested(t, shop(), 9)
	h := pages(t, p)
	newest, before := p.loads[0].ID, p.loads[1].ID
	for path, wants := range map[string][]string{
		"/load": {"predictor production All tests of predictor Compare A with B", "steady open 200/s 198/s 0.26 % errors 0.26 % 1.7 ms 34 ms 80 ms not met", "closed 16 clients", "void"},
		"/load?environment=production&service=predictor": {"All services"},
		"/load?environment=dev":                          {"No load test yet", "/predictor --rate 50"},
		predictorLoads + newest: {"200/s (open model) for 60 s against http://", "Not met: p99<20ms", "p99<20ms not met: 34.4 ms", "Compare with the one before",
			"What the service saw", "throttled in 10 % of the periods", "predictor-4b7d9aa-3", "GET /predictor/predict", "--html report.html"},
		predictorLoads + "compare?a=" + before + "&b=" + newest: {"A and B", "4b7d9aa the same", "Achieved 198/s 198/s −0.45 %", "p99", "CPU of the replicas, mean 0.61 1.15 +90 %",
			load.StoredLimits},
		predictorLoads + "compare?a=" + p.loads[2].ID + "&b=" + newest: {"A is void, so its figures do not describe the service: the generator was late", "They were not asked for the same load: A 16 clients, B 200/s."},
	} {
		text := get(t, h, path).main()
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%s does not say %q:\n%s", path, want, text)
			}
		}
	}
	// The medians differ by more than chance explains, those of a test and itself do not.
	compared := get(t, h, predictorLoads+"compare?a="+before+"&b="+newest)
	if text := compared.main(); !regexp.MustCompile(`p50 [0-9.]+ ms [0-9.]+ ms \+[0-9]+ % \+[0-9]+ % to \+[0-9,]+ % p90`).MatchString(text) {
		t.Errorf("a difference is not shown with its interval: %s", text)
	}
	if n := len(compared.all(class("whisker"))); n != 4 {
		t.Errorf("%d intervals are drawn, want those of four percentiles", n)
	}
	if text := get(t, h, predictorLoads+"compare?a="+newest+"&b="+newest).main(); strings.Count(text, "within chance") != 4 || strings.Contains(text, "not asked for the same") {
		t.Errorf("a test differs from itself: %s", text)
	}
	rows := func(path string) int { return len(get(t, h, path).all(element("tr"))) - 1 }
	if few, all := rows("/load"), rows("/load?environment=production&service=predictor"); few != 10 || all != 12 {
		t.Errorf("%d of all tests are listed, %d of one service; want 10 and 12", few, all)
	}
	for path, status := range map[string]int{predictorLoads + "none": 404, predictorLoads + "compare": 400, predictorLoads + "compare?a=" + newest + "&b=x": 404} {
		if got := get(t, h, path).response.StatusCode; got != status {
			t.Errorf("%s answers %d, want %d", path, got, status)
		}
	}
}

func loadPages(t *testing.T, browser context.Context) {
	s := serve(t, tested(t, shop(), 0))
	tb := open(t, browser, s, "/load", wide)
	newest, before := s.loads[0].ID, s.loads[1].ID
	tb.click(".loads tbody tr:first-child a")
	drawn := `document.querySelectorAll(".charts .plot canvas").length === 4 && document.querySelectorAll(".key b").length`
	tb.await("its charts", `location.pathname.endsWith("`+newest+`") && `+drawn)
	if text := tb.text(".charts"); !strings.Contains(text, "p99") || strings.Contains(text, "could not") {
		t.Errorf("the charts say %q", text)
	}
	tb.run(chromedp.Navigate(s.url + "/load"))
	tb.click(`.loads [name=a][value="` + s.loads[2].ID + `"]`)
	tb.click("form button")
	tb.await("the comparison chosen", `location.search.includes("a=`+s.loads[2].ID+`") && location.search.includes("b=`+newest+`") && `+drawn+` === 8`)
	tb.run(chromedp.Navigate(s.url + predictorLoads + "compare?a=" + before + "&b=" + newest))
	tb.await("its charts", drawn+` === 8`)
}
