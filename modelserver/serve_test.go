package modelserver_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/engine"
	"github.com/greenlight-dev/greenlight/engine/native"
	"github.com/greenlight-dev/greenlight/modelserver"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/tensor"
)

// fakeEngine computes every model with one function.
type fakeEngine func(ctx context.Context, in, out []tensor.Value) error

func (f fakeEngine) Name() string { return "fake" }

func (f fakeEngine) Load(_ context.Context, m *onnx.Model) (engine.Session, error) {
	return &fakeSession{m, f}, nil
}

type fakeSession struct {
	model *onnx.Model
	run   fakeEngine
}

func (s *fakeSession) Inputs() []onnx.ValueInfo  { return s.model.Graph.Inputs }
func (s *fakeSession) Outputs() []onnx.ValueInfo { return s.model.Graph.Outputs }
func (s *fakeSession) Close() error              { return nil }
func (s *fakeSession) Run(ctx context.Context, in, out []tensor.Value) error {
	return s.run(ctx, in, out)
}

// load loads a model with the native engine.
func load(t testing.TB, arg string) *modelserver.Model {
	t.Helper()
	m, err := tryLoad(arg, native.New(native.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func tryLoad(arg string, e engine.Engine) (*modelserver.Model, error) {
	src, err := modelserver.ParseSource(arg)
	if err != nil {
		return nil, err
	}
	return modelserver.Load(context.Background(), src, modelserver.LoadOptions{Engines: []engine.Engine{e}})
}

// loadFile loads a model file's bytes, named "m".
func loadFile(t testing.TB, file []byte, e engine.Engine) *modelserver.Model {
	t.Helper()
	m, err := tryLoad("m="+writeModel(t, file), e)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// writeModel makes a folder that holds a model.
func writeModel(t testing.TB, file []byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "model.onnx"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func serve(t testing.TB, o modelserver.Options, models ...*modelserver.Model) *httptest.Server {
	t.Helper()
	s, err := modelserver.NewServer(models, o)
	if err != nil {
		t.Fatal(err)
	}
	ts := httptest.NewServer(s.Handler())
	t.Cleanup(ts.Close)
	return ts
}

// answer is a response, read.
type answer struct {
	status int
	body   string
	header http.Header
}

func (a answer) json(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
}

func do(t testing.TB, request *http.Request) answer {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, strings.TrimSuffix(string(body), "\n"), response.Header}
}

func post(t testing.TB, url, body string) answer {
	t.Helper()
	request, err := http.NewRequest("POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return do(t, request)
}

func get(t testing.TB, url string) answer {
	t.Helper()
	request, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, request)
}
