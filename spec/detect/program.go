package detect

import (
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strings"
)

// node recognises a package.json with a start script.
func (f *folder) node(dir string) (Service, bool) {
	var pack struct {
		Name    string
		Main    string
		Scripts map[string]string
	}
	file := path.Join(dir, "package.json")
	if json.Unmarshal([]byte(f.read(file)), &pack) != nil || pack.Scripts["start"] == "" {
		return Service{}, false
	}
	s := Service{
		Name: serviceName(pack.Name, dir), Kind: "Node", Dir: dir,
		Run: startWords(pack.Scripts["start"]),
		Why: file + " has a start script",
	}
	text := f.source(dir, ".js", ".mjs", ".cjs", ".ts")
	s.Ready = healthPath(text)
	if !strings.Contains(text, "env.PORT") {
		s.Hint = "it must listen on process.env.PORT"
	}
	return s, true
}

// startWords runs a plain "node FILE" itself, since npm keeps signals from it,
// and anything else through npm.
func startWords(script string) []string {
	words := strings.Fields(script)
	if len(words) >= 2 && words[0] == "node" && !strings.ContainsAny(script, "$&|;<>\"'`*\\") {
		return words
	}
	return []string{"npm", "start"}
}

var (
	goMain   = regexp.MustCompile(`(?m)^package main\b`)
	goServer = regexp.MustCompile(`"(net/http|github\.com/(gin-gonic/gin|labstack/echo[^"]*|gofiber/fiber[^"]*|go-chi/chi[^"]*|gorilla/mux)|google\.golang\.org/grpc)"`)
)

// golang recognises a module with a main package that serves.
func (f *folder) golang(dir string) (Service, bool) {
	module := path.Join(dir, "go.mod")
	if !f.has(module) {
		return Service{}, false
	}
	for _, main := range f.mainFolders(dir) {
		text := f.source(main, ".go")
		if !goMain.MatchString(text) || !goServer.MatchString(text) {
			continue
		}
		target := "./" + strings.TrimPrefix(strings.TrimPrefix(main, dir), "/")
		if main == dir {
			target = "."
		}
		s := Service{
			Name: serviceName("", main), Kind: "Go", Dir: dir,
			Run: []string{"go", "run", target}, Ready: healthPath(text),
			Why:  module + " is here and " + main + " holds package main, which serves",
			Hint: "in production run what go build made, not go run",
		}
		if !strings.Contains(text, `"PORT"`) {
			s.Hint = `it must listen on os.Getenv("PORT")`
		}
		return s, true
	}
	return Service{}, false
}

// mainFolders are the module's folder and those below cmd.
func (f *folder) mainFolders(dir string) []string {
	dirs := []string{dir}
	for _, file := range f.files {
		d := path.Dir(file)
		if path.Ext(file) == ".go" && path.Dir(d) == path.Join(dir, "cmd") && !slices.Contains(dirs, d) {
			dirs = append(dirs, d)
		}
	}
	return dirs[:min(len(dirs), maxServices)]
}

// source is the text of a folder's files, tests left out.
func (f *folder) source(dir string, endings ...string) string {
	var b strings.Builder
	for _, file := range f.in(dir, endings...) {
		if !strings.HasSuffix(file, "_test.go") {
			b.WriteString(f.read(file) + "\n")
		}
	}
	return b.String()
}

// serviceName is the folder's, or what the program calls itself, or web.
func serviceName(own, dir string) string {
	switch {
	case dir != ".":
		return path.Base(dir)
	case own != "":
		return path.Base(own) // @scope/name
	}
	return "web"
}
