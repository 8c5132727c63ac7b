package api_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api"
	"github.com/greenlight-dev/greenlight/api/apitest"
	"github.com/greenlight-dev/greenlight/store"
	"github.com/greenlight-dev/greenlight/store/sqlite"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is an API with everything behind it.
type fixture struct {
	apitest.Server
	plane *apitest.Plane
	store *sqlite.Store
	log   *lockedBuffer
}

// lockedBuffer is a log that can be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func start(t *testing.T, change ...func(*api.Options)) *fixture {
	t.Helper()
	st, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	f := &fixture{plane: &apitest.Plane{}, store: st, log: &lockedBuffer{}}
	o := api.Options{
		Plane: f.plane, Events: st, Tokens: st,
		Log: slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range change {
		c(&o)
	}
	f.Server = apitest.Serve(t, o)
	return f
}

// record writes n events.
func (f *fixture) record(t *testing.T, n int) {
	t.Helper()
	for range n {
		_, err := f.store.Record(t.Context(), greenlight.Event{
			Actor: "reconciler", Kind: "scaled", Environment: "dev", Service: "iris", Message: "from 1 to 2 replicas",
			Evidence: map[string]any{"concurrency": 20.5},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// token makes a token and gives its secret.
func (f *fixture) token(t *testing.T, role store.Role) string {
	t.Helper()
	secret, token := store.NewToken("for-"+string(role), role)
	if _, err := f.store.SaveToken(t.Context(), token, greenlight.Event{Actor: "test", Kind: "token.created", Message: "made"}); err != nil {
		t.Fatal(err)
	}
	return secret
}

// httpClient is a plain client for either listener, and the URL to begin with.
func httpClient(t *testing.T, address string) (*http.Client, string) {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	base := address
	if path, ok := strings.CutPrefix(address, "unix://"); ok {
		base = "http://localhost"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}
	}
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}, base
}

// answered is an answer that was read.
type answered struct {
	status int
	header http.Header
	body   string
}

// ask sends one request; header has pairs.
func ask(t *testing.T, address, method, path, body string, header ...string) answered {
	t.Helper()
	client, base := httpClient(t, address)
	req, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
			continue
		}
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answered{resp.StatusCode, resp.Header, string(text)}
}
