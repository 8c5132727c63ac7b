package control

import (
	"context"
	"time"

	"github.com/greenlight-dev/greenlight/store"
)

// What is kept of the past. Events of people and those that anything refers to
// stay for ever; those that only tell of operation go after a season.
const (
	pruneInterval = 24 * time.Hour
	stepsKept     = 30 * 24 * time.Hour
	eventsKept    = 90 * 24 * time.Hour
	leastEvents   = 10_000
)

// operational are the kinds of events that tell of operation only.
var operational = []string{"replica.*", "service.*", "gateway.*", "scaled", "step.failed", "drift.*"}

// pruneLoop removes once a day what nobody will ask for any more, until ctx
// ends.
func (p *Plane) pruneLoop(ctx context.Context) {
	timer := time.NewTimer(time.Minute) // not while everything starts
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		now := time.Now()
		pruned, err := p.options.Store.Prune(ctx, store.PruneOptions{
			StepsBefore: now.Add(-stepsKept), EventsBefore: now.Add(-eventsKept), Kinds: operational, KeepEvents: leastEvents,
		})
		switch {
		case ctx.Err() != nil:
		case err != nil:
			p.options.Log.Error("removing old events and steps", "error", err)
		case pruned.Steps+pruned.Events > 0:
			p.options.Log.Info("removed old events and steps", "events", pruned.Events, "steps", pruned.Steps)
		}
		p.pruneTraffic(ctx, now)
		timer.Reset(pruneInterval)
	}
}
