package control

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/gateway"
	"github.com/greenlight-dev/greenlight/gateway/keeper"
	"github.com/greenlight-dev/greenlight/spec"
)

// RoutedSystem is an environment that the gateway serves.
type RoutedSystem struct {
	*spec.System
	Folder string // of its description; certificates are relative to it
}

// Routing is where all requests should go.
type Routing struct {
	Systems []RoutedSystem
	// Primary is the environment whose routes answer any host, and whose word
	// counts for what the gateway has only once: proxies and the access log.
	Primary string
	// Targets are the replicas that get a service's requests, by ServiceKey.
	Targets map[string][]greenlight.Replica
	Paused  map[string]bool // services whose requests are held, by ServiceKey
	State   string          // folder of certificates from authorities and of the access log
}

// ServiceKey is a service's name at the gateway and in its metrics.
func ServiceKey(environment, service string) string { return environment + "/" + service }

// acmeName is the folder in the state folder that holds certificates from
// authorities.
const acmeName = "acme"

// Config is the gateway's configuration, the same for the same routing. Its
// revision is a digest of the rest.
//
// Ejections and connections are left to the gateway's defaults; checks too, as
// the backend checks replicas already.
func (r *Routing) Config() *gateway.Config {
	c := &gateway.Config{Version: gateway.ConfigVersion}
	hosts := r.hosts()
	known := make(map[string]bool)
	for _, s := range r.ordered() {
		if s.Environment.Name == r.Primary {
			r.server(c, s)
		}
		r.listeners(c, s)
		for i := range s.Services {
			service := &s.Services[i]
			key := ServiceKey(s.Environment.Name, service.Name)
			known[key] = true
			c.Services = append(c.Services, r.service(s.Environment.Name, service))
			for j := range service.Routes {
				c.Routes = append(c.Routes, routeOf(key, service, &service.Routes[j], hosts.of(s.Environment.Name, service.Routes[j].Host)))
			}
		}
	}
	// What no description has any more gets no requests, but is still there for
	// those that are under way, until it is routed to nobody.
	for _, key := range slices.Sorted(maps.Keys(r.Targets)) {
		if !known[key] && len(r.Targets[key]) > 0 {
			c.Services = append(c.Services, gateway.Service{Name: key, Releases: releases(r.Targets[key])})
		}
	}
	c.Revision = revision(c)
	return c
}

func revision(c *gateway.Config) string {
	data, err := json.Marshal(c)
	if err != nil {
		return "" // a limit that is not a number, which validation refuses
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// ordered are the systems, the primary one first: where two claim the same
// requests, the first has them.
func (r *Routing) ordered() []RoutedSystem {
	return slices.SortedStableFunc(slices.Values(r.Systems), func(a, b RoutedSystem) int {
		if primary := a.Environment.Name == r.Primary; primary != (b.Environment.Name == r.Primary) {
			if primary {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Environment.Name, b.Environment.Name)
	})
}

// server is what the gateway has once for all requests.
func (r *Routing) server(c *gateway.Config, s RoutedSystem) {
	c.Server.MaxHeaderBytes = int(s.Gateway.MaxHeader)
	c.Clients = gateway.Clients{TrustedProxies: s.Gateway.TrustedProxies, Header: s.Gateway.ClientHeader}
	// Off unless asked for: metrics count every request already, while a line
	// for each takes throughput and disk.
	if share := s.Gateway.AccessLog; share > 0 {
		sample := float64(share) / 100
		c.AccessLog = gateway.AccessLog{Path: filepath.Join(r.State, keeper.AccessLogName), Sample: &sample}
	}
}

// listeners adds the addresses of a description that no earlier one has. They
// are named by their address, so that they stay open whatever else changes;
// those that want a free port, of which there may be several, by a number too.
func (r *Routing) listeners(c *gateway.Config, s RoutedSystem) {
	for _, l := range s.Gateway.Listen {
		same := 0
		for _, o := range c.Listeners {
			if o.Address == l.Address {
				same++
			}
		}
		out := gateway.Listener{Name: l.Address, Address: l.Address}
		switch {
		case same > 0 && !strings.HasSuffix(l.Address, ":0"):
			continue
		case same > 0:
			out.Name = fmt.Sprintf("%s (%d)", l.Address, same+1)
		}
		if l.TLS() {
			out.TLS = new(gateway.TLS)
		}
		if l.Files.Cert != "" {
			out.TLS.Files = []gateway.Certificate{{Cert: within(s.Folder, l.Files.Cert), Key: within(s.Folder, l.Files.Key)}}
		}
		if len(l.ACME.Domains) > 0 {
			out.TLS.ACME = &gateway.ACME{Domains: l.ACME.Domains, Cache: filepath.Join(r.State, acmeName),
				Email: l.ACME.Email, Directory: l.ACME.Directory}
		}
		c.Listeners = append(c.Listeners, out)
	}
}

// checkExposure refuses addresses that let other machines in where that was not
// asked for: the gateway would, and leave all listeners as they are.
func checkExposure(s *spec.System, public bool) error {
	for i, l := range s.Gateway.Listen {
		host, _, err := net.SplitHostPort(l.Address)
		if ip := net.ParseIP(host); public || err == nil && (host == "localhost" || ip != nil && ip.IsLoopback()) {
			continue
		}
		return greenlight.Errorf(greenlight.CodeInvalid, "gateway.listen[%d]: %s lets other machines in: if that is wanted, use greenlight up --public "+
			"(after greenlight down where it runs already); else listen on 127.0.0.1", i, l.Address)
	}
	return nil
}

func within(folder, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(folder, path)
}

func (r *Routing) service(environment string, s *spec.Service) gateway.Service {
	key := ServiceKey(environment, s.Name)
	out := gateway.Service{
		Name: key, Releases: releases(r.Targets[key]),
		Hold:  gateway.Hold{Timeout: gateway.Duration(s.Replicas.Hold)},
		Retry: gateway.Retry{Attempts: int(s.Retries) + 1}, // with the first
	}
	if s.Protocol != "" {
		out.Protocol = gateway.Protocol(s.Protocol)
	}
	if s.Sticky.Cookie != "" || s.Sticky.Header != "" {
		out.Sticky = &gateway.Sticky{Cookie: s.Sticky.Cookie, Header: s.Sticky.Header}
	}
	if s.Mirror.Service != "" {
		out.Mirror = &gateway.Mirror{Service: ServiceKey(environment, s.Mirror.Service), Percent: float64(s.Mirror.Percent), Compare: s.Mirror.Compare}
	}
	if r.Paused[key] || asleep(s, len(r.Targets[key])) {
		out.State = gateway.Paused
	}
	out.Timeouts.Response = responseTimeout(s.Routes)
	return out
}

// asleep tells a service whose requests wait for its first replica from one
// that is kept stopped (max 0) or has lost its replicas, which answers 503.
func asleep(s *spec.Service, targets int) bool {
	return targets == 0 && s.Replicas.Min == 0 && s.Replicas.Max > 0
}

// responseTimeout is as long as the most patient route, where that is longer
// than the gateway's own; 0 is the gateway's own.
func responseTimeout(routes []spec.Route) gateway.Duration {
	const own = time.Minute
	var longest time.Duration
	for _, r := range routes {
		longest = max(longest, r.Timeout.Std())
	}
	if longest <= own {
		return 0
	}
	return gateway.Duration(longest)
}

// wholeWeight is the weight of a release that has all the requests.
const wholeWeight = 100

// releases groups replicas by release. During a change several have requests,
// as many as they have replicas.
func releases(targets []greenlight.Replica) []gateway.Release {
	byName := make(map[string]map[string]string) // address by ID by release
	for _, t := range targets {
		name := cmp.Or(t.Release, "unnamed")
		if byName[name] == nil {
			byName[name] = make(map[string]string)
		}
		byName[name][t.ID] = t.Address
	}
	out := make([]gateway.Release, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		release := gateway.Release{Name: name, Weight: wholeWeight}
		for _, id := range slices.Sorted(maps.Keys(byName[name])) {
			release.Targets = append(release.Targets, gateway.Target{ID: id, Address: byName[name][id]})
		}
		if len(byName) > 1 {
			release.Weight = len(release.Targets)
		}
		out = append(out, release)
	}
	return out
}

func routeOf(key string, s *spec.Service, r *spec.Route, host string) gateway.Route {
	out := gateway.Route{
		Name: routeName(s, r), Path: plainPath(r.Path), Methods: r.Methods, StripPrefix: r.Strip, Service: key,
		MaxBodyBytes: int64(r.Limits.Body), Timeout: gateway.Duration(r.Timeout),
		Limit: limitOf(r.Limits.Requests, r.Limits.Burst), ClientLimit: limitOf(r.Limits.PerClient, r.Limits.PerClientBurst),
	}
	if host != "" {
		out.Hosts = []string{host}
	}
	return out
}

// plainPath is a path as requests are compared with: without escapes.
func plainPath(path string) string {
	if plain, err := url.PathUnescape(path); err == nil {
		return plain
	}
	return path
}

func limitOf(rate spec.Rate, burst int) *gateway.Limit {
	if rate == 0 {
		return nil
	}
	return &gateway.Limit{Rate: float64(rate), Burst: burst}
}

// maxRouteName is what the gateway allows, in bytes.
const maxRouteName = 200

// routeName names a route in metrics: the service, and which of its routes
// where it has several.
func routeName(s *spec.Service, r *spec.Route) string {
	name := s.Name
	if len(s.Routes) > 1 {
		name += " " + r.String()
	}
	for len(name) > maxRouteName || !utf8.ValidString(name) {
		name = name[:min(len(name), maxRouteName+1)-1]
	}
	return name
}

// hosts are the environments that answer a host, by name; "" is any other.
type hosts struct {
	primary string
	owner   map[string]string
}

// hosts gives each host to the first environment that names it. With hosts
// shared, a longer path of another environment would take requests away from
// the primary one.
func (r *Routing) hosts() hosts {
	h := hosts{r.Primary, make(map[string]string)}
	for _, s := range r.ordered() {
		for i := range s.Services {
			for _, route := range s.Services[i].Routes {
				if _, taken := h.owner[route.Host]; route.Host != "" && !taken {
					h.owner[route.Host] = s.Environment.Name
				}
			}
		}
	}
	return h
}

// of is the host that a route answers, "" for any. One that the environment
// cannot have becomes <environment>.localhost, which leads to this machine.
func (h hosts) of(environment, host string) string {
	if host == "" && environment == h.primary || host != "" && h.owner[host] == environment {
		return host
	}
	return environment + ".localhost"
}

// URLs are where people find a service's routes, with the gateway at address;
// none when that is "".
func (r *Routing) URLs(environment, service, address string) []string {
	i := slices.IndexFunc(r.Systems, func(s RoutedSystem) bool { return s.Environment.Name == environment })
	host, port, err := net.SplitHostPort(address)
	if i < 0 || err != nil {
		return []string{}
	}
	hosts, urls := r.hosts(), []string{}
	for _, s := range r.Systems[i].Services {
		if s.Name != service {
			continue
		}
		for _, route := range s.Routes {
			at := cmp.Or(hosts.of(environment, route.Host), reachable(host))
			if u := "http://" + withPort(at, port) + route.Path; !slices.Contains(urls, u) {
				urls = append(urls, u)
			}
		}
	}
	return urls
}

// reachable is a host that leads to a listener: one that listens on all
// addresses is found on this machine.
func reachable(host string) string {
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return "localhost"
	}
	return host
}

func withPort(host, port string) string {
	if port != "80" {
		return net.JoinHostPort(host, port)
	}
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}
