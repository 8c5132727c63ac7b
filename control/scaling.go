package control

import (
	"cmp"
	"context"
	"fmt"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/observe"
	"github.com/greenlight-dev/greenlight/scale"
	"github.com/greenlight-dev/greenlight/spec"
)

// scaleLoop decides with every sample how many replicas services have, until
// ctx ends.
func (p *Plane) scaleLoop(ctx context.Context) {
	for {
		updated := p.options.Sampler.Updated()
		select {
		case <-ctx.Done():
			return
		case <-updated:
		}
		if p.options.Idle {
			continue
		}
		samples := p.options.Sampler.Latest()
		for _, c := range p.scalingChoices(samples, time.Now()) {
			if err := c.environment.setScale(ctx, c.service, &c.to, c.event); err != nil && ctx.Err() == nil {
				p.options.Log.Error("scaling", "service", c.service, "error", err)
			}
		}
	}
}

// choice is a number of replicas that was decided on.
type choice struct {
	environment *environment
	service     string
	to          scaled
	event       greenlight.Event
}

func (p *Plane) scalingChoices(samples map[string]observe.Sample, now time.Time) []choice {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list []choice
	for _, e := range p.environments {
		for i := range e.version.System.Services {
			s := &e.version.System.Services[i]
			if s.Replicas.Min == s.Replicas.Max {
				continue
			}
			if c, ok := e.choose(s, samples[e.name+"/"+s.Name], now); ok {
				list = append(list, c)
			}
		}
	}
	return list
}

// choose has the service's decider look at a sample. It keeps looking while a
// person has fixed the number, so that it knows the load when it is let go.
func (e *environment) choose(s *spec.Service, sample observe.Sample, now time.Time) (choice, bool) {
	policy := scale.PolicyOf(s)
	d := e.deciders[s.Name]
	if d == nil {
		d = scale.NewDecider(policy)
		e.deciders[s.Name] = d
	}
	d.SetPolicy(policy)
	wanted := e.wanted(s)
	if !sample.At.IsZero() {
		d.Observe(sample.At, scale.Measure{
			InFlight: sample.InFlight, Rate: sample.Rate, CPU: sample.CPU, Held: sample.Held,
			Queue: time.Duration(sample.Queue * float64(time.Second)), Ready: e.readyOf(s.Name), Wanted: wanted,
		})
	}
	decided := d.Decide(now, wanted)
	if before, ok := e.scaleOf(s); ok && before.Manual || decided.Replicas == wanted {
		return choice{}, false
	}
	to := scaled{Replicas: decided.Replicas, Reason: decided.Reason, At: now, Described: s.Replicas}
	return choice{e, s.Name, to, e.scaledEvent("scaling", s.Name, wanted, decided.Replicas, decided.Reason, decided.Evidence)}, true
}

func (e *environment) scaledEvent(actor, service string, from, to int, reason string, evidence map[string]any) greenlight.Event {
	all := map[string]any{"from": from, "to": to, "reason": reason}
	for k, v := range evidence {
		all[k] = v
	}
	return greenlight.Event{Actor: actor, Kind: "scaled", Environment: e.name, Service: service, Message: clip(reason, maxMessage), Evidence: all}
}

// readyOf counts the replicas of a service that take requests.
func (e *environment) readyOf(service string) int {
	n := 0
	for _, r := range e.replicas {
		if r.Service == service && r.State == greenlight.ReplicaReady {
			n++
		}
	}
	return n
}

// findService gives a service with its environment; the lock is held.
func (p *Plane) findService(environment, service string) (*environment, *spec.Service, error) {
	e, err := p.find(environment)
	if err != nil {
		return nil, nil, err
	}
	if s := e.version.service(service); s != nil {
		return e, s, nil
	}
	var names []string
	for _, s := range e.version.System.Services {
		names = append(names, s.Name)
	}
	return nil, nil, greenlight.Errorf(greenlight.CodeNotFound, "environment %s has no service %q; it has %s", environment, service, joined(names))
}

// Scale overrides how many replicas a service has, until the description of
// its replicas changes; nil goes back to that at once.
func (p *Plane) Scale(ctx context.Context, environment, service string, to ScaleTo, actor string) (Service, error) {
	if to.Replicas != nil && (*to.Replicas < 0 || *to.Replicas > 1000) {
		return Service{}, greenlight.Errorf(greenlight.CodeInvalid, "%d replicas: want 0 to 1000", *to.Replicas)
	}
	p.mu.Lock()
	e, s, err := p.findService(environment, service)
	if err != nil {
		p.mu.Unlock()
		return Service{}, err
	}
	before := e.wanted(s)
	override := (*scaled)(nil)
	event := e.scaledEvent(actor, service, before, s.Replicas.Min, fmt.Sprintf("%s goes back to the replicas of the description", service), nil)
	if to.Replicas != nil {
		override = &scaled{Replicas: *to.Replicas, Manual: true, Reason: actor + " asked for it", At: time.Now(), Described: s.Replicas}
		event = e.scaledEvent(actor, service, before, *to.Replicas, fmt.Sprintf("%d → %d replicas, as asked for", before, *to.Replicas), nil)
	}
	p.mu.Unlock()
	if err := e.setScale(ctx, service, override, event); err != nil {
		return Service{}, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	e, s, err = p.findService(environment, service)
	if err != nil {
		return Service{}, err
	}
	return e.serviceStatus(s, p.options.Sampler.Latest()), nil
}

// Restart replaces a service's replicas, or the one that is named, so that
// nobody loses a request, and returns when that has begun.
func (p *Plane) Restart(ctx context.Context, environment, service, replica, actor string) error {
	p.mu.Lock()
	e, s, err := p.findService(environment, service)
	if err == nil && replica != "" && e.replicas[replica].Service != service {
		err = greenlight.Errorf(greenlight.CodeNotFound, "service %s has no replica %q", service, replica)
	}
	if err != nil {
		p.mu.Unlock()
		return err
	}
	alone := replica == "" || e.readyOf(service) < 2 || e.wanted(s) < 2
	p.mu.Unlock()
	event := greenlight.Event{Actor: actor, Kind: "restart.asked", Environment: environment, Service: service, Subject: replica,
		Message: cmp.Or(replica, service) + " is to restart"}
	if alone {
		return e.renew(ctx, service, event)
	}
	if _, err := p.options.Store.Record(ctx, event); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	e.restarts[service] = append(e.restarts[service], replica)
	e.poke()
	return nil
}

// ScalesByQueue tells whether a service follows the time that its requests wait
// to be computed.
func (p *Plane) ScalesByQueue(environment, service string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.environments[environment]
	if e == nil {
		return false
	}
	s := e.version.service(service)
	return s != nil && s.Replicas.Target.Queue > 0
}
