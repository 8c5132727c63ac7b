package store

import (
	"context"
	"encoding/json"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Releases keeps what can be deployed. A release never changes.
type Releases interface {
	// SaveRelease keeps a release; when and by whom are those of e. Saving
	// an equal one again changes nothing, writes no event and returns the
	// one that is kept; the same digest with other content is ErrConflict.
	SaveRelease(ctx context.Context, r Release, e greenlight.Event) (Release, error)

	// Release finds a release by its digest.
	Release(ctx context.Context, digest string) (Release, error)

	// ListReleases lists the releases of a service, or of all when it is "",
	// newest first.
	ListReleases(ctx context.Context, service string, limit int) ([]Release, error)
}

// Release is an immutable version of a service: commit, artifacts and
// configuration, named by their digest.
type Release struct {
	Digest        string          `json:"digest"`
	Service       string          `json:"service"`
	Commit        string          `json:"commit,omitempty"`
	Configuration json.RawMessage `json:"configuration"`
	CreatedAt     time.Time       `json:"created_at"`
	CreatedBy     string          `json:"created_by"`
	Event         int64           `json:"event"` // that tells of it
}

// CheckRelease says what is wrong with a release that is to be saved.
func CheckRelease(r *Release) error {
	c := check{what: "release " + r.Digest}
	c.required("digest", r.Digest)
	c.required("service", r.Service)
	c.names("commit", r.Commit)
	c.document("configuration", r.Configuration, false)
	return c.err
}
