package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// scanner is a row: *sql.Row or *sql.Rows.
type scanner interface{ Scan(dest ...any) error }

// querier is a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// list reads all rows of a query; no rows are an empty slice, not nil.
func list[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := []T{}
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// first reads the first row of a query; found is false when there is none.
func first[T any](ctx context.Context, q querier, scan func(scanner) (T, error), query string, args ...any) (one T, found bool, err error) {
	all, err := list(ctx, q, scan, query, args...)
	if err != nil || len(all) == 0 {
		return one, false, err
	}
	return all[0], true, nil
}

// readAll is list on the store's readers.
func readAll[T any](ctx context.Context, s *Store, doing string, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	all, err := list(ctx, s.readers, scan, query, args...)
	return all, s.readFailure(ctx, doing, err)
}

// readOne is first on the store's readers; doing names what was looked for.
func readOne[T any](ctx context.Context, s *Store, doing string, scan func(scanner) (T, error), query string, args ...any) (T, error) {
	one, found, err := first(ctx, s.readers, scan, query, args...)
	if err == nil && !found {
		err = greenlight.Errorf(greenlight.CodeNotFound, "%s: there is none", doing)
	}
	return one, s.readFailure(ctx, doing, err)
}

func (s *Store) readFailure(ctx context.Context, doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case s.alive.Err() != nil:
		return errClosed(doing)
	case ctx.Err() != nil:
		return greenlight.Errorf(greenlight.CodeUnavailable, "%s: %w", doing, errors.Join(ctx.Err(), err))
	}
	return s.failure(doing, err)
}

// nanoseconds is how a time is kept; a zero one is NULL.
func nanoseconds(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixNano()
}

// instant scans a time that may be NULL.
type instant struct{ time *time.Time }

func (i instant) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*i.time = time.Time{}
	case int64:
		*i.time = time.Unix(0, v).UTC()
	default:
		return errors.New("a time is not an integer")
	}
	return nil
}

// document scans JSON that may be NULL.
type document struct{ raw *json.RawMessage }

func (d document) Scan(value any) error {
	switch v := value.(type) {
	case nil:
		*d.raw = nil
	case string:
		*d.raw = json.RawMessage(v)
	default:
		return errors.New("a document is not text")
	}
	return nil
}

// text is how JSON is kept; an empty one is NULL.
func text(raw json.RawMessage) any {
	if len(raw) == 0 {
		return nil
	}
	return string(raw)
}
