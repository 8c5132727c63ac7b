package api_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
)

// TestErrors maps every code to its status.
func TestErrors(t *testing.T) {
	lines := "greenlight.yaml:3:5: services.iris.replica: unknown field\n    replica: 2\n    ^~~~~~~"
	for _, tt := range []struct {
		err    error
		status int
		code   string
	}{
		{greenlight.Errorf(greenlight.CodeInvalid, "%s", lines), 400, "invalid"},
		{greenlight.Errorf(greenlight.CodeRefused, "no"), 403, "refused"},
		{greenlight.Errorf(greenlight.CodeNotFound, "no"), 404, "not_found"},
		{store.Conflict("environment dev"), 409, "conflict"},
		{greenlight.Errorf(greenlight.CodeUnsupported, "no"), 422, "unsupported"},
		{greenlight.Errorf(greenlight.CodeUnavailable, "no"), 503, "unavailable"},
		{greenlight.Errorf(greenlight.CodeInternal, "no"), 500, "internal"},
		{errors.New("no"), 500, "internal"},
		{fmt.Errorf("carried on: %w", greenlight.Errorf(greenlight.CodeNotFound, "no")), 404, "not_found"},
	} {
		f := full(t)
		f.plane.Before = func(string) error { return tt.err }
		document := openDocument(t, f)
		for _, r := range requests {
			if r.call == "" {
				continue
			}
			got := r.send(t, f.Socket)
			want := fmt.Sprintf(`{"error":{"code":%q,"message":%q}}`, tt.code, tt.err.Error())
			if got.status != tt.status || strings.TrimSpace(got.body) != want {
				t.Errorf("%s with %v: %d %s, want %d %s", r.id, tt.err, got.status, got.body, tt.status, want)
			}
			document.check(t, r.id, got)
		}
	}
}

// TestWrongRequests sends what is refused before anything is done.
func TestWrongRequests(t *testing.T) {
	for name, tt := range map[string]struct {
		method, path, body string
		status             int
		code, message      string
	}{
		"nothing there":       {"GET", "/api/v1/nothing", "", 404, "not_found", "there is nothing here"},
		"outside the API":     {"GET", "/nothing", "", 404, "not_found", "there is nothing here"},
		"another method":      {"DELETE", "/api/v1/status", "", 405, "invalid", "DELETE does not work here"},
		"no JSON":             {"PUT", "/api/v1/environments/dev", "name: shop", 400, "invalid", "body: invalid character"},
		"no body":             {"PUT", "/api/v1/environments/dev", "", 400, "invalid", "request body is required"},
		"a field is missing":  {"PUT", "/api/v1/environments/dev", `{"path":"/x"}`, 400, "invalid", "body: expected required property text to be present"},
		"a field too many":    {"PUT", iris + "/scale", `{"replicas":1,"now":true}`, 400, "invalid", "body.now: unexpected property"},
		"too many replicas":   {"PUT", iris + "/scale", `{"replicas":1001}`, 400, "invalid", "body.replicas: expected number <= 1000"},
		"a fraction":          {"PUT", iris + "/scale", `{"replicas":1.5}`, 400, "invalid", "body.replicas: expected integer"},
		"a number too large":  {"GET", iris + "/series?points=99999", "", 400, "invalid", "query.points: expected number <= 3600"},
		"no number":           {"GET", "/api/v1/events?limit=all", "", 400, "invalid", "query.limit: invalid integer"},
		"no time":             {"GET", "/api/v1/events?since=today", "", 400, "invalid", "query.since: invalid date/time"},
		"unknown parameter":   {"GET", "/api/v1/events?last=5", "", 400, "invalid", "query.last: unknown query parameter"},
		"unknown role":        {"POST", "/api/v1/tokens", `{"name":"x","role":"root"}`, 400, "invalid", "body.role: expected value to be one of"},
		"token without name":  {"POST", "/api/v1/tokens", `{"name":"","role":"viewer"}`, 400, "invalid", "body.name: expected length >= 1"},
		"no such token":       {"DELETE", "/api/v1/tokens/zzz", "", 404, "not_found", "zzz"},
		"wrong Last-Event-ID": {"GET", "/api/v1/stream?only=all", "", 400, "invalid", "query.only[0]: expected value to be one of"},
		"too long":            {"PUT", "/api/v1/environments/dev", `{"path":"/x","text":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "invalid", "request body is too large"},
		"deep":                {"PUT", iris + "/scale", strings.Repeat("[", 500_000), 400, "invalid", "body: "},
		"no metrics":          {"GET", "/metrics", "", 404, "not_found", "keeps no metrics"},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t)
			got := ask(t, f.Socket, tt.method, tt.path, tt.body)
			if got.status != tt.status || !strings.HasPrefix(got.body, `{"error":{"code":"`+tt.code+`","message":"`) || !strings.Contains(got.body, tt.message) {
				t.Errorf("answered %d\n%.500s\nwant %d %s: %s", got.status, got.body, tt.status, tt.code, tt.message)
			}
			if len(got.body) > 1000 {
				t.Errorf("the answer has %d bytes: it repeats what was sent", len(got.body))
			}
			if calls := f.plane.Calls(); len(calls) > 0 {
				t.Errorf("the plane was asked %q", calls)
			}
		})
	}
	if got := ask(t, start(t).Socket, "POST", "/api/v1/status", ""); got.header.Get("Allow") != "GET" {
		t.Errorf("Allow: %q", got.header.Get("Allow"))
	}
}

func TestPanic(t *testing.T) {
	f := start(t)
	f.plane.Before = func(string) error { panic("a secret place") }
	got := ask(t, f.Socket, "GET", "/api/v1/status", "", "X-Request-Id", "abc-1")
	if got.status != 500 || !strings.Contains(got.body, "request abc-1") || strings.Contains(got.body, "secret") || strings.Contains(got.body, ".go") {
		t.Errorf("answered %d %s", got.status, got.body)
	}
	if log := f.log.String(); !strings.Contains(log, "a secret place") || !strings.Contains(log, "plane.go") || !strings.Contains(log, "request=abc-1") {
		t.Errorf("the log does not tell where it was:\n%s", log)
	}
	f.plane.Before = nil
	if got := ask(t, f.Socket, "GET", "/api/v1/status", ""); got.status != 200 {
		t.Errorf("afterwards: %d", got.status)
	}
}

func TestRequestIDs(t *testing.T) {
	f := start(t)
	for given, kept := range map[string]bool{"": false, "abc-1": true, "a b": false, strings.Repeat("x", 65): false} {
		got := ask(t, f.Socket, "GET", "/healthz", "", "X-Request-Id", given).header.Get("X-Request-Id")
		if kept != (got == given) || got == "" {
			t.Errorf("%q became %q", given, got)
		}
	}
}

func TestRestoreBounds(t *testing.T) {
	f := start(t)
	c, err := net.Dial("unix", strings.TrimPrefix(f.Socket, "unix://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(c, "POST /api/v1/restore HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\nSQLite", int64(17)<<30)
	status, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || !strings.Contains(status, " 413 ") {
		t.Errorf("answered %q, %v", status, err)
	}
	if calls := f.plane.Calls(); len(calls) > 0 {
		t.Errorf("the plane was asked %q", calls)
	}
}

// TestBackupBreaksOff: half a backup must not look like a whole one.
func TestBackupBreaksOff(t *testing.T) {
	f := start(t)
	f.plane.File = strings.Repeat("SQLite", 100_000)
	client, base := httpClient(t, f.Socket)
	f.plane.Fail = errors.New("disk gone")
	resp, err := client.Post(base+"/api/v1/backup", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); err == nil {
		t.Errorf("%d bytes came and no error", n)
	}
}
