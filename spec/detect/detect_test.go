package detect_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/greenlight-dev/greenlight/spec"
	"github.com/greenlight-dev/greenlight/spec/detect"
)

func folder(files map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

const flaskApp = "from flask import Flask\n\napp = Flask(__name__)\n\n@app.get('/health')\ndef health():\n    return 'ok'\n"

func TestFolder(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  []string // name kind, model or command, dir, ready
	}{
		"model":          {map[string]string{"model.onnx": ""}, []string{"model|ONNX model|model.onnx|.|"}},
		"models":         {map[string]string{"models/iris/model.onnx": "", "models/Digits 2.onnx": "", "model.onnx": ""}, []string{"model|ONNX model|model.onnx|.|", "digits-2|ONNX model|models/Digits 2.onnx|.|", "iris|ONNX model|models/iris|.|"}},
		"same names":     {map[string]string{"a/iris.onnx": "", "b/iris.onnx": ""}, []string{"iris|ONNX model|a/iris.onnx|.|", "iris-2|ONNX model|b/iris.onnx|.|"}},
		"others' models": {map[string]string{"node_modules/x/model.onnx": "", ".cache/model.onnx": "", "a/b/c/d/model.onnx": ""}, nil},
		"flask": {
			map[string]string{"app.py": flaskApp, "requirements.txt": "Flask==3.1\ngunicorn>=20\n"},
			[]string{"web|Flask|gunicorn --bind 127.0.0.1:${PORT} app:app|.|/health"},
		},
		"flask without server": {
			map[string]string{"app.py": flaskApp, "requirements.txt": "flask\n"},
			[]string{"web|Flask|flask --app app:app run --port ${PORT}|.|/health"},
		},
		"flask without requirements": {
			map[string]string{"wsgi.py": "import flask\nsite = flask.Flask('x')\n", "app.py": "print('Flask')\n"},
			[]string{"web|Flask|flask --app wsgi:site run --port ${PORT}|.|"},
		},
		"flask factory in a package, venv": {
			map[string]string{"pyproject.toml": "[project]\ndependencies = [\"flask>=3\", \"gunicorn\"]\n", "shop/__init__.py": "from flask import Flask\ndef create_app():\n    app = Flask('shop')\n    return app\n", ".venv/bin/python": ""},
			[]string{"web|Flask|.venv/bin/python -m gunicorn --bind 127.0.0.1:${PORT} shop:create_app()|.|"},
		},
		"fastapi with uv": {
			map[string]string{"svc/main.py": "from fastapi import FastAPI\napi: FastAPI = FastAPI(title='x')\n@api.get(\"/healthz\")\ndef h(): ...\n", "svc/pyproject.toml": "[project]\ndependencies = [\n  \"fastapi[standard]>=0.115\",\n]\n", "svc/uv.lock": ""},
			[]string{"svc|FastAPI|uv run uvicorn main:api --host 127.0.0.1 --port ${PORT}|svc|/healthz"},
		},
		"library that tests with flask": {map[string]string{"app.py": flaskApp, "requirements.txt": "django\n"}, nil},
		"node": {
			map[string]string{"package.json": `{"name":"@me/Shop","scripts":{"start":"node server.js"}}`, "server.js": "listen(process.env.PORT); get('/ping')"},
			[]string{"shop|Node|node server.js|.|/ping"},
		},
		"node through npm":      {map[string]string{"package.json": `{"scripts":{"start":"NODE_ENV=production next start"}}`}, []string{"web|Node|npm start|.|"}},
		"node without start":    {map[string]string{"package.json": `{"scripts":{"build":"tsc"}}`}, nil},
		"broken package.json":   {map[string]string{"package.json": `{"scripts":`}, nil},
		"go":                    {map[string]string{"go.mod": "module x\n", "main.go": "package main\nimport \"net/http\"\nvar _ = os.Getenv(\"PORT\")\n"}, []string{"web|Go|go run .|.|"}},
		"go below cmd":          {map[string]string{"api/go.mod": "module x\n", "api/x.go": "package x\n", "api/cmd/server/main.go": "package main\nimport \"net/http\"\n"}, []string{"server|Go|go run ./cmd/server|api|"}},
		"go that serves nought": {map[string]string{"go.mod": "module x\n", "main.go": "package main\n"}, nil},
		"flask beside a model": {
			map[string]string{"web/app.py": flaskApp, "web/requirements.txt": "flask\ngunicorn\n", "model.onnx": ""},
			[]string{"model|ONNX model|model.onnx|.|", "web|Flask|gunicorn --bind 127.0.0.1:${PORT} app:app|web|/health"},
		},
		"nothing": {map[string]string{"README.md": "flask"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := folder(c.files)
			services, err := detect.Folder(fsys)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range services {
				got = append(got, strings.Join([]string{s.Name, s.Kind, s.Model + strings.Join(s.Run, " "), s.Dir, s.Ready}, "|"))
				if s.Why == "" {
					t.Errorf("%s: no reason", s.Name)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
			checkDescription(t, fsys, services)
		})
	}
}

// checkDescription holds what Describe writes against Parse: it must say what
// was recognised.
func checkDescription(t *testing.T, fsys fstest.MapFS, services []detect.Service) {
	t.Helper()
	if len(services) == 0 {
		return
	}
	text := detect.Describe("shop", services)
	file, err := spec.Parse(spec.FileName, text)
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	system, err := file.Resolve("", spec.ResolveOptions{FS: fsys, Lookup: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatalf("%s\n%v", text, err)
	}
	for _, want := range services {
		i := slices.IndexFunc(system.Services, func(s spec.Service) bool { return s.Name == want.Name })
		if i < 0 {
			t.Fatalf("%s\nhas no %s", text, want.Name)
		}
		got := system.Services[i]
		if want.Model != "" && got.Models[0].Path != want.Model || !slices.Equal(got.Run, want.Run) || got.Dir != want.Dir {
			t.Errorf("%s\nis %+v, want %+v", text, got, want)
		}
	}
}

// TestOddNames writes descriptions of files with names that mean something in
// YAML or to Parse.
func TestOddNames(t *testing.T) {
	for _, name := range []string{"a: b", "#x", "\"quoted\"", "it's", "${HOME}", "yes", "1e3", "-", "ünï", "a\tb", "{x}", "*a", "~", "1.5"} {
		fsys := folder(map[string]string{name + ".onnx": "", "dir " + name + "/package.json": `{"scripts":{"start":"node x.js"}}`})
		services, err := detect.Folder(fsys)
		if err != nil || len(services) != 2 {
			t.Fatalf("%q: %+v, %v", name, services, err)
		}
		if strings.ContainsRune(name, '\t') {
			continue // spec refuses control characters in file names
		}
		checkDescription(t, fsys, services)
	}
}

func TestLargeFolders(t *testing.T) {
	files := map[string]string{}
	for i := range 300 {
		files[fmt.Sprintf("d%03d/m.onnx", i)] = ""
		files[fmt.Sprintf("d%03d/app.py", i)] = flaskApp
	}
	services, err := detect.Folder(folder(files))
	if err != nil || len(services) > 100 {
		t.Fatalf("%d services, %v", len(services), err)
	}
	checkDescription(t, folder(files), services)
}
