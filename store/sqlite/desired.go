package sqlite

import (
	"context"
	"fmt"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
)

// selectDesired reads states; %s is the column of the description or NULL.
const selectDesired = `SELECT d.environment, d.revision, d.digest, %s, e.time, e.actor, e.id
FROM desired d JOIN events e ON e.id = d.event `

var (
	selectDesiredFull  = fmt.Sprintf(selectDesired, "d.description")
	selectDesiredShort = fmt.Sprintf(selectDesired, "NULL")
)

const currentDesired = `WHERE d.environment = ? ORDER BY d.revision DESC LIMIT 1`

func scanDesired(row scanner) (d store.DesiredState, err error) {
	return d, row.Scan(&d.Environment, &d.Revision, &d.Digest, document{&d.Description}, instant{&d.AppliedAt}, &d.AppliedBy, &d.Event)
}

// ApplyDesired implements store.Desired.
func (s *Store) ApplyDesired(ctx context.Context, d store.DesiredState, e greenlight.Event) (store.DesiredState, error) {
	if err := store.CheckDesired(&d); err != nil {
		return store.DesiredState{}, err
	}
	event, err := encodeEvent(e)
	if err != nil {
		return store.DesiredState{}, err
	}
	var kept store.DesiredState
	err = s.change(ctx, "apply the desired state of "+d.Environment, func(tx *transaction) (err error) {
		kept, err = tx.applyDesired(d, event)
		return err
	})
	return kept, err
}

func (tx *transaction) applyDesired(d store.DesiredState, event *record) (store.DesiredState, error) {
	current, found, err := first(tx.ctx, tx, scanDesired, selectDesiredFull+currentDesired, d.Environment)
	if err != nil || found && current.Digest == d.Digest {
		return current, err
	}
	if d.Revision != store.AnyRevision && d.Revision != current.Revision {
		return store.DesiredState{}, store.Conflict("environment %s is at revision %d, not %d", d.Environment, current.Revision, d.Revision)
	}
	if err := tx.recordOne(event); err != nil {
		return store.DesiredState{}, err
	}
	d.Revision = current.Revision + 1
	d.AppliedAt, d.AppliedBy, d.Event = event.Time, event.Actor, event.ID
	_, err = tx.exec(`INSERT INTO desired (environment, revision, digest, description, event) VALUES (?, ?, ?, ?, ?)`,
		d.Environment, d.Revision, d.Digest, string(d.Description), d.Event)
	return d, err
}

// DesiredAt implements store.Desired.
func (s *Store) DesiredAt(ctx context.Context, environment string, revision int64) (store.DesiredState, error) {
	if revision == 0 {
		return readOne(ctx, s, "desired state of environment "+environment, scanDesired, selectDesiredFull+currentDesired, environment)
	}
	doing := fmt.Sprintf("revision %d of environment %s", revision, environment)
	return readOne(ctx, s, doing, scanDesired, selectDesiredFull+`WHERE d.environment = ? AND d.revision = ?`, environment, revision)
}

// DesiredHistory implements store.Desired.
func (s *Store) DesiredHistory(ctx context.Context, environment string, limit int) ([]store.DesiredState, error) {
	return readAll(ctx, s, "list the history of environment "+environment, scanDesired,
		selectDesiredShort+`WHERE d.environment = ? ORDER BY d.revision DESC LIMIT ?`, environment, store.Rows(limit))
}

// Environments implements store.Desired.
func (s *Store) Environments(ctx context.Context) ([]store.DesiredState, error) {
	return readAll(ctx, s, "list environments", scanDesired, selectDesiredFull+
		`WHERE (d.environment, d.revision) IN (SELECT environment, max(revision) FROM desired GROUP BY environment)
ORDER BY d.environment`)
}
