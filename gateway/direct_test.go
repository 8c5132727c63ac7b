package gateway_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/gateway"
)

const getX = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"

// hear reads one answer.
func hear(t testing.TB, r *bufio.Reader) reply {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Close {
		resp.Header.Set("Connection", "close") // which http.ReadResponse takes away
	}
	return reply{resp.StatusCode, resp.Header, string(body)}
}

func send(t testing.TB, c net.Conn, text string) {
	t.Helper()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// A client that sends its headers byte by byte has as long as one that sends
// nothing.
func TestSlowHeaders(t *testing.T) {
	config := to(newBackend(t, "b").address())
	config.Server.HeaderTimeout = duration(150 * time.Millisecond)
	g := start(t, config)
	for _, before := range []int{0, 3} {
		t.Run(fmt.Sprint("after ", before), func(t *testing.T) {
			c := dial(t, g)
			r := bufio.NewReader(c)
			for range before {
				send(t, c, getX)
				hear(t, r)
			}
			begun := time.Now()
			for i := 0; ; i++ {
				if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "[min(i, 32):min(i, 32)+1]); err != nil {
					break
				}
				if time.Since(begun) > 5*time.Second {
					t.Fatal("it is still open after 5 s")
				}
				time.Sleep(10 * time.Millisecond)
			}
			if took := time.Since(begun); took < 100*time.Millisecond {
				t.Errorf("closed after %v", took)
			}
		})
	}
	c := dial(t, g) // one that makes it in time
	for _, part := range strings.SplitAfter(getX, "\r\n") {
		send(t, c, part)
		time.Sleep(5 * time.Millisecond)
	}
	wantStatus(t, hear(t, bufio.NewReader(c)), 200)
}

func TestIdleConnectionsAreClosed(t *testing.T) {
	config := to(newBackend(t, "b").address())
	config.Server.IdleTimeout = duration(100 * time.Millisecond)
	g := start(t, config)
	c := dial(t, g)
	r := bufio.NewReader(c)
	for range 3 {
		time.Sleep(50 * time.Millisecond)
		send(t, c, getX)
		wantStatus(t, hear(t, r), 200)
	}
	begun := time.Now()
	if _, err := r.ReadByte(); err != io.EOF || time.Since(begun) < 80*time.Millisecond {
		t.Errorf("after %v: %v", time.Since(begun), err)
	}
}

func TestHalfClosedClient(t *testing.T) {
	g := start(t, to(newBackend(t, "b").address()))
	for range 20 {
		c := dial(t, g)
		send(t, c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n!")
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(c)
		if got := hear(t, r); got.body != "b!" {
			t.Fatalf("%d %q", got.status, got.body)
		}
		if _, err := r.ReadByte(); err != io.EOF {
			t.Fatalf("after the answer: %v", err)
		}
	}
}

// Requests may come before the ones ahead of them are answered, also while
// the gateway watches whether the client is still there.
func TestPipelinedRequests(t *testing.T) {
	b := newBackend(t, "")
	large := strings.Repeat("z", 100<<10)
	b.handle(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case strings.HasPrefix(r.URL.Path, "/slow"):
			time.Sleep(120 * time.Millisecond)
		case strings.HasPrefix(r.URL.Path, "/large"):
			_, _ = io.WriteString(w, large)
		}
		_, _ = fmt.Fprintf(w, "%s %s", r.URL.Path, body)
	})
	g := start(t, to(b.address()))
	c := dial(t, g)
	var sent strings.Builder
	var want []string
	for i := range 40 {
		path := fmt.Sprintf("/%s/%d", [...]string{"a", "large", "a", "a"}[i%4], i)
		if i%15 == 14 {
			path = fmt.Sprint("/slow/", i)
		}
		body := strings.Repeat("b", i*i)
		_, _ = fmt.Fprintf(&sent, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
		answer := path + " " + body
		if strings.HasPrefix(path, "/large") {
			answer = large + answer
		}
		want = append(want, answer)
	}
	r := bufio.NewReader(c)
	var writing sync.WaitGroup
	writing.Go(func() { _, _ = io.WriteString(c, sent.String()) })
	defer writing.Wait()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	for i := range want {
		if got := hear(t, r); got.body != want[i] {
			t.Fatalf("answer %d: %d, %d bytes, want %d", i, got.status, len(got.body), len(want[i]))
		}
	}
}

// A client that says it will close, or that cannot be understood any more,
// gets its answer before the connection ends.
func TestAnswerBeforeClose(t *testing.T) {
	config := to(newBackend(t, "b").address())
	config.Server.StallTimeout = duration(60 * time.Millisecond)
	config.Routes[0].MaxBodyBytes = 10
	g := start(t, config)
	for sent, want := range map[string]int{
		"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n":                                                        200,
		"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc":                                                    408,
		"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 60000\r\n\r\n" + strings.Repeat("x", 60000): 413,
	} {
		for range 5 {
			c := dial(t, g)
			send(t, c, sent)
			r := bufio.NewReader(c)
			if got := hear(t, r); got.status != want || got.header.Get("Connection") != "close" && want != 200 {
				t.Errorf("%.60q: %d %v, want %d", sent, got.status, got.header, want)
			}
			if _, err := r.ReadByte(); err != io.EOF {
				t.Errorf("%.60q: after the answer: %v", sent, err)
			}
		}
	}
}

// A connection may become a WebSocket after other requests, and others of it
// go on meanwhile.
func TestWebSocketAfterSimpleRequests(t *testing.T) {
	b := newBackend(t, "")
	b.handle(upgradeEcho)
	g := start(t, to(b.address()))
	var l load
	b2 := newBackend(t, "b")
	config := to(b.address())
	config.Routes = append(config.Routes, gateway.Route{Path: "/load", Service: "load"})
	config.Services = append(config.Services, gateway.Service{Name: "load", Releases: []gateway.Release{release("v1", 1, b2.address())}})
	g.apply(config)
	l.start(t, g.url+"/load", 4)
	defer l.end()
	for range 10 {
		c := dial(t, g)
		r := bufio.NewReader(c)
		for range 3 {
			send(t, c, getX)
			if got := hear(t, r); got.body != "no upgrade" {
				t.Fatalf("%d %q", got.status, got.body)
			}
		}
		send(t, c, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("%v %v", resp, err)
		}
		sayAndHear(t, c, r, "first")
		sayAndHear(t, c, r, "second")
		_ = c.Close()
	}
	l.end()
	if l.sent.Load() == 0 || l.failed.Load() > 0 {
		t.Errorf("%d of %d other requests failed", l.failed.Load(), l.sent.Load())
	}
	eventually(t, "all have ended", func() bool { return g.Status().InFlight == 0 })
}

// A client that stops reading gives its target back after the time that it
// has.
func TestClientThatStopsReading(t *testing.T) {
	b := newBackend(t, "")
	b.handle(func(w http.ResponseWriter, _ *http.Request) {
		for chunk := make([]byte, 64<<10); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	config := to(b.address())
	config.Server.StallTimeout = duration(100 * time.Millisecond)
	g := start(t, config)
	c := dial(t, g)
	send(t, c, getX)
	eventually(t, "it is under way", func() bool { return g.Status().InFlight == 1 })
	eventually(t, "it is ended", func() bool { return g.Status().InFlight == 0 })
	if s := g.target("v1-0"); s.LastError != "" {
		t.Errorf("the target was blamed for it: %q", s.LastError)
	}
}

// While the gateway stops, a request that its target has seen is answered,
// whatever the moment it came at.
func TestStopLosesNoAnswer(t *testing.T) {
	for round := range 5 {
		b := newBackend(t, "b")
		g := start(t, to(b.address()), func(o *gateway.Options) { o.Linger = time.Duration(round) * 10 * time.Millisecond })
		address := strings.TrimPrefix(g.url, "http://")
		var answered, broken atomic.Int64
		var clients sync.WaitGroup
		for range 20 {
			clients.Go(func() {
				for {
					n, err := untilClosed(address)
					answered.Add(n)
					if err != nil {
						broken.Add(1)
					}
					if n == 0 {
						return
					}
				}
			})
		}
		eventually(t, "there is load", func() bool { return b.requests.Load() > 100 })
		if err := g.stop(); err != nil {
			t.Error(err)
		}
		clients.Wait()
		if seen := b.requests.Load(); seen != answered.Load() || broken.Load() > 0 || seen == 0 {
			t.Errorf("with a linger of %d ms: the target saw %d requests, %d were answered, %d broke off", round*10, seen, answered.Load(), broken.Load())
		}
	}
}

// untilClosed sends requests on one connection until it is closed, and gives
// how many were answered and an error when an answer broke off.
func untilClosed(address string) (answered int64, err error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return 0, nil // nobody listens any more
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	r := bufio.NewReader(c)
	for {
		if _, err := io.WriteString(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"); err != nil {
			return answered, nil
		}
		if _, err := r.Peek(1); err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return answered, err
			}
			return answered, nil
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return answered, err
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != 200 {
			return answered, fmt.Errorf("%s: %w", resp.Status, err)
		}
		answered++
		if resp.Close {
			return answered, nil
		}
		time.Sleep(rand.N(3 * time.Millisecond))
	}
}

// Some clients send a newline after the body of a POST, together with what
// follows or on its own.
func TestNewlineAfterPost(t *testing.T) {
	g := start(t, to(newBackend(t, "b").address()))
	c := dial(t, g)
	r := bufio.NewReader(c)
	const post = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n!\r\n"
	for range 3 {
		send(t, c, post+getX)
		if first, second := hear(t, r), hear(t, r); first.body != "b!" || second.body != "b" {
			t.Errorf("%v, %v", first, second)
		}
		send(t, c, post[:len(post)-2])
		hear(t, r)
		send(t, c, "\r\n")
		time.Sleep(5 * time.Millisecond)
		send(t, c, getX)
		if got := hear(t, r); got.body != "b" {
			t.Errorf("%v", got)
		}
	}
}

// A simple request for a service that speaks HTTP/2 is none for a connection
// that speaks HTTP/1.1 to targets: net/http gets it, and the next ones.
func TestSimpleRequestForHTTP2Service(t *testing.T) {
	b := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "b")
		_, _ = io.Copy(w, r.Body)
	}))
	b.Config.Protocols = new(http.Protocols)
	b.Config.Protocols.SetUnencryptedHTTP2(true)
	b.Start()
	t.Cleanup(b.Close)
	plain := newBackend(t, "plain")
	config := to(plain.address())
	config.Routes = append(config.Routes, gateway.Route{Path: "/h2", Service: "h2"})
	config.Services = append(config.Services, gateway.Service{Name: "h2", Protocol: gateway.H2C, Releases: []gateway.Release{release("v1", 1, b.Listener.Addr().String())}})
	g := start(t, config)
	c := dial(t, g)
	r := bufio.NewReader(c)
	for _, k := range [][2]string{{"/", "plain"}, {"/h2", "b"}, {"/h2/x", "b"}, {"/", "plain"}} {
		send(t, c, "POST "+k[0]+" HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
		if got := hear(t, r); got.body != k[1]+"abc" {
			t.Errorf("%s: %d %q", k[0], got.status, got.body)
		}
	}
}

// Other bounds for clients are put in force by another server on the same
// socket. That must not wait for a connection to come.
func TestServerChangesWithoutTraffic(t *testing.T) {
	config := to(newBackend(t, "b").address())
	g := start(t, config)
	for i := range 50 {
		config.Server.IdleTimeout = duration(time.Minute + time.Duration(i)*time.Second)
		applied := make(chan error, 1)
		go func() { applied <- g.Apply(config) }()
		select {
		case err := <-applied:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("change %d waits", i)
		}
	}
	wantStatus(t, get(t, httpClient(t), g.url), 200)
}
