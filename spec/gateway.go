package spec

import (
	"net/netip"
	"path"
	"strconv"
	"strings"
)

// Gateway is what the gateway does for all services of an environment.
type Gateway struct {
	Listen         []Listener `json:"listen,omitempty" aka:"listeners,ports,addresses" doc:"Addresses that it listens on, beside that of greenlight up --gateway."`
	TrustedProxies []string   `json:"trusted_proxies,omitempty" format:"network" aka:"proxies,trust" doc:"Networks whose word about a request's client is believed, as 10.0.0.0/8."`
	ClientHeader   string     `json:"client_header,omitempty" format:"header" aka:"real_ip_header" doc:"Header in which a trusted proxy names the client. Default: X-Forwarded-For."`
	MaxHeader      Bytes      `json:"max_header,omitzero" min:"1Ki" max:"1Mi" aka:"header_size,max_header_bytes,headers" doc:"Largest header of a request, its first line included; a larger one is answered 431. Default: 64Ki."`
	AccessLog      Percent    `json:"access_log,omitzero" min:"0%" max:"100%" aka:"log,logs" doc:"Share of the requests that are written to the access log, as 100%; with any share, answers from 500 up always are. Default: none."`
}

func (g *Gateway) check(d *decoder, n *node) {
	for i, network := range g.TrustedProxies {
		if !isNetwork(network) && formats["network"].pattern.MatchString(network) {
			d.errs.add(n.get("trusted_proxies").items[i], "%q is no network; write 10.0.0.0/8, or one address", network)
		}
	}
	first := make(map[string]*node)
	for i, l := range g.Listen {
		at := n.get("listen").items[i]
		if other := first[l.Address]; other != nil && !strings.HasSuffix(l.Address, ":0") {
			d.errs.addKey(at, "the address is listened on already (line %d)", other.key.line)
		}
		first[l.Address] = at
	}
}

// Listener is an address that the gateway listens on.
type Listener struct {
	Address string      `json:"address" opt:"required,vars" format:"address" aka:"addr,port,listen" doc:"HOST:PORT, as 127.0.0.1:8443 or :443. Beyond this machine it wants greenlight up --public."`
	Files   Certificate `json:"certificate,omitzero" group:"tls" aka:"tls,cert,files" doc:"TLS with a certificate from files, read again when they change."`
	ACME    ACME        `json:"acme,omitzero" group:"tls" aka:"letsencrypt,auto" doc:"TLS with certificates that an authority issues, Let's Encrypt unless said otherwise."`
}

func (l *Listener) check(d *decoder, n *node) {
	if at := n.get("address"); at != nil && !strings.Contains(l.Address, "${") && formats["address"].pattern.MatchString(l.Address) && !isAddress(l.Address) {
		d.errs.add(at, "%q is no address; write HOST:PORT, as 127.0.0.1:8443 or :443", shorten(l.Address))
	}
}

// TLS tells whether the listener speaks it.
func (l *Listener) TLS() bool { return l.Files.Cert != "" || len(l.ACME.Domains) > 0 }

// Certificate is a PEM certificate chain and its key.
type Certificate struct {
	Cert string `json:"cert" opt:"required,vars" format:"file" aka:"crt,chain,certificate" doc:"The certificate with its chain, PEM, relative to this file."`
	Key  string `json:"key" opt:"required,vars" format:"file" aka:"private_key" doc:"Its key, PEM, relative to this file."`
}

func (c *Certificate) check(d *decoder, n *node) {
	for label, file := range map[string]string{"cert": c.Cert, "key": c.Key} {
		if file != "" {
			d.exists(n.get(label), path.Clean(file), "", false)
		}
	}
}

// ACME asks an authority for certificates (RFC 8555).
type ACME struct {
	Domains   []string `json:"domains" opt:"required" format:"host" aka:"hosts,names,domain" doc:"The names that certificates are for."`
	Email     string   `json:"email,omitempty" opt:"vars" aka:"contact,mail" doc:"Whom the authority tells when something is wrong."`
	Directory string   `json:"directory,omitempty" opt:"vars" aka:"authority,ca,server" doc:"URL of the authority's directory."`
}

func (a *ACME) check(d *decoder, n *node) {
	domains := n.get("domains")
	if domains != nil && len(domains.items) == 0 {
		d.errs.addKey(domains, "is empty; name at least one")
	}
	for i, name := range a.Domains {
		if strings.HasPrefix(name, "*") {
			d.errs.add(domains.items[i], "no certificate for %q can be had this way; name each host", name)
		}
	}
}

// Sticky keeps a client on one release while several answer.
type Sticky struct {
	Cookie string `json:"cookie,omitempty" group:"by" opt:"required" format:"header" doc:"Cookie whose value counts; clients without it are given one."`
	Header string `json:"header,omitempty" group:"by" opt:"required" format:"header" doc:"Header whose value counts; requests without it are spread."`
}

// Mirror sends copies of requests to another service, whose answers nobody
// gets.
type Mirror struct {
	Service string  `json:"service" opt:"required" format:"label" aka:"to,target" doc:"The service that gets the copies."`
	Percent Percent `json:"percent" min:"1%" max:"100%" aka:"share,sample" doc:"Share of the requests that are copied."`
	Compare bool    `json:"compare,omitzero" aka:"diff" doc:"Whether answers that differ are counted."`
}

func (m *Mirror) defaults(*node) { m.Percent = 100 }

func (m *Mirror) check(_ *decoder, n *node) {
	if n.get("percent") == nil {
		m.defaults(n)
	}
}

// isNetwork tells networks in CIDR notation and single addresses.
func isNetwork(s string) bool {
	if _, err := netip.ParsePrefix(s); err == nil {
		return true
	}
	_, err := netip.ParseAddr(s)
	return err == nil
}

// isAddress tells HOST:PORT, where no host is all of them.
func isAddress(s string) bool {
	i := strings.LastIndexByte(s, ':')
	if i < 0 {
		return false
	}
	host, port := s[:i], s[i+1:]
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 && port != "0" {
		return false
	}
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		_, err := netip.ParseAddr(host[1 : len(host)-1])
		return err == nil
	}
	return host == "" || !strings.ContainsAny(host, ":[]/@ ")
}
