package backendtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
)

func testStartObserveStop(t *testing.T, h *Harness) {
	if h.Backend.Name() == "" {
		t.Error("the backend has no name")
	}
	h.none(t)
	before := time.Now()
	r := h.start(t, h.spec("a-1", Behaviour{}))
	want := greenlight.Replica{ID: "a-1", Environment: environment, Service: "svc", Release: "sha256:1", State: greenlight.ReplicaReady}
	if r.ID != want.ID || r.Environment != want.Environment || r.Service != want.Service ||
		r.Release != want.Release || r.State != want.State || r.Restarts != 0 || r.Reason != "" {
		t.Errorf("Start = %+v, want %+v", r, want)
	}
	if r.Address == "" || r.Since.Before(before) || r.Since.After(time.Now()) {
		t.Errorf("Start = %+v: want an address, and Since within the call", r)
	}
	if got := h.one(t); !equal(got, r) {
		t.Errorf("Observe = %+v, Start gave %+v", got, r)
	}
	if !h.Alive(r) {
		t.Error("the started replica does not run")
	}
	h.stop(t, "a-1")
	h.none(t)
	if h.Alive(r) {
		t.Error("the stopped replica still runs")
	}
}

// equal compares replicas; a time that was stored has no monotonic part.
func equal(a, b greenlight.Replica) bool {
	same := a.Since.Equal(b.Since) && a.NotBefore.Equal(b.NotBefore)
	a.Since, a.NotBefore = b.Since, b.NotBefore
	return same && a == b
}

func testStartIsIdempotent(t *testing.T, h *Harness) {
	spec := h.spec("a-1", Behaviour{})
	first := h.start(t, spec)
	spec.Env = map[string]string{} // equal to none
	if second := h.start(t, spec); !equal(first, second) {
		t.Errorf("second Start = %+v, first %+v", second, first)
	}
	h.one(t)
}

func testStartsShareOneReplica(t *testing.T, h *Harness) {
	spec := h.spec("a-1", Behaviour{ReadyAfter: 100 * time.Millisecond})
	got := make([]greenlight.Replica, 5)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() { got[i], _ = h.Backend.Start(t.Context(), spec) })
	}
	wg.Wait()
	for _, r := range got {
		if r.State != greenlight.ReplicaReady || !equal(r, got[0]) {
			t.Errorf("one Start = %+v, another %+v", r, got[0])
		}
	}
	h.one(t)
}

func testStartWaitsUntilReady(t *testing.T, h *Harness) {
	c := h.run(t)
	const loading = 300 * time.Millisecond
	begin := time.Now()
	h.start(t, h.spec("a-1", Behaviour{ReadyAfter: loading}))
	if took := time.Since(begin); took < loading {
		t.Errorf("Start returned after %s, the replica is ready after %s", took, loading)
	}
	c.awaitState(t, "a-1", greenlight.ReplicaStarting)
	c.awaitState(t, "a-1", greenlight.ReplicaReady)
}

func testStartOfAnotherSpec(t *testing.T, h *Harness) {
	spec := h.spec("a-1", Behaviour{})
	r := h.start(t, spec)
	spec.Release = "sha256:2"
	if _, err := h.Backend.Start(t.Context(), spec); greenlight.CodeOf(err) != greenlight.CodeInvalid || !strings.Contains(err.Error(), "a-1") {
		t.Errorf("Start with another release while it runs = %v, want CodeInvalid that names a-1", err)
	}
	if got := h.one(t); !equal(got, r) {
		t.Errorf("the running replica became %+v", got)
	}
	h.stop(t, "a-1")
	if r := h.start(t, spec); r.Release != "sha256:2" || r.Restarts != 0 {
		t.Errorf("Start after Stop = %+v, want the new release and no restarts", r)
	}
}

func testStartRefusesWrongSpecs(t *testing.T, h *Harness) {
	wrong := map[string]func(s *greenlight.ReplicaSpec){
		"no id":               func(s *greenlight.ReplicaSpec) { s.ID = "" },
		"path in the id":      func(s *greenlight.ReplicaSpec) { s.ID = "../../etc/passwd" },
		"slash in the id":     func(s *greenlight.ReplicaSpec) { s.ID = "a/b" },
		"pattern in the id":   func(s *greenlight.ReplicaSpec) { s.ID = "a*" },
		"space in the id":     func(s *greenlight.ReplicaSpec) { s.ID = "a b" },
		"newline in the id":   func(s *greenlight.ReplicaSpec) { s.ID = "a\n" },
		"zero in the id":      func(s *greenlight.ReplicaSpec) { s.ID = "a\x00" },
		"letters of the id":   func(s *greenlight.ReplicaSpec) { s.ID = "Å" },
		"long id":             func(s *greenlight.ReplicaSpec) { s.ID = strings.Repeat("a", 64) },
		"dots environment":    func(s *greenlight.ReplicaSpec) { s.Environment = ".." },
		"no environment":      func(s *greenlight.ReplicaSpec) { s.Environment = "" },
		"dot service":         func(s *greenlight.ReplicaSpec) { s.Service = "." },
		"nothing to run":      func(s *greenlight.ReplicaSpec) { s.Command = nil },
		"command and image":   func(s *greenlight.ReplicaSpec) { s.Image = "x" },
		"relative check":      func(s *greenlight.ReplicaSpec) { s.Ready.Path = "ready" },
		"negative grace":      func(s *greenlight.ReplicaSpec) { s.StopGrace = -1 },
		"negative memory":     func(s *greenlight.ReplicaSpec) { s.Resources.MemoryBytes = -1 },
		"odd variable":        func(s *greenlight.ReplicaSpec) { s.Env = map[string]string{"A=B": "c"} },
		"empty secret":        func(s *greenlight.ReplicaSpec) { s.Secrets = map[string]greenlight.SecretRef{"A": {}} },
		"zero in an env":      func(s *greenlight.ReplicaSpec) { s.Env = map[string]string{"A": "b\x00"} },
		"zero in an argument": func(s *greenlight.ReplicaSpec) { s.Command = append(s.Command, "\x00") },
	}
	for name, change := range wrong {
		spec := h.spec("a-1", Behaviour{})
		change(&spec)
		if _, err := h.Backend.Start(t.Context(), spec); greenlight.CodeOf(err) != greenlight.CodeInvalid {
			t.Errorf("%s: Start = %v, want CodeInvalid", name, err)
		}
	}
	h.none(t)
}

// failedStart starts what cannot become ready.
func (h *Harness) failedStart(t *testing.T, spec greenlight.ReplicaSpec) *backend.StartError {
	t.Helper()
	_, err := h.Backend.Start(t.Context(), spec)
	var failure *backend.StartError
	if !errors.As(err, &failure) || greenlight.CodeOf(err) != greenlight.CodeUnavailable {
		t.Fatalf("Start = %v, want a StartError with CodeUnavailable", err)
	}
	if failure.ID != spec.ID || failure.Reason == "" {
		t.Errorf("StartError %+v, want id %s and a reason", failure, spec.ID)
	}
	r := h.one(t)
	if r.State != greenlight.ReplicaFailed && r.State != greenlight.ReplicaCrashing {
		t.Errorf("after a failed start Observe gives %+v", r)
	}
	if r.Reason == "" || h.Alive(r) {
		t.Errorf("after a failed start: reason %q, runs %t", r.Reason, h.Alive(r))
	}
	return failure
}

func testStartThatExits(t *testing.T, h *Harness) {
	begin := time.Now()
	failure := h.failedStart(t, h.spec("a-1", Behaviour{
		Print: []string{"first", "no such table: users"}, Silent: true, ExitAfter: time.Millisecond, ExitCode: 3,
	}))
	if took := time.Since(begin); took > patience/2 {
		t.Errorf("the exit was told after %s, want at once", took)
	}
	if !strings.Contains(failure.Reason, "3") {
		t.Errorf("reason %q does not name the exit code", failure.Reason)
	}
	if got := strings.Join(failure.Logs, "|"); got != "first|no such table: users" {
		t.Errorf("log lines %q", got)
	}
	if !strings.Contains(failure.Error(), "no such table: users") {
		t.Errorf("message %q lacks the last log line", failure)
	}
	h.stop(t, "a-1")
	h.none(t)
}

func testStartThatNeverListens(t *testing.T, h *Harness) {
	spec := h.spec("a-1", Behaviour{Silent: true, Print: []string{"waiting for a lock"}})
	spec.StartGrace = time.Second
	failure := h.failedStart(t, spec)
	if !strings.Contains(failure.Reason, "1s") || failure.Health == "" {
		t.Errorf("StartError %+v: want the grace in the reason, and what the check met", failure)
	}
	if got := strings.Join(failure.Logs, "|"); got != "waiting for a lock" {
		t.Errorf("log lines %q", got)
	}
}

func testStartWithWrongHealth(t *testing.T, h *Harness) {
	spec := h.spec("a-1", Behaviour{Health: 418})
	spec.StartGrace = time.Second
	failure := h.failedStart(t, spec)
	if !strings.Contains(failure.Health, "418") || !strings.Contains(failure.Health, "wrong health") {
		t.Errorf("last health answer %q, want status and body", failure.Health)
	}
}

func testStartCancelled(t *testing.T, h *Harness) {
	c := h.run(t)
	ctx, cancel := context.WithCancel(t.Context())
	var seen greenlight.Replica
	done := make(chan struct{})
	go func() {
		defer close(done)
		seen = c.awaitState(t, "a-1", greenlight.ReplicaStarting).Replica
		cancel()
	}()
	_, err := h.Backend.Start(ctx, h.spec("a-1", Behaviour{Silent: true, IgnoreTerm: true}))
	<-done
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Start = %v, want context.Canceled", err)
	}
	h.none(t)
	if h.Alive(seen) {
		t.Error("the replica of the cancelled start runs")
	}
	h.start(t, h.spec("a-1", Behaviour{}))
}

func testStartInterruptedByStop(t *testing.T, h *Harness) {
	c := h.run(t)
	done := make(chan error, 1)
	go func() {
		_, err := h.Backend.Start(t.Context(), h.spec("a-1", Behaviour{Silent: true}))
		done <- err
	}()
	seen := c.awaitState(t, "a-1", greenlight.ReplicaStarting).Replica
	begin := time.Now()
	h.stop(t, "a-1")
	if took := time.Since(begin); took > patience/2 {
		t.Errorf("Stop waited %s for the start", took)
	}
	if err := <-done; err == nil {
		t.Error("the interrupted Start says that all is well")
	}
	h.none(t)
	if h.Alive(seen) {
		t.Error("the replica runs")
	}
}

func testTwentyAtOnce(t *testing.T, h *Harness) {
	const n = 20
	h.run(t)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if _, err := h.Backend.Start(t.Context(), h.spec(fmt.Sprintf("a-%d", i), Behaviour{})); err != nil {
				t.Errorf("Start(a-%d) = %v", i, err)
			}
		})
	}
	wg.Wait()
	list := h.observe(t)
	addresses := make(map[string]bool)
	for _, r := range list {
		addresses[r.Address] = true
		if r.State != greenlight.ReplicaReady {
			t.Errorf("%+v is not ready", r)
		}
	}
	if len(list) != n || len(addresses) != n {
		t.Fatalf("%d replicas with %d addresses, want %d", len(list), len(addresses), n)
	}
	for _, r := range list {
		wg.Go(func() { h.stop(t, r.ID) })
	}
	wg.Wait()
	h.none(t)
	for _, r := range list {
		if h.Alive(r) {
			t.Errorf("%s still runs", r.ID)
		}
	}
}
