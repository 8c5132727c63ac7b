package store

import (
	"context"
	"strings"
	"time"
)

// Pruner removes what only grows: the journal of steps that ended, and events
// that tell of operation alone, such as those of a replica that fails and is
// healed for a year.
//
// What it never removes, whatever it is asked:
//
//   - an event whose actor is a person or a token ("user:…", "token:…"): what
//     people did stays for good;
//   - an event that something kept refers to: that of a desired state, a
//     release, a token, a setting's current value;
//   - a step that is open, and the other steps of its plan;
//   - anything but events and steps.
//
// Ids go on ascending and none is given twice, also after the newest event
// was removed. A watch goes on; an event that is removed before a watch has
// come to it does not come any more.
type Pruner interface {
	// Prune removes in small parts, so that changes by others never wait for
	// long. What was removed before an error, or before ctx ended, stays
	// removed and is counted. The space is used again; the file does not get
	// smaller.
	Prune(ctx context.Context, o PruneOptions) (Pruned, error)
}

// PruneOptions say what may go; the zero value removes nothing.
type PruneOptions struct {
	StepsBefore  time.Time // steps that ended before; none when zero
	EventsBefore time.Time // events of Kinds from before; none when zero
	// Kinds are the kinds of event that may go, at most MaxKinds: "scaled", or
	// "replica.*" for all that begin with "replica.". None are no events.
	Kinds []string
	// KeepEvents is how many events, the newest of those that may go by kind
	// and actor, stay however old they are.
	KeepEvents int
}

// MaxKinds bounds the kinds of one PruneOptions.
const MaxKinds = 100

// Pruned counts what was removed.
type Pruned struct {
	Steps  int `json:"steps"`
	Events int `json:"events"`
}

// CheckPrune says what is wrong with options.
func CheckPrune(o *PruneOptions) error {
	c := check{what: "pruning"}
	c.time("steps before", o.StepsBefore)
	c.time("events before", o.EventsBefore)
	if o.KeepEvents < 0 {
		c.failf("keep %d events", o.KeepEvents)
	}
	if len(o.Kinds) > MaxKinds {
		c.failf("%d kinds, %d are the most", len(o.Kinds), MaxKinds)
	}
	for _, kind := range o.Kinds {
		c.required("kind", kind)
		if name := strings.TrimSuffix(kind, "*"); name == "" || strings.Contains(name, "*") {
			c.failf("kind %q: want a kind, or its beginning followed by one *", kind)
		}
	}
	return c.err
}
