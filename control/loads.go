package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/load"
)

// Bounds of what is kept of load tests.
const (
	LoadsKept     = 200      // results of each service, the newest
	MaxLoadResult = 16 << 20 // bytes of one, some hours
)

// LoadRun is a load test of a service in short.
type LoadRun struct {
	ID          string    `json:"id" doc:"sorts by time"`
	Environment string    `json:"environment"`
	Service     string    `json:"service"`
	Release     string    `json:"release,omitempty" doc:"that was tested"`
	Replicas    int       `json:"replicas,omitempty" doc:"that took requests, all through the test; 0 where that changed or is not known"`
	Quota       float64   `json:"quota,omitempty" doc:"cores that each of them might use; 0 without a quota, or where it is not known"`
	StartedAt   time.Time `json:"started_at"`
	By          string    `json:"by" doc:"who handed the result in"`
	Scenario    string    `json:"scenario,omitempty" doc:"its name in the description"`
	Model       string    `json:"model" enum:"open,closed" doc:"open: requests were due at fixed times; closed: clients waited for answers"`
	Clients     int       `json:"clients,omitempty" doc:"of the closed model"`
	Planned     float64   `json:"planned" doc:"requests a second that were due; 0 in the closed model"`
	Steady      bool      `json:"steady" doc:"as many were due in each second; not in a ramp, steps or a spike"`
	Rate        float64   `json:"rate" doc:"answers a second"`
	Requests    int64     `json:"requests"`
	Errors      float64   `json:"errors" doc:"share of the requests, 0 to 1"`
	Elapsed     float64   `json:"elapsed" doc:"seconds"`
	P50         float64   `json:"p50" doc:"of response times, seconds"`
	P99         float64   `json:"p99" doc:"seconds"`
	P999        float64   `json:"p999" doc:"seconds"`
	Rungs       int       `json:"rungs,omitempty" doc:"rates that were tried, where this is the best of a search for the knee"`
	Apart       bool      `json:"apart,omitempty" doc:"the traffic of the service does not count its requests"`
	Void        bool      `json:"void" doc:"the generator spoiled it: these are no results"`
	VoidReason  string    `json:"void_reason,omitempty"`
	Stopped     string    `json:"stopped,omitempty" doc:"why it ended before its time"`
	Thresholds  int       `json:"thresholds" doc:"how many there were"`
	Failed      []string  `json:"failed" doc:"those that were not met"`
	Knee        *float64  `json:"knee,omitempty" doc:"of a search: the highest rate that met the thresholds, 0 when none did"`
}

// LoadDetail is a load test with its whole result.
type LoadDetail struct {
	LoadRun
	Result json.RawMessage `json:"result" doc:"as greenlight load --output writes it"`
}

// loadsFolder has the results of load tests in the state folder.
const loadsFolder = "loads"

// KeepLoad keeps a result that greenlight load wrote, and forgets the oldest
// where there are too many.
func (p *Plane) KeepLoad(ctx context.Context, environment, service string, result json.RawMessage, actor string) (LoadRun, error) {
	if len(result) > MaxLoadResult {
		return LoadRun{}, greenlight.Errorf(greenlight.CodeInvalid, "the result has %d bytes, %d are the most", len(result), MaxLoadResult)
	}
	folder, err := p.keptFolder(loadsFolder, environment, service)
	if err != nil {
		return LoadRun{}, err
	}
	r, err := load.ReadResult(bytes.NewReader(result))
	if err != nil {
		return LoadRun{}, err
	}
	run := loadRunOf(r)
	run.Environment, run.Service, run.By = environment, service, actor
	if run.ID, err = newKeptID(time.Now()); err != nil {
		return LoadRun{}, err
	}
	if err := p.keepFile(ctx, folder, run.ID, &run, result, run.event(), LoadsKept); err != nil {
		return LoadRun{}, err
	}
	return run, nil
}

// keptApart notes that the requests of a test whose result is kept are in no
// hour of the traffic.
func (p *Plane) keptApart(environment, service, id string) error {
	folder, err := p.keptFolder(loadsFolder, environment, service)
	if err != nil {
		return err
	}
	p.keeping.Lock()
	defer p.keeping.Unlock()
	path := filepath.Join(folder, id+summaryEnding)
	var run LoadRun
	switch err := readJSON(path, &run); {
	case errors.Is(err, fs.ErrNotExist):
		return nil // forgotten already
	case err != nil:
		return err
	}
	run.Apart = true
	return writeJSON(path, &run)
}

func loadRunOf(r *load.Result) LoadRun {
	run := LoadRun{
		StartedAt: r.StartedAt, Scenario: clip(r.Scenario, maxLoadText), Model: "open", Clients: r.Clients, Planned: r.Planned, Rate: r.Rate,
		Requests: r.Requests, Errors: r.ErrorShare(), Elapsed: r.Elapsed, P50: r.Response.P50, P99: r.Response.P99, P999: r.Response.P999,
		Void: r.Void, VoidReason: clip(r.VoidReason, maxLoadText), Stopped: clip(r.Stopped, maxLoadText), Thresholds: len(r.Verdicts), Failed: []string{},
	}
	if r.Model == "closed" {
		run.Model = r.Model
	}
	if r.Knee != nil {
		run.Knee = &r.Knee.Rate
	}
	if r.Server != nil {
		run.Release, run.Quota = clip(r.Server.Release, maxLoadText), r.Server.Quota
	}
	run.Replicas, run.Steady = replicasOf(r), r.Steady
	if r.Knee != nil {
		run.Rungs = len(r.Knee.Rungs)
	}
	for _, v := range r.Verdicts {
		if !v.OK && len(run.Failed) < maxLoadFailed {
			run.Failed = append(run.Failed, clip(v.Threshold, maxLoadText))
		}
	}
	return run
}

// Bounds of a summary, whose texts are a client's.
const (
	maxLoadText   = 300
	maxLoadFailed = 50
)

func (r *LoadRun) event() greenlight.Event {
	said := fmt.Sprintf("load test: %s answered, p99 %s, errors %.3g %%", load.PerSecond(r.Rate), load.Seconds(r.P99), 100*r.Errors)
	switch {
	case r.Void:
		said = "load test, void: " + r.VoidReason
	case len(r.Failed) > 0:
		said += "; not met: " + strings.Join(r.Failed, ", ")
	case r.Thresholds > 0:
		said += "; all thresholds met"
	}
	evidence := map[string]any{
		"rate": r.Rate, "planned": r.Planned, "requests": r.Requests, "errors": r.Errors, "p50": r.P50, "p99": r.P99, "p999": r.P999,
		"elapsed": r.Elapsed, "void": r.Void, "failed": r.Failed, "release": r.Release,
	}
	if r.Scenario != "" {
		evidence["scenario"] = r.Scenario
	}
	return greenlight.Event{Actor: r.By, Kind: "load.finished", Environment: r.Environment, Service: r.Service, Subject: r.ID,
		Message: clip(said, maxMessage), Evidence: evidence}
}

// Loads are the load tests of a service that are kept, newest first, at most
// limit; 0 is all.
func (p *Plane) Loads(_ context.Context, environment, service string, limit int) ([]LoadRun, error) {
	folder, err := p.keptFolder(loadsFolder, environment, service)
	if err != nil {
		return nil, err
	}
	return listKept[LoadRun](folder, limit)
}

// Load is one load test of a service.
func (p *Plane) Load(_ context.Context, environment, service, id string) (LoadDetail, error) {
	folder, err := p.keptFolder(loadsFolder, environment, service)
	if err != nil {
		return LoadDetail{}, err
	}
	var d LoadDetail
	d.Result, err = readKept(folder, id, &d.LoadRun)
	if errors.Is(err, fs.ErrNotExist) {
		return d, greenlight.Errorf(greenlight.CodeNotFound, "no load test %q of %s is kept; greenlight load list shows those that are", clip(id, 60), service)
	}
	return d, err
}
