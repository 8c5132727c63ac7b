package gateway_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/gateway"
)

// echo answers with the request's headers, host among them, as JSON.
func echo(t *testing.T) *backend {
	b := newBackend(t, "")
	b.handle(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Host", r.Host)
		w.Header().Set("Connection", "X-Secret")
		w.Header().Set("X-Secret", "hop")
		w.Header().Set("X-Kept", "end")
		w.Header().Set("Keep-Alive", "timeout=5")
		_ = json.NewEncoder(w).Encode(r.Header)
	})
	return b
}

func echoed(t *testing.T, r reply) http.Header {
	t.Helper()
	var h http.Header
	if err := json.Unmarshal([]byte(r.body), &h); err != nil {
		t.Fatalf("%d %q: %v", r.status, r.body, err)
	}
	return h
}

func TestHopByHopHeaders(t *testing.T) {
	g := start(t, to(echo(t).address()))
	got := get(t, httpClient(t), g.url, "Connection: close, X-Mine, X-Forwarded-For", "X-Mine: 1", "Keep-Alive: 5", "Proxy-Authorization: Basic x",
		"Te: gzip", "Upgrade: h2c", "X-End: 2", "Host: shop.example")
	h := echoed(t, got)
	for _, name := range []string{"Connection", "X-Mine", "Keep-Alive", "Proxy-Authorization", "Te", "Upgrade", "Transfer-Encoding"} {
		if v := h.Values(name); len(v) > 0 {
			t.Errorf("the target saw %s: %q", name, v)
		}
	}
	if h.Get("X-End") != "2" || h.Get("Host") != "shop.example" || h.Get("X-Forwarded-For") != "127.0.0.1" {
		t.Errorf("the target saw %v", h)
	}
	if got.header.Get("X-Secret") != "" || got.header.Get("Keep-Alive") != "" || got.header.Get("X-Kept") != "end" {
		t.Errorf("the client saw %v", got.header)
	}
}

func TestForwardedHeaders(t *testing.T) {
	b := echo(t)
	g := start(t, to(b.address()))
	c := httpClient(t)
	claims := []string{"X-Forwarded-For: 203.0.113.9, 198.51.100.7", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example",
		"Forwarded: for=203.0.113.9", "X-Real-Ip: 203.0.113.9", "X-Client: 203.0.113.5"}
	check := func(want map[string]string) {
		t.Helper()
		h := echoed(t, get(t, c, g.url, claims...))
		for name, v := range want {
			if got := strings.Join(h.Values(name), "|"); got != v {
				t.Errorf("%s: %q, want %q", name, got, v)
			}
		}
	}
	host := strings.TrimPrefix(g.url, "http://")
	check(map[string]string{"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Host": host, "Forwarded": "", "X-Real-Ip": "127.0.0.1"})

	config := to(b.address())
	config.Clients.TrustedProxies = []string{"127.0.0.0/8"}
	g.apply(config)
	check(map[string]string{"X-Forwarded-For": "203.0.113.9, 198.51.100.7, 127.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example",
		"Forwarded": "", "X-Real-Ip": "198.51.100.7"})

	config.Clients.TrustedProxies = []string{"127.0.0.0/8", "198.51.100.0/24"}
	g.apply(config)
	check(map[string]string{"X-Real-Ip": "203.0.113.9"})

	config.Clients.Header = "x-client"
	g.apply(config)
	check(map[string]string{"X-Real-Ip": "203.0.113.5"})

	config.Clients.TrustedProxies = []string{"10.0.0.0/8"}
	g.apply(config)
	check(map[string]string{"X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1"})
}

func TestRequestID(t *testing.T) {
	g := start(t, to(echo(t).address()))
	c := httpClient(t)
	for _, given := range []string{"", "abc-123", "two words", strings.Repeat("x", 200), `a"b`} {
		got := get(t, c, g.url, "X-Request-Id: "+given)
		id := got.header.Get("X-Request-Id")
		if echoed(t, got).Get("X-Request-Id") != id {
			t.Errorf("target and client saw different identifiers")
		}
		if kept := id == given; kept != (given == "abc-123") {
			t.Errorf("given %q, used %q", given, id)
		}
		if given != "abc-123" && len(id) != 32 {
			t.Errorf("made %q", id)
		}
	}
}

func dial(t *testing.T, g *running) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// What a target and the gateway could understand differently must not get
// through.
func TestSmuggling(t *testing.T) {
	b := newBackend(t, "")
	b.handle(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s %s %q", r.Method, r.URL.Path, body)
	})
	g := start(t, to(b.address()))
	for name, k := range map[string]struct {
		sent   string
		status int
	}{
		"both lengths":         {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 200}, // chunked counts, and is all that the target sees
		"two lengths":          {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", 400},
		"signed length":        {"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello", 400},
		"unknown coding":       {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501},
		"coding in disguise":   {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400},
		"coding twice":         {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 501},
		"chunk size with tail": {"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5 x\r\nhello\r\n0\r\n\r\n", 400},
		"folded header":        {"GET / HTTP/1.1\r\nHost: x\r\nX-A: b\r\n c\r\n\r\n", 200}, // unfolded
		"no host":              {"GET / HTTP/1.1\r\n\r\n", 400},
		"two hosts":            {"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
		"bare return":          {"GET / HTTP/1.1\r\nHost: x\r\nX-A: b\rX-B: c\r\n\r\n", 400},
		"null byte":            {"GET / HTTP/1.1\r\nHost: x\r\nX-A: b\x00c\r\n\r\n", 400},
		"connect":              {"CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n", 405},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, g)
			_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
			if _, err := io.WriteString(conn, k.sent); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != k.status {
				t.Errorf("%s, want %d; body %q", resp.Status, k.status, body)
			}
			if name == "both lengths" && string(body) != `POST / ""` {
				t.Errorf("the target saw %q", body)
			}
		})
	}
}

// An answer that is more than its length must not become the next answer.
func TestAnswerWithTail(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
			}
			time.AfterFunc(200*time.Millisecond, func() { c.Close() })
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	g := start(t, to(ln.Addr().String()))
	c := httpClient(t)
	for range 5 {
		if got := get(t, c, g.url); got.body != "ok" {
			t.Fatalf("%d %q", got.status, got.body)
		}
	}
}

func TestEarlyHintsAndTrailers(t *testing.T) {
	b := newBackend(t, "")
	b.handle(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Link")
		w.Header().Set("Trailer", "X-Sum")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("X-Sum", "42")
		w.Header().Set(http.TrailerPrefix+"X-Late", "43")
	})
	g := start(t, to(b.address()))
	conn := dial(t, g)
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nTe: trailers\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	hint, err := http.ReadResponse(r, nil)
	if err != nil || hint.StatusCode != http.StatusEarlyHints || hint.Header.Get("Link") != "</style.css>" {
		t.Fatalf("%v %v", hint, err)
	}
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	want := http.Header{"X-Sum": {"42"}, "X-Late": {"43"}}
	if string(body) != "body" || !reflect.DeepEqual(resp.Trailer, want) || len(resp.Header.Values("X-Request-Id")) != 1 {
		t.Errorf("%q, trailers %v, headers %v", body, resp.Trailer, resp.Header)
	}
}

// A target may answer without having read what it was sent.
func TestEarlyAnswer(t *testing.T) {
	b := newBackend(t, "")
	b.handle(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusForbidden)
	})
	g := start(t, to(b.address()))
	c := httpClient(t)
	for range 20 {
		wantStatus(t, do(t, c, request(t, "POST", g.url, strings.Repeat("x", 60<<10))), http.StatusForbidden)
	}
}

// A broken answer must not look whole.
func TestAnswerBreaksOff(t *testing.T) {
	b := newBackend(t, "")
	b.handle(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, strings.Repeat("x", 500))
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	g := start(t, to(b.address()))
	if resp, err := httpClient(t).Get(g.url); err == nil {
		n, err := io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err == nil {
			t.Errorf("%s with %d bytes and no error", resp.Status, n)
		}
	}
	eventually(t, "the target is blamed", func() bool { return g.target("v1-0").LastError == "the answer broke off" })
}

func TestClientLeaves(t *testing.T) {
	b := newBackend(t, "")
	gone := make(chan struct{})
	b.handle(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
			close(gone)
		case <-time.After(5 * time.Second):
		}
	})
	g := start(t, to(b.address()))
	conn := dial(t, g)
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is under way", func() bool { return b.requests.Load() == 1 })
	conn.Close()
	select {
	case <-gone:
	case <-time.After(3 * time.Second):
		t.Error("the target was not told that the client is gone")
	}
	eventually(t, "it is ended", func() bool { return g.Status().InFlight == 0 })
	if s := g.target("v1-0"); s.LastError != "" {
		t.Errorf("the target was blamed for it: %q", s.LastError)
	}
}

func TestIdleConnectionsAreUsedAndChecked(t *testing.T) {
	b := newBackend(t, "b")
	opened := make(map[string]bool)
	b.handle(func(w http.ResponseWriter, r *http.Request) {
		opened[r.RemoteAddr] = true
		_, _ = io.WriteString(w, "b")
	})
	g := start(t, one(gateway.Service{Releases: []gateway.Release{release("v1", 1, b.address())}, Timeouts: gateway.Timeouts{Idle: duration(time.Minute)}}))
	c := httpClient(t)
	for range 20 {
		wantStatus(t, do(t, c, request(t, "POST", g.url, "x")), 200)
	}
	if len(opened) != 1 {
		t.Errorf("20 requests took %d connections", len(opened))
	}
	for range 20 {
		wantStatus(t, do(t, c, request(t, "POST", g.url, "x")), 200)
		b.CloseClientConnections() // nothing else tells the gateway
		time.Sleep(4 * time.Millisecond)
	}
}
