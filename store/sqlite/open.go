package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"time"

	"modernc.org/sqlite"

	greenlight "github.com/greenlight-dev/greenlight"
)

// purpose is what a pool of connections is for.
type purpose struct {
	connections int
	parameters  url.Values
}

var (
	forWriting = purpose{1, url.Values{
		"_txlock": {"immediate"}, // wait for the lock at BEGIN, where a wait loses nothing
		"_pragma": {"busy_timeout(5000)", "synchronous(FULL)", "foreign_keys(ON)"},
	}}
	forReading = purpose{4, url.Values{
		"_pragma": {"busy_timeout(5000)", "query_only(ON)"},
	}}
	// A checkpoint holds the write lock while it waits for readers, so it
	// waits only briefly.
	forMaintenance = purpose{1, url.Values{
		"_pragma": {"busy_timeout(100)", "synchronous(FULL)"},
	}}
	// A file at rest: no log beside it, nobody writes.
	forInspection = purpose{1, url.Values{
		"mode": {"ro"}, "immutable": {"1"}, "_pragma": {"query_only(ON)"},
	}}
)

// open makes a pool of connections to the file; they are made when needed.
func open(path string, p purpose) (*sql.DB, error) {
	name := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: p.parameters.Encode()}
	if path[0] != '/' {
		name = url.URL{Scheme: "file", Opaque: url.PathEscape(path), RawQuery: p.parameters.Encode()}
	}
	connector, err := sqlite.NewConnector(name.String())
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(p.connections)
	db.SetMaxIdleConns(p.connections)
	return db, nil
}

// prepareFile makes the file before SQLite does, for its mode: the files
// beside it get the same.
func prepareFile(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	switch {
	case err == nil:
		return f.Close()
	case errors.Is(err, fs.ErrExist):
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		return greenlight.Errorf(greenlight.CodeInvalid, "the state file cannot be used: %w", err)
	}
	return nil
}

// checkFile says what is wrong with an open file; one that is ours, or empty,
// keeps a write-ahead log from then on.
func checkFile(ctx context.Context, db *sql.DB) error {
	if err := checkBriefly(ctx, db, checkPatience); err != nil {
		return err
	}
	if _, err := isOurs(ctx, db); err != nil {
		return err
	}
	var mode string
	if err := db.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return greenlight.Errorf(greenlight.CodeUnsupported,
			"the file system cannot hold SQLite's write-ahead log (journal mode is %s): put the state folder on a local disk with --state", mode)
	}
	return nil
}

// errDamaged is in the chain of an error about a file that does not hold
// together.
var errDamaged = errors.New("damaged")

// checkPatience bounds how long a large file keeps the control plane from
// starting: about 80 MB are checked in a second. What stands beyond is found
// when it is read, and when a backup is made, which checks all.
const checkPatience = time.Second

func checkBriefly(ctx context.Context, db *sql.DB, patience time.Duration) error {
	brief, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := quickCheck(brief, db)
	if err != nil && brief.Err() != nil && !isDamage(err) {
		return ctx.Err()
	}
	return err
}

// quickCheck reads the whole file once.
func quickCheck(ctx context.Context, db *sql.DB) error {
	var result string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&result); err != nil {
		return err
	}
	if result != "ok" {
		return fmt.Errorf("%w: %s", errDamaged, result)
	}
	return nil
}
