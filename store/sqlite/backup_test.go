package sqlite_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store/sqlite"
)

// writing records numbered events until the function it returns is called.
func writing(t *testing.T, s *sqlite.Store) (finish func()) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
				put(t, s, fmt.Sprint(n))
			}
		}
	})
	return func() { close(stop); wg.Wait() }
}

func TestBackupWhileRunning(t *testing.T) {
	s := openIn(t, t.TempDir())
	for range 20 {
		put(t, s, "before")
	}
	path := filepath.Join(t.TempDir(), "state.backup")
	var done, total int64
	finish := writing(t, s)
	err := s.Backup(t.Context(), path, func(d, of int64) { done, total = d, of })
	finish()
	must(t, err)
	if info := stat(t, path); done != total || total != info.Size() || info.Mode().Perm() != 0o600 {
		t.Errorf("reported %d of %d, the file is %v with %d bytes", done, total, info.Mode(), info.Size())
	}
	dir := t.TempDir()
	aside, err := sqlite.Restore(t.Context(), dir, path)
	must(t, err)
	got, all := kinds(t, openIn(t, dir)), kinds(t, s)
	if aside != "" || !strings.HasPrefix(got, "before before") || !strings.HasPrefix(all, got) {
		t.Errorf("aside %q; the backup holds %q", aside, got)
	}
}

func TestBackupReplacesTheOneBefore(t *testing.T) {
	s, path := openIn(t, t.TempDir()), filepath.Join(t.TempDir(), "state.backup")
	put(t, s, "a")
	must(t, s.Backup(t.Context(), path, nil))
	put(t, s, "b")
	must(t, s.Backup(t.Context(), path, nil))
	dir := t.TempDir()
	_, err := sqlite.Restore(t.Context(), dir, path)
	must(t, err)
	if got := kinds(t, openIn(t, dir)); got != "a b" {
		t.Errorf("restored %q", got)
	}
}

func TestBackupFailsCleanly(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	s := openIn(t, dir)
	put(t, s, "a")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Backup(cancelled, filepath.Join(out, "b"), nil); err == nil {
		t.Error("backed up with a cancelled context")
	}
	must(t, os.Symlink(filepath.Join(dir, sqlite.File), filepath.Join(out, "link")))
	for _, path := range []string{filepath.Join(dir, sqlite.File), filepath.Join(dir, sqlite.File+"-wal"), filepath.Join(out, "link")} {
		wantError(t, s.Backup(t.Context(), path, nil), greenlight.CodeInvalid, "the state itself")
	}
	wantError(t, s.Backup(t.Context(), out, nil), greenlight.CodeInvalid, "not a file")
	wantError(t, s.Backup(t.Context(), filepath.Join(out, "none", "b"), nil), greenlight.CodeInvalid, "none")
	if left, _ := os.ReadDir(out); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	closeNow(t, s)
	wantError(t, s.Backup(t.Context(), filepath.Join(out, "b"), nil), greenlight.CodeUnavailable, "closed")
}

func backupOf(t *testing.T, content ...string) string {
	t.Helper()
	s, path := openIn(t, t.TempDir()), filepath.Join(t.TempDir(), "state.backup")
	put(t, s, content...)
	must(t, s.Backup(t.Context(), path, nil))
	closeNow(t, s)
	return path
}

func TestRestoreKeepsTheOldState(t *testing.T) {
	backup, dir := backupOf(t, "new"), t.TempDir()
	state(t, dir, "old")
	aside, err := sqlite.Restore(t.Context(), dir, backup)
	must(t, err)
	if got := kinds(t, openIn(t, dir)); got != "new" {
		t.Errorf("restored %q", got)
	}
	back := t.TempDir()
	_, err = sqlite.Restore(t.Context(), back, aside)
	must(t, err)
	if got := kinds(t, openIn(t, back)); got != "old" {
		t.Errorf("kept aside %q", got)
	}
}

// TestRestoreAfterAKill restores over a state whose last changes stand only
// in the log, as a killed process leaves it.
func TestRestoreAfterAKill(t *testing.T) {
	backup, live, dir := backupOf(t, "new"), t.TempDir(), t.TempDir()
	s := openIn(t, live)
	must(t, s.Checkpoint(t.Context()))
	put(t, s, "old")
	for _, name := range []string{sqlite.File, sqlite.File + "-wal"} {
		raw, err := os.ReadFile(filepath.Join(live, name))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, name), raw, 0o600))
	}
	_, err := sqlite.Restore(t.Context(), t.TempDir(), filepath.Join(dir, sqlite.File))
	wantError(t, err, greenlight.CodeInvalid, "in use", "greenlight backup")
	aside, err := sqlite.Restore(t.Context(), dir, backup)
	must(t, err)
	if got := kinds(t, openIn(t, dir)); got != "new" {
		t.Errorf("restored %q", got)
	}
	back := t.TempDir()
	_, err = sqlite.Restore(t.Context(), back, aside)
	must(t, err)
	if got := kinds(t, openIn(t, back)); got != "old" {
		t.Errorf("kept aside %q", got)
	}
}

func TestRestoreOverADamagedState(t *testing.T) {
	backup, dir := backupOf(t, "new"), t.TempDir()
	path := state(t, dir, "old")
	damage(t, path)
	before, _ := os.ReadFile(path)
	aside, err := sqlite.Restore(t.Context(), dir, backup)
	must(t, err)
	if got := kinds(t, openIn(t, dir)); got != "new" {
		t.Errorf("restored %q", got)
	}
	if kept, _ := os.ReadFile(aside); !bytes.Equal(kept, before) {
		t.Error("the damaged file was not kept as it was")
	}
}

func TestRestoreRefuses(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(t *testing.T, path string)
		code  greenlight.Code
		says  string
	}{
		{"a damaged backup", damage, greenlight.CodeInvalid, "damaged"},
		{"an empty file", func(t *testing.T, path string) { must(t, os.Truncate(path, 0)) }, greenlight.CodeInvalid, "empty"},
		{"no backup", func(t *testing.T, path string) { must(t, os.Remove(path)) }, greenlight.CodeInvalid, "state.backup"},
		{"another program's", func(t *testing.T, path string) { edit(t, path, "PRAGMA application_id = 7") }, greenlight.CodeInvalid, "another program"},
		{"a newer one", func(t *testing.T, path string) {
			edit(t, path, "INSERT INTO migrations VALUES (1000, '1000_new.sql', 'x', 0)")
		}, greenlight.CodeUnsupported, "newer Greenlight"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			backup, dir := backupOf(t, "new"), t.TempDir()
			state(t, dir, "old")
			tt.spoil(t, backup)
			aside, err := sqlite.Restore(t.Context(), dir, backup)
			wantError(t, err, tt.code, tt.says)
			if left, _ := os.ReadDir(dir); len(left) != 2 || aside != "" {
				t.Errorf("left behind: %v, aside %q", left, aside)
			}
			if got := kinds(t, openIn(t, dir)); got != "old" {
				t.Errorf("the state is %q", got)
			}
		})
	}
}

func TestRestoreWhileInUse(t *testing.T) {
	backup, dir := backupOf(t, "new"), t.TempDir()
	s := openIn(t, dir)
	_, err := sqlite.Restore(t.Context(), dir, backup)
	wantError(t, err, greenlight.CodeUnavailable, "in use")
	put(t, s, "old")
	closeNow(t, s)
	_, err = sqlite.Restore(t.Context(), dir, filepath.Join(dir, sqlite.File))
	wantError(t, err, greenlight.CodeInvalid, "the state itself")
}
