package release

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/modelserver"
	"github.com/greenlight-dev/greenlight/onnx"
	"github.com/greenlight-dev/greenlight/spec"
)

// models finds the files of a service's models: each model's file, the proof
// beside it, and other files that tensors are kept in. In the release each
// model has a folder of its name.
func models(list spec.Models, fsys fs.FS, folder string) (names []string, files []File, err error) {
	for _, m := range list {
		model, found, err := modelFiles(fsys, strings.TrimPrefix(absolute(folder, m.Path), "/"))
		if err != nil {
			return nil, nil, err
		}
		names = append(names, m.Name+"="+path.Join(m.Name, path.Base(model)))
		dir := path.Dir(model)
		for _, source := range found {
			file, err := hashed(fsys, source)
			if err != nil {
				return nil, nil, err
			}
			inside := strings.TrimPrefix(source, dir+"/")
			if dir == "." {
				inside = source
			}
			file.Path = path.Join(m.Name, inside)
			files = append(files, file)
		}
	}
	return names, files, nil
}

// modelFiles gives a model's file and all files that loading it reads.
func modelFiles(fsys fs.FS, name string) (model string, all []string, err error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return "", nil, greenlight.Errorf(greenlight.CodeNotFound, "no file or folder /%s", name)
	}
	model = name
	if info.IsDir() {
		model = path.Join(name, spec.ModelFile)
	}
	all = []string{model}
	proof := path.Join(path.Dir(model), modelserver.ProofName(path.Base(model)))
	if _, err := fs.Stat(fsys, proof); err == nil {
		all = append(all, proof)
	}
	external, err := externalFiles(fsys, model)
	return model, append(all, external...), err
}

// externalFiles are the files that a model keeps tensors in. Models that do so
// are read as they are served, with an eye on what is opened; all others, which
// lack the key that such tensors have, are left unread.
func externalFiles(fsys fs.FS, model string) ([]string, error) {
	has, err := holds(fsys, model, []byte("location"))
	if err != nil || !has {
		return nil, err
	}
	dir, err := fs.Sub(fsys, path.Dir(model))
	if err != nil {
		return nil, err
	}
	seen := &recorder{FS: dir}
	if _, err := onnx.Open(seen, path.Base(model), onnx.Limits{}); err != nil {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "model /%s: %w", model, err)
	}
	slices.Sort(seen.opened)
	var list []string
	for _, name := range slices.Compact(seen.opened) {
		if name != path.Base(model) {
			list = append(list, path.Join(path.Dir(model), name))
		}
	}
	return list, nil
}

// recorder notes the files that are opened.
type recorder struct {
	fs.FS
	opened []string
}

// Open notes the name.
func (r *recorder) Open(name string) (fs.File, error) {
	f, err := r.FS.Open(name)
	if err == nil {
		r.opened = append(r.opened, name)
	}
	return f, err
}

// holds looks for a word in a file.
func holds(fsys fs.FS, name string, word []byte) (bool, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	kept := 0 // bytes of the block before, as the word may lie across
	for {
		n, err := f.Read(block[kept:])
		have := block[:kept+n]
		switch {
		case bytes.Contains(have, word):
			return true, nil
		case errors.Is(err, io.EOF):
			return false, nil
		case err != nil:
			return false, err
		}
		kept = copy(block, have[max(len(have)-len(word)+1, 0):])
	}
}

func hashed(fsys fs.FS, name string) (File, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	return File{SHA256: hex.EncodeToString(h.Sum(nil)), Size: n, Source: "/" + name}, err
}
