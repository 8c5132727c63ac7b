package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Restore makes a backup the state of folder dir, which nobody may be using.
// It checks the backup first and keeps the state it replaces beside it; aside
// is that file's path, "" when there was none. After a failure the old state
// is still in place. A backup of an older schema is brought up to date when
// it is opened.
func Restore(ctx context.Context, dir, backup string) (aside string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", greenlight.Errorf(greenlight.CodeInvalid, "make the state folder: %w", err)
	}
	l, err := acquire(dir)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, l.release()) }()
	path := filepath.Join(dir, File)
	if err := refuseOwnFile(path, backup); err != nil {
		return "", err
	}
	if sizeOf(backup+"-wal") > 0 {
		return "", greenlight.Errorf(greenlight.CodeInvalid,
			"%s cannot be restored: it is a state in use, and half of it stands in %s-wal; make a backup of it with `greenlight backup`", backup, filepath.Base(backup))
	}
	err = replaceFile(path, func(unfinished string) error {
		// What is checked is the copy: it is what will be used.
		if err := copyFile(ctx, unfinished, backup); err != nil {
			return greenlight.Errorf(greenlight.CodeInvalid, "read the backup: %w", err)
		}
		if _, err := inspect(ctx, unfinished); err != nil {
			return greenlight.Errorf(greenlight.CodeOf(err), "%s cannot be restored: %w", backup, err)
		}
		aside, err = setAside(ctx, path)
		return err
	})
	return aside, err
}

// inspect checks a file at rest and says which schema it has.
func inspect(ctx context.Context, path string) (schema int, err error) {
	known, err := migrations()
	if err != nil {
		return 0, err
	}
	db, err := open(path, forInspection)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	if err := quickCheck(ctx, db); err != nil {
		return 0, greenlight.Errorf(greenlight.CodeInvalid, "it is damaged or no backup of Greenlight: %w", err)
	}
	schema, err = schemaOf(ctx, db, known)
	if err == nil && schema == 0 {
		err = greenlight.Errorf(greenlight.CodeInvalid, "it is empty")
	}
	return schema, failure(path, "check the backup", err)
}

func copyFile(ctx context.Context, to, from string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, patient{ctx, source})
	return errors.Join(err, target.Close())
}

// patient is a reader that stops when its context does.
type patient struct {
	ctx context.Context
	io.Reader
}

func (p patient) Read(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	return p.Reader.Read(b)
}

// setAside gives the state a second name. Its first stays until the new file
// takes it, so that at every instant there is a whole state in place.
func setAside(ctx context.Context, path string) (aside string, err error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	aside = fmt.Sprintf("%s.replaced-%s", path, time.Now().UTC().Format("20060102T150405.000"))
	// A state that is whole needs its log no more after this. One that is
	// damaged keeps it: the log goes aside with it.
	fold(ctx, path)
	if err := os.Link(path, aside); err != nil {
		return "", fmt.Errorf("keep the replaced state: %w", err)
	}
	for _, beside := range []string{"-wal", "-shm"} {
		if err := os.Rename(path+beside, aside+beside); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("keep the replaced state: %w", err)
		}
	}
	return aside, nil
}

// fold opens and closes a file, which makes SQLite fold the log into it.
func fold(ctx context.Context, path string) {
	db, err := open(path, forMaintenance)
	if err != nil {
		return
	}
	defer db.Close()
	_, _ = db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)") // what fails here fails because the file is damaged
}
