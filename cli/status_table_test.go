package cli

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/observe"
	"github.com/greenlight-dev/greenlight/plan"
	"github.com/greenlight-dev/greenlight/spec"
	"github.com/greenlight-dev/greenlight/store"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// golden compares text with a file in testdata.
func golden(t *testing.T, name, text string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s:\n%s\nwant:\n%s", file, text, want)
	}
}

func sampleStatus() control.Status {
	dev := control.Environment{
		Name: "dev", System: "shop", Backend: "process", Drift: "heal", Revision: 3, AppliedAt: noon.Add(-7 * time.Minute),
		AppliedBy: "user:ada", Health: control.Degraded, Note: "web serves with 1 of 2 replicas",
		Services: []control.Service{
			{
				Name: "iris", Kind: "model", Release: "4b7d9aa10c22", Ready: 2, Desired: 2, Health: control.Good, Note: "not shown: all is good",
				URLs: []string{"http://127.0.0.1:8080/iris"},
				Replicas: []control.Replica{
					{ID: "iris-4b7d9aa-1", PID: 11, State: greenlight.ReplicaReady, Release: "4b7d9aa10c22"},
					{ID: "iris-4b7d9aa-2", PID: 12, State: greenlight.ReplicaReady, Release: "4b7d9aa10c22"},
				},
				Traffic: observe.Sample{Rate: 1234.5, P50: 0.00042, P99: 0.0037},
				Alerts:  []control.Alert{{Kind: "capacity.expired", Text: "the capacity plan has expired: Dec 2026 so far had 90/s on average;\x1b[2J the forecast is 30/s to 50/s"}},
			},
			{
				Name: "web", Kind: "run", Release: "99aa00ff1122", Ready: 1, Desired: 2, Health: control.Degraded, Note: "1 of 2 replicas crashes",
				Replicas: []control.Replica{
					{ID: "web-99aa00f-1", PID: 13, State: greenlight.ReplicaReady, Release: "99aa00ff1122"},
					{ID: "web-99aa00f-2", State: greenlight.ReplicaCrashing, Reason: "exit status 1 after 120ms\x1b[2J", Restarts: 4, Release: "99aa00ff1122"},
				},
				Traffic: observe.Sample{Rate: 3.2, Errors: 0.02, P50: 0.045, P99: 1.25},
			},
		},
	}
	production := control.Environment{
		Name: "production", System: "shop", Backend: "process", Revision: 1, AppliedAt: noon.Add(-72 * time.Hour), AppliedBy: "user:ada",
		Health: control.Good, Services: []control.Service{{Name: "iris", Release: "4b7d9aa10c22", Health: control.Asleep, Note: "asleep since 11:30"}},
	}
	return control.Status{
		Control:      control.Process{PID: 100, Address: "127.0.0.1:7070"},
		Gateway:      control.Process{PID: 0, Note: "cannot listen on 127.0.0.1:8080"},
		Environments: []control.Environment{dev, production},
	}
}

func TestStatusTable(t *testing.T) {
	view := statusView{now: noon}
	golden(t, "status.txt", view.text(sampleStatus()))
	view.environment = "production"
	golden(t, "status-production.txt", view.text(sampleStatus()))
	golden(t, "status-empty.txt", view.text(control.Status{Control: control.Process{PID: 1}, Gateway: control.Process{PID: 2, Address: "127.0.0.1:8080"}}))
}

func TestStatusColoursChangeNoText(t *testing.T) {
	grey := statusView{now: noon}
	bright := statusView{now: noon, palette: true}
	coloured := bright.text(sampleStatus())
	if stripped := sgr.ReplaceAllString(coloured, ""); stripped != grey.text(sampleStatus()) || stripped == coloured {
		t.Errorf("without its colours:\n%s", stripped)
	}
}

func TestCutKeepsColoursWhole(t *testing.T) {
	for _, width := range []int{1, 2, 5, 6, 20} {
		text := cut("\x1b[31mré\x1b[0md and \x1b[32mgreen\x1b[0m", width)
		bare := sgr.ReplaceAllString(text, "")
		if n := utf8.RuneCountInString(bare); n > width || strings.Contains(bare, "\x1b") {
			t.Errorf("cut to %d: %q", width, text)
		}
	}
	if text := cut("short", 5); text != "short" {
		t.Errorf("%q", text)
	}
}

func TestTameKeepsOnlyColours(t *testing.T) {
	if got := tame("a\x1b[31mb\x1b[0m\x1b]0;title\x07\x1b[2J\tc\u009b1m é"); got != "a\x1b[31mb\x1b[0m?]0;title??[2J\tc?1m é" {
		t.Errorf("%q", got)
	}
}

func TestScreenReplacesItself(t *testing.T) {
	var b strings.Builder
	s := &screen{w: &b}
	s.show("one\ntwo\n")
	s.show("one\ntwo\n") // nothing new
	s.show(strings.Repeat("x", 100) + "\n")
	if got, want := b.String(), "one\x1b[K\ntwo\x1b[K\n\x1b[J"+"\x1b[2A"+strings.Repeat("x", 79)+"…\x1b[K\n\x1b[J"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	b.Reset()
	s.show(strings.Repeat("line\n", 100))
	if lines := strings.Count(b.String(), "\n"); lines != 23 || !strings.Contains(b.String(), "… 78 lines more;") {
		t.Errorf("%d lines: %q", lines, b.String())
	}
}

func TestPlanText(t *testing.T) {
	p := control.Plan{
		Environment: "dev",
		Differences: []string{"services.iris.replicas: 1 → 2"},
		Steps: []plan.Step{
			{Kind: plan.StartReplica, Service: "iris", Replica: "iris-4b7d9aa-2", Release: "4b7d9aa10c22", Reason: "2 replicas should run, 1 does"},
			{Kind: plan.Route, Service: "iris", Targets: []string{"iris-4b7d9aa-1", "iris-4b7d9aa-2"}, Reason: "a replica was added"},
		},
		Drift: []string{"iris-4b7d9aa-1: model.onnx was changed"},
	}
	golden(t, "plan.txt", planText(p, true))
	golden(t, "plan-empty.txt", planText(control.Plan{Environment: "dev"}, true))
	system := &spec.System{Environment: spec.Environment{Name: "dev"}, Services: []spec.Service{
		{Name: "iris", Models: spec.Models{{Name: "iris", Path: "model.onnx"}}, Replicas: spec.Replicas{Min: 2, Max: 2}, Routes: []spec.Route{{Path: "/"}}},
		{Name: "before", Run: spec.Command{"gunicorn", "app:app"}, Replicas: spec.Replicas{Min: 1, Max: 4}, DependsOn: []string{"iris"}},
	}}
	nothing, err := planFromNothing(system, map[string]string{"iris": "4b7d9aa10c22", "before": "0c1d2e3f4a5b"})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "plan-nothing-runs.txt", planText(nothing, false))
}

func TestTokenTable(t *testing.T) {
	golden(t, "tokens.txt", tokenTable([]store.Token{
		{ID: "q3x7k2m9", Name: "ci", Role: store.RoleOperator, CreatedAt: noon.Add(-48 * time.Hour), LastUsedAt: noon.Add(-3 * time.Minute)},
		{ID: "a1b2c3d4", Name: "old laptop", Role: store.RoleAdmin, CreatedAt: noon.Add(-90 * 24 * time.Hour), RevokedAt: noon.Add(-time.Hour)},
	}, false, noon))
}

func TestEventLine(t *testing.T) {
	e := greenlight.Event{Time: time.Now().Add(-400 * 24 * time.Hour), Actor: "user:ada", Kind: "scaled", Environment: "dev", Service: "iris", Message: "2 → 3 replicas"}
	line := eventLine(false, e)
	if want := e.Time.Local().Format(time.DateTime) + "  dev/iris  2 → 3 replicas (by user:ada)"; line != want {
		t.Errorf("%q, want %q", line, want)
	}
	if line := eventLine(false, greenlight.Event{Time: time.Now(), Actor: "reconciler", Message: "started"}); strings.Contains(line, "reconciler") {
		t.Errorf("%q names an actor that is no person", line)
	}
}

func TestLogPrinter(t *testing.T) {
	var b strings.Builder
	p := newLogPrinter(&b, false)
	for _, l := range []control.LogLine{{Replica: "a-1", Text: "one"}, {Replica: "web-10", Text: "two"}, {Replica: "a-1", Text: ""}} {
		if err := p.print(l); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := b.String(), "a-1 | one\nweb-10 | two\na-1    | \n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for _, id := range []string{"a-1", "web-10"} {
		if first := replicaColour(id); first == plain || first != replicaColour(strings.Clone(id)) {
			t.Errorf("%s has no colour that stays", id)
		}
	}
}

func TestChooseService(t *testing.T) {
	s := sampleStatus()
	for arg, want := range map[string]string{"web": "dev/web", "dev/iris": "dev/iris", "production/iris": "production/iris"} {
		if n, err := chooseService(s, arg); err != nil || n.String() != want {
			t.Errorf("%s means %v, %v; want %s", arg, n, err, want)
		}
	}
	for arg, want := range map[string]string{
		"iris": "iris is in several environments; say which: dev/iris, production/iris",
		"nope": `there is no service "nope", only dev/iris, dev/web, production/iris`,
	} {
		if _, err := chooseService(s, arg); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", arg, err, want)
		}
	}
}

func TestSettled(t *testing.T) {
	s := sampleStatus()
	iris, web := &s.Environments[0].Services[0], &s.Environments[0].Services[1]
	if !settled(iris) || settled(web) || crashes(nil).another(iris) != nil || crashes(nil).another(web) == nil {
		t.Error("a good service has settled, one with a crashing replica has not")
	}
	// It fails anew only once it was started again.
	before := crashesIn(&s)
	if before.another(web) != nil {
		t.Error("a crash from before counts")
	}
	web.Replicas[1].Restarts++
	if before.another(web) == nil {
		t.Error("another crash does not count")
	}
	// A replica of an older release that crashes says nothing of the new one.
	web.Release = "1234567890ab"
	if crashes(nil).another(web) != nil {
		t.Error("an old release's replica counts")
	}
	if !scaledTo(2)(iris) || scaledTo(3)(iris) || !replaced([]int{99})(iris) || replaced([]int{12})(iris) {
		t.Error("scaled and replaced are told wrongly")
	}
}

func TestStartFailureTellsWhatItsOwnerNeeds(t *testing.T) {
	f := &startFailure{name: serviceName{"dev", "web"}, replica: control.Replica{ID: "web-1",
		Reason: "exit status 1 after 20ms; last health answer:\n connection refused; last log line: ImportError: flask"},
		lines: []string{"Traceback", "ImportError: flask"}}
	golden(t, "start-failure.txt", f.Error()+"\n")
}

func TestManPage(t *testing.T) {
	root := newRoot(Env{Build: Build{Version: "1.2.3"}})
	for _, cmd := range root.Commands() {
		if cmd.Name() == "scale" {
			golden(t, "greenlight-scale.1", manPage(cmd, "1.2.3"))
		}
	}
}

// Every command explains itself.
func TestEveryCommandHasHelp(t *testing.T) {
	root := newRoot(Env{})
	checked := 0
	for _, cmd := range root.Commands() {
		if cmd.Name() == "help" {
			continue
		}
		for _, c := range append(cmd.Commands(), cmd) {
			checked++
			if c.Short == "" || c.Example == "" || c != cmd && c.Long == "" {
				t.Errorf("%s lacks a line, a text or an example", c.CommandPath())
			}
		}
	}
	if checked < 25 {
		t.Errorf("only %d commands", checked)
	}
}

// What lies below the gateway's first bucket is known to be that, and no more.
func TestLatencyBelowTheFirstBucket(t *testing.T) {
	for v, want := range map[float64]string{0: "–", 25e-6: "<50 µs", 49.9e-6: "<50 µs", 50e-6: "50 µs", 253e-6: "253 µs"} {
		if got := latency(v, false); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
}
