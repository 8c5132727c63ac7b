package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api"
	"github.com/greenlight-dev/greenlight/api/apitest"
	"github.com/greenlight-dev/greenlight/api/client"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/store"
	"github.com/greenlight-dev/greenlight/store/sqlite"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type fixture struct {
	apitest.Server
	plane *apitest.Plane
	store *sqlite.Store
}

func start(t *testing.T, change ...func(*api.Options)) *fixture {
	t.Helper()
	st, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	f := &fixture{plane: &apitest.Plane{}, store: st}
	o := api.Options{Plane: f.plane, Events: st, Tokens: st, Log: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&o)
	}
	f.Server = apitest.Serve(t, o)
	return f
}

func open(t *testing.T, address, token string) *client.Client {
	t.Helper()
	c, err := client.New(address, token)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func (f *fixture) record(t *testing.T, kinds ...string) {
	t.Helper()
	for _, kind := range kinds {
		if _, err := f.store.Record(t.Context(), greenlight.Event{Actor: "test", Kind: kind, Service: "iris", Message: "m"}); err != nil {
			t.Fatal(err)
		}
	}
}

// operations calls everything once and compares what the plane was asked.
var operations = map[string]func(context.Context, *client.Client) (string, error){
	"Status": func(ctx context.Context, c *client.Client) (string, error) {
		s, err := c.Status(ctx)
		return fmt.Sprint(s.Control.PID, len(s.Environments)), err
	},
	"Apply dev {/shop/greenlight.yaml name: shop map[A:1]} by ACTOR": func(ctx context.Context, c *client.Client) (string, error) {
		a, err := c.Apply(ctx, "dev", description)
		return fmt.Sprint(a.Revision, a.Changed), err
	},
	"Preview dev {/shop/greenlight.yaml name: shop map[A:1]}": func(ctx context.Context, c *client.Client) (string, error) {
		p, err := c.Preview(ctx, "dev", description)
		return fmt.Sprint(p.Steps, p.Differences), err
	},
	"Plan a/b c": func(ctx context.Context, c *client.Client) (string, error) {
		p, err := c.Plan(ctx, "a/b c")
		return p.Environment, err
	},
	"Service dev ü?#%": func(ctx context.Context, c *client.Client) (string, error) {
		s, err := c.Service(ctx, "dev", "ü?#%")
		return s.Name + string(s.Description), err
	},
	"Series dev iris 2m0s 10": func(ctx context.Context, c *client.Client) (string, error) {
		s, err := c.Series(ctx, "dev", "iris", 90*time.Second, 10)
		return fmt.Sprint(len(s.Samples)), err
	},
	"Traffic dev iris 2026-01-01T00:00:00Z..2026-01-02T00:00:00Z day": func(ctx context.Context, c *client.Client) (string, error) {
		from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		list, err := c.Traffic(ctx, "dev", "iris", control.TrafficQuery{From: from, To: from.AddDate(0, 0, 1), Step: control.TrafficDays})
		return fmt.Sprint(len(list)), err
	},
	"LiveLoads dev iris": func(ctx context.Context, c *client.Client) (string, error) {
		list, err := c.LiveLoads(ctx, "dev", "iris")
		return fmt.Sprint(len(list)), err
	},
	"ReportLoad dev iris 20260102-030400000-9a4b7d open 199 by ACTOR": func(ctx context.Context, c *client.Client) (string, error) {
		order, err := c.ReportLoad(ctx, "dev", "iris", apitest.LiveLoad.ID, control.LoadReport{Model: "open", Last: control.LoadSecond{Rate: 199}})
		return order.Stop, err
	},
	"StopLoad dev iris 20260102-030400000-9a4b7d by ACTOR": func(ctx context.Context, c *client.Client) (string, error) {
		stopping, err := c.StopLoad(ctx, "dev", "iris", apitest.LiveLoad.ID)
		return stopping.By, err
	},
	"Scale dev iris to 3 by ACTOR": func(ctx context.Context, c *client.Client) (string, error) {
		three := 3
		s, err := c.Scale(ctx, "dev", "iris", control.ScaleTo{Replicas: &three})
		return s.Name, err
	},
	"Scale dev iris to as described by ACTOR": func(ctx context.Context, c *client.Client) (string, error) {
		s, err := c.Scale(ctx, "dev", "iris", control.ScaleTo{})
		return s.Name, err
	},
	`Restart dev iris "" by ACTOR`: func(ctx context.Context, c *client.Client) (string, error) {
		return "", c.Restart(ctx, "dev", "iris", "")
	},
	`Restart dev iris "r&1" by ACTOR`: func(ctx context.Context, c *client.Client) (string, error) {
		return "", c.Restart(ctx, "dev", "iris", "r&1")
	},
	"Try dev iris POST /predict?a=b 3": func(ctx context.Context, c *client.Client) (string, error) {
		r, err := c.Try(ctx, "dev", "iris", control.TryRequest{Method: "POST", Path: "/predict?a=b", Body: "[1]"})
		return fmt.Sprint(r.Status, r.Body), err
	},
	"Backup": func(ctx context.Context, c *client.Client) (string, error) {
		var b bytes.Buffer
		err := c.Backup(ctx, &b)
		return b.String(), err
	},
	"Restore by ACTOR": func(ctx context.Context, c *client.Client) (string, error) {
		return "", c.Restore(ctx, strings.NewReader("SQLite"))
	},
	"Down by ACTOR": func(ctx context.Context, c *client.Client) (string, error) { return "", c.Down(ctx) },
	"Logs dev iris {Replica:r1 Tail:5 Follow:false}": func(ctx context.Context, c *client.Client) (string, error) {
		var text []string
		err := c.Logs(ctx, "dev", "iris", control.LogQuery{Replica: "r1", Tail: 5}, func(l control.LogLine) error {
			text = append(text, l.Text)
			return nil
		})
		return strings.Join(text, "|"), err
	},
}

var description = control.Description{Path: "/shop/greenlight.yaml", Text: "name: shop", Variables: map[string]string{"A": "1"}}

var answers = map[string]string{
	"Status": "42 1",
	"Apply dev {/shop/greenlight.yaml name: shop map[A:1]} by ACTOR": "7 true",
	"Preview dev {/shop/greenlight.yaml name: shop map[A:1]}":        "[start iris-4b7d9aa-2: 2 are wanted] [services.iris.replicas: 1 → 2]",
	"Plan a/b c":              "a/b c",
	"Service dev ü?#%":        `ü?#%{"model":"model.onnx"}`,
	"Series dev iris 2m0s 10": "1",
	"Traffic dev iris 2026-01-01T00:00:00Z..2026-01-02T00:00:00Z day": "1",
	"LiveLoads dev iris": "1",
	"ReportLoad dev iris 20260102-030400000-9a4b7d open 199 by ACTOR": "user:grace",
	"StopLoad dev iris 20260102-030400000-9a4b7d by ACTOR":            "user:ada",
	"Scale dev iris to 3 by ACTOR":                                    "iris",
	"Scale dev iris to as described by ACTOR":                         "iris",
	"Try dev iris POST /predict?a=b 3":                                "200ok",
	"Backup":                                                          "SQLite format 3",
	"Logs dev iris {Replica:r1 Tail:5 Follow:false}":                  "a|b",
}

func TestOperations(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	f := start(t)
	f.plane.File = "SQLite format 3"
	f.plane.Lines = []control.LogLine{{Replica: "r1", Text: "a"}, {Replica: "r1", Text: "b"}}
	for _, address := range []string{f.Address, strings.TrimPrefix(f.Address, "http://")} {
		c := open(t, address, "")
		for call, do := range operations {
			before := len(f.plane.Calls())
			got, err := do(t.Context(), c)
			wanted := strings.ReplaceAll(call, "ACTOR", "user:"+me.Username)
			if calls := f.plane.Calls()[before:]; err != nil || len(calls) != 1 || calls[0] != wanted {
				t.Errorf("%s: the plane was asked %q, %v", wanted, calls, err)
			}
			if want := answers[call]; got != want {
				t.Errorf("%s: %q, want %q", call, got, want)
			}
		}
	}
	if got := f.plane.Restored(); got != "SQLite" {
		t.Errorf("restored %q", got)
	}
}

func TestEventsAndTokens(t *testing.T) {
	f := start(t)
	c := open(t, f.Socket, "")
	if err := c.Health(t.Context()); err != nil {
		t.Error(err)
	}
	f.record(t, "scaled", "started", "scaled")
	q := store.EventQuery{Kind: "scaled", Service: "iris", After: 1, Since: time.Now().Add(-time.Hour), Until: time.Now().Add(time.Hour), Newest: true, Limit: 5}
	events, err := c.Events(t.Context(), q)
	if err != nil || len(events) != 1 || events[0].ID != 3 {
		t.Errorf("events %+v, %v", events, err)
	}
	created, err := c.CreateToken(t.Context(), api.TokenRequest{Name: "ci", Role: store.RoleViewer})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := c.Tokens(t.Context())
	if err != nil || len(tokens) != 1 || tokens[0].ID != created.ID || tokens[0].Name != "ci" {
		t.Errorf("tokens %+v, %v", tokens, err)
	}
	as := open(t, f.Address, created.Secret)
	if _, err := as.Status(t.Context()); err != nil {
		t.Error(err)
	}
	if err := as.Down(t.Context()); greenlight.CodeOf(err) != greenlight.CodeRefused {
		t.Errorf("a viewer may end everything: %v", err)
	}
	if err := c.RevokeToken(t.Context(), created.ID); err != nil {
		t.Error(err)
	}
	if _, err := as.Status(t.Context()); greenlight.CodeOf(err) != greenlight.CodeRefused {
		t.Errorf("with a revoked token: %v", err)
	}
}

// TestErrors sends every code through every operation and back.
func TestErrors(t *testing.T) {
	lines := "greenlight.yaml:3:5: services.iris.replica: unknown field; did you mean <replicas>?\n    replica: 2\n    ^~~~~~~"
	f := start(t)
	c := open(t, f.Address, "")
	for _, code := range []greenlight.Code{
		greenlight.CodeInvalid, greenlight.CodeNotFound, greenlight.CodeUnsupported,
		greenlight.CodeRefused, greenlight.CodeUnavailable, greenlight.CodeInternal,
	} {
		f.plane.Before = func(string) error { return greenlight.Errorf(code, "%s", lines) }
		for call, do := range operations {
			_, err := do(t.Context(), c)
			if greenlight.CodeOf(err) != code || err.Error() != lines {
				t.Errorf("%s: %s %v, want %s", call, greenlight.CodeOf(err), err, code)
			}
			if errors.Is(err, client.ErrNotRunning) {
				t.Errorf("%s: an answer counts as none", call)
			}
		}
	}
	f.plane.Before = func(string) error { return store.Conflict("environment dev") }
	if _, err := c.Apply(t.Context(), "dev", description); !errors.Is(err, store.ErrConflict) || err.Error() != "environment dev: changed by someone else meanwhile" {
		t.Errorf("a conflict is %v", err)
	}
}

func TestNames(t *testing.T) {
	c := open(t, start(t).Address, "")
	for _, name := range []string{"", ".", ".."} {
		if _, err := c.Plan(t.Context(), name); greenlight.CodeOf(err) != greenlight.CodeInvalid {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestAddresses(t *testing.T) {
	for _, wrong := range []string{"", "unix://relative", "ftp://x", "http://", "http://a/b", "http://u:p@a", "http://a?b", "127.0.0.1:x", "unix:///a\x00b://"} {
		c, err := client.New(wrong, "")
		if err == nil {
			err = c.Health(t.Context())
		}
		if err == nil {
			t.Errorf("%q is an address", wrong)
		}
	}
}

func TestNotRunning(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := l.Addr().String()
	_ = l.Close()
	for _, address := range []string{free, "unix://" + filepath.Join(t.TempDir(), "control.sock")} {
		err := open(t, address, "").Health(t.Context())
		if !errors.Is(err, client.ErrNotRunning) || greenlight.CodeOf(err) != greenlight.CodeUnavailable {
			t.Errorf("%s: %v", address, err)
		}
		if want := client.ErrNotRunning.Error() + " (nothing answers at " + address + ")"; err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
		if err := open(t, address, "").Stream(t.Context(), 0, client.Watcher{Status: func(control.Status) error { return nil }}); !errors.Is(err, client.ErrNotRunning) {
			t.Errorf("the stream of %s: %v", address, err)
		}
	}
}

// TestStrangers answers as something else than a control plane would.
func TestStrangers(t *testing.T) {
	for name, tt := range map[string]struct {
		status int
		body   string
		code   greenlight.Code
	}{
		"a page":     {200, "<html>", greenlight.CodeUnavailable},
		"a proxy":    {502, "<html>", greenlight.CodeUnavailable},
		"not found":  {404, "404 page not found", greenlight.CodeNotFound},
		"a redirect": {302, "", greenlight.CodeInvalid},
		"a door":     {401, `{"error":"no"}`, greenlight.CodeRefused},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				t.Errorf("%s: was followed with %q", name, r.Header)
			}
			w.Header().Set("Location", "/elsewhere")
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(tt.status)
			_, _ = w.Write([]byte(tt.body))
		}))
		_, err := open(t, s.URL, "glt_x_y").Status(t.Context())
		if greenlight.CodeOf(err) != tt.code || !strings.Contains(err.Error(), "no control plane") {
			t.Errorf("%s: %s %v", name, greenlight.CodeOf(err), err)
		}
		s.Close()
	}
}

func TestCancelled(t *testing.T) {
	f := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.plane.Before = func(string) error { cancel(); time.Sleep(50 * time.Millisecond); return nil }
	_, err := open(t, f.Address, "").Status(ctx)
	if !errors.Is(err, context.Canceled) || errors.Is(err, client.ErrNotRunning) {
		t.Errorf("%v", err)
	}
}

func TestDiscover(t *testing.T) {
	f := start(t)
	socket := strings.TrimPrefix(f.Socket, "unix://")
	if c, err := client.Discover(filepath.Dir(socket)); err != nil || c.Address() != f.Socket {
		t.Fatalf("by the socket: %v", err)
	}
	stale := t.TempDir()
	if err := os.WriteFile(filepath.Join(stale, "control.sock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Discover(stale); !errors.Is(err, client.ErrNotRunning) {
		t.Errorf("by a socket that nobody listens on: %v", err)
	}
	for name, tt := range map[string]struct {
		record string
		found  bool
	}{
		"by the record":      {`{"pid":42,"address":"` + f.Address + `"}`, true},
		"of another process": {`{"pid":41,"address":"` + f.Address + `"}`, false},
		"of one that ended":  {`{"pid":42,"address":"127.0.0.1:1"}`, false},
		"that is empty":      {``, false},
		"without an address": {`{"pid":42}`, false},
		"of another world":   {`{"pid":42,"address":"gopher://x"}`, false},
	} {
		state := t.TempDir()
		if err := os.WriteFile(filepath.Join(state, "control.json"), []byte(tt.record), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := client.Discover(state)
		if tt.found != (err == nil) || !tt.found && !errors.Is(err, client.ErrNotRunning) {
			t.Errorf("%s: %v", name, err)
		}
		if c != nil {
			c.Close()
		}
	}
	if _, err := client.Discover(filepath.Join(t.TempDir(), "none")); !errors.Is(err, client.ErrNotRunning) {
		t.Errorf("without a folder: %v", err)
	}
}

func TestBackupBreaksOff(t *testing.T) {
	f := start(t)
	f.plane.File, f.plane.Fail = strings.Repeat("x", 1<<20), errors.New("disk gone")
	var b bytes.Buffer
	err := open(t, f.Address, "").Backup(t.Context(), &b)
	if greenlight.CodeOf(err) != greenlight.CodeUnavailable || !strings.Contains(err.Error(), "broke off") {
		t.Errorf("%v", err)
	}
	f.plane.Fail = nil
	full := errors.New("disk full")
	if err := open(t, f.Address, "").Backup(t.Context(), failing{full}); !errors.Is(err, full) || strings.Contains(err.Error(), "broke off") {
		t.Errorf("a failing writer: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

var errEnough = errors.New("enough")

func TestFollowEvents(t *testing.T) {
	f := start(t)
	f.record(t, "scaled", "started", "scaled", "scaled")
	var got []int64
	err := open(t, f.Socket, "").FollowEvents(t.Context(), store.EventQuery{Kind: "scaled", Limit: 2}, func(e greenlight.Event) error {
		switch got = append(got, e.ID); len(got) {
		case 2:
			f.record(t, "started", "scaled")
		case 3:
			return errEnough
		}
		return nil
	})
	if err != errEnough || !slices.Equal(got, []int64{3, 4, 6}) {
		t.Errorf("%v, %v", got, err)
	}
}
