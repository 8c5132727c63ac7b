package console_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

var (
	update = flag.Bool("update", false, "take the pictures of docs/console anew")
	shots  = flag.String("shots", "", "folder for pictures of every page, to be looked at")
)

// TestPictures holds that the documents' pictures exist and are of use there;
// with -update it takes them, and with -shots those of every page.
func TestPictures(t *testing.T) {
	folder := filepath.Join("..", "docs", "console")
	if *update {
		browser, site := chromium(t), serve(t, shop())
		for name, dark := range map[string]bool{"overview-light.png": false, "overview-dark.png": true} {
			v := view{width: 1280, height: 900, dark: dark}
			t.Run(name, func(t *testing.T) {
				save(t, filepath.Join(folder, name), smaller(t, picture(t, browser, site, "/", "", v)))
			})
		}
	}
	if *shots != "" {
		everyPage(t, *shots)
	}
	for _, name := range []string{"overview-light.png", "overview-dark.png"} {
		data, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatalf("%v; go test ./console -run TestPictures -update takes it", err)
		}
		size, err := png.DecodeConfig(bytes.NewReader(data))
		if err != nil || size.Width != 1280 || len(data) > 200_000 {
			t.Errorf("%s is %d wide and has %d bytes (%v), want 1280 and 200,000 at most", name, size.Width, len(data), err)
		}
	}
}

// everyPage takes pictures of every page in every view.
func everyPage(t *testing.T, folder string) {
	browser := chromium(t)
	loaded := serve(t, tested(t, shop(), 4))
	newest, before := loaded.loads[0].ID, loaded.loads[1].ID
	plans := serve(t, planned(t, shop()))
	expired := plans.capacity[1].ID
	erringRuns := serve(t, erring(t, shop()))
	sites := map[string]*site{"loaded": loaded, "running": serve(t, running(tested(t, shop(), 0))), "begun": serve(t, begun(shop())), "planned": plans, "shop": serve(t, shop()), "erring": erringRuns, "reports": reports(t), "one": serve(t, single()), "crowd": serve(t, crowd(200)), "none": serve(t, newPlane())}
	click := func(selector string) string { return fmt.Sprintf("document.querySelector(%q).click()", selector) }
	pages := []struct{ name, site, path, act string }{
		{"overview", "shop", "/", ""}, {"overview-one", "one", "/", ""}, {"overview-crowd", "crowd", "/", ""}, {"overview-none", "none", "/", ""},
		{"service", "shop", predictorPath, click("[data-try] [type=submit]")},
		{"load", "loaded", "/load", ""}, {"load-none", "shop", "/load", ""},
		{"load-running", "running", "/load", ""}, {"load-begun", "begun", "/load", ""}, {"overview-tested", "running", "/?environment=production", ""}, {"service-tested", "running", predictorPath, ""},
		{"load-stop", "running", "/load", click("[data-action=stop-load]")}, {"load-run", "loaded", predictorLoads + newest, ""},
		{"load-errors", "erring", "/load", ""}, {"load-failed", "erring", predictorLoads + erringRuns.loads[0].ID, ""},
		{"report-long", "reports", "/long", ""}, {"report-refused", "reports", "/refused", ""}, {"report-few", "reports", "/few", ""},
		{"load-void", "loaded", predictorLoads + loaded.loads[2].ID, ""}, {"load-compare", "loaded", predictorLoads + "compare?a=" + before + "&b=" + newest, ""},
		{"capacity", "planned", predictorCapacity, ""}, {"capacity-changed", "planned", predictorCapacity + "?rate=160&cache=40&p99=120", ""},
		{"capacity-expired", "planned", predictorCapacity + "/" + expired, ""}, {"capacity-list", "planned", "/capacity", ""}, {"capacity-none", "planned", "/capacity/production/web", ""},
		{"service-degraded", "shop", "/environments/production/services/assets", ""},
		{"service-asleep", "shop", "/environments/production/services/reports", ""},
		{"events", "shop", "/events", click("li:nth-child(2) summary")}, {"events-filtered", "shop", "/events?kind=nothing", ""},
		{"plan", "shop", "/plan", ""}, {"missing", "shop", "/nowhere", ""}, {"plan-none", "none", "/plan", ""},
		{"jump", "shop", "/", click("[data-open=jump]")}, {"compare", "shop", "/", click(".signal + .env + .signal")},
		{"down", "shop", "/", click("[data-action=down]")}, {"scale", "shop", predictorPath, click("[data-action=scale]")},
		{"keys", "shop", "/", `document.querySelector("#keys").showModal()`}, {"signin", "shop", "/", `document.querySelector("#signin").showModal()`},
		{"lost", "shop", "/", `{ const b = document.querySelector("#banner"); b.textContent = "Lost the control plane at 14:02:11; the services serve on. Trying again."; b.hidden = false; document.body.classList.add("lost") }`},
	}
	views := map[string]view{"light": wide, "dark": {width: 1280, height: 900, dark: true}, "phone": phone}
	for _, p := range pages {
		for name, v := range views {
			t.Run(p.name+"-"+name, func(t *testing.T) {
				save(t, filepath.Join(folder, p.name+"-"+name+".png"), picture(t, browser, sites[p.site], p.path, p.act, v))
			})
		}
	}
}

// picture is a PNG of a whole page, when its figures have come and act was
// evaluated.
func picture(t testing.TB, browser context.Context, site *site, path, act string, v view) []byte {
	t.Helper()
	tb := open(t, browser, site, path, v)
	tb.expect("404")
	if eval[bool](tb, `Boolean(document.querySelector("[data-key] [data-f]"))`) {
		tb.awaitLive()
	}
	time.Sleep(400 * time.Millisecond) // the charts' second frame
	if act != "" {
		tb.run(chromedp.Evaluate[chromedp.Void](act))
		time.Sleep(300 * time.Millisecond)
	}
	return result(tb, chromedp.FullScreenshot(100))
}

// smaller packs a picture as tightly as PNG allows, with 64 steps of each
// colour, which nobody tells from 256.
func smaller(t testing.TB, data []byte) []byte {
	t.Helper()
	full, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	flat := image.NewRGBA(full.Bounds())
	draw.Draw(flat, flat.Bounds(), full, full.Bounds().Min, draw.Src)
	for i, v := range flat.Pix {
		flat.Pix[i] = v&^3 | v>>6
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, flat); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func save(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}
