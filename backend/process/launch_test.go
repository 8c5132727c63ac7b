//go:build linux

package process_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
	"github.com/greenlight-dev/greenlight/backend/backendtest"
	"github.com/greenlight-dev/greenlight/backend/process"
)

func open(t *testing.T, change ...func(*process.Options)) (*process.Backend, string) {
	t.Helper()
	state := t.TempDir()
	b := openAt(t, state, change...)
	t.Cleanup(func() { stopAll(t, b) })
	return b, state
}

func spec(id string, b backendtest.Behaviour) greenlight.ReplicaSpec {
	return greenlight.ReplicaSpec{
		ID: id, Environment: "test", Service: "svc", Release: "sha256:1", Command: command(b),
		Ready: greenlight.Probe{Path: "/ready", Interval: 50 * time.Millisecond}, StopGrace: 10 * time.Second,
	}
}

func start(t *testing.T, b *process.Backend, s greenlight.ReplicaSpec) greenlight.Replica {
	t.Helper()
	r, err := b.Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func get(t *testing.T, r greenlight.Replica, path string) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + r.Address + path)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestEnvironmentOfAReplica(t *testing.T) {
	t.Setenv("GREENLIGHT_TEST_LEAK", "of the control plane")
	b, _ := open(t)
	s := spec("a-1", backendtest.Behaviour{})
	s.Env = map[string]string{"MODE": "fast", "PATH": os.Getenv("PATH") + ":/opt/own"}
	s.Dir = t.TempDir()
	s.Volumes = map[string]string{"data": "var/data"}
	r := start(t, b, s)
	if info, err := os.Stat(filepath.Join(s.Dir, "var", "data")); err != nil || !info.IsDir() {
		t.Errorf("the volume: %v, %v", info, err)
	}
	var environ []string
	if err := json.Unmarshal([]byte(get(t, r, "/environ")), &environ); err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(r.Address, ":")
	for _, want := range []string{
		"MODE=fast", "PORT=" + port, "PATH=" + s.Env["PATH"], "GREENLIGHT_ENVIRONMENT=test",
		"GREENLIGHT_SERVICE=svc", "GREENLIGHT_RELEASE=sha256:1", "GREENLIGHT_REPLICA=a-1",
	} {
		if !slices.Contains(environ, want) {
			t.Errorf("the replica's environment lacks %s: %q", want, environ)
		}
	}
	for _, variable := range environ {
		if strings.HasPrefix(variable, "GREENLIGHT_TEST_LEAK=") {
			t.Errorf("the control plane's %s came through", variable)
		}
	}
	if dir := get(t, r, "/dir"); dir != s.Dir {
		t.Errorf("it runs in %s, want %s", dir, s.Dir)
	}
}

func TestPortInArguments(t *testing.T) {
	b, _ := open(t)
	s := spec("a-1", backendtest.Behaviour{})
	script := `echo "$1 $2 $3 $4"; shift 4; exec "$@"`
	s.Command = append([]string{"sh", "-c", script, "sh", "--bind=:$PORT", "${PORT}", "$PORTAL", "$PORT$PORT"}, s.Command...)
	r := start(t, b, s)
	_, port, _ := strings.Cut(r.Address, ":")
	if got, want := readLog(t, b, "a-1"), "--bind=:"+port+" "+port+" $PORTAL "+port+port+"\n"; got != want {
		t.Errorf("arguments %q, want %q", got, want)
	}
}

func readLog(t *testing.T, b *process.Backend, id string) string {
	t.Helper()
	reader, err := b.Logs(t.Context(), "test", id, backend.LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	data, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestSecretsStandNowhere(t *testing.T) {
	const fromEnv, fromFile = "value-from-env-81f3", "value-from-file-5c2d"
	b, state := open(t, func(o *process.Options) {
		o.LookupEnv = func(name string) (string, bool) { return fromEnv, name == "CONTROL_TOKEN" }
	})
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(fromFile+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := spec("a-1", backendtest.Behaviour{})
	s.Secrets = map[string]greenlight.SecretRef{"TOKEN": {Env: "CONTROL_TOKEN"}, "PASSWORD": {File: file}}
	r := start(t, b, s)
	if token, password := get(t, r, "/env?TOKEN"), get(t, r, "/env?PASSWORD"); token != fromEnv || password != fromFile {
		t.Errorf("the replica has TOKEN %q and PASSWORD %q", token, password)
	}
	for _, value := range []string{fromEnv, fromFile} {
		if strings.Contains(get(t, r, "/args"), value) {
			t.Errorf("%s is in the arguments", value)
		}
		err := filepath.WalkDir(state, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			if strings.Contains(string(data), value) {
				t.Errorf("%s is in %s", value, path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestStartsThatCannotBe(t *testing.T) {
	b, state := open(t)
	readable := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(readable, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		change func(s *greenlight.ReplicaSpec)
		code   greenlight.Code
		says   string
	}{
		"image":            {func(s *greenlight.ReplicaSpec) { s.Command, s.Image = nil, "nginx:1" }, greenlight.CodeUnsupported, "nginx:1"},
		"unknown program":  {func(s *greenlight.ReplicaSpec) { s.Command[0] = "no-such-program" }, greenlight.CodeInvalid, "no-such-program"},
		"missing program":  {func(s *greenlight.ReplicaSpec) { s.Command[0] = "/no/such" }, greenlight.CodeInvalid, "/no/such"},
		"no program":       {func(s *greenlight.ReplicaSpec) { s.Command[0] = readable }, greenlight.CodeInvalid, readable},
		"folder":           {func(s *greenlight.ReplicaSpec) { s.Command[0] = state }, greenlight.CodeInvalid, state},
		"missing dir":      {func(s *greenlight.ReplicaSpec) { s.Dir = "/no/such" }, greenlight.CodeInvalid, "/no/such"},
		"volume in a file": {func(s *greenlight.ReplicaSpec) { s.Volumes = map[string]string{"db": readable + "/x"} }, greenlight.CodeInvalid, "volume db"},
		"unset secret":     {secret(greenlight.SecretRef{Env: "GREENLIGHT_TEST_UNSET"}), greenlight.CodeInvalid, "GREENLIGHT_TEST_UNSET"},
		"open secret":      {secret(greenlight.SecretRef{File: readable}), greenlight.CodeInvalid, "chmod 600"},
		"secret pipe":      {secret(greenlight.SecretRef{File: pipe}), greenlight.CodeInvalid, pipe},
		"missing secret":   {secret(greenlight.SecretRef{File: "/no/such"}), greenlight.CodeInvalid, "/no/such"},
		"secret of zeroes": {secret(greenlight.SecretRef{File: "/dev/zero"}), greenlight.CodeInvalid, "/dev/zero"},
	}
	for name, tt := range tests {
		s := spec("a-1", backendtest.Behaviour{})
		tt.change(&s)
		_, err := b.Start(t.Context(), s)
		if greenlight.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), "a-1") {
			t.Errorf("%s: Start = %v (%s), want %s that says %s", name, err, greenlight.CodeOf(err), tt.code, tt.says)
		}
	}
	if list, err := b.Observe(t.Context(), ""); len(list) != 0 || err != nil {
		t.Errorf("Observe = %+v, %v; want nothing", list, err)
	}
	if left, _ := filepath.Glob(filepath.Join(state, "replicas", "*", "*")); len(left) != 0 {
		t.Errorf("records %q are left", left)
	}
}

func secret(ref greenlight.SecretRef) func(s *greenlight.ReplicaSpec) {
	return func(s *greenlight.ReplicaSpec) { s.Secrets = map[string]greenlight.SecretRef{"A": ref} }
}

// A record that cannot be written must not let a process run.
func TestStartWithoutARecord(t *testing.T) {
	b, state := open(t)
	if err := os.WriteFile(filepath.Join(state, "replicas", "test"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := spec("a-1", backendtest.Behaviour{})
	s.Env = map[string]string{"MARK": state}
	if _, err := b.Start(t.Context(), s); greenlight.CodeOf(err) != greenlight.CodeInternal {
		t.Errorf("Start = %v, want CodeInternal", err)
	}
	if left := carriers("MARK=" + state); len(left) != 0 {
		t.Errorf("%q run", left)
	}
	if list, err := b.Observe(t.Context(), ""); len(list) != 0 || err != nil {
		t.Errorf("Observe = %+v, %v; want nothing", list, err)
	}
}
