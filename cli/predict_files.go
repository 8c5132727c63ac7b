package cli

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	greenlight "github.com/greenlight-dev/greenlight"
)

// inputName is what errors call the input.
func inputName(file string) string {
	if file == "-" {
		return "standard input"
	}
	return file
}

// openInput gives the rows and their size in bytes, 0 when not known. Closing
// them ends a read that waits.
func openInput(env Env, file string) (io.ReadCloser, int64, error) {
	if file == "-" {
		f, _ := env.Stdin.(*os.File)
		size := sizeOf(f)
		if size > 0 {
			return io.NopCloser(f), size, nil
		}
		return interruptible(env.Stdin), 0, nil
	}
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, greenlight.Errorf(greenlight.CodeNotFound, "no file %s", file)
	}
	if err != nil {
		return nil, 0, greenlight.WithCode(greenlight.CodeInvalid, err)
	}
	return f, sizeOf(f), nil
}

// interruptible reads from in until it is closed. A read that waits for a
// terminal cannot be ended; the goroutine is left to it, and ends with what
// comes next or with the process.
func interruptible(in io.Reader) io.ReadCloser {
	r, w := io.Pipe()
	go func() {
		_, err := io.Copy(w, in)
		w.CloseWithError(err)
	}()
	return r
}

// sizeOf is the size of a regular file, 0 of what else there is, also of nil.
func sizeOf(f *os.File) int64 {
	info, err := f.Stat() // fails for nil
	if err != nil || !info.Mode().IsRegular() {
		return 0
	}
	return info.Size()
}

// outputs are what predict writes.
type outputs struct {
	out, rejects io.Writer
	files        []*outputFile
}

func openOutputs(env Env, o predictOptions) (*outputs, error) {
	s := &outputs{out: env.Stdout, rejects: io.Discard}
	for _, target := range []struct {
		path string
		w    *io.Writer
	}{{o.output, &s.out}, {o.rejects, &s.rejects}} {
		if target.path == "" {
			continue
		}
		f, err := createOutput(target.path)
		if err != nil {
			return nil, s.close(greenlight.WithCode(greenlight.CodeInvalid, err))
		}
		*target.w = f
		s.files = append(s.files, f)
	}
	return s, nil
}

// close ends the files of a run that ended with err, and gives err; a write
// that fails only then is an error too.
func (s *outputs) close(err error) error {
	for _, f := range s.files {
		if e := f.close(err == nil); err == nil {
			err = e
		}
	}
	return err
}

// outputFile is written beside its place and takes it when it is complete, so
// that nobody reads half a file, and the input itself may be replaced.
type outputFile struct {
	*os.File
	place string // "" for a device or a pipe, which are written directly
}

func createOutput(path string) (*outputFile, error) {
	mode := fs.FileMode(0o666)
	switch info, err := os.Stat(path); {
	case err == nil && !info.Mode().IsRegular():
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		return &outputFile{File: f}, err
	case err == nil:
		mode = info.Mode().Perm()
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(path+".partial", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	return &outputFile{f, path}, err
}

func (f *outputFile) close(complete bool) error {
	err := f.File.Close()
	switch {
	case f.place == "":
		return err
	case err != nil || !complete:
		return errors.Join(err, os.Remove(f.Name()))
	}
	return os.Rename(f.Name(), f.place)
}
