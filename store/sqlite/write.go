package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	sqlite3 "modernc.org/sqlite/lib"

	greenlight "github.com/greenlight-dev/greenlight"
)

// writer makes all changes. What comes in while a commit is on its way to
// the disk is committed together by the next: one of the callers that wait
// takes the turn and works for all. A commit costs the same for one change
// as for a hundred.
type writer struct {
	db        *sql.DB
	turn      chan struct{} // holds one while somebody commits
	committed func()        // called after every commit

	mu      sync.Mutex // guards what follows
	queue   []*change
	stopped bool
}

// change is one caller's part of a commit: all of it or none.
type change struct {
	f    func(tx *transaction) error
	err  error
	done chan struct{}
}

// transaction is what a change works on.
type transaction struct {
	*sql.Tx
	ctx      context.Context // never cancelled: one caller's patience must not undo the others' changes
	recorded bool
}

func (tx *transaction) exec(query string, args ...any) (sql.Result, error) {
	return tx.ExecContext(tx.ctx, query, args...)
}

// maxTogether bounds what one commit takes on, and so how long it takes.
const maxTogether = 512

// do makes one change durable, or returns why not.
func (w *writer) do(ctx context.Context, doing string, f func(tx *transaction) error) error {
	if err := ctx.Err(); err != nil {
		return greenlight.Errorf(greenlight.CodeUnavailable, "%s: %w", doing, err)
	}
	c := &change{f: f, done: make(chan struct{})}
	if !w.enqueue(c) {
		return errClosed(doing)
	}
	for {
		select {
		case <-c.done:
			return c.err
		case w.turn <- struct{}{}:
			w.commit(context.WithoutCancel(ctx), w.dequeue())
			<-w.turn
		}
	}
}

func (w *writer) enqueue(c *change) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return false
	}
	w.queue = append(w.queue, c)
	return true
}

func (w *writer) dequeue() []*change {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := min(len(w.queue), maxTogether)
	batch := w.queue[:n:n]
	w.queue = w.queue[n:]
	return batch
}

// stop refuses new changes and waits for those that were accepted.
func (w *writer) stop() {
	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
	w.turn <- struct{}{}
	for batch := w.dequeue(); len(batch) > 0; batch = w.dequeue() {
		w.commit(context.Background(), batch)
	}
	<-w.turn
}

// commit makes the changes of a batch in one transaction. A change that
// fails by itself does not hurt the others; a failure of the transaction
// fails them all.
func (w *writer) commit(ctx context.Context, batch []*change) {
	if len(batch) == 0 {
		return
	}
	recorded, err := w.transact(ctx, batch)
	for _, c := range batch {
		if err != nil {
			c.err = err
		}
		close(c.done)
	}
	if err == nil && recorded {
		w.committed()
	}
}

func (w *writer) transact(ctx context.Context, batch []*change) (recorded bool, err error) {
	sqlTx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer sqlTx.Rollback()
	tx := &transaction{Tx: sqlTx, ctx: ctx}
	for _, c := range batch {
		c.err = tx.attempt(c.f)
		if c.err != nil && !isOwn(c.err) {
			return false, c.err
		}
	}
	return tx.recorded, sqlTx.Commit()
}

// attempt makes one change and takes it back when it fails.
func (tx *transaction) attempt(f func(*transaction) error) error {
	if _, err := tx.exec("SAVEPOINT change"); err != nil {
		return err
	}
	failed := f(tx)
	if failed != nil && !isOwn(failed) {
		return failed // the transaction may be gone already: leave it alone
	}
	if failed != nil {
		if _, err := tx.exec("ROLLBACK TO change"); err != nil {
			return fmt.Errorf("take back: %v: %w", failed, err)
		}
	}
	if _, err := tx.exec("RELEASE change"); err != nil {
		return err
	}
	return failed
}

// isOwn says whether a failure concerns one change only: it was refused by
// our own check or by a constraint. After any other (a full disk, a fault in
// reading) SQLite may have rolled back the whole transaction.
func isOwn(err error) bool {
	var coded *greenlight.Error
	return errors.As(err, &coded) || code(err) == sqlite3.SQLITE_CONSTRAINT
}

// change runs f in a transaction of its own or with others, durably.
func (s *Store) change(ctx context.Context, doing string, f func(tx *transaction) error) error {
	return s.failure(doing, s.writer.do(ctx, doing, f))
}
