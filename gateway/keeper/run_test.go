package keeper_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/greenlight-dev/greenlight/gateway"
	"github.com/greenlight-dev/greenlight/gateway/keeper"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if built != "" {
			_ = os.RemoveAll(filepath.Dir(built))
		}
		os.Exit(code)
	}))
}

const version = "v0.0.1-keeper"

var (
	buildOnce sync.Once
	built     string
	buildErr  error
)

// program is the real binary, built once for all tests of this package.
func program(t *testing.T) string {
	t.Helper()
	buildOnce.Do(func() {
		dir, err := os.MkdirTemp("", "keeper")
		if err != nil {
			buildErr = err
			return
		}
		built = filepath.Join(dir, "greenlight")
		cmd := exec.Command("go", "build", "-ldflags", "-X main.version="+version, "-o", built, "../../cmd/greenlight")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			buildErr = fmt.Errorf("%w: %s", err, out)
		}
	})
	if buildErr != nil {
		t.Fatal(buildErr)
	}
	return built
}

// kept is a keeper that runs.
type kept struct {
	*keeper.Keeper
	t      *testing.T
	state  string
	log    *logged
	cancel context.CancelFunc
	ended  chan error
}

// logged collects what a keeper logs.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// run starts a keeper in state, a new folder when it is "". When the test ends,
// no gateway of the folder is left.
func run(t *testing.T, state string, change ...func(*keeper.Options)) *kept {
	t.Helper()
	if state == "" {
		state = stateFolder(t)
	}
	log := new(logged)
	o := keeper.Options{Program: program(t), State: state, Listen: "127.0.0.1:0", Version: version, Log: slog.New(slog.NewTextHandler(log, nil))}
	for _, f := range change {
		f(&o)
	}
	k, err := keeper.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &kept{Keeper: k, t: t, state: state, log: log, cancel: cancel, ended: make(chan error, 1)}
	go func() { r.ended <- k.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := k.Stop(ctx); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(log)
			gatewayLog, _ := os.ReadFile(filepath.Join(state, "gateway.log"))
			t.Logf("%s", gatewayLog)
		}
	})
	return r
}

// serving waits until a gateway serves.
func (k *kept) serving() *kept {
	k.t.Helper()
	select {
	case <-k.Ready():
	case err := <-k.ended:
		k.t.Fatal(err)
	case <-time.After(20 * time.Second):
		k.t.Fatalf("no gateway serves: %+v", k.Status())
	}
	return k
}

// drop ends the keeper and not the gateway.
func (k *kept) drop() {
	k.t.Helper()
	k.cancel()
	if err := <-k.ended; err != nil {
		k.t.Fatal(err)
	}
}

func (k *kept) stop() {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := errors.Join(k.Stop(ctx), <-k.ended); err != nil {
		k.t.Fatal(err)
	}
}

func stateFolder(t *testing.T) string {
	dir, err := os.MkdirTemp("", "kp")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for begun := time.Now(); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// processesOf are the living gateway processes that name a state folder.
func processesOf(t *testing.T, state string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err == nil && bytes.Contains(data, []byte(state+"/")) && bytes.Contains(data, []byte("\x00gateway\x00")) {
			list = append(list, f)
		}
	}
	return list
}

func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(stat), ") ")
	return err == nil && !strings.HasPrefix(rest, "Z")
}

// zombie tells whether a process has ended and nobody has waited for it.
func zombie(pid int) bool {
	_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
	return err == nil && !alive(pid)
}

// upstream gives a configuration with one service that answers "ok".
func upstream(t *testing.T) *gateway.Config {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }))
	t.Cleanup(s.Close)
	return &gateway.Config{Version: 1, Revision: "r1", Routes: []gateway.Route{{Service: "shop"}},
		Services: []gateway.Service{{Name: "shop", Releases: []gateway.Release{
			{Name: "v1", Weight: 1, Targets: []gateway.Target{{ID: "a", Address: s.Listener.Addr().String()}}}}}}}
}

func (k *kept) apply(c *gateway.Config) {
	k.t.Helper()
	if err := k.Client().Apply(context.Background(), c); err != nil {
		k.t.Fatal(err)
	}
}

// get asks the gateway on a connection of its own.
func get(address string) error {
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	resp, err := c.Get("http://" + address)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "ok" {
		return fmt.Errorf("%s %q %w", resp.Status, body, err)
	}
	return nil
}

// requests come until end, half of them on connections that are kept.
type requests struct {
	sent, failed atomic.Int64
	first        atomic.Value
	over         atomic.Bool
	workers      sync.WaitGroup
}

func startLoad(address string) *requests {
	l := new(requests)
	for w := range 4 {
		tr := &http.Transport{DisableKeepAlives: w%2 == 1}
		c := &http.Client{Transport: tr, Timeout: 10 * time.Second}
		l.workers.Go(func() {
			defer tr.CloseIdleConnections()
			for !l.over.Load() {
				l.sent.Add(1)
				// A body without GetBody: Go's client must not send it again by itself.
				resp, err := c.Post("http://"+address, "text/plain", io.MultiReader(strings.NewReader("hello")))
				if err == nil {
					_, err = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
					if resp.StatusCode != 200 {
						err = errors.New(resp.Status)
					}
				}
				if err != nil {
					l.failed.Add(1)
					l.first.CompareAndSwap(nil, err.Error())
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	return l
}

func (l *requests) end() {
	l.over.Store(true)
	l.workers.Wait()
}
