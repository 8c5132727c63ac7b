package store

import (
	"context"
	"encoding/json"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Settings keeps small values that are decided while the system runs, such
// as the number of replicas that scaling chose.
type Settings interface {
	// Setting reads one value.
	Setting(ctx context.Context, scope, key string) (Setting, error)

	// ListSettings lists the values of a scope by key.
	ListSettings(ctx context.Context, scope string) ([]Setting, error)

	// PutSetting writes a value and returns it as it is kept. s.Revision is
	// the one it replaces: 0 when there must be none yet, AnyRevision to
	// replace whatever is there; another is ErrConflict.
	PutSetting(ctx context.Context, s Setting, e greenlight.Event) (Setting, error)

	// DeleteSetting removes a value; s.Revision as for PutSetting, s.Value is
	// not looked at. Removing what is not there is greenlight.CodeNotFound.
	DeleteSetting(ctx context.Context, s Setting, e greenlight.Event) error
}

// Setting is one value of a scope.
type Setting struct {
	Scope     string          `json:"scope"` // for example "environment/dev"
	Key       string          `json:"key"`
	Value     json.RawMessage `json:"value"`
	Revision  int64           `json:"revision"` // id of the event that tells of this value: never used twice
	ChangedAt time.Time       `json:"changed_at"`
	ChangedBy string          `json:"changed_by"`
}

// CheckSetting says what is wrong with a setting that is to be written.
func CheckSetting(s *Setting) error {
	c := checkKey(s)
	c.document("value", s.Value, false)
	return c.err
}

// CheckSettingKey says what is wrong with the name of a setting that is to
// be deleted.
func CheckSettingKey(s *Setting) error { return checkKey(s).err }

func checkKey(s *Setting) *check {
	c := &check{what: "setting " + s.Scope + " " + s.Key}
	c.required("scope", s.Scope)
	c.required("key", s.Key)
	if s.Revision < AnyRevision {
		c.failf("revision %d", s.Revision)
	}
	return c
}
