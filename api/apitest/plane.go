// Package apitest has a control plane for tests of the API and of those who
// use it: it answers with fixed values and records what it was asked.
package apitest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/observe"
	"github.com/greenlight-dev/greenlight/plan"
)

// Plane is an api.Plane that runs nothing. The zero value is ready.
type Plane struct {
	// Before is called with each call as it is recorded; its error is the
	// answer. Nil does nothing.
	Before func(call string) error
	// Lines are what Logs gives; with Follow it then waits until ctx ends.
	Lines []control.LogLine
	// File is what Backup writes; Restored what Restore read.
	File string
	// Note is the note of the environment dev.
	Note string
	// Fail is how Logs and Backup end after what they gave.
	Fail error

	mu       sync.Mutex
	calls    []string
	changed  chan struct{}
	revision int64
	restored []byte
}

// Calls are the calls so far, each with its arguments.
func (p *Plane) Calls() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// Restored is what Restore read last.
func (p *Plane) Restored() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.restored)
}

// Revision is how many changes there were.
func (p *Plane) Revision() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.revision
}

// Change makes the status another one; its revision counts the changes.
func (p *Plane) Change() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.revision++
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}

// Changed closes at the next Change.
func (p *Plane) Changed() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changed == nil {
		p.changed = make(chan struct{})
	}
	return p.changed
}

func (p *Plane) called(format string, args ...any) error {
	call := fmt.Sprintf(format, args...)
	p.mu.Lock()
	p.calls = append(p.calls, call)
	p.mu.Unlock()
	if p.Before != nil {
		return p.Before(call)
	}
	return nil
}

// At is the time of everything.
var At = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func sample() observe.Sample {
	return observe.Sample{At: At, Rate: 12.5, Errors: 0.25, P50: 0.001, P99: 0.5, InFlight: 3, CPU: 0.75, Memory: 1 << 20}
}

func service(name string) control.Service {
	return control.Service{
		Name: name, Kind: "model", Release: "4b7d9aa01c55", Ready: 1, Desired: 2, Health: control.Degraded,
		Note: "1 of 2 replicas is ready", Scaling: control.Scaling{Min: 1, Max: 4, Target: "concurrency 16"},
		URLs: []string{"http://127.0.0.1:8080/" + name},
		Replicas: []control.Replica{{
			ID: name + "-4b7d9aa-1", PID: 4711, Address: "127.0.0.1:40001", State: greenlight.ReplicaReady,
			Release: "4b7d9aa01c55", Since: At,
		}},
		Traffic: sample(),
	}
}

// Status has the environment dev with the service iris.
func (p *Plane) Status(context.Context) (control.Status, error) {
	if err := p.called("Status"); err != nil {
		return control.Status{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return control.Status{
		Control: control.Process{PID: 42, Address: "127.0.0.1:7070", Version: "v1", StartedAt: At},
		Gateway: control.Process{PID: 43, Address: "127.0.0.1:8080"},
		Environments: []control.Environment{{
			Name: "dev", System: "shop", Backend: "process", Drift: "heal", Revision: p.revision, AppliedAt: At, AppliedBy: "user:ada",
			Source: "/shop/greenlight.yaml", Health: control.Degraded, Note: p.Note, Services: []control.Service{service("iris")},
		}},
	}, nil
}

// Samples has the service dev/iris.
func (p *Plane) Samples() map[string]observe.Sample {
	return map[string]observe.Sample{"dev/iris": sample()}
}

func changes(environment string) control.Plan {
	return control.Plan{
		Environment: environment,
		Steps:       []plan.Step{{Kind: plan.StartReplica, Service: "iris", Replica: "iris-4b7d9aa-2", Reason: "2 are wanted"}},
		Differences: []string{"services.iris.replicas: 1 → 2"}, Drift: []string{},
	}
}

// Apply is revision 7.
func (p *Plane) Apply(_ context.Context, environment string, d control.Description, actor string) (control.Applied, error) {
	err := p.called("Apply %s %v by %s", environment, d, actor)
	return control.Applied{Environment: environment, Revision: 7, Changed: true, Plan: changes(environment)}, err
}

// Preview has one step and one difference.
func (p *Plane) Preview(_ context.Context, environment string, d control.Description) (control.Plan, error) {
	return changes(environment), p.called("Preview %s %v", environment, d)
}

// Plan has one step and one difference.
func (p *Plane) Plan(_ context.Context, environment string) (control.Plan, error) {
	return changes(environment), p.called("Plan %s", environment)
}

// Service has one release and one model.
func (p *Plane) Service(_ context.Context, environment, name string) (control.ServiceDetail, error) {
	return control.ServiceDetail{
		Service: service(name), Environment: environment, Description: json.RawMessage(`{"model":"model.onnx"}`),
		Releases: []control.ReleaseInfo{{Digest: "4b7d9aa01c55", CreatedAt: At, CreatedBy: "user:ada", Current: true}},
		Models:   []control.ModelInfo{{Name: "iris", Path: "/predict", Sample: json.RawMessage(`[[1,2]]`)}},
	}, p.called("Service %s %s", environment, name)
}

// Series has one sample.
func (p *Plane) Series(_ context.Context, environment, name string, since time.Duration, points int) (observe.Series, error) {
	err := p.called("Series %s %s %s %d", environment, name, since, points)
	return observe.Series{Environment: environment, Service: name, Step: time.Second, Samples: []observe.Sample{sample()}}, err
}

// Logs gives Lines.
func (p *Plane) Logs(ctx context.Context, environment, name string, q control.LogQuery, emit func(control.LogLine) error) error {
	if err := p.called("Logs %s %s %+v", environment, name, q); err != nil {
		return err
	}
	for _, l := range p.Lines {
		if err := emit(l); err != nil {
			return err
		}
	}
	if q.Follow && p.Fail == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	return p.Fail
}

// Scale answers with the service.
func (p *Plane) Scale(_ context.Context, environment, name string, to control.ScaleTo, actor string) (control.Service, error) {
	replicas := "as described"
	if to.Replicas != nil {
		replicas = fmt.Sprint(*to.Replicas)
	}
	return service(name), p.called("Scale %s %s to %s by %s", environment, name, replicas, actor)
}

// Restart restarts nothing.
func (p *Plane) Restart(_ context.Context, environment, name, replica, actor string) error {
	return p.called("Restart %s %s %q by %s", environment, name, replica, actor)
}

// Try answers 200.
func (p *Plane) Try(_ context.Context, environment, name string, r control.TryRequest) (control.TryResponse, error) {
	err := p.called("Try %s %s %s %s %d", environment, name, r.Method, r.Path, len(r.Body))
	return control.TryResponse{Status: 200, Headers: map[string]string{"Content-Type": "text/plain"}, Body: "ok", Seconds: 0.25}, err
}

// KeptLoad is the load test that is kept.
var KeptLoad = control.LoadRun{ID: "20260102-030405000-4b7d9a", Environment: "dev", Service: "iris", StartedAt: At, By: "user:ada", Model: "open",
	Planned: 200, Rate: 199.5, Requests: 2000, Elapsed: 10, P50: 0.001, P99: 0.005, P999: 0.02, Thresholds: 1, Failed: []string{}}

// KeepLoad keeps nothing.
func (p *Plane) KeepLoad(_ context.Context, environment, name string, result json.RawMessage, actor string) (control.LoadRun, error) {
	return KeptLoad, p.called("KeepLoad %s %s %s by %s", environment, name, result, actor)
}

// Loads has one test.
func (p *Plane) Loads(_ context.Context, environment, name string, limit int) ([]control.LoadRun, error) {
	return []control.LoadRun{KeptLoad}, p.called("Loads %s %s %d", environment, name, limit)
}

// Load has an empty result.
func (p *Plane) Load(_ context.Context, environment, name, id string) (control.LoadDetail, error) {
	return control.LoadDetail{LoadRun: KeptLoad, Result: json.RawMessage(`{"format":"greenlight-load/1"}`)}, p.called("Load %s %s %s", environment, name, id)
}

// LiveLoad is the load test that runs.
var LiveLoad = control.LiveLoad{ID: "20260102-030400000-9a4b7d", Environment: "dev", Service: "iris", StartedAt: At, By: "user:ada", State: control.LoadRunning,
	LoadReport: control.LoadReport{Model: "open", Elapsed: 12, Total: 30, Requests: 2400, Rate: 199.5, P50: 0.001, P99: 0.005,
		Thresholds: []control.LoadThreshold{{Threshold: "p99<20ms", Value: 0.005, OK: true}},
		Last:       control.LoadSecond{At: 12, Planned: 200, Rate: 201, P50: 0.001, P99: 0.004}}}

// ReportLoad has every test stop.
func (p *Plane) ReportLoad(_ context.Context, environment, name, id string, r control.LoadReport, actor string) (control.LoadOrder, error) {
	return control.LoadOrder{Stop: "user:grace"}, p.called("ReportLoad %s %s %s %s %v by %s", environment, name, id, r.Model, r.Last.Rate, actor)
}

// LiveLoads has one test.
func (p *Plane) LiveLoads(_ context.Context, environment, name string) ([]control.LiveLoad, error) {
	return []control.LiveLoad{LiveLoad}, p.called("LiveLoads %s %s", environment, name)
}

// StopLoad stops nothing.
func (p *Plane) StopLoad(_ context.Context, environment, name, id, actor string) (control.LiveLoad, error) {
	return LiveLoad, p.called("StopLoad %s %s %s by %s", environment, name, id, actor)
}

// RunningLoads has one test; its requests are how many changes there were.
func (p *Plane) RunningLoads() []control.LiveLoad {
	one := LiveLoad
	one.Requests = p.Revision()
	return []control.LiveLoad{one}
}

// LoadsChanged closes at the next Change.
func (p *Plane) LoadsChanged() <-chan struct{} { return p.Changed() }

// Backup writes File.
func (p *Plane) Backup(_ context.Context, w io.Writer) error {
	if err := p.called("Backup"); err != nil {
		return err
	}
	if _, err := io.WriteString(w, p.File); err != nil {
		return err
	}
	return p.Fail
}

// Restore reads a file to its end.
func (p *Plane) Restore(_ context.Context, r io.Reader, actor string) error {
	if err := p.called("Restore by %s", actor); err != nil {
		return err
	}
	text, err := io.ReadAll(r)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.restored = text
	return err
}

// Down stops nothing.
func (p *Plane) Down(_ context.Context, actor string) error { return p.called("Down by %s", actor) }
