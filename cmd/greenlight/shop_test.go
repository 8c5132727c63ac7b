package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/control"
)

// TestFlaskBesideAModel brings up examples/shop as a user would: a Flask
// application from PyPI under gunicorn, and the model that it asks, both
// behind the gateway.
func TestFlaskBesideAModel(t *testing.T) {
	s := newShop(t)
	s.run("up", "-d", "--gateway", s.gateway, "--control", "127.0.0.1:0")

	page := s.get("/?bill_length_mm=46.5&bill_depth_mm=13.5&flipper_length_mm=210&body_mass_g=4550&island=Biscoe&sex=female")
	if !strings.Contains(page, "<strong>Gentoo</strong>") {
		t.Errorf("the page does not tell a Gentoo:\n%s", page)
	}
	if answer := s.post("/penguins/predict", "request.json"); !strings.Contains(answer, `"label":"Chinstrap"`) {
		t.Errorf("the model itself answers %s", answer)
	}

	before := s.service("web").Replicas[0].PID
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.await(fmt.Sprintf("gunicorn (process %d) to be replaced", before), func() bool {
		web := s.service("web")
		return web.Ready == 1 && web.Replicas[0].PID != before
	})
	s.await("the page of the new gunicorn", func() bool { // the gateway hears of it a moment after it is ready
		answer, err := http.Get("http://" + s.gateway + "/")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		page, err := io.ReadAll(answer.Body)
		return err == nil && strings.Contains(string(page), "Which penguin is it?")
	})
}

// shop is a copy of examples/shop with its environment.
type shop struct {
	t                    *testing.T
	binary, dir, gateway string
}

func newShop(t *testing.T) *shop {
	t.Helper()
	root := t.TempDir()
	s := &shop{t: t, binary: filepath.Join(root, "greenlight"), dir: filepath.Join(root, "examples", "shop"), gateway: freeAddress(t)}
	s.command(".", "go", "build", "-o", s.binary, ".")
	for _, example := range []string{"shop", "penguins"} {
		if err := os.CopyFS(filepath.Join(root, "examples", example), os.DirFS(filepath.Join("../../examples", example))); err != nil {
			t.Fatal(err)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	venv := filepath.Join(cache, "greenlight", "examples", "shop")
	if _, err := os.Stat(filepath.Join(venv, "bin", "gunicorn")); err != nil {
		s.command(".", "python3", "-m", "venv", venv)
		s.command(".", filepath.Join(venv, "bin", "pip"), "install", "--quiet", "-r", filepath.Join(s.dir, "web", "requirements.txt"))
	}
	local := filepath.Join(s.dir, "web", ".venv") // a reader's own, where the examples were tried
	if err := os.RemoveAll(local); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(venv, local); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.run("down", "--yes") })
	return s
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// run runs greenlight in the shop's folder.
func (s *shop) run(args ...string) []byte {
	s.t.Helper()
	return s.command(s.dir, s.binary, args...)
}

func (s *shop) command(dir, name string, args ...string) []byte {
	s.t.Helper()
	c := exec.Command(name, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "MODEL_URL=http://"+s.gateway+"/penguins/predict")
	var out, problems bytes.Buffer
	c.Stdout, c.Stderr = &out, &problems
	if err := c.Run(); err != nil {
		s.t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out.Bytes(), problems.Bytes())
	}
	return out.Bytes()
}

func (s *shop) service(name string) control.Service {
	s.t.Helper()
	var status control.Status
	if err := json.Unmarshal(s.run("status", "--json"), &status); err != nil {
		s.t.Fatal(err)
	}
	for _, service := range status.Environments[0].Services {
		if service.Name == name {
			return service
		}
	}
	s.t.Fatalf("status knows no service %s: %+v", name, status)
	return control.Service{}
}

func (s *shop) await(what string, done func() bool) {
	s.t.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if done() {
			return
		}
	}
	s.t.Fatalf("waited a minute for %s", what)
}

func (s *shop) get(path string) string {
	s.t.Helper()
	answer, err := http.Get("http://" + s.gateway + path)
	return s.body(answer, err)
}

// post sends a file of the model's folder.
func (s *shop) post(path, file string) string {
	s.t.Helper()
	body, err := os.Open(filepath.Join(s.dir, "..", "penguins", file))
	if err != nil {
		s.t.Fatal(err)
	}
	defer body.Close()
	answer, err := http.Post("http://"+s.gateway+path, "application/json", body)
	return s.body(answer, err)
}

func (s *shop) body(answer *http.Response, err error) string {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		s.t.Fatalf("%s %v\n%s", answer.Status, err, text)
	}
	return string(text)
}
