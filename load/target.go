package load

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strings"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Target is where requests go: one origin, resolved once.
type Target struct {
	URL     *url.URL // as it was given
	TLS     *tls.Config
	Address string // host:port that connections go to
	GRPC    bool   // requests are unary calls, over HTTP/2
	host    string // for the Host header
}

// ParseTarget reads an http, https, grpc or grpcs URL; "127.0.0.1:8080/x" is
// taken as http. The name is looked up once, so that every connection goes to the
// host that was checked.
func ParseTarget(ctx context.Context, text string) (*Target, error) {
	return ParseTargetAt(ctx, text, "")
}

// ParseTargetAt is ParseTarget with connections to another HOST:PORT than the
// URL says, as those to a gateway that answers for many names; "" is the
// URL's own.
func ParseTargetAt(ctx context.Context, text, address string) (*Target, error) {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, unreadable(text, err)
	}
	t := &Target{URL: u, host: u.Host}
	secure := false
	switch u.Scheme {
	case "http":
	case "https":
		secure = true
	case "grpc", "grpcs":
		t.GRPC, secure = true, u.Scheme == "grpcs"
	default:
		u.Host = ""
	}
	if u.Hostname() == "" {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "%q is no address to load; want http://HOST:PORT/PATH or grpc://HOST:PORT/MODEL", withoutUser(text))
	}
	if u.User != nil {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "the URL holds a user; give it by --header 'Authorization: …'")
	}
	if secure {
		t.TLS = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
	}
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = t.scheme()
	}
	if address != "" {
		if host, port, err = net.SplitHostPort(address); err != nil {
			return nil, greenlight.WithCode(greenlight.CodeInvalid, err)
		}
	}
	if t.Address, err = lookUp(ctx, host, port); err != nil {
		return nil, err
	}
	return t, nil
}

// unreadable is what is wrong with a URL, in words that quote no password.
func unreadable(text string, err error) error {
	var detail *url.Error
	if strings.Contains(text, "@") || !errors.As(err, &detail) {
		return greenlight.Errorf(greenlight.CodeInvalid, "the URL cannot be read; want http://HOST:PORT/PATH or grpc://HOST:PORT/MODEL, and no user or password in it")
	}
	return greenlight.WithCode(greenlight.CodeInvalid, err)
}

// withoutUser leaves out what may be a user and a password.
func withoutUser(text string) string {
	if i := strings.LastIndex(text, "@"); i >= 0 {
		return "…" + text[i:]
	}
	return text
}

// lookUp gives the address of a host; port may be the name of a service.
func lookUp(ctx context.Context, host, port string) (string, error) {
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return "", greenlight.Errorf(greenlight.CodeUnavailable, "looking up %s: %w", host, err)
	}
	n, err := net.DefaultResolver.LookupPort(ctx, "tcp", port)
	if err != nil {
		return "", greenlight.Errorf(greenlight.CodeInvalid, "port of %s: %w", host, err)
	}
	return netip.AddrPortFrom(preferred(addresses), uint16(n)).String(), nil //nolint:gosec // LookupPort gives 0 to 65535
}

// preferred is the first IPv4 address, as servers on localhost often listen
// on nothing else.
func preferred(addresses []netip.Addr) netip.Addr {
	for _, a := range addresses {
		if a.Unmap().Is4() {
			return a.Unmap()
		}
	}
	return addresses[0]
}

// scheme is that of HTTP.
func (t *Target) scheme() string {
	if t.TLS != nil {
		return "https"
	}
	return "http"
}

// Loopback tells whether the target is this machine.
func (t *Target) Loopback() bool {
	a, err := netip.ParseAddrPort(t.Address)
	return err == nil && a.Addr().Unmap().IsLoopback()
}

// path is the request target of the URL as it was given.
func (t *Target) path() string { return t.URL.RequestURI() }

// pathOf is the path of another URL of the same origin, or a path.
func (t *Target) pathOf(text string) (string, error) {
	if strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//") {
		return text, nil
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", err
	}
	if u.Scheme != t.URL.Scheme || u.Host != t.URL.Host {
		return "", greenlight.Errorf(greenlight.CodeInvalid, "%q is not of %s://%s; one test has one target", clip(text), t.URL.Scheme, t.URL.Host)
	}
	return u.RequestURI(), nil
}

// clip shortens what a message quotes.
func clip(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
