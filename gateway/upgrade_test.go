package gateway_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/gateway"
)

// process is a gateway process and those that it hands over to.
type process struct {
	dir    string
	client *gateway.Client
	url    string
}

// startProcess starts this test's binary as a gateway with the configuration
// c; the process that serves in the end is ended with the test.
func startProcess(t *testing.T, c *gateway.Config) *process {
	t.Helper()
	dir := shortDir(t)
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/config.json", data, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), processVariable+"="+dir)
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first := make(chan struct{})
	go func() { defer close(first); _ = cmd.Wait() }()
	p := &process{dir: dir}
	t.Cleanup(func() { p.end(t); <-first })
	if p.client, err = gateway.NewClient("unix://"+dir+"/control", ""); err != nil {
		t.Fatal(err)
	}
	var s *gateway.Status
	eventually(t, "the process serves", func() bool { s, err = p.client.Status(context.Background()); return err == nil && p.record().PID != 0 })
	p.url = "http://" + s.Listeners[0].Address
	return p
}

func (p *process) record() gateway.Process {
	r, _ := gateway.ReadProcess(p.dir + "/process.json")
	return r
}

// end ends the process that serves now and waits for it.
func (p *process) end(t *testing.T) {
	pid := p.record().PID
	if pid == 0 {
		return
	}
	_ = syscall.Kill(pid, syscall.SIGTERM)
	eventually(t, "the last process has ended", func() bool { return !alive(pid) })
}

// alive tells a running process from one that has ended, also when nobody has
// waited for it yet.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// load sends requests until stop, half of them on connections that are kept.
type load struct {
	sent, failed atomic.Int64
	stop         atomic.Bool
	workers      sync.WaitGroup
}

func (l *load) start(t *testing.T, url string, workers int) {
	for w := range workers {
		tr := &http.Transport{DisableKeepAlives: w%2 == 1, MaxIdleConnsPerHost: 1}
		c := &http.Client{Transport: tr, Timeout: 10 * time.Second}
		l.workers.Go(func() {
			defer tr.CloseIdleConnections()
			for !l.stop.Load() {
				l.sent.Add(1)
				// A body without GetBody: Go's client must not send it again by itself.
				resp, err := c.Post(url, "text/plain", io.MultiReader(strings.NewReader("hello")))
				if err != nil {
					l.failed.Add(1)
					t.Logf("request failed: %v", err)
					continue
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != 200 || string(body) != "bhello" {
					l.failed.Add(1)
					t.Logf("%d %q %v", resp.StatusCode, body, err)
				}
			}
		})
	}
}

func (l *load) end() {
	l.stop.Store(true)
	l.workers.Wait()
}

// TestUpgradeLosesNothing hands over three times under load. The long version
// is the programme in bench/gateway.
func TestUpgradeLosesNothing(t *testing.T) {
	b := newBackend(t, "b")
	p := startProcess(t, to(b.address()))
	var l load
	l.start(t, p.url, 6)
	defer l.end()
	pid := p.record().PID
	for n := range 3 {
		time.Sleep(200 * time.Millisecond)
		before := l.sent.Load()
		next, err := p.client.Upgrade(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		r := p.record()
		if r.PID != next || r.Predecessor != pid || next == pid {
			t.Errorf("after upgrade %d: %+v, was %d, is %d", n, r, pid, next)
		}
		eventually(t, "the predecessor has ended", func() bool { return !alive(pid) })
		eventually(t, "the successor knows", func() bool {
			s, err := p.client.Status(context.Background())
			return err == nil && s.PID == next && s.Predecessor == 0
		})
		if l.sent.Load() == before {
			t.Error("there was no load during the upgrade")
		}
		pid = next
	}
	l.end()
	t.Logf("%d requests over three upgrades, %d failed", l.sent.Load(), l.failed.Load())
	if l.failed.Load() > 0 {
		t.Errorf("%d of %d requests failed", l.failed.Load(), l.sent.Load())
	}
}

func TestUpgradeKeepsWhatIsUnderWay(t *testing.T) {
	b := newBackend(t, "")
	finish := make(chan struct{})
	b.handle(func(w http.ResponseWriter, _ *http.Request) { <-finish; _, _ = io.WriteString(w, "late") })
	p := startProcess(t, to(b.address()))
	answer := make(chan reply, 1)
	go func() { answer <- get(t, httpClient(t), p.url) }()
	eventually(t, "one is under way", func() bool { return b.requests.Load() == 1 })
	if _, err := p.client.Upgrade(context.Background()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := p.client.WaitLeft(ctx, "shop"); err == nil {
		t.Error("WaitLeft returned while the predecessor has a request under way")
	}
	close(finish)
	if got := <-answer; got.body != "late" {
		t.Errorf("%d %q", got.status, got.body)
	}
}

func TestUpgradeThatFails(t *testing.T) {
	b := newBackend(t, "b")
	for name, k := range map[string]struct {
		successor []string
		want      string
	}{
		"missing": {[]string{"/does/not/exist"}, "starting /does/not/exist"},
		"exits":   {[]string{"sh", "-c", "exit 7"}, "exit status 7"},
	} {
		t.Run(name, func(t *testing.T) {
			g := start(t, to(b.address()), func(o *gateway.Options) { o.Successor = k.successor })
			c := httpClient(t)
			for range 2 {
				_, err := g.client.Upgrade(context.Background())
				if err == nil || !strings.Contains(err.Error(), k.want) {
					t.Errorf("%v, want %s", err, k.want)
				}
				wantStatus(t, get(t, c, g.url), 200)
			}
			g.apply(to(b.address()))
		})
	}
}

func TestKilledGatewayComesBack(t *testing.T) {
	b := newBackend(t, "b")
	p := startProcess(t, to(b.address()))
	pid := p.record().PID
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is dead", func() bool { return !alive(pid) })
	if p.record().PID != pid {
		t.Error("the process file does not tell who was killed")
	}
	// The control socket's file is still there and must not be in the way.
	g, err := gateway.New(gateway.Options{Listen: strings.TrimPrefix(p.url, "http://"), Control: "unix://" + p.dir + "/control", ConfigFile: p.dir + "/config.json"})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(p.dir + "/process.json"); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	if got := get(t, httpClient(t), p.url); got.body != "b" {
		t.Errorf("%d %q", got.status, got.body)
	}
	cancel()
	if err := errors.Join(<-ended, g.Close()); err != nil {
		t.Error(err)
	}
}
