package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/load"
)

const replayed = `
name: shop
gateway: {access_log: 100%}
services:
  web:
    RUN
    routes: [{path: /}]
  api:
    RUN
    routes: [{path: /api}]
`

// TestReplayOfTheGatewaysLog sends what the gateway itself logged once more, to
// the service by its name and to the gateway's address.
func TestReplayOfTheGatewaysLog(t *testing.T) {
	t.Parallel()
	f := newFront(t)
	f.up(replayed)
	c := newClient(t, false, "127.0.0.1")
	for _, r := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/a?token=hunter2", "", 200}, {"GET", "/a", "", 200}, {"HEAD", "/a", "", 200}, {"GET", "/with%20space", "", 200},
		{"GET", "/status?code=404", "", 404}, {"GET", "/status?code=503", "", 503},
		{"POST", "/a", "5", 200}, {"POST", "/b", "7", 200}, {"POST", "/c", "9", 200}, {"DELETE", "/a", "", 200}, {"GET", "/api/x", "", 200},
	} {
		want(t, r.method+" "+r.path, send(t, c, request(t, r.method, f.url+r.path, r.body, "X-Request-Id: first")).StatusCode, r.status)
	}
	first := f.copyLog(t, "first", 11)
	must(t, os.WriteFile(f.path("bodies.jsonl"), []byte(`{"method":"POST","path":"/a","body":"five","headers":{"X-Request-Id":"again"}}
{"method":"POST","path":"/b","body":"seven","headers":{"X-Request-Id":"again"}}
`), 0o600))
	const noQueries = "the log holds no queries, headers and bodies, so none of the recorded ones are sent"
	for name, tt := range map[string]struct {
		args, routes, notes []string
	}{
		"safe": {[]string{"web"}, []string{"GET /a 2 of 2", "GET /status 1 of 2", "GET /with%20space 1 of 1", "HEAD /a 1 of 1"}, []string{
			"6 of 11 requests of the log are replayed; left out: 1 DELETE, which may change something (--replay-unsafe sends them), " +
				"1 to other services, or none, 3 POST, which may change something (--replay-unsafe sends them)", noQueries}},
		"unsafe": {[]string{"web", "--replay-unsafe", "--requests", f.path("bodies.jsonl")},
			[]string{"DELETE /a 1 of 1", "GET /a 2 of 2", "GET /status 1 of 2", "GET /with%20space 1 of 1", "HEAD /a 1 of 1", "POST /a 1 of 1", "POST /b 1 of 1"},
			[]string{"9 of 11 requests of the log are replayed; left out: 1 POST without a body to send (--body, or --requests for each path), 1 to other services, or none", noQueries}},
		"everything": {[]string{f.url, "--replay-unsafe", "--body", f.path("bodies.jsonl")},
			[]string{"DELETE /a 1 of 1", "GET /a 2 of 2", "GET /api/x 1 of 1", "GET /status 1 of 2", "GET /with%20space 1 of 1", "HEAD /a 1 of 1", "POST /a 1 of 1", "POST /b 1 of 1", "POST /c 1 of 1"},
			[]string{noQueries}},
		"times": {[]string{f.url + "/a", "--replay-times"}, []string{"GET /a 11 of 11"}, nil},
	} {
		r := f.replay(t, append(tt.args, "--replay", first, "--speed", "2x")...)
		var routes []string
		for _, route := range r.Routes {
			if at := slices.IndexFunc(routes, func(s string) bool { return strings.HasPrefix(s, route.Name+" ") }); at >= 0 {
				t.Errorf("%s: two statuses of %s", name, route.Name)
			}
			routes = append(routes, fmt.Sprintf("%s %d of %d", route.Name, route.Requests-route.Errors, route.Requests))
		}
		// Without its query the path gives 400: right where 404 was logged, wrong
		// where the log has a fault.
		want(t, name, strings.Join(routes, ", "), strings.Join(tt.routes, ", "))
		want(t, name+", notes", strings.Join(r.Notes, "\n"), strings.Join(tt.notes, "\n"))
	}
	_, lines := f.logged(t)
	var again []string
	eventually(t, "the lines of the replay", func() bool {
		again = nil
		_, lines = f.logged(t)
		for _, l := range lines {
			if l.ID == "again" {
				again = append(again, l.Method+" "+l.Path)
			}
		}
		return len(again) == 2
	})
	slices.Sort(again)
	want(t, "with headers of the file", strings.Join(again, ", "), "POST /a, POST /b")
}

// copyLog waits until the gateway has written so many lines with an id.
func (f *front) copyLog(t *testing.T, id string, n int) string {
	t.Helper()
	text := ""
	eventually(t, "the log", func() bool {
		var lines []logLine
		if _, err := os.Stat(f.path(".greenlight", "gateway-access.log")); err != nil {
			return false
		}
		if data, _ := os.ReadFile(f.path(".greenlight", "gateway-access.log")); len(data) == 0 {
			return false
		}
		text, lines = f.logged(t)
		lines = slices.DeleteFunc(lines, func(l logLine) bool { return l.ID != id })
		return len(lines) == n
	})
	var kept strings.Builder
	for line := range strings.Lines(text) {
		if strings.Contains(line, `"id":"`+id+`"`) {
			kept.WriteString(line)
		}
	}
	path := f.path(id + ".log")
	must(t, os.WriteFile(path, []byte(kept.String()), 0o600))
	return path
}

func (f *front) replay(t *testing.T, args ...string) (r load.Result) {
	t.Helper()
	command := exec.Command(program, append([]string{"load", "--state", f.path(".greenlight"), "--max-lag", "30s", "--json", "--quiet", "--no-keep"}, args...)...)
	var stderr strings.Builder
	command.Stderr = &stderr
	out, err := command.Output()
	if json.Unmarshal(out, &r) != nil || r.Requests == 0 {
		t.Fatalf("%q: %v\n%s%s", args, err, out, &stderr)
	}
	if n := r.Statuses[fmt.Sprint(http.StatusBadGateway)]; n > 0 {
		t.Errorf("%q: %d × 502", args, n)
	}
	return r
}
