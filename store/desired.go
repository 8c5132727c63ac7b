package store

import (
	"context"
	"encoding/json"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Desired is what each environment should be, with every state it was told
// to be before, so that an undo can go back.
type Desired interface {
	// ApplyDesired makes d the desired state of its environment and returns
	// it as it is kept. d.Revision is the revision that d replaces: 0 when
	// there is none yet, AnyRevision to replace whatever is there; any other
	// than the current one is ErrConflict. The digest that is current already
	// changes nothing and writes no event. When and by whom are those of e.
	ApplyDesired(ctx context.Context, d DesiredState, e greenlight.Event) (DesiredState, error)

	// DesiredAt is one revision of an environment; 0 is the current one.
	DesiredAt(ctx context.Context, environment string, revision int64) (DesiredState, error)

	// DesiredHistory lists the revisions of an environment, newest first,
	// without their descriptions.
	DesiredHistory(ctx context.Context, environment string, limit int) ([]DesiredState, error)

	// Environments lists the current state of every environment by name,
	// with its description.
	Environments(ctx context.Context) ([]DesiredState, error)
}

// DesiredState is a resolved description of one environment.
type DesiredState struct {
	Environment string          `json:"environment"`
	Revision    int64           `json:"revision"` // 1, 2, 3, … in its environment
	Digest      string          `json:"digest"`   // of the description; the caller computes it
	Description json.RawMessage `json:"description,omitempty"`
	AppliedAt   time.Time       `json:"applied_at"`
	AppliedBy   string          `json:"applied_by"`
	Event       int64           `json:"event"` // that tells of it
}

// CheckDesired says what is wrong with a state that is to be applied.
func CheckDesired(d *DesiredState) error {
	c := check{what: "desired state of " + d.Environment}
	c.required("environment", d.Environment)
	c.required("digest", d.Digest)
	c.document("description", d.Description, false)
	if d.Revision < AnyRevision {
		c.failf("revision %d", d.Revision)
	}
	return c.err
}
