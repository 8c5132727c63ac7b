//go:build linux

package measure_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/load"
	"github.com/greenlight-dev/greenlight/load/postgres"
	"github.com/greenlight-dev/greenlight/load/postgres/postgrestest"
	"github.com/greenlight-dev/greenlight/measure"
)

// plane is a control plane whose replicas are ready, or crash, once it was
// asked a few times.
type plane struct {
	replicas, asked int
	release         string
	crash           string // why they do
	applied         []string
}

func (p *plane) Status(context.Context) (control.Status, error) {
	p.asked++
	s := control.Service{Name: "api", Release: p.release, Desired: p.replicas}
	for range p.replicas {
		r := control.Replica{PID: os.Getpid(), State: greenlight.ReplicaReady, Release: p.release, Memory: 7 << 20}
		switch {
		case p.asked < 3:
			r.State = "starting"
		case p.crash != "":
			r.State, r.Reason = greenlight.ReplicaCrashing, p.crash
		}
		if r.State == greenlight.ReplicaReady {
			s.Ready++
		}
		s.Replicas = append(s.Replicas, r)
	}
	return control.Status{Gateway: control.Process{PID: os.Getppid()}, Environments: []control.Environment{{Name: "dev", Services: []control.Service{s}}}}, nil
}

func (p *plane) Scale(_ context.Context, _, _ string, to control.ScaleTo) (control.Service, error) {
	p.replicas, p.asked = *to.Replicas, 0
	return control.Service{}, nil
}

func (p *plane) Apply(_ context.Context, _ string, d control.Description) (control.Applied, error) {
	p.applied, p.release, p.asked = append(p.applied, d.Text), d.Text, 0
	return control.Applied{Changed: true}, nil
}

func newSystem(p *plane) *measure.System {
	return &measure.System{
		Plane: p, Environment: "dev", Service: "api", Patience: 5 * time.Second, Wait: time.Millisecond,
		Describe: func(cores float64) (control.Description, error) {
			return control.Description{Text: time.Duration(cores * float64(time.Second)).String()}, nil
		},
	}
}

func TestSystemLoad(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bad" {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	defer server.Close()
	p := &plane{release: "a", replicas: 1}
	s := newSystem(p)
	s.Places = make(map[string]measure.Place)
	for name, path := range map[string]string{"": "/", "bad": "/bad"} {
		target, err := load.ParseTarget(t.Context(), server.URL+path)
		if err != nil {
			t.Fatal(err)
		}
		mix, err := load.NewMix(target, []load.Request{{}}, nil, true, 1)
		if err != nil {
			t.Fatal(err)
		}
		s.Places[name] = measure.Place{Target: target, Mix: mix, Timeout: time.Second}
	}
	if err := s.Scale(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	r, err := s.Load(t.Context(), measure.Traffic{Clients: 2, Warmup: 50 * time.Millisecond, Duration: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if r.Rate < 10 || r.Errors != 0 || r.Mean <= 0 || len(r.Replica) != 2 || r.Own <= 0 || s.Memory != 7<<20 {
		t.Errorf("reading %+v, memory %d", r, s.Memory)
	}
	e := measure.Evidence{Light: measure.Run{Reading: r}}
	if times := e.ServiceTimes(); len(times) != 2000 || times[0] <= 0 || times[1999] < times[0] {
		t.Errorf("%d service times from %v", len(times), times[0])
	}
	if r, err = s.Load(t.Context(), measure.Traffic{Stage: "bad", Rate: 50, Warmup: 20 * time.Millisecond, Duration: 100 * time.Millisecond}); err != nil || r.Errors != 1 || r.Rate != 0 {
		t.Errorf("a stage that fails: %+v, %v", r, err)
	}
	if _, err = s.Load(t.Context(), measure.Traffic{Stage: "nobody", Clients: 1}); greenlight.CodeOf(err) != greenlight.CodeInvalid {
		t.Errorf("an unknown stage: %v", err)
	}
}

// besideDatabase is a service that is made up, and stages that are measured.
type besideDatabase struct {
	*fake
	stages *measure.System
}

func (b *besideDatabase) Load(ctx context.Context, t measure.Traffic) (measure.Reading, error) {
	if t.Stage == "" {
		return b.fake.Load(ctx, t)
	}
	return b.stages.Load(ctx, t)
}

func (b *besideDatabase) Room(ctx context.Context, stage string) (measure.Room, error) {
	return b.stages.Room(ctx, stage)
}

// TestDatabaseAlone measures a real PostgreSQL, by what bounds it on every
// machine: a row that is locked for 10 ms, and 10 connections.
func TestDatabaseAlone(t *testing.T) {
	url := postgrestest.Start(t)
	postgrestest.Exec(t, url, "CREATE TABLE counter AS SELECT 0 AS n; CREATE ROLE app LOGIN CONNECTION LIMIT 10; GRANT ALL ON counter TO app")
	d, err := postgres.Parse(t.Context(), strings.Replace(url, "orders@", "app@", 1))
	if err != nil {
		t.Fatal(err)
	}
	s := newSystem(&plane{release: "a", replicas: 1})
	s.Places = make(map[string]measure.Place)
	for name, text := range map[string]string{
		"lock":  "BEGIN; UPDATE counter SET n = n + 1; SELECT pg_sleep(0.01); COMMIT",
		"sleep": "SELECT pg_sleep(0.05)",
	} {
		file := filepath.Join(t.TempDir(), name+".sql")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		script, err := postgres.ReadScript(file)
		if err != nil {
			t.Fatal(err)
		}
		s.Places[name] = measure.Place{Operation: d.Operation(script, 20*time.Second), Room: d.Room, Timeout: 20 * time.Second}
	}
	o := options()
	o.Gateway, o.Stages, o.Attempts = "", []string{"lock", "sleep"}, 40
	o.Warmup, o.Duration = second/5, second/2
	e, err := measure.Measure(t.Context(), &besideDatabase{&fake{cost: 0.003}, s}, o)
	if err != nil {
		t.Fatal(err)
	}
	if lock := stage(e, "lock"); lock == nil || lock.Ceiling < 1 || lock.Ceiling > 105 || lock.Low >= lock.Ceiling || lock.High <= lock.Ceiling || lock.Driven != 1 {
		t.Errorf("a row that is locked for 10 ms: %+v", lock)
	}
	if sleep := stage(e, "sleep"); sleep == nil || sleep.Ceiling < 1 || sleep.Ceiling > 210 || !noted(e, "The stage sleep had at most 10 clients, because the connection limit of the user app is 10: with more it may carry more.") {
		t.Errorf("10 connections that sleep for 50 ms: %+v; notes %q", sleep, e.Notes)
	}
}

func TestSystemLimit(t *testing.T) {
	p := &plane{release: "a", replicas: 1}
	s := newSystem(p)
	for _, cores := range []float64{0.15, 0.15, 0.3} {
		if err := s.Limit(t.Context(), cores); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(p.applied, " "); got != "150ms 300ms" {
		t.Errorf("applied %s", got)
	}
}

func TestSystemThatDoesNotStart(t *testing.T) {
	err := newSystem(&plane{release: "a", crash: "exit status 3"}).Scale(t.Context(), 2)
	if greenlight.CodeOf(err) != greenlight.CodeUnavailable || !strings.Contains(err.Error(), "api has 0 of 2 replicas ready: exit status 3") {
		t.Errorf("Scale = %v", err)
	}
}
