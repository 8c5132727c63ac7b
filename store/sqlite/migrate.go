package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

//go:embed migrations/*.sql
var embedded embed.FS

// applicationID marks a file as ours in SQLite's header: "GLit".
const applicationID = 0x474c6974

// migration is one step of the schema. A migration that was released is
// never edited; what is to change comes as the next one.
type migration struct {
	version  int // 1, 2, 3, …
	name     string
	text     string
	checksum string
}

// migrations reads migrations/NNNN_name.sql, which count up from 0001.
func migrations() ([]migration, error) {
	names, err := fs.Glob(embedded, "migrations/*.sql") // sorted
	if err != nil {
		return nil, err
	}
	list := make([]migration, len(names))
	for i, name := range names {
		text, err := embedded.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(path.Base(name), fmt.Sprintf("%04d_", i+1)) {
			return nil, fmt.Errorf("migration %s is not number %d", name, i+1)
		}
		sum := sha256.Sum256(text)
		list[i] = migration{i + 1, path.Base(name), string(text), hex.EncodeToString(sum[:])}
	}
	return list, nil
}

// migrate brings a file to the newest schema, in one transaction.
func migrate(ctx context.Context, db *sql.DB) error {
	known, err := migrations()
	if err != nil {
		return err
	}
	applied, err := schemaOf(ctx, db, known)
	if err != nil || applied == len(known) {
		return err
	}
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, m := range known[applied:] {
		if err := m.apply(ctx, tx); err != nil {
			return fmt.Errorf("migration %s: %w", m.name, err)
		}
	}
	return tx.Commit()
}

const createMigrations = `CREATE TABLE IF NOT EXISTS migrations (
    version  INTEGER PRIMARY KEY,
    name     TEXT NOT NULL,
    checksum TEXT NOT NULL, -- SHA-256 of the file
    applied  INTEGER NOT NULL
) STRICT`

func (m *migration) apply(ctx context.Context, tx *sql.Tx) error {
	if m.version == 1 {
		mark := fmt.Sprintf("PRAGMA application_id = %d", applicationID)
		if _, err := tx.ExecContext(ctx, mark+";"+createMigrations); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, m.text); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO migrations (version, name, checksum, applied) VALUES (?, ?, ?, ?)`,
		m.version, m.name, m.checksum, time.Now().UnixNano())
	return err
}

// schemaOf says how many of the known migrations a file has: 0 for an empty
// one. A file of another program, of a newer Greenlight, or with migrations
// of other content is an error.
func schemaOf(ctx context.Context, db *sql.DB, known []migration) (int, error) {
	ours, err := isOurs(ctx, db)
	if err != nil || !ours {
		return 0, err
	}
	applied, err := list(ctx, db, scanMigration, `SELECT version, name, checksum FROM migrations ORDER BY version`)
	if err != nil {
		return 0, err
	}
	if newest := len(applied); newest > len(known) {
		return 0, greenlight.Errorf(greenlight.CodeUnsupported,
			"the state was written by a newer Greenlight (schema %d, this one knows up to %d): run that version again, or restore a backup made before the upgrade", newest, len(known))
	}
	for i, a := range applied {
		if a.version != known[i].version || a.checksum != known[i].checksum {
			return 0, greenlight.Errorf(greenlight.CodeUnsupported,
				"the state's schema has another migration %d (%s) than this Greenlight (%s): it was made by a build that was never released; run that build, or restore a backup", a.version, a.name, known[i].name)
		}
	}
	return len(applied), nil
}

// isOurs tells a file of ours (true) from an empty one (false); any other is
// an error.
func isOurs(ctx context.Context, db *sql.DB) (bool, error) {
	var id, objects int
	err := db.QueryRowContext(ctx, `SELECT (SELECT application_id FROM pragma_application_id), (SELECT count(*) FROM sqlite_schema)`).Scan(&id, &objects)
	if err != nil {
		return false, err
	}
	if id == applicationID && objects > 0 {
		return true, nil
	}
	if objects > 0 || id != 0 {
		return false, greenlight.Errorf(greenlight.CodeInvalid, "the file is a database of another program")
	}
	return false, nil
}

func scanMigration(row scanner) (m migration, err error) {
	return m, row.Scan(&m.version, &m.name, &m.checksum)
}
