package gateway_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/gateway"
)

func TestWeights(t *testing.T) {
	a, b, idle := newBackend(t, "a"), newBackend(t, "b"), newBackend(t, "idle")
	g := start(t, one(gateway.Service{Releases: []gateway.Release{
		release("v1", 90, a.address()), release("v2", 10, b.address()), release("v3", 0, idle.address()), release("v4", 50)}}))
	c := httpClient(t)
	const n = 3000
	for range n {
		wantStatus(t, get(t, c, g.url), 200)
	}
	// Five standard deviations of the binomial distribution: wrong once in
	// two million runs.
	if got, slack := float64(b.requests.Load()), 5*math.Sqrt(n*.1*.9); math.Abs(got-n*.1) > slack {
		t.Errorf("v2 with a tenth of the weight got %v of %d requests", got, n)
	}
	if idle.requests.Load() != 0 {
		t.Error("a release of weight 0 was asked")
	}
}

func TestStickyHeader(t *testing.T) {
	a, b := newBackend(t, "a"), newBackend(t, "b")
	config := func(weight int) *gateway.Config {
		return one(gateway.Service{Sticky: &gateway.Sticky{Header: "X-User"},
			Releases: []gateway.Release{release("v1", 100-weight, a.address()), release("v2", weight, b.address())}})
	}
	g := start(t, config(10))
	c := httpClient(t)
	const users = 600
	side := func(u int) string { return get(t, c, g.url, fmt.Sprintf("X-User: %d", u)).body }
	before := map[int]string{}
	onB := 0
	for u := range users {
		before[u] = side(u)
		if before[u] == "b" {
			onB++
		}
		if again := side(u); again != before[u] {
			t.Fatalf("user %d went from %s to %s", u, before[u], again)
		}
	}
	if slack := 5 * math.Sqrt(users*.1*.9); math.Abs(float64(onB)-users*.1) > slack {
		t.Errorf("v2 with a tenth of the weight has %d of %d users", onB, users)
	}
	g.apply(config(50))
	for u := range users {
		if before[u] == "b" && side(u) == "a" {
			t.Fatalf("user %d left v2 although its weight grew", u)
		}
	}
}

func TestStickyCookie(t *testing.T) {
	a, b := newBackend(t, "a"), newBackend(t, "b")
	g := start(t, one(gateway.Service{Sticky: &gateway.Sticky{Cookie: "gl"},
		Releases: []gateway.Release{release("v1", 1, a.address()), release("v2", 1, b.address())}}))
	c := httpClient(t)
	sides := map[string]bool{}
	for range 30 {
		first := get(t, c, g.url)
		set := first.header.Get("Set-Cookie")
		cookie, _, _ := strings.Cut(set, ";")
		if !strings.HasPrefix(cookie, "gl=") || !strings.Contains(set, "HttpOnly") {
			t.Fatalf("Set-Cookie: %q", set)
		}
		sides[first.body] = true
		for range 3 {
			again := get(t, c, g.url, "Cookie: "+cookie)
			if again.body != first.body || again.header.Get("Set-Cookie") != "" {
				t.Fatalf("with its cookie the client went from %s to %s, Set-Cookie %q", first.body, again.body, again.header.Get("Set-Cookie"))
			}
		}
	}
	if len(sides) != 2 {
		t.Errorf("30 clients all went to %v", sides)
	}
}

func TestLeastLoaded(t *testing.T) {
	slow, fast := newBackend(t, "slow"), newBackend(t, "fast")
	release1 := make(chan struct{})
	slow.handle(func(w http.ResponseWriter, _ *http.Request) { <-release1 })
	g := start(t, to(slow.address(), fast.address()))
	c := httpClient(t)
	var busy sync.WaitGroup
	defer busy.Wait()
	defer close(release1)
	for slow.requests.Load() < 1 {
		busy.Go(func() {
			resp, err := c.Get(g.url)
			if err == nil {
				resp.Body.Close()
			}
		})
		time.Sleep(10 * time.Millisecond)
	}
	for range 50 {
		if got := get(t, c, g.url); got.body != "fast" {
			t.Fatalf("%q answered although it is busy", got.body)
		}
	}
}

// target gives the status of a target of the only service.
func (r *running) target(id string) gateway.TargetStatus {
	r.t.Helper()
	for _, rel := range r.Status().Services[0].Releases {
		for _, t := range rel.Targets {
			if t.ID == id {
				return t
			}
		}
	}
	r.t.Fatalf("no target %s", id)
	return gateway.TargetStatus{}
}

func TestEjectionAndReturn(t *testing.T) {
	good, bad := newBackend(t, "good"), newBackend(t, "bad")
	var broken atomic.Bool
	broken.Store(true)
	bad.handle(func(w http.ResponseWriter, _ *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = io.WriteString(w, "bad")
	})
	g := start(t, one(gateway.Service{Releases: []gateway.Release{release("v1", 1, good.address(), bad.address())},
		Ejection: gateway.Ejection{Failures: 3, Base: duration(time.Second), Max: duration(1500 * time.Millisecond)}}))
	c := httpClient(t)
	failed := 0
	for range 40 {
		if get(t, c, g.url).status == 500 {
			failed++
		}
	}
	if failed != 3 {
		t.Errorf("%d requests failed before the target was ejected, want 3", failed)
	}
	s := g.target("v1-1")
	if s.Usable || s.Ejections != 1 || s.EjectedUntil.IsZero() || s.LastError != "500 Internal Server Error" {
		t.Errorf("status %+v", s)
	}
	eventually(t, "one failure after its return ejects it again, for longer", func() bool {
		get(t, c, g.url)
		s := g.target("v1-1")
		return s.Ejections == 2 && time.Until(s.EjectedUntil) > 1050*time.Millisecond
	})
	broken.Store(false)
	eventually(t, "it is back", func() bool { return get(t, c, g.url).body == "bad" && g.target("v1-1").Usable })
}

func TestLastTargetIsKept(t *testing.T) {
	bad := newBackend(t, "bad")
	bad.handle(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	worse := newBackend(t, "worse")
	worse.Close()
	g := start(t, one(gateway.Service{Releases: []gateway.Release{release("v1", 1, bad.address(), worse.address())},
		Ejection: gateway.Ejection{Failures: 1, ConnectFailures: 1, Base: duration(time.Minute)},
		Check:    &gateway.Check{Path: "/", Interval: duration(10 * time.Millisecond), Unhealthy: 1}}))
	c := httpClient(t)
	eventually(t, "checks fail for both", func() bool { return !g.target("v1-0").Usable && !g.target("v1-1").Usable })
	before := bad.requests.Load()
	for range 20 {
		if got := get(t, c, g.url).status; got != http.StatusBadGateway && got != http.StatusServiceUnavailable {
			t.Fatalf("status %d", got)
		}
	}
	if bad.requests.Load() <= before {
		t.Error("the gateway stopped asking although nothing else was left")
	}
}

func TestActiveChecks(t *testing.T) {
	a, b := newBackend(t, "a"), newBackend(t, "b")
	var sick atomic.Bool
	sick.Store(true)
	b.handle(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" && sick.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = io.WriteString(w, "b")
	})
	config := one(gateway.Service{Releases: []gateway.Release{release("v1", 1, a.address(), b.address())},
		Check: &gateway.Check{Path: "/healthz", Interval: duration(5 * time.Millisecond), Healthy: 2}})
	g := start(t, config)
	c := httpClient(t)
	eventually(t, "b is found sick", func() bool { return !g.target("v1-1").Usable })
	if s := g.target("v1-1"); s.Check != "GET /healthz answered 503 Service Unavailable" {
		t.Errorf("check: %q", s.Check)
	}
	for range 20 {
		if got := get(t, c, g.url); got.body != "a" {
			t.Fatalf("%q answered although it is sick", got.body)
		}
	}
	sick.Store(false)
	eventually(t, "b is found well", func() bool { return g.target("v1-1").Usable && get(t, c, g.url).body == "b" })
	sick.Store(true)
	eventually(t, "b is sick again", func() bool { return !g.target("v1-1").Usable })
	config.Services[0].Check = nil
	g.apply(config)
	if !g.target("v1-1").Usable {
		t.Error("a target that is no longer checked is still kept out")
	}
}

// dropper is a server that reads a request and closes the connection.
func dropper(t *testing.T) (address string, requests *atomic.Int64) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	requests = new(atomic.Int64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			if n, _ := c.Read(make([]byte, 4096)); n > 0 {
				requests.Add(1)
			}
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = ln.Close(); <-done })
	return ln.Addr().String(), requests
}

func TestRetries(t *testing.T) {
	good := newBackend(t, "good")
	closed := newBackend(t, "closed")
	closed.Close()
	dropping, dropped := dropper(t)
	never := gateway.Ejection{Failures: -1, ConnectFailures: -1}
	c := httpClient(t)
	large := strings.Repeat("x", 100<<10) // streamed

	t.Run("not sent", func(t *testing.T) {
		g := start(t, one(gateway.Service{Releases: []gateway.Release{release("v1", 1, good.address(), closed.address())}, Ejection: never}))
		for range 30 {
			wantStatus(t, get(t, c, g.url), 200)
			wantStatus(t, do(t, c, request(t, "POST", g.url, "small")), 200)
			if got := do(t, c, request(t, "POST", g.url, large)); got.body != "good"+large {
				t.Fatalf("status %d, %d bytes", got.status, len(got.body))
			}
		}
		wantMetric(t, g, `greenlight_gateway_retries_total{outcome="sent",service="shop"}`, 1, 90)
	})
	t.Run("idempotent", func(t *testing.T) {
		g := start(t, one(gateway.Service{Releases: []gateway.Release{release("v1", 1, good.address(), dropping)}, Ejection: never}))
		dropped.Store(0)
		for range 30 {
			if got := get(t, c, g.url); got.body != "good" {
				t.Fatalf("%d %q", got.status, got.body)
			}
		}
		if dropped.Load() == 0 {
			t.Error("the dropping target was never asked: the test shows nothing")
		}
	})
	for _, method := range []string{"POST", "PATCH", "PUT", "DELETE"} {
		for _, body := range []string{"small", large} {
			t.Run(fmt.Sprintf("never sent twice %s %d", method, len(body)), func(t *testing.T) {
				g := start(t, one(gateway.Service{Releases: []gateway.Release{release("v1", 1, good.address(), dropping)}, Ejection: never}))
				good.requests.Store(0)
				dropped.Store(0)
				const n = 20
				failed := int64(0)
				for range n {
					if do(t, c, request(t, method, g.url, body)).status == http.StatusBadGateway {
						failed++
					}
				}
				if got := good.requests.Load() + dropped.Load(); got != n || failed != dropped.Load() {
					t.Errorf("%d requests arrived %d times; %d dropped, %d failed", n, got, dropped.Load(), failed)
				}
			})
		}
	}
	t.Run("POST without a body is not idempotent", func(t *testing.T) {
		g := start(t, to(dropping))
		dropped.Store(0)
		wantStatus(t, do(t, c, request(t, "POST", g.url, "")), http.StatusBadGateway)
		if dropped.Load() != 1 {
			t.Errorf("it was sent %d times", dropped.Load())
		}
	})
	t.Run("other release", func(t *testing.T) {
		g := start(t, one(gateway.Service{Releases: []gateway.Release{release("v1", 1, good.address()), release("v2", 1, closed.address())}}))
		for range 20 {
			wantStatus(t, get(t, c, g.url), 200)
		}
	})
}

func TestRetryBudget(t *testing.T) {
	dropping, dropped := dropper(t)
	other, alsoDropped := dropper(t)
	share := 0.0
	g := start(t, one(gateway.Service{Releases: []gateway.Release{release("v1", 1, dropping, other)},
		Retry: gateway.Retry{Attempts: 2, Budget: &share}, Ejection: gateway.Ejection{Failures: -1, ConnectFailures: -1}}))
	c := httpClient(t)
	const n = 200
	begun := time.Now()
	for range n {
		wantStatus(t, get(t, c, g.url), http.StatusBadGateway)
	}
	// A hundred to begin with, ten a second after that.
	most := int64(n + 100 + 10*math.Ceil(time.Since(begun).Seconds()))
	if sent := dropped.Load() + alsoDropped.Load(); sent < n+100 || sent > most {
		t.Errorf("%d requests were sent %d times, want between %d and %d", n, sent, n+100, most)
	}
	wantMetric(t, g, `greenlight_gateway_retries_total{outcome="refused",service="shop"}`, 50, 100)
}

// wantMetric looks for a series with a value between least and most.
func wantMetric(t *testing.T, g *running, series string, least, most float64) {
	t.Helper()
	data, err := g.client.Metrics(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(data), "\n") {
		if rest, ok := strings.CutPrefix(line, series+" "); ok {
			var v float64
			if _, err := fmt.Sscan(rest, &v); err != nil || v < least || v > most {
				t.Errorf("%s is %s, want %v to %v", series, rest, least, most)
			}
			return
		}
	}
	t.Errorf("no series %s", series)
}
