package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	capacityplan "github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/observe"
	"github.com/greenlight-dev/greenlight/plan"
	"github.com/greenlight-dev/greenlight/store"
	"github.com/greenlight-dev/greenlight/store/sqlite"
)

// plane is a control plane whose services move as real ones do. It runs
// nothing, and keeps what it was asked to do.
type plane struct {
	mu         sync.Mutex
	status     control.Status
	plans      map[string]control.Plan
	loads      []control.LoadDetail     // newest first
	capacity   []control.CapacityDetail // newest first
	production capacityplan.Production  // since the plans were made
	producedBy time.Time
	live       []control.LiveLoad // oldest first
	lines      []control.LogLine
	answer     control.TryResponse
	failing    map[string]error // by the name of the call
	calls      []string
	changed    chan struct{}
	started    time.Time

	loadsChanged chan struct{}
}

func (p *plane) called(format string, args ...any) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	call := fmt.Sprintf(format, args...)
	p.calls = append(p.calls, call)
	name, _, _ := strings.Cut(call, " ")
	return p.failing[name]
}

// asked tells whether a call was made.
func (p *plane) asked(call string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.calls, call)
}

// change makes the status another one.
func (p *plane) change(f func(s *control.Status)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.status)
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}

func (p *plane) Changed() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changed == nil {
		p.changed = make(chan struct{})
	}
	return p.changed
}

func (p *plane) Status(context.Context) (control.Status, error) {
	if err := p.called("Status"); err != nil {
		return control.Status{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.status
	s.Environments = slices.Clone(s.Environments)
	now := time.Now()
	for i := range s.Environments {
		e := &s.Environments[i]
		e.Services = slices.Clone(e.Services)
		for j := range e.Services {
			e.Services[j] = moved(e.Name, e.Services[j], now)
		}
	}
	return s, nil
}

// moved gives a service the figures of a moment.
func moved(environment string, s control.Service, at time.Time) control.Service {
	base := s.Traffic
	s.Traffic = sampleAt(environment, s.Name, base, at)
	s.Replicas = slices.Clone(s.Replicas)
	for i := range s.Replicas {
		r := &s.Replicas[i]
		if r.State != greenlight.ReplicaReady {
			continue
		}
		r.InFlight = int64(math.Round(s.Traffic.InFlight / float64(len(s.Replicas))))
		r.CPU = s.Traffic.CPU / float64(len(s.Replicas))
		r.Memory = s.Traffic.Memory / int64(len(s.Replicas))
	}
	return s
}

// sampleAt is what a service did in a second: its base figures with a slow
// wave and some noise, the same at every call.
func sampleAt(environment, service string, base observe.Sample, at time.Time) observe.Sample {
	second := at.Unix()
	seed := float64(len(environment)*31 + len(service)*17 + int(service[len(service)-1]))
	noise := math.Mod(math.Abs(math.Sin(float64(second)*12.9898+seed)*43758.5453), 1)
	wave := 1 + 0.18*math.Sin(float64(second)/140+seed) + 0.16*(noise-0.5)
	s := base
	s.At = time.Unix(second, 0).UTC()
	s.Rate *= wave
	s.P50 *= 0.94 + 0.12*noise
	s.P99 *= 0.85 + 0.4*noise
	s.InFlight = s.Rate * base.P50 * 3
	s.CPU *= wave
	if noise < 0.6 {
		s.Errors = 0
	}
	return s
}

func (p *plane) find(environment, service string) (control.Service, error) {
	for _, e := range p.status.Environments {
		for _, s := range e.Services {
			if e.Name == environment && s.Name == service {
				return s, nil
			}
		}
	}
	return control.Service{}, greenlight.Errorf(greenlight.CodeNotFound, "environment %q has no service %q", environment, service)
}

func (p *plane) Samples() map[string]observe.Sample {
	p.mu.Lock()
	defer p.mu.Unlock()
	samples := map[string]observe.Sample{}
	for _, e := range p.status.Environments {
		for _, s := range e.Services {
			samples[e.Name+"/"+s.Name] = sampleAt(e.Name, s.Name, s.Traffic, time.Now())
		}
	}
	return samples
}

func (p *plane) Series(_ context.Context, environment, service string, since time.Duration, points int) (observe.Series, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, err := p.find(environment, service)
	if err != nil {
		return observe.Series{}, err
	}
	series := observe.Series{Environment: environment, Service: service, Step: since / time.Duration(points)}
	for i := range points {
		at := time.Now().Add(-since + time.Duration(i+1)*series.Step)
		if at.Before(p.started) {
			continue
		}
		series.Samples = append(series.Samples, sampleAt(environment, service, s.Traffic, at))
	}
	return series, nil
}

func (p *plane) Traffic(context.Context, string, string, control.TrafficQuery) ([]control.TrafficPeriod, error) {
	return []control.TrafficPeriod{}, p.called("Traffic")
}

const penguinsMetadata = `{"name":"penguins","inputs":[{"name":"bill_length_mm","datatype":"FP32","shape":[-1,1]},` +
	`{"name":"bill_depth_mm","datatype":"FP32","shape":[-1,1]},{"name":"flipper_length_mm","datatype":"FP32","shape":[-1,1]},` +
	`{"name":"body_mass_g","datatype":"FP32","shape":[-1,1]},{"name":"island","datatype":"BYTES","shape":[-1,1]},{"name":"sex","datatype":"BYTES","shape":[-1,1]}],"outputs":[]}`

const penguinsSample = `{"rows":[{"bill_length_mm":43.2,"bill_depth_mm":16.6,"flipper_length_mm":187,"body_mass_g":2900,"island":"Dream","sex":"female"}]}`

func (p *plane) Service(_ context.Context, environment, service string) (control.ServiceDetail, error) {
	if err := p.called("Service"); err != nil {
		return control.ServiceDetail{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s, err := p.find(environment, service)
	if err != nil {
		return control.ServiceDetail{}, err
	}
	d := control.ServiceDetail{Service: moved(environment, s, time.Now()), Environment: environment}
	d.Description = json.RawMessage(fmt.Sprintf(`{"kind":%q,"replicas":{"min":%d,"max":%d},"ready":{"path":"/healthz","interval":"1s"},"stop_grace":"20s"}`, s.Kind, s.Scaling.Min, s.Scaling.Max))
	d.Releases = []control.ReleaseInfo{
		{Digest: s.Release, CreatedAt: time.Now().Add(-40 * time.Minute), CreatedBy: "user:ada", Current: true},
		{Digest: "0c44e1f87a21", CreatedAt: time.Now().Add(-50 * time.Hour), CreatedBy: "user:grace"},
	}
	if s.Kind == "model" && s.Ready > 0 {
		d.Models = []control.ModelInfo{{Name: s.Name, Path: "/predict", Metadata: json.RawMessage(penguinsMetadata), Sample: json.RawMessage(penguinsSample)}}
	}
	return d, nil
}

func (p *plane) Plan(_ context.Context, environment string) (control.Plan, error) {
	err := p.called("Plan")
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.plans[environment], err
}

func (p *plane) KeepLoad(context.Context, string, string, json.RawMessage, string) (control.LoadRun, error) {
	return control.LoadRun{}, p.called("KeepLoad")
}

// Loads are the tests of a service, newest first.
func (p *plane) Loads(_ context.Context, environment, service string, limit int) ([]control.LoadRun, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var runs []control.LoadRun
	for _, d := range p.loads {
		if d.Environment == environment && d.Service == service && (limit == 0 || len(runs) < limit) {
			runs = append(runs, d.LoadRun)
		}
	}
	return runs, nil
}

func (p *plane) Load(_ context.Context, environment, service, id string) (control.LoadDetail, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range p.loads {
		if d.Environment == environment && d.Service == service && d.ID == id {
			return d, nil
		}
	}
	return control.LoadDetail{}, greenlight.Errorf(greenlight.CodeNotFound, "no load test %q", id)
}

// Logs gives the lines, and with Follow one more each half a second.
func (p *plane) Logs(ctx context.Context, environment, service string, q control.LogQuery, emit func(control.LogLine) error) error {
	p.mu.Lock()
	lines := slices.Clone(p.lines)
	s, err := p.find(environment, service)
	p.mu.Unlock()
	if err != nil {
		return err
	}
	if len(s.Replicas) == 0 {
		if q.Follow {
			<-ctx.Done()
		}
		return nil
	}
	for i := 0; ; i++ {
		line := control.LogLine{Replica: s.Replicas[i%len(s.Replicas)].ID, Text: fmt.Sprintf(`level=info msg=answered method=POST path=/predict status=200 ms=%.2f n=%d`, 0.6+float64(i%7)/10, i)}
		if i < len(lines) {
			line.Text = lines[i].Text
		}
		if q.Replica == "" || q.Replica == line.Replica {
			if err := emit(line); err != nil {
				return err
			}
		}
		if i < 40 {
			continue
		}
		if !q.Follow {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(250 * time.Millisecond):
		}
	}
}

func (p *plane) Try(_ context.Context, _, _ string, r control.TryRequest) (control.TryResponse, error) {
	err := p.called("Try %s %s %s", r.Method, r.Path, strings.Join(strings.Fields(r.Body), ""))
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answer, err
}

func (p *plane) Scale(_ context.Context, environment, service string, to control.ScaleTo, _ string) (control.Service, error) {
	text := "back"
	if to.Replicas != nil {
		text = fmt.Sprint(*to.Replicas)
	}
	if err := p.called("Scale %s/%s %s", environment, service, text); err != nil {
		return control.Service{}, err
	}
	p.change(func(s *control.Status) {
		for i := range s.Environments {
			for j := range s.Environments[i].Services {
				if found := &s.Environments[i].Services[j]; found.Name == service && s.Environments[i].Name == environment && to.Replicas != nil {
					found.Desired, found.Scaling.Manual = *to.Replicas, true
				}
			}
		}
	})
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.find(environment, service)
}

func (p *plane) Restart(_ context.Context, environment, service, replica, _ string) error {
	return p.called("Restart %s/%s/%s", environment, service, replica)
}

func (p *plane) Apply(context.Context, string, control.Description, string) (control.Applied, error) {
	return control.Applied{}, p.called("Apply")
}

func (p *plane) Preview(context.Context, string, control.Description) (control.Plan, error) {
	return control.Plan{}, p.called("Preview")
}

func (p *plane) Backup(context.Context, io.Writer) error          { return p.called("Backup") }
func (p *plane) Restore(context.Context, io.Reader, string) error { return p.called("Restore") }
func (p *plane) Down(context.Context, string) error               { return p.called("Down") }

// The systems that the tests look at.

func newPlane(environments ...control.Environment) *plane {
	started := time.Now().Add(-3 * time.Hour)
	return &plane{
		started: started, plans: map[string]control.Plan{}, failing: map[string]error{},
		status: control.Status{
			Control:      control.Process{PID: 4101, Address: "127.0.0.1:7070", Version: "v0.4.0", StartedAt: started},
			Gateway:      control.Process{PID: 4107, Address: "127.0.0.1:8080", Version: "v0.4.0", StartedAt: started},
			Environments: environments,
		},
		answer: control.TryResponse{Status: 200, Seconds: 0.00092, Headers: map[string]string{"Content-Type": "application/json"},
			Body: `{"model":"penguins","predictions":[{"label":"Adelie","probabilities":{"Adelie":0.9713,"Chinstrap":0.02841,"Gentoo":0.00029},"id":9007199254740993}]}`},
	}
}

func environmentOf(name string, health control.Health, note string, services ...control.Service) control.Environment {
	return control.Environment{
		Name: name, System: "shop", Backend: "process", Owner: "studio-tools", Drift: "heal", Revision: 7,
		AppliedAt: time.Now().Add(-40 * time.Minute), AppliedBy: "user:ada", Source: "/srv/shop/greenlight.yaml",
		Health: health, Note: note, Services: services,
	}
}

// serviceOf makes a service of ready replicas.
func serviceOf(name, kind, release string, replicas int, rate, errors, p50, p99 float64) control.Service {
	s := control.Service{
		Name: name, Kind: kind, Release: release, Ready: replicas, Desired: replicas, Health: control.Good,
		Scaling: control.Scaling{Min: replicas, Max: replicas}, URLs: []string{"http://127.0.0.1:8080/" + name},
		Traffic: observe.Sample{Rate: rate, Errors: errors, P50: p50, P99: p99, CPU: rate / 4000, Memory: 21_400_000 * int64(max(1, replicas))},
	}
	for i := range replicas {
		s.Replicas = append(s.Replicas, control.Replica{
			ID: fmt.Sprintf("%s-%.7s-%d", name, release, i+1), PID: 4200 + i, Address: fmt.Sprintf("127.0.0.1:%d", 40101+i),
			State: greenlight.ReplicaReady, Release: release, Since: time.Now().Add(-38 * time.Minute),
		})
	}
	return s
}

// shop is a system with three environments and a replica that crashes.
func shop() *plane {
	predictor := serviceOf("predictor", "model", "4b7d9aa01c55e2d1", 4, 1842, 0.0002, 0.00091, 0.0040)
	predictor.Scaling = control.Scaling{Min: 2, Max: 8, Target: "concurrency 16", Reason: "concurrency 19.2 over the target of 16 for 2 min", At: time.Now().Add(-12 * time.Minute)}
	predictor.Replicas[3].State, predictor.Replicas[3].Since = greenlight.ReplicaStarting, time.Now().Add(-time.Second)
	predictor.Ready, predictor.Health = 3, control.Changing
	web := serviceOf("web", "run", "9f31c02b7710aa04", 2, 311, 0, 0.006, 0.038)
	assets := serviceOf("assets", "run", "9f31c02b7710aa04", 2, 57, 0.0141, 0.021, 0.64)
	assets.Health, assets.Ready = control.Degraded, 1
	assets.Note = "1 of 2 replicas crashes: exit code 1 after 0.4 s, next start in 16 s"
	assets.Replicas[1].State, assets.Replicas[1].Restarts, assets.Replicas[1].Reason = greenlight.ReplicaCrashing, 5, "exit code 1 after 0.4 s: cannot open /srv/assets/index.db: no such file or directory"
	assets.Replicas[1].PID = 0
	sleeping := serviceOf("reports", "model", "77aa01c9e2d40b13", 0, 0, 0, 0, 0)
	sleeping.Health, sleeping.Scaling = control.Asleep, control.Scaling{Min: 0, Max: 2, Target: "concurrency 4", Reason: "no request for 10 min"}

	quiet := func(scale float64) []control.Service {
		return []control.Service{
			serviceOf("predictor", "model", "9f31c02b7710aa04", 1, 420*scale, 0, 0.0009, 0.0038),
			serviceOf("web", "run", "9f31c02b7710aa04", 1, 20*scale, 0, 0.006, 0.031),
			serviceOf("assets", "run", "9f31c02b7710aa04", 1, 4*scale, 0, 0.02, 0.12),
			serviceOf("reports", "model", "77aa01c9e2d40b13", 1, 0.4*scale, 0, 0.12, 0.3),
		}
	}
	p := newPlane(
		environmentOf("dev", control.Good, "4 services, all as described", quiet(0.03)...),
		environmentOf("production", control.Degraded, "assets serves with 1 of 2 replicas; predictor starts its fourth", predictor, web, assets, sleeping),
		environmentOf("staging", control.Good, "4 services, all as described", quiet(1)...),
	)
	p.plans["production"] = control.Plan{
		Environment: "production",
		Steps: []plan.Step{
			{Kind: plan.StartReplica, Service: "predictor", Replica: "predictor-4b7d9aa-4", Release: "4b7d9aa01c55e2d1", Reason: "3 of 4 replicas are ready"},
			{Kind: plan.Route, Service: "predictor", Targets: []string{"predictor-4b7d9aa-1", "predictor-4b7d9aa-2", "predictor-4b7d9aa-3", "predictor-4b7d9aa-4"}, Reason: "the new replica takes requests"},
			{Kind: plan.RestartReplica, Service: "assets", Replica: "assets-9f31c02-2", Reason: "it crashes; next start in 16 s"},
			{Kind: plan.StopReplica, Service: "web", Replica: "web-0c44e1f-2", Reason: "of a release that is not wanted any more"},
		},
		Differences: []string{"services.web.replicas: 2 → 3", "services.assets.env.CACHE: 64 → 256"},
		Drift:       []string{"web-9f31c02-1: server.py differs from release 9f31c02"},
	}
	return p
}

// single is the smallest system: one service.
func single() *plane {
	return newPlane(environmentOf("dev", control.Good, "1 service, as described", serviceOf("penguins", "model", "6638977270f0d053", 2, 24, 0, 0.0006, 0.0021)))
}

// crowd is one environment of n services.
func crowd(n int) *plane {
	services := make([]control.Service, n)
	for i := range services {
		services[i] = serviceOf(fmt.Sprintf("service-%03d", i), []string{"model", "run"}[i%2], "9f31c02b7710aa04", 1+i%4, float64(5+i*7%900), 0, 0.001+float64(i%9)/1000, 0.01+float64(i%40)/1000)
	}
	return newPlane(environmentOf("dev", control.Good, fmt.Sprintf("%d services, all as described", n), services...))
}

// history is a store with events of a day.
func history(t testing.TB) store.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), t.TempDir()+"/test.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	record(t, s,
		greenlight.Event{Time: ago(26 * time.Hour), Actor: "user:grace", Kind: "description.applied", Environment: "production", Message: "revision 6 is in force"},
		greenlight.Event{Time: ago(3 * time.Hour), Actor: "gateway", Kind: "gateway.started", Message: "the gateway listens on 127.0.0.1:8080"},
		greenlight.Event{Time: ago(40 * time.Minute), Actor: "user:ada", Kind: "description.applied", Environment: "production", Message: "revision 7 is in force: predictor has a new model", Evidence: map[string]any{"services.predictor.model": "model.onnx, 4b7d9aa → 9f31c02"}},
		greenlight.Event{Time: ago(39 * time.Minute), Actor: "reconciler", Kind: "replica.ready", Environment: "production", Service: "predictor", Subject: "predictor-4b7d9aa-1", Message: "ready after 16 ms"},
		greenlight.Event{Time: ago(12 * time.Minute), Actor: "scaler", Kind: "scaled", Environment: "production", Service: "predictor", Message: "3 → 4 replicas", Evidence: map[string]any{"concurrency": 19.2, "target": 16.0, "for": "2 min", "window": []int{18, 19, 21}}},
		greenlight.Event{Time: ago(4 * time.Minute), Actor: "reconciler", Kind: "replica.crashed", Environment: "production", Service: "assets", Subject: "assets-9f31c02-2", Message: "exit code 1 after 0.4 s, the fifth time in 5 minutes", Evidence: map[string]any{"last_line": "cannot open /srv/assets/index.db: no such file or directory", "restarts": 5.0}},
		greenlight.Event{Time: ago(2 * time.Minute), Actor: "drift", Kind: "drift.found", Environment: "production", Service: "web", Subject: "web-9f31c02-1", Message: "server.py differs from its release; it will be put back", Evidence: map[string]any{"want": "sha256:9f31c02b7710", "have": "sha256:11d0aa3e9c02"}},
		greenlight.Event{Time: ago(time.Minute), Actor: "reconciler", Kind: "replica.started", Environment: "production", Service: "predictor", Subject: "predictor-4b7d9aa-4", Message: "its fourth replica starts"},
	)
	return s
}

func record(t testing.TB, s store.Store, events ...greenlight.Event) {
	t.Helper()
	if _, err := s.Record(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
}

// refuse makes a call fail from now on.
func (p *plane) refuse(call string, code greenlight.Code, message string) {
	p.refuseWith(call, greenlight.Errorf(code, "%s", message))
}

func (p *plane) refuseWith(call string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failing[call] = err
}

// setPlan makes an environment's plan another one, and says that something
// has changed.
func (p *plane) setPlan(environment string, plan control.Plan) {
	p.mu.Lock()
	p.plans[environment] = plan
	p.mu.Unlock()
	p.change(func(s *control.Status) { s.Environments[0].Revision++ })
}
