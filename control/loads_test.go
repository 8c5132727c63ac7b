package control_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/load"
)

// loadResult is a result whose histograms are those of a real, short test.
type loadResult struct{ load.Result }

func newLoadResult(t testing.TB) *loadResult {
	t.Helper()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	target, err := load.ParseTarget(t.Context(), server.URL)
	must(t, err)
	mix, err := load.NewMix(target, []load.Request{{}}, nil, true, 1)
	must(t, err)
	r, err := load.Run(t.Context(), load.Options{Target: target, Mix: mix, Clients: 1, Duration: 50 * time.Millisecond, Timeout: time.Second})
	must(t, err)
	return &loadResult{load.Result{
		Format: load.ResultFormat, Model: "open", Requests: 1000, Errors: 5, Planned: 200, Elapsed: 5, Scenario: "steady",
		Response: load.Summary{P50: 0.001, P99: 0.05, P999: 0.08}, Times: r.Times,
		Verdicts: []load.Verdict{{Threshold: "p99<20ms", Value: 0.05}, {Threshold: "errors<1%", Value: 0.005, OK: true}},
		Server:   &load.Server{Environment: "dev", Service: "api", Release: "4b7d9aa01c55", Quota: 0.2},
	}}
}

func (r *loadResult) at(t testing.TB, rate float64) json.RawMessage {
	t.Helper()
	r.Rate = rate
	text, err := json.Marshal(r.Result)
	must(t, err)
	return text
}

func TestLoadTestsAreKept(t *testing.T) {
	result := newLoadResult(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.apply("name: shop\nservices: {api: {run: ./api}}" + mem1)
		if runs, err := w.Loads(t.Context(), "dev", "api", 0); err != nil || runs == nil || len(runs) != 0 {
			t.Errorf("before any: %v, %v", runs, err)
		}
		var last control.LoadRun
		for i := range control.LoadsKept + 3 {
			var err error
			last, err = w.KeepLoad(t.Context(), "dev", "api", result.at(t, float64(i)), "user:ada")
			must(t, err)
			time.Sleep(10 * time.Millisecond)
		}
		runs, err := w.Loads(t.Context(), "dev", "api", 0)
		must(t, err)
		if len(runs) != control.LoadsKept || runs[0].Rate != control.LoadsKept+2 || runs[len(runs)-1].Rate != 3 {
			t.Fatalf("%d are kept, of rates %v to %v", len(runs), runs[0].Rate, runs[len(runs)-1].Rate)
		}
		if few, err := w.Loads(t.Context(), "dev", "api", 2); err != nil || len(few) != 2 || few[0].ID != last.ID {
			t.Errorf("two of them: %+v, %v", few, err)
		}
		files, err := os.ReadDir(filepath.Join(w.state, "loads", "dev", "api"))
		must(t, err)
		if len(files) != 2*control.LoadsKept {
			t.Errorf("%d files for %d tests", len(files), control.LoadsKept)
		}
		if r := runs[0]; r.ID != last.ID || r.By != "user:ada" || r.Errors != 0.005 || r.Release != "4b7d9aa01c55" || r.Quota != 0.2 || r.Scenario != "steady" ||
			r.Thresholds != 2 || fmt.Sprint(r.Failed) != "[p99<20ms]" {
			t.Errorf("the newest is %+v", r)
		}
		detail, err := w.Load(t.Context(), "dev", "api", last.ID)
		if err != nil || detail.ID != last.ID || string(detail.Result) != string(result.at(t, control.LoadsKept+2)) {
			t.Errorf("one: %+v, %v", detail.LoadRun, err)
		}
		events := w.events("load.finished")
		want := "load test: 0/s answered, p99 50.0 ms, errors 0.5 %; not met: p99<20ms"
		if len(events) != control.LoadsKept+3 || events[0].Message != want || events[0].Actor != "user:ada" || events[0].Evidence["p99"] != 0.05 || events[0].Service != "api" {
			t.Errorf("%d events, the first %+v; want %q", len(events), events[0], want)
		}
		must(t, w.close())
	})
}

// What a plan is held against tells of a load test how much of it failed, what
// its replicas were held to, and whether it searched for the knee.
func TestLoadTestsAsAPlanSeesThem(t *testing.T) {
	for name, run := range map[string]control.LoadRun{
		"failed": {Errors: 1}, "held": {Quota: 0.5}, "a search": {Rungs: 3},
	} {
		seen := control.ProductionOf(nil, []control.LoadRun{run}).Tests[0]
		if seen.Errors != run.Errors || seen.Quota != run.Quota || seen.Search != (run.Rungs > 0) {
			t.Errorf("%s: %+v", name, seen)
		}
	}
}

func TestLoadTestsThatCannotBeKeptOrFound(t *testing.T) {
	result := newLoadResult(t)
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.apply("name: shop\nservices: {api: {run: ./api}}" + mem1)
		for name, tt := range map[string]struct {
			environment, service string
			result               json.RawMessage
			code                 greenlight.Code
		}{
			"another format": {"dev", "api", json.RawMessage(`{"format":"greenlight-load/9"}`), greenlight.CodeInvalid},
			"no result":      {"dev", "api", json.RawMessage(`[]`), greenlight.CodeInvalid},
			"too large":      {"dev", "api", make([]byte, control.MaxLoadResult+1), greenlight.CodeInvalid},
			"no service":     {"dev", "web", result.at(t, 1), greenlight.CodeNotFound},
			"no environment": {"../dev", "api", result.at(t, 1), greenlight.CodeNotFound},
		} {
			if _, err := w.KeepLoad(t.Context(), tt.environment, tt.service, tt.result, "user:ada"); greenlight.CodeOf(err) != tt.code {
				t.Errorf("%s: %v, want %s", name, err, tt.code)
			}
		}
		if _, err := os.Stat(filepath.Join(w.state, "loads")); err == nil {
			t.Error("something was written")
		}
		kept, err := w.KeepLoad(t.Context(), "dev", "api", result.at(t, 1), "user:ada")
		must(t, err)
		for _, id := range []string{"", "none", "../../../greenlight", kept.ID + "/../" + kept.ID, "20260102-030405000-4b7d9a"} {
			if _, err := w.Load(t.Context(), "dev", "api", id); greenlight.CodeOf(err) != greenlight.CodeNotFound {
				t.Errorf("test %q: %v", id, err)
			}
		}
		// What was not written to its end is no test.
		must(t, os.WriteFile(filepath.Join(w.state, "loads", "dev", "api", "20990102-030405000-4b7d9a.json"), []byte("{"), 0o600))
		if runs, err := w.Loads(t.Context(), "dev", "api", 0); err != nil || len(runs) != 1 {
			t.Errorf("beside a remainder: %+v, %v", runs, err)
		}
		must(t, w.close())
	})
}
