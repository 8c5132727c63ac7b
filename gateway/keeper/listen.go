package keeper

import (
	"context"
	"syscall"
	"time"
)

// A gateway that lives but has answered none of its keeper's questions for
// hungAfter hangs. Several must have failed: one that failed may only tell that
// this process was held up itself, as by a machine that slept.
const (
	hungAfter    = 5 * time.Second
	hungFailures = 3
	listenPause  = 500 * time.Millisecond  // between two questions
	listenWait   = 1500 * time.Millisecond // for an answer
)

// listen asks the gateway again and again how it is until ctx ends, and kills
// it when it hangs: it answers nobody, so nothing is lost, and another can have
// its addresses.
func (k *Keeper) listen(ctx context.Context, p *process) {
	last, failures := time.Now(), 0
	for sleep(ctx, listenPause) {
		if k.Answers(ctx) {
			last, failures = time.Now(), 0
			continue
		}
		if failures++; failures < hungFailures || time.Since(last) < hungAfter || ctx.Err() != nil {
			continue
		}
		if k.killHung(p) {
			return
		}
		last, failures = time.Now(), 0 // an upgrade was under way
	}
}

// Answers tells whether a gateway says soon how it is.
func (k *Keeper) Answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, listenWait)
	defer cancel()
	_, err := k.client.Status(ctx)
	return err == nil
}

// killHung kills the process unless something else is being done to it.
func (k *Keeper) killHung(p *process) bool {
	if !k.acting.TryLock() {
		return false
	}
	defer k.acting.Unlock()
	k.mu.Lock()
	ours := k.process == p
	if ours {
		k.hung = p
	}
	k.mu.Unlock()
	if ours {
		k.options.Log.Warn("the gateway does not answer and is killed", "pid", p.pid, "silent", hungAfter)
		p.signal(syscall.SIGKILL)
	}
	return ours
}
