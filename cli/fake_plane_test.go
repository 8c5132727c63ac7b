package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/plan"
	"github.com/greenlight-dev/greenlight/store"
	"github.com/greenlight-dev/greenlight/store/sqlite"
)

// fakePlane is a control plane whose only service, web, comes to be as its
// test says. It is served as the real one is.
type fakePlane struct {
	api.Plane // what is not faked panics
	store     store.Store
	status    control.Status
	mu        sync.Mutex
	down      chan struct{}
	closed    bool
	idle      bool
	// become is the service after a description was applied.
	become control.Service
	logs   []string
}

func (p *fakePlane) Status(context.Context) (control.Status, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status, nil
}

func (p *fakePlane) Changed() <-chan struct{} { return nil }

func (p *fakePlane) Apply(ctx context.Context, environment string, d control.Description, actor string) (control.Applied, error) {
	if strings.Contains(d.Text, "refused") {
		return control.Applied{}, greenlight.Errorf(greenlight.CodeInvalid, "services.web: no such secret here")
	}
	_, err := p.store.Record(ctx, greenlight.Event{Actor: actor, Kind: "applied", Environment: environment, Message: "revision 1 is in force"})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status.Environments = []control.Environment{{Name: environment, System: "shop", Revision: 1, Health: p.become.Health, Services: []control.Service{p.become}}}
	return control.Applied{Environment: environment, Revision: 1, Changed: true, Plan: control.Plan{Differences: []string{"services.web: new"}}}, err
}

func (p *fakePlane) Preview(_ context.Context, environment string, _ control.Description) (control.Plan, error) {
	return control.Plan{Environment: environment, Steps: []plan.Step{}, Differences: []string{}, Drift: []string{}}, nil
}

func (p *fakePlane) Logs(_ context.Context, _, _ string, _ control.LogQuery, emit func(control.LogLine) error) error {
	for _, line := range p.logs {
		if err := emit(control.LogLine{Replica: "web-1", Text: line}); err != nil {
			return err
		}
	}
	return nil
}

func (p *fakePlane) Down(context.Context, string) error {
	close(p.down)
	return nil
}

// make is Env.ControlPlane.
func (p *fakePlane) make(ctx context.Context, o PlaneOptions) (Plane, error) {
	if strings.Contains(o.Control, "127.0.0.9") {
		return nil, greenlight.Errorf(greenlight.CodeUnavailable, "cannot listen on %s", o.Control)
	}
	if err := os.MkdirAll(o.State, 0o700); err != nil {
		return nil, err
	}
	s, err := sqlite.Open(ctx, o.State)
	if err != nil {
		return nil, err
	}
	p.store, p.idle, p.down = s, o.Idle, make(chan struct{})
	h, err := api.NewHandler(api.Options{Plane: p, Events: s, Tokens: s})
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("unix", filepath.Join(o.State, "control.sock"))
	if err != nil {
		return nil, err
	}
	return &servedPlane{plane: p, serve: func(ctx context.Context) error {
		server := api.NewServer(h, o.Log)
		go func() {
			select {
			case <-ctx.Done():
			case <-p.down:
				time.Sleep(20 * time.Millisecond) // its answer
			}
			_ = server.Close()
		}()
		_ = server.Serve(ln)
		return nil
	}}, nil
}

type servedPlane struct {
	plane *fakePlane
	serve func(ctx context.Context) error
}

func (p *servedPlane) Run(ctx context.Context) error { return p.serve(ctx) }
func (p *servedPlane) Close() error {
	p.plane.closed = true
	return p.plane.store.Close()
}

// session runs commands against one fake control plane in a folder with a
// description.
type session struct {
	t      *testing.T
	plane  *fakePlane
	dir    string
	stdout bytes.Buffer
	stderr bytes.Buffer
}

func newSession(t *testing.T, become control.Service) *session {
	t.Helper()
	dir := t.TempDir()
	text := "name: shop\nservices:\n  web: {run: [web], env: {A: \"${FAKE_A:-x}\"}, secrets: {B: {env: FAKE_SECRET}}}\n"
	if err := os.WriteFile(filepath.Join(dir, "greenlight.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("FAKE_SECRET", "hunter2")
	become.Name = "web"
	return &session{t: t, dir: dir, plane: &fakePlane{become: become, status: control.Status{
		Control: control.Process{PID: os.Getpid(), Address: "127.0.0.1:7070", StartedAt: noon}, Gateway: control.Process{PID: 1, Address: "127.0.0.1:8080"},
		Environments: []control.Environment{},
	}}}
}

// run runs one command, which the context ends.
func (s *session) run(ctx context.Context, args ...string) int {
	s.stdout.Reset()
	s.stderr.Reset()
	return Run(ctx, args, Env{Stdin: bytes.NewReader(nil), Stdout: &s.stdout, Stderr: &s.stderr, ControlPlane: s.plane.make})
}

func (s *session) expect(code, want int, texts ...string) {
	s.t.Helper()
	output := s.stdout.String() + s.stderr.String()
	if code != want {
		s.t.Errorf("exit code %d, want %d", code, want)
	}
	for _, text := range texts {
		if !strings.Contains(output, text) {
			s.t.Errorf("it does not say %q", text)
		}
	}
	if s.t.Failed() {
		s.t.Fatal(output)
	}
}

// endsWhen gives a context that ends when w was written a text.
func endsWhen(t *testing.T, text string) (context.Context, io.Writer) {
	ctx, cancel := context.WithCancel(t.Context())
	return ctx, &trigger{text: text, fire: cancel}
}

type trigger struct {
	seen bytes.Buffer
	text string
	fire func()
}

func (g *trigger) Write(p []byte) (int, error) {
	g.seen.Write(p)
	if strings.Contains(g.seen.String(), g.text) {
		g.fire()
	}
	return len(p), nil
}

var goodWeb = control.Service{Kind: "run", Release: "4b7d9aa10c22", Ready: 1, Desired: 1, Health: control.Good,
	URLs: []string{"http://127.0.0.1:8080/"}, Replicas: []control.Replica{{ID: "web-1", PID: 7, State: greenlight.ReplicaReady, Release: "4b7d9aa10c22"}}}

var crashingWeb = control.Service{Kind: "run", Release: "4b7d9aa10c22", Desired: 1, Health: control.Down,
	Replicas: []control.Replica{{ID: "web-1", State: greenlight.ReplicaCrashing, Reason: "exit status 3", Release: "4b7d9aa10c22"}}}

func TestUpInTheForegroundEndsOnlyTheControlPlane(t *testing.T) {
	s := newSession(t, goodWeb)
	ctx, out := endsWhen(t, "Ctrl-C ends")
	code := Run(ctx, []string{"up", s.dir}, Env{Stdin: bytes.NewReader(nil), Stdout: io.MultiWriter(out, &s.stdout), Stderr: &s.stderr, ControlPlane: s.plane.make})
	s.expect(code, ExitOK, "services.web: new", "revision 1 is in force", "web is ready at http://127.0.0.1:8080/ (1 replica)",
		"console  http://127.0.0.1:7070/", "stop     greenlight down "+s.dir, "the control plane has stopped; replicas and gateway serve on")
	if !s.plane.closed || s.plane.idle {
		t.Error("the control plane was not closed, or idle")
	}
}

func TestUpStaysWithAServiceThatDoesNotStart(t *testing.T) {
	s := newSession(t, crashingWeb)
	s.plane.logs = []string{"no such \x1b[2Jmodule"}
	ctx, out := endsWhen(t, "tried again and again")
	code := Run(ctx, []string{"up", s.dir}, Env{Stdin: bytes.NewReader(nil), Stdout: io.MultiWriter(out, &s.stdout), Stderr: &s.stderr, ControlPlane: s.plane.make})
	s.expect(code, ExitOK, "dev/web does not start: web-1: exit status 3", "    no such ?[2Jmodule")
}

func TestUpEndsWithWhatIsRefused(t *testing.T) {
	s := newSession(t, goodWeb)
	file := filepath.Join(s.dir, "greenlight.yaml")
	if err := os.WriteFile(file, []byte("name: refused\nservices: {web: {run: [web]}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.expect(s.run(t.Context(), "up", file), ExitFailed, "services.web: no such secret here")
	if !s.plane.closed {
		t.Error("the control plane goes on")
	}
	s.expect(s.run(t.Context(), "up", s.dir, "--control", "127.0.0.9:1", "--public-control"), ExitFailed, "cannot listen on 127.0.0.9:1")
}

// withPlane runs the fake control plane while f runs.
func (s *session) withPlane(f func()) {
	s.t.Helper()
	plane, err := s.plane.make(s.t.Context(), PlaneOptions{State: filepath.Join(s.dir, stateName), Log: nil})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error, 1)
	go func() { done <- plane.Run(ctx) }()
	f()
	cancel()
	if err := errors.Join(<-done, plane.Close()); err != nil {
		s.t.Error(err)
	}
}

func TestUpWaitsAsLongAsItIsTold(t *testing.T) {
	slow := goodWeb
	slow.Ready, slow.Health, slow.Note = 0, control.Changing, "web-1 starts"
	s := newSession(t, slow)
	s.withPlane(func() {
		s.expect(s.run(t.Context(), "up", s.dir, "--timeout", "50ms", "--gateway", "127.0.0.1:9999"), ExitFailed, "a control plane is running here already",
			"--gateway stays 127.0.0.1:8080", "after 50ms it is not done: dev/web has 0 of 1 replicas ready (web-1 starts)")
	})
}

func TestUpTellsThatTheGatewayDoesNotStart(t *testing.T) {
	s := newSession(t, goodWeb)
	s.plane.status.Gateway = control.Process{Note: "cannot listen on 127.0.0.1:80"}
	s.withPlane(func() {
		s.expect(s.run(t.Context(), "up", s.dir), ExitFailed, "the gateway does not start: cannot listen on 127.0.0.1:80")
	})
}

func TestPlanOfARunningSystemNeedsNoSecrets(t *testing.T) {
	s := newSession(t, goodWeb)
	if err := os.Unsetenv("FAKE_SECRET"); err != nil { // Setenv puts it back
		t.Fatal(err)
	}
	s.expect(s.run(t.Context(), "plan", "--file", s.dir), ExitFailed, "variable FAKE_SECRET is not set here")
	s.withPlane(func() {
		s.expect(s.run(t.Context(), "plan", "--file", s.dir), ExitOK, "dev is as described: nothing would change")
	})
}

// A secret is never sent, a variable that is not asked for neither.
func TestOnlyVariablesOfTheTextAreSent(t *testing.T) {
	s := newSession(t, goodWeb)
	t.Setenv("FAKE_A", "1")
	t.Setenv("FAKE_OTHER", "2")
	d, err := openDescription(io.Discard, s.dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.resolve(io.Discard, true); err != nil {
		t.Fatal(err)
	}
	if v := d.sent().Variables; len(v) != 1 || v["FAKE_A"] != "1" {
		t.Errorf("sent are %v", v)
	}
}

func TestDownOfWhatWasLeftRunning(t *testing.T) {
	s := newSession(t, goodWeb)
	if err := os.Mkdir(filepath.Join(s.dir, stateName), 0o700); err != nil {
		t.Fatal(err)
	}
	s.expect(s.run(t.Context(), "down", s.dir), ExitUsage, "this stops "+filepath.Base(s.dir)+": the gateway; say --yes if that is wanted")
	s.expect(s.run(t.Context(), "down", s.dir, "--yes"), ExitOK, "is down; data and history stay in")
	if !s.plane.idle || !s.plane.closed {
		t.Error("the control plane that finds what is left was not idle, or not closed")
	}
	s.plane.status.Gateway = control.Process{}
	s.expect(s.run(t.Context(), "down", s.dir), ExitOK, "is down already")
}

func TestConfirm(t *testing.T) {
	env := Env{Stdin: strings.NewReader("shop\n"), Stderr: io.Discard}
	if err := confirm(env, false, "shop", "this stops shop"); exitCode(err) != ExitUsage {
		t.Errorf("without a terminal: %v", err)
	}
	if err := confirm(env, true, "shop", ""); err != nil {
		t.Error(err)
	}
}
