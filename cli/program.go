package cli

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"

	greenlight "github.com/greenlight-dev/greenlight"
)

// goRunFolder is where go run builds a program, which it removes in the end.
var goRunFolder = regexp.MustCompile(`[/\\]go-build\d+[/\\]`)

// lastingProgram is the path of this program for processes that outlive it:
// replicas are started from it long after this command has ended. A program of
// go run's is copied into the state folder first.
func lastingProgram(state string) (string, error) {
	self, err := ownCommand()
	if err != nil {
		return "", err
	}
	if !goRunFolder.MatchString(self[0]) {
		return self[0], nil
	}
	path := filepath.Join(state, "bin", "greenlight")
	if err := copyProgram(path, self[0]); err != nil {
		return "", greenlight.Errorf(greenlight.CodeUnavailable, "cannot keep a copy of this program, which go run removes: %w", err)
	}
	return path, nil
}

// copyProgram replaces path as a whole: a process may run from it.
func copyProgram(path, from string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.CreateTemp(filepath.Dir(path), ".greenlight-*")
	if err != nil {
		return err
	}
	defer os.Remove(dst.Name()) // fails once it is renamed
	_, err = io.Copy(dst, src)
	if err = errors.Join(err, dst.Chmod(0o755), dst.Close()); err != nil {
		return err
	}
	return os.Rename(dst.Name(), path)
}
