package sqlite

import (
	"bytes"
	"context"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
)

const selectRelease = `SELECT r.digest, r.service, r.source_commit, r.configuration, e.time, e.actor, e.id
FROM releases r JOIN events e ON e.id = r.event `

func scanRelease(row scanner) (r store.Release, err error) {
	return r, row.Scan(&r.Digest, &r.Service, &r.Commit, document{&r.Configuration}, instant{&r.CreatedAt}, &r.CreatedBy, &r.Event)
}

// SaveRelease implements store.Releases.
func (s *Store) SaveRelease(ctx context.Context, r store.Release, e greenlight.Event) (store.Release, error) {
	if err := store.CheckRelease(&r); err != nil {
		return store.Release{}, err
	}
	event, err := encodeEvent(e)
	if err != nil {
		return store.Release{}, err
	}
	var kept store.Release
	err = s.change(ctx, "save release "+r.Digest, func(tx *transaction) (err error) {
		kept, err = tx.saveRelease(r, event)
		return err
	})
	return kept, err
}

func (tx *transaction) saveRelease(r store.Release, event *record) (store.Release, error) {
	kept, found, err := first(tx.ctx, tx, scanRelease, selectRelease+`WHERE r.digest = ?`, r.Digest)
	if err != nil {
		return store.Release{}, err
	}
	if found {
		return sameRelease(kept, r)
	}
	if err := tx.recordOne(event); err != nil {
		return store.Release{}, err
	}
	r.CreatedAt, r.CreatedBy, r.Event = event.Time, event.Actor, event.ID
	_, err = tx.exec(`INSERT INTO releases (digest, service, source_commit, configuration, event) VALUES (?, ?, ?, ?, ?)`,
		r.Digest, r.Service, r.Commit, string(r.Configuration), r.Event)
	return r, err
}

func sameRelease(kept, r store.Release) (store.Release, error) {
	if kept.Service != r.Service || kept.Commit != r.Commit || !bytes.Equal(kept.Configuration, r.Configuration) {
		return store.Release{}, store.Conflict("release %s is kept with other content", r.Digest)
	}
	return kept, nil
}

// Release implements store.Releases.
func (s *Store) Release(ctx context.Context, digest string) (store.Release, error) {
	return readOne(ctx, s, "release "+digest, scanRelease, selectRelease+`WHERE r.digest = ?`, digest)
}

// ListReleases implements store.Releases.
func (s *Store) ListReleases(ctx context.Context, service string, limit int) ([]store.Release, error) {
	where, args := "", []any{}
	if service != "" {
		where, args = `WHERE r.service = ? `, []any{service}
	}
	return readAll(ctx, s, "list releases", scanRelease, selectRelease+where+`ORDER BY r.event DESC LIMIT ?`, append(args, store.Rows(limit))...)
}
