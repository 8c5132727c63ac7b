package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api"
	"github.com/greenlight-dev/greenlight/console"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/plan"
	"github.com/greenlight-dev/greenlight/store"
)

// TestBrowser walks through the console as a person does, in Chromium. An
// error in the console, a breach of the policy or a request to elsewhere fails
// whichever walk it happens in.
func TestBrowser(t *testing.T) {
	browser := chromium(t)
	for _, walk := range []struct {
		name string
		walk func(*testing.T, context.Context)
	}{
		{"the overview is live", overviewIsLive},
		{"two hundred services", manyServices},
		{"charts", charts},
		{"log", logTail},
		{"playground", playground},
		{"plain request", plainRequest},
		{"scale and restart", scaleAndRestart},
		{"stop everything", stopEverything},
		{"events", eventsPage},
		{"plan", planPage},
		{"load tests", loadPages},
		{"errors of load tests on a phone", errorsOnAPhone},
		{"times of a load test on a phone", timesOnAPhone},
		{"reports of load tests", loadReports},
		{"capacity", capacityPages},
		{"load tests that run", runningLoads},
		{"keyboard", keyboard},
		{"the control plane is lost", controlPlaneLost},
		{"a service goes and comes back", serviceGoes},
		{"themes", themes},
		{"every page is legible", legible},
		{"markup in texts", markupInTexts},
		{"sign in", signIn},
		{"figures are written alike", figuresAlike},
	} {
		t.Run(walk.name, func(t *testing.T) {
			if walk.name != "two hundred services" { // which measures time
				t.Parallel()
			}
			walk.walk(t, browser)
		})
	}
}

func overviewIsLive(t *testing.T, browser context.Context) {
	s := serve(t, shop())
	tb := open(t, browser, s, "/", wide)
	tb.awaitLive()
	eval[bool](tb, `window.same = true`)
	before := tb.text(`tr[data-key="production/web"] [data-f=rate]`)
	tb.await("another figure", fmt.Sprintf(`document.querySelector('tr[data-key="production/web"] [data-f=rate]').textContent !== %q`, before))

	s.change(func(status *control.Status) {
		e := &status.Environments[1]
		e.Note, e.Health = "web is down", control.Down
		e.Services[1].Health = control.Down
		e.Services = append(slices.Clone(e.Services), serviceOf("zebra", "run", "aaaa", 1, 3, 0, 0.001, 0.002))
	})
	tb.await("the environment's note", `document.querySelector("[data-lane=production]").textContent.includes("web is down")`)
	tb.await("the service's health", `document.querySelector('tr[data-key="production/web"] .pill.stop')`)
	tb.await("a new service with figures", `document.querySelector('tr[data-key="production/zebra"] [data-f=rate]')?.figure > 0`)
	tb.await("the system's lamp", `document.querySelector(".brand .lamp.stop")`)

	record(t, s.store, greenlight.Event{Actor: "reconciler", Kind: "replica.failed", Environment: "production", Service: "web", Message: "exit code 137"})
	tb.await("the event", `document.querySelector(".feed li").textContent.includes("exit code 137")`)
	if !eval[bool](tb, `window.same`) {
		t.Error("the page was loaded anew")
	}
	tb.click(".signal + .env + .signal")
	tb.await("what differs between environments", `document.querySelector(".compare:popover-open .differs")?.textContent.includes("predictor")`)
}

// manyServices holds that a second's figures touch nothing but the cells that
// show them, whatever the number of services.
func manyServices(t *testing.T, browser context.Context) {
	tb := open(t, browser, serve(t, crowd(200)), "/", wide)
	tb.awaitLive()
	tb.fill("[data-filter]", "service-01")
	if got := tb.text("[data-count]"); got != "10 of 200" {
		t.Errorf("the filter shows %q, want 10 of 200", got)
	}
	tb.fill("[data-filter]", "")
	tb.click("th.c-rate button")
	rates := eval[[]float64](tb, `[...document.querySelectorAll(".services tbody tr")].map((r) => r.querySelector("[data-f=rate]").figure)`)
	if len(rates) != 200 || !slices.IsSortedFunc(rates, func(a, b float64) int { return int(math.Copysign(1, b-a)) }) {
		t.Errorf("the %d rows are not sorted by requests: %v …", len(rates), rates[:min(5, len(rates))])
	}
	if sort := eval[string](tb, `document.querySelector("th.c-rate").ariaSort`); sort != "descending" {
		t.Errorf("the heading says %q", sort)
	}

	touched := eval[struct {
		Figures, Others int
		Longest         float64
		Example         string
	}](tb, `new Promise((resolve) => {
		let figures = 0, others = 0, example = "", longest = 0;
		new PerformanceObserver((list) => list.getEntries().forEach((e) => (longest = Math.max(longest, e.duration)))).observe({type: "longtask"});
		const observer = new MutationObserver((records) => records.forEach(({target}) => {
			const element = target.nodeType === Node.TEXT_NODE ? target.parentElement : target;
			if (element?.matches("[data-f], polyline")) figures++;
			else { others++; example = element?.outerHTML.slice(0, 200); }
		}));
		observer.observe(document.querySelector("main"), {subtree: true, childList: true, attributes: true, characterData: true});
		setTimeout(() => resolve({Figures: figures, Others: others, Longest: longest, Example: example}), 3100);
	})`)
	t.Logf("3 s of 200 services: %d figures written, longest task %.0f ms", touched.Figures, touched.Longest)
	if touched.Others > 0 || touched.Figures == 0 || touched.Figures > 4*(200*4+3)+100 {
		t.Errorf("in 3 s %d figures and %d other places were touched: %s", touched.Figures, touched.Others, touched.Example)
	}
	if touched.Longest > 250 {
		t.Errorf("a task took %.0f ms; typing would stutter", touched.Longest)
	}
}

func stopEverything(t *testing.T, browser context.Context) {
	s := serve(t, shop())
	tb := open(t, browser, s, "/", wide)
	tb.awaitLive()
	tb.click("[data-action=down]")
	tb.run(chromedp.SendKeys(chromedp.CSS("#confirm [type=text]"), "shop"))
	if s.asked("Down") {
		t.Error("it went down before it was told to")
	}
	tb.click("#confirm [type=submit]")
	tb.await("the dialog closes", `!document.querySelector("#confirm").open`)
	if !s.asked("Down") {
		t.Errorf("the plane was asked %q", s.calls)
	}
}

func eventsPage(t *testing.T, browser context.Context) {
	s := serve(t, shop())
	tb := open(t, browser, s, "/events", wide)
	tb.run(chromedp.SendKeys(chromedp.CSS("[name=kind]"), "scaled\n"))
	tb.await("the filtered page", `location.search === "?kind=scaled" && document.querySelectorAll(".feed li").length === 1`)
	tb.click(".feed summary")
	if text := tb.text(".feed dl"); !strings.Contains(text, "concurrency") || !strings.Contains(text, "19.2") {
		t.Errorf("the evidence says %q", text)
	}
	tb.await("the page is live", `performance.getEntriesByName(location.origin + "/api/v1/stream").length + 1`)
	tb.await("the stream", `window.performance && document.querySelector("#banner").hidden`)
	time.Sleep(300 * time.Millisecond) // the stream begins with the newest event there is
	record(t, s.store,
		greenlight.Event{Actor: "scaler", Kind: "scaled", Environment: "production", Service: "web", Message: "2 → 3 replicas"},
		greenlight.Event{Actor: "reconciler", Kind: "replica.ready", Environment: "production", Service: "web", Message: "not of this kind"})
	tb.await("the new event", `document.querySelectorAll(".feed li").length === 2 && document.querySelector(".feed li").textContent.includes("2 → 3")`)
	if !eval[bool](tb, `document.querySelector(".feed li:last-child details").open`) {
		t.Error("the evidence that was open is closed")
	}
}

func planPage(t *testing.T, browser context.Context) {
	s := serve(t, shop())
	tb := open(t, browser, s, "/plan", wide)
	if steps := eval[int](tb, `document.querySelectorAll(".steps li").length`); steps != 4 {
		t.Errorf("the plan has %d steps, want 4", steps)
	}
	tb.await("the status", `document.querySelector("#banner").hidden`)
	time.Sleep(300 * time.Millisecond)
	s.setPlan("production", control.Plan{Steps: []plan.Step{{Kind: plan.StopReplica, Service: "web", Replica: "web-1", Reason: "too many"}}})
	tb.await("the shorter plan", `document.querySelectorAll(".steps li").length === 1`)
	s.setPlan("production", control.Plan{})
	tb.await("calm", `document.querySelectorAll(".calm").length === 3`)
}

func keyboard(t *testing.T, browser context.Context) {
	tb := open(t, browser, serve(t, shop()), "/", wide)
	tb.awaitLive()
	focus := func() string { return eval[string](tb, `document.activeElement.textContent.trim()`) }
	tb.key("j")
	tb.key("j")
	if got := focus(); got != "predictor" {
		t.Errorf("j j is on %q", got)
	}
	tb.key("k")
	if got := focus(); got != "assets" {
		t.Errorf("k is on %q", got)
	}
	tb.key("?")
	tb.await("the keys", `document.querySelector("#keys").open`)
	tb.key("\x1b")
	tb.await("no keys", `!document.querySelector("#keys").open`)
	tb.key("/")
	tb.await("the jump box", `document.querySelector("#jump").open && document.activeElement.matches("#jump input")`)
	tb.fill("#jump input", "pred")
	tb.await("what it finds", `document.querySelectorAll("#targets li").length === 3`)
	tb.run(chromedp.KeyEvent("\ue015")) // arrow down
	tb.key("\r")
	tb.await("the service's page", `location.pathname.endsWith("/services/predictor") && document.querySelector(".figures")`)
	tb.awaitLive()
	tb.key("g")
	tb.key("e")
	tb.await("the events", `location.pathname === "/events"`)
	tb.await("its modules", `document.querySelector("th button, .filters select").onchange`)
	eval[bool](tb, `document.dispatchEvent(new KeyboardEvent("keydown", {key: "k", ctrlKey: true, bubbles: true}))`)
	tb.await("the jump box", `document.querySelector("#jump").open`)
}

func controlPlaneLost(t *testing.T, browser context.Context) {
	s := serve(t, shop())
	tb := open(t, browser, s, predictorPath, wide)
	tb.expect("ERR_CONNECTION_REFUSED")
	tb.expect("ERR_INCOMPLETE_CHUNKED_ENCODING")
	tb.expect("ERR_CONNECTION_RESET")
	tb.expect("ERR_EMPTY_RESPONSE")
	tb.awaitLive()
	s.stop()
	tb.await("the banner", `/^Lost the control plane at \d\d:\d\d:\d\d; the services serve on/.test(document.querySelector("#banner").textContent) && !document.querySelector("#banner").hidden`)
	if rate := tb.text(".figures [data-f=rate]"); rate == "" || rate == "–" {
		t.Errorf("the last figures are gone: %q", rate)
	}
	if !eval[bool](tb, `document.querySelector("[data-action=scale]").disabled && getComputedStyle(document.querySelector("main")).filter !== "none"`) {
		t.Error("the page does not show that it is old")
	}
	s.change(func(status *control.Status) { status.Environments[1].Services[0].Note = "new meanwhile" })
	s.start(t)
	tb.await("the banner goes", `document.querySelector("#banner").hidden && !document.body.classList.contains("lost")`)
	tb.await("what changed meanwhile", `document.querySelector(".title").textContent.includes("new meanwhile")`)
	tb.await("the log goes on", `document.querySelectorAll(".log li").length > 40`)
	if eval[bool](tb, `document.querySelector("[data-action=scale]").disabled`) {
		t.Error("actions stay switched off")
	}
}

func serviceGoes(t *testing.T, browser context.Context) {
	s := serve(t, single())
	tb := open(t, browser, s, "/environments/dev/services/penguins", wide)
	tb.expect("404")
	tb.awaitLive()
	services := s.status.Environments[0].Services
	s.change(func(status *control.Status) { status.Environments[0].Services = nil })
	tb.await("the page says so", `document.querySelector("h1").textContent === "Not found"`)
	tb.await("it is live", `document.readyState === "complete" && document.querySelector("#jump li, .empty")`)
	time.Sleep(300 * time.Millisecond) // its stream
	s.change(func(status *control.Status) { status.Environments[0].Services = services })
	tb.await("charts", `document.querySelectorAll(".plot canvas").length === 4`)
}

func themes(t *testing.T, browser context.Context) {
	s := serve(t, shop())
	background := `getComputedStyle(document.body).backgroundColor`
	dark := open(t, browser, s, predictorPath, view{width: 1280, height: 900, dark: true})
	dark.awaitLive()
	if got := eval[string](dark, background); got != "rgb(18, 19, 17)" {
		t.Errorf("the dark page is %s", got)
	}
	dark.click("[data-theme-toggle]")
	dark.await("light", background+` === "rgb(251, 251, 249)"`)
	dark.run(chromedp.Reload())
	dark.await("light after a reload", background+` === "rgb(251, 251, 249)"`)
	eval[bool](dark, `localStorage.clear() ?? true`)
}

// everywhere are pages of every kind, full and empty.
func everywhere(t *testing.T) map[string]*site {
	full, none, many := serve(t, running(planned(t, tested(t, shop(), 0)))), serve(t, newPlane()), serve(t, crowd(40))
	newest, before := full.loads[0].ID, full.loads[1].ID
	return map[string]*site{
		"/load": full, predictorLoads + newest: full, predictorLoads + full.loads[2].ID: full, predictorLoads + "compare?a=" + before + "&b=" + newest: full, "/load?": none,
		"/": full, "/?environment=dev": full, "/events": full, "/plan": full, predictorPath: full,
		"/environments/production/services/assets": full, "/environments/production/services/reports": full, "/nowhere": full,
		"/capacity": full, predictorCapacity: full, predictorCapacity + "?rate=160&cache=40": full, predictorCapacity + "/" + full.capacity[1].ID: full, "/capacity/production/web": full, "/capacity?": none,
		"/?": none, "/plan?": none, "/events?": none, "/?environment=": many,
	}
}

// measureContrast finds texts below the 4.5 : 1 of WCAG 2.2, AA.
const measureContrast = `(() => {
	const canvas = new OffscreenCanvas(1, 1).getContext("2d", {willReadFrequently: true});
	const rgba = (color) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); return canvas.getImageData(0, 0, 1, 1).data; };
	const light = ([r, g, b]) => [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)).reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const behind = (e) => { for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] > 250) return c; } return [255, 255, 255]; };
	const low = new Set();
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (walker.nextNode()) {
		const e = walker.currentNode.parentElement;
		if (!walker.currentNode.data.trim() || !e.checkVisibility()) continue;
		const [a, b] = [light(rgba(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
		const ratio = (a + 0.05) / (b + 0.05);
		if (ratio < 4.5) low.add(e.tagName + "." + e.className + " " + ratio.toFixed(2) + " " + walker.currentNode.data.trim().slice(0, 30));
	}
	return [...low];
})()`

// legible holds that every page can be read in both themes, and on a phone
// without scrolling to the side.
func legible(t *testing.T, browser context.Context) {
	for path, s := range everywhere(t) {
		t.Run(path, func(t *testing.T) {
			tb := open(t, browser, s, path, wide)
			tb.expect("404")
			for _, scheme := range []string{"light", "dark"} {
				tb.prefer(scheme)
				for _, low := range eval[[]string](tb, measureContrast) {
					t.Errorf("%s: %s", scheme, low)
				}
			}
			tb.run(chromedp.EmulateViewport(phone.width, phone.height))
			if got := eval[int](tb, `document.documentElement.scrollWidth`); got > 360 {
				t.Errorf("%d wide on a phone: %s", got,
					eval[string](tb, `[...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > 361).map((e) => e.tagName + "." + e.className).slice(0, 5).join(" ")`))
			}
		})
	}
}

func markupInTexts(t *testing.T, browser context.Context) {
	s := serve(t, hostile())
	record(t, s.store, greenlight.Event{Actor: attack, Kind: "<b>kind</b>", Environment: "dev", Service: "x<script>alert(1)</script>", Subject: attack,
		Message: attack, Evidence: map[string]any{"<i>": attack, "deep": map[string]any{"<u>": attack}}})
	for _, path := range []string{"/", "/events", "/plan", "/load", hostilePath} {
		t.Run(path, func(t *testing.T) {
			tb := open(t, browser, s, path, wide)
			if path == "/load" {
				tb.await("the attack in a test that runs", `document.querySelectorAll("[data-live] canvas").length === 2 && document.querySelector("[data-f=void]").textContent.includes("onerror")`)
			}
			if path == hostilePath {
				tb.await("the attack in the log", `document.querySelectorAll(".log li").length > 40`)
				if line := tb.text(".log li span"); line != attack {
					t.Errorf("a line of the log reads %q", line)
				}
				tb.click("[data-try] [type=submit]")
				tb.await("the attack in the answer", `document.querySelector(".answer pre").textContent.includes("<script>alert(1)</script>")`)
			}
			s.change(func(status *control.Status) { status.Environments[0].Note = attack + path })
			record(t, s.store, greenlight.Event{Actor: attack, Kind: "again", Environment: "dev", Message: attack})
			tb.key("/")
			if path == "/" || path == "/events" {
				tb.await("a refresh of the page", `document.querySelector(".feed").textContent.includes("again")`)
			}
			if found := eval[int](tb, `document.querySelectorAll("body script, img, body style, [onerror], [onclick], main b i, iframe").length`); found > 0 {
				t.Errorf("%s: %d elements were made from texts", path, found)
			}
			if title := eval[string](tb, `document.title`); title == "broken" {
				t.Errorf("%s: the attack ran", path)
			}
		})
	}
}

// signIn visits as from another machine: nothing can be read without a token.
func signIn(t *testing.T, browser context.Context) {
	p := shop()
	s := &site{plane: p, store: history(t), address: "127.0.0.1:0"}
	secret, token := store.NewToken("ada", store.RoleOperator)
	if _, err := s.store.SaveToken(t.Context(), token, greenlight.Event{Actor: "test", Kind: "token.created", Message: "for the test"}); err != nil {
		t.Fatal(err)
	}
	mayRead := func(r *http.Request) bool {
		_, err := store.Authenticate(r.Context(), s.store, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), time.Now())
		return err == nil
	}
	backend, err := api.NewHandler(api.Options{Plane: p, Events: s.store, Tokens: s.store, Log: silent, Public: true})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/api/", backend)
	mux.Handle("/", console.Handler(console.Options{Plane: p, Events: s.store, MayRead: mayRead, Log: silent}))
	s.handler = mux
	s.start(t)
	t.Cleanup(s.stop)

	tb := open(t, browser, s, predictorPath, wide)
	tb.expect("401")
	tb.await("the form", `document.querySelector("#signin").open`)
	if text := eval[string](tb, `document.documentElement.outerHTML`); strings.Contains(text, "predictor-4b7d9aa") {
		t.Error("the page shows something before the sign-in")
	}
	tb.run(chromedp.SendKeys(chromedp.CSS("#signin input"), "glt_wrong\r"))
	tb.await("the complaint", `document.querySelector("#signin .error").textContent.includes("does not know")`)
	tb.run(chromedp.SendKeys(chromedp.CSS("#signin input"), secret+"\r"))
	tb.await("the page", `document.querySelector(".figures")`)
	tb.awaitLive()
	tb.await("charts", `document.querySelectorAll(".plot canvas").length === 4`)
	tb.run(chromedp.Reload())
	tb.awaitLive()
	if err := s.store.RevokeToken(t.Context(), token.ID, greenlight.Event{Actor: "test", Kind: "token.revoked", Message: "for the test"}); err != nil {
		t.Fatal(err)
	}
	s.stop()
	tb.expect("ERR_")
	s.start(t)
	tb.await("the form again", `document.querySelector("#signin").open`)
}

func figuresAlike(t *testing.T, browser context.Context) {
	tb := open(t, browser, serve(t, single()), "/", wide)
	var values []float64
	for exponent := -7.0; exponent < 11; exponent += 0.0137 {
		values = append(values, math.Pow(10, exponent))
	}
	values = append(values, 0, 0.05, 0.9995, 9.95, 99.949, 999.5, 1000)
	for name, write := range console.Figures {
		if name == "bytes" {
			values = slices.DeleteFunc(slices.Clone(values), func(v float64) bool { return v != math.Trunc(v) })
		}
		data, err := json.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		got := eval[[]string](tb, fmt.Sprintf(`import(document.querySelector("script[type=module]").src.replace("main.js", "figure.js")).then((m) => %s.map(m.%s))`, data, name))
		for i, v := range values {
			if want := write(v); got[i] != want {
				t.Errorf("%s(%v): the page writes %q, the template %q", name, v, got[i], want)
			}
		}
	}
}
