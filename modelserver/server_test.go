package modelserver_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/modelserver"
	"github.com/greenlight-dev/greenlight/tensor"
)

// blocking is an engine whose calls wait until they are let go; entered has
// an entry for each.
type blocking struct {
	entered, release chan struct{}
}

func newBlocking() *blocking {
	return &blocking{make(chan struct{}, 100), make(chan struct{})}
}

func (b *blocking) run(ctx context.Context, in, out []tensor.Value) error {
	b.entered <- struct{}{}
	select {
	case <-b.release:
	case <-ctx.Done():
		return ctx.Err()
	}
	out[0] = in[0].CloneValue()
	return nil
}

// loadBlocking loads a model past its warm-up.
func loadBlocking(t testing.TB) (*blocking, *modelserver.Model) {
	b := newBlocking()
	go func() {
		<-b.entered
		b.release <- struct{}{}
	}()
	m := loadFile(t, relay([]int{-1, 1}, []int{-1, 1}), fakeEngine(b.run))
	return b, m
}

func TestSeveralModels(t *testing.T) {
	url := serve(t, modelserver.Options{Version: "dev"}, load(t, "../examples/penguins"), load(t, "b=../examples/penguins")).URL
	if a := post(t, url+"/predict", penguinsRow); a.status != 404 || !strings.Contains(a.body, "2 models are served (penguins, b); post to /models/{name}/predict") {
		t.Errorf("got %d %s", a.status, a.body)
	}
	for _, name := range []string{"penguins", "b"} {
		if a := post(t, url+"/models/"+name+"/predict", penguinsRow); !strings.HasPrefix(a.body, `{"model":"`+name+`","predictions":[{"label":"Chinstrap"`) {
			t.Errorf("got %d %s", a.status, a.body)
		}
	}
	want := `{"models":[{"name":"penguins","predict":"/models/penguins/predict","infer":"/v2/models/penguins/infer"},{"name":"b","predict":"/models/b/predict","infer":"/v2/models/b/infer"}],"name":"greenlight","version":"dev"}`
	if a := get(t, url+"/"); a.body != want {
		t.Errorf("got %s", a.body)
	}
	m := load(t, "../examples/penguins")
	if _, err := modelserver.NewServer([]*modelserver.Model{m, m}, modelserver.Options{}); err == nil || !strings.Contains(err.Error(), `two models are named "penguins"`) {
		t.Errorf("got %v", err)
	}
}

func TestToken(t *testing.T) {
	url := serve(t, modelserver.Options{Token: "secret"}, load(t, "../examples/penguins")).URL
	with := func(method, path, authorization string) answer {
		request, err := http.NewRequest(method, url+path, strings.NewReader(penguinsRow))
		if err != nil {
			t.Fatal(err)
		}
		if authorization != "" {
			request.Header.Set("Authorization", authorization)
		}
		return do(t, request)
	}
	for _, authorization := range []string{"", "Bearer", "Bearer wrong", "Bearer secret2", "bearer secret", "Basic secret"} {
		for _, path := range []string{"POST /predict", "GET /metrics", "GET /", "GET /v2/models/penguins", "POST /v2/models/penguins/infer", "GET /nothing"} {
			method, path, _ := strings.Cut(path, " ")
			a := with(method, path, authorization)
			if a.status != 401 || a.header.Get("WWW-Authenticate") != "Bearer" || !strings.Contains(a.body, `"error":`) {
				t.Errorf("%s with %q: %d %s", path, authorization, a.status, a.body)
			}
		}
	}
	if a := with("POST", "/predict", "Bearer secret"); a.status != 200 {
		t.Errorf("got %d %s", a.status, a.body)
	}
	for _, path := range []string{"/healthz", "/v2/health/live", "/v2/health/ready"} {
		if a := with("GET", path, ""); a.status != 200 {
			t.Errorf("%s without token: %d", path, a.status)
		}
	}
}

func TestBodyLimit(t *testing.T) {
	url := serve(t, modelserver.Options{MaxBodyBytes: 200}, load(t, "../examples/penguins")).URL
	for _, path := range []string{"/predict", "/v2/models/penguins/infer"} {
		for _, length := range []int64{-1, 201} { // chunked, and announced
			request, err := http.NewRequest("POST", url+path, io.MultiReader(strings.NewReader(strings.Repeat(" ", 201))))
			if err != nil {
				t.Fatal(err)
			}
			request.ContentLength = length
			if a := do(t, request); a.status != 413 || !strings.Contains(a.body, "the body is larger than 200 bytes") {
				t.Errorf("%s, length %d: %d %s", path, length, a.status, a.body)
			}
		}
	}
	if a := post(t, url+"/predict", penguinsRow+strings.Repeat(" ", 200-len(penguinsRow))); a.status != 200 {
		t.Errorf("a body of the limit: %d %s", a.status, a.body)
	}
}

func TestMetrics(t *testing.T) {
	url := serve(t, modelserver.Options{}, load(t, "../examples/penguins")).URL
	post(t, url+"/predict", penguinsRow)
	post(t, url+"/predict", `{"rows":[[43.2,16.6,187,2900,"Dream","female"],[43.2,16.6,187,2900,"Dream","female"]]}`)
	post(t, url+"/predict", `{}`)
	post(t, url+"/predict", `{`)
	post(t, url+"/v2/models/penguins/infer", goodInfer)
	post(t, url+"/v2/models/penguins/infer", `{}`)
	post(t, url+"/models/other/predict", `{}`)
	a := get(t, url+"/metrics")
	if !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
		t.Errorf("content type %q", a.header.Get("Content-Type"))
	}
	for _, line := range []string{
		`greenlight_model_requests_total{model="penguins",protocol="predict"} 4`,
		`greenlight_model_requests_total{model="penguins",protocol="v2"} 2`,
		`greenlight_model_failures_total{code="invalid",model="penguins"} 3`,
		`greenlight_model_rows_total{model="penguins"} 4`,
		`greenlight_model_request_seconds_count{model="penguins"} 6`,
		`greenlight_model_engine_seconds_count{model="penguins"} 3`,
		`greenlight_model_queue_seconds_count{model="penguins"} 3`,
	} {
		if !strings.Contains(a.body, "\n"+line+"\n") {
			t.Errorf("no line %s", line)
		}
	}
	for _, pattern := range []string{
		`greenlight_model_proof_max_deviation\{model="penguins"\} [0-9.]+e-0[6-9]`,
		`greenlight_model_load_seconds\{model="penguins"\} 0\.\d+`,
		`greenlight_model_info\{engine="native",framework="scikit-learn [0-9.]+",model="penguins",sha256="[0-9a-f]{64}"\} 1`,
		`go_goroutines \d+`, `process_resident_memory_bytes \S+`,
	} {
		if !regexp.MustCompile("(?m)^" + pattern + "$").MatchString(a.body) {
			t.Errorf("no line %s", pattern)
		}
	}
}

func TestOverload(t *testing.T) {
	b, m := loadBlocking(t)
	url := serve(t, modelserver.Options{Concurrency: 1, MaxWaiting: 1}, m).URL
	results := make(chan answer, 3)
	ask := func() { results <- post(t, url+"/predict", `[[1]]`) }
	go ask()
	<-b.entered // it computes; of two more, one waits and one is refused
	go ask()
	go ask()
	if a := <-results; a.status != 503 || a.header.Get("Retry-After") != "1" || !strings.Contains(a.body, "1 requests are waiting already") {
		t.Errorf("got %d %s %v", a.status, a.body, a.header)
	}
	close(b.release)
	for range 2 {
		if a := <-results; a.status != 200 {
			t.Errorf("a request within the limits: %d %s", a.status, a.body)
		}
	}
	if a := get(t, url+"/metrics"); !strings.Contains(a.body, `greenlight_model_failures_total{code="unavailable",model="m"} 1`) {
		t.Error("the refusal is not counted")
	}
}

func TestClientsThatGoAwayWhileWaiting(t *testing.T) {
	b, m := loadBlocking(t)
	url := serve(t, modelserver.Options{Concurrency: 1}, m).URL
	done := make(chan answer, 1)
	go func() { done <- post(t, url+"/predict", `[[1]]`) }()
	<-b.entered
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, "POST", url+"/predict", strings.NewReader(`[[2]]`))
	if err != nil {
		t.Fatal(err)
	}
	if response, err := http.DefaultClient.Do(request); err == nil {
		response.Body.Close()
		t.Fatalf("answered %d", response.StatusCode)
	}
	const line = `greenlight_model_failures_total{code="canceled",model="m"} 1`
	for i := 0; !strings.Contains(get(t, url+"/metrics").body, line); i++ {
		if i == 500 {
			t.Fatal("the request still waits")
		}
		time.Sleep(10 * time.Millisecond)
	}
	close(b.release)
	if a := <-done; a.status != 200 {
		t.Errorf("the other request: %d %s", a.status, a.body)
	}
}

func TestFaultsOfTheEngineAreAnsweredAndLogged(t *testing.T) {
	var log bytes.Buffer
	what := ""
	m := loadFile(t, relay([]int{-1, 1}, []int{-1, 1}), fakeEngine(func(_ context.Context, in, out []tensor.Value) error {
		switch what {
		case "panic":
			panic("index out of range")
		case "error":
			return fmt.Errorf("node n: overflow")
		case "invalid":
			return greenlight.Errorf(greenlight.CodeInvalid, "node n: unknown category")
		}
		out[0] = in[0].CloneValue()
		return nil
	}))
	url := serve(t, modelserver.Options{Log: slog.New(slog.NewTextHandler(&log, nil)), Concurrency: 1}, m).URL
	for _, c := range []struct {
		what, body, path string
		status           int
		want, logged     string
	}{
		{"panic", `[[1]]`, "/predict", 500, `a fault of the server; its log says more`, "index out of range"},
		{"error", `[[1]]`, "/predict", 500, `node n: overflow`, "node n: overflow"},
		{"invalid", `[[1]]`, "/predict", 422, `node n: unknown category`, ""},
		{"invalid", `{"inputs":[{"name":"x","datatype":"FP32","shape":[1,1],"data":[1]}]}`, "/v2/models/m/infer", 400, `unknown category`, ""},
		{"", `[[1]]`, "/predict", 200, `{"value":1}`, ""},
	} {
		log.Reset()
		what = c.what
		a := post(t, url+c.path, c.body)
		if a.status != c.status || !strings.Contains(a.body, c.want) || !strings.Contains(log.String(), c.logged) || (c.logged == "") != (log.Len() == 0) {
			t.Errorf("%s: got %d %s, logged %s", c.what, a.status, a.body, log.String())
		}
	}
}

// start runs Serve on a port of its own; stop ends it and gives its error.
func start(t testing.TB, o modelserver.Options, m *modelserver.Model) (addr string, stop context.CancelFunc, ended <-chan error) {
	t.Helper()
	s, err := modelserver.NewServer([]*modelserver.Model{m}, o)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, ln) }()
	return ln.Addr().String(), cancel, done
}

// connection is a client that keeps its connection open.
type connection struct {
	net.Conn
	r *bufio.Reader
}

func dial(t *testing.T, addr string) *connection {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &connection{c, bufio.NewReader(c)}
}

func (c *connection) send(method, path, body string) {
	fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", method, path, len(body), body)
}

func (c *connection) read(t *testing.T) (status int, body string, closing bool) {
	t.Helper()
	response, err := http.ReadResponse(c.r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(b), response.Close
}

func TestServeDrains(t *testing.T) {
	b, m := loadBlocking(t)
	addr, stop, ended := start(t, modelserver.Options{}, m)
	busy, kept, other := dial(t, addr), dial(t, addr), dial(t, addr)
	other.send("GET", "/v2/models/m/ready", "")
	if status, body, _ := other.read(t); status != 200 || body != `{"name":"m","ready":true}`+"\n" {
		t.Errorf("before: %d %s", status, body)
	}
	kept.send("GET", "/healthz", "")
	if status, body, closing := kept.read(t); status != 200 || body != `{"status":"ok"}`+"\n" || closing {
		t.Errorf("before: %d %s closing=%v", status, body, closing)
	}
	busy.send("POST", "/predict", `[[7]]`)
	<-b.entered
	stop()
	waitForRefusal(t, addr)
	// A request on a connection that was open is still answered, and told to
	// close it.
	kept.send("GET", "/v2/health/ready", "")
	if status, body, closing := kept.read(t); status != 503 || body != `{"ready":false}`+"\n" || !closing {
		t.Errorf("draining: %d %s closing=%v", status, body, closing)
	}
	other.send("GET", "/healthz", "")
	if status, body, closing := other.read(t); status != 503 || body != `{"status":"stopping"}`+"\n" || !closing {
		t.Errorf("draining: %d %s closing=%v", status, body, closing)
	}
	select {
	case err := <-ended:
		t.Fatalf("Serve ended with a request running: %v", err)
	case <-time.After(20 * time.Millisecond):
	}
	close(b.release)
	if status, body, closing := busy.read(t); status != 200 || !strings.Contains(body, `{"value":7}`) {
		t.Errorf("the running request: %d %s closing=%v", status, body, closing)
	}
	if err := <-ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// waitForRefusal waits until nothing listens any more.
func waitForRefusal(t *testing.T, addr string) {
	t.Helper()
	for range 500 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		_ = c.Close()
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatal("the server still listens")
}

func TestServeLosesNoRequestWhenStopping(t *testing.T) {
	addr, stop, ended := start(t, modelserver.Options{}, load(t, "../examples/penguins"))
	var clients sync.WaitGroup
	for range 4 {
		c := dial(t, addr)
		clients.Go(func() {
			for closing := false; !closing; {
				c.send("POST", "/predict", penguinsRow)
				response, err := http.ReadResponse(c.r, nil)
				if err != nil {
					t.Errorf("a request was lost: %v", err)
					return
				}
				_, _ = io.Copy(io.Discard, response.Body)
				if response.StatusCode != 200 {
					t.Errorf("status %d", response.StatusCode)
				}
				closing = response.Close
			}
			_ = c.Close()
		})
	}
	time.Sleep(50 * time.Millisecond)
	stop()
	clients.Wait()
	began := time.Now()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 500*time.Millisecond {
		t.Errorf("with every connection closed, Serve took another %v", took)
	}
}

func TestServeGivesUpAfterTheGracePeriod(t *testing.T) {
	b, m := loadBlocking(t)
	addr, stop, ended := start(t, modelserver.Options{Grace: 50 * time.Millisecond}, m)
	c := dial(t, addr)
	c.send("POST", "/predict", `[[7]]`)
	<-b.entered
	stop()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "requests were still running after 50ms") {
		t.Errorf("got %v", err)
	}
}

func TestServeReportsAListenerThatFails(t *testing.T) {
	s, err := modelserver.NewServer(nil, modelserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	if err := s.Serve(t.Context(), ln); err == nil {
		t.Error("no error")
	}
}
