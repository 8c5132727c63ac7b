package gateway_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/greenlight-dev/greenlight/gateway"
	"github.com/greenlight-dev/greenlight/gateway/handover"
)

// processVariable makes the test binary a gateway process: its value is the
// folder that it works in.
const processVariable = "GATEWAY_TEST_PROCESS"

func TestMain(m *testing.M) {
	if dir := os.Getenv(processVariable); dir != "" {
		if err := runProcess(dir); err != nil {
			fmt.Fprintln(os.Stderr, "gateway process:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func runProcess(dir string) error {
	inherited, err := handover.Receive()
	if err != nil {
		return err
	}
	g, err := gateway.New(gateway.Options{
		Listen: "127.0.0.1:0", ConfigFile: dir + "/config.json", ProcessFile: dir + "/process.json",
		Control: "unix://" + dir + "/control", Inherited: inherited, Linger: 300 * time.Millisecond,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	err = g.Run(ctx)
	if closeErr := g.Close(); err == nil {
		err = closeErr
	}
	return err
}

// running is a gateway that serves on a free port of this process.
type running struct {
	*gateway.Gateway
	t       *testing.T
	url     string
	client  *gateway.Client
	control string
	stop    func() error // ends it and gives what Run gave
}

// start runs a gateway until the test ends.
func start(t *testing.T, c *gateway.Config, change ...func(*gateway.Options)) *running {
	t.Helper()
	dir := shortDir(t)
	o := gateway.Options{Listen: "127.0.0.1:0", Control: "unix://" + dir + "/control", Linger: 30 * time.Millisecond, Grace: 5 * time.Second,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	for _, f := range change {
		f(&o)
	}
	g, err := gateway.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	r := &running{Gateway: g, t: t, control: o.Control}
	stopped := false
	r.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-ended
	}
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
		if err := g.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	if a := g.Addr(gateway.FlagListener); a != nil {
		r.url = "http://" + a.String()
	}
	if r.client, err = gateway.NewClient(o.Control, o.ControlToken); err != nil {
		t.Fatal(err)
	}
	if c != nil {
		r.apply(c)
	}
	return r
}

// shortDir is a folder whose path leaves room for a unix socket's name.
func shortDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "gw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (r *running) apply(c *gateway.Config) {
	r.t.Helper()
	if err := r.Apply(c); err != nil {
		r.t.Fatal(err)
	}
}

// freeAddress is one of this machine that nobody listens on.
func freeAddress(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// httpClient is one test's client, without connections of other tests.
func httpClient(t *testing.T) *http.Client {
	tr := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 100}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// reply is an answer that was read.
type reply struct {
	status int
	header http.Header
	body   string
}

func do(t *testing.T, c *http.Client, req *http.Request) reply {
	t.Helper()
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(body)}
}

// request makes one; headers are "Name: value".
func request(t *testing.T, method, url, body string, headers ...string) *http.Request {
	t.Helper()
	var r io.Reader
	if body != "" {
		r = strings.NewReader(body)
	}
	req, err := http.NewRequest(method, url, r)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			req.Host = value
		}
		req.Header.Add(name, value)
	}
	return req
}

func get(t *testing.T, c *http.Client, url string, headers ...string) reply {
	t.Helper()
	return do(t, c, request(t, "GET", url, "", headers...))
}

// backend is a real server that counts its requests.
type backend struct {
	*httptest.Server
	requests atomic.Int64
	handler  atomic.Value // http.HandlerFunc
}

// newBackend answers with its name, and with what fails of the request's body
// put after it.
func newBackend(t *testing.T, name string) *backend {
	b := &backend{}
	b.handle(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
		_, _ = w.Write(append([]byte(name), bytes.TrimSpace(body)...))
	})
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.requests.Add(1)
		b.handler.Load().(http.HandlerFunc)(w, r)
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *backend) handle(h http.HandlerFunc) { b.handler.Store(h) }

func (b *backend) address() string { return b.Listener.Addr().String() }

// one is a configuration of one route to one service.
func one(service gateway.Service) *gateway.Config {
	if service.Name == "" {
		service.Name = "shop"
	}
	return &gateway.Config{Version: 1, Routes: []gateway.Route{{Service: service.Name}}, Services: []gateway.Service{service}}
}

// release makes a release with targets at these addresses.
func release(name string, weight int, addresses ...string) gateway.Release {
	r := gateway.Release{Name: name, Weight: weight}
	for i, a := range addresses {
		r.Targets = append(r.Targets, gateway.Target{ID: fmt.Sprintf("%s-%d", name, i), Address: a})
	}
	return r
}

// to is a configuration whose only release has these targets.
func to(addresses ...string) *gateway.Config {
	return one(gateway.Service{Releases: []gateway.Release{release("v1", 1, addresses...)}})
}

func wantStatus(t *testing.T, got reply, want int) {
	t.Helper()
	if got.status != want {
		t.Fatalf("status %d, want %d; body %q", got.status, want, got.body)
	}
}

// eventually waits until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for begun := time.Now(); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

func duration(d time.Duration) gateway.Duration { return gateway.Duration(d) }
