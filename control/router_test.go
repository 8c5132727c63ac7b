package control_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/gateway"
	"github.com/greenlight-dev/greenlight/rollout"
	"github.com/greenlight-dev/greenlight/spec"
)

var _ rollout.Router = (*control.Router)(nil)

// door is a gateway in this process, with a router that steers it.
type door struct {
	*control.Router
	t       *testing.T
	gateway *gateway.Gateway
	client  *gateway.Client
	dir     string
	url     string
	close   func()
}

// openDoor runs a gateway until the test ends. dir is "" for a new one, or
// where an earlier one kept its configuration.
func openDoor(t *testing.T, dir string) *door {
	t.Helper()
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "rt"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
	}
	address := "unix://" + dir + "/gateway.sock"
	g, err := gateway.New(gateway.Options{Listen: "127.0.0.1:0", Control: address, ConfigFile: dir + "/gateway.json", Linger: 10 * time.Millisecond, Grace: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	client, err := gateway.NewClient(address, "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	d := &door{t: t, gateway: g, client: client, dir: dir, url: "http://" + g.Addr(gateway.FlagListener).String()}
	d.close = sync.OnceFunc(func() {
		cancel()
		if err := errors.Join(<-ended, g.Close()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(d.close)
	d.Router = control.NewRouter(control.RouterOptions{Client: client, State: dir})
	return d
}

// describe tells the router of one environment, dev.
func (d *door) describe(text string) {
	d.t.Helper()
	if err := d.SetSystems([]control.RoutedSystem{{System: routedSystem(d.t, text), Folder: d.dir}}, "dev"); err != nil {
		d.t.Fatal(err)
	}
	if err := d.Sync(context.Background()); err != nil {
		d.t.Fatal(err)
	}
}

func routedSystem(t *testing.T, text string) *spec.System {
	t.Helper()
	file, err := spec.Parse("greenlight.yaml", []byte("name: shop\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	system, err := file.Resolve("", spec.ResolveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return system
}

const twoServices = "services: {iris: {model: m.onnx}, web: {run: [web]}}\n"

// replica is an HTTP server that answers with its name.
func routedReplica(t *testing.T, id, release string, handler http.HandlerFunc) greenlight.Replica {
	if handler == nil {
		handler = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, id) }
	}
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return greenlight.Replica{ID: id, Environment: "dev", Release: release, Address: s.Listener.Addr().String(), State: greenlight.ReplicaReady}
}

func (d *door) route(service string, targets ...greenlight.Replica) {
	d.t.Helper()
	if err := d.Route(context.Background(), "dev", service, targets); err != nil {
		d.t.Fatal(err)
	}
}

// get gives the status and the body.
func (d *door) get(path string) string {
	d.t.Helper()
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	resp, err := c.Get(d.url + path)
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		return resp.Status
	}
	return string(body)
}

func (d *door) wantRouted(service string, ids ...string) {
	d.t.Helper()
	routed, err := d.Routed(context.Background(), "dev")
	if err != nil || !slices.Equal(routed[service], ids) {
		d.t.Errorf("%s is routed to %v, want %v (%v)", service, routed[service], ids, err)
	}
}

func TestRouterRoutes(t *testing.T) {
	d := openDoor(t, "")
	d.describe(twoServices)
	if got := d.get("/iris/x"); got != "503 Service Unavailable" {
		t.Errorf("without a replica: %s", got)
	}
	d.route("iris", routedReplica(t, "a", "r1", nil))
	d.route("web", routedReplica(t, "w", "r1", nil))
	if iris, web := d.get("/iris/x"), d.get("/web/x"); iris != "a" || web != "w" {
		t.Errorf("%s, %s", iris, web)
	}
	d.route("iris", routedReplica(t, "b", "r2", nil))
	if got := d.get("/iris/x"); got != "b" {
		t.Error(got)
	}
	d.wantRouted("iris", "b")
	d.wantRouted("web", "w")
	d.route("iris")
	d.wantRouted("iris")
	if other, err := d.Routed(context.Background(), "production"); err != nil || len(other) != 0 {
		t.Errorf("%v, %v", other, err)
	}
}

// Route returns when no request is under way to a replica that left, or when
// the service's grace is over.
func TestRouteWaitsForRequestsUnderWay(t *testing.T) {
	d := openDoor(t, "")
	d.describe("services: {iris: {model: m.onnx, stop: {grace: 20s}}, hasty: {model: m.onnx, stop: {grace: 100ms}}}\n")
	for service, waits := range map[string]bool{"iris": true, "hasty": false} {
		arrived, finish := make(chan struct{}), make(chan struct{})
		d.route(service, routedReplica(t, service+"-1", "r1", func(w http.ResponseWriter, _ *http.Request) {
			close(arrived)
			<-finish
			_, _ = io.WriteString(w, "late")
		}))
		answer := make(chan string, 1)
		go func() { answer <- d.get("/" + service) }()
		<-arrived
		routed := make(chan error, 1)
		next := routedReplica(t, service+"-2", "r2", nil)
		go func() { routed <- d.Route(context.Background(), "dev", service, []greenlight.Replica{next}) }()
		select {
		case err := <-routed:
			if waits || err != nil {
				t.Errorf("Route of %s returned while a request was under way: %v", service, err)
			}
		case <-time.After(300 * time.Millisecond):
			if !waits {
				t.Errorf("Route of %s waits beyond its grace", service)
			}
		}
		if got := d.get("/" + service); got != service+"-2" {
			t.Errorf("meanwhile: %s", got)
		}
		close(finish)
		if got := <-answer; got != "late" {
			t.Errorf("the request under way: %s", got)
		}
		if waits {
			if err := <-routed; err != nil {
				t.Error(err)
			}
		}
	}
}

func TestRouteThatIsGivenUp(t *testing.T) {
	d := openDoor(t, "")
	d.describe(twoServices)
	arrived, finish := make(chan struct{}), make(chan struct{})
	d.route("iris", routedReplica(t, "a", "r1", func(http.ResponseWriter, *http.Request) { close(arrived); <-finish }))
	answered := make(chan string, 1)
	go func() { answered <- d.get("/iris") }()
	<-arrived
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := d.Route(ctx, "dev", "iris", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	close(finish)
	<-answered
	d.wantRouted("iris")
}

// A router that is made anew knows what was routed, and what a description
// changes beside replicas reaches the gateway.
func TestRouterIsMadeAnew(t *testing.T) {
	d := openDoor(t, "")
	d.describe(twoServices)
	d.route("iris", routedReplica(t, "a", "r1", nil))
	d.Router = control.NewRouter(control.RouterOptions{Client: d.client, State: d.dir})
	d.wantRouted("iris", "a")
	d.describe("services: {iris: {model: m.onnx, routes: [{path: /predict, limits: {body: 1Ki}}]}, web: {run: [web]}}\n")
	if old, now := d.get("/iris"), d.get("/predict"); old != "404 Not Found" || now != "a" {
		t.Errorf("%s, %s", old, now)
	}
	// Routing one service must not undo what it does not know of another.
	d.Router = control.NewRouter(control.RouterOptions{Client: d.client, State: d.dir})
	if err := d.SetSystems([]control.RoutedSystem{{System: routedSystem(t, twoServices)}}, "dev"); err != nil {
		t.Fatal(err)
	}
	d.route("web", routedReplica(t, "w", "r1", nil))
	if got := d.get("/iris"); got != "a" {
		t.Error(got)
	}
}

func TestServiceThatIsDescribedNoMore(t *testing.T) {
	d := openDoor(t, "")
	d.describe(twoServices)
	arrived, finish := make(chan struct{}), make(chan struct{})
	d.route("web", routedReplica(t, "w", "r1", func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-finish
		_, _ = io.WriteString(w, "late")
	}))
	answer := make(chan string, 1)
	go func() { answer <- d.get("/web") }()
	<-arrived
	d.describe("services: {iris: {model: m.onnx, routes: [{path: /iris}]}}\n")
	if got := d.get("/web"); got != "404 Not Found" {
		t.Errorf("it still gets requests: %s", got)
	}
	d.wantRouted("web", "w") // until it is routed to nobody
	routed := make(chan error, 1)
	go func() { routed <- d.Route(context.Background(), "dev", "web", nil) }()
	select {
	case err := <-routed:
		t.Errorf("Route returned while a request was under way: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	close(finish)
	if got := <-answer; got != "late" {
		t.Error(got)
	}
	if err := <-routed; err != nil {
		t.Error(err)
	}
	d.wantRouted("web")
}

func TestReplicaAtAnotherAddressIsNotRouted(t *testing.T) {
	d := openDoor(t, "")
	d.describe(twoServices)
	d.route("iris", routedReplica(t, "a", "r1", nil), routedReplica(t, "b", "r1", nil))
	d.CheckAddresses(func(environment, id string) string {
		if environment == "dev" && id == "a" {
			return "127.0.0.1:1"
		}
		return ""
	})
	d.wantRouted("iris", "b")
}

// A service that may sleep holds its requests until it has a replica.
func TestRequestsAreHeldWhileAsleep(t *testing.T) {
	d := openDoor(t, "")
	d.describe("services: {iris: {model: m.onnx, replicas: {min: 0, max: 2, target: {concurrency: 4}}}}\n")
	first := routedReplica(t, "a", "r1", nil)
	for range 2 {
		answer := make(chan string, 1)
		go func() { answer <- d.get("/") }()
		d.held(1)
		d.route("iris", first)
		if got := <-answer; got != "a" {
			t.Error(got)
		}
		d.route("iris")
	}
}

// held waits until so many requests are.
func (d *door) held(n int64) {
	d.t.Helper()
	for begun := time.Now(); d.gateway.Status().Services[0].Held != n; time.Sleep(time.Millisecond) {
		if time.Since(begun) > 30*time.Second {
			d.t.Fatalf("not held: %+v", d.gateway.Status())
		}
	}
}

func TestPauseAndResume(t *testing.T) {
	d := openDoor(t, "")
	d.describe("services: {iris: {model: m.onnx}}\n")
	d.route("iris", routedReplica(t, "a", "r1", nil))
	ctx := context.Background()
	if err := d.Pause(ctx, "dev", "iris"); err != nil {
		t.Fatal(err)
	}
	answer := make(chan string, 1)
	go func() { answer <- d.get("/") }()
	d.held(1)
	if err := d.Resume(ctx, "dev", "iris"); err != nil {
		t.Fatal(err)
	}
	if got := <-answer; got != "a" {
		t.Error(got)
	}
	if err := d.Pause(ctx, "dev", "none"); greenlight.CodeOf(err) != greenlight.CodeNotFound {
		t.Errorf("%v", err)
	}
}

func TestSyncPutsRightWhatAnotherChanged(t *testing.T) {
	d := openDoor(t, "")
	d.describe(twoServices)
	d.route("iris", routedReplica(t, "a", "r1", nil))
	if err := d.client.Apply(context.Background(), &gateway.Config{Version: 1}); err != nil {
		t.Fatal(err)
	}
	if err := d.Sync(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := d.get("/iris"); got != "a" {
		t.Error(got)
	}
	at := d.gateway.Status().AppliedAt
	if err := d.Sync(context.Background()); err != nil {
		t.Fatal(err)
	}
	d.route("iris", routedReplica(t, "b", "r1", nil))
	if applied := d.gateway.Status().AppliedAt; !applied.After(at) {
		t.Error("a change did not reach the gateway")
	}
	at = d.gateway.Status().AppliedAt
	if err := d.Sync(context.Background()); err != nil || !d.gateway.Status().AppliedAt.Equal(at) {
		t.Errorf("a configuration in force was applied again (%v)", err)
	}
}

func TestSystemsThatTheGatewayCannotServe(t *testing.T) {
	d := openDoor(t, "")
	d.describe(twoServices)
	d.route("iris", routedReplica(t, "a", "r1", nil))
	wrong := routedSystem(t, twoServices)
	wrong.Services[0].Routes[0].Path = "/a/../b"
	err := d.SetSystems([]control.RoutedSystem{{System: wrong}}, "dev")
	if greenlight.CodeOf(err) != greenlight.CodeInvalid || !strings.Contains(err.Error(), "/a/../b") {
		t.Errorf("%v", err)
	}
	d.route("iris", routedReplica(t, "b", "r1", nil)) // all goes on as before
	if got := d.get("/iris"); got != "b" {
		t.Error(got)
	}
}

// An address that another program has is reported, and requests move all the
// same.
func TestAddressThatCannotBeListenedOn(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	d := openDoor(t, "")
	d.describe(twoServices)
	system := routedSystem(t, fmt.Sprintf("gateway: {listen: [{address: %q}]}\n%s", ln.Addr(), twoServices))
	if err := d.SetSystems([]control.RoutedSystem{{System: system}}, "dev"); err != nil {
		t.Fatal(err)
	}
	if err := d.Sync(context.Background()); err == nil || !strings.Contains(err.Error(), ln.Addr().String()) {
		t.Errorf("%v", err)
	}
	d.route("iris", routedReplica(t, "a", "r1", nil))
	if got := d.get("/iris"); got != "a" {
		t.Error(got)
	}
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.Sync(context.Background()); err != nil {
		t.Errorf("once the address is free: %v", err)
	}
}

func TestGatewayThatDoesNotAnswer(t *testing.T) {
	d := openDoor(t, "")
	d.Router = control.NewRouter(control.RouterOptions{Client: d.client, State: d.dir, Note: func() string { return "the port is taken" }})
	d.describe(twoServices)
	d.close()
	ctx := context.Background()
	_, routed := d.Routed(ctx, "dev")
	for name, err := range map[string]error{"Routed": routed, "Sync": d.Sync(ctx), "Route": d.Route(ctx, "dev", "iris", []greenlight.Replica{routedReplica(t, "a", "r1", nil)})} {
		if greenlight.CodeOf(err) != greenlight.CodeUnavailable || !strings.Contains(err.Error(), "the port is taken") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What was asked for meanwhile is not forgotten.
	again := openDoor(t, d.dir)
	if err := d.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	if got := again.get("/iris"); got != "a" {
		t.Error(got)
	}
}

// Changes that come together are applied together: 500 services must not mean
// 500 configurations of 500 services.
func TestManyRoutesAreFewApplies(t *testing.T) {
	const services = 500
	var text strings.Builder
	text.WriteString("services:\n")
	for i := range services {
		fmt.Fprintf(&text, "  s%d: {run: [x]}\n", i)
	}
	d := openDoor(t, "")
	counted := countApplies(t, d)
	d.describe(text.String())
	counted.Store(0)
	begun := time.Now()
	var wg sync.WaitGroup
	for i := range services {
		wg.Go(func() {
			var targets []greenlight.Replica
			for n := range 2 {
				targets = append(targets, greenlight.Replica{ID: fmt.Sprintf("s%d-r-%d", i, n), Release: "r", Address: fmt.Sprintf("replica-%d.mem:80", 2*i+n)})
			}
			if err := d.Route(context.Background(), "dev", fmt.Sprintf("s%d", i), targets); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	t.Logf("%d services routed in %v with %d applies", services, time.Since(begun), counted.Load())
	if n := counted.Load(); n == 0 || n > 10 {
		t.Errorf("%d applies", n)
	}
	routed, err := d.Routed(context.Background(), "dev")
	if err != nil || len(routed) != services || len(routed["s499"]) != 2 {
		t.Errorf("%d services are routed, %v", len(routed), err)
	}
}

// countApplies puts a proxy before the gateway's control socket that counts.
func countApplies(t *testing.T, d *door) *atomic.Int64 {
	counted := new(atomic.Int64)
	path := d.dir + "/counted.sock"
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", d.dir+"/gateway.sock")
	}}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			counted.Add(1)
		}
		out := r.Clone(r.Context())
		out.RequestURI, out.URL.Scheme, out.URL.Host = "", "http", "gateway"
		resp, err := transport.RoundTrip(out)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer resp.Body.Close()
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	})}
	served := make(chan struct{})
	go func() { defer close(served); _ = s.Serve(ln) }()
	t.Cleanup(func() { _ = s.Close(); <-served })
	client, err := gateway.NewClient("unix://"+path, "")
	if err != nil {
		t.Fatal(err)
	}
	d.Router = control.NewRouter(control.RouterOptions{Client: client, State: d.dir})
	return counted
}
