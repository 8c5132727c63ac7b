// Package backendtest is the contract of package backend as tests: each adapter
// runs them against itself, with replicas that behave as the suite says.
package backendtest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
)

// Harness is an adapter under test, in a state of its own.
type Harness struct {
	// Backend is the adapter, opened on an empty state, its Backoff some
	// 300 ms and 1 s.
	Backend backend.Backend
	// Reopen lets the backend go as a crash of the control plane would, its
	// replicas running on, and opens it again on the same state.
	Reopen func(t *testing.T) backend.Backend
	// Command is the program that behaves so; see Program and Decode.
	Command func(b Behaviour) []string
	// Kill ends a replica from outside.
	Kill func(t *testing.T, r greenlight.Replica)
	// Alive tells from outside whether a replica that Observe showed still
	// runs.
	Alive func(r greenlight.Replica) bool
}

const environment = "test"

// patience is how long what must happen may take on a loaded machine.
const patience = 20 * time.Second

// Run checks an adapter; open gives a new harness, for each test its own, and
// registers its end with t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) *Harness) {
	tests := []struct {
		name string
		test func(t *testing.T, h *Harness)
	}{
		{"StartObserveStop", testStartObserveStop},
		{"StartIsIdempotent", testStartIsIdempotent},
		{"StartsShareOneReplica", testStartsShareOneReplica},
		{"StartWaitsUntilReady", testStartWaitsUntilReady},
		{"StartOfAnotherSpec", testStartOfAnotherSpec},
		{"StartRefusesWrongSpecs", testStartRefusesWrongSpecs},
		{"StartThatExits", testStartThatExits},
		{"StartThatNeverListens", testStartThatNeverListens},
		{"StartWithWrongHealth", testStartWithWrongHealth},
		{"StartCancelled", testStartCancelled},
		{"StartInterruptedByStop", testStartInterruptedByStop},
		{"TwentyAtOnce", testTwentyAtOnce},
		{"StopTwiceAndUnknown", testStopTwiceAndUnknown},
		{"StopKillsWhatIgnoresIt", testStopKillsWhatIgnoresIt},
		{"StopWithoutTime", testStopWithoutTime},
		{"ObserveEnvironments", testObserveEnvironments},
		{"DeathIsNoticed", testDeathIsNoticed},
		{"DeathIsNoticedWithoutRun", testDeathIsNoticedWithoutRun},
		{"RestartAfterDeath", testRestartAfterDeath},
		{"CrashLoop", testCrashLoop},
		{"UnreadyAndBack", testUnready},
		{"LiveCheckEnds", testLiveCheckEnds},
		{"Logs", testLogs},
		{"LogsFollow", testLogsFollow},
		{"ReopenAdopts", testReopenAdopts},
		{"ReopenNoticesDeath", testReopenNoticesDeath},
		{"ReopenKeepsCounting", testReopenKeepsCounting},
		{"RunEnds", testRunEnds},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, open(t)) })
	}
}

// spec is a replica with the suite's checks and short times.
func (h *Harness) spec(id string, b Behaviour) greenlight.ReplicaSpec {
	return greenlight.ReplicaSpec{
		ID: id, Environment: environment, Service: "svc", Release: "sha256:1",
		Command:    h.Command(b),
		Ready:      greenlight.Probe{Path: "/ready", Interval: 50 * time.Millisecond, Timeout: 5 * time.Second, Failures: 2},
		StartGrace: patience, StopGrace: patience,
	}
}

func (h *Harness) start(t *testing.T, spec greenlight.ReplicaSpec) greenlight.Replica {
	t.Helper()
	r, err := h.Backend.Start(t.Context(), spec)
	if err != nil {
		t.Fatalf("Start(%s) = %v", spec.ID, err)
	}
	return r
}

func (h *Harness) stop(t *testing.T, id string) {
	t.Helper()
	if err := h.Backend.Stop(t.Context(), environment, id); err != nil {
		t.Fatalf("Stop(%s) = %v", id, err)
	}
}

func (h *Harness) observe(t *testing.T) []greenlight.Replica {
	t.Helper()
	list, err := h.Backend.Observe(t.Context(), environment)
	if err != nil {
		t.Fatalf("Observe = %v", err)
	}
	return list
}

// one is the only replica there is.
func (h *Harness) one(t *testing.T) greenlight.Replica {
	t.Helper()
	list := h.observe(t)
	if len(list) != 1 {
		t.Fatalf("Observe gives %d replicas, want 1: %+v", len(list), list)
	}
	return list[0]
}

func (h *Harness) none(t *testing.T) {
	t.Helper()
	if list := h.observe(t); len(list) != 0 {
		t.Fatalf("Observe gives %+v, want none", list)
	}
}

// changes are what Run told, for one test.
type changes struct {
	mu   sync.Mutex
	seen []backend.Change
	more chan struct{}
}

// run starts Run, ends it with the test, and returns when it tells of changes:
// a replica that was there before is the sign.
func (h *Harness) run(t *testing.T) *changes {
	t.Helper()
	sign := h.spec("sign", Behaviour{})
	sign.Environment = "sign"
	h.start(t, sign)
	c := &changes{more: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Backend.Run(ctx, c.add) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	c.awaitState(t, "sign", greenlight.ReplicaReady)
	return c
}

func (c *changes) add(change backend.Change) {
	c.mu.Lock()
	c.seen = append(c.seen, change)
	c.mu.Unlock()
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// await gives the first change from now on or before that fits.
func (c *changes) await(t *testing.T, what string, fits func(backend.Change) bool) backend.Change {
	t.Helper()
	timeout := time.After(patience)
	for {
		c.mu.Lock()
		for _, change := range c.seen {
			if fits(change) {
				c.mu.Unlock()
				return change
			}
		}
		c.mu.Unlock()
		select {
		case <-c.more:
		case <-timeout:
			t.Fatalf("no change: %s; saw %+v", what, c.seen)
		}
	}
}

func (c *changes) awaitState(t *testing.T, id string, state greenlight.ReplicaState) backend.Change {
	t.Helper()
	return c.await(t, fmt.Sprintf("%s %s", id, state), func(change backend.Change) bool {
		return change.Replica.ID == id && change.Replica.State == state && !change.Gone
	})
}

// eventually waits for what must become true.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

func (h *Harness) readLogs(t *testing.T, id string, o backend.LogOptions) string {
	t.Helper()
	reader, err := h.Backend.Logs(t.Context(), environment, id, o)
	if err != nil {
		t.Fatalf("Logs(%s) = %v", id, err)
	}
	defer reader.Close()
	data, err := io.ReadAll(reader)
	if err != nil {
		t.Fatalf("reading the logs of %s: %v", id, err)
	}
	return string(data)
}

// lines reads the next n lines.
func lines(t *testing.T, from *bufio.Scanner, n int) []string {
	t.Helper()
	var list []string
	for len(list) < n && from.Scan() {
		list = append(list, from.Text())
	}
	if len(list) < n {
		t.Fatalf("read the lines %q and then the end (%v), want %d", list, from.Err(), n)
	}
	return list
}
