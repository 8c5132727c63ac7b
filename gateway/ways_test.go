package gateway_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/gateway"
)

// scripted is a target that answers a path with the bytes of its script and
// remembers what it was asked.
type scripted struct {
	net.Listener
	script map[string]string
	served sync.WaitGroup

	mu    sync.Mutex
	seen  []string
	conns map[net.Conn]bool
}

// A script that ends with this closes the connection.
const thenClose = "<close>"

func newScripted(t testing.TB, script map[string]string) *scripted {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &scripted{Listener: ln, script: script, conns: make(map[net.Conn]bool)}
	s.served.Go(s.serve)
	t.Cleanup(func() {
		_ = ln.Close()
		s.mu.Lock()
		for c := range s.conns {
			_ = c.Close()
		}
		s.mu.Unlock()
		s.served.Wait()
	})
	return s
}

func (s *scripted) serve() {
	for {
		c, err := s.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns[c] = true
		s.mu.Unlock()
		s.served.Go(func() {
			defer c.Close()
			r := bufio.NewReader(c)
			for s.answer(c, r) {
			}
			s.mu.Lock()
			delete(s.conns, c)
			s.mu.Unlock()
		})
	}
}

// answer notes one request, read as strictly as can be, and answers it.
func (s *scripted) answer(c net.Conn, r *bufio.Reader) bool {
	req, err := http.ReadRequest(r)
	if err != nil {
		if err != io.EOF && !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.ErrUnexpectedEOF) {
			s.note("unreadable: " + err.Error())
		}
		return false
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return false // the client left; when that is seen here depends on nothing but luck
	}
	s.note(fmt.Sprintf("%s %s host %q length %d coding %q %s body %q", req.Method, req.RequestURI, req.Host, req.ContentLength,
		req.TransferEncoding, headerText(req.Header), body))
	s.mu.Lock()
	answer, ok := s.script[req.URL.Path]
	s.mu.Unlock()
	if !ok {
		answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	}
	answer, closes := strings.CutSuffix(answer, thenClose)
	_, err = io.WriteString(c, answer)
	return err == nil && !closes
}

func (s *scripted) note(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = append(s.seen, what)
}

// take gives what was seen since the last time.
func (s *scripted) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.seen
	s.seen = nil
	return seen
}

var madeID = regexp.MustCompile("^[0-9a-f]{32}$")

// headerText is h in a fixed order, without what differs between any two
// requests.
func headerText(h http.Header) string {
	h = h.Clone()
	if madeID.MatchString(h.Get("X-Request-Id")) {
		h.Set("X-Request-Id", "made")
	}
	if d := h.Get("Date"); d != "" && d != "scripted" {
		if _, err := http.ParseTime(d); err == nil {
			h.Set("Date", "now")
		}
	}
	if n, err := strconv.Atoi(h.Get("Content-Length")); err == nil {
		h.Set("Content-Length", strconv.Itoa(n)) // without zeros before it
	}
	names := make([]string, 0, len(h))
	for name, values := range h {
		names = append(names, fmt.Sprintf("%s=%q", name, values))
	}
	slices.Sort(names)
	return longRun.ReplaceAllStringFunc(strings.Join(names, " "), func(run string) string { return fmt.Sprintf("%c*%d", run[0], len(run)) })
}

// heard is what a client got: the answers and whether the connection was then
// closed.
type heard struct {
	answers []string
	closed  bool
}

// talk sends bytes on a new connection and reads answers, to requests of the
// methods, until nothing comes any more.
func talk(t testing.TB, address string, sent []byte, methods []string, quiet time.Duration) heard {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write(sent); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(c)
	var h heard
	for n := 0; ; n++ {
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if n > 0 {
			_ = c.SetReadDeadline(time.Now().Add(quiet))
		} else if len(methods) == 0 {
			_ = c.SetReadDeadline(time.Now().Add(max(quiet, 300*time.Millisecond)))
		}
		if _, err := r.Peek(1); err != nil {
			h.closed = !errors.Is(err, os.ErrDeadlineExceeded)
			return h
		}
		method := "GET"
		if n < len(methods) {
			method = methods[n]
		}
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		answer, err := readReply(r, method)
		h.answers = append(h.answers, answer)
		if err != nil {
			h.closed = true
			return h
		}
		if strings.HasPrefix(answer, "1") {
			methods = slices.Insert(slices.Clone(methods), min(n, len(methods)), "GET")
		}
	}
}

func readReply(r *bufio.Reader, method string) (string, error) {
	resp, err := http.ReadResponse(r, &http.Request{Method: method})
	if err != nil {
		return "unreadable", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	whole := "whole"
	if resp.StatusCode >= 400 && resp.Header.Get("X-Request-Id") == "" {
		// net/http gave up on the connection, and may have reset it before we read on.
		return resp.Status + " and no more", io.EOF
	}
	if err != nil {
		whole = "broken"
	}
	if len(body) == 0 && resp.ContentLength < 0 && len(resp.Trailer) == 0 {
		resp.ContentLength, resp.TransferEncoding = 0, nil // which is how the other way may say it
		resp.Header.Set("Content-Length", "0")
	}
	if len(body) > 200 {
		body = fmt.Appendf(nil, "%d bytes, the last %q", len(body), body[len(body)-1])
	}
	return fmt.Sprintf("%s %s close %v length %d coding %q %s body %q trailer %s", resp.Status, whole, resp.Close, resp.ContentLength,
		resp.TransferEncoding, headerText(resp.Header), body, headerText(resp.Trailer)), err
}

// ways are a gateway's own way of serving HTTP/1.1 and that of net/http, in
// front of the same target.
type ways struct {
	target       *scripted
	own, netHTTP string // addresses
	// How much of an answer a client gets that the target breaks off depends
	// on buffers; with this, no two of them differ.
	brokenAlike bool
}

func newWays(t testing.TB, script map[string]string, change func(*gateway.Config)) *ways {
	w := &ways{target: newScripted(t, script)}
	g, err := gateway.New(gateway.Options{Listen: "127.0.0.1:0", Linger: time.Millisecond, Grace: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	c := one(gateway.Service{Releases: []gateway.Release{release("v1", 1, w.target.Addr().String())}, Retry: gateway.Retry{Attempts: 1},
		Timeouts: gateway.Timeouts{Idle: 1}, // no way uses a connection that the other one left
		Ejection: gateway.Ejection{Failures: -1, ConnectFailures: -1}})
	if change != nil {
		change(c)
	}
	if err := g.Apply(c); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: g.Handler(), ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true)
	var running sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	running.Go(func() { _ = server.Serve(ln) })
	running.Go(func() { _ = g.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		_ = server.Close()
		running.Wait()
		_ = g.Close()
	})
	w.own, w.netHTTP = g.Addr(gateway.FlagListener).String(), ln.Addr().String()
	return w
}

// compare sends the same bytes both ways. A machine that is busy may answer
// after what is taken for silence: what differs is looked at again, longer.
func (w *ways) compare(t testing.TB, sent []byte, methods []string, quiet time.Duration) heard {
	t.Helper()
	var got, want said
	for _, quiet := range [...]time.Duration{quiet, 10 * quiet, 30 * quiet} {
		got, want = w.say(t, w.own, sent, methods, quiet), w.say(t, w.netHTTP, sent, methods, quiet)
		if n := len(got.answers); !got.closed && len(want.answers) == n+1 && strings.HasSuffix(want.answers[n], "and no more") {
			// The last bytes are no request, and fewer than net/http wants to see
			// of a connection that is new to it: it waits whether more will come.
			want.answers, want.closed = want.answers[:n], false
		}
		if reflect.DeepEqual(got, want) {
			return got.heard
		}
	}
	t.Errorf("sent %q\nthe own way answers %q, closed %v\nnet/http's way      %q, closed %v", clip(sent), got.answers, got.closed, want.answers, want.closed)
	t.Errorf("the target saw, own way        %q\nthe target saw, net/http's way %q", got.seen, want.seen)
	return got.heard
}

// said is what came of bytes that were sent, at the client and the target.
type said struct {
	heard
	seen []string
}

func (w *ways) say(t testing.TB, address string, sent []byte, methods []string, quiet time.Duration) said {
	t.Helper()
	h := talk(t, address, sent, methods, quiet)
	if n := len(h.answers); w.brokenAlike && n > 0 && (h.answers[n-1] == "unreadable" || strings.Contains(h.answers[n-1], " broken ")) {
		h.answers = append([]string(nil), h.answers[:n-1]...) // nil for none, as when nothing came
	}
	seen := w.target.take()
	for i := range seen { // the two listen at different ports
		seen[i] = strings.ReplaceAll(seen[i], w.netHTTP, w.own)
	}
	return said{h, seen}
}

func clip(b []byte) []byte { return b[:min(len(b), 500)] }

var longRun = regexp.MustCompile(`h{50,}|a{50,}`)

// Both ways must tell clients and targets the same for answers of every kind.
func TestWaysAgreeOnAnswers(t *testing.T) {
	w := newWays(t, scripts, nil)
	for path := range scripts {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			if method == "HEAD" && bodilyForHead(path) {
				continue // a target that sends a body for HEAD is broken; see TestAnswerWithTail
			}
			t.Run(method+path, func(t *testing.T) {
				sent := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\nUser-Agent: t\r\n", method, path)
				if method == "POST" {
					sent += "Content-Length: 3\r\n\r\nabc"
				} else {
					sent += "\r\n"
				}
				got := w.compare(t, []byte(sent), []string{method}, 10*time.Millisecond)
				if len(got.answers) == 0 {
					t.Error("no answer")
				}
			})
		}
	}
}

// bodilyForHead tells scripts that are not proper answers to HEAD.
func bodilyForHead(path string) bool {
	_, body, _ := strings.Cut(strings.TrimSuffix(scripts[path], thenClose), "\r\n\r\n")
	return body != "" && path != "/hints" && path != "/continue" || path == "/newlines"
}

func TestWaysAgreeOnRequests(t *testing.T) {
	w := newWays(t, scripts, func(c *gateway.Config) {
		c.Routes = append(c.Routes, gateway.Route{Service: "shop", Path: "/strip", StripPrefix: true}, gateway.Route{Service: "shop", Path: "/only", Methods: []string{"PUT", "PATCH"}},
			gateway.Route{Service: "shop", Path: "/small", MaxBodyBytes: 10}, gateway.Route{Service: "none", Path: "/none"}, gateway.Route{Service: "shop", Hosts: []string{"h.example"}, Path: "/limited", Limit: &gateway.Limit{Rate: 1e-9, Burst: 1}})
		c.Services = append(c.Services, gateway.Service{Name: "none"})
	})
	for name, sent := range requestTable() {
		t.Run(name, func(t *testing.T) {
			w.compare(t, []byte(sent), methodsOf(sent), 10*time.Millisecond)
		})
	}
}

// methodsOf guesses the methods of the requests in sent.
func methodsOf(sent string) (list []string) {
	for line := range strings.SplitSeq(sent, "\n") {
		if method, _, ok := strings.Cut(line, " "); ok && strings.Contains(line, " HTTP/1.") {
			list = append(list, method)
		}
	}
	return list
}
