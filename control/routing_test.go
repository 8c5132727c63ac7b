package control_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/spec"
)

var updateRouting = flag.Bool("update-routing", false, "write the gateway configurations that come out as those that should")

// routingCase is one file of testdata/routing: greenlight.yaml, the replicas
// that are routed to, and what should come of it. Its comment names the
// environments, the primary one first, and services that are paused.
type routingCase struct {
	path    string
	archive *txtar.Archive
}

func (c *routingCase) section(name string) *txtar.File {
	for i := range c.archive.Files {
		if c.archive.Files[i].Name == name {
			return &c.archive.Files[i]
		}
	}
	c.archive.Files = append(c.archive.Files, txtar.File{Name: name})
	return &c.archive.Files[len(c.archive.Files)-1]
}

// words are those that follow key in the comment.
func (c *routingCase) words(key string) []string {
	_, rest, _ := strings.Cut(string(c.archive.Comment), key+":")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.Fields(line)
}

func (c *routingCase) routing(t *testing.T) *control.Routing {
	t.Helper()
	file, err := spec.Parse("greenlight.yaml", c.section("greenlight.yaml").Data)
	if err != nil {
		t.Fatal(err)
	}
	r := &control.Routing{State: "/state", Targets: make(map[string][]greenlight.Replica), Paused: make(map[string]bool)}
	for i, environment := range c.words("environments") {
		system, err := file.Resolve(environment, spec.ResolveOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			r.Primary = environment
		}
		// The primary one last: the order given must not count.
		r.Systems = append([]control.RoutedSystem{{System: system, Folder: "/srv/shop"}}, r.Systems...)
	}
	for _, key := range c.words("paused") {
		r.Paused[key] = true
	}
	for line := range strings.Lines(string(c.section("targets").Data)) {
		var key string
		var replica greenlight.Replica
		if _, err := fmt.Sscan(line, &key, &replica.ID, &replica.Release, &replica.Address); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		r.Targets[key] = append(r.Targets[key], replica)
	}
	return r
}

// urls lists where people find each service.
func routingURLs(r *control.Routing) []byte {
	var out bytes.Buffer
	for _, s := range r.Systems {
		for _, service := range s.Services {
			fmt.Fprintf(&out, "%s/%s %s\n", s.Environment.Name, service.Name, strings.Join(r.URLs(s.Environment.Name, service.Name, "127.0.0.1:8080"), " "))
		}
	}
	return out.Bytes()
}

func TestRoutingGolden(t *testing.T) {
	paths, err := filepath.Glob("testdata/routing/*.txt")
	if err != nil || len(paths) < 5 {
		t.Fatalf("%d cases, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			c := &routingCase{path, archive}
			r := c.routing(t)
			config := r.Config()
			if err := config.Validate(); err != nil {
				t.Errorf("the gateway refuses it: %v", err)
			}
			if again := r.Config(); again.Revision != config.Revision || config.Revision == "" {
				t.Errorf("revisions %q and %q of the same routing", config.Revision, again.Revision)
			}
			config.Revision = "" // a digest of what follows
			data, err := json.MarshalIndent(config, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			c.hold(t, "gateway.json", append(data, '\n'))
			c.hold(t, "urls", routingURLs(r))
		})
	}
}

// hold compares a section with what came out, or writes it.
func (c *routingCase) hold(t *testing.T, name string, got []byte) {
	t.Helper()
	section := c.section(name)
	if !*updateRouting {
		if !bytes.Equal(section.Data, got) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, section.Data)
		}
		return
	}
	section.Data = got
	if err := os.WriteFile(c.path, txtar.Format(c.archive), 0o644); err != nil {
		t.Fatal(err)
	}
}

// What spec finds right the gateway takes: every description that spec's own
// tests resolve.
func TestRoutingOfEveryRightDescription(t *testing.T) {
	paths, err := filepath.Glob("../spec/testdata/right/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d descriptions, %v", len(paths), err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file, err := spec.Parse(path, archive.Files[0].Data)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		r := &control.Routing{State: "/state", Primary: file.Environments()[0]}
		for _, environment := range file.Environments() {
			set := func(string) (string, bool) { return "1", true }
			system, err := file.Resolve(environment, spec.ResolveOptions{Lookup: set})
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			r.Systems = append(r.Systems, control.RoutedSystem{System: system, Folder: "/srv"})
		}
		if err := r.Config().Validate(); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestURLs(t *testing.T) {
	file, err := spec.Parse("greenlight.yaml", []byte("name: shop\nservices: {iris: {model: m.onnx}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	system, err := file.Resolve("", spec.ResolveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r := &control.Routing{Systems: []control.RoutedSystem{{System: system}}, Primary: "dev"}
	for address, want := range map[string]string{
		"":               "",
		"127.0.0.1:8080": "http://127.0.0.1:8080/",
		"127.0.0.1:80":   "http://127.0.0.1/",
		"[::1]:80":       "http://[::1]/",
		"[::]:9000":      "http://localhost:9000/",
		"0.0.0.0:9000":   "http://localhost:9000/",
		":9000":          "http://localhost:9000/",
	} {
		if got := strings.Join(r.URLs("dev", "iris", address), " "); got != want {
			t.Errorf("at %q: %s, want %s", address, got, want)
		}
	}
	if got := r.URLs("none", "iris", "127.0.0.1:1"); got == nil || len(got) != 0 {
		t.Errorf("%v", got)
	}
}
