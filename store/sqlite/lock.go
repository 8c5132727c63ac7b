package sqlite

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	greenlight "github.com/greenlight-dev/greenlight"
)

// lock is the right to use a state folder. The kernel gives it back when the
// process dies, however it dies; child processes do not inherit it.
type lock struct{ file *os.File }

func acquire(dir string) (*lock, error) {
	path := filepath.Join(dir, LockFile)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "the state folder cannot be used: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = greenlight.Errorf(greenlight.CodeUnavailable,
			"the state folder %s is in use by %s: stop it (`greenlight down`) or choose another folder with --state", dir, holder(f))
	} else if err != nil {
		err = greenlight.Errorf(greenlight.CodeUnsupported, "lock %s: %w", path, err)
	} else {
		err = writePID(f)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &lock{f}, nil
}

func writePID(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	return err
}

func holder(f *os.File) string {
	pid, err := io.ReadAll(io.NewSectionReader(f, 0, 20))
	if err != nil || len(pid) == 0 {
		return "another process"
	}
	return "process " + strings.TrimSpace(string(pid))
}

// release leaves the file: to remove it would let two processes lock two
// files of the same name.
func (l *lock) release() error { return l.file.Close() }
