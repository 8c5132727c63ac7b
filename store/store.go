// Package store is the port to what the control plane keeps: events, desired
// states, releases, the journal of plan steps, settings, API tokens and the
// traffic of services.
//
// What every implementation promises, and storetest.Run checks:
//
//   - A method that returned no error has made its change durable: it
//     survives the death of the process and of the machine.
//   - A change and the event that tells of it are one transaction: both are
//     there or neither is.
//   - All methods may be called at the same time from many goroutines.
//   - A change is either made or not when a method returns: a context that is
//     cancelled while a change is being written does not undo it.
//   - What is handed in is checked before it is written; what is wrong is an
//     error of code greenlight.CodeInvalid that names the field. What does not
//     exist is greenlight.CodeNotFound; a closed or busy store and a full disk
//     are greenlight.CodeUnavailable.
//   - Lists that are empty are not nil.
//   - Times are kept to the nanosecond and come back in UTC. A time must lie
//     between the years 1678 and 2262.
//
// A consumer asks for the smallest interface it needs (Events, Settings, …);
// only the wiring knows Store.
package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Store is everything the control plane keeps. Close ends all watches, waits
// for changes under way and may be called more than once; what is called
// afterwards fails with greenlight.CodeUnavailable.
type Store interface {
	Events
	Desired
	Releases
	Journal
	Settings
	Tokens
	Pruner
	Traffic
	io.Closer
}

// Limits of what one call may hand in or ask for.
const (
	MaxName     = 512     // bytes of a name: kind, actor, service, key, digest, …
	MaxMessage  = 8 << 10 // bytes of an event's message
	MaxJSON     = 8 << 20 // bytes of a description, a configuration, a value, evidence
	MaxBatch    = 4096    // events or steps of one call
	MaxRows     = 10_000  // rows of one answer
	DefaultRows = 1000    // rows of one answer when the limit is 0
)

// ErrConflict is in the chain of an error when a compare-and-swap found
// another revision than it was told to replace, or when something immutable
// exists with other content. Read again, decide again.
var ErrConflict = errors.New("changed by someone else meanwhile")

// AnyRevision as the revision to replace means: whatever is there.
const AnyRevision int64 = -1

// Conflict makes an error with ErrConflict in its chain.
func Conflict(format string, args ...any) error {
	return greenlight.Errorf(greenlight.CodeRefused, "%s: %w", fmt.Sprintf(format, args...), ErrConflict)
}

// Rows is the number of rows to answer with for a limit that was asked for.
func Rows(limit int) int {
	if limit <= 0 {
		return DefaultRows
	}
	return min(limit, MaxRows)
}

// check collects the first thing wrong with a value that is handed in.
type check struct {
	what string
	err  error
}

func (c *check) failf(format string, args ...any) {
	if c.err == nil {
		c.err = greenlight.Errorf(greenlight.CodeInvalid, "%s: %s", c.what, fmt.Sprintf(format, args...))
	}
}

func (c *check) required(field, value string) {
	if value == "" {
		c.failf("%s is empty", field)
	}
	c.size(field, len(value), MaxName)
}

// names checks optional names, given as field, value, field, value, …
func (c *check) names(fields ...string) {
	for i := 0; i+1 < len(fields); i += 2 {
		c.size(fields[i], len(fields[i+1]), MaxName)
	}
}

func (c *check) size(field string, got, most int) {
	if got > most {
		c.failf("%s has %d bytes, %d are the most", field, got, most)
	}
}

// document checks a field that holds JSON; it may be empty when optional.
func (c *check) document(field string, raw json.RawMessage, optional bool) {
	c.size(field, len(raw), MaxJSON)
	if len(raw) == 0 && optional {
		return
	}
	if c.err == nil && !json.Valid(raw) {
		c.failf("%s is not JSON", field)
	}
}

var (
	earliest = time.Unix(0, -1<<63)
	latest   = time.Unix(0, 1<<63-1)
)

func (c *check) time(field string, t time.Time) {
	if !t.IsZero() && (t.Before(earliest) || t.After(latest)) {
		c.failf("%s %s is outside the years 1678 to 2262", field, t.Format(time.RFC3339))
	}
}
