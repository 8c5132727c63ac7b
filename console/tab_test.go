package console_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// chromium starts one browser for all tests of the package that ask for it.
func chromium(t testing.TB) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("the console's tests need Chromium: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.WindowSize(1280, 900),
		chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("disable-component-update", true))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	browser, closeBrowser := chromedp.NewContext(ctx)
	if err := chromedp.Do(browser); err != nil {
		t.Fatalf("Chromium does not start: %v", err)
	}
	t.Cleanup(func() {
		closeBrowser()
		stop()
	})
	return browser
}

// view is how a page is looked at.
type view struct {
	width, height int64
	dark          bool
}

var (
	wide  = view{width: 1280, height: 900}
	phone = view{width: 360, height: 740}
)

// tab is one page in the browser. What it complains about fails the test.
type tab struct {
	context.Context
	t testing.TB

	mu         sync.Mutex
	complaints []string
	expected   []string // parts of complaints that the test brings about
	origin     string
}

// open opens a page of a site and waits until it is live.
func open(t testing.TB, browser context.Context, site *site, path string, v view) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser)
	limited, stop := context.WithTimeout(ctx, 30*time.Second)
	tb := &tab{Context: limited, t: t, origin: site.url}
	if err := chromedp.Do(limited); err != nil {
		t.Fatalf("a tab does not open: %v", err)
	}
	if err := chromedp.Listen(limited, tb.listen); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		cancel()
		tb.mu.Lock()
		defer tb.mu.Unlock()
		for _, c := range tb.complaints {
			if !slices.ContainsFunc(tb.expected, func(part string) bool { return strings.Contains(c, part) }) {
				t.Error(c)
			}
		}
	})
	scheme := "light"
	if v.dark {
		scheme = "dark"
	}
	command(tb, network.Enable, network.EnableParams{})
	command(tb, log.Enable, cdp.Empty{})
	command(tb, runtime.Enable, cdp.Empty{})
	tb.prefer(scheme)
	command(tb, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	command(tb, emulation.SetScrollbarsHidden, emulation.SetScrollbarsHiddenParams{Hidden: true})
	tb.run(chromedp.EmulateViewport(v.width, v.height), chromedp.Navigate(site.url+path))
	return tb
}

// command sends a command of the browser's protocol.
func command[P, R any](tb *tab, c cdp.Command[P, R], params P) {
	tb.t.Helper()
	if _, err := chromedp.Call(tb, c, params); err != nil {
		tb.t.Fatalf("%s: %v", c.Method, err)
	}
}

// listen collects errors, breaches of the policy and requests to elsewhere.
func (tb *tab) listen(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		tb.complain((&chromedp.ExceptionError{ExceptionDetails: e.ExceptionDetails}).Error())
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			tb.complain(fmt.Sprintf("console.%s: %s", e.Type, e.Args[0].Value))
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			tb.complain("log: " + e.Entry.Text + " " + e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		u, err := url.Parse(e.Request.URL)
		if err != nil || (u.Scheme+"://"+u.Host != tb.origin && u.Scheme != "about") {
			tb.complain("request to elsewhere: " + e.Request.URL)
		}
	}
}

func (tb *tab) complain(text string) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.complaints = append(tb.complaints, text)
}

// expect allows complaints that contain part.
func (tb *tab) expect(part string) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	tb.expected = append(tb.expected, part)
}

func (tb *tab) run(steps ...chromedp.Action[chromedp.Void]) {
	tb.t.Helper()
	if err := chromedp.Do(tb, steps...); err != nil {
		tb.t.Fatalf("%v", err)
	}
}

func (tb *tab) click(selector string) {
	tb.t.Helper()
	tb.run(chromedp.Click(chromedp.CSS(selector)))
}

// fill puts a value into a field, as typing or choosing it does.
func (tb *tab) fill(selector, value string) {
	tb.t.Helper()
	eval[bool](tb, fmt.Sprintf(`(() => {
		const field = document.querySelector(%q);
		field.value = %q;
		field.dispatchEvent(new Event("input", {bubbles: true}));
		return field.dispatchEvent(new Event("change", {bubbles: true}));
	})()`, selector, value))
}

// prefer sets the system's colour scheme.
func (tb *tab) prefer(scheme string) {
	tb.t.Helper()
	media := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}
	command(tb, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: media})
}

// text is what an element says.
func (tb *tab) text(selector string) string {
	tb.t.Helper()
	return result(tb, chromedp.Text(chromedp.CSS(selector)))
}

// key presses keys with nothing particular in focus.
func (tb *tab) key(keys string) {
	tb.t.Helper()
	tb.run(chromedp.KeyEvent(keys))
}

// eval is the value of a JavaScript expression; a promise is awaited.
func eval[T any](tb *tab, expression string) T {
	tb.t.Helper()
	return result(tb, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

func result[T any](tb *tab, action chromedp.Action[T]) T {
	tb.t.Helper()
	value, err := chromedp.Run(tb, action)
	if err != nil {
		tb.t.Fatal(err)
	}
	return value
}

// await waits until a JavaScript expression is true.
func (tb *tab) await(what, expression string) {
	tb.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		value, err := chromedp.Run(tb, chromedp.Evaluate[bool]("Boolean("+expression+")"))
		if value {
			return
		}
		if time.Now().After(deadline) {
			tb.t.Fatalf("%s: not within 30 s (%v)", what, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// awaitLive waits for the first figures of the stream.
func (tb *tab) awaitLive() {
	tb.t.Helper()
	tb.await("figures of the stream", `[...document.querySelectorAll("[data-f]")].some((e) => e.figure !== undefined)`)
}
