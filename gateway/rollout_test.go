package gateway_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/gateway"
)

// die ends a backend as a killed process does: at once.
func (b *backend) die() {
	_ = b.Listener.Close()
	b.CloseClientConnections()
}

// A release is replaced again and again under load; the old replica is killed
// as soon as WaitLeft says that it is done.
func TestReleasesAreReplacedWithoutLoss(t *testing.T) {
	old := newBackend(t, "b")
	g := start(t, to(old.address()))
	var l load
	l.start(t, g.url, 6)
	defer l.end()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for range 20 {
		time.Sleep(20 * time.Millisecond)
		fresh := newBackend(t, "b")
		if err := g.client.Apply(ctx, to(fresh.address())); err != nil {
			t.Fatal(err)
		}
		if err := g.client.WaitLeft(ctx, "shop"); err != nil {
			t.Fatal(err)
		}
		old.die()
		old = fresh
	}
	l.end()
	t.Logf("%d requests over 20 releases, %d failed", l.sent.Load(), l.failed.Load())
	if l.failed.Load() > 0 {
		t.Errorf("%d of %d requests failed", l.failed.Load(), l.sent.Load())
	}
}

// When one of two replicas is killed, requests that may be sent again are not
// lost, even those that it was working on.
func TestReplicaDies(t *testing.T) {
	a, b := newBackend(t, "a"), newBackend(t, "b")
	for _, x := range []*backend{a, b} {
		x.handle(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(2 * time.Millisecond)
			_, _ = io.WriteString(w, "ok")
		})
	}
	g := start(t, one(gateway.Service{Releases: []gateway.Release{release("v1", 1, a.address(), b.address())}}))
	results := make(chan bool, 1000)
	c := httpClient(t)
	for range 8 {
		go func() {
			for range 50 {
				resp, err := c.Get(g.url)
				if err == nil {
					resp.Body.Close()
				}
				results <- err == nil && resp.StatusCode == 200
			}
		}()
	}
	for n := range 400 {
		if n == 100 {
			a.die()
		}
		if !<-results {
			t.Errorf("request %d failed", n)
		}
	}
	if s := g.target("v1-0"); s.Ejections == 0 {
		t.Errorf("the dead target was not ejected: %+v", s)
	}
}
