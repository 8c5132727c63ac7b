package console_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/load"
)

// refused is a result of a test whose target is not there.
func refused(t testing.TB) *load.Result {
	t.Helper()
	r := measured(t, time.Millisecond)
	r.Requests, r.Errors, r.Rate, r.Goodput = 60, 60, 0, 0
	r.Response, r.Service = load.Summary{}, load.Summary{}
	r.Planned, r.Scenario, r.Verdicts = 20, "", nil
	r.ErrorKinds, r.Statuses = map[load.Kind]int64{load.KindRefused: 60}, nil
	r.Routes = []load.RouteResult{{Name: "GET /predict", Requests: 60, Errors: 60}}
	r.Seconds = nil
	for i := range 3 {
		r.Seconds = append(r.Seconds, load.Second{At: float64(i + 1), Length: 1, Requests: 20, Errors: 20})
	}
	return r
}

// erring gives predictor two load tests without thresholds: in the newest all
// requests failed, in the one before a few.
func erring(t testing.TB, p *plane) *plane {
	t.Helper()
	all, few := refused(t), measured(t, time.Millisecond)
	few.Requests, few.Errors, few.Planned, few.Verdicts = 12_000, 31, 200, nil
	few.StartedAt = time.Now().Add(-time.Hour)
	p.loads = append(p.loads, detailOf(t, all, 0), detailOf(t, few, 1))
	return p
}

// A test without thresholds says by itself that requests failed.
func TestErrorsAreVerdicts(t *testing.T) {
	p := erring(t, shop())
	h := pages(t, p)
	list := get(t, h, "/load").main()
	for _, want := range []string{"100 % – – – failed", "errors"} {
		if !strings.Contains(list, want) {
			t.Errorf("the list does not say %q:\n%s", want, list)
		}
	}
	for i, want := range []string{"Failed: none of the requests was answered rightly", "Errors: 0.26 % of the requests failed"} {
		if page := get(t, h, predictorLoads+p.loads[i].ID).main(); !strings.Contains(page, want) {
			t.Errorf("the page of test %d does not say %q:\n%s", i, want, page)
		}
	}
	if red := get(t, h, "/load").all(class("stop")); len(red) != 2 {
		t.Errorf("%d verdicts are red, want both", len(red))
	}
}

// reports are HTML reports of load tests, served at their names.
func reports(t testing.TB) *site {
	t.Helper()
	results := map[string]*load.Result{"/refused": refused(t), "/long": measured(t, 2*time.Millisecond), "/few": measured(t, time.Millisecond)}
	long := results["/long"]
	long.Server, long.Seconds = served(1), seconds(1)
	long.Routes = append(long.Routes, load.RouteResult{Name: "GET /" + strings.Repeat("x", 300), Status: 200, Requests: 1200, Response: long.Response})
	mux := http.NewServeMux()
	for path, r := range results {
		var page bytes.Buffer
		if err := r.WriteHTML(&page); err != nil {
			t.Fatal(err)
		}
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(page.Bytes()) })
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return &site{url: server.URL}
}

// loadReports holds that a report can be read whole, on a desk and on a phone.
func loadReports(t *testing.T, browser context.Context) {
	s := reports(t)
	for _, path := range []string{"/long", "/refused", "/few"} {
		for _, v := range []view{{width: 1300, height: 900}, {width: 380, height: 800}} {
			tb := open(t, browser, s, path, v)
			tb.expect("404") // it has no icon
			tb.await("the report", `document.querySelector(".figures")`)
			cut := eval[[]string](tb, `[document.documentElement, ...document.querySelectorAll(".scroll")].filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.textContent.trim().slice(0, 60) + " is " + e.scrollWidth + " wide, " + e.clientWidth + " are there")`)
			for _, c := range cut {
				t.Errorf("%s at %d: %s", path, v.width, c)
			}
		}
	}
	tb := open(t, browser, s, "/few", view{width: 380, height: 800})
	tb.expect("404")
	tail := func(of string) string {
		return eval[string](tb, fmt.Sprintf("document.querySelector('[data-of=%q]').textContent", of))
	}
	if tail("p99.9") != "–" || tail("p99.99") != "–" || tail("p99") == "–" {
		t.Errorf("of a few requests p99 is %s, p99.9 %s, p99.99 %s", tail("p99"), tail("p99.9"), tail("p99.99"))
	}
}

// timesOnAPhone holds that a phone shows the slowest answer of a test, too.
func timesOnAPhone(t *testing.T, browser context.Context) {
	s := serve(t, tested(t, shop(), 0))
	tb := open(t, browser, s, predictorLoads+s.loads[0].ID, phone)
	tb.await("the times", `document.querySelector(".times tbody tr")`)
	for _, table := range []string{".times", ".routes"} {
		if beyond := tb.beyond(table); beyond > 0 {
			t.Errorf("%s is %d pixels too wide for a phone", table, beyond)
		}
	}
}

// errorsOnAPhone holds that a phone shows that requests failed.
func errorsOnAPhone(t *testing.T, browser context.Context) {
	tb := open(t, browser, serve(t, erring(t, shop())), "/load", phone)
	tb.await("the list", `document.querySelector(".loads tbody tr")`)
	visible := `[...document.querySelectorAll(".loads tbody tr")].map((row) => row.innerText.match(/[0-9.]+ % errors/)?.[0]).join()`
	if got := eval[string](tb, visible); got != "100 % errors,0.26 % errors" {
		t.Errorf("a phone shows the errors %q", got)
	}
	old := tested(t, shop(), 0)
	for i := range old.loads { // times of other days are the longest
		old.loads[i].StartedAt = time.Now().AddDate(0, 0, -7)
	}
	dated := open(t, browser, serve(t, old), "/load", phone)
	dated.await("the list", `document.querySelector(".loads tbody tr")`)
	for what, beyond := range map[string]int{"errors": tb.beyond(".loads"), "dates": dated.beyond(".loads")} {
		if beyond > 0 {
			t.Errorf("the list with %s is %d pixels too wide for a phone", what, beyond)
		}
	}
}

// beyond is how many pixels of a table are out of sight.
func (tb *tab) beyond(table string) int {
	return eval[int](tb, fmt.Sprintf(`(() => { const p = document.querySelector(%q).parentElement; return p.scrollWidth - p.clientWidth })()`, table))
}
