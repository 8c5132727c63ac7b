package control_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
	"github.com/greenlight-dev/greenlight/backend/mem"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/gateway/keeper"
	"github.com/greenlight-dev/greenlight/observe"
	"github.com/greenlight-dev/greenlight/store"
	"github.com/greenlight-dev/greenlight/store/sqlite"
)

// gate is a gateway of the mind: it keeps what it is told. The real one has its
// tests in app.
type gate struct {
	mu      sync.Mutex
	routed  map[string][]greenlight.Replica // by environment/service
	systems []control.RoutedSystem
	primary string
	moves   []string
	where   func(environment, id string) string
	stopped bool
}

func newGate() *gate { return &gate{routed: make(map[string][]greenlight.Replica)} }

func (g *gate) Routed(_ context.Context, environment string) (map[string][]string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	out := make(map[string][]string)
	for key, targets := range g.routed {
		env, service, _ := strings.Cut(key, "/")
		for _, t := range targets {
			if now := g.where(env, t.ID); env == environment && (now == "" || now == t.Address) {
				out[service] = append(out[service], t.ID)
			}
		}
	}
	return out, nil
}

func (g *gate) Route(_ context.Context, environment, service string, targets []greenlight.Replica) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.routed[environment+"/"+service] = targets
	g.moves = append(g.moves, fmt.Sprintf("%s to %d", service, len(targets)))
	return nil
}

func (g *gate) SetSystems(systems []control.RoutedSystem, primary string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.systems, g.primary = systems, primary
	return nil
}

func (g *gate) Sync(context.Context) error                           { return nil }
func (g *gate) URLs(environment, service, address string) []string   { return []string{} }
func (g *gate) CheckAddresses(f func(environment, id string) string) { g.where = f }

func (g *gate) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func (g *gate) Status() keeper.Status { return keeper.Status{PID: 1, Address: "127.0.0.1:8080"} }

func (g *gate) Ready() <-chan struct{} {
	ready := make(chan struct{})
	close(ready)
	return ready
}

func (g *gate) Restarted() <-chan struct{} { return nil }

func (g *gate) Answers(context.Context) bool { return true }

func (g *gate) Stop(context.Context) error {
	g.stopped = true
	return nil
}

// sampler gives the samples that a test puts in.
type sampler struct {
	mu      sync.Mutex
	latest  map[string]observe.Sample
	updated chan struct{}
}

func newSampler() *sampler {
	return &sampler{latest: make(map[string]observe.Sample), updated: make(chan struct{})}
}

func (s *sampler) Latest() map[string]observe.Sample {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latest
}

func (s *sampler) Replica(string, string) observe.ReplicaSample { return observe.ReplicaSample{} }

func (s *sampler) Series(environment, service string, _ time.Duration, _ int) observe.Series {
	return observe.Series{Environment: environment, Service: service}
}

func (s *sampler) Updated() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.updated
}

// feed gives the same sample once a second for so long.
func (s *sampler) feed(service string, sample observe.Sample, d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Second) {
		s.mu.Lock()
		sample.At = time.Now()
		s.latest = map[string]observe.Sample{service: sample}
		close(s.updated)
		s.updated = make(chan struct{})
		s.mu.Unlock()
	}
}

// world is a control plane over a real store, a backend in memory and a gateway
// of the mind.
type world struct {
	*control.Plane
	t       testing.TB
	state   string
	store   *sqlite.Store
	backend *mem.Backend
	gate    *gate
	sampler *sampler
	end     context.CancelFunc
	ended   chan error
	full    atomic.Bool  // the disk
	steps   atomic.Int64 // that were to be begun on a full disk
}

// filling is a store whose disk may be full.
type filling struct {
	*sqlite.Store
	world *world
}

func (f *filling) BeginSteps(ctx context.Context, steps ...store.Step) ([]store.Step, error) {
	if f.world.full.Load() {
		f.world.steps.Add(1)
		return nil, greenlight.Errorf(greenlight.CodeUnavailable, "no space left")
	}
	return f.Store.BeginSteps(ctx, steps...)
}

func (f *filling) AddTraffic(ctx context.Context, mark store.TrafficMark, hours ...store.TrafficHour) error {
	if f.world.full.Load() {
		return greenlight.Errorf(greenlight.CodeUnavailable, "no space left")
	}
	return f.Store.AddTraffic(ctx, mark, hours...)
}

func newWorld(t testing.TB, conduct func(greenlight.ReplicaSpec) mem.Conduct) *world {
	t.Helper()
	w := &world{t: t, state: filepath.Join(t.TempDir(), ".greenlight"), gate: newGate(), sampler: newSampler(),
		backend: mem.New(mem.Options{Conduct: conduct})}
	w.begin()
	return w
}

func (w *world) begin() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s, err := sqlite.Open(ctx, w.state)
	must(w.t, err)
	w.store = s
	w.Plane, err = control.New(ctx, control.Options{
		Store: &filling{s, w}, Backends: map[string]backend.Backend{"mem": w.backend}, Router: w.gate, Keeper: w.gate, Sampler: w.sampler,
		State: w.state, Program: []string{"/bin/greenlight"},
		Backup:      func(context.Context, io.Writer) error { return nil },
		CheckBackup: func(_ context.Context, path string) error { _, err := os.Stat(path); return err },
	})
	must(w.t, err)
	w.end, w.ended = cancel, make(chan error, 1)
	go func() { w.ended <- w.Run(ctx) }()
}

// close ends the control plane and gives Run's error.
func (w *world) close() error {
	w.t.Helper()
	w.end()
	return w.wait()
}

func (w *world) wait() error {
	err := <-w.ended
	w.end()
	must(w.t, w.store.Close())
	return err
}

func (w *world) description(text string) control.Description {
	return control.Description{Path: filepath.Join(filepath.Dir(w.state), "greenlight.yaml"), Text: text}
}

func (w *world) apply(text string) control.Applied {
	w.t.Helper()
	applied, err := w.Apply(context.Background(), "", w.description(text), "user:ada")
	must(w.t, err)
	return applied
}

const mem1 = "\nenvironments: {dev: {backend: mem}}\n"

func (w *world) service(name string) control.Service {
	w.t.Helper()
	s, err := w.Status(context.Background())
	must(w.t, err)
	for _, v := range s.Environments[0].Services {
		if v.Name == name {
			return v
		}
	}
	w.t.Fatalf("no service %s in %+v", name, s)
	return control.Service{}
}

func (w *world) want(name string, health control.Health, ready int, note string) control.Service {
	w.t.Helper()
	s := w.service(name)
	if s.Health != health || s.Ready != ready || !strings.Contains(s.Note, note) {
		w.t.Errorf("%s is %s with %d ready, %q; want %s, %d, %q", name, s.Health, s.Ready, s.Note, health, ready, note)
	}
	return s
}

func (w *world) events(kind string) []greenlight.Event {
	w.t.Helper()
	list, err := w.store.ListEvents(context.Background(), store.EventQuery{Kind: kind})
	must(w.t, err)
	return list
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		first := "name: shop\nservices: {api: {run: ./api, replicas: 2}, web: {run: ./web, depends_on: [api]}}" + mem1
		if a := w.apply(first); !a.Changed || a.Revision != 1 || a.Environment != "dev" || len(a.Plan.Steps) != 5 {
			t.Errorf("applied %+v", a)
		}
		time.Sleep(time.Second)
		w.want("api", control.Good, 2, "")
		if got := w.gate.moves; !slices.Equal(got, []string{"api to 2", "web to 1"}) || w.gate.primary != "dev" {
			t.Errorf("moves %v, primary %s", got, w.gate.primary)
		}
		if a := w.apply(first); a.Changed || a.Revision != 1 {
			t.Errorf("the same again: %+v", a)
		}

		second := "name: shop\nservices: {api: {run: ./api, replicas: 3, env: {A: b}}}" + mem1
		preview, err := w.Preview(t.Context(), "dev", w.description(second))
		must(t, err)
		want := []string{
			`services.api.env: none → {"A":"b"}`,
			"services.api.replicas: 2 → 3",
			`services.api.routes: [{"limits":{"body":"32Mi"},"path":"/api","strip":true}] → [{"limits":{"body":"32Mi"},"path":"/"}]`,
			"services.web: removed",
		}
		if !slices.Equal(preview.Differences, want) {
			t.Errorf("differences %q, want %q", preview.Differences, want)
		}
		if len(preview.Steps) != 8 {
			t.Errorf("steps %v", preview.Steps)
		}
		w.want("api", control.Good, 2, "") // nothing changed
		w.apply(second)
		time.Sleep(time.Second)
		w.want("api", control.Good, 3, "")
		now, err := w.Plan(t.Context(), "dev")
		must(t, err)
		if !now.Empty() {
			t.Errorf("still to do: %+v", now)
		}
		must(t, w.close())
	})
}

func TestMistakesAreRefusedAndChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		for text, want := range map[string]string{
			"name: shop\nservices: {api: {ru: ./api}}":                                                 `greenlight.yaml:2:`,
			"name: shop\nservices: {api: {run: ./api}}\nenvironments: {dev: {backend: aws}}":           "set backend: process",
			"name: shop\nservices: {api: {model: nowhere}}" + mem1:                                     `nowhere`,
			"name: shop\nservices: {api: {run: ./api, secrets: {KEY: {env: GREENLIGHT_NONE}}}}" + mem1: "GREENLIGHT_NONE",
		} {
			_, err := w.Apply(t.Context(), "", w.description(text), "user:ada")
			if err == nil || !strings.Contains(err.Error(), want) || greenlight.CodeOf(err) == greenlight.CodeInternal {
				t.Errorf("%q gives %v", text, err)
			}
		}
		if list, err := w.store.Environments(t.Context()); err != nil || len(list) > 0 || len(w.events("")) > 0 {
			t.Errorf("kept %v, %v, %v", list, err, w.events(""))
		}
		must(t, w.close())
	})
}

func TestAStartThatFailsIsSpacedOutAndTold(t *testing.T) {
	for name, c := range map[string]struct {
		conduct mem.Conduct
		note    string
	}{
		"crashes": {mem.Conduct{Output: []string{"no module named flask"}, NeverReady: true, ExitAfter: 10 * time.Millisecond, ExitCode: 3}, "no module named flask"},
		"refused": {mem.Conduct{StartError: greenlight.Errorf(greenlight.CodeInvalid, "the program does not exist")}, "does not exist"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var bad atomic.Bool
				bad.Store(true)
				w := newWorld(t, func(greenlight.ReplicaSpec) mem.Conduct {
					if bad.Load() {
						return c.conduct
					}
					return mem.Conduct{}
				})
				w.apply("name: shop\nservices: {api: {run: ./api}}" + mem1)
				time.Sleep(10 * time.Minute)
				w.want("api", control.Down, 0, c.note)
				if n := len(w.events("step.failed")); n < 10 || n > 25 {
					t.Errorf("%d starts in ten minutes", n)
				}
				bad.Store(false)
				time.Sleep(time.Minute + time.Second)
				w.want("api", control.Good, 1, "")
				must(t, w.close())
			})
		})
	}
}

func TestABadReleaseLeavesTheOldOneServingAndAGoodOneTakesOverAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(spec greenlight.ReplicaSpec) mem.Conduct {
			if spec.Command[0] == "./slow" {
				return mem.Conduct{NeverReady: true}
			}
			return mem.Conduct{}
		})
		w.apply("name: shop\nservices: {api: {run: ./api}}" + mem1)
		time.Sleep(time.Second)
		first := w.want("api", control.Good, 1, "")
		w.apply("name: shop\nservices: {api: {run: ./slow, start: {grace: 1h}}}" + mem1)
		time.Sleep(time.Minute)
		w.want("api", control.Changing, 1, "replaces "+first.Release+": 0 of 1 replicas ready")
		w.apply("name: shop\nservices: {api: {run: ./good}}" + mem1)
		time.Sleep(time.Second)
		s := w.want("api", control.Good, 1, "")
		if len(s.Replicas) != 1 || s.Release == first.Release {
			t.Errorf("%+v", s)
		}
		if failed := w.events("step.failed"); len(failed) > 0 {
			t.Errorf("what was given up counts as failed: %v", failed)
		}
		must(t, w.close())
	})
}

func TestDriftPolicies(t *testing.T) {
	for _, policy := range []string{"heal", "detect"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, nil)
			w.apply("name: shop\nservices: {api: {run: ./api, replicas: 2}}\nenvironments: {dev: {backend: mem, drift: " + policy + "}}")
			time.Sleep(time.Second)
			id := w.service("api").Replicas[0].ID
			w.backend.Kill("dev", id)
			time.Sleep(time.Second)
			ended := w.events("replica.ended")
			if len(ended) != 1 || ended[0].Subject != id || ended[0].Actor != "reconciler" || ended[0].Evidence["was"] != "ready" {
				t.Errorf("events %+v", ended)
			}
			now, err := w.Plan(t.Context(), "dev")
			must(t, err)
			if policy == "heal" {
				w.want("api", control.Good, 2, "")
				if !now.Empty() {
					t.Errorf("%+v", now)
				}
			} else {
				w.want("api", control.Degraded, 1, id+" ended")
				if len(now.Drift) != 1 || !strings.Contains(now.Drift[0], id) {
					t.Errorf("drift %q", now.Drift)
				}
			}
			must(t, w.close())
		})
	}
}

func TestScalingFollowsTheLoadAndSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.apply("name: shop\nservices: {api: {run: ./api, replicas: {min: 0, max: 4, target: {concurrency: 10}, window: {up: 5s, down: 60s}}}}" + mem1)
		time.Sleep(time.Second)
		w.want("api", control.Good, 1, "")
		w.sampler.feed("dev/api", observe.Sample{Rate: 100, InFlight: 30}, 30*time.Second)
		s := w.want("api", control.Good, 3, "")
		if s.Scaling.Manual || s.Scaling.Reason == "" || s.Scaling.Target != "concurrency 10" {
			t.Errorf("scaling %+v", s.Scaling)
		}
		w.sampler.feed("dev/api", observe.Sample{}, 10*time.Minute)
		w.want("api", control.Asleep, 0, "wakes")
		w.sampler.feed("dev/api", observe.Sample{Held: 1}, 3*time.Second)
		w.want("api", control.Good, 1, "")
		events := w.events("scaled")
		if len(events) < 3 || events[0].Evidence["from"] != 1.0 || events[0].Evidence["reason"] == "" {
			t.Errorf("events %+v", events)
		}

		two := 2
		if s, err := w.Scale(t.Context(), "dev", "api", control.ScaleTo{Replicas: &two}, "user:ada"); err != nil || s.Desired != 2 || !s.Scaling.Manual {
			t.Errorf("scaled to %+v, %v", s, err)
		}
		w.sampler.feed("dev/api", observe.Sample{Rate: 100, InFlight: 40}, time.Minute)
		w.want("api", control.Good, 2, "") // a person's word counts
		must(t, w.close())
		w.begin()
		time.Sleep(time.Second)
		w.want("api", control.Good, 2, "") // and is remembered
		if s, err := w.Scale(t.Context(), "dev", "api", control.ScaleTo{}, "user:ada"); err != nil || s.Scaling.Manual {
			t.Errorf("back: %+v, %v", s, err)
		}
		must(t, w.close())
	})
}

func TestRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.apply("name: shop\nservices: {api: {run: ./api, replicas: 2}}" + mem1)
		time.Sleep(time.Second)
		before := w.service("api").Replicas
		must(t, w.Restart(t.Context(), "dev", "api", before[1].ID, "user:ada"))
		time.Sleep(time.Second)
		after := w.want("api", control.Good, 2, "").Replicas
		if after[0].PID != before[0].PID || after[1].ID != before[1].ID || after[1].PID == before[1].PID {
			t.Errorf("%+v became %+v", before, after)
		}
		if want := []string{"api to 2", "api to 1", "api to 2"}; !slices.Equal(w.gate.moves, want) {
			t.Errorf("moves %v, want %v", w.gate.moves, want)
		}
		must(t, w.Restart(t.Context(), "dev", "api", "", "user:ada"))
		time.Sleep(time.Second)
		all := w.want("api", control.Good, 2, "").Replicas
		if !strings.HasSuffix(all[0].ID, "-g1-1") || len(all) != 2 || w.backend.Runs(after[0].PID) || w.backend.Runs(after[1].PID) {
			t.Errorf("after all restarted: %+v", all)
		}
		if err := w.Restart(t.Context(), "dev", "api", "nobody", "user:ada"); greenlight.CodeOf(err) != greenlight.CodeNotFound {
			t.Errorf("restart of nobody: %v", err)
		}
		must(t, w.close())
		w.begin() // the generation is remembered: nothing restarts
		time.Sleep(time.Minute)
		if again := w.want("api", control.Good, 2, "").Replicas; again[0].PID != all[0].PID {
			t.Errorf("%+v became %+v", all, again)
		}
		must(t, w.close())
	})
}

func TestDownStopsInOrderAndUpBringsAllBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.apply("name: shop\nservices: {db: {run: ./db}, api: {run: ./api, depends_on: [db]}, web: {run: ./web, depends_on: [api]}}" + mem1)
		time.Sleep(time.Second)
		must(t, w.Down(t.Context(), "user:ada"))
		must(t, w.Down(t.Context(), "user:ada")) // once more changes nothing
		if err := <-w.ended; err != nil {
			t.Error(err)
		}
		if asked := w.events("down"); len(asked) != 1 {
			t.Errorf("asked %v", asked)
		}
		var stopped []string
		for _, e := range w.events("replica.stopped") {
			stopped = append(stopped, e.Service)
		}
		if want := []string{"web", "api", "db"}; !slices.Equal(stopped, want) || !w.gate.stopped {
			t.Errorf("stopped %v, want %v; the gateway too: %v", stopped, want, w.gate.stopped)
		}
		if left, err := w.backend.Observe(t.Context(), ""); err != nil || len(left) > 0 {
			t.Errorf("left %v, %v", left, err)
		}
		must(t, w.store.Close())
		w.begin()
		time.Sleep(time.Second)
		for _, name := range []string{"db", "api", "web"} {
			w.want(name, control.Good, 1, "")
		}
		must(t, w.close())
	})
}

func TestReplicasOfForgottenEnvironmentsAreStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		must(t, w.close())
		_, err := w.backend.Start(t.Context(), greenlight.ReplicaSpec{ID: "x-1", Environment: "gone", Service: "x", Release: "r", Command: []string{"x"}})
		must(t, err)
		w.begin()
		time.Sleep(time.Minute)
		if left, err := w.backend.Observe(t.Context(), ""); err != nil || len(left) > 0 {
			t.Errorf("left %v, %v", left, err)
		}
		must(t, w.close())
	})
}

func TestLogsFollowNewReplicas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(spec greenlight.ReplicaSpec) mem.Conduct {
			return mem.Conduct{Output: []string{"hello from " + spec.ID, strings.Repeat("x", 100<<10)}}
		})
		w.apply("name: shop\nservices: {api: {run: ./api}}" + mem1)
		time.Sleep(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		var mu sync.Mutex
		var lines []string
		longest := 0
		done := make(chan error, 1)
		go func() {
			done <- w.Logs(ctx, "dev", "api", control.LogQuery{Follow: true}, func(l control.LogLine) error {
				mu.Lock()
				defer mu.Unlock()
				longest = max(longest, len(l.Text))
				if strings.HasPrefix(l.Text, "hello") {
					lines = append(lines, l.Text)
				}
				return nil
			})
		}()
		time.Sleep(time.Second)
		must(t, w.Restart(t.Context(), "dev", "api", "", "user:ada"))
		time.Sleep(5 * time.Second)
		cancel()
		must(t, <-done)
		if len(lines) != 2 || !strings.Contains(lines[1], "-g1-1") || longest > 64<<10 {
			t.Errorf("lines %q, the longest %d bytes", lines, longest)
		}
		failed := errors.New("the reader is gone")
		if err := w.Logs(t.Context(), "dev", "api", control.LogQuery{Tail: 1}, func(control.LogLine) error { return failed }); !errors.Is(err, failed) {
			t.Errorf("a failing reader: %v", err)
		}
		if err := w.Logs(t.Context(), "dev", "api", control.LogQuery{Replica: "nobody"}, nil); greenlight.CodeOf(err) != greenlight.CodeNotFound {
			t.Errorf("nobody's log: %v", err)
		}
		must(t, w.close())
	})
}

func TestRestoreEndsRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		must(t, w.Restore(t.Context(), strings.NewReader("a backup"), "user:ada"))
		restore := (*control.RestoreError)(nil)
		if err := w.wait(); !errors.As(err, &restore) || restore.Actor != "user:ada" {
			t.Fatalf("Run ended with %v", err)
		}
		if data, err := os.ReadFile(restore.Path); err != nil || string(data) != "a backup" {
			t.Errorf("the backup is %q, %v", data, err)
		}
	})
}

// BenchmarkStatus is what the console asks for once a second.
func BenchmarkStatus(b *testing.B) {
	var text strings.Builder
	text.WriteString("name: shop\nservices:\n")
	for i := range 200 {
		fmt.Fprintf(&text, "  s%d: {run: ./s, replicas: 2}\n", i)
	}
	w := newWorld(b, nil)
	w.apply(text.String() + mem1)
	for w.service("s199").Ready < 2 {
		time.Sleep(time.Millisecond)
	}
	for b.Loop() {
		if _, err := w.Status(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	must(b, w.close())
}

// On a full disk nothing can be written down, so nothing is done; that is said,
// tried again at a slower and slower pace, and over once there is space.
func TestAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.apply("name: shop\nservices: {api: {run: ./api}}" + mem1)
		time.Sleep(time.Second)
		w.full.Store(true)
		w.backend.Kill("dev", w.want("api", control.Good, 1, "").Replicas[0].ID)
		time.Sleep(time.Minute)
		w.want("api", control.Down, 0, "it is not healed: the journal cannot be written: no space left")
		if n := w.steps.Load(); n < 3 || n > 10 {
			t.Errorf("tried %d times in a minute", n)
		}
		w.full.Store(false)
		time.Sleep(time.Minute)
		w.want("api", control.Good, 1, "")
		must(t, w.close())
	})
}

func TestASlowStartHoldsUpNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(spec greenlight.ReplicaSpec) mem.Conduct {
			if spec.Service == "slow" {
				return mem.Conduct{ReadyAfter: 50 * time.Second}
			}
			return mem.Conduct{}
		})
		w.apply("name: shop\nservices: {slow: {run: ./slow}, api: {run: ./api, replicas: 2}, web: {run: ./web, depends_on: [slow]}}" + mem1)
		time.Sleep(time.Second)
		api := w.want("api", control.Good, 2, "")
		w.backend.Kill("dev", api.Replicas[0].ID)
		three := 3
		_, err := w.Scale(t.Context(), "dev", "api", control.ScaleTo{Replicas: &three}, "user:ada")
		must(t, err)
		time.Sleep(time.Second)
		w.want("api", control.Good, 3, "")
		w.want("slow", control.Changing, 0, "starting: 0 of 1")
		w.want("web", control.Changing, 0, "")
		time.Sleep(time.Minute)
		w.want("slow", control.Good, 1, "")
		w.want("web", control.Good, 1, "")
		must(t, w.close())
	})
}

func TestAServiceWaitsForWhatItDependsOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bad atomic.Bool
		bad.Store(true)
		w := newWorld(t, func(spec greenlight.ReplicaSpec) mem.Conduct {
			if spec.Service == "db" && bad.Load() {
				return mem.Conduct{NeverReady: true, ExitAfter: time.Second, ExitCode: 1}
			}
			return mem.Conduct{}
		})
		w.apply("name: shop\nservices: {db: {run: ./db}, api: {run: ./api, depends_on: [db]}}" + mem1)
		time.Sleep(5 * time.Minute)
		w.want("db", control.Down, 0, "exit status 1")
		if api := w.want("api", control.Changing, 0, "db"); len(api.Replicas) > 0 {
			t.Errorf("it did not wait: %+v", api)
		}
		bad.Store(false)
		time.Sleep(2 * time.Minute)
		w.want("api", control.Good, 1, "")
		must(t, w.close())
	})
}
