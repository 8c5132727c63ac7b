package observe_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/gateway"
	"github.com/greenlight-dev/greenlight/observe"
)

// childVariable makes the test binary a replica's process; its value says
// what it does.
const childVariable = "OBSERVE_TEST_CHILD"

func TestMain(m *testing.M) {
	if what := os.Getenv(childVariable); what != "" {
		child(what)
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// running is a gateway of this process.
type running struct {
	*gateway.Client
	url string
}

func startGateway(t testing.TB, c *gateway.Config) running {
	t.Helper()
	dir, err := os.MkdirTemp("", "observe") // t.TempDir's path is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	o := gateway.Options{Listen: "127.0.0.1:0", Control: "unix://" + dir + "/control", Linger: 30 * time.Millisecond, Grace: 5 * time.Second}
	g, err := gateway.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Apply(c); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		_ = g.Close()
	})
	client, err := gateway.NewClient(o.Control, "")
	if err != nil {
		t.Fatal(err)
	}
	return running{client, "http://" + g.Addr(gateway.FlagListener).String()}
}

func startSampler(t *testing.T, o observe.Options) *observe.Sampler {
	t.Helper()
	if o.Interval == 0 {
		o.Interval = 100 * time.Millisecond
	}
	if o.Replicas == nil {
		o.Replicas = func(context.Context) ([]greenlight.Replica, error) { return nil, nil }
	}
	o.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	s := observe.NewSampler(o)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

// await waits for a sample that ok likes.
func await(t *testing.T, s *observe.Sampler, what string, ok func() bool) {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		updated := s.Updated()
		if ok() {
			return
		}
		select {
		case <-updated:
		case <-late:
			t.Fatalf("no sample with %s; the last: %+v", what, s.Latest())
		}
	}
}

func service(name, release string, targets ...gateway.Target) gateway.Service {
	return gateway.Service{Name: name, Releases: []gateway.Release{{Name: release, Weight: 1, Targets: targets}}}
}

func config(services ...gateway.Service) *gateway.Config {
	c := &gateway.Config{Version: gateway.ConfigVersion, Services: services}
	for i, s := range services {
		c.Routes = append(c.Routes, gateway.Route{Path: fmt.Sprintf("/%d", i), Service: s.Name})
	}
	return c
}

func get(t testing.TB, url string) int {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode
}

func target(s *httptest.Server, id string) gateway.Target {
	return gateway.Target{ID: id, Address: s.Listener.Addr().String()}
}

func near(got, want, share float64) bool { return math.Abs(got-want) <= share*want }

func TestTrafficAsTheGatewayCountsIt(t *testing.T) {
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	release := make(chan struct{})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("do") {
		case "fail":
			w.WriteHeader(http.StatusInternalServerError)
		case "slow":
			time.Sleep(60 * time.Millisecond)
		case "wait":
			<-release
		}
	}))
	defer upstream.Close()
	g := startGateway(t, config(service("dev/shop", "v1", target(upstream, "shop-1")), service("dev/quiet", "v1")))
	s := startSampler(t, observe.Options{Gateway: g, Interval: 500 * time.Millisecond})
	await(t, s, "both services", func() bool { return len(s.Latest()) == 2 })

	// between two ticks, so that one sample has all of them
	<-s.Updated()
	for range 18 {
		get(t, g.url+"/0")
	}
	for range 2 {
		get(t, g.url+"/0?do=slow")
	}
	for range 5 {
		get(t, g.url+"/0?do=fail")
	}
	await(t, s, "requests", func() bool { return s.Latest()["dev/shop"].Rate > 0 })
	got := s.Latest()["dev/shop"]
	if !near(got.Rate, 50, .1) || !near(got.Errors, .2, .001) {
		t.Errorf("rate %v, errors %v, want 50 a second and 0.2", got.Rate, got.Errors)
	}
	if got.P50 <= 0 || got.P50 > .025 || got.P99 < .05 || got.P99 > .1 {
		t.Errorf("p50 %v, p99 %v: 2 of 25 took 60 ms, the others hardly anything", got.P50, got.P99)
	}
	if got.Mean < 2*.06/25 || got.Mean > .06 {
		t.Errorf("mean %v: 2 of 25 took 60 ms", got.Mean)
	}
	if quiet := s.Latest()["dev/quiet"]; quiet.Rate != 0 || quiet.P99 != 0 || time.Since(quiet.At) > 5*time.Second {
		t.Errorf("a service without requests: %+v", quiet)
	}
	await(t, s, "quiet again", func() bool { return s.Latest()["dev/shop"].Rate == 0 })

	var waiting sync.WaitGroup
	for range 3 {
		waiting.Go(func() { get(t, g.url+"/0?do=wait") })
	}
	await(t, s, "three in flight", func() bool { return s.Latest()["dev/shop"].InFlight == 3 })
	close(release)
	waiting.Wait()
	await(t, s, "none in flight", func() bool { return s.Latest()["dev/shop"].InFlight == 0 })

	if err := g.Pause(t.Context(), "dev/shop"); err != nil {
		t.Fatal(err)
	}
	waiting.Go(func() { get(t, g.url+"/0") })
	await(t, s, "one held", func() bool { return s.Latest()["dev/shop"].Held == 1 })
	if err := g.Resume(t.Context(), "dev/shop"); err != nil {
		t.Fatal(err)
	}
	waiting.Wait()

	series := s.Series("dev", "shop", time.Hour, 0)
	var requests float64
	for i, sample := range series.Samples {
		requests += sample.Rate * series.Step.Seconds()
		if i > 0 && !sample.At.After(series.Samples[i-1].At) {
			t.Errorf("%v after %v", sample.At, series.Samples[i-1].At)
		}
	}
	if requests < 26 || requests > 32 {
		t.Errorf("the series has %v requests, want 29", requests)
	}
}

// switching is a gateway that is replaced by another.
type switching struct {
	now atomic.Pointer[gateway.Client]
}

func (s *switching) Metrics(ctx context.Context) ([]byte, error) { return s.now.Load().Metrics(ctx) }

// Counters begin anew with a gateway and with a release, and end with a
// release; no rate is ever negative or made up.
func TestCountersThatBeginAnew(t *testing.T) {
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer upstream.Close()
	first := startGateway(t, config(service("dev/shop", "v1", target(upstream, "shop-1"))))
	second := startGateway(t, config(service("dev/shop", "v1", target(upstream, "shop-1"))))
	for range 40 { // before the sampler begins: not its seconds
		get(t, first.url+"/0")
	}
	for range 7 {
		get(t, second.url+"/0")
	}
	var g switching
	g.now.Store(first.Client)
	s := startSampler(t, observe.Options{Gateway: &g, Interval: 200 * time.Millisecond})
	total := func() (sum float64) {
		series := s.Series("dev", "shop", time.Hour, 0)
		for _, sample := range series.Samples {
			if sample.Rate < 0 || sample.Errors < 0 || sample.P99 < 0 {
				t.Errorf("negative: %+v", sample)
			}
			sum += sample.Rate * series.Step.Seconds()
		}
		return sum
	}
	await(t, s, "the service", func() bool { return len(s.Latest()) == 1 })
	if got := total(); got != 0 {
		t.Errorf("%v requests from before", got)
	}
	for range 10 {
		get(t, first.url+"/0")
	}
	await(t, s, "ten", func() bool { return total() > 5 })
	g.now.Store(second.Client)
	await(t, s, "seven of the next gateway", func() bool { return total() > 12 })
	if err := second.Apply(t.Context(), config(service("dev/shop", "v2", target(upstream, "shop-2")))); err != nil {
		t.Fatal(err)
	}
	for range 10 {
		get(t, second.url+"/0")
	}
	await(t, s, "ten of the next release", func() bool { return total() > 20 })
	// ticks are never quite as long as their name; what would be made up is
	// forty and more
	if got := total(); got > 27*1.4 {
		t.Errorf("%v requests, want 27", got)
	}
}

func TestAGatewayThatDoesNotAnswer(t *testing.T) {
	var down atomic.Bool
	g := metrics(func() ([]byte, error) {
		if down.Load() {
			return nil, greenlight.Errorf(greenlight.CodeUnavailable, "gone")
		}
		return []byte("greenlight_gateway_held{service=\"dev/shop\"} 0\n"), nil
	})
	s := startSampler(t, observe.Options{Gateway: g, Interval: 20 * time.Millisecond})
	await(t, s, "the service", func() bool { return len(s.Latest()) == 1 })
	down.Store(true)
	updated, before := s.Updated(), s.Latest()["dev/shop"].At
	select {
	case <-updated: // the one that was under way
	case <-time.After(50 * time.Millisecond):
	}
	select {
	case <-s.Updated():
		t.Error("a sample without a gateway")
	case <-time.After(100 * time.Millisecond):
	}
	down.Store(false)
	await(t, s, "it again", func() bool { return s.Latest()["dev/shop"].At.After(before.Add(100 * time.Millisecond)) })
}

// metrics is a gateway that gives a text.
type metrics func() ([]byte, error)

func (m metrics) Metrics(context.Context) ([]byte, error) { return m() }

func TestQueueTimesOfModelServers(t *testing.T) {
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := requests.Add(10) // each waited 20 ms
		fmt.Fprintf(w, "greenlight_model_queue_seconds_sum{model=\"a\"} %g\ngreenlight_model_queue_seconds_count{model=\"a\"} %d\n", float64(n)*.02, n)
	}))
	defer server.Close()
	replica := func(service string) greenlight.Replica {
		return greenlight.Replica{ID: service + "-1", Environment: "dev", Service: service, Address: server.Listener.Addr().String(), State: greenlight.ReplicaReady}
	}
	s := startSampler(t, observe.Options{
		Gateway:  metrics(func() ([]byte, error) { return nil, nil }),
		Replicas: func(context.Context) ([]greenlight.Replica, error) { return []greenlight.Replica{replica("iris")}, nil },
		Queue:    func(environment, service string) bool { return environment == "dev" && service == "iris" },
	})
	await(t, s, "a queue time", func() bool { return near(s.Latest()["dev/iris"].Queue, .02, .001) })

	idle := startSampler(t, observe.Options{
		Gateway: metrics(func() ([]byte, error) { return nil, nil }),
		Replicas: func(context.Context) ([]greenlight.Replica, error) {
			return []greenlight.Replica{replica("other")}, nil
		},
		Queue: func(string, string) bool { return false },
	})
	await(t, idle, "a sample", func() bool { return len(idle.Latest()) == 1 })
	if got := idle.Latest()["dev/other"].Queue; got != 0 {
		t.Errorf("queue %v of a service that was not to be asked", got)
	}
}

// A model server that hangs costs no sample.
func TestAModelServerThatHangs(t *testing.T) {
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-done }))
	defer server.Close()
	defer close(done)
	replica := greenlight.Replica{ID: "iris-1", Environment: "dev", Service: "iris", Address: server.Listener.Addr().String(), State: greenlight.ReplicaReady}
	s := startSampler(t, observe.Options{
		Gateway:  metrics(func() ([]byte, error) { return nil, nil }),
		Replicas: func(context.Context) ([]greenlight.Replica, error) { return []greenlight.Replica{replica}, nil },
		Queue:    func(string, string) bool { return true },
	})
	await(t, s, "a sample", func() bool { return len(s.Latest()) == 1 })
	first := s.Latest()["dev/iris"].At
	await(t, s, "another", func() bool { return s.Latest()["dev/iris"].At.After(first) })
}

func TestSeriesSteps(t *testing.T) {
	var n atomic.Int64
	g := metrics(func() ([]byte, error) {
		var b strings.Builder
		k := n.Add(1)
		fmt.Fprintf(&b, "greenlight_gateway_held{service=\"dev/shop\"} 0\n")
		fmt.Fprintf(&b, "greenlight_gateway_requests_total{code=\"2xx\",release=\"v1\",route=\"r\",service=\"dev/shop\"} %d\n", 100*k)
		// 99 of 100 below 0.1 s, one below 1 s
		for le, count := range map[string]int64{"0.1": 99 * k, "1": 100 * k, "+Inf": 100 * k} {
			fmt.Fprintf(&b, "greenlight_gateway_request_seconds_bucket{release=\"v1\",service=\"dev/shop\",le=%q} %d\n", le, count)
		}
		return []byte(b.String()), nil
	})
	const interval = 10 * time.Millisecond
	s := startSampler(t, observe.Options{Gateway: g, Interval: interval})
	await(t, s, "eighty samples", func() bool { return len(s.Series("dev", "shop", time.Hour, 0).Samples) > 80 })
	series := s.Series("dev", "shop", 800*time.Millisecond, 8)
	if series.Step != 100*time.Millisecond || len(series.Samples) < 7 || len(series.Samples) > 8 {
		t.Errorf("step %v, %d samples", series.Step, len(series.Samples))
	}
	for _, sample := range series.Samples[1:] {
		// ticks may have fallen out, so the rate is that of those that are there
		if !near(sample.P50, .0505, .01) || sample.P99 > .11 || sample.P99 < .09 || sample.Rate <= 0 {
			t.Errorf("%+v", sample)
		}
	}
	if got := s.Series("dev", "other", time.Hour, 10); len(got.Samples) != 0 || got.Samples == nil {
		t.Errorf("an unknown service: %+v", got)
	}
}
