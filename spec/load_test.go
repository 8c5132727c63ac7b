package spec_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/greenlight-dev/greenlight/spec"
)

// TestLoads holds what the scenarios of a right file come to, and that they
// are no part of the desired state.
func TestLoads(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/right/load.txt")
	if err != nil {
		t.Fatal(err)
	}
	g := &golden{"testdata/right/load.txt", archive}
	input, _ := g.file(spec.FileName)
	file, err := spec.Parse(spec.FileName, input)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(file.Loads(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	g.compare(t, "loads.json", append(got, '\n'))
	if system, _ := g.file("system.json"); strings.Contains(string(system), "steady") {
		t.Error("the desired state holds load tests")
	}
}

func TestLoadFilesMustExist(t *testing.T) {
	text := "name: s\nservices: {web: {run: [web]}}\nload:\n  a: {service: web, rate: 5/s, requests: {body: row.jsn}}\n  b: {service: web, rate: 5/s, requests: {proof: models}}\n"
	file, err := spec.Parse(spec.FileName, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range map[string]string{"row.json": "{}"} {
		if err := os.WriteFile(dir+"/"+name, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(dir+"/models", 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = file.Resolve("", spec.ResolveOptions{FS: os.DirFS(dir)})
	if err == nil || !strings.Contains(err.Error(), `did you mean "row.json"?`) || !strings.Contains(err.Error(), `folder "models" holds no proof.json`) {
		t.Errorf("got %v", err)
	}
}
