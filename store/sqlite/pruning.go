package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
)

// pruneTogether is how many rows one transaction removes: what it costs others
// is a few milliseconds.
const pruneTogether = 500

// Prune implements store.Pruner.
func (s *Store) Prune(ctx context.Context, o store.PruneOptions) (done store.Pruned, err error) {
	if err := store.CheckPrune(&o); err != nil {
		return done, err
	}
	if !o.StepsBefore.IsZero() {
		if done.Steps, err = s.pruneSteps(ctx, o); err != nil {
			return done, err
		}
	}
	if !o.EventsBefore.IsZero() && len(o.Kinds) > 0 {
		done.Events, err = s.pruneEvents(ctx, o)
	}
	return done, err
}

// pages removes what next finds, page by page, until there is no more. next
// gives the ids after one in ascending order; it reads, and keeps no writer
// waiting.
func (s *Store) pages(ctx context.Context, doing string, next func(after int64) ([]int64, error), remove func(tx *transaction, ids string) (int, error)) (removed int, err error) {
	for after := int64(math.MinInt64); ; {
		ids, err := next(after)
		if err != nil || len(ids) == 0 {
			return removed, err
		}
		text, err := json.Marshal(ids)
		if err != nil {
			return removed, err
		}
		var n int
		err = s.change(ctx, doing, func(tx *transaction) (err error) { n, err = remove(tx, string(text)); return err })
		if err != nil {
			return removed, err
		}
		removed, after = removed+n, ids[len(ids)-1]
		if len(ids) < pruneTogether {
			return removed, nil
		}
	}
}

// planEnded is the condition for steps that ended and whose plan has none that
// is open.
const planEnded = `ended IS NOT NULL AND plan NOT IN (SELECT plan FROM steps WHERE ended IS NULL)`

func (s *Store) pruneSteps(ctx context.Context, o store.PruneOptions) (int, error) {
	const doing = "prune steps"
	next := func(after int64) ([]int64, error) {
		return readAll(ctx, s, doing, scanID, `SELECT id FROM steps WHERE id > ? AND ended < ? AND `+planEnded+` ORDER BY id LIMIT ?`,
			after, o.StepsBefore.UnixNano(), pruneTogether)
	}
	return s.pages(ctx, doing, next, func(tx *transaction, ids string) (int, error) {
		return tx.remove(`DELETE FROM steps WHERE id IN (SELECT value FROM json_each(?)) AND `+planEnded, ids)
	})
}

func (s *Store) pruneEvents(ctx context.Context, o store.PruneOptions) (int, error) {
	const doing = "prune events"
	kinds, args := operational(o.Kinds)
	unreferred, err := s.unreferred(ctx)
	if err != nil {
		return 0, err
	}
	end, err := s.endOfPruning(ctx, kinds, args, o.KeepEvents)
	if err != nil {
		return 0, err
	}
	// The plus keeps SQLite from taking an index: in the order of ids, all
	// pages together walk through the table once.
	query := fmt.Sprintf(`SELECT id FROM events WHERE id > ? AND id < ? AND +time < ? AND %s AND %s ORDER BY id LIMIT %d`, kinds, unreferred, pruneTogether)
	next := func(after int64) ([]int64, error) {
		return readAll(ctx, s, doing, scanID, query, append([]any{after, end, o.EventsBefore.UnixNano()}, args...)...)
	}
	return s.pages(ctx, doing, next, (*transaction).removeEvents)
}

// removeEvents removes events in the only way that the schema permits. Should
// one be referred to after all, the foreign key refuses them together.
func (tx *transaction) removeEvents(ids string) (int, error) {
	if _, err := tx.exec(`INSERT INTO pruning VALUES (1)`); err != nil {
		return 0, err
	}
	n, err := tx.remove(`DELETE FROM events WHERE id IN (SELECT value FROM json_each(?))`, ids)
	if err != nil {
		return 0, err
	}
	_, err = tx.exec(`DELETE FROM pruning`)
	return n, err
}

func (tx *transaction) remove(query, ids string) (int, error) {
	result, err := tx.exec(query, ids)
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return int(n), err
}

// operational is the condition for events of these kinds that are not what a
// person did.
func operational(kinds []string) (condition string, args []any) {
	terms := make([]string, len(kinds))
	for i, kind := range kinds {
		name, all := strings.CutSuffix(kind, "*")
		terms[i] = "+kind = ?"
		if all {
			terms[i] = "substr(kind, 1, length(?)) = ?"
			args = append(args, name)
		}
		args = append(args, name)
	}
	return "(" + strings.Join(terms, " OR ") + ") AND actor NOT GLOB 'user:*' AND actor NOT GLOB 'token:*'", args
}

// endOfPruning is the id of the oldest event that stays for its newness; all
// there are stay when they are no more than that.
func (s *Store) endOfPruning(ctx context.Context, condition string, args []any, keep int) (int64, error) {
	if keep == 0 {
		return math.MaxInt64, nil
	}
	query := fmt.Sprintf(`SELECT id FROM events WHERE %s ORDER BY id DESC LIMIT 1 OFFSET %d`, condition, keep-1)
	end, err := readOne(ctx, s, "find the newest events", scanID, query, args...)
	if greenlight.CodeOf(err) == greenlight.CodeNotFound {
		return math.MinInt64, nil
	}
	return end, err
}

// unreferred is the condition for events that nothing refers to. It comes from
// the schema, so that no table is forgotten.
func (s *Store) unreferred(ctx context.Context) (string, error) {
	const references = `SELECT format('NOT EXISTS (SELECT 1 FROM "%w" WHERE "%w" = events.id)', t.name, f."from")
FROM sqlite_schema AS t, pragma_foreign_key_list(t.name) AS f WHERE t.type = 'table' AND f."table" = 'events'`
	terms, err := readAll(ctx, s, "read the schema", func(row scanner) (term string, err error) { return term, row.Scan(&term) }, references)
	if err == nil && len(terms) == 0 {
		err = s.failure("read the schema", errors.New("nothing refers to events")) // desired states do
	}
	return strings.Join(terms, " AND "), err
}

func scanID(row scanner) (id int64, err error) { return id, row.Scan(&id) }
