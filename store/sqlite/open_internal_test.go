package sqlite

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"
)

// TestWriterIsDurable holds what no test that only kills a process could
// notice: that a commit waits for the disk.
func TestWriterIsDurable(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const full = "2"
	for pragma, want := range map[string]string{"synchronous": full, "journal_mode": "wal", "foreign_keys": "1", "busy_timeout": "5000"} {
		var got string
		if err := s.writer.db.QueryRow("PRAGMA " + pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s is %s (%v), want %s", pragma, got, err, want)
		}
	}
}

// TestCheckGivesUp checks a file for no time at all: what was not found is no
// reason to stay down, but who asked to stop is heard.
func TestCheckGivesUp(t *testing.T) {
	db, err := open(filepath.Join(older(t, 7), File), forWriting)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := checkBriefly(t.Context(), db, 0); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := checkBriefly(ctx, db, time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
}
