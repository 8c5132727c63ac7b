package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/gateway"
)

// serviceProgram builds testdata/service, once for all tests.
var serviceProgram = sync.OnceValues(func() (string, error) {
	path := filepath.Join(filepath.Dir(program), "service")
	out, err := exec.Command("go", "build", "-o", path, "./testdata/service").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return path, err
})

// front is a system as a user has it: a folder with greenlight.yaml, brought up
// by the program itself, and the gateway before it.
type front struct {
	t       *testing.T
	folder  string
	service string // the program behind the gateway
	flags   []string
	environ []string
	gateway *gateway.Client // its control socket
	address string          // where the gateway is reached
	url     string
}

// newFront makes the folder; up brings it up.
func newFront(t *testing.T, flags ...string) *front {
	t.Helper()
	path, err := serviceProgram()
	must(t, err)
	f := &front{t: t, folder: t.TempDir(), service: path, flags: flags}
	must(t, os.Mkdir(filepath.Join(f.folder, "program"), 0o700))
	return f
}

func (f *front) path(name ...string) string {
	return filepath.Join(append([]string{f.folder}, name...)...)
}

// up puts a description in force and waits until it is. It gives what the user
// is told.
func (f *front) up(description string, args ...string) string {
	f.t.Helper()
	out, err := f.tryUp(description, args...)
	if err != nil {
		log, _ := os.ReadFile(f.path(".greenlight", "gateway.log"))
		f.t.Fatalf("up: %v\n%s\ngateway.log:\n%s", err, out, log)
	}
	return out
}

func (f *front) tryUp(description string, args ...string) (string, error) {
	f.t.Helper()
	f.describe(description)
	first := f.address == ""
	if first {
		f.t.Cleanup(f.down)
	}
	args = append([]string{"up", "-d", f.folder, "--gateway", "127.0.0.1:0", "--control", "127.0.0.1:0"}, append(args, f.flags...)...)
	out, err := f.greenlight(args...)
	if err != nil || !first {
		return out, err
	}
	f.address = f.status().Gateway.Address
	f.url = "http://" + f.address
	f.gateway, err = gateway.NewClient("unix://"+f.path(".greenlight", "gateway.sock"), "")
	return out, err
}

var runLine = regexp.MustCompile(`(?m)^( *)RUN( GRPC)?$`)

// describe writes greenlight.yaml. RUN and RUN GRPC are lines that stand for
// the program, ready as soon as it can be; FOLDER is the project's.
func (f *front) describe(description string) {
	f.t.Helper()
	keys := func(argument string) string {
		return "${1}run: [" + f.service + argument + "]\n${1}dir: program\n${1}ready: {tcp: true, interval: 100ms}"
	}
	description = strings.ReplaceAll(description, "FOLDER", f.folder)
	description = runLine.ReplaceAllStringFunc(description, func(line string) string {
		if strings.HasSuffix(line, "GRPC") {
			return runLine.ReplaceAllString(line, keys(", grpc"))
		}
		return runLine.ReplaceAllString(line, keys(""))
	})
	must(f.t, os.WriteFile(f.path("greenlight.yaml"), []byte(description), 0o600))
}

// greenlight runs a command as a user would.
func (f *front) greenlight(args ...string) (string, error) {
	c := exec.Command(program, args...)
	c.Env = append(os.Environ(), f.environ...)
	out, err := c.CombinedOutput()
	return string(out), err
}

func (f *front) status() control.Status {
	f.t.Helper()
	c := exec.Command(program, "status", f.folder, "--json")
	out, err := c.Output()
	must(f.t, err)
	var s control.Status
	must(f.t, json.Unmarshal(out, &s))
	return s
}

// state is what the gateway is doing.
func (f *front) state() *gateway.Status {
	f.t.Helper()
	s, err := f.gateway.Status(context.Background())
	must(f.t, err)
	return s
}

// listener is the address in use of a listener of the description.
func (f *front) listener(name string) string {
	f.t.Helper()
	for _, l := range f.state().Listeners {
		if l.Name == name {
			return l.Address
		}
	}
	f.t.Fatalf("no listener %s in %+v", name, f.state().Listeners)
	return ""
}

// of is what the gateway says of a service.
func (f *front) of(service string) gateway.ServiceStatus {
	f.t.Helper()
	s := f.state()
	for _, v := range s.Services {
		if v.Name == service {
			return v
		}
	}
	f.t.Fatalf("no service %s in %+v", service, s.Services)
	return gateway.ServiceStatus{}
}

func (f *front) metrics() string {
	f.t.Helper()
	text, err := f.gateway.Metrics(context.Background())
	must(f.t, err)
	return string(text)
}

// configure changes what the gateway does beside what a description can say.
func (f *front) configure(change func(*gateway.Config)) {
	f.t.Helper()
	config, err := f.gateway.Config(context.Background())
	must(f.t, err)
	change(config)
	must(f.t, f.gateway.Apply(context.Background(), config))
}

func (f *front) down() {
	if out, err := f.greenlight("down", f.folder, "--yes"); err != nil {
		f.t.Errorf("down: %v\n%s", err, out)
	}
	if left := f.processes(); len(left) > 0 {
		f.t.Errorf("processes are left: %q", left)
	}
}

// processes are the command lines of what runs in the folder: replicas, gateway
// and control plane.
func (f *front) processes() []string {
	list := (&world{t: f.t, state: f.folder}).processes()
	links, err := filepath.Glob("/proc/[0-9]*/cwd")
	must(f.t, err)
	for _, link := range links {
		if at, err := os.Readlink(link); err == nil && strings.HasPrefix(at, f.folder) {
			list = append(list, link+" "+at)
		}
	}
	return list
}

// reply is an answer with its body.
type reply struct {
	*http.Response
	body string
}

// echoed is what the program says it got.
type echoed struct {
	Version, Method, URI, Host, Proto, Body string
	Header                                  http.Header
}

func (r reply) echoed(t *testing.T) echoed {
	t.Helper()
	var e echoed
	if err := json.Unmarshal([]byte(r.body), &e); err != nil {
		t.Fatalf("%s %q: %v", r.Status, r.body, err)
	}
	return e
}

func send(t *testing.T, c *http.Client, r *http.Request) reply {
	t.Helper()
	resp, err := c.Do(r)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return reply{resp, string(body)}
}

// request has its header as "Name: value"; "Host" is the request's host.
func request(t *testing.T, method, url, body string, header ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	must(t, err)
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			r.Host = value
		} else {
			r.Header.Add(name, value)
		}
	}
	return r
}

func get(t *testing.T, c *http.Client, url string, header ...string) reply {
	t.Helper()
	return send(t, c, request(t, "GET", url, "", header...))
}

// client speaks HTTP/1.1 or, with http2, HTTP/2 without TLS, from an address of
// this machine.
func newClient(t *testing.T, http2 bool, from string) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	tr := &http.Transport{Protocols: new(http.Protocols), DialContext: dialer.DialContext}
	tr.Protocols.SetHTTP1(!http2)
	tr.Protocols.SetUnencryptedHTTP2(http2)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// ways are the two ways through the gateway: its own reading of HTTP/1.1, and
// net/http's of all else.
func ways(t *testing.T, f func(t *testing.T, c *http.Client)) {
	for name, http2 := range map[string]bool{"http1": false, "h2c": true} {
		t.Run(name, func(t *testing.T) { f(t, newClient(t, http2, "127.0.0.1")) })
	}
}

// eventually waits for what comes about by itself.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	within(t, 20*time.Second, what, ok)
}

func within(t *testing.T, patience time.Duration, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(patience / 4000) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come about", what)
		}
	}
}

func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
