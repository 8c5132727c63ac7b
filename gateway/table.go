package gateway

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// table is a configuration compiled for look-up. It never changes.
type table struct {
	config     *Config
	clients    attribution
	routes     routes
	services   map[string]*service
	byName     []*service // in the order of the configuration
	targets    map[targetKey]*target
	buckets    map[string]*routeBuckets
	logSample  float64
	superseded chan struct{} // closed when another table has taken its place
}

// targetKey is what must stay the same for a target to keep its connections
// and its health.
type targetKey struct {
	service, release, id, address string
	protocol                      Protocol
	timeouts                      Timeouts
}

// compile makes the table of c, which is valid, with the targets, vitals and
// buckets of old where they are still wanted. Nothing of old is changed.
func (g *Gateway) compile(c *Config, old *table) *table {
	t := &table{
		config:     c,
		clients:    compileClients(c.Clients),
		services:   make(map[string]*service, len(c.Services)),
		targets:    make(map[targetKey]*target),
		buckets:    make(map[string]*routeBuckets),
		logSample:  1,
		superseded: make(chan struct{}),
	}
	if s := c.AccessLog.Sample; s != nil {
		t.logSample = *s
	}
	for i := range c.Services {
		s := g.compileService(t, old, &c.Services[i])
		t.services[s.config.Name] = s
		t.byName = append(t.byName, s)
	}
	for _, s := range t.byName {
		s.mirror = compileMirror(s, t.services)
	}
	list := make([]*route, len(c.Routes))
	for i := range c.Routes {
		list[i] = g.compileRoute(t, old, &c.Routes[i])
	}
	t.routes = compileRoutes(list)
	return t
}

func (g *Gateway) compileService(t, old *table, c *Service) *service {
	s := &service{
		config:   c,
		ejection: compileEjection(c.Ejection),
		attempts: c.Retry.Attempts,
		retryPay: 200,
		hold:     hold{requests: int64(c.Hold.Requests), timeout: c.Hold.Timeout.or(30 * time.Second)},
		vitals:   new(vitals),
	}
	if s.attempts == 0 {
		s.attempts = 3
	}
	if b := c.Retry.Budget; b != nil {
		s.retryPay = int64(math.Round(*b * 1000))
	}
	if s.hold.requests == 0 {
		s.hold.requests = 1000
	}
	if before := old.service(c.Name); before != nil {
		s.vitals = before.vitals
	}
	for i := range c.Releases {
		r := g.compileRelease(t, old, c, i)
		s.releases = append(s.releases, r)
		if r.weight > 0 && len(r.targets) > 0 {
			s.choices = append(s.choices, r)
			s.total += r.weight
		}
	}
	return s
}

func (g *Gateway) compileRelease(t, old *table, s *Service, i int) *release {
	c := &s.Releases[i]
	r := &release{name: c.Name, index: i, weight: c.Weight, metrics: g.metrics.release(s.Name, c.Name)}
	for _, goal := range c.Targets {
		key := targetKey{s.Name, c.Name, goal.ID, goal.Address, s.Protocol, s.Timeouts}
		keep := old.target(key)
		if keep == nil {
			keep = &target{service: s.Name, release: c.Name, id: goal.ID, address: goal.Address,
				upstream: newUpstream(goal.Address, s.Protocol, s.Timeouts)}
		}
		t.targets[key] = keep
		r.targets = append(r.targets, keep)
	}
	return r
}

func (g *Gateway) compileRoute(t, old *table, c *Route) *route {
	r := &route{
		config: c, name: c.Name, path: strings.TrimRight(c.Path, "/"), service: t.services[c.Service],
		maxBody: c.MaxBodyBytes, timeout: time.Duration(c.Timeout),
		limit: compileLimit(c.Limit), clientLimit: compileLimit(c.ClientLimit),
	}
	if r.name == "" {
		r.name = c.Service
	}
	if r.maxBody == 0 {
		r.maxBody = defaultMaxBody
	}
	key := fmt.Sprintf("%q %q %q %q", c.Hosts, r.path, c.Methods, c.Service)
	r.buckets = old.routeBuckets(key)
	if r.buckets == nil || old.config.Clients.MaxTracked != t.config.Clients.MaxTracked {
		r.buckets = &routeBuckets{clients: newClientBuckets(t.config.Clients.MaxTracked)}
	}
	t.buckets[key] = r.buckets
	for _, rel := range r.service.releases {
		r.series = append(r.series, g.metrics.series(r.name, c.Service, rel.name))
	}
	r.series = append(r.series, g.metrics.series(r.name, c.Service, ""))
	return r
}

// The look-ups of an old table; a gateway that starts has none.

func (t *table) service(name string) *service {
	if t == nil {
		return nil
	}
	return t.services[name]
}

func (t *table) target(key targetKey) *target {
	if t == nil {
		return nil
	}
	return t.targets[key]
}

func (t *table) routeBuckets(key string) *routeBuckets {
	if t == nil {
		return nil
	}
	return t.buckets[key]
}
