package control

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/spec"
	"github.com/greenlight-dev/greenlight/store"
)

// scaled is a number of replicas that stands above the description.
type scaled struct {
	Replicas int       `json:"replicas"`
	Manual   bool      `json:"manual,omitempty"`
	Reason   string    `json:"reason"`
	At       time.Time `json:"at"`
	// Described is what the description said then. Once it says otherwise, the
	// number counts no more: the description was changed later.
	Described spec.Replicas `json:"described"`
}

// generation counts the restarts of a service within one release.
type generation struct {
	Release string `json:"release"`
	Number  int    `json:"generation"`
}

// Keys of an environment's settings; a service's name follows.
const (
	replicasKey   = "replicas/"
	generationKey = "generation/"
)

func scope(environment string) string { return "environment/" + environment }

// The setting that names the environment whose routes answer on any host: the
// first that was applied.
const (
	controlScope = "control"
	primaryKey   = "primary"
)

// readSettings takes over what was decided earlier.
func (e *environment) readSettings(ctx context.Context) error {
	list, err := e.plane.options.Store.ListSettings(ctx, scope(e.name))
	if err != nil {
		return err
	}
	for _, s := range list {
		if name, ok := strings.CutPrefix(s.Key, replicasKey); ok {
			var v scaled
			err = json.Unmarshal(s.Value, &v)
			e.scaled[name] = v
		} else if name, ok := strings.CutPrefix(s.Key, generationKey); ok {
			var v generation
			err = json.Unmarshal(s.Value, &v)
			e.generations[name] = v
		}
		if err != nil {
			return fmt.Errorf("setting %s of environment %s: %w", s.Key, e.name, err)
		}
	}
	return nil
}

// put keeps a setting with the event that tells of it.
func (p *Plane) put(ctx context.Context, scope, key string, value any, event greenlight.Event) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = p.options.Store.PutSetting(ctx, store.Setting{Scope: scope, Key: key, Value: data, Revision: store.AnyRevision}, event)
	return err
}

// setScale keeps a number of replicas; nil goes back to the description.
func (e *environment) setScale(ctx context.Context, service string, to *scaled, event greenlight.Event) error {
	p := e.plane
	key := replicasKey + service
	var err error
	if to != nil {
		err = p.put(ctx, scope(e.name), key, to, event)
	} else {
		err = p.options.Store.DeleteSetting(ctx, store.Setting{Scope: scope(e.name), Key: key, Revision: store.AnyRevision}, event)
		if greenlight.CodeOf(err) == greenlight.CodeNotFound {
			err = nil
		}
	}
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if to != nil {
		e.scaled[service] = *to
	} else {
		delete(e.scaled, service)
	}
	p.change()
	e.poke()
	return nil
}

// renew has all replicas of a service replaced, with requests moved before.
func (e *environment) renew(ctx context.Context, service string, event greenlight.Event) error {
	p := e.plane
	p.mu.Lock()
	next := e.generationOf(service)
	p.mu.Unlock()
	next.Number++
	if err := p.put(ctx, scope(e.name), generationKey+service, next, event); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	e.generations[service] = next
	p.change()
	e.poke()
	return nil
}

// generationOf is the service's generation; one of an earlier release does not
// count.
func (e *environment) generationOf(service string) generation {
	digest := e.version.Releases[service]
	if g := e.generations[service]; g.Release == digest {
		return g
	}
	return generation{Release: digest}
}

// scaleOf is the number that stands above the description, if any.
func (e *environment) scaleOf(s *spec.Service) (scaled, bool) {
	v, ok := e.scaled[s.Name]
	return v, ok && v.Described == s.Replicas
}

// wanted is how many replicas a service should have.
func (e *environment) wanted(s *spec.Service) int {
	if v, ok := e.scaleOf(s); ok {
		return v.Replicas
	}
	if s.Replicas.Min == 0 && s.Replicas.Max > 0 {
		return 1 // it goes to sleep once it is seen that nobody asks
	}
	return s.Replicas.Min
}
