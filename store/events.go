package store

import (
	"context"
	"encoding/json"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Events is the history of everything: append-only, in one order for all.
// Only a Pruner removes any.
type Events interface {
	// Record appends events in the order given, all or none, and returns them
	// as they are kept: with their ids, and with the time of now where Time
	// was zero. The ids given are ignored. Ids ascend, and whoever sees an id
	// can see every event before it.
	Record(ctx context.Context, events ...greenlight.Event) ([]greenlight.Event, error)

	// ListEvents lists the events that match the query. Numbers in Evidence come
	// back as float64.
	ListEvents(ctx context.Context, q EventQuery) ([]greenlight.Event, error)

	// Watch sends every event with an id above after, those of the past
	// first, each once and in order. The channel holds a bounded number of
	// events; a slow reader slows nobody down and loses nothing but what is
	// pruned before it comes to it. The channel closes when ctx is done, when
	// the store closes, or when reading fails: a reader that is still
	// interested watches again from the last id it got. The caller cancels
	// ctx when it stops reading.
	Watch(ctx context.Context, after int64) <-chan greenlight.Event
}

// EventQuery chooses events; a zero field does not restrict.
type EventQuery struct {
	Kind        string
	Environment string
	Service     string
	Subject     string
	After       int64     // ids above
	Before      int64     // ids below
	Since       time.Time // not earlier
	Until       time.Time // earlier
	Newest      bool      // newest first; else oldest first
	Limit       int       // 0 is DefaultRows; MaxRows at most
}

// CheckEvent says what is wrong with an event that is to be recorded.
func CheckEvent(e *greenlight.Event) error {
	c := check{what: "event " + e.Kind}
	c.required("kind", e.Kind)
	c.required("actor", e.Actor)
	c.names("environment", e.Environment, "service", e.Service, "subject", e.Subject)
	c.size("message", len(e.Message), MaxMessage)
	c.time("time", e.Time)
	return c.err
}

// EncodeEvidence gives an event's evidence as JSON, nil when it has none.
func EncodeEvidence(e *greenlight.Event) (json.RawMessage, error) {
	if len(e.Evidence) == 0 {
		return nil, nil
	}
	c := check{what: "event " + e.Kind}
	raw, err := json.Marshal(e.Evidence)
	if err != nil {
		c.failf("evidence: %v", err)
	}
	c.size("evidence", len(raw), MaxJSON)
	return raw, c.err
}
