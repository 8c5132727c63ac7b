package console_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
)

// The walks of TestBrowser through a service's page.

const predictorPath = "/environments/production/services/predictor"

func charts(t *testing.T, browser context.Context) {
	tb := open(t, browser, serve(t, shop()), predictorPath, wide)
	tb.awaitLive()
	const drawn = `[...document.querySelectorAll(".plot canvas")].map((c) => {
		const pixels = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
		let n = 0;
		for (let i = 3; i < pixels.length; i += 4) if (pixels[i] > 200) n++;
		return n;
	})`
	tb.await("four charts", drawn+`.filter((n) => n > 500).length === 4`)
	if label := tb.text(`[data-chart=latency] .key`); !strings.Contains(label, "p50") || !strings.Contains(label, "ms") {
		t.Errorf("the chart's key says %q", label)
	}
	tb.click(`[data-minutes="60"]`)
	tb.await("an hour", `document.querySelector('[data-minutes="60"]').ariaPressed === "true"`)
	at := eval[[]float64](tb, `(() => { const plot = document.querySelector("[data-chart=rate] .plot"); plot.scrollIntoView({block: "center"}); const r = plot.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()`)
	tb.run(chromedp.MouseEvent("mouseMoved", at[0], at[1]))
	tb.await("the crosshair's time on every chart", `[...document.querySelectorAll(".key i")].every((i) => /^(\d+ \w+ \d\d:\d\d|\d\d:\d\d:\d\d)$/.test(i.textContent))`)
}

func logTail(t *testing.T, browser context.Context) {
	tb := open(t, browser, serve(t, shop()), predictorPath, wide)
	const lines = `document.querySelectorAll(".log li").length`
	tb.await("the end of the log", lines+" > 40")
	tb.click("[data-log-pause]")
	count := eval[int](tb, lines)
	tb.await("lines that wait", `/paused, [1-9]/.test(document.querySelector("[data-log-state]").textContent)`)
	if now := eval[int](tb, lines); now != count {
		t.Errorf("a paused log went from %d to %d lines", count, now)
	}
	tb.click("[data-log-pause]")
	tb.await("more lines", fmt.Sprintf("%s > %d", lines, count))
	tb.click("[data-log-wrap]")
	tb.await("wrapped lines", `document.querySelector(".log.wrap")`)
	tb.fill("[data-log-replica]", "predictor-4b7d9aa-2")
	tb.await("one replica's lines", lines+` > 3 && [...document.querySelectorAll(".log b")].every((b) => b.textContent === "predictor-4b7d9aa-2")`)
}

func playground(t *testing.T, browser context.Context) {
	s := serve(t, shop())
	tb := open(t, browser, s, predictorPath, wide)
	tb.awaitLive()
	tb.fill("[data-column=island]", "O'Brien")
	if body := eval[string](tb, `document.querySelector("[name=body]").value`); !strings.Contains(body, `"island": "O'Brien"`) {
		t.Errorf("the field is not in the request: %s", body)
	}
	tb.click(".curl summary")
	want := `curl -s 'http://127.0.0.1:8080/predictor/predict' -H 'Content-Type: application/json' -d '{"rows":[{"bill_length_mm":43.2,`
	if curl := tb.text(".curl pre"); !strings.HasPrefix(curl, want) || !strings.Contains(curl, `O'\''Brien`) {
		t.Errorf("the line for a shell is %s", curl)
	}
	tb.click("[data-try] [type=submit]")
	tb.await("the answer", `document.querySelector(".outcome .pill.go")?.textContent === "200"`)
	if answer := tb.text(".answer pre"); !strings.Contains(answer, "\"id\": 9007199254740993") {
		t.Errorf("the answer reads %s", answer)
	}
	if bars := eval[string](tb, `document.querySelector(".bars li").textContent`); bars != "Adelie97 %" {
		t.Errorf("the first bar says %q", bars)
	}
	if !s.asked(`Try POST /predict {"rows":[{"bill_length_mm":43.2,"bill_depth_mm":16.6,"flipper_length_mm":187,"body_mass_g":2900,"island":"O'Brien","sex":"female"}]}`) {
		t.Errorf("the service was asked %q", s.calls)
	}
	tb.expect("503")
	s.refuse("Try", greenlight.CodeUnavailable, "no replica is ready")
	tb.click("[data-try] [type=submit]")
	tb.await("the refusal where it happened", `document.querySelector("[data-try] .error").textContent.includes("no replica is ready")`)
}

func plainRequest(t *testing.T, browser context.Context) {
	s := serve(t, shop())
	tb := open(t, browser, s, "/environments/production/services/web", wide)
	tb.awaitLive()
	tb.fill("[name=path]", "/hello?x=1")
	tb.click("[data-try] [type=submit]")
	tb.await("the answer", `document.querySelector(".outcome .pill.go")`)
	if !s.asked("Try GET /hello?x=1 ") {
		t.Errorf("the service was asked %q", s.calls)
	}
}

func scaleAndRestart(t *testing.T, browser context.Context) {
	s := serve(t, shop())
	tb := open(t, browser, s, predictorPath, wide)
	tb.awaitLive()
	const number, name, do = `#confirm [type=number]`, `#confirm [type=text]`, `#confirm [type=submit]`
	tb.click("[data-action=scale]")
	tb.fill(number, "6")
	tb.click(do)
	tb.await("the dialog closes", `!document.querySelector("#confirm").open`)
	if !s.asked("Scale production/predictor 6") {
		t.Errorf("the plane was asked %q", s.calls)
	}
	tb.await("the new number", `document.querySelector(".figures").textContent.includes("of 6")`)

	tb.click("[data-action=scale]")
	tb.fill(number, "0")
	if !eval[bool](tb, `document.querySelector("#confirm [type=submit]").disabled`) {
		t.Error("scaling to zero does not ask for the name")
	}
	tb.run(chromedp.SendKeys(chromedp.CSS(name), "predicto"))
	if !eval[bool](tb, `document.querySelector("#confirm [type=submit]").disabled`) {
		t.Error("a part of the name is enough")
	}
	tb.expect("409")
	s.refuseWith("Scale", store.Conflict("a restart is under way"))
	tb.run(chromedp.SendKeys(chromedp.CSS(name), "r"))
	tb.click(do)
	tb.await("the refusal in the dialog", `document.querySelector("#confirm[open] .error").textContent.includes("a restart is under way")`)
	s.refuseWith("Scale", nil)
	tb.click(do)
	tb.await("the dialog closes", `!document.querySelector("#confirm").open`)
	if !s.asked("Scale production/predictor 0") {
		t.Errorf("the plane was asked %q", s.calls)
	}

	tb.click("[data-action=restart]")
	tb.run(chromedp.SendKeys(chromedp.CSS(name), "predictor"))
	tb.click(do)
	tb.await("the dialog closes", `!document.querySelector("#confirm").open`)
	if !s.asked("Restart production/predictor/") {
		t.Errorf("the plane was asked %q", s.calls)
	}
}
