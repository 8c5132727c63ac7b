package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// ConfigVersion is the format of Config that this gateway reads and writes.
const ConfigVersion = 1

// Config says everything that a gateway does. The zero value of every field
// but Version is allowed and has the default that its comment names.
type Config struct {
	Version int `json:"version"`
	// Revision is whatever its author calls this state; status repeats it.
	Revision  string     `json:"revision,omitempty"`
	Listeners []Listener `json:"listeners,omitempty"` // beside that of --listen
	Server    Server     `json:"server,omitzero"`
	Clients   Clients    `json:"clients,omitzero"`
	AccessLog AccessLog  `json:"accessLog,omitzero"`
	Routes    []Route    `json:"routes,omitempty"`
	Services  []Service  `json:"services,omitempty"`
}

// Listener is an address that requests come in at.
type Listener struct {
	Name    string `json:"name"`    // unique
	Address string `json:"address"` // host:port
	TLS     *TLS   `json:"tls,omitempty"`
}

// TLS says where a listener's certificates come from; both may be given, and
// then files come first.
type TLS struct {
	Files []Certificate `json:"files,omitempty"`
	ACME  *ACME         `json:"acme,omitempty"`
}

// Certificate is a PEM certificate chain and its key. Files that change are
// read again.
type Certificate struct {
	Cert string `json:"cert"`
	Key  string `json:"key"`
}

// ACME gets certificates from a certificate authority (RFC 8555), proving the
// names by TLS-ALPN-01 on the listener itself or HTTP-01 on a plain one.
type ACME struct {
	Domains   []string `json:"domains"`
	Cache     string   `json:"cache"` // folder for keys and certificates
	Email     string   `json:"email,omitempty"`
	Directory string   `json:"directory,omitempty"` // the authority's; default Let's Encrypt
}

// Server bounds what clients may send, on every listener.
type Server struct {
	// MaxHeaderBytes is let through in any case, and up to 8 KiB more, which
	// net/http may have read already; default 64 KiB.
	MaxHeaderBytes int      `json:"maxHeaderBytes,omitempty"`
	HeaderTimeout  Duration `json:"headerTimeout,omitzero"` // for all headers; default 10s
	IdleTimeout    Duration `json:"idleTimeout,omitzero"`   // between requests; default 75s
	// StallTimeout ends a connection on which a body or an answer makes no
	// progress; default 60s.
	StallTimeout Duration `json:"stallTimeout,omitzero"`
}

// Clients says who a request comes from.
type Clients struct {
	// TrustedProxies are the networks (CIDR, or one address) whose word about
	// the client is believed.
	TrustedProxies []string `json:"trustedProxies,omitempty"`
	// Header carries the client's address; default X-Forwarded-For, where the
	// last address that is not a trusted proxy counts.
	Header string `json:"header,omitempty"`
	// MaxTracked bounds the clients that limits are kept for; default 65536.
	MaxTracked int `json:"maxTracked,omitempty"`
}

// AccessLog writes one JSON line for a request.
type AccessLog struct {
	Path string `json:"path,omitempty"` // a file, "-" for standard output, "" for none
	// Sample is the share of requests logged, 0 to 1; default 1. Answers from
	// 500 up are always logged.
	Sample *float64 `json:"sample,omitempty"`
}

// Route sends the requests that it matches to a service. Of several that
// match, the most specific counts: an exact host before a pattern before none,
// then the longest path prefix, then one that names the method.
type Route struct {
	Name    string   `json:"name,omitempty"`    // in metrics and logs; default the service's name
	Hosts   []string `json:"hosts,omitempty"`   // "shop.example" or "*.shop.example"; default all
	Path    string   `json:"path,omitempty"`    // prefix of whole segments; default "/"
	Methods []string `json:"methods,omitempty"` // default all
	// StripPrefix removes Path from what the service sees.
	StripPrefix bool   `json:"stripPrefix,omitempty"`
	Service     string `json:"service"`
	// MaxBodyBytes bounds a request's body; default 32 MiB, -1 none.
	MaxBodyBytes int64    `json:"maxBodyBytes,omitempty"`
	Timeout      Duration `json:"timeout,omitzero"` // for the whole exchange; default none
	Limit        *Limit   `json:"limit,omitempty"`  // for the route
	// ClientLimit is for each client of the route; IPv6 clients are told
	// apart by their /64 network.
	ClientLimit *Limit `json:"clientLimit,omitempty"`
}

// Limit is a token bucket.
type Limit struct {
	Rate  float64 `json:"rate"`            // requests a second
	Burst int     `json:"burst,omitempty"` // requests at once; default Rate rounded up
}

// State of a service.
type State string

// The states of a service; "" is Active.
const (
	Active   State = "active"
	Draining State = "draining" // new requests are answered 503
	Paused   State = "paused"   // new requests are held until it is active
)

// Protocol spoken with the targets of a service.
type Protocol string

// The protocols; "" is HTTP1.
const (
	HTTP1 Protocol = "http1"
	H2C   Protocol = "h2c" // HTTP/2 without TLS, which gRPC needs
)

// Service is what routes lead to.
type Service struct {
	Name     string    `json:"name"`
	Protocol Protocol  `json:"protocol,omitempty"`
	State    State     `json:"state,omitempty"`
	Releases []Release `json:"releases"`
	Sticky   *Sticky   `json:"sticky,omitempty"`
	Check    *Check    `json:"check,omitempty"`
	Ejection Ejection  `json:"ejection,omitzero"`
	Retry    Retry     `json:"retry,omitzero"`
	Hold     Hold      `json:"hold,omitzero"`
	Timeouts Timeouts  `json:"timeouts,omitzero"`
	Mirror   *Mirror   `json:"mirror,omitempty"`
}

// Release is a version of a service with a share of its requests.
type Release struct {
	Name string `json:"name"`
	// Weight is relative to the other releases with targets; 0 takes no
	// requests, but may be mirrored to.
	Weight  int      `json:"weight"`
	Targets []Target `json:"targets,omitempty"`
}

// Target is one replica.
type Target struct {
	ID      string `json:"id"`      // unique in the release
	Address string `json:"address"` // host:port
}

// Sticky keeps a client on one release as long as the weights allow: one of
// Cookie and Header.
type Sticky struct {
	// Cookie is the cookie whose value counts; clients without it are given one.
	Cookie string `json:"cookie,omitempty"`
	// Header is the header whose value counts; requests without it are spread.
	Header string `json:"header,omitempty"`
}

// Check asks every target whether it is well.
type Check struct {
	Path      string   `json:"path"`
	Interval  Duration `json:"interval,omitzero"`   // default 2s
	Timeout   Duration `json:"timeout,omitzero"`    // default 1s
	Unhealthy int      `json:"unhealthy,omitempty"` // failures in a row; default 2
	Healthy   int      `json:"healthy,omitempty"`   // successes in a row; default 1
}

// Ejection takes a target out for a while that fails real requests. The last
// one of a release is never taken out.
type Ejection struct {
	Failures        int      `json:"failures,omitempty"`        // 5xx and timeouts in a row; default 5, -1 never
	ConnectFailures int      `json:"connectFailures,omitempty"` // in a row; default 2, -1 never
	Base            Duration `json:"base,omitzero"`             // first time out, doubled each time; default 1s
	Max             Duration `json:"max,omitzero"`              // longest time out; default 1m
}

// Retry sends a request again, to another target where there is one: when it
// was surely not sent, or its method is idempotent and it has no body.
type Retry struct {
	Attempts int `json:"attempts,omitempty"` // with the first; default 3, 1 never retries
	// Budget is the share of requests that may be retries, 0 to 1, above ten a
	// second; default 0.2.
	Budget *float64 `json:"budget,omitempty"`
}

// Hold bounds the requests that a paused service keeps waiting.
type Hold struct {
	Requests int      `json:"requests,omitempty"` // default 1000
	Timeout  Duration `json:"timeout,omitzero"`   // default 30s
}

// Timeouts bound the talk with a target.
type Timeouts struct {
	Connect  Duration `json:"connect,omitzero"`  // default 2s
	Response Duration `json:"response,omitzero"` // until the answer's headers; default 60s
	// Idle closes connections that are not used. It should be below the
	// target's own, or requests meet connections that are just being closed;
	// default 1.5s, as gunicorn's is 2.
	Idle Duration `json:"idle,omitzero"`
}

// Mirror sends copies of requests elsewhere; their answers reach nobody.
type Mirror struct {
	Service string  `json:"service,omitempty"` // default the same service
	Release string  `json:"release,omitempty"` // default by weight
	Percent float64 `json:"percent"`           // of requests, above 0 to 100
	Queue   int     `json:"queue,omitempty"`   // copies under way; more are dropped; default 64
	// Compare counts answers that differ in status or body; bodies that are
	// JSON are compared by value.
	Compare bool `json:"compare,omitempty"`
	// MaxBodyBytes is the largest body, of request or answer, that is copied;
	// default 64 KiB.
	MaxBodyBytes int64    `json:"maxBodyBytes,omitempty"`
	Timeout      Duration `json:"timeout,omitzero"` // default 10s
}

// Duration is written as Go writes it: "1.5s", "2m".
type Duration time.Duration

// MarshalText writes d as time.Duration does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalJSON reads a text with a unit.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("a duration is a text with a unit, as \"1.5s\", not %.40s", data)
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return errors.New("duration " + err.Error()[len("time: "):])
	}
	*d = Duration(v)
	return nil
}

func (d Duration) or(def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return time.Duration(d)
}
