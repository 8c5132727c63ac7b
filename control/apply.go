package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/plan"
	"github.com/greenlight-dev/greenlight/release"
	"github.com/greenlight-dev/greenlight/store"
)

// Apply makes a description the desired state of an environment, which is "" for
// the one that the description means, and returns before it is reached.
// Mistakes in the description are spec.Errors.
func (p *Plane) Apply(ctx context.Context, environment string, d Description, actor string) (Applied, error) {
	p.applying.Lock()
	defer p.applying.Unlock()
	v, err := p.resolve(environment, d)
	if err != nil {
		return Applied{}, err
	}
	if err := p.saveReleases(ctx, v, actor); err != nil {
		return Applied{}, err
	}
	environment = v.System.Environment.Name
	before := p.versionOf(environment)
	if err := p.declare(v); err != nil {
		return Applied{}, err
	}
	began := p.planOf(ctx, v, before)
	kept, err := p.keep(ctx, v, before, began.Differences, actor)
	if err == nil {
		err = p.choosePrimary(ctx, environment, actor)
	}
	if err != nil {
		return Applied{}, errors.Join(err, p.declare(nil))
	}
	changed := before == nil || before.desired.Revision != kept.Revision
	if err := p.force(context.WithoutCancel(ctx), v, kept, changed); err != nil {
		return Applied{}, err
	}
	return Applied{Environment: environment, Revision: kept.Revision, Changed: changed, Plan: began}, nil
}

// keep writes the version to the store as the desired state.
func (p *Plane) keep(ctx context.Context, v, before *version, differences []string, actor string) (store.DesiredState, error) {
	next, err := v.keep(store.AnyRevision)
	if err != nil {
		return store.DesiredState{}, err
	}
	evidence := map[string]any{"source": v.Source, "releases": v.Releases}
	message := fmt.Sprintf("%s was described: %s", v.System.Environment.Name, serviceNames(v))
	if before != nil {
		message = fmt.Sprintf("%s was described anew: %s", v.System.Environment.Name, summary(differences))
		evidence["differences"] = differences
	}
	return p.options.Store.ApplyDesired(ctx, next, greenlight.Event{
		Actor: actor, Kind: "applied", Environment: v.System.Environment.Name, Message: message, Evidence: evidence,
	})
}

// force puts a version in force in this process, whether it is new or was in
// the store already.
func (p *Plane) force(ctx context.Context, v *version, kept store.DesiredState, changed bool) error {
	name := v.System.Environment.Name
	b, err := p.backendOf(&v.System)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ending {
		return errEnding
	}
	e := p.environments[name]
	switch {
	case e == nil:
		e = p.newEnvironment(name, b, v)
		p.environments[name] = e
		e.adopt(v, kept)
	case changed:
		e.adopt(v, kept)
		p.collectDue = true
	default:
		e.poke()
	}
	p.start(e)
	p.change()
	return nil
}

// start runs an environment's loop, if the plane runs and it does not.
func (p *Plane) start(e *environment) {
	if p.loops == nil || e.running {
		return
	}
	e.running = true
	l := p.loops
	l.wait.Go(func() { e.run(l.ctx) })
}

func (p *Plane) versionOf(environment string) *version {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.environments[environment]; e != nil {
		return e.version
	}
	return nil
}

// choosePrimary makes the first environment that is applied the one whose
// routes answer on any host.
func (p *Plane) choosePrimary(ctx context.Context, environment, actor string) error {
	p.mu.Lock()
	chosen := p.primary != ""
	p.mu.Unlock()
	if chosen {
		return nil
	}
	err := p.put(ctx, controlScope, primaryKey, environment, greenlight.Event{Actor: actor, Kind: "primary.chosen",
		Environment: environment, Message: environment + " answers on any host, as the first environment that was described"})
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.primary = environment
	return nil
}

func (p *Plane) readPrimary(ctx context.Context) error {
	s, err := p.options.Store.Setting(ctx, controlScope, primaryKey)
	if greenlight.CodeOf(err) == greenlight.CodeNotFound {
		if names := p.environmentNames(); len(names) > 0 {
			p.primary = names[0] // killed before it was written
		}
		return nil
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(s.Value, &p.primary)
}

// Preview says what Apply would do and changes nothing.
func (p *Plane) Preview(ctx context.Context, environment string, d Description) (Plan, error) {
	v, err := p.resolve(environment, d)
	if err != nil {
		return Plan{}, err
	}
	return p.planOf(ctx, v, p.versionOf(v.System.Environment.Name)), nil
}

// Plan compares what is with the description in force.
func (p *Plane) Plan(ctx context.Context, environment string) (Plan, error) {
	p.mu.Lock()
	e, err := p.find(environment)
	if err != nil {
		p.mu.Unlock()
		return Plan{}, err
	}
	v := e.version
	p.mu.Unlock()
	return p.planOf(ctx, v, v), nil
}

// planOf is what leads from what is to a version. What cannot be observed
// counts as not there.
func (p *Plane) planOf(ctx context.Context, v, before *version) Plan {
	name := v.System.Environment.Name
	out := Plan{Environment: name, Steps: []plan.Step{}, Differences: differences(before, v), Drift: []string{}}
	p.mu.Lock()
	e := p.environments[name]
	if e == nil {
		b, _ := p.backendOf(&v.System)
		e = p.newEnvironment(name, b, v)
	}
	desired := e.desiredLocked(v, time.Now())
	out.Drift = append(out.Drift, e.drift()...)
	p.mu.Unlock()
	observed, err := e.observe(ctx)
	if err != nil {
		p.options.Log.Error("observing for a plan", "environment", name, "error", err)
		observed = plan.Observed{Now: time.Now()}
	}
	steps, err := plan.Steps(desired, observed)
	if err != nil {
		p.options.Log.Error("planning", "environment", name, "error", err)
	}
	out.Steps = append(out.Steps, steps...)
	return out
}

// collect removes the files of releases that nobody may go back to.
func (p *Plane) collect(ctx context.Context) {
	p.applying.Lock()
	defer p.applying.Unlock()
	keep, err := p.releasesInUse(ctx)
	if err == nil {
		err = p.artifacts.collect(keep)
	}
	if err != nil && greenlight.CodeOf(err) != greenlight.CodeUnavailable {
		p.options.Log.Error("removing old releases", "error", err)
	}
}

// revisionsKept is how many revisions of an environment keep their files.
const revisionsKept = 10

// releasesInUse are those of the last revisions of every environment, and of
// every replica.
func (p *Plane) releasesInUse(ctx context.Context) (map[string]*release.Release, error) {
	keep := make(map[string]*release.Release)
	p.mu.Lock()
	names := p.environmentNames()
	used := make(map[string]bool)
	for _, e := range p.environments {
		for _, r := range e.replicas {
			used[r.Release] = true
		}
	}
	p.mu.Unlock()
	for _, name := range names {
		history, err := p.options.Store.DesiredHistory(ctx, name, revisionsKept)
		if err != nil {
			return nil, err
		}
		for _, d := range history {
			if d, err = p.options.Store.DesiredAt(ctx, name, d.Revision); err != nil {
				return nil, err
			}
			var kept resolved
			if err := json.Unmarshal(d.Description, &kept); err != nil {
				return nil, err
			}
			for _, digest := range kept.Releases {
				used[digest] = true
			}
		}
	}
	for digest := range used {
		kept, err := p.options.Store.Release(ctx, digest)
		if greenlight.CodeOf(err) == greenlight.CodeNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		if keep[digest], err = release.Read(kept.Configuration, digest); err != nil {
			return nil, err
		}
	}
	return keep, nil
}

func serviceNames(v *version) string {
	var names []string
	for _, s := range v.System.Services {
		names = append(names, s.Name+" "+release.Short(v.Releases[s.Name]))
	}
	return joined(names)
}

// summary is the first few of a list.
func summary(list []string) string {
	const most = 3
	if len(list) == 0 {
		return "nothing that can be seen"
	}
	if len(list) <= most {
		return strings.Join(list, "; ")
	}
	return fmt.Sprintf("%s; and %d more", strings.Join(list[:most], "; "), len(list)-most)
}

// joined is a list as prose has it: "a, b and c".
func joined(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	list = slices.Clone(list)
	last := list[len(list)-1]
	return strings.Join(list[:len(list)-1], ", ") + " and " + last
}

var errEnding = greenlight.WithCode(greenlight.CodeUnavailable, errors.New("the control plane is ending"))
