package gateway_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/gateway"
)

func mirroring(a, b string, m gateway.Mirror) *gateway.Config {
	return one(gateway.Service{Mirror: &m, Releases: []gateway.Release{release("v1", 1, a), release("v2", 0, b)}})
}

func (r *running) mirrorStatus() gateway.MirrorStatus { return *r.Status().Services[0].Mirror }

func TestMirrorCompares(t *testing.T) {
	a, b := newBackend(t, ""), newBackend(t, "")
	var seen atomic.Value
	answer := map[string][2]string{
		"same":   {`{"x":1,"y":[2]}`, `{ "y":[2.0], "x":1 }`},
		"differ": {`{"x":1}`, `{"x":2}`},
		"text":   {"hello", "hullo"},
	}
	for i, backend := range []*backend{a, b} {
		backend.handle(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			if i == 1 {
				seen.Store(r.Method + " " + r.URL.RequestURI() + " " + r.Header.Get("X-Greenlight-Mirror") + r.Header.Get("X-Own") + " " + string(body))
			}
			if string(body) == "status" && i == 1 {
				w.WriteHeader(http.StatusTeapot)
			}
			_, _ = io.WriteString(w, answer[string(body)][i])
		})
	}
	g := start(t, mirroring(a.address(), b.address(), gateway.Mirror{Release: "v2", Percent: 100, Compare: true}))
	c := httpClient(t)
	for i, body := range []string{"same", "differ", "text", "status"} {
		got := do(t, c, request(t, "POST", g.url+"/p?q=1", body, "X-Own: o"))
		wantStatus(t, got, 200)
		if got.body != answer[body][0] {
			t.Errorf("the client got %q", got.body)
		}
		eventually(t, "the copy is judged", func() bool { m := g.mirrorStatus(); return m.Same+m.Different == int64(i+1) })
		if want := "POST /p?q=1 1o " + body; seen.Load() != want {
			t.Errorf("the copy was %q, want %q", seen.Load(), want)
		}
	}
	m := g.mirrorStatus()
	if m.Sent != 4 || m.Same != 1 || m.Different != 3 || len(m.Recent) != 3 {
		t.Fatalf("%+v", m)
	}
	if d := m.Recent[2]; d.Field != "status" || d.MirrorCode != http.StatusTeapot || d.Path != "/p" || m.Recent[0].Field != "body" {
		t.Errorf("recent: %+v", m.Recent)
	}
}

func TestMirrorIsBounded(t *testing.T) {
	a, b := newBackend(t, "a"), newBackend(t, "b")
	finish := make(chan struct{})
	b.handle(func(_ http.ResponseWriter, _ *http.Request) { <-finish })
	g := start(t, mirroring(a.address(), b.address(), gateway.Mirror{Release: "v2", Percent: 100, Queue: 3, MaxBodyBytes: 100}))
	c := httpClient(t)
	begun := time.Now()
	for range 20 {
		if got := get(t, c, g.url); got.body != "a" {
			t.Fatalf("%q", got.body)
		}
	}
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("the mirror held up the client: %v", took)
	}
	if m := g.mirrorStatus(); m.Pending != 3 || m.Dropped != 17 {
		t.Errorf("%+v", m)
	}
	wantStatus(t, do(t, c, request(t, "POST", g.url, strings.Repeat("x", 101))), 200)
	if m := g.mirrorStatus(); m.Skipped != 1 {
		t.Errorf("%+v", m)
	}
	close(finish)
	eventually(t, "the three are sent", func() bool { return g.mirrorStatus().Sent == 3 })
}

func TestMirrorShare(t *testing.T) {
	a, b := newBackend(t, "a"), newBackend(t, "b")
	config := mirroring(a.address(), b.address(), gateway.Mirror{Service: "shadow", Percent: 20, Queue: 1000})
	config.Services[0].Releases = config.Services[0].Releases[:1]
	config.Services = append(config.Services, gateway.Service{Name: "shadow", Releases: []gateway.Release{release("v1", 1, b.address())}})
	g := start(t, config)
	c := httpClient(t)
	for range 1000 {
		get(t, c, g.url)
	}
	eventually(t, "all copies are sent", func() bool { return g.mirrorStatus().Pending == 0 })
	if n := b.requests.Load(); n < 130 || n > 270 { // more than five standard deviations
		t.Errorf("%d of 1000 requests were copied, want about 200", n)
	}
}

func TestMirrorThatIsDown(t *testing.T) {
	a, b := newBackend(t, "a"), newBackend(t, "b")
	b.Close()
	g := start(t, mirroring(a.address(), b.address(), gateway.Mirror{Release: "v2", Percent: 100, Compare: true}))
	if got := get(t, httpClient(t), g.url); got.body != "a" {
		t.Errorf("%q", got.body)
	}
	eventually(t, "the failure is counted", func() bool { return g.mirrorStatus().Failed == 1 })
}
