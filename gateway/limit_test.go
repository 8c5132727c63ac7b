package gateway_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/gateway"
)

func TestRouteLimit(t *testing.T) {
	b := newBackend(t, "b")
	config := to(b.address())
	config.Routes[0].Limit = &gateway.Limit{Rate: 0.5, Burst: 3}
	g := start(t, config)
	c := httpClient(t)
	for range 3 {
		wantStatus(t, get(t, c, g.url), 200)
	}
	got := get(t, c, g.url)
	wantStatus(t, got, http.StatusTooManyRequests)
	if after := got.header.Get("Retry-After"); after != "2" {
		t.Errorf("Retry-After %q, want 2", after)
	}
	g.apply(config)
	wantStatus(t, get(t, c, g.url), http.StatusTooManyRequests) // the bucket outlives the configuration
	if b.requests.Load() != 3 {
		t.Errorf("%d requests came through", b.requests.Load())
	}
}

func TestLimitRefills(t *testing.T) {
	b := newBackend(t, "b")
	config := to(b.address())
	config.Routes[0].Limit = &gateway.Limit{Rate: 50, Burst: 1}
	g := start(t, config)
	c := httpClient(t)
	begun := time.Now()
	for begun.Add(200 * time.Millisecond).After(time.Now()) {
		get(t, c, g.url)
	}
	most := int64(time.Since(begun).Seconds()*50) + 1
	if n := b.requests.Load(); n < 4 || n > most {
		t.Errorf("%d requests in %v at 50/s, want 4 to %d", n, time.Since(begun), most)
	}
}

func TestClientLimit(t *testing.T) {
	b := newBackend(t, "b")
	config := to(b.address())
	config.Clients = gateway.Clients{TrustedProxies: []string{"127.0.0.1"}}
	config.Routes[0].ClientLimit = &gateway.Limit{Rate: 0.01, Burst: 2}
	g := start(t, config)
	c := httpClient(t)
	from := func(client string) int { return get(t, c, g.url, "X-Forwarded-For: "+client).status }
	for _, client := range []string{"192.0.2.1", "192.0.2.2", "2001:db8::1"} {
		for i, want := range []int{200, 200, 429} {
			if got := from(client); got != want {
				t.Errorf("request %d of %s: %d, want %d", i, client, got, want)
			}
		}
	}
	if got := from("2001:db8::ffff"); got != 429 {
		t.Errorf("another address of the same /64: %d, want 429", got)
	}
	if got := from("2001:db8:0:1::1"); got != 200 {
		t.Errorf("an address of another /64: %d, want 200", got)
	}
}

func TestClientTableIsBounded(t *testing.T) {
	b := newBackend(t, "b")
	config := to(b.address())
	config.Clients = gateway.Clients{TrustedProxies: []string{"127.0.0.0/8"}, MaxTracked: 32}
	config.Routes[0].ClientLimit = &gateway.Limit{Rate: 0.001, Burst: 1}
	g := start(t, config)
	c := httpClient(t)
	for i := range 400 {
		wantStatus(t, get(t, c, g.url, fmt.Sprintf("X-Forwarded-For: 10.0.%d.%d", i/256, i%256)), 200)
	}
	// With room for 32, most of the 400 are forgotten and start afresh.
	again := 0
	for i := range 400 {
		if get(t, c, g.url, fmt.Sprintf("X-Forwarded-For: 10.0.%d.%d", i/256, i%256)).status == 200 {
			again++
		}
	}
	if again < 300 {
		t.Errorf("%d of 400 clients were remembered in a table of 32", 400-again)
	}
}

func TestBodyLimit(t *testing.T) {
	b := newBackend(t, "")
	config := to(b.address())
	config.Routes[0].MaxBodyBytes = 100_000
	g := start(t, config)
	c := httpClient(t)
	for size, want := range map[int]int{100_000: 200, 100_001: 413} {
		wantStatus(t, do(t, c, request(t, "POST", g.url, strings.Repeat("x", size))), want)
		chunked := request(t, "POST", g.url, "")
		chunked.Body = io.NopCloser(strings.NewReader(strings.Repeat("x", size)))
		chunked.ContentLength = -1
		wantStatus(t, do(t, c, chunked), want)
	}
}

func TestHeaderLimit(t *testing.T) {
	b := newBackend(t, "b")
	config := to(b.address())
	config.Server.MaxHeaderBytes = 2048
	g := start(t, config)
	c := httpClient(t)
	wantStatus(t, get(t, c, g.url, "X-Large: "+strings.Repeat("x", 1500)), 200)
	wantStatus(t, get(t, c, g.url, "X-Large: "+strings.Repeat("x", 12000)), http.StatusRequestHeaderFieldsTooLarge)
}

func TestSlowClients(t *testing.T) {
	b := newBackend(t, "b")
	config := to(b.address())
	config.Server = gateway.Server{HeaderTimeout: duration(50 * time.Millisecond), StallTimeout: duration(100 * time.Millisecond)}
	g := start(t, config)
	for name, sent := range map[string]string{
		"headers":       "GET / HTTP/1.1\r\nHost: x\r\n",
		"body":          "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
		"streamed body": "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, g)
			begun := time.Now()
			if _, err := io.WriteString(conn, sent); err != nil {
				t.Fatal(err)
			}
			_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
			if _, err := io.ReadAll(conn); err != nil && strings.Contains(err.Error(), "timeout") {
				t.Fatal("the connection is still open after 5 s")
			}
			if took := time.Since(begun); took < 40*time.Millisecond {
				t.Errorf("it was closed after %v", took)
			}
		})
	}
}

func TestTimeouts(t *testing.T) {
	b := newBackend(t, "b")
	b.handle(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-time.After(5 * time.Second):
		}
	})
	config := to(b.address())
	config.Services[0].Timeouts.Response = duration(50 * time.Millisecond)
	g := start(t, config)
	c := httpClient(t)
	wantStatus(t, get(t, c, g.url), http.StatusGatewayTimeout)
	if n := b.requests.Load(); n != 1 {
		t.Errorf("a request that timed out was sent %d times", n)
	}
	config.Services[0].Timeouts.Response = 0
	config.Routes[0].Timeout = duration(50 * time.Millisecond)
	g.apply(config)
	wantStatus(t, get(t, c, g.url), http.StatusGatewayTimeout)
	if s := g.target("v1-0"); s.LastError != "no answer within the route's timeout" {
		t.Errorf("last error %q", s.LastError)
	}
}
