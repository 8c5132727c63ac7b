package mem_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
	"github.com/greenlight-dev/greenlight/backend/backendtest"
	"github.com/greenlight-dev/greenlight/backend/mem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	backendtest.Run(t, func(t *testing.T) *backendtest.Harness {
		b := mem.New(mem.Options{
			Conduct: conduct(t),
			Backoff: backend.Backoff{First: 300 * time.Millisecond, Max: time.Second},
		})
		return &backendtest.Harness{
			Backend: b,
			Reopen:  func(*testing.T) backend.Backend { return b },
			Command: func(b backendtest.Behaviour) []string { return []string{b.Encode()} },
			Kill: func(t *testing.T, r greenlight.Replica) {
				if !b.Kill(r.Environment, r.ID) {
					t.Errorf("%s does not run", r.ID)
				}
			},
			Alive: func(r greenlight.Replica) bool { return b.Runs(r.PID) },
		}
	})
}

// conduct does in memory what the suite's replica does as a process.
func conduct(t *testing.T) func(spec greenlight.ReplicaSpec) mem.Conduct {
	return func(spec greenlight.ReplicaSpec) mem.Conduct {
		b, err := backendtest.Decode(spec.Command[0])
		if err != nil {
			t.Error(err)
		}
		c := mem.Conduct{
			Output: b.Print, ReadyAfter: b.ReadyAfter, NeverReady: b.Silent || b.Health != 0,
			ExitAfter: b.ExitAfter, ExitCode: b.ExitCode, SickAfter: b.SickAfter, SickFor: b.SickFor,
			StopAfter: b.StopAfter, IgnoreStop: b.IgnoreTerm,
		}
		switch {
		case b.Silent:
			c.Health = "GET /ready: connection refused"
		case b.Health != 0:
			c.Health = fmt.Sprintf("GET /ready: %d: wrong health", b.Health)
		case b.SickAfter != 0:
			c.Health = "GET /ready: 500 Internal Server Error: sick"
		}
		return c
	}
}

func spec(service string, n int) greenlight.ReplicaSpec {
	return greenlight.ReplicaSpec{
		ID: fmt.Sprintf("%s-%d", service, n), Environment: "test", Service: service, Release: "r",
		Command: []string{"x"}, StopGrace: time.Hour,
	}
}

// A whole back-off passes on the virtual clock, and exactly.
func TestVirtualClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mem.New(mem.Options{Conduct: func(greenlight.ReplicaSpec) mem.Conduct {
			return mem.Conduct{ReadyAfter: time.Minute, ExitAfter: 30 * time.Second, ExitCode: 1}
		}})
		long := spec("a", 1)
		long.StartGrace = time.Hour
		var waits []time.Duration
		for range 10 {
			var failure *backend.StartError
			if _, err := b.Start(t.Context(), long); !errors.As(err, &failure) {
				t.Fatalf("Start = %v", err)
			}
			list, err := b.Observe(t.Context(), "test")
			if err != nil || len(list) != 1 {
				t.Fatal(list, err)
			}
			wait := max(list[0].NotBefore.Sub(list[0].Since), 0)
			waits = append(waits, wait)
			time.Sleep(wait)
		}
		want := []time.Duration{0, 500e6, 1e9, 2e9, 4e9, 8e9, 16e9, 32e9, time.Minute, time.Minute}
		if fmt.Sprint(waits) != fmt.Sprint(want) {
			t.Errorf("waits %v, want %v", waits, want)
		}
	})
}

func TestRunTellsOnTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mem.New(mem.Options{Conduct: func(greenlight.ReplicaSpec) mem.Conduct { return mem.Conduct{ExitAfter: 24 * time.Hour} }})
		begin := time.Now()
		changes := make(chan backend.Change, 10)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- b.Run(ctx, func(c backend.Change) { changes <- c }) }()
		synctest.Wait()
		if _, err := b.Start(t.Context(), spec("a", 1)); err != nil {
			t.Fatal(err)
		}
		for _, want := range []greenlight.ReplicaState{greenlight.ReplicaStarting, greenlight.ReplicaReady, greenlight.ReplicaFailed} {
			if c := <-changes; c.Replica.State != want {
				t.Errorf("told %+v, want %s", c.Replica, want)
			}
		}
		if took := time.Since(begin); took != 24*time.Hour {
			t.Errorf("the end was told after %s", took)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestSetHealthAndStartError(t *testing.T) {
	refused := greenlight.Errorf(greenlight.CodeUnsupported, "no room")
	b := mem.New(mem.Options{Conduct: func(s greenlight.ReplicaSpec) mem.Conduct {
		if s.Service == "b" {
			return mem.Conduct{StartError: refused}
		}
		return mem.Conduct{}
	}})
	if _, err := b.Start(t.Context(), spec("b", 1)); !errors.Is(err, refused) {
		t.Errorf("Start = %v, want %v", err, refused)
	}
	r, err := b.Start(t.Context(), spec("a", 1))
	if err != nil {
		t.Fatal(err)
	}
	for _, reason := range []string{"disk full", ""} {
		b.SetHealth("test", r.ID, reason)
		list, err := b.Observe(t.Context(), "test")
		want := greenlight.ReplicaReady
		if reason != "" {
			want = greenlight.ReplicaUnready
		}
		if err != nil || len(list) != 1 || cmp.Or(list[0].Reason, reason) != reason || list[0].State != want {
			t.Errorf("SetHealth(%q): %+v, %v", reason, list, err)
		}
	}
}

// BenchmarkObserve observes 500 services with two replicas each.
func BenchmarkObserve(b *testing.B) {
	backend := mem.New(mem.Options{})
	for i := range 500 {
		for n := range 2 {
			if _, err := backend.Start(b.Context(), spec(fmt.Sprintf("s%d", i), n)); err != nil {
				b.Fatal(err)
			}
		}
	}
	for b.Loop() {
		if list, err := backend.Observe(b.Context(), "test"); len(list) != 1000 || err != nil {
			b.Fatal(len(list), err)
		}
	}
}

// BenchmarkStart starts 1000 replicas while Run tells of them.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		backend := mem.New(mem.Options{})
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan error)
		go func() { done <- backend.Run(ctx, discard) }()
		for i := range 1000 {
			if _, err := backend.Start(ctx, spec("s", i)); err != nil {
				b.Fatal(err)
			}
		}
		cancel()
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}

func discard(backend.Change) {}
