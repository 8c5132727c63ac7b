package gateway

import (
	"net/http"
	"net/netip"
	"strings"
)

// attribution says which client a request comes from.
type attribution struct {
	trusted []netip.Prefix
	header  string // canonical
	list    bool   // the header holds a list, as X-Forwarded-For
}

func compileClients(c Clients) attribution {
	a := attribution{header: "X-Forwarded-For", list: true}
	if c.Header != "" {
		a.header = http.CanonicalHeaderKey(c.Header)
		a.list = a.header == "X-Forwarded-For"
	}
	for _, s := range c.TrustedProxies {
		if n, err := parseNetwork(s); err == nil { // validated before
			a.trusted = append(a.trusted, n)
		}
	}
	return a
}

func (a *attribution) trusts(peer netip.Addr) bool {
	for _, n := range a.trusted {
		if n.Contains(peer) {
			return true
		}
	}
	return false
}

// client gives the address of the request's client and whether the peer that
// sent it is a trusted proxy, whose forwarding headers stay.
func (a *attribution) client(r *request) (client netip.Addr, trusted bool) {
	if len(a.trusted) == 0 || !a.trusts(r.peer) {
		return r.peer, false
	}
	if !a.list {
		if named, err := netip.ParseAddr(strings.TrimSpace(first(r.fields, a.header))); err == nil {
			return named.Unmap(), true
		}
		return r.peer, true
	}
	return a.fromList(r.fields.values(a.header), r.peer), true
}

// fromList walks the addresses from the nearest on and stops at the first
// that no trusted proxy has: what stands before it, anybody could have
// written.
func (a *attribution) fromList(values []string, peer netip.Addr) netip.Addr {
	client := peer
	for i := len(values) - 1; i >= 0; i-- {
		rest := values[i]
		for rest != "" {
			var last string
			if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
				rest, last = rest[:comma], rest[comma+1:]
			} else {
				rest, last = "", rest
			}
			named, err := netip.ParseAddr(strings.TrimSpace(last))
			if err != nil {
				return client
			}
			client = named.Unmap()
			if !a.trusts(client) {
				return client
			}
		}
	}
	return client
}

func peerAddr(remote string) netip.Addr {
	if p, err := netip.ParseAddrPort(remote); err == nil {
		return p.Addr().Unmap()
	}
	return netip.Addr{}
}
