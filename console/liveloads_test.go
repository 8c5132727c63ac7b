package console_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/control"
	"golang.org/x/net/html"
)

// liveID is the id of the i-th load test that runs in these tests.
func liveID(i int) string { return "20260102-03040" + string(rune('0'+i)) + "000-9a4b7d" }

// running gives a system load tests that run: one of a rate halfway through,
// which misses a threshold, and a search that nobody knows the end of.
func running(p *plane) *plane {
	p.live = []control.LiveLoad{
		liveTest(1, "predictor", control.LoadReport{Scenario: "steady", Model: "open", Total: 60,
			Thresholds: []control.LoadThreshold{{Threshold: "p99<20ms", Value: 0.0214}, {Threshold: "errors<1%", Value: 0.0004, OK: true}}}, 24, 1),
		liveTest(2, "web", control.LoadReport{Model: "open", Phase: "search at 228/s", Thresholds: []control.LoadThreshold{{Threshold: "p99<100ms", Value: 0.041, OK: true}}}, 66, 1.4),
	}
	return p
}

// begun gives a system a load test that began this moment, of a service with
// no results.
func begun(p *plane) *plane {
	p.live = []control.LiveLoad{liveTest(1, "predictor", control.LoadReport{Model: "closed", Clients: 16, Total: 600}, 0, 1)}
	return p
}

// liveTest is a test of a service in production after some seconds.
func liveTest(i int, service string, r control.LoadReport, seconds int, slow float64) control.LiveLoad {
	t := control.LiveLoad{ID: liveID(i), Environment: "production", Service: service, By: "user:ada", State: control.LoadRunning,
		StartedAt: time.Now().Add(-time.Duration(seconds) * time.Second).UTC(), LoadReport: r}
	for range seconds {
		advance(&t, slow)
	}
	return t
}

// advance lets a test go on for a second.
func advance(t *control.LiveLoad, slow float64) {
	at := float64(len(t.Seconds) + 1)
	wave := 1 + 0.2*math.Sin(at/5)
	s := control.LoadSecond{At: at, Planned: 200, Rate: math.Round(200 - 4*slow*wave), P50: 0.0009 * slow * wave, P99: 0.015 * slow * wave}
	if t.Model == "closed" {
		s.Planned = 0
	}
	if t.Total == 0 {
		s.Planned = math.Round(45 * math.Pow(1.5, math.Floor(at/14)))
		s.Rate = s.Planned - 1
	}
	t.Seconds = append(slices.Clone(t.Seconds), s)
	t.Last, t.Elapsed, t.Requests = s, at, t.Requests+int64(s.Rate)
	t.Rate, t.P50, t.P99, t.Lag, t.Errors = 198.2, 0.00093*slow, 0.0214*slow, 0.0004, 0.0004
}

// report changes the i-th test that runs and says so.
func (p *plane) report(i int, change func(*control.LiveLoad)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.live[i])
	p.loadsChange()
}

// loadsChange says that a load test has reported; the lock is held.
func (p *plane) loadsChange() {
	if p.loadsChanged != nil {
		close(p.loadsChanged)
		p.loadsChanged = nil
	}
}

func (p *plane) LoadsChanged() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.loadsChanged == nil {
		p.loadsChanged = make(chan struct{})
	}
	return p.loadsChanged
}

func (p *plane) RunningLoads() []control.LiveLoad {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := append([]control.LiveLoad{}, p.live...)
	for i := range list {
		list[i].Seconds = nil
	}
	return list
}

func (p *plane) LiveLoads(_ context.Context, environment, service string) ([]control.LiveLoad, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := []control.LiveLoad{}
	for _, t := range p.live {
		if t.Environment == environment && t.Service == service {
			list = append(list, t)
		}
	}
	return list, nil
}

func (p *plane) ReportLoad(context.Context, string, string, string, control.LoadReport, string) (control.LoadOrder, error) {
	return control.LoadOrder{}, p.called("ReportLoad")
}

func (p *plane) StopLoad(_ context.Context, environment, service, id, actor string) (control.LiveLoad, error) {
	if err := p.called("StopLoad %s/%s %s", environment, service, id); err != nil {
		return control.LiveLoad{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.live, func(t control.LiveLoad) bool { return t.ID == id })
	p.live[i].State, p.live[i].StoppedBy = control.LoadStopping, actor
	p.loadsChange()
	return p.live[i], nil
}

// drop forgets the oldest test that runs.
func (p *plane) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.live = p.live[1:]
	p.loadsChange()
}

func TestRunningLoadsWithoutJavaScript(t *testing.T) {
	p := running(tested(t, shop(), 0))
	h := pages(t, p)
	text := get(t, h, "/load").main()
	for _, want := range []string{
		"predictor production running Since", "by user:ada: steady, open model", "0:24 of 1:00", "Requests/s 197 of 200", "0.04 %", "p99 so far 21 ms", "Left 0:36", "p99<20ms 21 ms errors<1% 0.04 %",
		"by user:ada: open model , search at 228/s", "Requests/s 227 of 228", "Running for 1:06",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q:\n%s", want, text)
		}
	}
	if strings.Index(text, "0:24 of 1:00") > strings.Index(text, "Compare A with B") {
		t.Error("what runs stands below what is kept")
	}
	p.report(1, func(l *control.LiveLoad) { l.Last.Warmup = true })
	if text := get(t, h, "/load").main(); !strings.Contains(text, "Requests/s – of 228") {
		t.Error("a second of the warm-up has a rate")
	}
	p.report(0, func(l *control.LiveLoad) {
		l.State, l.Kept, l.VoidReason, l.Stopped = control.LoadEnded, p.loads[0].ID, "the generator was late", "stopped by user:grace"
	})
	ended := get(t, h, "/load")
	for _, want := range []string{"ended", "stopped by user:grace", "Void: the generator was late", "Open its result"} {
		if !strings.Contains(ended.main(), want) {
			t.Errorf("the page of a test that ended does not say %q", want)
		}
	}
	if links := ended.all(element("a")); !slices.ContainsFunc(links, func(n *html.Node) bool {
		return attribute(n, "href") == predictorLoads+p.loads[0].ID && says(n) == "Open its result"
	}) {
		t.Error("no link leads to its result")
	}
	if text := get(t, h, "/load?environment=production&service=web").main(); strings.Contains(text, "0:24 of 1:00") || !strings.Contains(text, "Running for") {
		t.Error("the page of one service has the tests of others")
	}
	for path, want := range map[string]string{"/environments/production/services/web": "load test running", "/?environment=production": "load test"} {
		if text := get(t, h, path).main(); strings.Count(text, want) != 1 { // predictor's has ended
			t.Errorf("%s says %q %d times", path, want, strings.Count(text, want))
		}
	}
}

// runningLoads watches tests that run, stops one and follows it to its result,
// all on a page that is not loaded anew.
func runningLoads(t *testing.T, browser context.Context) {
	s := serve(t, running(tested(t, shop(), 0)))
	tb := open(t, browser, s, "/load", wide)
	section := fmt.Sprintf(`document.querySelector('[data-key="%s"]')`, liveID(1))
	part := func(selector string) string { return section + `.querySelector('` + selector + `')` }
	tb.await("their charts", `document.querySelectorAll("[data-live] .plot canvas").length === 4`)
	eval[bool](tb, `window.same = true`)
	tb.await("the past in the chart", part(`[data-chart=rate] .key`)+`.textContent.includes("reached 197")`)
	s.report(0, func(l *control.LiveLoad) { advance(l, 2) })
	tb.await("the next second", part(`[data-f=left]`)+`.textContent === "0:35" && `+part(`[data-f=course]`)+`.textContent === "0:25 of 1:00" && `+part(`progress`)+`.value > 0.41`)
	tb.await("it in the chart", part(`[data-chart=rate] .key`)+`.textContent.includes("reached 194")`)
	s.report(0, func(l *control.LiveLoad) {
		advance(l, 1)
		l.VoidReason, l.Phase = "the generator was late", "warm-up"
		l.Thresholds[0].OK, l.Thresholds[0].Value = true, 0.0123
	})
	tb.await("the doubt", part(`[data-f=void]`)+`.textContent.includes("generator was late") && !`+part(`[data-f=void]`)+`.hidden`)
	tb.await("the threshold", part(`.standing .go + span`)+`.textContent === "12 ms"`)
	if text := tb.text(`[data-key="` + liveID(1) + `"] .head`); !strings.Contains(text, "warm-up") {
		t.Errorf("its phase is not said: %s", text)
	}

	s.refuse("StopLoad", greenlight.CodeRefused, "a viewer cannot")
	tb.expect("403")
	tb.click(`[data-key="` + liveID(1) + `"] [data-action=stop-load]`)
	tb.click("#confirm [type=submit]")
	tb.await("why it cannot", `document.querySelector("#confirm .error").textContent === "a viewer cannot"`)
	s.refuseWith("StopLoad", nil)
	tb.click("#confirm [type=submit]")
	tb.await("that it stops", part(`.pill.hold`)+`?.textContent === "stopping" && !`+part(`[data-action]`))
	if !s.asked("StopLoad production/predictor " + liveID(1)) {
		t.Errorf("the plane was asked %q", s.calls)
	}
	kept := s.loads[0].ID
	s.report(0, func(l *control.LiveLoad) {
		l.State, l.Kept, l.Stopped = control.LoadEnded, kept, "stopped by user:ada"
	})
	tb.await("the link to its result", part(`a.button`)+`?.getAttribute("href") === "`+predictorLoads+kept+`"`)
	s.drop()
	tb.await("that it is gone", `document.querySelectorAll("[data-live]").length === 1`)
	s.mu.Lock()
	s.live = append(s.live, liveTest(3, "assets", control.LoadReport{Model: "closed", Clients: 16, Total: 30}, 3, 1))
	s.loadsChange()
	s.mu.Unlock()
	tb.await("another one with its charts", `document.querySelectorAll('[data-key="`+liveID(3)+`"] .plot canvas').length === 2`)
	if !eval[bool](tb, `window.same`) {
		t.Error("the page was loaded anew")
	}

	over := open(t, browser, s, "/?environment=production", wide)
	over.await("the mark", `document.querySelector('tr[data-key="production/web"] .mark')?.textContent === "load test"`)
	s.report(0, func(l *control.LiveLoad) { l.State = control.LoadEnded })
	over.await("no mark", `!document.querySelector('tr[data-key="production/web"] .mark')`)
	over.click(`tr[data-key="production/assets"] a`)
	over.await("the mark of the service", `document.querySelector("h1 a.mark")?.getAttribute("href").includes("service=assets")`)
}
