package backendtest

import (
	"bufio"
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
)

func testObserveEnvironments(t *testing.T, h *Harness) {
	for _, s := range [][2]string{{"b-1", "test"}, {"a-1", "test"}, {"a-1", "other"}} {
		spec := h.spec(s[0], Behaviour{})
		spec.Environment = s[1]
		h.start(t, spec)
	}
	for environment, want := range map[string]string{
		"test": "test/a-1 test/b-1", "other": "other/a-1", "none": "", "": "other/a-1 test/a-1 test/b-1",
	} {
		list, err := h.Backend.Observe(t.Context(), environment)
		var got []string
		for _, r := range list {
			got = append(got, r.Environment+"/"+r.ID)
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("Observe(%q) = %q, %v; want %s", environment, got, err, want)
		}
	}
	h.stop(t, "a-1")
	if list, err := h.Backend.Observe(t.Context(), "other"); len(list) != 1 || err != nil {
		t.Errorf("Stop in one environment: Observe of the other = %v, %v", list, err)
	}
}

func testDeathIsNoticed(t *testing.T, h *Harness) {
	c := h.run(t)
	r := h.start(t, h.spec("a-1", Behaviour{}))
	begin := time.Now()
	h.Kill(t, r)
	change := c.awaitState(t, "a-1", greenlight.ReplicaFailed)
	if took := time.Since(begin); took > patience/4 {
		t.Errorf("the death was told after %s", took)
	}
	if change.Replica.Reason == "" || change.Replica.Since.Before(r.Since) {
		t.Errorf("told %+v, want a reason, and since when", change.Replica)
	}
	if got := h.one(t); !equal(got, change.Replica) {
		t.Errorf("Observe = %+v, told %+v", got, change.Replica)
	}
}

func testDeathIsNoticedWithoutRun(t *testing.T, h *Harness) {
	h.Kill(t, h.start(t, h.spec("a-1", Behaviour{})))
	eventually(t, "Observe gives it as failed", func() bool {
		return h.one(t).State == greenlight.ReplicaFailed
	})
	h.stop(t, "a-1")
	h.none(t)
}

func testRestartAfterDeath(t *testing.T, h *Harness) {
	c := h.run(t)
	spec := h.spec("a-1", Behaviour{})
	first := h.start(t, spec)
	h.Kill(t, first)
	c.awaitState(t, "a-1", greenlight.ReplicaFailed)
	second := h.start(t, spec)
	if second.State != greenlight.ReplicaReady || second.Restarts != 1 || second.Reason != "" {
		t.Errorf("Start after a death = %+v, want ready with one restart", second)
	}
	if !h.Alive(second) {
		t.Error("the restarted replica does not run")
	}
}

// startWhenAllowed starts as soon as NotBefore lets it.
func (h *Harness) startWhenAllowed(t *testing.T, spec greenlight.ReplicaSpec) error {
	t.Helper()
	time.Sleep(time.Until(h.one(t).NotBefore))
	_, err := h.Backend.Start(t.Context(), spec)
	return err
}

func testCrashLoop(t *testing.T, h *Harness) {
	broken := h.spec("a-1", Behaviour{Silent: true, ExitAfter: time.Millisecond, ExitCode: 1})
	h.failedStart(t, broken)
	if r := h.one(t); r.State != greenlight.ReplicaFailed || !r.NotBefore.IsZero() {
		t.Errorf("after one failure %+v, want failed, free to start", r)
	}
	for n := 2; n <= 3; n++ {
		if err := h.startWhenAllowed(t, broken); err == nil {
			t.Fatal("a broken replica started")
		}
	}
	r := h.one(t)
	if r.State != greenlight.ReplicaCrashing || r.Restarts != 2 || !r.NotBefore.After(r.Since) {
		t.Errorf("after three failures %+v, want crashing, 2 restarts and a time to wait", r)
	}
	if _, err := h.Backend.Start(t.Context(), broken); greenlight.CodeOf(err) != greenlight.CodeUnavailable || !strings.Contains(err.Error(), "a-1") {
		t.Errorf("Start before NotBefore = %v, want CodeUnavailable", err)
	}
	if again := h.one(t); !equal(again, r) {
		t.Errorf("a refused Start made %+v of %+v", again, r)
	}
	if err := h.startWhenAllowed(t, h.spec("a-1", Behaviour{})); err != nil {
		t.Errorf("Start of the repaired replica = %v", err)
	}
	if r := h.one(t); r.State != greenlight.ReplicaReady || r.Restarts != 3 {
		t.Errorf("repaired %+v", r)
	}
}

func testUnready(t *testing.T, h *Harness) {
	c := h.run(t)
	r := h.start(t, h.spec("a-1", Behaviour{SickAfter: 200 * time.Millisecond, SickFor: 1500 * time.Millisecond}))
	change := c.awaitState(t, "a-1", greenlight.ReplicaUnready)
	if !strings.Contains(change.Replica.Reason, "500") || !strings.Contains(change.Replica.Reason, "sick") {
		t.Errorf("reason %q, want the check's answer", change.Replica.Reason)
	}
	if !h.Alive(r) {
		t.Error("an unready replica was ended")
	}
	c.await(t, "ready again", func(change backend.Change) bool {
		return change.Replica.State == greenlight.ReplicaReady && change.Replica.Since.After(r.Since)
	})
	if got := h.one(t); got.State != greenlight.ReplicaReady || got.Reason != "" || got.Restarts != 0 {
		t.Errorf("Observe = %+v, want ready again and never restarted", got)
	}
}

func testLiveCheckEnds(t *testing.T, h *Harness) {
	c := h.run(t)
	spec := h.spec("a-1", Behaviour{SickAfter: 200 * time.Millisecond, IgnoreTerm: true})
	spec.Ready = greenlight.Probe{TCP: true, Interval: 50 * time.Millisecond}
	spec.Live = greenlight.Probe{Path: "/live", Interval: 50 * time.Millisecond, Timeout: 5 * time.Second, Failures: 2}
	r := h.start(t, spec)
	change := c.awaitState(t, "a-1", greenlight.ReplicaFailed)
	if !strings.Contains(change.Replica.Reason, "live check") || h.Alive(r) {
		t.Errorf("told %+v, runs %t; want it ended for its live check", change.Replica, h.Alive(r))
	}
}

func testLogs(t *testing.T, h *Harness) {
	if _, err := h.Backend.Logs(t.Context(), environment, "never-1", backend.LogOptions{}); greenlight.CodeOf(err) != greenlight.CodeNotFound {
		t.Errorf("Logs of what never was = %v, want CodeNotFound", err)
	}
	h.start(t, h.spec("a-1", Behaviour{Print: []string{"one", "two", "three"}}))
	for tail, want := range map[int]string{0: "one\ntwo\nthree\n", 1: "three\n", 2: "two\nthree\n", 9: "one\ntwo\nthree\n"} {
		if got := h.readLogs(t, "a-1", backend.LogOptions{Tail: tail}); got != want {
			t.Errorf("Tail %d gives %q, want %q", tail, got, want)
		}
	}
}

func testLogsFollow(t *testing.T, h *Harness) {
	spec := h.spec("a-1", Behaviour{Print: []string{"one", "two"}})
	h.start(t, spec)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reader, err := h.Backend.Logs(ctx, environment, "a-1", backend.LogOptions{Tail: 1, Follow: true})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	scanner := bufio.NewScanner(reader)
	if got := lines(t, scanner, 1); got[0] != "two" {
		t.Errorf("following begins with %q", got)
	}
	h.Kill(t, h.one(t))
	eventually(t, "it failed", func() bool { return h.one(t).State == greenlight.ReplicaFailed })
	h.start(t, spec)
	if got := lines(t, scanner, 2); !slices.Equal(got, []string{"one", "two"}) {
		t.Errorf("after a restart following gives %q", got)
	}
	cancel()
	if rest, err := io.ReadAll(reader); len(rest) != 0 || err != nil {
		t.Errorf("after the end of its context the reader gives %q, %v; want the end", rest, err)
	}
}

func testReopenAdopts(t *testing.T, h *Harness) {
	spec := h.spec("a-1", Behaviour{})
	before := h.start(t, spec)
	h.Backend = h.Reopen(t)
	if got := h.one(t); !equal(got, before) {
		t.Errorf("after reopening %+v, before %+v", got, before)
	}
	if !h.Alive(before) {
		t.Fatal("the replica ended with its control plane")
	}
	if got := h.start(t, spec); !equal(got, before) {
		t.Errorf("Start after reopening = %+v, want the same replica %+v", got, before)
	}
	c := h.run(t)
	h.Kill(t, before)
	c.awaitState(t, "a-1", greenlight.ReplicaFailed)
	again := h.start(t, spec)
	h.Backend = h.Reopen(t)
	h.stop(t, "a-1")
	h.none(t)
	if h.Alive(again) {
		t.Error("the adopted replica survived Stop")
	}
}

func testReopenNoticesDeath(t *testing.T, h *Harness) {
	r := h.start(t, h.spec("a-1", Behaviour{}))
	h.Kill(t, r)
	h.Backend = h.Reopen(t)
	eventually(t, "Observe gives it as failed", func() bool {
		return h.one(t).State == greenlight.ReplicaFailed && h.one(t).Reason != ""
	})
}

func testReopenKeepsCounting(t *testing.T, h *Harness) {
	broken := h.spec("a-1", Behaviour{Silent: true, ExitAfter: time.Millisecond, ExitCode: 1})
	h.failedStart(t, broken)
	if err := h.startWhenAllowed(t, broken); err == nil {
		t.Fatal("a broken replica started")
	}
	before := h.one(t)
	h.Backend = h.Reopen(t)
	if after := h.one(t); !equal(before, after) || after.Restarts != 1 || after.NotBefore.IsZero() {
		t.Errorf("reopened %+v, before %+v", after, before)
	}
}
