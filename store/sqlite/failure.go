package sqlite

import (
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	greenlight "github.com/greenlight-dev/greenlight"
)

// code is the primary result code of SQLite in err's chain, -1 for none.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return -1
}

func isBusy(err error) bool {
	return code(err) == sqlite3.SQLITE_BUSY || code(err) == sqlite3.SQLITE_LOCKED
}

func isDamage(err error) bool {
	return errors.Is(err, errDamaged) || code(err) == sqlite3.SQLITE_CORRUPT || code(err) == sqlite3.SQLITE_NOTADB
}

// failure gives an error its code and says the way out; an error that has a
// code keeps it. doing says what was tried.
func (s *Store) failure(doing string, err error) error {
	return failure(s.path, doing, err)
}

func failure(path, doing string, err error) error {
	var coded *greenlight.Error
	switch {
	case err == nil || errors.As(err, &coded):
		return err
	case isDamage(err):
		return greenlight.Errorf(greenlight.CodeInternal,
			"%s: %s is damaged: restore a backup with `greenlight restore`, which keeps the damaged file beside it: %w", doing, path, err)
	case isBusy(err):
		return greenlight.Errorf(greenlight.CodeUnavailable,
			"%s: another program holds %s locked; close it and try again: %w", doing, path, err)
	}
	switch code(err) {
	case sqlite3.SQLITE_FULL:
		return greenlight.Errorf(greenlight.CodeUnavailable, "%s: no space left for %s: free some and try again: %w", doing, path, err)
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		return greenlight.Errorf(greenlight.CodeUnavailable, "%s: %s cannot be written: its folder must belong to the user that runs Greenlight: %w", doing, path, err)
	}
	return greenlight.Errorf(greenlight.CodeInternal, "%s: %w", doing, err)
}

func errClosed(doing string) error {
	return greenlight.Errorf(greenlight.CodeUnavailable, "%s: the store is closed", doing)
}
