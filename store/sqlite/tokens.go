package sqlite

import (
	"context"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
)

const selectToken = `SELECT t.id, t.name, t.role, t.salt, t.hash, t.last_used, c.time, r.time
FROM tokens t JOIN events c ON c.id = t.created_event LEFT JOIN events r ON r.id = t.revoked_event `

func scanToken(row scanner) (t store.Token, err error) {
	return t, row.Scan(&t.ID, &t.Name, &t.Role, &t.Salt, &t.Hash, instant{&t.LastUsedAt}, instant{&t.CreatedAt}, instant{&t.RevokedAt})
}

// Token implements store.Tokens.
func (s *Store) Token(ctx context.Context, id string) (store.Token, error) {
	return readOne(ctx, s, "token "+id, scanToken, selectToken+`WHERE t.id = ?`, id)
}

// ListTokens implements store.Tokens.
func (s *Store) ListTokens(ctx context.Context) ([]store.Token, error) {
	return readAll(ctx, s, "list tokens", scanToken, selectToken+`ORDER BY t.created_event`)
}

func (tx *transaction) token(id string) (t store.Token, found bool, err error) {
	return first(tx.ctx, tx, scanToken, selectToken+`WHERE t.id = ?`, id)
}

// SaveToken implements store.Tokens.
func (s *Store) SaveToken(ctx context.Context, t store.Token, e greenlight.Event) (store.Token, error) {
	if err := store.CheckToken(&t); err != nil {
		return store.Token{}, err
	}
	event, err := encodeEvent(e)
	if err != nil {
		return store.Token{}, err
	}
	err = s.change(ctx, "save token "+t.Name, func(tx *transaction) error {
		if _, found, err := tx.token(t.ID); err != nil {
			return err
		} else if found {
			return store.Conflict("a token with id %s exists", t.ID)
		}
		if err := tx.recordOne(event); err != nil {
			return err
		}
		_, err := tx.exec(`INSERT INTO tokens (id, name, role, salt, hash, created_event) VALUES (?, ?, ?, ?, ?, ?)`,
			t.ID, t.Name, t.Role, t.Salt, t.Hash, event.ID)
		return err
	})
	if err != nil {
		return store.Token{}, err
	}
	t.CreatedAt, t.LastUsedAt, t.RevokedAt = event.Time, time.Time{}, time.Time{}
	return t, nil
}

// TouchToken implements store.Tokens.
func (s *Store) TouchToken(ctx context.Context, id string, at time.Time) error {
	return s.change(ctx, "note the use of token "+id, func(tx *transaction) error {
		if err := tx.tokenExists(id); err != nil {
			return err
		}
		_, err := tx.exec(`UPDATE tokens SET last_used = ?1 WHERE id = ?2 AND ?1 > coalesce(last_used, 0)`, nanoseconds(at), id)
		return err
	})
}

// RevokeToken implements store.Tokens.
func (s *Store) RevokeToken(ctx context.Context, id string, e greenlight.Event) error {
	event, err := encodeEvent(e)
	if err != nil {
		return err
	}
	return s.change(ctx, "revoke token "+id, func(tx *transaction) error {
		t, found, err := tx.token(id)
		if err != nil {
			return err
		}
		if !found {
			return noToken(id)
		}
		if !t.RevokedAt.IsZero() {
			return nil
		}
		if err := tx.recordOne(event); err != nil {
			return err
		}
		_, err = tx.exec(`UPDATE tokens SET revoked_event = ? WHERE id = ?`, event.ID, id)
		return err
	})
}

func (tx *transaction) tokenExists(id string) error {
	_, found, err := tx.token(id)
	if err == nil && !found {
		err = noToken(id)
	}
	return err
}

func noToken(id string) error {
	return greenlight.Errorf(greenlight.CodeNotFound, "token %s: there is none", id)
}
