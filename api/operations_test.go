package api_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os/user"
	"slices"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/api"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/store"
)

const (
	description = `{"path":"/shop/greenlight.yaml","text":"name: shop","variables":{"A":"1"}}`
	iris        = "/api/v1/environments/dev/services/iris"
)

// request is a request for one operation.
type request struct {
	id, method, path, body string
	status                 int
	call                   string // what the plane is asked; ACTOR stands for who asks
	answer                 string // a part of it
	role                   store.Role
}

// requests has one for every operation, but those that change the tokens.
var requests = []request{
	{"health", "GET", "/healthz", "", 200, "", `{"status":"ok"}`, ""},
	{"metrics", "GET", "/metrics", "", 200, "", "greenlight_up 1", store.RoleViewer},
	{"status", "GET", "/api/v1/status", "", 200, "Status", `"address":"127.0.0.1:7070"`, store.RoleViewer},
	{"stream", "GET", "/api/v1/stream?only=status", "", 200, "Status", "event: status\n", store.RoleViewer},
	{"events", "GET", "/api/v1/events?environment=dev&limit=1", "", 200, "", `"kind":"scaled"`, store.RoleViewer},
	{"apply", "PUT", "/api/v1/environments/dev", description, 200, "Apply dev {/shop/greenlight.yaml name: shop map[A:1]} by ACTOR", `"revision":7`, store.RoleOperator},
	{"plan", "GET", "/api/v1/environments/dev/plan", "", 200, "Plan dev", `"differences":["services.iris.replicas: 1 → 2"]`, store.RoleViewer},
	{"preview", "POST", "/api/v1/environments/dev/plan", description, 200, "Preview dev {/shop/greenlight.yaml name: shop map[A:1]}", `"kind":"start"`, store.RoleOperator},
	{"service", "GET", iris, "", 200, "Service dev iris", `"sample":[[1,2]]`, store.RoleViewer},
	{"series", "GET", iris + "/series?minutes=5&points=10", "", 200, "Series dev iris 5m0s 10", `"rate":12.5`, store.RoleViewer},
	{"traffic", "GET", iris + "/traffic?from=2026-01-01T00:00:00Z&to=2026-01-03T00:00:00Z&step=day", "", 200, "Traffic dev iris 2026-01-01T00:00:00Z..2026-01-03T00:00:00Z day", `"observed":3600`, store.RoleViewer},
	{"logs", "GET", iris + "/logs?replica=r1&tail=3", "", 200, "Logs dev iris {Replica:r1 Tail:3 Follow:false}", "event: line\ndata: {\"replica\":\"r1\",\"text\":\"a <b>\"}\n", store.RoleViewer},
	{"scale", "PUT", iris + "/scale", `{"replicas":3}`, 200, "Scale dev iris to 3 by ACTOR", `"name":"iris"`, store.RoleOperator},
	{"restart", "POST", iris + "/restart?replica=r1", "", 202, `Restart dev iris "r1" by ACTOR`, "", store.RoleOperator},
	{"try", "POST", iris + "/try", `{"method":"GET","path":"/"}`, 200, "Try dev iris GET / 0", `"body":"ok"`, store.RoleOperator},
	{"keep-load", "POST", iris + "/loads", `{"format":"greenlight-load/1"}`, 200, `KeepLoad dev iris {"format":"greenlight-load/1"} by ACTOR`, `"id":"20260102-030405000-4b7d9a"`, store.RoleOperator},
	{"loads", "GET", iris + "/loads?limit=5", "", 200, "Loads dev iris 5", `"planned":200`, store.RoleViewer},
	{"load", "GET", iris + "/loads/20260102-030405000-4b7d9a", "", 200, "Load dev iris 20260102-030405000-4b7d9a", `"format":"greenlight-load/1"`, store.RoleViewer},
	{"live-loads", "GET", iris + "/loads/live", "", 200, "LiveLoads dev iris", `"state":"running"`, store.RoleViewer},
	{"report-load", "POST", iris + "/loads/live/20260102-030400000-9a4b7d", `{"model":"open","elapsed":3,"requests":600,"errors":0,"rate":200,"p50":0.001,"p99":0.002,"lag":0,"last":{"at":3,"planned":200,"rate":199,"errors":0,"p50":0.001,"p99":0.002}}`, 200,
		"ReportLoad dev iris 20260102-030400000-9a4b7d open 199 by ACTOR", `"stop":"user:grace"`, store.RoleOperator},
	{"stop-load", "POST", iris + "/loads/live/20260102-030400000-9a4b7d/stop", "", 200, "StopLoad dev iris 20260102-030400000-9a4b7d by ACTOR", `"by":"user:ada"`, store.RoleOperator},
	{"keep-capacity", "POST", iris + "/capacity", `{"version":1}`, 200, `KeepPlan dev iris {"version":1} by ACTOR`, `"id":"20260102-030405000-5c8e0b"`, store.RoleOperator},
	{"capacities", "GET", iris + "/capacity?limit=5", "", 200, "Plans dev iris 5", `"worst":0.04`, store.RoleViewer},
	{"capacity", "GET", iris + "/capacity/newest", "", 200, "CapacityPlan dev iris newest", `"plan":{"version":1`, store.RoleViewer},
	{"grade-capacity", "POST", iris + "/capacity/newest/grade", `{"worst":0.1,"held":1,"of":2,"limit":0.2,"expired":false,"text":"off by 10 %"}`, 200, "KeepGrade dev iris newest 1 of 2 by ACTOR", `"bottleneck":"replicas"`, store.RoleOperator},
	{"what-if", "POST", iris + "/capacity/newest/what-if", `{"rate":80,"zones":3,"survive_zone":true}`, 200, `WhatIf dev iris newest {"rate":80,"zones":3,"survive_zone":true}`, `"from":"newest"`, store.RoleViewer},
	{"backup", "POST", "/api/v1/backup", "", 200, "Backup", "SQLite", store.RoleAdmin},
	{"restore", "POST", "/api/v1/restore", "SQLite", 202, "Restore by ACTOR", "", store.RoleAdmin},
	{"down", "POST", "/api/v1/down", "", 202, "Down by ACTOR", "", store.RoleAdmin},
	{"list-tokens", "GET", "/api/v1/tokens", "", 200, "", `"name":"for-viewer"`, store.RoleAdmin},
	{"create-token", "POST", "/api/v1/tokens", `{"name":"ci","role":"viewer"}`, 200, "", `"secret":"glt_`, store.RoleAdmin},
	{"revoke-token", "DELETE", "/api/v1/tokens/none", "", 404, "", "", store.RoleAdmin},
}

// full is an API for which every one of requests works.
func full(t *testing.T, change ...func(*api.Options)) *fixture {
	t.Helper()
	metrics := func(o *api.Options) {
		o.Metrics = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; version=0.0.4")
			_, _ = io.WriteString(w, "greenlight_up 1\n")
		})
	}
	f := start(t, append(change, metrics)...)
	f.plane.Lines = []control.LogLine{{Replica: "r1", Text: "a <b>"}}
	f.plane.File = "SQLite format 3"
	f.record(t, 2)
	f.token(t, store.RoleViewer)
	return f
}

// send sends the request; of an endless stream it reads the beginning.
func (r request) send(t *testing.T, address string, header ...string) answered {
	t.Helper()
	if r.body != "" && r.id != "restore" {
		header = append(header, "Content-Type", "application/json")
	}
	if r.id != "stream" {
		return ask(t, address, r.method, r.path, r.body, append(header, "X-Greenlight", "1")...)
	}
	s := openStream(t, address, r.path, header...)
	if s.status != http.StatusOK {
		return answered{s.status, s.header, s.rest(t)}
	}
	e := s.next(t)
	return answered{s.status, s.header, "event: " + e.name + "\n"}
}

// TestOperations asks for everything, both ways, and holds the answers against
// openapi.yaml.
func TestOperations(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	for way, address := range map[string]func(*fixture) string{
		"socket":   func(f *fixture) string { return f.Socket },
		"loopback": func(f *fixture) string { return f.Address },
	} {
		f := full(t)
		document := openDocument(t, f)
		for _, r := range requests {
			t.Run(way+"/"+r.id, func(t *testing.T) {
				before := len(f.plane.Calls())
				got := r.send(t, address(f))
				if got.status != r.status || !strings.Contains(got.body, r.answer) {
					t.Fatalf("answered %d\n%s\nwant %d with\n%s", got.status, got.body, r.status, r.answer)
				}
				want := strings.ReplaceAll(r.call, "ACTOR", "user:"+me.Username)
				if calls := f.plane.Calls()[before:]; want != "" && !slices.Contains(calls, want) {
					t.Errorf("the plane was asked %q, want %q", calls, want)
				}
				document.check(t, r.id, got)
			})
		}
		if got := f.plane.Restored(); got != "SQLite" {
			t.Errorf("restored %q", got)
		}
	}
}

// TestEveryOperationIsTested keeps the list of this test complete.
func TestEveryOperationIsTested(t *testing.T) {
	document := openDocument(t, start(t))
	for id := range document.operations {
		if !slices.ContainsFunc(requests, func(r request) bool { return r.id == id }) {
			t.Errorf("operation %s has no request in the tests", id)
		}
	}
	if len(document.operations) != len(requests) {
		t.Errorf("%d operations are described, %d tested", len(document.operations), len(requests))
	}
}

func TestTokensLife(t *testing.T) {
	f := start(t)
	made := ask(t, f.Socket, "POST", "/api/v1/tokens", `{"name":"ci","role":"operator"}`)
	var created api.CreatedToken
	if err := json.Unmarshal([]byte(made.body), &created); err != nil || made.status != 200 {
		t.Fatalf("%d %s: %v", made.status, made.body, err)
	}
	use := func() int {
		return ask(t, f.Address, "GET", "/api/v1/status", "", "Authorization", "Bearer "+created.Secret).status
	}
	if got := use(); got != 200 {
		t.Errorf("the new token is answered %d", got)
	}
	if got := ask(t, f.Socket, "DELETE", "/api/v1/tokens/"+created.ID, ""); got.status != 204 || got.body != "" {
		t.Errorf("revoking answers %d %s", got.status, got.body)
	}
	if got := use(); got != 401 {
		t.Errorf("the revoked token is answered %d", got)
	}
	events, err := f.store.ListEvents(t.Context(), store.EventQuery{})
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range events {
		kinds = append(kinds, e.Kind)
		if !strings.HasPrefix(e.Actor, "user:") || strings.Contains(e.Message, created.Secret) {
			t.Errorf("event %+v", e)
		}
	}
	if !slices.Equal(kinds, []string{"token.created", "token.revoked"}) {
		t.Errorf("events %v", kinds)
	}
}
