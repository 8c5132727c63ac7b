package backend_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
)

func TestBackoff(t *testing.T) {
	var b backend.Backoff
	want := []time.Duration{0, 0, 500e6, 1e9, 2e9, 4e9, 8e9, 16e9, 32e9, time.Minute, time.Minute}
	for failures, delay := range want {
		if got := b.Delay(failures); got != delay {
			t.Errorf("Delay(%d) = %s, want %s", failures, got, delay)
		}
	}
	if got := b.Delay(1 << 40); got != time.Minute {
		t.Errorf("Delay of very many = %s", got)
	}
	if got := (backend.Backoff{First: time.Hour}).Delay(2); got != time.Minute {
		t.Errorf("Delay with First over Max = %s, want Max", got)
	}
	for ready, count := range map[time.Duration]int{0: 6, 9 * time.Second: 6, 10 * time.Second: 1} {
		if got := b.Count(5, ready); got != count {
			t.Errorf("Count(5, %s) = %d, want %d", ready, got, count)
		}
	}
	if b.State(2) != greenlight.ReplicaFailed || b.State(3) != greenlight.ReplicaCrashing {
		t.Error("crashing begins with the third failure")
	}
}

func TestCompleteAndSame(t *testing.T) {
	bare := greenlight.ReplicaSpec{ID: "a-1", Environment: "e", Service: "s", Command: []string{"x"}}
	full, err := backend.Complete(bare)
	if err != nil || full.StartGrace != 30*time.Second || full.StopGrace != 10*time.Second ||
		full.Ready != (greenlight.Probe{Interval: time.Second, Timeout: time.Second, Failures: 3, Successes: 1}) {
		t.Errorf("Complete = %+v, %v", full, err)
	}
	if again, err := backend.Complete(full); !backend.Same(again, full) || err != nil {
		t.Errorf("Complete twice = %+v, %v", again, err)
	}
	other := bare
	other.Env, other.Volumes = map[string]string{}, map[string]string{}
	if !backend.Same(bare, other) {
		t.Error("empty maps make a difference")
	}
	other.Secrets = map[string]greenlight.SecretRef{"A": {Env: "B"}}
	if backend.Same(bare, other) {
		t.Error("a secret makes no difference")
	}
	other.Env = map[string]string{"A": "x"}
	if _, err := backend.Complete(other); greenlight.CodeOf(err) != greenlight.CodeInvalid || !strings.Contains(err.Error(), "a-1") {
		t.Errorf("a variable that is a secret too: %v", err)
	}
}

func TestStartErrorSaysAll(t *testing.T) {
	err := error(&backend.StartError{ID: "a-1", Reason: "exit status 3", Health: "503: loading", Logs: []string{"x", "no space left"}})
	want := "replica a-1 did not start: exit status 3; last health answer: 503: loading; last log line: no space left"
	if err.Error() != want || greenlight.CodeOf(err) != greenlight.CodeUnavailable {
		t.Errorf("%v (%s), want %s", err, greenlight.CodeOf(err), want)
	}
}

func TestFeed(t *testing.T) {
	var f backend.Feed
	change := func(n int) backend.Change { return backend.Change{Replica: greenlight.Replica{Restarts: n}} }
	f.Tell(change(0)) // nobody hears
	if !f.Open() || f.Open() {
		t.Fatal("Open: once, not twice")
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for n := range 100 {
			f.Tell(change(n + 1))
		}
	}()
	var got []int
	f.Deliver(ctx, func(c backend.Change) {
		if got = append(got, c.Replica.Restarts); len(got) == 100 {
			cancel()
		}
	})
	for i, n := range got {
		if n != i+1 {
			t.Fatalf("delivered %v, want 1 to 100", got)
		}
	}
	f.Close()
	if !f.Open() {
		t.Error("it does not open again")
	}
}

func TestSort(t *testing.T) {
	list := []greenlight.Replica{{ID: "b", Service: "s", Environment: "e"}, {ID: "a", Service: "t", Environment: "e"}, {ID: "z", Service: "z", Environment: "a"}, {ID: "a", Service: "s", Environment: "e"}}
	backend.Sort(list)
	got := ""
	for _, r := range list {
		got += fmt.Sprintf("%s/%s/%s ", r.Environment, r.Service, r.ID)
	}
	if got != "a/z/z e/s/a e/s/b e/t/a " {
		t.Error(got)
	}
}
