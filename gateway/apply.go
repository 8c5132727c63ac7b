package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Apply puts c in force as a whole or not at all, and keeps it on disk. When
// it returns, requests go by c, and those that went to targets that c no
// longer has are counted in Status.Leaving until they are answered.
func (g *Gateway) Apply(c *Config) error {
	if err := c.Validate(); err != nil {
		return err
	}
	copied, err := c.clone()
	if err != nil {
		return err
	}
	g.applying.Lock()
	defer g.applying.Unlock()
	select {
	case <-g.handedOver:
		return errHandedOver
	default:
	}
	return g.put(copied, true)
}

// clone makes a copy that its author cannot change.
func (c *Config) clone() (*Config, error) {
	data, err := json.Marshal(c)
	if err != nil {
		return nil, greenlight.WithCode(greenlight.CodeInvalid, err)
	}
	return ParseConfig(data)
}

// put does everything that can fail first, and then what cannot.
func (g *Gateway) put(c *Config, keep bool) error {
	doors, err := g.openDoors(c)
	if err != nil {
		return err
	}
	log, err := g.access.open(c.AccessLog.Path)
	if err != nil {
		g.abandon(doors)
		return greenlight.Errorf(greenlight.CodeInvalid, "accessLog.path: %w", err)
	}
	if keep {
		err = g.keep(c)
	}
	if err != nil {
		g.abandon(doors)
		if log != nil {
			err = fmt.Errorf("%w (access log: %v)", err, log.Close())
		}
		return err
	}
	g.access.use(c.AccessLog.Path, log)
	g.swap(c)
	g.useDoors(doors)
	return nil
}

func (g *Gateway) keep(c *Config) error {
	if g.options.ConfigFile == "" {
		return nil
	}
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	if err := writeFileSync(g.options.ConfigFile, append(data, '\n')); err != nil {
		return fmt.Errorf("the configuration was not applied as it cannot be kept: %w", err)
	}
	return nil
}

// swap makes c's table the one that requests go by.
func (g *Gateway) swap(c *Config) {
	old := g.table.Load()
	next := g.compile(c, old)
	g.table.Store(next)
	var gone []*target
	for key, t := range old.targets {
		if next.targets[key] == nil {
			t.retired.Store(true) // before its requests are counted
			t.upstream.retire()
			gone = append(gone, t)
		}
	}
	g.mu.Lock()
	g.leaving = append(g.leaving, gone...)
	g.pruneLeaving()
	g.appliedAt = time.Now()
	g.steerChecks(next, gone)
	g.mu.Unlock()
	close(old.superseded)
}

// steerChecks starts, restarts and stops active checks. It is called with mu
// held.
func (g *Gateway) steerChecks(next *table, gone []*target) {
	stop := func(t *target) {
		if t.stopCheck != nil {
			t.stopCheck()
			t.stopCheck = nil
			delete(g.checks, t)
		}
	}
	for _, t := range gone {
		stop(t)
	}
	for _, s := range next.byName {
		for _, r := range s.releases {
			for _, t := range r.targets {
				want := s.config.Check
				if have := g.checks[t]; have != nil && want != nil && *have == *want {
					continue
				}
				stop(t)
				if want == nil {
					t.checkFailed.Store(false)
					continue
				}
				ctx, cancel := context.WithCancel(g.living)
				t.stopCheck = cancel
				g.checks[t] = want
				checker := newChecker(t, want)
				g.work.Go(func() { checker.run(ctx) })
			}
		}
	}
}

// SetState pauses, drains or activates one service, and keeps that on disk.
func (g *Gateway) SetState(service string, state State) error {
	g.applying.Lock()
	defer g.applying.Unlock()
	select {
	case <-g.handedOver:
		return errHandedOver
	default:
	}
	c := *g.table.Load().config
	i := slices.IndexFunc(c.Services, func(s Service) bool { return s.Name == service })
	if i < 0 {
		return greenlight.Errorf(greenlight.CodeNotFound, "there is no service %q", service)
	}
	c.Services = slices.Clone(c.Services)
	c.Services[i].State = state
	return g.put(&c, true)
}
