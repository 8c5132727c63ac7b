package release_test

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/onnx/onnxtest"
	"github.com/greenlight-dev/greenlight/release"
	"github.com/greenlight-dev/greenlight/spec"
	"github.com/greenlight-dev/greenlight/tensor"
)

// describe gives the only service of a description.
func describe(t *testing.T, service string) *spec.Service {
	t.Helper()
	file, err := spec.Parse("greenlight.yaml", []byte("name: shop\nservices: {api: "+service+"}"))
	if err != nil {
		t.Fatal(err)
	}
	system, err := file.Resolve("", spec.ResolveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return &system.Services[0]
}

func make1(t *testing.T, service string, files fstest.MapFS) *release.Release {
	t.Helper()
	r, err := release.New(describe(t, service), files, "/srv/shop", "/srv/shop/state")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func file(content string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(content), Mode: 0o644, ModTime: time.Unix(1, 0)}
}

func program() fstest.MapFS {
	return fstest.MapFS{
		"srv/shop/app.py":                  file("print(1)"),
		"srv/shop/lib/x.py":                file("x"),
		"srv/shop/.git/HEAD":               file("main"),
		"srv/shop/state/greenlight.db":     file("db"),
		"srv/shop/venv/bin/python":         file("python"),
		"srv/shop/lib/__pycache__/x.pyc":   file("pyc"),
		"srv/shop/node_modules/a/index.js": file("js"),
		"srv/shop/data/rows.db":            file("rows"),
		"srv/shop/latest":                  {Data: []byte("lib/x.py"), Mode: fs.ModeSymlink | 0o777},
	}
}

const described = "{run: [python, app.py], volumes: {rows: {path: data}}, env: {A: b}, secrets: {KEY: {file: key}, TOKEN: {env: T}}, resources: {cpu: 500m, memory: 64Mi}, live: off, stop: {grace: 0s}}"

func TestWhatChangesADigest(t *testing.T) {
	digest := make1(t, described, program()).Digest()
	if again := make1(t, described, program()).Digest(); again != digest || len(digest) != 64 {
		t.Errorf("the same twice: %s, %s", digest, again)
	}
	for name, c := range map[string]struct {
		change func(fstest.MapFS)
		same   bool
	}{
		"content":           {change: func(f fstest.MapFS) { f["srv/shop/lib/x.py"] = file("y") }},
		"name":              {change: func(f fstest.MapFS) { f["srv/shop/lib/y.py"] = file("x"); delete(f, "srv/shop/lib/x.py") }},
		"mode":              {change: func(f fstest.MapFS) { f["srv/shop/app.py"].Mode = 0o755 }},
		"where a link goes": {change: func(f fstest.MapFS) { f["srv/shop/latest"].Data = []byte("app.py") }},
		"time":              {change: func(f fstest.MapFS) { f["srv/shop/app.py"].ModTime = time.Unix(2, 0) }, same: true},
		"state":             {change: func(f fstest.MapFS) { f["srv/shop/state/greenlight.db"] = file("other") }, same: true},
		"a volume":          {change: func(f fstest.MapFS) { f["srv/shop/data/rows.db"] = file("other") }, same: true},
		"caches": {change: func(f fstest.MapFS) {
			maps.DeleteFunc(f, func(name string, _ *fstest.MapFile) bool {
				return strings.Contains(name, "venv") || strings.Contains(name, ".git") || strings.Contains(name, "node_modules") || strings.Contains(name, "__pycache__")
			})
		}, same: true},
	} {
		files := program()
		c.change(files)
		if got := make1(t, described, files).Digest(); (got == digest) != c.same {
			t.Errorf("%s: same is %v", name, got == digest)
		}
	}
	for text, same := range map[string]bool{
		strings.Replace(described, "A: b", "A: c", 1):                                          false,
		strings.Replace(described, "64Mi", "65Mi", 1):                                          false,
		strings.Replace(described, "{run", "{replicas: 7, routes: [], depends_on: [], run", 1): true,
	} {
		if got := make1(t, text, program()).Digest(); (got == digest) != same {
			t.Errorf("%s: same is %v", text, got == digest)
		}
	}
}

func TestTemplateOfAProgram(t *testing.T) {
	r := make1(t, described, program())
	read, err := release.Read(r.Configuration(), r.Digest())
	if err != nil {
		t.Fatal(err)
	}
	got := read.Template("dev", "/unused", []string{"/bin/greenlight"})
	want := greenlight.ReplicaSpec{
		Environment: "dev", Service: "api", Release: r.Digest(), Command: []string{"python", "app.py"}, Dir: "/srv/shop",
		Env: map[string]string{"A": "b"}, Secrets: map[string]greenlight.SecretRef{"KEY": {File: "/srv/shop/key"}, "TOKEN": {Env: "T"}},
		Resources:  greenlight.Resources{MilliCPU: 500, MemoryBytes: 64 << 20},
		Ready:      greenlight.Probe{TCP: true, Interval: 2 * time.Second, Timeout: 2 * time.Second, Failures: 3, Successes: 1},
		StartGrace: time.Minute, StopGrace: time.Millisecond, Volumes: map[string]string{"rows": "/srv/shop/data"},
	}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	if _, err := release.Read([]byte(strings.Replace(string(r.Configuration()), "app.py", "bad.py", 1)), r.Digest()); err == nil {
		t.Error("a changed release was read")
	}
}

// external is a model whose initializer is kept in the file w.bin.
func external() *fstest.MapFile {
	where := onnxtest.Message(nil).Text(1, "location").Text(2, "w.bin")
	weights := onnxtest.Message(nil).Int(1, 2).Int(2, int64(tensor.Float32)).Int(14, 1).Bytes(13, where).Text(8, "w")
	graph := onnxtest.EncodeGraph(onnxtest.Graph("main", onnxtest.Output("w", tensor.Float32))).Bytes(5, weights)
	opset := onnxtest.Message(nil).Text(1, "").Int(2, 17)
	return &fstest.MapFile{Data: onnxtest.Message(nil).Int(1, 8).Bytes(7, graph).Bytes(8, opset)}
}

func TestExternalDataIsPartOfTheRelease(t *testing.T) {
	files := fstest.MapFS{"srv/shop/model.onnx": external(), "srv/shop/w.bin": file("12345678"), "srv/shop/other.bin": file("no part of it")}
	r := make1(t, "{model: model.onnx}", files)
	if len(r.Files) != 2 || r.Files[1].Path != "api/w.bin" || r.Files[1].Size != 8 {
		t.Errorf("files %+v", r.Files)
	}
	files["srv/shop/w.bin"] = file("87654321")
	if make1(t, "{model: model.onnx}", files).Digest() == r.Digest() {
		t.Error("other weights give the same release")
	}
	delete(files, "srv/shop/w.bin")
	if _, err := release.New(describe(t, "{model: model.onnx}"), files, "/srv/shop"); greenlight.CodeOf(err) != greenlight.CodeInvalid || !strings.Contains(err.Error(), "w.bin") {
		t.Errorf("without the weights: %v", err)
	}
}

func TestReleaseOfModels(t *testing.T) {
	files := fstest.MapFS{
		"srv/shop/penguins/model.onnx": file("a model"), "srv/shop/penguins/proof.json": file("{}"), "srv/shop/penguins/train.py": file("no part of it"),
		"models/net.onnx": file("a net"), "models/net.proof.json": file("{}"), "models/proof.json": file("another's"),
	}
	r := make1(t, "{model: {species: penguins, net: /models/net.onnx}}", files)
	var got []string
	for _, f := range r.Files {
		got = append(got, f.Path+" from "+f.Source)
	}
	slices.Sort(got)
	want := []string{
		"net/net.onnx from /models/net.onnx", "net/net.proof.json from /models/net.proof.json",
		"species/model.onnx from /srv/shop/penguins/model.onnx", "species/proof.json from /srv/shop/penguins/proof.json",
	}
	if !slices.Equal(got, want) {
		t.Errorf("files %q, want %q", got, want)
	}
	command := strings.Join(r.Template("dev", "/state/releases/d", []string{"/bin/greenlight"}).Command, " ")
	if want := "/bin/greenlight serve --addr 127.0.0.1:$PORT --grace 27s species=/state/releases/d/species/model.onnx net=/state/releases/d/net/net.onnx"; command != want {
		t.Errorf("command %s, want %s", command, want)
	}
	files["srv/shop/penguins/proof.json"] = file("{ }")
	if again := make1(t, "{model: {species: penguins, net: /models/net.onnx}}", files); again.Digest() == r.Digest() {
		t.Error("another proof gives the same release")
	}
	if _, err := release.New(describe(t, "{model: nowhere}"), files, "/srv/shop"); greenlight.CodeOf(err) != greenlight.CodeNotFound || !strings.Contains(err.Error(), "/srv/shop/nowhere") {
		t.Errorf("a model that is not there: %v", err)
	}
}

// A model server uses as many threads as it has cores, if nobody says
// otherwise; a program of another kind is left alone.
func TestThreadsOfAModelServer(t *testing.T) {
	files := fstest.MapFS{"srv/shop/penguins/model.onnx": file("a model")}
	for text, want := range map[string]string{
		"{model: penguins}":                                                          "",
		"{model: penguins, resources: {cpu: 0.1}}":                                   "1",
		"{model: penguins, resources: {cpu: 1}}":                                     "1",
		"{model: penguins, resources: {cpu: 1.5}}":                                   "2",
		`{model: penguins, resources: {cpu: 0.1}, env: {GOMAXPROCS: "3", OTHER: x}}`: "3",
		"{run: ./x, resources: {cpu: 0.1}}":                                          "",
	} {
		r := make1(t, text, files)
		before := r.Digest()
		if got := r.Template("dev", "/state", []string{"greenlight"}).Env; got["GOMAXPROCS"] != want || got["OTHER"] != r.Env["OTHER"] {
			t.Errorf("%s: %v, want %q", text, got, want)
		}
		if r.Digest() != before {
			t.Errorf("%s: the template changed the release", text)
		}
	}
}

func TestATreeOfTooManyFilesIsRefused(t *testing.T) {
	files := fstest.MapFS{}
	for i := range release.MaxTreeFiles + 1 {
		files[fmt.Sprintf("srv/shop/%d", i)] = file("")
	}
	_, err := release.New(describe(t, "{run: ./x}"), files, "/srv/shop")
	if greenlight.CodeOf(err) != greenlight.CodeInvalid || !strings.Contains(err.Error(), "set dir") {
		t.Errorf("got %v", err)
	}
}
