package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api/client"
	"github.com/greenlight-dev/greenlight/app"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/store"
)

// program is greenlight itself, built once: replicas and gateway are processes
// of it.
var program string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "greenlight-app")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(folder, "greenlight")
	if out, err := exec.Command("go", "build", "-o", program, "../cmd/greenlight").CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v: %s", err, out))
	}
	code := m.Run()
	os.RemoveAll(folder)
	os.Exit(code)
}

// world is one project folder with its control plane.
type world struct {
	t      *testing.T
	folder string
	state  string
	app    *app.App
	client *client.Client
	end    context.CancelFunc
	ended  chan error
	idle   bool
}

func newWorld(t *testing.T) *world {
	t.Cleanup(func() { goleak.VerifyNone(t, goleak.IgnoreCurrent()) })
	folder := t.TempDir()
	w := &world{t: t, folder: folder, state: filepath.Join(folder, ".greenlight")}
	w.copyModel("penguins", "penguins")
	t.Cleanup(func() {
		if w.app == nil {
			w.begin()
		}
		w.down()
		if left := w.processes(); len(left) > 0 {
			t.Errorf("processes are left: %q", left)
		}
	})
	w.begin()
	return w
}

// copyModel puts an example's model and proof into the project.
func (w *world) copyModel(example, to string) {
	w.t.Helper()
	must(w.t, os.MkdirAll(filepath.Join(w.folder, to), 0o755))
	for _, name := range []string{"model.onnx", "proof.json"} {
		data, err := os.ReadFile(filepath.Join("..", "examples", example, name))
		must(w.t, err)
		must(w.t, os.WriteFile(filepath.Join(w.folder, to, name), data, 0o600))
	}
}

func (w *world) options() app.Options {
	return app.Options{State: w.state, Control: "127.0.0.1:0", Gateway: "127.0.0.1:0", Idle: w.idle, Program: []string{program}, Version: "dev"} // the version of a program that was built like this one
}

// begin starts a control plane.
func (w *world) begin() {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	a, err := app.New(ctx, w.options())
	must(w.t, err)
	w.app, w.end, w.ended = a, cancel, make(chan error, 1)
	go func() { w.ended <- a.Run(ctx) }()
	w.client, err = client.Discover(w.state)
	must(w.t, err)
}

// stop ends the control plane alone.
func (w *world) stop() {
	w.t.Helper()
	w.end()
	w.finish()
}

func (w *world) finish() {
	w.t.Helper()
	select {
	case err := <-w.ended:
		must(w.t, err)
	case <-time.After(30 * time.Second):
		w.t.Fatal("the control plane does not end")
	}
	w.end()
	w.client.Close()
	must(w.t, w.app.Close())
	w.app = nil
}

// down stops everything.
func (w *world) down() {
	w.t.Helper()
	must(w.t, w.client.Down(context.Background()))
	w.finish()
}

// processes are the command lines of this project's processes.
func (w *world) processes() []string {
	var list []string
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	must(w.t, err)
	for _, f := range files {
		if data, err := os.ReadFile(f); err == nil && bytes.Contains(data, []byte(w.state)) {
			list = append(list, string(bytes.ReplaceAll(data, []byte{0}, []byte{' '})))
		}
	}
	return list
}

const oneService = "name: shop\nservices: {penguins: {model: penguins, replicas: %s}}\n"

func (w *world) apply(text string) control.Applied {
	w.t.Helper()
	applied, err := w.client.Apply(context.Background(), "dev", control.Description{Path: filepath.Join(w.folder, "greenlight.yaml"), Text: text})
	must(w.t, err)
	return applied
}

func (w *world) status() control.Status {
	w.t.Helper()
	s, err := w.client.Status(context.Background())
	must(w.t, err)
	return s
}

// await waits until the first service is good and as ok wants it.
func (w *world) await(what string, ok func(control.Service) bool) control.Service {
	w.t.Helper()
	var s control.Status
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		s = w.status()
		if len(s.Environments) == 1 && len(s.Environments[0].Services) > 0 {
			if v := s.Environments[0].Services[0]; v.Health == control.Good && (ok == nil || ok(v)) {
				return v
			}
		}
	}
	data, _ := json.MarshalIndent(s, "", " ")
	w.t.Fatalf("%s did not come about:\n%s\n%v", what, data, w.events(store.EventQuery{}))
	return control.Service{}
}

func (w *world) events(q store.EventQuery) []string {
	w.t.Helper()
	list, err := w.client.Events(context.Background(), q)
	must(w.t, err)
	var lines []string
	for _, e := range list {
		lines = append(lines, fmt.Sprintf("%s %s %s: %s", e.Actor, e.Kind, e.Subject, e.Message))
	}
	return lines
}

func pids(s control.Service) []int {
	var list []int
	for _, r := range s.Replicas {
		list = append(list, r.PID)
	}
	slices.Sort(list)
	return list
}

const penguin = `{"rows":[{"bill_length_mm":43.2,"bill_depth_mm":16.6,"flipper_length_mm":187,"body_mass_g":2900,"island":"Dream","sex":"female"}]}`

// predict asks through the gateway.
func (w *world) predict() (int, string) {
	w.t.Helper()
	resp, err := http.Post("http://"+w.status().Gateway.Address+"/predict", "application/json", strings.NewReader(penguin))
	must(w.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(w.t, err)
	return resp.StatusCode, string(body)
}

func (w *world) wantPrediction() {
	w.t.Helper()
	if code, body := w.predict(); code != http.StatusOK || !strings.Contains(body, `"label":"Chinstrap"`) {
		w.t.Errorf("got %d %s", code, body)
	}
	http.DefaultClient.CloseIdleConnections()
}

// load sends requests until its result is asked for.
func (w *world) load() func() (sent, failed int64) {
	address := w.status().Gateway.Address
	var sent, failed atomic.Int64
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	for i := range 4 {
		wait.Go(func() {
			transport := &http.Transport{DisableKeepAlives: i%2 == 0}
			defer transport.CloseIdleConnections()
			for ctx.Err() == nil {
				resp, err := (&http.Client{Transport: transport}).Post("http://"+address+"/predict", "application/json", strings.NewReader(penguin))
				sent.Add(1)
				if err == nil {
					_, err = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
				if err != nil || resp.StatusCode != http.StatusOK {
					failed.Add(1)
					w.t.Logf("failed: %v %+v", err, resp)
				}
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	return func() (int64, int64) {
		for sent.Load() < 100 {
			time.Sleep(time.Millisecond)
		}
		cancel()
		wait.Wait()
		return sent.Load(), failed.Load()
	}
}

func (w *world) wantNoneLost(result func() (int64, int64)) {
	w.t.Helper()
	if sent, failed := result(); failed > 0 {
		w.t.Errorf("%d of %d requests failed", failed, sent)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestUpServesAndHeals(t *testing.T) {
	w := newWorld(t)
	applied := w.apply(fmt.Sprintf(oneService, "2"))
	if !applied.Changed || applied.Revision != 1 || len(applied.Plan.Steps) != 3 {
		t.Errorf("applied %+v", applied)
	}
	s := w.await("two replicas", nil)
	w.wantPrediction()
	if again := w.apply(fmt.Sprintf(oneService, "2")); again.Changed || again.Revision != 1 || len(again.Plan.Steps) != 0 {
		t.Errorf("applied again: %+v", again)
	}

	result := w.load()
	killed := s.Replicas[1].PID
	must(t, syscall.Kill(killed, syscall.SIGKILL))
	w.await("a new replica", func(v control.Service) bool { return v.Ready == 2 && !slices.Contains(pids(v), killed) })
	if sent, failed := result(); failed > 4 { // those in flight on it
		t.Errorf("%d of %d requests failed", failed, sent)
	}
	ended := w.events(store.EventQuery{Kind: "replica.ended"})
	if len(ended) != 1 || !strings.Contains(ended[0], "reconciler replica.ended "+s.Replicas[1].ID) || !strings.Contains(ended[0], "SIGKILL") {
		t.Errorf("events %q", ended)
	}
}

func TestAServiceFromInside(t *testing.T) {
	w := newWorld(t)
	w.apply("name: shop\nservices: {penguins: {model: penguins}, web: {run: [python3, -m, http.server, --bind, 127.0.0.1, $PORT]}}")
	w.await("both", func(control.Service) bool { return w.status().Environments[0].Health == control.Good })
	detail, err := w.client.Service(t.Context(), "dev", "penguins")
	must(t, err)
	if len(detail.Models) != 1 || detail.Models[0].Path != "/predict" || len(detail.Models[0].Sample) == 0 || len(detail.Releases) != 1 || !detail.Releases[0].Current {
		t.Fatalf("detail %+v", detail)
	}
	if want := "http://" + w.status().Gateway.Address + "/penguins"; !slices.Equal(detail.URLs, []string{want}) {
		t.Errorf("urls %q, want %q", detail.URLs, want)
	}
	answer, err := w.client.Try(t.Context(), "dev", "penguins", control.TryRequest{Method: "POST", Path: "/predict",
		Headers: map[string]string{"Content-Type": "application/json"}, Body: string(detail.Models[0].Sample)})
	must(t, err)
	if answer.Status != http.StatusOK || !strings.Contains(answer.Body, "Chinstrap") || answer.Cut || answer.Seconds <= 0 {
		t.Errorf("answer %+v", answer)
	}
	answer, err = w.client.Try(t.Context(), "dev", "web", control.TryRequest{Method: "GET", Path: "/penguins/"})
	must(t, err)
	if answer.Status != http.StatusOK || !strings.Contains(answer.Body, "model.onnx") {
		t.Errorf("the other's answer %+v", answer)
	}
	var lines []string
	must(t, w.client.Logs(t.Context(), "dev", "penguins", control.LogQuery{Tail: 100}, func(l control.LogLine) error {
		lines = append(lines, l.Text)
		return nil
	}))
	if !strings.Contains(strings.Join(lines, "\n"), "penguins is ready at http://127.0.0.1:") {
		t.Errorf("log %q", lines)
	}
}

// Where the gateway's address is another program's, nothing begins: no replica
// is left behind, and a gateway that serves elsewhere goes on.
func TestTheGatewaysAddressIsTaken(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer other.Close()
	w := newWorld(t)
	w.apply(fmt.Sprintf(oneService, "1"))
	before := w.await("one replica", nil)
	gateway := w.status().Gateway
	w.stop()
	o := w.options()
	o.Gateway = other.Addr().String()
	if _, err := app.New(t.Context(), o); err == nil || !strings.Contains(err.Error(), "choose another address with --gateway") {
		t.Errorf("got %v", err)
	}
	w.begin()
	if now := w.await("one replica", nil); !slices.Equal(pids(now), pids(before)) || w.status().Gateway.PID != gateway.PID {
		t.Errorf("was %+v and %+v, is %+v and %+v", before, gateway, now, w.status().Gateway)
	}
}

// Whatever has become of the gateway, down stops everything, soon.
func TestDownWithoutAGateway(t *testing.T) {
	for name, signal := range map[string]syscall.Signal{"hangs": syscall.SIGSTOP, "died": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.apply(fmt.Sprintf(oneService, "2"))
			w.await("two replicas", nil)
			must(t, syscall.Kill(w.status().Gateway.PID, signal))
			began := time.Now()
			must(t, w.client.Down(context.Background()))
			w.finish()
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("it took %s", took)
			}
			if left := w.processes(); len(left) > 0 {
				t.Errorf("processes are left: %q", left)
			}
		})
	}
}

func TestATamperedModelIsPutBack(t *testing.T) {
	w := newWorld(t)
	w.apply(fmt.Sprintf(oneService, "1"))
	s := w.await("a replica", nil)
	files, err := filepath.Glob(filepath.Join(w.state, "releases", "*", "penguins", "model.onnx"))
	must(t, err)
	if len(files) != 1 {
		t.Fatalf("working copies %q", files)
	}
	original, err := os.ReadFile(files[0])
	must(t, err)
	must(t, os.Chmod(files[0], 0o600))
	must(t, os.WriteFile(files[0], append(original, 0), 0o600))
	w.await("another replica", func(v control.Service) bool { return !slices.Contains(pids(v), s.Replicas[0].PID) })
	if now, err := os.ReadFile(files[0]); err != nil || !bytes.Equal(now, original) {
		t.Errorf("the model was not put back: %v", err)
	}
	events := append(w.events(store.EventQuery{Kind: "drift.detected"}), w.events(store.EventQuery{Kind: "drift.healed"})...)
	if len(events) != 2 || !strings.Contains(events[0], "penguins/model.onnx") {
		t.Errorf("events %q", events)
	}
	w.wantPrediction()
}

func TestANewReleaseRestartAndScalingLoseNoRequest(t *testing.T) {
	w := newWorld(t)
	w.apply(fmt.Sprintf(oneService, "1"))
	first := w.await("a replica", nil)
	result := w.load()

	w.apply("name: shop\nservices: {penguins: {model: penguins, replicas: 1, env: {VERSION: two}}}\n")
	second := w.await("the new release", func(v control.Service) bool { return v.Release != first.Release })
	if slices.Equal(pids(first), pids(second)) {
		t.Error("the new release has the old process")
	}

	must(t, w.client.Restart(t.Context(), "dev", "penguins", ""))
	third := w.await("the restart", func(v control.Service) bool { return !slices.Equal(pids(v), pids(second)) })
	if third.Release != second.Release || third.Replicas[0].ID == second.Replicas[0].ID {
		t.Errorf("restarted %+v to %+v", second.Replicas, third.Replicas)
	}

	three, one := 3, 1
	_, err := w.client.Scale(t.Context(), "dev", "penguins", control.ScaleTo{Replicas: &three})
	must(t, err)
	many := w.await("three replicas", func(v control.Service) bool { return v.Ready == 3 && v.Scaling.Manual })
	must(t, w.client.Restart(t.Context(), "dev", "penguins", many.Replicas[0].ID))
	w.await("one of them restarted", func(v control.Service) bool {
		return v.Ready == 3 && v.Replicas[0].PID != many.Replicas[0].PID && v.Replicas[1].PID == many.Replicas[1].PID
	})
	_, err = w.client.Scale(t.Context(), "dev", "penguins", control.ScaleTo{Replicas: &one})
	must(t, err)
	w.await("one replica", func(v control.Service) bool { return len(v.Replicas) == 1 })
	w.wantNoneLost(result)
}

func TestTheNextControlPlaneTakesOver(t *testing.T) {
	w := newWorld(t)
	w.apply(fmt.Sprintf(oneService, "2"))
	before := w.await("two replicas", nil)
	gateway := w.status().Gateway
	if _, err := app.New(t.Context(), w.options()); greenlight.CodeOf(err) != greenlight.CodeUnavailable || !strings.Contains(err.Error(), strconv.Itoa(os.Getpid())) {
		t.Errorf("a second control plane on the state: %v", err)
	}
	result := w.load()
	w.stop()
	if len(w.processes()) != 3 {
		t.Errorf("without the control plane there run %q", w.processes())
	}
	w.begin()
	after := w.await("the same", nil)
	w.wantNoneLost(result)
	if routed := w.events(store.EventQuery{Kind: "service.routed"}); len(routed) != 1 {
		t.Errorf("what was routed was routed again: %q", routed)
	}
	if !slices.Equal(pids(before), pids(after)) {
		t.Errorf("replicas %v became %v", pids(before), pids(after))
	}
	for deadline := time.Now().Add(30 * time.Second); w.status().Gateway.PID != gateway.PID; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("gateway %+v became %+v", gateway, w.status().Gateway)
		}
	}
	w.stop()
	w.idle = true // as greenlight down is without a control plane
	w.begin()
	if s := w.status(); s.Gateway.PID != gateway.PID || s.Environments[0].Services[0].Ready != 2 {
		t.Errorf("an idle control plane sees %+v", s)
	}
	w.down()
	if left := w.processes(); len(left) != 0 {
		t.Errorf("after down there run %q", left)
	}
	w.idle = false
	w.begin()
	w.await("all back", func(v control.Service) bool { return v.Ready == 2 })
	w.wantPrediction()
}

func TestBackupAndRestore(t *testing.T) {
	w := newWorld(t)
	w.apply(fmt.Sprintf(oneService, "1"))
	before := w.await("a replica", nil)
	var backup bytes.Buffer
	must(t, w.client.Backup(t.Context(), &backup))
	w.apply(fmt.Sprintf(oneService, "2"))
	w.await("two replicas", func(v control.Service) bool { return v.Ready == 2 })
	if err := w.client.Restore(t.Context(), strings.NewReader("no backup")); err == nil {
		t.Error("what is no backup was restored")
	}
	must(t, w.client.Restore(t.Context(), &backup))
	deadline := time.Now().Add(60 * time.Second)
	for {
		s, err := w.client.Status(t.Context())
		if err == nil && len(s.Environments) == 1 && s.Environments[0].Revision == 1 && len(s.Environments[0].Services[0].Replicas) == 1 {
			if !slices.Equal(pids(s.Environments[0].Services[0]), pids(before)) {
				t.Errorf("the replica was restarted: %v, before %v", s, before)
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the backup is not in force: %+v, %v", s, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if got := w.events(store.EventQuery{Kind: "restored"}); len(got) != 1 {
		t.Errorf("events %q", got)
	}
}

func TestAFailedNewLeavesNothing(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	state := filepath.Join(t.TempDir(), "state")
	for name, change := range map[string]func(*app.Options){
		"control address": func(o *app.Options) { o.Control = "nowhere" },
		"public control":  func(o *app.Options) { o.Control = "0.0.0.0:0" },
		"gateway address": func(o *app.Options) { o.Gateway = "nowhere" },
		"no program":      func(o *app.Options) { o.Program = []string{"/does/not/exist"} },
	} {
		o := app.Options{State: state, Control: "127.0.0.1:0", Gateway: "127.0.0.1:0", Program: []string{program}}
		change(&o)
		if _, err := app.New(t.Context(), o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	a, err := app.New(t.Context(), app.Options{State: state, Control: "127.0.0.1:0", Gateway: "127.0.0.1:0", Program: []string{program}})
	must(t, err)
	must(t, a.Close())
	if _, err := os.Stat(filepath.Join(state, "control.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("control.json after Close: %v", err)
	}
}
