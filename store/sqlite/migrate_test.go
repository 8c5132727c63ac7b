package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
)

// older makes a state folder whose file has the first n migrations, with an
// event in it.
func older(t *testing.T, n int) (dir string) {
	t.Helper()
	dir = t.TempDir()
	db, err := open(filepath.Join(dir, File), forWriting)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	known, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	if err := checkFile(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range known[:n] {
		if err := m.apply(t.Context(), tx); err != nil {
			t.Fatal(err)
		}
	}
	if n > 0 {
		if _, err := tx.Exec(insertEvent, 1, "user:ada", fmt.Sprint("schema", n), "", "", "", "", nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestMigrateFromEachOlderSchema(t *testing.T) {
	known, err := migrations()
	if err != nil || len(known) < 7 {
		t.Fatalf("%d migrations, %v", len(known), err)
	}
	want := schemaText(t, older(t, len(known)))
	for n := range len(known) + 1 {
		dir := older(t, n)
		s, err := Open(t.Context(), dir)
		if err != nil {
			t.Fatalf("from schema %d: %v", n, err)
		}
		events, err := s.ListEvents(t.Context(), store.EventQuery{})
		if err != nil || (n > 0) != (len(events) == 1) || n > 0 && events[0].Kind != fmt.Sprint("schema", n) {
			t.Errorf("from schema %d: kept %v, %v", n, events, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if got := schemaText(t, dir); got != want {
			t.Errorf("from schema %d: the schema is %s\nwant %s", n, got, want)
		}
	}
}

// schemaText is the schema of a file at rest and the migrations it has.
func schemaText(t *testing.T, dir string) string {
	t.Helper()
	db, err := open(filepath.Join(dir, File), forInspection)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	lines, err := list(t.Context(), db, func(row scanner) (line string, err error) { return line, row.Scan(&line) },
		`SELECT coalesce(sql, name) FROM sqlite_schema UNION ALL SELECT version || name || checksum FROM migrations`)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}

func TestSchemasThatAreRefused(t *testing.T) {
	tests := map[string]struct{ edit, says string }{
		"newer":    {`INSERT INTO migrations VALUES (9, '0009_later.sql', 'x', 0)`, "schema 9, this one knows up to 8"},
		"another":  {`UPDATE migrations SET checksum = 'x' WHERE version = 3`, "another migration 3"},
		"with gap": {`DELETE FROM migrations WHERE version = 2`, "another migration 3"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := older(t, 8)
			alter(t, dir, tt.edit)
			before, _ := os.ReadFile(filepath.Join(dir, File))
			_, err := Open(t.Context(), dir)
			if greenlight.CodeOf(err) != greenlight.CodeUnsupported || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want it to say %q", err, tt.says)
			}
			if after, _ := os.ReadFile(filepath.Join(dir, File)); string(after) != string(before) {
				t.Error("the file was changed")
			}
		})
	}
}

func alter(t *testing.T, dir, query string) {
	t.Helper()
	db, err := open(filepath.Join(dir, File), forWriting)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(query); err != nil {
		t.Fatal(err)
	}
}

// TestMigrationThatFails has a table in the way of the last migration: the
// others must not stay.
func TestMigrationThatFails(t *testing.T) {
	dir := older(t, 2)
	alter(t, dir, `CREATE TABLE tokens (in_the_way)`)
	want := schemaText(t, dir)
	_, err := Open(t.Context(), dir)
	if err == nil || !strings.Contains(err.Error(), "0006_tokens.sql") {
		t.Errorf("got %v, want it to name the migration", err)
	}
	if got := schemaText(t, dir); got != want {
		t.Errorf("the schema is %s\nwant %s", got, want)
	}
}

// TestFullDisk fills the file up to a limit. What was acknowledged stays,
// what failed is not there, and with space again all goes on.
func TestFullDisk(t *testing.T) {
	s, err := Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	limit(t, s.writer.db, 60)
	said := fill(t, s)
	limit(t, s.writer.db, 1<<30)
	if _, err := s.Record(t.Context(), big()); err != nil {
		t.Errorf("with space again: %v", err)
	}
	events, err := s.ListEvents(t.Context(), store.EventQuery{})
	if err != nil || len(events) != said+1 {
		t.Errorf("%d events are kept (%v), %d were acknowledged", len(events), err, said+1)
	}
}

func limit(t *testing.T, db *sql.DB, pages int) {
	t.Helper()
	if _, err := db.Exec(fmt.Sprint("PRAGMA max_page_count = ", pages)); err != nil {
		t.Fatal(err)
	}
}

func big() greenlight.Event {
	return greenlight.Event{Actor: "user:ada", Kind: "big", Message: strings.Repeat("m", store.MaxMessage)}
}

// fill records from several goroutines until each of them is refused, and
// counts what was acknowledged.
func fill(t *testing.T, s *Store) (acknowledged int) {
	counts := make(chan int)
	for range 4 {
		go func() {
			for n := 0; ; n++ {
				_, err := s.Record(context.Background(), big())
				if err != nil {
					if greenlight.CodeOf(err) != greenlight.CodeUnavailable || !strings.Contains(err.Error(), "no space left") {
						t.Errorf("got %v, want it to say that there is no space", err)
					}
					counts <- n
					return
				}
			}
		}()
	}
	for range 4 {
		acknowledged += <-counts
	}
	return acknowledged
}
