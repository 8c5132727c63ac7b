package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
)

var (
	tomorrow = time.Now().Add(24 * time.Hour)
	noise    = greenlight.Event{Actor: "reconciler", Kind: "noise", Message: "again"}
	allNoise = store.PruneOptions{EventsBefore: tomorrow, StepsBefore: tomorrow, Kinds: []string{"noise"}}
)

// TestPruneAStateFromBefore prunes a file that was made before there was
// pruning, with a row in every table that refers to events.
func TestPruneAStateFromBefore(t *testing.T) {
	const before = 6
	dir := older(t, before)
	alter(t, dir, numbers(8)+`
INSERT INTO events (id, time, actor, kind, environment, service, subject, message) SELECT n + 1, 1, 'reconciler', 'noise', '', '', '', '' FROM numbers;
INSERT INTO desired VALUES ('dev', 1, 'd', '{}', 2);
INSERT INTO releases VALUES ('r', 'iris', '', '{}', 3);
INSERT INTO settings VALUES ('s', 'k', '1', 4);
INSERT INTO tokens VALUES ('t', 'ci', 'viewer', x'00', x'00', NULL, 5, 6);
INSERT INTO steps (plan, kind, environment, service, subject, began, ended) VALUES ('p', 'k', '', '', '', 1, 1), ('q', 'k', '', '', '', 1, NULL);`)
	s, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, err := s.Prune(t.Context(), allNoise)
	if err != nil || got != (store.Pruned{Steps: 1, Events: 3}) {
		t.Errorf("pruned %+v, %v; want one step, and the events 7, 8 and 9", got, err)
	}
	next, err := s.Record(t.Context(), noise)
	if err != nil || next[0].ID != 10 {
		t.Errorf("the next event is %+v, %v; want number 10", next, err)
	}
}

// TestOnlyPruningRemoves tries to remove events from inside and outside of the
// one transaction that may.
func TestOnlyPruningRemoves(t *testing.T) {
	s, err := Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	person := noise
	person.Actor = "user:ada"
	kept, err := s.Record(t.Context(), person, noise, noise)
	if err != nil {
		t.Fatal(err)
	}
	remove := func(tx *transaction) error {
		_, err := tx.exec(`DELETE FROM events WHERE actor = 'reconciler'`)
		return err
	}
	refuse := func(when string, f func(tx *transaction) error, says string) {
		t.Helper()
		if err := s.change(t.Context(), "remove", f); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want it to say %q", when, err, says)
		}
	}
	refuse("before pruning", remove, "by pruning only")
	refuse("what a person did", func(tx *transaction) error { _, err := tx.removeEvents(`[1,2,3]`); return err }, "what people did")
	refuse("after it was refused", remove, "by pruning only")
	if got, err := s.Prune(t.Context(), allNoise); err != nil || got.Events != 2 {
		t.Errorf("pruned %+v, %v", got, err)
	}
	if _, err := s.Record(t.Context(), noise); err != nil {
		t.Fatal(err)
	}
	refuse("after pruning", remove, "by pruning only")
	events, err := s.ListEvents(t.Context(), store.EventQuery{})
	if err != nil || len(events) != 2 || events[0].ID != kept[0].ID {
		t.Errorf("%+v are left, %v; want what a person did, and the last", events, err)
	}
	marks, err := list(t.Context(), s.readers, scanID, `SELECT under_way FROM pruning`)
	if err != nil || len(marks) != 0 {
		t.Errorf("marked as pruning: %v, %v", marks, err)
	}
}

// TestPruneBesideOthers has pruning share its commits with others, some of
// which try to remove events themselves and fail.
func TestPruneBesideOthers(t *testing.T) {
	s, err := Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, stop := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer stop()
	done := make(chan int)
	for range 4 {
		go func() {
			removed := 0
			for ctx.Err() == nil {
				if s.change(t.Context(), "remove", func(tx *transaction) error { _, err := tx.exec(`DELETE FROM events`); return err }) == nil {
					removed++ // right only when there was nothing to remove
				}
			}
			done <- removed
		}()
	}
	person := noise
	person.Actor = "token:ci"
	kept := 1
	if _, err := s.Record(t.Context(), person); err != nil {
		t.Fatal(err)
	}
	for ; ctx.Err() == nil; kept++ {
		if _, err := s.Record(t.Context(), noise, person); err != nil {
			t.Error(err)
		}
		if _, err := s.Prune(t.Context(), allNoise); err != nil {
			t.Error(err)
		}
	}
	for range 4 {
		<-done
	}
	events, err := s.ListEvents(t.Context(), store.EventQuery{Limit: store.MaxRows})
	if err != nil || len(events) != kept {
		t.Errorf("%d events are left, want %d (%v)", len(events), kept, err)
	}
}

// TestReferencesAreIndexed holds that removing an event walks through no
// table: each column that refers to events leads an index.
func TestReferencesAreIndexed(t *testing.T) {
	db, err := open(filepath.Join(older(t, 7), File), forInspection)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	text := func(row scanner) (line string, err error) { return line, row.Scan(&line) }
	referring, err := list(t.Context(), db, text, `SELECT t.name || '.' || f."from" FROM sqlite_schema AS t, pragma_foreign_key_list(t.name) AS f
WHERE t.type = 'table' AND f."table" = 'events' ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	indexed, err := list(t.Context(), db, text, `SELECT DISTINCT t.name || '.' || c.name FROM sqlite_schema AS t, pragma_index_list(t.name) AS i, pragma_index_info(i.name) AS c
WHERE t.type = 'table' AND c.seqno = 0`)
	if err != nil {
		t.Fatal(err)
	}
	for _, column := range referring {
		if !slices.Contains(indexed, column) {
			t.Errorf("%s refers to events and has no index", column)
		}
	}
	want := []string{"desired.event", "releases.event", "settings.event", "tokens.created_event", "tokens.revoked_event"}
	if !slices.Equal(referring, want) {
		t.Errorf("%q refer to events, want %q", referring, want)
	}
}

// numbers makes a temporary table of 1, 2, …, n.
func numbers(n int) string {
	return fmt.Sprintf(`CREATE TEMP TABLE numbers AS WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < %d) SELECT n FROM c;`, n)
}

// BenchmarkPrune says how long a large pruning takes, and how long others that
// write meanwhile wait at most.
func BenchmarkPrune(b *testing.B) {
	const rows = 20_000
	s, err := Open(b.Context(), b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if _, err := s.writer.db.Exec(numbers(rows)); err != nil {
		b.Fatal(err)
	}
	var longest time.Duration
	for b.Loop() {
		b.StopTimer()
		_, err := s.writer.db.Exec(`INSERT INTO events (time, actor, kind, environment, service, subject, message)
SELECT 1, 'reconciler', 'noise', 'dev', 'iris', 'iris-1', 'again' FROM numbers`)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		waits := make(chan time.Duration)
		ctx, stop := context.WithCancel(b.Context())
		go func() { waits <- longestWait(ctx, b, s) }()
		if got, err := s.Prune(b.Context(), allNoise); err != nil || got.Events != rows {
			b.Error(got, err)
		}
		stop()
		longest = max(longest, <-waits)
	}
	b.ReportMetric(float64(longest.Microseconds())/1000, "ms-longest-wait")
}

// longestWait records until ctx is done.
func longestWait(ctx context.Context, b *testing.B, s *Store) (longest time.Duration) {
	for ctx.Err() == nil {
		began := time.Now()
		if _, err := s.Record(b.Context(), greenlight.Event{Actor: "user:ada", Kind: "kept"}); err != nil {
			b.Error(err)
		}
		longest = max(longest, time.Since(began))
	}
	return longest
}
