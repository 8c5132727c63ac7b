package sqlite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Progress hears how many bytes of a backup are written; total is an
// estimate until the last call, in which done equals total. It is called a
// few times a second at most, and never twice at the same time.
type Progress func(done, total int64)

// Backup writes the state as of now to the file path, which it replaces when
// it exists, while changes and reads go on. The copy is checked before it
// takes the name; after a failure nothing is left of it. progress may be nil.
func (s *Store) Backup(ctx context.Context, path string, progress Progress) error {
	if s.alive.Err() != nil {
		return errClosed("back up")
	}
	if err := refuseOwnFile(s.path, path); err != nil {
		return err
	}
	return replaceFile(path, func(unfinished string) error {
		if err := s.copyTo(ctx, unfinished, progress); err != nil {
			return s.failure("back up to "+path, err)
		}
		_, err := inspect(ctx, unfinished)
		return err
	})
}

// refuseOwnFile keeps a backup from replacing what it is made of.
func refuseOwnFile(own, path string) error {
	target, err := os.Stat(path)
	if err != nil {
		return nil // does not exist, or the copy will say what is wrong
	}
	if !target.Mode().IsRegular() {
		return greenlight.Errorf(greenlight.CodeInvalid, "back up to %s: it is not a file", path)
	}
	for _, name := range []string{own, own + "-wal", own + "-shm", filepath.Join(filepath.Dir(own), LockFile)} {
		if info, err := os.Stat(name); err == nil && os.SameFile(info, target) {
			return greenlight.Errorf(greenlight.CodeInvalid, "back up to %s: that is the state itself; give another file", path)
		}
	}
	return nil
}

// replaceFile has write fill a new file beside path that only its owner can
// read, and gives it the name once it is safe on disk.
func replaceFile(path string, write func(unfinished string) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.unfinished")
	if err != nil {
		return greenlight.Errorf(greenlight.CodeInvalid, "write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	// SQLite opens the file itself. A second descriptor of ours, closed later,
	// would take SQLite's locks away.
	if err := f.Close(); err != nil {
		return err
	}
	if err := write(f.Name()); err != nil {
		return err
	}
	if err := flush(f.Name()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return flush(filepath.Dir(path))
}

// flush has the system write a file or folder to disk.
func flush(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// copyTo writes a compact copy in one read transaction.
func (s *Store) copyTo(ctx context.Context, path string, progress Progress) error {
	db, err := open(s.path, forMaintenance)
	if err != nil {
		return err
	}
	defer db.Close()
	var total int64
	err = db.QueryRowContext(ctx, `SELECT (page_count - freelist_count) * page_size
FROM pragma_page_count, pragma_freelist_count, pragma_page_size`).Scan(&total)
	if err != nil {
		return err
	}
	defer report(path, total, progress)()
	_, err = db.ExecContext(ctx, "VACUUM INTO ?", path)
	return err
}

const reportEvery = 250 * time.Millisecond

// report tells progress how the file grows until the function it returns is
// called, which waits for the last report.
func report(path string, total int64, progress Progress) (finish func()) {
	if progress == nil {
		return func() {}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(reportEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				progress(min(sizeOf(path), total), total)
			case <-stop:
				progress(sizeOf(path), sizeOf(path))
				return
			}
		}
	}()
	return func() { close(stop); <-stopped }
}

func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
