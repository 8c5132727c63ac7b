package gateway

import (
	"net"
	"path"
	"slices"
	"strings"
	"time"
)

// route is a compiled route. It never changes; its buckets do.
type route struct {
	config      *Route
	name        string
	path        string // without a slash at its end; "" is the root
	service     *service
	maxBody     int64 // -1 for none
	timeout     time.Duration
	limit       *rate
	clientLimit *rate
	buckets     *routeBuckets
	series      []*series // one for each release of the service, then one for none
}

// routeBuckets outlive the route's configuration.
type routeBuckets struct {
	all     bucket
	clients *clientBuckets
}

const defaultMaxBody = 32 << 20

// routes finds the route of a request.
type routes struct {
	exact    map[string]*paths // by host
	patterns map[string]*paths // by what follows "*."
	any      paths
}

// paths are the routes of one host by their path.
type paths struct {
	byPath  map[string][]*route
	longest int // bytes of the longest path
}

func (p *paths) add(r *route) {
	if p.byPath == nil {
		p.byPath = make(map[string][]*route)
	}
	p.byPath[r.path] = append(p.byPath[r.path], r)
	p.longest = max(p.longest, len(r.path))
}

func compileRoutes(list []*route) routes {
	rs := routes{exact: make(map[string]*paths), patterns: make(map[string]*paths)}
	for _, r := range list {
		if len(r.config.Hosts) == 0 {
			rs.any.add(r)
		}
		for _, h := range r.config.Hosts {
			byHost := rs.exact
			h = canonicalHost(h)
			if suffix, ok := strings.CutPrefix(h, "*."); ok {
				byHost, h = rs.patterns, suffix
			}
			if byHost[h] == nil {
				byHost[h] = new(paths)
			}
			byHost[h].add(r)
		}
	}
	return rs
}

// find gives the most specific route, or the methods that would have matched.
func (rs *routes) find(host, requestPath, method string) (found *route, allowed []string) {
	p := matchPath(requestPath)
	if len(rs.exact) > 0 || len(rs.patterns) > 0 {
		host = canonicalHost(host)
		if found = rs.exact[host].find(p, method, &allowed); found != nil {
			return found, nil
		}
		for rest := host; len(rs.patterns) > 0 && found == nil; {
			_, suffix, more := strings.Cut(rest, ".")
			if !more {
				break
			}
			found, rest = rs.patterns[suffix].find(p, method, &allowed), suffix
		}
	}
	if found == nil {
		found = rs.any.find(p, method, &allowed)
	}
	return found, allowed
}

// find walks from the longest prefix of whole segments to the root.
func (p *paths) find(request, method string, allowed *[]string) *route {
	if p == nil {
		return nil
	}
	rest := request
	if len(rest) > p.longest {
		rest = rest[:strings.LastIndexByte(rest[:p.longest+1], '/')]
	}
	for {
		if r := byMethod(p.byPath[rest], method, allowed); r != nil {
			return r
		}
		cut := strings.LastIndexByte(rest, '/')
		if cut < 0 {
			return nil
		}
		rest = rest[:cut]
	}
}

// byMethod prefers the route that names the method.
func byMethod(list []*route, method string, allowed *[]string) *route {
	var open *route
	for _, r := range list {
		switch {
		case len(r.config.Methods) == 0 && open == nil:
			open = r
		case slices.Contains(r.config.Methods, method):
			return r
		default:
			*allowed = append(*allowed, r.config.Methods...)
		}
	}
	return open
}

// matchPath is what routes are compared with: empty segments do not count,
// or "//admin" would slip past the route of "/admin".
func matchPath(p string) string {
	if strings.Contains(p, "//") {
		return path.Clean(p)
	}
	return p
}

// hasDotSegment tells paths that a service could understand as another one
// than its route was chosen for.
func hasDotSegment(p string) bool {
	if !strings.Contains(p, "/.") {
		return false
	}
	for s := range strings.SplitSeq(p, "/") {
		if s == "." || s == ".." {
			return true
		}
	}
	return false
}

// canonicalHost is host in lower case without its port and a dot at its end.
func canonicalHost(host string) string {
	if strings.IndexByte(host, ':') >= 0 {
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		} else {
			host = strings.Trim(host, "[]") // an IPv6 address without a port
		}
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// strip gives the path that the service sees, and its escaped form, "" when
// it has none of its own.
func (r *route) strip(p, raw string) (string, string) {
	if !r.config.StripPrefix || r.path == "" {
		return p, raw
	}
	rest, ok := strings.CutPrefix(p, r.path)
	if !ok {
		return p, raw // empty segments, which only the service understands
	}
	rawRest, ok := strings.CutPrefix(raw, r.path)
	if raw != "" && !ok {
		rawRest = "" // the prefix itself was escaped; the path is escaped anew
	}
	return rooted(rest), rootedIfAny(rawRest)
}

func rooted(p string) string {
	if strings.HasPrefix(p, "/") {
		return p
	}
	return "/" + p
}

func rootedIfAny(p string) string {
	if p == "" {
		return ""
	}
	return rooted(p)
}
