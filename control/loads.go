package control

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
	StartedAt   time.Time `json:"started_at"`
	By          string    `json:"by" doc:"who handed the result in"`
	Scenario    string    `json:"scenario,omitempty" doc:"its name in the description"`
	Model       string    `json:"model" enum:"open,closed" doc:"open: requests were due at fixed times; closed: clients waited for answers"`
	Clients     int       `json:"clients,omitempty" doc:"of the closed model"`
	Planned     float64   `json:"planned" doc:"requests a second that were due; 0 in the closed model"`
	Rate        float64   `json:"rate" doc:"answers a second"`
	Requests    int64     `json:"requests"`
	Errors      float64   `json:"errors" doc:"share of the requests, 0 to 1"`
	Elapsed     float64   `json:"elapsed" doc:"seconds"`
	P50         float64   `json:"p50" doc:"of response times, seconds"`
	P99         float64   `json:"p99" doc:"seconds"`
	P999        float64   `json:"p999" doc:"seconds"`
	Void        bool      `json:"void" doc:"the generator spoiled it: these are no results"`
	VoidReason  string    `json:"void_reason,omitempty"`
	Stopped     string    `json:"stopped,omitempty" doc:"why it ended before its time"`
	Thresholds  int       `json:"thresholds" doc:"how many there were"`
	Failed      []string  `json:"failed" doc:"those that were not met"`
}

// LoadDetail is a load test with its whole result.
type LoadDetail struct {
	LoadRun
	Result json.RawMessage `json:"result" doc:"as greenlight load --output writes it"`
}

// Results are files beside the store, not in it: one has up to some MiB that
// nobody searches, they would make every backup larger, and they are evidence
// that is thrown away by age, which the store's history is not. Each has its
// summary in a file of its own, so that a list does not read them all; a
// result without a summary was not written to its end.
const (
	loadsFolder   = "loads"
	resultEnding  = ".json"
	summaryEnding = ".summary.json"
)

func (p *Plane) loadFolder(environment, service string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, _, err := p.findService(environment, service); err != nil {
		return "", err
	}
	return filepath.Join(p.options.State, loadsFolder, environment, service), nil
}

// KeepLoad keeps a result that greenlight load wrote, and forgets the oldest
// where there are too many.
func (p *Plane) KeepLoad(ctx context.Context, environment, service string, result json.RawMessage, actor string) (LoadRun, error) {
	if len(result) > MaxLoadResult {
		return LoadRun{}, greenlight.Errorf(greenlight.CodeInvalid, "the result has %d bytes, %d are the most", len(result), MaxLoadResult)
	}
	folder, err := p.loadFolder(environment, service)
	if err != nil {
		return LoadRun{}, err
	}
	r, err := load.ReadResult(bytes.NewReader(result))
	if err != nil {
		return LoadRun{}, err
	}
	run := loadRunOf(r)
	run.Environment, run.Service, run.By = environment, service, actor
	if run.ID, err = newLoadID(time.Now()); err != nil {
		return LoadRun{}, err
	}
	p.loading.Lock()
	defer p.loading.Unlock()
	if err := writeLoad(folder, &run, result); err != nil {
		return LoadRun{}, err
	}
	if _, err := p.options.Store.Record(ctx, run.event()); err != nil {
		return LoadRun{}, errors.Join(err, removeLoad(folder, run.ID))
	}
	if err := forgetLoads(folder); err != nil {
		p.options.Log.Error("removing old results of load tests", "error", err)
	}
	return run, nil
}

// newLoadID begins with the time, so that ids sort by it.
func newLoadID(now time.Time) (string, error) {
	random := make([]byte, 3)
	if _, err := rand.Read(random); err != nil {
		return "", err
	}
	at := strings.Replace(now.UTC().Format("20060102-150405.000"), ".", "", 1)
	return at + "-" + hex.EncodeToString(random), nil
}

var loadID = regexp.MustCompile(`^[0-9]{8}-[0-9]{9}-[0-9a-f]{6}$`)

func loadRunOf(r *load.Result) LoadRun {
	run := LoadRun{
		StartedAt: r.StartedAt, Scenario: clip(r.Scenario, maxLoadText), Model: "open", Clients: r.Clients, Planned: r.Planned, Rate: r.Rate,
		Requests: r.Requests, Errors: r.ErrorShare(), Elapsed: r.Elapsed, P50: r.Response.P50, P99: r.Response.P99, P999: r.Response.P999,
		Void: r.Void, VoidReason: clip(r.VoidReason, maxLoadText), Stopped: clip(r.Stopped, maxLoadText), Thresholds: len(r.Verdicts), Failed: []string{},
	}
	if r.Model == "closed" {
		run.Model = r.Model
	}
	if r.Server != nil {
		run.Release = clip(r.Server.Release, maxLoadText)
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
	said := fmt.Sprintf("load test: %.4g answers/s, p99 %s, errors %.3g %%", r.Rate, load.Seconds(r.P99), 100*r.Errors)
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

func writeLoad(folder string, run *LoadRun, result []byte) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	summary, err := json.Marshal(run)
	if err != nil {
		return err
	}
	if err := writeWhole(filepath.Join(folder, run.ID+resultEnding), result); err != nil {
		return err
	}
	return writeWhole(filepath.Join(folder, run.ID+summaryEnding), summary)
}

// writeWhole makes a file that is there whole or not at all.
func writeWhole(path string, data []byte) error {
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return errors.Join(err, os.Remove(path+".new"))
	}
	return os.Rename(path+".new", path)
}

func removeLoad(folder, id string) error {
	return errors.Join(os.Remove(filepath.Join(folder, id+summaryEnding)), os.Remove(filepath.Join(folder, id+resultEnding)))
}

// loadIDs are the results in a folder, newest first.
func loadIDs(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var ids []string
	for _, entry := range entries {
		if id, ok := strings.CutSuffix(entry.Name(), summaryEnding); ok && loadID.MatchString(id) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	slices.Reverse(ids)
	return ids, err
}

func forgetLoads(folder string) error {
	ids, err := loadIDs(folder)
	if err != nil || len(ids) <= LoadsKept {
		return err
	}
	for _, id := range ids[LoadsKept:] {
		err = errors.Join(err, removeLoad(folder, id))
	}
	return err
}

// Loads are the load tests of a service that are kept, newest first, at most
// limit; 0 is all.
func (p *Plane) Loads(_ context.Context, environment, service string, limit int) ([]LoadRun, error) {
	folder, err := p.loadFolder(environment, service)
	if err != nil {
		return nil, err
	}
	ids, err := loadIDs(folder)
	if err != nil {
		return nil, err
	}
	if limit > 0 && len(ids) > limit {
		ids = ids[:limit]
	}
	runs := make([]LoadRun, 0, len(ids))
	for _, id := range ids {
		run, err := readLoadRun(folder, id)
		if errors.Is(err, fs.ErrNotExist) {
			continue // forgotten meanwhile
		}
		if err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	return runs, nil
}

func readLoadRun(folder, id string) (LoadRun, error) {
	var run LoadRun
	data, err := os.ReadFile(filepath.Join(folder, id+summaryEnding))
	if err != nil {
		return run, err
	}
	if err := json.Unmarshal(data, &run); err != nil {
		return run, greenlight.Errorf(greenlight.CodeInternal, "the summary of load test %s cannot be read: %w", id, err)
	}
	return run, nil
}

// Load is one load test of a service.
func (p *Plane) Load(_ context.Context, environment, service, id string) (LoadDetail, error) {
	folder, err := p.loadFolder(environment, service)
	if err != nil {
		return LoadDetail{}, err
	}
	var d LoadDetail
	if err = fs.ErrNotExist; loadID.MatchString(id) {
		if d.LoadRun, err = readLoadRun(folder, id); err == nil {
			d.Result, err = os.ReadFile(filepath.Join(folder, id+resultEnding))
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return d, greenlight.Errorf(greenlight.CodeNotFound, "no load test %q of %s is kept; greenlight load list shows those that are", clip(id, 60), service)
	}
	return d, err
}
