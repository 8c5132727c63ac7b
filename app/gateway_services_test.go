package app_test

import (
	"fmt"
	"net/http"
	"regexp"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/gateway"
)

// twins is what a description can say of several programs that answer for one
// service.
const twins = `
name: shop
services:
  cookie:
    RUN
    env: {VERSION: now}
    sticky: {cookie: shop}
    routes: [{path: /cookie, strip: true}]
  header:
    RUN
    env: {VERSION: now}
    sticky: {header: X-User}
    routes: [{path: /header, strip: true}]
  next:
    RUN
    env: {VERSION: next}
    mirror: {service: cookie, compare: true}
    routes: [{path: /next, strip: true}]
  rpc:
    RUN GRPC
    env: {VERSION: now}
    protocol: h2c
    routes: [{path: /test.Service}]
`

func TestFrontServesSeveralReleases(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	f.up(twins)
	t.Run("mirror", f.checkMirror)
	// A second release of both services, as a change of release has it for as
	// long as both answer.
	next := f.configOf(t, "dev/next").Releases[0].Targets
	f.configure(func(c *gateway.Config) {
		for i := range c.Services {
			if s := &c.Services[i]; s.Sticky != nil {
				s.Releases = append(s.Releases, gateway.Release{Name: "next", Weight: s.Releases[0].Weight, Targets: next})
			}
		}
	})
	t.Run("cookie", func(t *testing.T) { ways(t, f.checkCookie) })
	t.Run("header", f.checkStickyHeader)
}

func (f *front) configOf(t *testing.T, service string) gateway.Service {
	t.Helper()
	config, err := f.gateway.Config(t.Context())
	must(t, err)
	for _, s := range config.Services {
		if s.Name == service {
			return s
		}
	}
	t.Fatalf("no service %s", service)
	return gateway.Service{}
}

func (f *front) checkMirror(t *testing.T) {
	ways(t, func(t *testing.T, c *http.Client) {
		before := f.mirrored()
		for i := range 5 {
			e := send(t, c, request(t, "POST", f.url+"/next/x", fmt.Sprint("body ", i))).echoed(t)
			want(t, "answered by", e.Version, "next")
			want(t, "status", get(t, c, f.url+"/next/status?code=404").StatusCode, 404)
		}
		eventually(t, "all are compared", func() bool { m := f.mirrored(); return m.Same+m.Different+m.Failed == before.Same+before.Different+10 })
		m := f.mirrored()
		want(t, "sent", m.Sent-before.Sent, 10)
		want(t, "the same", m.Same-before.Same, 5)
		want(t, "different", m.Different-before.Different, 5)
		want(t, "dropped, skipped, failed", m.Dropped+m.Skipped+m.Failed, 0)
		last := m.Recent[len(m.Recent)-1]
		want(t, "the last one", fmt.Sprint(last.Method, " ", last.Path, " ", last.Field, " ", last.RequestID != ""), "POST /next/x body true")
	})
	if text := f.metrics(); !regexp.MustCompile(`greenlight_gateway_mirrored_total{outcome="different",service="dev/next"} 10`).MatchString(text) {
		t.Error("no series of differences")
	}
}

func (f *front) mirrored() gateway.MirrorStatus { return *f.of("dev/next").Mirror }

func (f *front) checkCookie(t *testing.T, c *http.Client) {
	seen := make(map[string]int)
	for range 40 {
		first := get(t, c, f.url+"/cookie")
		version := first.echoed(t).Version
		seen[version]++
		cookies := first.Cookies()
		if len(cookies) != 1 || cookies[0].Name != "shop" || !cookies[0].HttpOnly || cookies[0].Secure || cookies[0].Path != "/" {
			t.Fatalf("cookies %v", cookies)
		}
		for range 3 {
			again := get(t, c, f.url+"/cookie", "Cookie: other=1; shop="+cookies[0].Value)
			want(t, "the same client's", again.echoed(t).Version, version)
			want(t, "cookies set again", len(again.Cookies()), 0)
		}
	}
	if seen["now"] < 5 || seen["next"] < 5 {
		t.Errorf("40 clients are spread as %v", seen)
	}
}

func (f *front) checkStickyHeader(t *testing.T) {
	byUser, seen := make(map[string]string), make(map[string]int)
	ways(t, func(t *testing.T, c *http.Client) {
		for i := range 120 {
			user := fmt.Sprint("user-", i%40)
			version := get(t, c, f.url+"/header", "X-User: "+user).echoed(t).Version
			if before, known := byUser[user]; known {
				want(t, user, version, before)
			} else {
				seen[version]++
			}
			byUser[user] = version
		}
	})
	if seen["now"] < 5 || seen["next"] < 5 {
		t.Errorf("40 users are spread as %v", seen)
	}
}

// TestFrontLetsQuietStreamsLive holds streams open on which nothing is said for
// longer than a client may stall.
func TestFrontLetsQuietStreamsLive(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	f.up(version("v1"))
	const stall = 200 * time.Millisecond
	f.configure(func(c *gateway.Config) { c.Server.StallTimeout = gateway.Duration(stall) })
	c := newClient(t, false, "127.0.0.1")
	events, socket := f.openEvents(t, newClient(t, true, "127.0.0.1")), f.openSocket(t)
	defer events.close()
	events.want("v1 0")
	sayOn(t, socket, "v1", "before")
	<-time.After(4 * stall) // what is tested is that nothing happens
	get(t, c, f.url+"/next")
	events.want("v1 1")
	sayOn(t, socket, "v1", "after")
}
