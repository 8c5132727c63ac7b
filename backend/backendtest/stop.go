package backendtest

import (
	"context"
	"errors"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
)

func testStopTwiceAndUnknown(t *testing.T, h *Harness) {
	c := h.run(t)
	h.stop(t, "never-1")
	h.start(t, h.spec("a-1", Behaviour{}))
	h.stop(t, "a-1")
	c.await(t, "a-1 gone", func(change backend.Change) bool { return change.Gone && change.Replica.ID == "a-1" })
	h.stop(t, "a-1")
	h.none(t)
	if err := h.Backend.Stop(t.Context(), environment, "../x"); err != nil && greenlight.CodeOf(err) != greenlight.CodeInvalid {
		t.Errorf("Stop of an impossible id = %v", err)
	}
}

func testStopKillsWhatIgnoresIt(t *testing.T, h *Harness) {
	c := h.run(t)
	spec := h.spec("a-1", Behaviour{IgnoreTerm: true})
	spec.StopGrace = 200 * time.Millisecond
	r := h.start(t, spec)
	begin := time.Now()
	h.stop(t, "a-1")
	if took := time.Since(begin); took < spec.StopGrace {
		t.Errorf("killed after %s, before the grace of %s", took, spec.StopGrace)
	}
	if h.Alive(r) {
		t.Error("the replica runs")
	}
	h.none(t)
	c.awaitState(t, "a-1", greenlight.ReplicaStopping)
}

func testStopWithoutTime(t *testing.T, h *Harness) {
	h.start(t, h.spec("a-1", Behaviour{StopAfter: 1000 * time.Millisecond}))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := h.Backend.Stop(ctx, environment, "a-1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Stop without time = %v, want DeadlineExceeded", err)
	}
	if r := h.one(t); r.State != greenlight.ReplicaStopping {
		t.Errorf("Observe = %+v, want it stopping", r)
	}
	h.stop(t, "a-1")
	h.none(t)
}

func testRunEnds(t *testing.T, h *Harness) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- h.Backend.Run(ctx, func(backend.Change) {}) }()
	h.start(t, h.spec("a-1", Behaviour{}))
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
	if r := h.one(t); r.State != greenlight.ReplicaReady || !h.Alive(r) {
		t.Errorf("after Run %+v: the replica must run on", r)
	}
	c := h.run(t) // a second one, after the first
	h.Kill(t, h.one(t))
	c.awaitState(t, "a-1", greenlight.ReplicaFailed)
}
