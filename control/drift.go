package control

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/release"
)

// driftInterval is how often the files of releases are looked at.
const driftInterval = 5 * time.Second

// driftLoop compares the releases' files with their digests, and collects what
// nobody uses any more, until ctx ends.
func (p *Plane) driftLoop(ctx context.Context) {
	ticker := time.NewTicker(driftInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		p.mu.Lock()
		list := slices.Collect(maps.Values(p.environments))
		due := p.collectDue
		p.collectDue = false
		p.mu.Unlock()
		for _, e := range list {
			e.checkFiles(ctx)
		}
		if due {
			p.collect(ctx)
		}
	}
}

// checkFiles compares the files of the releases in force, if the environment's
// policy is to look.
func (e *environment) checkFiles(ctx context.Context) {
	e.plane.mu.Lock()
	v := e.version
	e.plane.mu.Unlock()
	policy := v.System.Environment.Drift
	if policy == "off" || e.plane.options.Idle {
		return
	}
	for _, s := range v.System.Services {
		found := e.plane.artifacts.check(ctx, v.Releases[s.Name], v.releases[s.Name], time.Now())
		news := e.settle(s.Name, v.Releases[s.Name], found)
		if len(found) > 0 && policy == "heal" {
			e.heal(ctx, s.Name, found, news)
		}
	}
}

// settle notes which files of a release differ now and tells of those that did
// not before, if there are any.
func (e *environment) settle(service, digest string, found []tampered) (news bool) {
	p := e.plane
	p.mu.Lock()
	defer p.mu.Unlock()
	now := make(map[string]tampered, len(found))
	for _, t := range found {
		key := service + "/" + t.File.Path
		now[key] = t
		if e.drifted[key] == t {
			continue
		}
		news = true
		p.tell(greenlight.Event{Actor: reconciler, Kind: "drift.detected", Environment: e.name, Service: service, Subject: release.Short(digest),
			Message:  "a file is not as it was released: " + t.line(),
			Evidence: map[string]any{"file": filepath.Join(p.artifacts.folder(digest), t.File.Path), "want": t.File.SHA256, "got": t.Got}})
		p.change()
	}
	for key := range e.drifted {
		if _, still := now[key]; !still && serviceOf(key) == service {
			delete(e.drifted, key)
			p.change()
		}
	}
	maps.Copy(e.drifted, now)
	return news
}

// heal puts files back from what was kept of the release, and has the replicas
// that may have read them replaced. A failure is told of when the drift is news.
func (e *environment) heal(ctx context.Context, service string, found []tampered, news bool) {
	p := e.plane
	var failed error
	for _, t := range found {
		failed = errors.Join(failed, p.artifacts.putBack(t.Digest, t.File))
	}
	event := greenlight.Event{Actor: reconciler, Kind: "drift.healed", Environment: e.name, Service: service, Subject: release.Short(found[0].Digest),
		Message:  fmt.Sprintf("%s put back from what was kept of the release; %s restarts", joined(paths(found)), service),
		Evidence: map[string]any{"files": paths(found)}}
	if failed == nil {
		failed = e.renew(ctx, service, event)
	}
	if failed != nil {
		event.Kind, event.Message = "drift.left", clip(fmt.Sprintf("the release's files cannot be put back: %v; apply the description again to make a new release", failed), maxMessage)
		if news {
			p.mu.Lock()
			p.tell(event)
			p.mu.Unlock()
		}
		return
	}
	e.settle(service, found[0].Digest, nil)
}

func paths(found []tampered) []string {
	var list []string
	for _, t := range found {
		list = append(list, t.File.Path)
	}
	return list
}

// serviceOf is the service of a key of drifted.
func serviceOf(key string) string {
	for i := range key {
		if key[i] == '/' {
			return key[:i]
		}
	}
	return key
}

// drift is what differs from the releases in force, one line each. The lock is
// held.
func (e *environment) drift() []string {
	var list []string
	for _, key := range slices.Sorted(maps.Keys(e.drifted)) {
		list = append(list, fmt.Sprintf("services.%s: %s", serviceOf(key), e.drifted[key].line()))
	}
	for _, id := range slices.Sorted(maps.Keys(e.replicas)) {
		r := e.replicas[id]
		switch r.State {
		case greenlight.ReplicaFailed, greenlight.ReplicaCrashing, greenlight.ReplicaUnready:
			list = append(list, fmt.Sprintf("services.%s: %s", r.Service, lineOf(r)))
		}
	}
	return list
}
