// Package sqlite keeps the control plane's state in one SQLite file.
//
// Why it is decomposed this way: SQLite lets one connection write at a time,
// so all changes go through one connection (writer), which commits together
// what came in together; reads take short turns on a few others and never
// wait for it (write-ahead log). Ids are handed out inside that one writer,
// so the order of ids is the order of commits, and following the history is
// nothing but reading on from the last id (watch).
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
)

// Names of the files in a state folder.
const (
	File     = "greenlight.db"   // the database; -wal and -shm stand beside it while it is open
	LockFile = "greenlight.lock" // held while the state is in use; names the process
)

// Store is a store.Store in a state folder.
type Store struct {
	path    string
	lock    *lock
	readers *sql.DB
	writer  *writer
	bell    bell // rings after every commit

	mu       sync.Mutex // guards closed, and watchers.Add against Wait
	closed   bool
	watchers sync.WaitGroup
	alive    context.Context // done when the store closes
	kill     context.CancelFunc
}

var _ store.Store = (*Store)(nil)

// Open opens the state in folder dir and makes both where they are missing,
// readable by their owner only. It takes the folder's lock, checks the file
// (for a second at most) and brings an older schema up to date.
//
// It fails when another process uses the folder (the error names it), when
// the file is damaged, and when a newer Greenlight wrote it; the file is left
// as it was then.
func Open(ctx context.Context, dir string) (_ *Store, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "make the state folder: %w", err)
	}
	l, err := acquire(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{path: filepath.Join(dir, File), lock: l}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.release())
		}
	}()
	if err := prepareFile(s.path); err != nil {
		return nil, err
	}
	if err := s.connect(ctx); err != nil {
		return nil, s.failure("open the state", err)
	}
	s.alive, s.kill = context.WithCancel(context.Background())
	return s, nil
}

func (s *Store) connect(ctx context.Context) error {
	db, err := open(s.path, forWriting)
	if err != nil {
		return err
	}
	s.writer = &writer{db: db, turn: make(chan struct{}, 1), committed: s.bell.ring}
	if err := checkFile(ctx, db); err != nil {
		return err
	}
	if err := migrate(ctx, db); err != nil {
		return err
	}
	s.readers, err = open(s.path, forReading)
	return err
}

// Close ends all watches, waits for changes under way, closes the file and
// gives up the lock.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	s.kill()
	s.watchers.Wait()
	s.writer.stop()
	return s.release()
}

// release gives back what Open took, in reverse; the writer closes last so
// that SQLite folds the log into the file.
func (s *Store) release() error {
	var errs []error
	if s.readers != nil {
		errs = append(errs, s.readers.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.db.Close())
	}
	return errors.Join(append(errs, s.lock.release())...)
}

// checkpointEvery bounds how large the log is left standing: SQLite folds it
// into the file as it goes, but only a truncating checkpoint gives its space
// back.
const checkpointEvery = 5 * time.Minute

// Run keeps the file in good order until ctx is done.
func (s *Store) Run(ctx context.Context) error {
	tick := time.NewTicker(checkpointEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := s.Checkpoint(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

// Checkpoint folds the log into the file and empties it. It gives way, after
// a tenth of a second, to a read that takes long, such as that of a backup.
func (s *Store) Checkpoint(ctx context.Context) error {
	db, err := open(s.path, forMaintenance)
	if err != nil {
		return s.failure("open the state", err)
	}
	defer db.Close()
	var busy, frames, folded int // busy is 1 when a reader was in the way
	err = db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &folded)
	if err != nil && !isBusy(err) {
		return s.failure("fold the log into the state", err)
	}
	return nil
}
