package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/gateway"
	"github.com/greenlight-dev/greenlight/observe"
)

// Each configuration strips another prefix and leads to another target, which
// must agree in every single answer.
func TestConfigIsAtomicUnderLoad(t *testing.T) {
	var configs []*gateway.Config
	for i := range 3 {
		b := newBackend(t, "")
		b.handle(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == fmt.Sprintf("/%d", i):
			case strings.HasPrefix(r.URL.Path, "/x/"):
				w.WriteHeader(http.StatusTeapot)
			default:
				w.WriteHeader(http.StatusConflict)
			}
		})
		c := to(b.address())
		c.Revision = fmt.Sprint(i)
		c.Routes = []gateway.Route{{Service: "shop"}}
		for strip := range 3 {
			path := "/x/" + strings.Repeat("y/", strip)
			if strip == i {
				c.Routes = append(c.Routes, gateway.Route{Service: "shop", Path: path, StripPrefix: true, Hosts: []string{fmt.Sprint("h", strip)}})
			}
		}
		configs = append(configs, c)
	}
	g := start(t, configs[0])
	var stop atomic.Bool
	var load sync.WaitGroup
	for w := range 4 {
		load.Go(func() {
			c := httpClient(t)
			for n := 0; !stop.Load(); n++ {
				i := (n + w) % 3
				resp, err := c.Do(request(t, "GET", g.url+"/x/"+strings.Repeat("y/", i)+fmt.Sprint(i), "", fmt.Sprint("Host: h", i)))
				if err != nil {
					t.Error(err)
					return
				}
				resp.Body.Close()
				// By another configuration the path is not stripped, which its
				// target finds strange; by a mixture it would be stripped for
				// the wrong target.
				if resp.StatusCode != 200 && resp.StatusCode != http.StatusTeapot {
					t.Errorf("status %d", resp.StatusCode)
				}
			}
		})
	}
	for n := range 150 {
		g.apply(configs[n%3])
		if got := g.Status().Revision; got != configs[n%3].Revision {
			t.Errorf("revision %s", got)
		}
		got := get(t, httpClient(t), g.url+"/x/"+strings.Repeat("y/", n%3)+fmt.Sprint(n%3), fmt.Sprint("Host: h", n%3))
		wantStatus(t, got, 200)
	}
	stop.Store(true)
	load.Wait()
	eventually(t, "nothing is left behind", func() bool { return len(g.Status().Leaving) == 0 })
}

func TestConnectionsOfUnchangedTargetsAreKept(t *testing.T) {
	b := newBackend(t, "b")
	var opened sync.Map
	b.handle(func(_ http.ResponseWriter, r *http.Request) { opened.Store(r.RemoteAddr, true) })
	other := newBackend(t, "other")
	g := start(t, to(b.address()))
	c := httpClient(t)
	for n := range 10 {
		config := to(b.address())
		config.Services = append(config.Services, gateway.Service{Name: fmt.Sprint("s", n), Releases: []gateway.Release{release("v1", 1, other.address())}})
		g.apply(config)
		wantStatus(t, get(t, c, g.url), 200)
	}
	n := 0
	opened.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("ten requests over ten configurations took %d connections", n)
	}
}

func TestWrongConfigChangesNothing(t *testing.T) {
	b := newBackend(t, "b")
	dir := shortDir(t)
	file := filepath.Join(dir, "config.json")
	g := start(t, to(b.address()), func(o *gateway.Options) { o.ConfigFile = file })
	kept, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	wrong := map[string]func(*gateway.Config){
		"routes[0].service: there is no service \"x\"":   func(c *gateway.Config) { c.Routes[0].Service = "x" },
		"listeners[0]: 0.0.0.0:0 lets other machines in": func(c *gateway.Config) { c.Listeners = []gateway.Listener{{Name: "a", Address: "0.0.0.0:0"}} },
		"listeners[1]: cannot listen on " + b.address(): func(c *gateway.Config) {
			c.Listeners = []gateway.Listener{{Name: "a", Address: "127.0.0.1:0"}, {Name: "b", Address: b.address()}}
		},
		"accessLog.path: open " + dir + "/none/log: no such file or directory": func(c *gateway.Config) { c.AccessLog.Path = dir + "/none/log" },
	}
	for want, change := range wrong {
		c := to("127.0.0.1:1")
		change(c)
		err := g.Apply(c)
		if err == nil || !strings.Contains(err.Error(), want) || greenlight.CodeOf(err) != greenlight.CodeInvalid {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := g.Apply(to("127.0.0.1:1")); err == nil || !strings.Contains(err.Error(), "cannot be kept") {
		t.Errorf("without a folder to keep it in: %v", err)
	}
	if got := get(t, httpClient(t), g.url); got.body != "b" {
		t.Errorf("%d %q", got.status, got.body)
	}
	if len(g.Status().Listeners) != 1 || len(kept) == 0 {
		t.Errorf("%+v", g.Status().Listeners)
	}
}

func TestConfigIsLoadedFromDisk(t *testing.T) {
	b := newBackend(t, "b")
	dir := shortDir(t)
	keep := func(o *gateway.Options) { o.ConfigFile, o.ProcessFile = dir+"/config.json", dir+"/process.json" }
	config := to(b.address())
	config.Revision = "r1"
	g := start(t, config, keep)
	var p gateway.Process
	var err error
	eventually(t, "the process file is written", func() bool { p, err = gateway.ReadProcess(dir + "/process.json"); return err == nil })
	if err != nil || p.PID != os.Getpid() || p.Control == "" || p.Listeners[0].Address != strings.TrimPrefix(g.url, "http://") {
		t.Errorf("%+v %v", p, err)
	}
	if err := g.client.Pause(context.Background(), "shop"); err != nil {
		t.Fatal(err)
	}
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir + "/process.json"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the process file is still there: %v", err)
	}
	again := start(t, nil, keep)
	if s := again.Status(); s.Revision != "r1" || s.Services[0].State != gateway.Paused {
		t.Errorf("%+v", s)
	}
	if err := again.client.Resume(context.Background(), "shop"); err != nil {
		t.Fatal(err)
	}
	if got := get(t, httpClient(t), again.url); got.body != "b" {
		t.Errorf("%d %q", got.status, got.body)
	}
	if err := os.WriteFile(dir+"/config.json", []byte(`{"version": 2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := gateway.New(gateway.Options{ConfigFile: dir + "/config.json"}); err == nil || !strings.Contains(err.Error(), "config.json: version: this gateway reads version 1, got 2") {
		t.Errorf("%v", err)
	}
}

func TestListenersComeAndGo(t *testing.T) {
	b := newBackend(t, "b")
	config := to(b.address())
	config.Listeners = []gateway.Listener{{Name: "second", Address: "127.0.0.1:0"}}
	g := start(t, config)
	c := httpClient(t)
	second := "http://" + g.Addr("second").String()
	wantStatus(t, get(t, c, second), 200)
	config.Server.IdleTimeout = duration(time.Minute) // a new server on the same socket
	g.apply(config)
	if got := "http://" + g.Addr("second").String(); got != second {
		t.Errorf("the listener moved from %s to %s", second, got)
	}
	wantStatus(t, get(t, c, second), 200)
	config.Listeners = nil
	g.apply(config)
	c.CloseIdleConnections()
	if resp, err := c.Get(second); err == nil {
		resp.Body.Close()
		t.Error("a listener that is gone still answers")
	}
	wantStatus(t, get(t, c, g.url), 200)
}

func TestControl(t *testing.T) {
	b := newBackend(t, "b")
	ctx := context.Background()
	config := to(b.address())
	config.Revision = "r7"
	g := start(t, config)
	got, err := g.client.Config(ctx)
	if err != nil || !reflect.DeepEqual(got, config) {
		t.Errorf("%+v %v", got, err)
	}
	s, err := g.client.Status(ctx)
	if err != nil || s.Revision != "r7" || s.PID != os.Getpid() || s.Services[0].Releases[0].Targets[0].Address != b.address() {
		t.Errorf("%+v %v", s, err)
	}
	config.Routes[0].Service = ""
	err = g.client.Apply(ctx, config)
	if greenlight.CodeOf(err) != greenlight.CodeInvalid || err.Error() != `routes[0].service: there is no service ""` {
		t.Errorf("%v", err)
	}
	info, err := os.Stat(strings.TrimPrefix(g.control, "unix://"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the control socket: %v %v", info.Mode(), err)
	}
	if _, err := gateway.New(gateway.Options{Control: g.control}); err == nil || !strings.Contains(err.Error(), "another gateway answers there") {
		t.Errorf("%v", err)
	}
}

func TestControlWithToken(t *testing.T) {
	ln := freeAddress(t)
	g := start(t, nil, func(o *gateway.Options) { o.Control, o.ControlToken = "http://"+ln, "secret" })
	if _, err := g.client.Status(context.Background()); err != nil {
		t.Error(err)
	}
	for _, token := range []string{"", "wrong"} {
		c, err := gateway.NewClient("http://"+ln, token)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Status(context.Background()); err == nil || err.Error() != "the token is missing or wrong" {
			t.Errorf("token %q: %v", token, err)
		}
	}
	for _, address := range []string{"http://0.0.0.0:0", "http://192.0.2.1:80", "tcp://127.0.0.1:80", "unix://relative", "unix:///" + strings.Repeat("x", 200)} {
		if _, err := gateway.New(gateway.Options{Control: address, ControlToken: "x"}); greenlight.CodeOf(err) != greenlight.CodeInvalid {
			t.Errorf("%s: %v", address, err)
		}
	}
	if _, err := gateway.New(gateway.Options{Control: "http://127.0.0.1:0"}); greenlight.CodeOf(err) != greenlight.CodeInvalid {
		t.Errorf("without a token: %v", err)
	}
}

func TestMetrics(t *testing.T) {
	b := newBackend(t, "b")
	b.handle(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fail" {
			w.WriteHeader(http.StatusNotImplemented)
		}
	})
	config := to(b.address())
	config.Routes[0].Name = "front"
	config.Routes[0].Hosts = []string{"a.example"}
	g := start(t, config)
	c := httpClient(t)
	for range 3 {
		get(t, c, g.url, "Host: a.example")
	}
	get(t, c, g.url+"/fail", "Host: a.example")
	get(t, c, g.url)
	wantMetric(t, g, `greenlight_gateway_requests_total{code="2xx",release="v1",route="front",service="shop"}`, 3, 3)
	wantMetric(t, g, `greenlight_gateway_requests_total{code="5xx",release="v1",route="front",service="shop"}`, 1, 1)
	wantMetric(t, g, `greenlight_gateway_requests_total{code="4xx",release="",route="",service=""}`, 1, 1)
	wantMetric(t, g, `greenlight_gateway_request_seconds_count{release="v1",service="shop"}`, 4, 4)
	wantMetric(t, g, fmt.Sprintf(`greenlight_gateway_request_seconds_bucket{release="v1",service="shop",le="%g"}`, observe.Finest), 0, 4)
	wantMetric(t, g, `greenlight_gateway_in_flight{release="v1",service="shop",target="v1-0"}`, 0, 0)
	wantMetric(t, g, `greenlight_gateway_target_usable{release="v1",service="shop",target="v1-0"}`, 1, 1)
	if r := g.Status().Services[0].Releases[0]; r.Requests != 4 || r.Failures != 1 {
		t.Errorf("%+v", r)
	}
}

func TestAccessLog(t *testing.T) {
	b := newBackend(t, "answer")
	dir := t.TempDir()
	config := to(b.address())
	config.AccessLog.Path = dir + "/access.log"
	g := start(t, config)
	c := httpClient(t)
	do(t, c, request(t, "POST", g.url+"/a\"b%00?secret=1", "!", "X-Request-Id: one", "Host: \u00fc.example"))
	none := 0.0
	config.AccessLog.Sample = &none
	g.apply(config)
	get(t, c, g.url)
	config.Services[0].Releases = nil
	g.apply(config)
	get(t, c, g.url)
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(config.AccessLog.Path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(lines) != 2 || strings.Contains(string(data), "secret") {
		t.Fatalf("%s", data)
	}
	want := []map[string]any{
		{"id": "one", "client": "127.0.0.1", "method": "POST", "path": "/a\"b\x00", "proto": "HTTP/1.1", "status": 200.0, "bytes": 7.0,
			"route": "shop", "service": "shop", "release": "v1", "target": "v1-0"},
		{"method": "GET", "status": 503.0, "error": "service shop has no replica"},
	}
	for i, line := range lines {
		var got map[string]any
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		for key, v := range want[i] {
			if got[key] != v {
				t.Errorf("line %d: %s is %v, want %v", i, key, got[key], v)
			}
		}
		if _, err := time.Parse(time.RFC3339Nano, got["time"].(string)); err != nil {
			t.Error(err)
		}
	}
}

// A stopping gateway finishes what is under way and leaves nothing behind.
func TestGracefulStop(t *testing.T) {
	b := newBackend(t, "")
	begun, finish := make(chan struct{}), make(chan struct{})
	b.handle(func(w http.ResponseWriter, _ *http.Request) { close(begun); <-finish; _, _ = w.Write([]byte("done")) })
	g := start(t, to(b.address()))
	c := httpClient(t)
	answer := make(chan reply, 1)
	go func() { answer <- get(t, c, g.url) }()
	<-begun
	stopped := make(chan error, 1)
	go func() { stopped <- g.stop() }()
	eventually(t, "nothing more is accepted", func() bool {
		conn, err := http.Get(g.url)
		if err == nil {
			conn.Body.Close()
		}
		return err != nil
	})
	close(finish)
	if got := <-answer; got.body != "done" || got.header.Get("Connection") != "close" && got.header.Get("Connection") != "" {
		t.Errorf("%d %q %v", got.status, got.body, got.header)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestGraceIsBounded(t *testing.T) {
	b := newBackend(t, "")
	b.handle(upgradeEcho)
	g := start(t, to(b.address()), func(o *gateway.Options) { o.Grace = 100 * time.Millisecond })
	conn, r := webSocket(t, g)
	sayAndHear(t, conn, r, "hello")
	if err := g.stop(); greenlight.CodeOf(err) != greenlight.CodeUnavailable || !strings.Contains(err.Error(), "1 requests were still under way after 100ms") {
		t.Errorf("%v", err)
	}
	conn.Close()
}
