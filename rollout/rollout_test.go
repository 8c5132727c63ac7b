package rollout_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend/mem"
	"github.com/greenlight-dev/greenlight/plan"
	"github.com/greenlight-dev/greenlight/rollout"
	"github.com/greenlight-dev/greenlight/store"
	"github.com/greenlight-dev/greenlight/store/sqlite"
)

// router remembers where requests go; a gateway has tests of its own.
type router struct {
	mu     sync.Mutex
	routed map[string][]string
	log    []string
}

func (r *router) Routed(context.Context, string) (map[string][]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make(map[string][]string)
	for k, v := range r.routed {
		out[k] = slices.Clone(v)
	}
	return out, nil
}

func (r *router) Route(_ context.Context, _, service string, targets []greenlight.Replica) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	ids := []string{}
	for _, t := range targets {
		if t.Address == "" {
			return fmt.Errorf("%s has no address", t.ID)
		}
		ids = append(ids, t.ID)
	}
	r.routed[service] = ids
	if len(ids) == 0 {
		delete(r.routed, service)
	}
	r.log = append(r.log, service)
	return nil
}

// world is an environment with a real store and an in-memory backend.
type world struct {
	*rollout.Runner
	backend *mem.Backend
	router  *router
	store   *sqlite.Store
}

func newWorld(t testing.TB, conduct func(greenlight.ReplicaSpec) mem.Conduct) *world {
	t.Helper()
	s, err := sqlite.Open(context.Background(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{backend: mem.New(mem.Options{Conduct: conduct}), router: &router{routed: make(map[string][]string)}, store: s}
	w.Runner = &rollout.Runner{Backend: w.backend, Router: w.router, Journal: s}
	return w
}

func service(name, release string, replicas int, dependsOn ...string) plan.Service {
	return plan.Service{Name: name, Release: release, Replicas: replicas, DependsOn: dependsOn,
		Template: greenlight.ReplicaSpec{Command: []string{"serve"}, Ready: greenlight.Probe{Path: "/healthz", Interval: time.Millisecond}}}
}

func desired(services ...plan.Service) plan.Desired {
	return plan.Desired{Environment: "dev", Heal: true, Services: services}
}

func (w *world) reconcile(t testing.TB, d plan.Desired) *rollout.Report {
	t.Helper()
	report, err := w.Reconcile(context.Background(), d)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// settled fails unless nothing is left to do.
func (w *world) settled(t testing.TB, d plan.Desired) {
	t.Helper()
	if report := w.reconcile(t, d); report.Planned != 0 {
		t.Errorf("%d steps are left", report.Planned)
	}
}

func TestReconcileReachesTheDesiredState(t *testing.T) {
	w := newWorld(t, nil)
	first := desired(service("web", "aaaaaaa", 1, "iris"), service("iris", "aaaaaaa", 2))
	if report := w.reconcile(t, first); report.Planned != 5 || report.Done != 5 || len(report.Failed) != 0 {
		t.Fatalf("%+v", report)
	}
	w.settled(t, first)
	if !slices.Equal(w.router.log, []string{"iris", "web"}) {
		t.Errorf("routed in the order %v", w.router.log)
	}
	second := desired(service("iris", "bbbbbbb", 3))
	w.reconcile(t, second)
	w.settled(t, second)
	if got := w.router.routed; len(got) != 1 || len(got["iris"]) != 3 || !strings.Contains(got["iris"][0], "bbbbbbb") {
		t.Errorf("routed %v", got)
	}
}

func TestEveryStepIsAnEventWithItsReason(t *testing.T) {
	w := newWorld(t, nil)
	w.reconcile(t, desired(service("iris", "aaaaaaa", 1)))
	events, err := w.store.ListEvents(context.Background(), store.EventQuery{Environment: "dev"})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range events {
		got = append(got, e.Actor+" "+e.Kind+" "+e.Subject+": "+e.Message)
	}
	want := []string{
		"reconciler replica.started iris-aaaaaaa-1: the service has no replica",
		"reconciler service.routed : its first replicas are ready",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if open, err := w.store.OpenSteps(context.Background()); err != nil || len(open) != 0 {
		t.Errorf("open steps %v, %v", open, err)
	}
}

func TestAFailedStartSaysOnceWhatHappened(t *testing.T) {
	w := newWorld(t, func(greenlight.ReplicaSpec) mem.Conduct {
		return mem.Conduct{NeverReady: true, Output: []string{"hello", "boom"}, Health: "503", ExitAfter: time.Millisecond, ExitCode: 3}
	})
	w.reconcile(t, desired(service("iris", "aaaaaaa", 1)))
	events, err := w.store.ListEvents(context.Background(), store.EventQuery{Kind: "step.failed"})
	if err != nil || len(events) != 1 {
		t.Fatalf("%v, %v", events, err)
	}
	e := events[0]
	if !strings.HasPrefix(e.Message, "iris-aaaaaaa-1 did not start: exit status 3") || strings.Count(e.Message, "iris-aaaaaaa-1") != 1 {
		t.Errorf("message %q", e.Message)
	}
	if e.Evidence["reason"] != "the service has no replica" || e.Evidence["health"] != "503" || fmt.Sprint(e.Evidence["logs"]) != "[hello boom]" {
		t.Errorf("evidence %v", e.Evidence)
	}
}

func TestADeadReplicaComesBack(t *testing.T) {
	w := newWorld(t, nil)
	d := desired(service("iris", "aaaaaaa", 2))
	w.reconcile(t, d)
	if !w.backend.Kill("dev", "iris-aaaaaaa-2") {
		t.Fatal("there was nothing to kill")
	}
	if report := w.reconcile(t, d); report.Done == 0 || len(report.Failed) > 0 {
		t.Errorf("%+v", report)
	}
	w.settled(t, d)
}

func TestAReleaseThatDoesNotStartLeavesTheOldOne(t *testing.T) {
	w := newWorld(t, func(spec greenlight.ReplicaSpec) mem.Conduct {
		if spec.ID == "iris-bbbbbbb-2" {
			return mem.Conduct{NeverReady: true, ExitAfter: time.Millisecond, ExitCode: 1}
		}
		return mem.Conduct{}
	})
	w.reconcile(t, desired(service("iris", "aaaaaaa", 2)))
	report := w.reconcile(t, desired(service("iris", "bbbbbbb", 2)))
	if len(report.Failed) != 1 || report.Failed[0].Step.Replica != "iris-bbbbbbb-2" {
		t.Fatalf("%+v", report)
	}
	for range 5 {
		w.reconcile(t, desired(service("iris", "bbbbbbb", 2)))
	}
	if got := w.router.routed["iris"]; !slices.Equal(got, []string{"iris-aaaaaaa-1", "iris-aaaaaaa-2"}) {
		t.Errorf("requests go to %v", got)
	}
	if report := w.reconcile(t, desired(service("iris", "bbbbbbb", 2))); report.Next.IsZero() {
		t.Error("nobody is told when to try again")
	}
}

func TestARoundLeavesBusyServicesAlone(t *testing.T) {
	release := make(chan struct{})
	w := newWorld(t, nil)
	w.Busy = new(rollout.Busy)
	w.Backend = &gated{Backend: w.backend, service: "slow", release: release}
	d := desired(service("slow", "aaaaaaa", 1), service("web", "aaaaaaa", 1, "slow"), service("iris", "aaaaaaa", 1))
	done := make(chan *rollout.Report)
	go func() {
		report, err := w.Reconcile(context.Background(), d)
		if err != nil {
			t.Error(err)
		}
		done <- report
	}()
	for len(w.replicas(t)) == 0 { // iris is there, slow is not
		time.Sleep(time.Millisecond)
	}
	grown := desired(service("slow", "aaaaaaa", 2), service("web", "aaaaaaa", 2, "slow"), service("iris", "aaaaaaa", 2))
	for len(w.replicas(t)) < 2 {
		report := w.reconcile(t, grown)
		if report.Services["slow"] || report.Services["web"] || !report.Left["web"] {
			t.Fatalf("the second round has %+v", report)
		}
	}
	close(release)
	if report := <-done; report.Done != 6 || len(report.Failed) > 0 {
		t.Errorf("the first round: %+v", report)
	}
	w.reconcile(t, grown)
	w.settled(t, grown)
}

func (w *world) replicas(t *testing.T) []greenlight.Replica {
	t.Helper()
	list, err := w.backend.Observe(context.Background(), "dev")
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// gated holds up the starts of one service.
type gated struct {
	*mem.Backend
	service string
	release chan struct{}
}

func (g *gated) Start(ctx context.Context, spec greenlight.ReplicaSpec) (greenlight.Replica, error) {
	if spec.Service == g.service {
		<-g.release
	}
	return g.Backend.Start(ctx, spec)
}

// dying ends the context after so many steps, as a control plane that is
// killed: the journal keeps the step that was under way open.
type dying struct {
	rollout.Journal
	left   int
	mu     sync.Mutex
	cancel context.CancelFunc
}

func (d *dying) BeginSteps(ctx context.Context, steps ...store.Step) ([]store.Step, error) {
	begun, err := d.Journal.BeginSteps(ctx, steps...)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left--; d.left < 0 {
		d.cancel()
	}
	return begun, err
}

func (d *dying) EndSteps(ctx context.Context, ends ...store.StepEnd) error {
	d.mu.Lock()
	dead := d.left < 0
	d.mu.Unlock()
	if dead {
		return nil // never written
	}
	return d.Journal.EndSteps(ctx, ends...)
}

func TestAControlPlaneKilledAfterAnyStepConverges(t *testing.T) {
	before := desired(service("web", "aaaaaaa", 2, "iris"), service("iris", "aaaaaaa", 2))
	after := desired(service("web", "bbbbbbb", 1, "iris"), service("iris", "bbbbbbb", 3))
	for steps := range 12 {
		w := newWorld(t, nil)
		w.reconcile(t, before)
		ctx, cancel := context.WithCancel(context.Background())
		killed := *w.Runner
		killed.Journal = &dying{Journal: w.store, left: steps, cancel: cancel}
		_, _ = killed.Reconcile(ctx, after) // its end is what is being tested
		cancel()
		if _, err := w.Recover(context.Background()); err != nil {
			t.Fatal(err)
		}
		if open, err := w.store.OpenSteps(context.Background()); err != nil || len(open) != 0 {
			t.Fatalf("after Recover %v, %v are open", open, err)
		}
		for range 3 {
			w.reconcile(t, after)
		}
		w.settled(t, after)
	}
}

// BenchmarkReconcile is 500 services with 2 replicas each, from nothing, and
// then a change of one.
func BenchmarkReconcile(b *testing.B) {
	var services []plan.Service
	for i := range 500 {
		services = append(services, service(fmt.Sprintf("service-%03d", i), "aaaaaaa", 2))
	}
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			w := newWorld(b, nil)
			b.StartTimer()
			w.reconcile(b, desired(services...))
		}
	})
	b.Run("one", func(b *testing.B) {
		w := newWorld(b, nil)
		w.reconcile(b, desired(services...))
		changed := slices.Clone(services)
		start := time.Now()
		for i := 0; b.Loop(); i++ {
			changed[250].Release = fmt.Sprintf("release%d", i)
			w.reconcile(b, desired(changed...))
		}
		b.ReportMetric(float64(time.Since(start).Milliseconds())/float64(b.N), "ms/change")
	})
}
