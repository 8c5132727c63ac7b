package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/backend"
)

// errDown ends Run for Down.
var errDown = errors.New("down")

// finish ends Run with err; the first of several counts.
func (p *Plane) finish(err error) {
	select {
	case p.end <- err:
	default:
	}
}

// begin marks the control plane as ending, once.
func (p *Plane) begin(ctx context.Context, event greenlight.Event) error {
	p.mu.Lock()
	if p.ending {
		p.mu.Unlock()
		return errEnding
	}
	p.ending = true
	p.change()
	p.mu.Unlock()
	if _, err := p.options.Store.Record(ctx, event); err != nil {
		p.options.Log.Error("recording an event", "event", event.Message, "error", err)
	}
	return nil
}

// Down begins to stop the replicas of all environments, then the gateway, then
// Run. What is desired stays in the store. Once more changes nothing.
func (p *Plane) Down(ctx context.Context, actor string) error {
	p.mu.Lock()
	again := p.goingDown
	p.goingDown = again || !p.ending
	p.mu.Unlock()
	if again {
		return nil
	}
	err := p.begin(ctx, greenlight.Event{Actor: actor, Kind: "down", Message: "everything is to stop"})
	if err == nil {
		p.finish(errDown)
	}
	return err
}

// gatewayGrace is how long requests may take to finish when all is stopped.
const gatewayGrace = 30 * time.Second

// stopEverything stops all replicas, in order, and then the gateway.
func (p *Plane) stopEverything(ctx context.Context) error {
	var wait sync.WaitGroup
	p.mu.Lock()
	for _, e := range p.environments {
		wait.Go(func() {
			if err := e.stop(ctx); err != nil {
				p.options.Log.Error("stopping", "environment", e.name, "error", err)
			}
		})
	}
	p.mu.Unlock()
	wait.Wait()
	if ctx.Err() != nil {
		return nil // given up; the next control plane goes on from here
	}
	for _, b := range p.options.Backends {
		if err := p.stopStrays(ctx, b, func(string) bool { return true }); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, gatewayGrace)
	defer cancel()
	if err := p.options.Keeper.Stop(ctx); err != nil {
		return fmt.Errorf("stopping the gateway: %w", err)
	}
	return nil
}

// stopStrays stops the replicas of environments that stray tells.
func (p *Plane) stopStrays(ctx context.Context, b backend.Backend, stray func(environment string) bool) error {
	replicas, err := b.Observe(ctx, "")
	if err != nil {
		return err
	}
	for _, r := range replicas {
		if stray(r.Environment) {
			err = errors.Join(err, b.Stop(ctx, r.Environment, r.ID))
		}
	}
	return err
}

// stopForgotten stops the replicas of environments that the store does not
// know, as after a backup from before them was restored.
func (p *Plane) stopForgotten(ctx context.Context, b backend.Backend) {
	known := func(environment string) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.environments[environment] != nil
	}
	err := p.stopStrays(ctx, b, func(environment string) bool { return !known(environment) })
	if err != nil && ctx.Err() == nil {
		p.options.Log.Error("stopping replicas of environments that are not described", "error", err)
	}
}

// Backup writes a copy of the store to w.
func (p *Plane) Backup(ctx context.Context, w io.Writer) error { return p.options.Backup(ctx, w) }

// maxBackup bounds a backup that comes in, in bytes.
const maxBackup = 16 << 30

// Restore reads and checks a backup; then Run ends with a *RestoreError. The
// replicas run on.
func (p *Plane) Restore(ctx context.Context, r io.Reader, actor string) (err error) {
	file, err := os.CreateTemp(p.options.State, "restore-*.db")
	if err != nil {
		return err
	}
	path := file.Name()
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	n, err := io.Copy(file, io.LimitReader(r, maxBackup+1))
	err = errors.Join(err, file.Sync(), file.Close())
	if err != nil {
		return greenlight.Errorf(greenlight.CodeUnavailable, "receiving the backup: %w", err)
	}
	if n > maxBackup {
		return greenlight.Errorf(greenlight.CodeInvalid, "the backup has more than %d bytes", int64(maxBackup))
	}
	if err := p.options.CheckBackup(ctx, path); err != nil {
		return err
	}
	err = p.begin(ctx, greenlight.Event{Actor: actor, Kind: "restore", Message: "a backup is to be restored", Evidence: map[string]any{"bytes": n}})
	if err == nil {
		p.finish(&RestoreError{Path: path, Actor: actor})
	}
	return err
}

// RestoreError is the end of a Run after which the store is to be replaced.
type RestoreError struct {
	Path  string // of the backup, which may be removed then
	Actor string // who asked for it
}

// Error says what is to be done.
func (e *RestoreError) Error() string {
	return "the control plane is to begin anew with the backup " + filepath.Base(e.Path)
}
