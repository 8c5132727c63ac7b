package gateway_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/gateway"
)

func TestPauseHoldsAndResumeReleases(t *testing.T) {
	old, fresh := newBackend(t, "old"), newBackend(t, "new")
	config := to(old.address())
	config.Services[0].Hold = gateway.Hold{Requests: 5}
	g := start(t, config)
	c := httpClient(t)
	ctx := context.Background()
	if err := g.client.Pause(ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	answers := make(chan reply, 5)
	var waiting sync.WaitGroup
	for range 5 {
		waiting.Go(func() { answers <- do(t, c, request(t, "POST", g.url, "!")) })
	}
	eventually(t, "five are held", func() bool { return g.Status().Services[0].Held == 5 })
	got := get(t, c, g.url)
	wantStatus(t, got, http.StatusServiceUnavailable)
	if got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	config.Services[0].State = gateway.Paused
	config.Services[0].Releases = []gateway.Release{release("v2", 1, fresh.address())}
	g.apply(config)
	if s := g.Status().Services[0]; s.State != gateway.Paused || s.Held != 5 {
		t.Fatalf("after a change of release: %+v", s)
	}
	if err := g.client.Resume(ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	waiting.Wait()
	for range 5 {
		if got := <-answers; got.body != "new!" {
			t.Errorf("a held request was answered %d %q", got.status, got.body)
		}
	}
	if old.requests.Load() != 0 {
		t.Error("the old release was asked")
	}
}

func TestHoldTimesOut(t *testing.T) {
	b := newBackend(t, "b")
	config := to(b.address())
	config.Services[0].State = gateway.Paused
	config.Services[0].Hold.Timeout = duration(30 * time.Millisecond)
	g := start(t, config)
	wantStatus(t, get(t, httpClient(t), g.url), http.StatusServiceUnavailable)
	if g.Status().Services[0].Held != 0 {
		t.Error("a request is still held")
	}
}

func TestHeldClientLeaves(t *testing.T) {
	b := newBackend(t, "b")
	config := to(b.address())
	config.Services[0].State = gateway.Paused
	g := start(t, config)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		resp, err := httpClient(t).Do(request(t, "GET", g.url, "").WithContext(ctx))
		if err == nil {
			resp.Body.Close()
		}
	}()
	eventually(t, "it is held", func() bool { return g.Status().Services[0].Held == 1 })
	cancel()
	<-done
	eventually(t, "it is gone", func() bool { return g.Status().Services[0].Held == 0 })
}

func TestDrain(t *testing.T) {
	b := newBackend(t, "b")
	finish := make(chan struct{})
	b.handle(func(w http.ResponseWriter, _ *http.Request) { <-finish; _, _ = w.Write([]byte("done")) })
	g := start(t, to(b.address()))
	c := httpClient(t)
	answer := make(chan reply, 1)
	go func() { answer <- get(t, c, g.url) }()
	eventually(t, "one is under way", func() bool { return g.Status().Services[0].InFlight == 1 })
	if err := g.client.Drain(context.Background(), "shop"); err != nil {
		t.Fatal(err)
	}
	wantStatus(t, get(t, c, g.url), http.StatusServiceUnavailable)
	close(finish)
	if got := <-answer; got.body != "done" {
		t.Errorf("the request under way was answered %d %q", got.status, got.body)
	}
	if err := g.client.Drain(context.Background(), "nothing"); greenlight.CodeOf(err) != greenlight.CodeNotFound {
		t.Errorf("draining a service that is not there: %v", err)
	}
}

// A target that was taken out is counted until its last answer, so that its
// process can be stopped without failing a request.
func TestWaitLeft(t *testing.T) {
	old, fresh := newBackend(t, "old"), newBackend(t, "new")
	finish := make(chan struct{})
	old.handle(func(w http.ResponseWriter, _ *http.Request) { <-finish; _, _ = w.Write([]byte("old")) })
	g := start(t, to(old.address()))
	c := httpClient(t)
	answer := make(chan reply, 1)
	go func() { answer <- get(t, c, g.url) }()
	eventually(t, "one is under way", func() bool { return g.Status().Services[0].InFlight == 1 })
	g.apply(one(gateway.Service{Releases: []gateway.Release{release("v2", 1, fresh.address())}}))
	if got := get(t, c, g.url); got.body != "new" {
		t.Errorf("%q answered after the change", got.body)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Millisecond)
	defer cancel()
	if err := g.client.WaitLeft(ctx, "shop", "v1-0"); err == nil {
		t.Error("WaitLeft returned while a request was under way")
	}
	close(finish)
	ctx, cancel = context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := g.client.WaitLeft(ctx, "shop", "v1-0"); err != nil {
		t.Error(err)
	}
	if got := <-answer; got.body != "old" {
		t.Errorf("the request under way was answered %d %q", got.status, got.body)
	}
}
