package sqlite_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
	"github.com/greenlight-dev/greenlight/store/sqlite"
)

// openIn opens the state in dir; the test's end closes it.
func openIn(t testing.TB, dir string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeNow(t, s) })
	return s
}

func closeNow(t testing.TB, s *sqlite.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func put(t testing.TB, s store.Events, kinds ...string) {
	t.Helper()
	for _, kind := range kinds {
		if _, err := s.Record(t.Context(), greenlight.Event{Actor: "user:ada", Kind: kind, Message: strings.Repeat("m", 500)}); err != nil {
			t.Fatal(err)
		}
	}
}

// kinds is the history as one line.
func kinds(t testing.TB, s store.Events) string {
	t.Helper()
	events, err := s.ListEvents(t.Context(), store.EventQuery{})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range events {
		all = append(all, e.Kind)
	}
	return strings.Join(all, " ")
}

// wantError checks code and text of an error.
func wantError(t *testing.T, err error, code greenlight.Code, says ...string) {
	t.Helper()
	if got := greenlight.CodeOf(err); got != code {
		t.Fatalf("got code %q (%v), want %q", got, err, code)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%q does not say %q", err, s)
		}
	}
}

func TestOnlyTheOwnerCanRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	s := openIn(t, dir)
	put(t, s, "a")
	checkModes(t, dir, 4)
	closeNow(t, s)
	if err := os.Chmod(filepath.Join(dir, sqlite.File), 0o644); err != nil {
		t.Fatal(err)
	}
	put(t, openIn(t, dir), "b")
	checkModes(t, dir, 4)
}

func checkModes(t *testing.T, dir string, want int) {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != want {
		t.Fatalf("%v, %v: want %d files", files, err, want)
	}
	for _, f := range append(files, fs.FileInfoToDirEntry(stat(t, dir))) {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", f.Name(), info.Mode())
		}
	}
}

func stat(t *testing.T, path string) fs.FileInfo {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func TestOneProcessAtATime(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir)
	_, err := sqlite.Open(t.Context(), dir)
	wantError(t, err, greenlight.CodeUnavailable, dir, fmt.Sprint("process ", os.Getpid()), "--state")
	put(t, s, "a")
	closeNow(t, s)
	if got := kinds(t, openIn(t, dir)); got != "a" {
		t.Errorf("kept %q", got)
	}
}

func TestOddFolders(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dir := range []string{"relative/deep", "./dot", "with space", "100%41?mode=memory#x", "ünï"} {
		s := openIn(t, dir)
		put(t, s, "a")
		closeNow(t, s)
		if size := stat(t, filepath.Join(dir, sqlite.File)).Size(); size == 0 {
			t.Errorf("%s: nothing was written", dir)
		}
	}
	_, err := sqlite.Open(t.Context(), "relative/deep/"+sqlite.File)
	wantError(t, err, greenlight.CodeInvalid, "state folder")
}

// state makes a state with some content and returns its file.
func state(t *testing.T, dir string, content ...string) string {
	t.Helper()
	s := openIn(t, dir)
	put(t, s, content...)
	closeNow(t, s)
	return filepath.Join(dir, sqlite.File)
}

// damage overwrites the middle of a file.
func damage(t *testing.T, path string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copy(raw[4096:], bytes.Repeat([]byte{0xa5}, len(raw)/2))
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDamagedFiles(t *testing.T) {
	tests := map[string]func(t *testing.T, path string){
		"pages overwritten": damage,
		"cut short":         func(t *testing.T, path string) { must(t, os.Truncate(path, 4096*3)) },
		"not a database": func(t *testing.T, path string) {
			must(t, os.WriteFile(path, bytes.Repeat([]byte("not a database\n"), 1000), 0o600))
		},
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := state(t, dir, "a", "b", "c")
			spoil(t, path)
			before, _ := os.ReadFile(path)
			_, err := sqlite.Open(t.Context(), dir)
			wantError(t, err, greenlight.CodeInternal, path, "damaged", "greenlight restore")
			after, _ := os.ReadFile(path)
			if !bytes.Equal(before, after) {
				t.Error("the damaged file was changed")
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// edit runs SQL on a state that is at rest.
func edit(t *testing.T, path, query string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	must(t, err)
	_, err = db.Exec(query)
	must(t, err)
	must(t, db.Close())
}

func TestAnotherProgramsDatabase(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, sqlite.File)
	edit(t, path, "CREATE TABLE theirs (x)")
	before, _ := os.ReadFile(path)
	_, err := sqlite.Open(t.Context(), dir)
	wantError(t, err, greenlight.CodeInvalid, "another program")
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the other program's file was changed")
	}
}

func TestHistoryCannotBeEdited(t *testing.T) {
	path := state(t, t.TempDir(), "a")
	db, err := sql.Open("sqlite", path)
	must(t, err)
	defer db.Close()
	for _, query := range []string{"UPDATE events SET actor = 'nobody'", "DELETE FROM events"} {
		if _, err := db.Exec(query); err == nil {
			t.Errorf("%s worked", query)
		}
	}
}

func TestCheckpoint(t *testing.T) {
	dir := t.TempDir()
	s := openIn(t, dir)
	put(t, s, "a", "b")
	wal := filepath.Join(dir, sqlite.File+"-wal")
	if stat(t, wal).Size() == 0 {
		t.Fatal("there is no log to fold")
	}
	must(t, s.Checkpoint(t.Context()))
	if size := stat(t, wal).Size(); size != 0 {
		t.Errorf("the log has %d bytes after a checkpoint", size)
	}
	put(t, s, "c")
	if got := kinds(t, s); got != "a b c" {
		t.Errorf("kept %q", got)
	}
}

func TestRunFoldsTheLog(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		s := openIn(t, dir)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		put(t, s, "a")
		time.Sleep(10 * time.Minute)
		if size := stat(t, filepath.Join(dir, sqlite.File+"-wal")).Size(); size != 0 {
			t.Errorf("the log has %d bytes after ten minutes", size)
		}
		cancel()
		must(t, <-done)
		closeNow(t, s)
	})
}

// BenchmarkRecord says how many changes become durable a second, from one
// caller and from many at once.
func BenchmarkRecord(b *testing.B) {
	e := greenlight.Event{Actor: "reconciler", Kind: "replica.started", Message: "started", Evidence: map[string]any{"port": 1}}
	s := openIn(b, b.TempDir())
	record := func() {
		if _, err := s.Record(b.Context(), e); err != nil {
			b.Error(err)
		}
	}
	b.Run("alone", func(b *testing.B) {
		for b.Loop() {
			record()
		}
	})
	b.Run("together", func(b *testing.B) {
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				record()
			}
		})
	})
}
