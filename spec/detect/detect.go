// Package detect recognises what a folder holds — models, and web programs in
// Python, Node and Go — and writes the description that runs it.
package detect

import (
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Bounds on what is looked at: a folder may be somebody's home.
const (
	maxEntries   = 5000    // files and folders
	maxDepth     = 3       // folders below the first
	maxServices  = 10      // of each kind
	maxFileBytes = 1 << 20 // read of one file
)

// Service is one thing that was recognised.
type Service struct {
	Name  string
	Kind  string   // "ONNX model", "Flask", "FastAPI", "Node" or "Go"
	Why   string   // what it was recognised by
	Model string   // path of a model, or
	Run   []string // a command, with ${PORT} where it wants the port
	Dir   string   // the command's working folder, "." for the first
	Ready string   // path of a health check that it seems to have, or ""
	Hint  string   // what is left to do, or ""
}

// Folder recognises what fsys holds: models first, then programs, each by
// path. None found is no error.
func Folder(fsys fs.FS) ([]Service, error) {
	files, err := list(fsys)
	if err != nil {
		return nil, err
	}
	f := &folder{fsys: fsys, files: files}
	services := f.models()
	for _, dir := range f.programFolders() {
		for _, recognise := range []func(dir string) (Service, bool){f.python, f.node, f.golang} {
			if s, ok := recognise(dir); ok {
				services = append(services, s)
				break // a folder's package.json beside its app.py builds the pages
			}
		}
	}
	return named(services), nil
}

// folder is what is looked at.
type folder struct {
	fsys  fs.FS
	files []string // paths, sorted
}

// skipped are folders that hold other people's files.
var skipped = []string{"node_modules", "venv", "env", "__pycache__", "vendor", "testdata", "site-packages", "dist", "build", "target"}

func list(fsys fs.FS) (files []string, err error) {
	seen := 0
	err = fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		seen++
		switch {
		case err != nil && p == ".":
			return err
		case err != nil: // a folder that may not be read
			return fs.SkipDir
		case seen > maxEntries:
			return fs.SkipAll
		case d.IsDir() && p != "." && (strings.HasPrefix(d.Name(), ".") || slices.Contains(skipped, d.Name()) || strings.Count(p, "/") >= maxDepth):
			return fs.SkipDir
		case !d.IsDir():
			files = append(files, p)
		}
		return nil
	})
	return files, err
}

// programFolders are the folder itself and those directly in it, in which a
// program may live.
func (f *folder) programFolders() []string {
	dirs := []string{"."}
	for _, file := range f.files {
		if first, rest, ok := strings.Cut(file, "/"); ok && !strings.Contains(rest, "/") && !slices.Contains(dirs, first) {
			dirs = append(dirs, first)
		}
	}
	return dirs[:min(len(dirs), maxServices*5)]
}

func (f *folder) has(file string) bool {
	_, found := slices.BinarySearch(f.files, file)
	return found
}

// read is a file's text, "" when it cannot be read or is too large.
func (f *folder) read(file string) string {
	if info, err := fs.Stat(f.fsys, file); err != nil || !info.Mode().IsRegular() || info.Size() > maxFileBytes {
		return ""
	}
	data, err := fs.ReadFile(f.fsys, file)
	if err != nil {
		return ""
	}
	return string(data)
}

// in are the files with one of the endings directly in a folder.
func (f *folder) in(dir string, endings ...string) (files []string) {
	for _, file := range f.files {
		if path.Dir(file) == dir && slices.Contains(endings, path.Ext(file)) {
			files = append(files, file)
		}
	}
	return files[:min(len(files), 50)]
}

// models are the ONNX files: a folder for its model.onnx.
func (f *folder) models() (services []Service) {
	const inFolder = "model.onnx"
	for _, file := range f.files {
		if path.Ext(file) != ".onnx" || len(services) == maxServices {
			continue
		}
		s := Service{Kind: "ONNX model", Model: file, Why: file + " is here", Dir: "."}
		dir, base := path.Split(file)
		switch {
		case base != inFolder:
			s.Name = strings.TrimSuffix(base, ".onnx")
		case dir == "":
			s.Name = "model"
		default:
			s.Model = strings.TrimSuffix(dir, "/")
			s.Name = path.Base(s.Model)
		}
		services = append(services, s)
	}
	return services
}

// named makes the names labels, no two the same.
func named(services []Service) []Service {
	taken := make(map[string]bool)
	for i := range services {
		name := Label(services[i].Name, "web")
		unique := name
		for n := 2; taken[unique]; n++ {
			unique = name[:min(len(name), 50)] + "-" + strconv.Itoa(n)
		}
		taken[unique] = true
		services[i].Name = unique
	}
	return services
}

// Label makes a DNS label of s: fallback where nothing of it can be kept.
func Label(s, fallback string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case r >= 'a' && r <= 'z', b.Len() > 0 && r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= 50 {
			break
		}
	}
	label := strings.Trim(b.String(), "-")
	if label == "" {
		return fallback
	}
	return label
}
