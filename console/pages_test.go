package console_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/console"
	"github.com/greenlight-dev/greenlight/control"
	"golang.org/x/net/html"
)

// document is a page as a reader without JavaScript gets it.
type document struct {
	*html.Node
	response *http.Response
}

func get(t testing.TB, h http.Handler, target string) document {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, target, nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	node, err := html.Parse(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return document{node, w.Result()}
}

// all finds elements by what match says.
func (d document) all(match func(n *html.Node) bool) []*html.Node {
	var found []*html.Node
	for n := range d.Descendants() {
		if n.Type == html.ElementNode && match(n) {
			found = append(found, n)
		}
	}
	return found
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func class(name string) func(*html.Node) bool {
	return func(n *html.Node) bool { return slices.Contains(strings.Fields(attribute(n, "class")), name) }
}

func element(name string) func(*html.Node) bool {
	return func(n *html.Node) bool { return n.Data == name }
}

// says is the text of a part of a page, its white space made single.
func says(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func (d document) main() string { return says(d.all(element("main"))[0]) }

func pages(t testing.TB, p *plane) http.Handler {
	t.Helper()
	return console.Handler(console.Options{Plane: p, Events: history(t), Version: "v0.4.0", Log: silent})
}

func TestOverviewWithoutJavaScript(t *testing.T) {
	h := pages(t, shop())
	page := get(t, h, "/")
	var lanes []string
	for _, n := range page.all(func(n *html.Node) bool { return attribute(n, "data-lane") != "" }) {
		lanes = append(lanes, attribute(n, "data-lane"))
	}
	if want := []string{"dev", "staging", "production"}; !slices.Equal(lanes, want) {
		t.Errorf("environments are %v, want %v", lanes, want)
	}
	var signals []string
	for _, n := range page.all(class("signal")) {
		signals = append(signals, says(n))
	}
	if want := []string{"same releases", "1 of 4 differ"}; !slices.Equal(signals, want) {
		t.Errorf("signals say %q, want %q", signals, want)
	}
	text := page.main()
	for _, want := range []string{"Services in production", "assets degraded 1 of 2 replicas crashes", "/predictor", "4b7d9aa",
		"exit code 1 after 0.4 s, the fifth time", "restarts 5", "127.0.0.1:8080", "pid 4107, up 3 h"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q:\n%s", want, text)
		}
	}
	if text := get(t, h, "/?environment=staging").main(); !strings.Contains(text, "Services in staging") {
		t.Errorf("another environment cannot be chosen:\n%s", text)
	}
}

func TestOverviewOfNothing(t *testing.T) {
	if text := get(t, pages(t, newPlane()), "/").main(); !strings.Contains(text, "Nothing is described yet") || !strings.Contains(text, "greenlight up") {
		t.Errorf("the empty page does not say what to do: %s", text)
	}
}

func TestReleasesUnderWay(t *testing.T) {
	p := single()
	p.status.Environments[0].Services[0].Replicas[1].Release = "0c44e1f87a21"
	if text := get(t, pages(t, p), "/").main(); !strings.Contains(text, "0c44e1f → 6638977") {
		t.Errorf("a rollout does not show: %s", text)
	}
}

func TestServiceWithoutJavaScript(t *testing.T) {
	h := pages(t, shop())
	page := get(t, h, "/environments/production/services/assets")
	for _, want := range []string{"crashing exit code 1 after 0.4 s: cannot open /srv/assets/index.db", "assets-9f31c02-2", "http://127.0.0.1:8080/assets",
		"2, fixed", "0c44e1f user:grace", `"stop_grace": "20s"`} {
		if text := page.main(); !strings.Contains(text, want) {
			t.Errorf("the page does not say %q:\n%s", want, text)
		}
	}
	var columns []string
	page = get(t, h, "/environments/production/services/predictor")
	for _, n := range page.all(func(n *html.Node) bool { return attribute(n, "data-column") != "" }) {
		columns = append(columns, attribute(n, "data-column")+"="+attribute(n, "value")+" "+attribute(n, "type"))
	}
	want := []string{"bill_length_mm=43.2 number", "bill_depth_mm=16.6 number", "flipper_length_mm=187 number",
		"body_mass_g=2900 number", "island=Dream text", "sex=female text"}
	if !slices.Equal(columns, want) {
		t.Errorf("fields are %q, want %q", columns, want)
	}
}

func TestEventsWithoutJavaScript(t *testing.T) {
	past := history(t)
	h := console.Handler(console.Options{Plane: shop(), Events: past, Log: silent})
	for i := range 120 {
		record(t, past, greenlight.Event{Actor: "test", Kind: "counted", Environment: "dev", Service: "web", Message: "number " + string(rune('a'+i%26)),
			Evidence: map[string]any{"place": i}})
	}
	page := get(t, h, "/events")
	if rows := page.all(class("feed")); len(rows) != 1 || strings.Count(page.main(), "counted") != 50 {
		t.Errorf("the first page has %d lists: %s", len(rows), page.main())
	}
	seen := 0
	for next := "/events?service=web"; next != ""; {
		page = get(t, h, next)
		seen += len(page.all(func(n *html.Node) bool { return n.Data == "li" && class("feed")(n.Parent) }))
		next = ""
		for _, n := range page.all(func(n *html.Node) bool { return attribute(n, "rel") == "next" }) {
			next = attribute(n, "href")
		}
	}
	if seen != 121 {
		t.Errorf("paging back showed %d events of web, want 121", seen)
	}
	for query, want := range map[string]int{"kind=scaled": 1, "text=index.db": 1, "text=INDEX.DB&service=assets": 1, "text=index.db&service=web": 0, "environment=production&kind=replica.ready": 1} {
		page := get(t, h, "/events?"+query)
		if rows := page.all(func(n *html.Node) bool { return n.Data == "li" && class("feed")(n.Parent) }); len(rows) != want {
			t.Errorf("%s shows %d events, want %d", query, len(rows), want)
		}
	}
	if page := get(t, h, "/events?before=x"); page.response.StatusCode != http.StatusBadRequest {
		t.Errorf("before=x: %s", page.response.Status)
	}
}

func TestPlanWithoutJavaScript(t *testing.T) {
	text := get(t, pages(t, shop()), "/plan").main()
	for _, want := range []string{"Everything is as described. 4 services", "start predictor predictor-4b7d9aa-4 3 of 4 replicas are ready",
		"services.web.replicas: 2 → 3", "web-9f31c02-1: server.py differs"} {
		if !strings.Contains(text, want) {
			t.Errorf("the plan does not say %q:\n%s", want, text)
		}
	}
	if dev, production := strings.Index(text, "dev"), strings.Index(text, "production"); dev > production {
		t.Error("environments do not stand in the order of the overview")
	}
}

func TestFailures(t *testing.T) {
	p := shop()
	h := pages(t, p)
	for target, want := range map[string]int{"/nowhere": 404, "/environments/dev/services/nobody": 404, "/assets/000000000000/main.js": 404} {
		if page := get(t, h, target); page.response.StatusCode != want {
			t.Errorf("%s: %s, want %d", target, page.response.Status, want)
		}
	}
	for code, want := range map[greenlight.Code]int{greenlight.CodeUnavailable: 503, greenlight.CodeInternal: 500} {
		p.failing["Plan"] = greenlight.Errorf(code, "the store is busy")
		page := get(t, h, "/plan")
		if page.response.StatusCode != want || !strings.Contains(page.main(), "the store is busy") {
			t.Errorf("%s: %s %s", code, page.response.Status, page.main())
		}
	}
}

// TestStrangersReadNothing holds that whoever may not read gets the form that
// asks for a token and nothing else.
func TestStrangersReadNothing(t *testing.T) {
	h := console.Handler(console.Options{Plane: shop(), Events: history(t), Log: silent, MayRead: func(*http.Request) bool { return false }})
	for _, target := range []string{"/", "/events", "/plan", "/nowhere", "/environments/production/services/web"} {
		page := get(t, h, target)
		if page.response.StatusCode != http.StatusUnauthorized || page.response.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: %s %v", target, page.response.Status, page.response.Header)
		}
		if text := says(page.Node); strings.Contains(text, "production") || strings.Contains(text, "shop") || !strings.Contains(text, "it asks for a token") {
			t.Errorf("%s reads %s", target, text)
		}
	}
}

func TestAssetsStayForGood(t *testing.T) {
	h := pages(t, shop())
	page := get(t, h, "/")
	found := 0
	for _, n := range page.all(func(n *html.Node) bool { return n.Data == "script" || n.Data == "link" }) {
		address := attribute(n, "src") + attribute(n, "href")
		if !regexp.MustCompile(`^/assets/[0-9a-f]{12}/`).MatchString(address) {
			t.Errorf("%s does not name its content", address)
		}
		file := get(t, h, address)
		if file.response.StatusCode != 200 || !strings.Contains(file.response.Header.Get("Cache-Control"), "immutable") || file.response.Header.Get("ETag") == "" {
			t.Errorf("%s: %s %v", address, file.response.Status, file.response.Header)
		}
		r := httptest.NewRequest(http.MethodGet, address, nil)
		r.Header.Set("If-None-Match", file.response.Header.Get("ETag"))
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusNotModified {
			t.Errorf("%s again: %d, want 304", path.Base(address), w.Code)
		}
		found++
	}
	if found < 4 {
		t.Errorf("the page names %d files only", found)
	}
}

// TestNothingInline holds the policy without a browser: no script, style or
// handler stands in a page.
func TestNothingInline(t *testing.T) {
	h := pages(t, hostile())
	for _, target := range []string{"/", "/events", "/plan", "/load", hostilePath, "/nowhere/<script>alert(1)</script>"} {
		page := get(t, h, target)
		if policy := page.response.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: policy %q", target, policy)
		}
		for _, n := range page.all(func(*html.Node) bool { return true }) {
			if n.Data == "style" || n.Data == "img" || n.Data == "script" && (attribute(n, "src") == "" || n.FirstChild != nil) {
				t.Errorf("%s: <%s> in the page", target, n.Data)
			}
			for _, a := range n.Attr {
				if a.Key == "style" || strings.HasPrefix(a.Key, "on") || (a.Key == "href" || a.Key == "src") && strings.HasPrefix(a.Val, "javascript:") {
					t.Errorf("%s: %s=%q in the page", target, a.Key, a.Val)
				}
			}
		}
	}
}

func TestOwnFilesAreSmall(t *testing.T) {
	h, total := pages(t, shop()), 0
	prefix := path.Dir(attribute(get(t, h, "/").all(element("script"))[0], "src"))
	for _, name := range []string{"console.css", "theme.js", "figure.js", "api.js", "stream.js", "morph.js", "cells.js", "live.js", "main.js", "signin.js",
		"copy.js", "overview.js", "events.js", "service.js", "charts.js", "log.js", "playground.js", "actions.js", "keys.js", "plot.js", "load.js", "loadlive.js", "capacity.js"} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, prefix+"/"+name, nil))
		data, err := io.ReadAll(w.Body)
		if err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s: %d %v", name, w.Code, err)
		}
		total += len(data)
	}
	if total > 100_000 {
		t.Errorf("the console's own files have %d bytes, want 100,000 at most", total)
	}
}

// hostile is a system whose every text tries to be markup.
const (
	attack      = `<script>document.title="broken"</script><img src=x onerror='document.title="broken"'>`
	hostilePath = `/environments/dev/services/x%3Cscript%3Ealert(1)%3C%2Fscript%3E`
)

func hostile() *plane {
	s := serviceOf("x<script>alert(1)</script>", "model", "9f31c02b7710aa04", 1, 12, 0, 0.001, 0.002)
	s.Note, s.Health = attack, control.Degraded
	s.Replicas[0].Reason, s.Scaling.Reason = attack, attack
	s.URLs = []string{`javascript:document.title="broken"`}
	e := environmentOf("dev", control.Degraded, attack, s)
	e.System, e.Owner, e.Source, e.AppliedBy = `<b onclick=alert(1)>`, attack, attack, attack
	p := newPlane(e)
	for range 50 {
		p.lines = append(p.lines, control.LogLine{Text: attack})
	}
	p.answer.Body = `{"predictions":[{"probabilities":{"<img src=x onerror=alert(1)>":0.9}}],"text":` + "\"" + `<script>alert(1)</script>` + `"}`
	p.live = []control.LiveLoad{{ID: attack, Environment: "dev", Service: s.Name, By: attack, State: control.LoadStopping, StoppedBy: attack,
		LoadReport: control.LoadReport{Scenario: attack, Phase: attack, VoidReason: attack, Thresholds: []control.LoadThreshold{{Threshold: attack}}}}}
	p.plans["dev"] = control.Plan{Differences: []string{attack}, Drift: []string{attack}}
	return p
}
