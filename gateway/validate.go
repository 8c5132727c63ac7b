package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/http/httpguts"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Most things in one configuration: enough for the largest system on one
// machine, small enough to compile in well under a second.
const (
	maxRoutes   = 20_000
	maxServices = 10_000
	maxTargets  = 1_000 // of one release
	maxReleases = 100   // of one service
	maxWeight   = 1_000_000
)

// problems collects what is wrong, each under the name of its field.
type problems struct{ list []error }

// maxProblems bounds the list that a user reads.
const maxProblems = 50

func (p *problems) add(field, format string, args ...any) {
	if len(p.list) < maxProblems {
		p.list = append(p.list, fmt.Errorf("%s: "+format, append([]any{field}, args...)...))
	}
}

// check adds a problem unless ok.
func (p *problems) check(ok bool, field, format string, args ...any) {
	if !ok {
		p.add(field, format, args...)
	}
}

// oneOf adds a problem unless v is in allowed or empty.
func oneOf[T ~string](p *problems, field string, v T, allowed ...T) {
	p.check(v == "" || slices.Contains(allowed, v), field, "%q is none of %q", v, allowed)
}

// positive refuses what is below 0; 0 is the default.
func (p *problems) positive(field string, d Duration) {
	p.check(d >= 0, field, "%s is negative", d.or(0))
}

func (p *problems) atLeast(field string, v, least int) {
	p.check(v >= least, field, "%d is below %d", v, least)
}

// unique refuses names that are empty, too long, hard to read or given twice.
func (p *problems) unique(field string, name string, seen map[string]bool) {
	switch {
	case name == "":
		p.add(field, "is missing")
	case len(name) > 200 || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		p.add(field, "%.60q is not a name: at most 200 bytes, no control characters", name)
	case seen[name]:
		p.add(field, "%q is given twice", name)
	}
	seen[name] = true
}

// Validate gives every problem of c, each named by its field.
func (c *Config) Validate() error {
	var p problems
	p.check(c.Version == ConfigVersion, "version", "this gateway reads version %d, got %d", ConfigVersion, c.Version)
	names := make(map[string]bool)
	for i, l := range c.Listeners {
		field := index("listeners", i)
		p.unique(field+".name", l.Name, names)
		l.validate(&p, field)
	}
	c.Server.validate(&p)
	c.Clients.validate(&p)
	if s := c.AccessLog.Sample; s != nil {
		p.check(*s >= 0 && *s <= 1, "accessLog.sample", "%v is not between 0 and 1", *s)
	}
	services := c.validateServices(&p)
	c.validateRoutes(&p, services)
	c.validateMirrors(&p, services)
	return greenlight.WithCode(greenlight.CodeInvalid, errors.Join(p.list...))
}

func index(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }

func (l *Listener) validate(p *problems, field string) {
	validateAddress(p, field+".address", l.Address, true)
	if l.TLS == nil {
		return
	}
	p.check(len(l.TLS.Files) > 0 || l.TLS.ACME != nil, field+".tls", "needs files or acme")
	for i, f := range l.TLS.Files {
		p.check(f.Cert != "" && f.Key != "", index(field+".tls.files", i), "needs cert and key")
	}
	if a := l.TLS.ACME; a != nil {
		p.check(len(a.Domains) > 0, field+".tls.acme.domains", "is missing")
		p.check(a.Cache != "", field+".tls.acme.cache", "is missing: a folder that keeps certificates over restarts")
		for i, d := range a.Domains {
			validateHost(p, index(field+".tls.acme.domains", i), d, false)
		}
	}
}

func (s *Server) validate(p *problems) {
	p.check(s.MaxHeaderBytes == 0 || s.MaxHeaderBytes >= 1024, "server.maxHeaderBytes", "%d is below 1024", s.MaxHeaderBytes)
	p.positive("server.headerTimeout", s.HeaderTimeout)
	p.positive("server.idleTimeout", s.IdleTimeout)
	p.positive("server.stallTimeout", s.StallTimeout)
}

func (c *Clients) validate(p *problems) {
	for i, n := range c.TrustedProxies {
		if _, err := parseNetwork(n); err != nil {
			p.add(index("clients.trustedProxies", i), "%q is neither a network (10.0.0.0/8) nor an address", n)
		}
	}
	p.check(c.Header == "" || httpguts.ValidHeaderFieldName(c.Header), "clients.header", "%q is not a header's name", c.Header)
	p.atLeast("clients.maxTracked", c.MaxTracked, 0)
	p.check(c.MaxTracked <= 10_000_000, "clients.maxTracked", "%d is above 10000000", c.MaxTracked)
}

func parseNetwork(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()), nil
	}
	n, err := netip.ParsePrefix(s)
	return n.Masked(), err
}

// validateServices gives the releases of each service by name.
func (c *Config) validateServices(p *problems) map[string][]Release {
	p.check(len(c.Services) <= maxServices, "services", "%d, at most %d", len(c.Services), maxServices)
	byName := make(map[string][]Release, len(c.Services))
	seen := make(map[string]bool, len(c.Services))
	for i := range c.Services {
		s := &c.Services[i]
		field := index("services", i)
		p.unique(field+".name", s.Name, seen)
		s.validate(p, field)
		byName[s.Name] = s.Releases
	}
	return byName
}

func (s *Service) validate(p *problems, field string) {
	oneOf(p, field+".protocol", s.Protocol, HTTP1, H2C)
	oneOf(p, field+".state", s.State, Active, Draining, Paused)
	p.check(len(s.Releases) <= maxReleases, field+".releases", "%d, at most %d", len(s.Releases), maxReleases)
	seen := make(map[string]bool)
	for i := range s.Releases {
		p.unique(index(field+".releases", i)+".name", s.Releases[i].Name, seen)
		s.Releases[i].validate(p, index(field+".releases", i))
	}
	if k := s.Sticky; k != nil {
		p.check((k.Cookie == "") != (k.Header == ""), field+".sticky", "needs either cookie or header")
		p.check(k.Cookie == "" || httpguts.ValidHeaderFieldName(k.Cookie), field+".sticky.cookie", "%q is not a cookie's name", k.Cookie)
		p.check(k.Header == "" || httpguts.ValidHeaderFieldName(k.Header), field+".sticky.header", "%q is not a header's name", k.Header)
	}
	if k := s.Check; k != nil {
		p.check(strings.HasPrefix(k.Path, "/"), field+".check.path", "%q does not begin with /", k.Path)
		p.positive(field+".check.interval", k.Interval)
		p.positive(field+".check.timeout", k.Timeout)
		p.atLeast(field+".check.unhealthy", k.Unhealthy, 0)
		p.atLeast(field+".check.healthy", k.Healthy, 0)
	}
	p.atLeast(field+".ejection.failures", s.Ejection.Failures, -1)
	p.atLeast(field+".ejection.connectFailures", s.Ejection.ConnectFailures, -1)
	p.positive(field+".ejection.base", s.Ejection.Base)
	p.positive(field+".ejection.max", s.Ejection.Max)
	p.atLeast(field+".retry.attempts", s.Retry.Attempts, 0)
	p.check(s.Retry.Attempts <= 10, field+".retry.attempts", "%d is above 10", s.Retry.Attempts)
	if b := s.Retry.Budget; b != nil {
		p.check(*b >= 0 && *b <= 1, field+".retry.budget", "%v is not between 0 and 1", *b)
	}
	p.atLeast(field+".hold.requests", s.Hold.Requests, 0)
	p.positive(field+".hold.timeout", s.Hold.Timeout)
	p.positive(field+".timeouts.connect", s.Timeouts.Connect)
	p.positive(field+".timeouts.response", s.Timeouts.Response)
	p.positive(field+".timeouts.idle", s.Timeouts.Idle)
}

func (r *Release) validate(p *problems, field string) {
	p.check(r.Weight >= 0 && r.Weight <= maxWeight, field+".weight", "%d is not between 0 and %d", r.Weight, maxWeight)
	p.check(len(r.Targets) <= maxTargets, field+".targets", "%d, at most %d", len(r.Targets), maxTargets)
	seen := make(map[string]bool)
	for i, t := range r.Targets {
		p.unique(index(field+".targets", i)+".id", t.ID, seen)
		validateAddress(p, index(field+".targets", i)+".address", t.Address, false)
	}
}

// validateAddress wants host:port; only a listener may leave out the host, or
// have port 0 for a free one.
func validateAddress(p *problems, field, address string, listen bool) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		p.add(field, "%q is not host:port", address)
		return
	}
	n, err := strconv.ParseUint(port, 10, 16)
	p.check(err == nil && (n > 0 || listen), field, "%q: %q is not a port", address, port)
	p.check(host != "" || listen, field, "%q has no host", address)
	p.check(host == "" || httpguts.ValidHostHeader(host), field, "%q: %q is not a host", address, host)
}

func (c *Config) validateRoutes(p *problems, services map[string][]Release) {
	p.check(len(c.Routes) <= maxRoutes, "routes", "%d, at most %d", len(c.Routes), maxRoutes)
	for i := range c.Routes {
		c.Routes[i].validate(p, index("routes", i), services)
	}
}

func (r *Route) validate(p *problems, field string, services map[string][]Release) {
	if _, ok := services[r.Service]; !ok {
		p.add(field+".service", "there is no service %q", r.Service)
	}
	p.check(len(r.Name) <= 200 && utf8.ValidString(r.Name), field+".name", "%.60q is longer than 200 bytes or not UTF-8", r.Name)
	for i, h := range r.Hosts {
		validateHost(p, index(field+".hosts", i), h, true)
	}
	p.check(r.Path == "" || strings.HasPrefix(r.Path, "/"), field+".path", "%q does not begin with /", r.Path)
	p.check(!strings.ContainsAny(r.Path, "?#*") && !hasDotSegment(r.Path) && !strings.Contains(r.Path, "//"), field+".path",
		"%q is not a plain prefix: no query, no pattern, no empty or dot segments", r.Path)
	for i, m := range r.Methods {
		p.check(httpguts.ValidHeaderFieldName(m) && m == strings.ToUpper(m), index(field+".methods", i), "%q is not a method in capitals", m)
	}
	p.check(r.MaxBodyBytes >= -1, field+".maxBodyBytes", "%d is below -1", r.MaxBodyBytes)
	p.positive(field+".timeout", r.Timeout)
	r.Limit.validate(p, field+".limit")
	r.ClientLimit.validate(p, field+".clientLimit")
}

func (l *Limit) validate(p *problems, field string) {
	if l == nil {
		return
	}
	p.check(l.Rate > 0 && l.Rate <= 1e9, field+".rate", "%v is not between 0 and 1e9 requests a second", l.Rate)
	p.check(l.Burst >= 0 && l.Burst <= 1e9, field+".burst", "%d is not between 0 and 1e9", l.Burst)
}

func validateHost(p *problems, field, host string, pattern bool) {
	name := host
	if pattern {
		name = strings.TrimPrefix(host, "*.")
	}
	ok := name != "" && httpguts.ValidHostHeader(name) && !strings.ContainsAny(name, "*: /") || net.ParseIP(strings.Trim(name, "[]")) != nil
	p.check(ok, field, "%q is not a host name", host)
}

func (c *Config) validateMirrors(p *problems, services map[string][]Release) {
	for i, s := range c.Services {
		m := s.Mirror
		if m == nil {
			continue
		}
		field := index("services", i) + ".mirror"
		p.check(m.Percent > 0 && m.Percent <= 100, field+".percent", "%v is not above 0 and at most 100", m.Percent)
		p.atLeast(field+".queue", m.Queue, 0)
		p.check(m.Queue <= 100_000, field+".queue", "%d is above 100000", m.Queue)
		p.check(m.MaxBodyBytes >= 0, field+".maxBodyBytes", "%d is negative", m.MaxBodyBytes)
		p.positive(field+".timeout", m.Timeout)
		m.validateGoal(p, field, s.Name, services)
	}
}

func (m *Mirror) validateGoal(p *problems, field, own string, services map[string][]Release) {
	goal := m.Service
	if goal == "" {
		goal = own
	}
	releases, ok := services[goal]
	switch {
	case !ok:
		p.add(field+".service", "there is no service %q", goal)
	case m.Release != "":
		p.check(slices.ContainsFunc(releases, func(r Release) bool { return r.Name == m.Release }),
			field+".release", "service %q has no release %q", goal, m.Release)
	default:
		p.check(goal != own, field, "needs a service or a release other than the service itself")
	}
}
