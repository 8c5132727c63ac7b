package detect

import (
	"io/fs"
	"path"
	"regexp"
	"strings"
)

// framework is a Python web framework and how it is run.
type framework struct {
	name     string
	service  string // name of the service
	pack     *regexp.Regexp
	object   *regexp.Regexp // application object at module level
	factory  *regexp.Regexp // function that makes one
	server   string         // what serves it
	bring    *regexp.Regexp // packages that bring the server
	command  func(app string, factory bool) []string
	fallback func(app string) []string // without the server; nil: there is none
}

var frameworks = []framework{
	{
		name: "FastAPI", service: "api",
		pack:    requirement("fastapi"),
		object:  regexp.MustCompile(`(?m)^(\w+)\s*(?::[^=\n]+)?=\s*(?:fastapi\.)?FastAPI\(`),
		factory: regexp.MustCompile(`(?m)^def (create_app|make_app|get_app)\(`),
		server:  "uvicorn", bring: regexp.MustCompile(`(?im)^[\s"']*(uvicorn|fastapi\[(standard|all)\])`),
		command: func(app string, factory bool) []string {
			words := []string{"uvicorn", app, "--host", "127.0.0.1", "--port", "${PORT}"}
			if factory {
				words = append(words, "--factory")
			}
			return words
		},
	},
	{
		name: "Flask", service: "web",
		pack:    requirement("flask"),
		object:  regexp.MustCompile(`(?m)^(\w+)\s*(?::[^=\n]+)?=\s*(?:flask\.)?Flask\(`),
		factory: regexp.MustCompile(`(?m)^def (create_app|make_app|get_app)\(`),
		server:  "gunicorn", bring: requirement("gunicorn"),
		command: func(app string, factory bool) []string {
			if factory {
				app += "()"
			}
			return []string{"gunicorn", "--bind", "127.0.0.1:${PORT}", app}
		},
		fallback: func(app string) []string {
			return []string{"flask", "--app", app, "run", "--port", "${PORT}"}
		},
	},
}

// requirement finds a package in a list of requirements of any form.
func requirement(name string) *regexp.Regexp {
	return regexp.MustCompile(`(?im)^[\s"']*(?:dependencies\s*=\s*\[\s*["'])?` + name + `(?:[\s"'\[=<>~!;,]|$)|["']` + name + `["'\[=<>~!;]`)
}

// requirementFiles name what a Python project needs.
var requirementFiles = []string{"requirements.txt", "pyproject.toml", "Pipfile", "setup.py", "setup.cfg"}

// likelyModules are tried before other files.
var likelyModules = []string{"app.py", "main.py", "wsgi.py", "asgi.py", "server.py", "api.py", "__init__.py"}

func (f *folder) python(dir string) (Service, bool) {
	if dir != "." && f.has(path.Join(dir, "__init__.py")) {
		return Service{}, false // a package, imported from the folder above
	}
	needs, needsFile := "", ""
	for _, name := range requirementFiles {
		if text := f.read(path.Join(dir, name)); text != "" {
			needs += text + "\n"
			if needsFile == "" {
				needsFile = name
			}
		}
	}
	for _, fw := range frameworks {
		if needs != "" && !fw.pack.MatchString(needs) {
			continue
		}
		if app, ok := f.application(dir, fw); ok {
			return f.pythonService(dir, fw, app, needs, needsFile), true
		}
	}
	return Service{}, false
}

// application is where a framework's application object was found.
type application struct {
	file    string
	module  string // as Python imports it from the folder
	object  string
	factory bool
	text    string
}

func (f *folder) application(dir string, fw framework) (application, bool) {
	for _, file := range f.modules(dir) {
		text := f.read(file)
		if !strings.Contains(text, fw.name) {
			continue
		}
		module := moduleName(dir, file)
		if m := fw.object.FindStringSubmatch(text); m != nil {
			return application{file, module, m[1], false, text}, true
		}
		if m := fw.factory.FindStringSubmatch(text); m != nil {
			return application{file, module, m[1], true, text}, true
		}
	}
	return application{}, false
}

// modules are the folder's Python files and those of packages in it, likely
// ones first.
func (f *folder) modules(dir string) []string {
	var likely, others []string
	dirs := []string{dir}
	for _, file := range f.files {
		if path.Base(file) == "__init__.py" && path.Dir(path.Dir(file)) == dir && path.Dir(file) != dir {
			dirs = append(dirs, path.Dir(file))
		}
	}
	for _, d := range dirs[:min(len(dirs), maxServices)] {
		for _, name := range likelyModules {
			if file := path.Join(d, name); f.has(file) {
				likely = append(likely, file)
			}
		}
		others = append(others, f.in(d, ".py")...)
	}
	return append(likely, others...)
}

func moduleName(dir, file string) string {
	module := strings.TrimSuffix(file, ".py")
	if dir != "." {
		module = strings.TrimPrefix(module, dir+"/")
	}
	return strings.ReplaceAll(strings.TrimSuffix(module, "/__init__"), "/", ".")
}

func (f *folder) pythonService(dir string, fw framework, app application, needs, needsFile string) Service {
	s := Service{Name: fw.service, Kind: fw.name, Dir: dir, Ready: healthPath(app.text)}
	if dir != "." {
		s.Name = path.Base(dir)
	}
	where := app.module + ":" + app.object
	s.Run = fw.command(where, app.factory)
	s.Why = app.file + " makes " + app.object
	if needsFile != "" {
		s.Why = path.Join(dir, needsFile) + " names " + strings.ToLower(fw.name) + " and " + s.Why
	}
	if !fw.bring.MatchString(needs) {
		s.Hint = "install " + fw.server + " beside " + fw.name
		if fw.fallback != nil {
			s.Run = fw.fallback(where)
			s.Hint = "this is the development server; install " + fw.server + " and run: " + strings.Join(fw.command(where, app.factory), " ")
		}
	}
	s.Run = append(f.interpreter(dir), s.Run...)
	return s
}

// interpreter is what has to stand before a command so that it finds the
// project's packages.
func (f *folder) interpreter(dir string) []string {
	for _, venv := range []string{".venv", "venv"} {
		if info, err := fs.Stat(f.fsys, path.Join(dir, venv, "bin", "python")); err == nil && !info.IsDir() {
			return []string{venv + "/bin/python", "-m"}
		}
	}
	if f.has(path.Join(dir, "uv.lock")) {
		return []string{"uv", "run"}
	}
	return nil
}

var health = regexp.MustCompile(`["'](/(?:healthz|health|livez|readyz|ping|_health|api/health|api/healthz|health/live|health/ready))/?["']`)

// healthPath is a health check's path that stands in a program's text.
func healthPath(text string) string {
	if m := health.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}
