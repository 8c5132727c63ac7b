package cli

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api"
	"github.com/greenlight-dev/greenlight/api/apitest"
	"github.com/greenlight-dev/greenlight/api/client"
	"github.com/greenlight-dev/greenlight/load"
	"github.com/greenlight-dev/greenlight/store/sqlite"
)

// liveOn is a test whose service is of a control plane that treats reports as
// before says.
func liveOn(t *testing.T, before func() error) (*loadTest, *apitest.Plane) {
	t.Helper()
	events, err := sqlite.Open(t.Context(), t.TempDir()+"/test.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = events.Close() })
	plane := &apitest.Plane{Before: func(call string) error {
		if strings.HasPrefix(call, "ReportLoad") {
			return before()
		}
		return nil
	}}
	s := apitest.Serve(t, api.Options{Plane: plane, Events: events, Tokens: events, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	c, err := client.New(s.Socket, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &loadTest{service: &loadedService{client: c, name: serviceName{"dev", "iris"}}}, plane
}

func second(i int) load.Progress {
	return load.Progress{Second: load.Second{At: float64(i), Length: 1, Requests: int64(i)}, SoFar: &load.Result{Requests: int64(i)}}
}

// TestSlowControlPlaneIsNotWaitedFor: what it does not take in time is left out.
func TestSlowControlPlaneIsNotWaitedFor(t *testing.T) {
	var taken atomic.Int64
	test, _ := liveOn(t, func() error {
		taken.Add(1)
		time.Sleep(time.Second)
		return greenlight.Errorf(greenlight.CodeUnavailable, "later")
	})
	ctx := test.tell(t.Context(), "", time.Minute)
	o := &load.Options{}
	test.live.follow(o, "")
	began := time.Now()
	for i := range 1000 {
		o.Progress(second(i))
	}
	if took := time.Since(began); took > 800*time.Millisecond {
		t.Errorf("the test was held up for %s", took)
	}
	test.live.finish()
	if n := taken.Load(); n < 2 || n > 4 {
		t.Errorf("%d reports were sent, want the first, perhaps one on the way, and the last", n)
	}
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("the test ends with %v", err)
	}
}

// TestReportsThatAreRefused are not sent again, and the test goes on.
func TestReportsThatAreRefused(t *testing.T) {
	var taken atomic.Int64
	test, _ := liveOn(t, func() error {
		taken.Add(1)
		return greenlight.Errorf(greenlight.CodeRefused, "a viewer cannot")
	})
	ctx := test.tell(t.Context(), "", time.Minute)
	o := &load.Options{}
	test.live.follow(o, "")
	for i := range 10 {
		o.Progress(second(i))
		time.Sleep(10 * time.Millisecond)
	}
	if ctx.Err() != nil {
		t.Errorf("the test was ended: %v", context.Cause(ctx))
	}
	test.live.finish()
	if n := taken.Load(); n != 1 {
		t.Errorf("%d reports were sent", n)
	}
}

// TestAskedToStop: the answer to a report ends the test, with who asked.
func TestAskedToStop(t *testing.T) {
	test, plane := liveOn(t, func() error { return nil })
	ctx := test.tell(t.Context(), "", time.Minute)
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the test goes on")
	}
	if err := whyDone(ctx); !isStop(err) || err.Error() != "stopped by user:grace" {
		t.Errorf("the test ends with %v", err)
	}
	test.live.came("stopped by user:grace", "20260102-030405000-4b7d9a")
	test.live.finish()
	if calls := plane.Calls(); len(calls) != 2 || !strings.HasPrefix(calls[1], "ReportLoad dev iris ") {
		t.Errorf("the plane was asked %q", calls)
	}
	if whyDone(t.Context()) != nil {
		t.Error("a test that goes on has a reason to end")
	}
}

// TestPlainTargetTellsNobody: an address has no control plane.
func TestPlainTargetTellsNobody(t *testing.T) {
	var test loadTest
	if ctx := test.tell(t.Context(), "", time.Minute); ctx != t.Context() || test.live != nil {
		t.Error("something was begun")
	}
	test.live.follow(&test.Options, "")
	test.live.came("", "")
	test.live.finish()
	if test.Progress != nil {
		t.Error("a test tells of itself though nobody listens")
	}
}
