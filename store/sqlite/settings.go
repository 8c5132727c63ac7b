package sqlite

import (
	"context"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/store"
)

const selectSetting = `SELECT s.scope, s.key, s.value, e.id, e.time, e.actor
FROM settings s JOIN events e ON e.id = s.event WHERE s.scope = ? `

func scanSetting(row scanner) (st store.Setting, err error) {
	return st, row.Scan(&st.Scope, &st.Key, document{&st.Value}, &st.Revision, instant{&st.ChangedAt}, &st.ChangedBy)
}

// Setting implements store.Settings.
func (s *Store) Setting(ctx context.Context, scope, key string) (store.Setting, error) {
	return readOne(ctx, s, "setting "+scope+" "+key, scanSetting, selectSetting+`AND s.key = ?`, scope, key)
}

// ListSettings implements store.Settings.
func (s *Store) ListSettings(ctx context.Context, scope string) ([]store.Setting, error) {
	return readAll(ctx, s, "list the settings of "+scope, scanSetting, selectSetting+`ORDER BY s.key`, scope)
}

// PutSetting implements store.Settings.
func (s *Store) PutSetting(ctx context.Context, st store.Setting, e greenlight.Event) (store.Setting, error) {
	if err := store.CheckSetting(&st); err != nil {
		return store.Setting{}, err
	}
	event, err := encodeEvent(e)
	if err != nil {
		return store.Setting{}, err
	}
	err = s.change(ctx, "write setting "+st.Scope+" "+st.Key, func(tx *transaction) error {
		if _, err := tx.compareSetting(&st); err != nil {
			return err
		}
		if err := tx.recordOne(event); err != nil {
			return err
		}
		_, err := tx.exec(`INSERT OR REPLACE INTO settings (scope, key, value, event) VALUES (?, ?, ?, ?)`,
			st.Scope, st.Key, string(st.Value), event.ID)
		return err
	})
	if err != nil {
		return store.Setting{}, err
	}
	st.Revision, st.ChangedAt, st.ChangedBy = event.ID, event.Time, event.Actor
	return st, nil
}

// DeleteSetting implements store.Settings.
func (s *Store) DeleteSetting(ctx context.Context, st store.Setting, e greenlight.Event) error {
	if err := store.CheckSettingKey(&st); err != nil {
		return err
	}
	event, err := encodeEvent(e)
	if err != nil {
		return err
	}
	return s.change(ctx, "delete setting "+st.Scope+" "+st.Key, func(tx *transaction) error {
		found, err := tx.compareSetting(&st)
		if err != nil {
			return err
		}
		if !found {
			return greenlight.Errorf(greenlight.CodeNotFound, "setting %s %s: there is none", st.Scope, st.Key)
		}
		if err := tx.recordOne(event); err != nil {
			return err
		}
		_, err = tx.exec(`DELETE FROM settings WHERE scope = ? AND key = ?`, st.Scope, st.Key)
		return err
	})
}

// compareSetting checks that the revision to replace is the one that is there.
func (tx *transaction) compareSetting(st *store.Setting) (found bool, err error) {
	current, found, err := first(tx.ctx, tx, scanSetting, selectSetting+`AND s.key = ?`, st.Scope, st.Key)
	if err != nil {
		return false, err
	}
	if st.Revision != store.AnyRevision && st.Revision != current.Revision {
		return found, store.Conflict("setting %s %s is at revision %d, not %d", st.Scope, st.Key, current.Revision, st.Revision)
	}
	return found, nil
}
