package cli

import (
	"context"
	"encoding/json"
	"net"
	"net/url"
	"regexp"
	"strings"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api/client"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/load"
	"github.com/greenlight-dev/greenlight/spec"
)

// loadedService is a service of a control plane as the target of a test.
type loadedService struct {
	client *client.Client
	name   serviceName
	detail control.ServiceDetail
	// route is its first one: what requests have to look like for the gateway
	// to give them to it.
	route spec.Route
	// url is the route's at the gateway, address where the gateway listens as
	// seen from here.
	url     *url.URL
	address string
	// here tells whether its processes are of this machine.
	here bool
	// quota is the cores that each replica may use, 0 without one.
	quota float64
	// h2c tells whether its program speaks HTTP/2 only, as gRPC does.
	h2c bool
	// gateway is the gateway's process.
	gateway int
}

// serviceArgument is what names a service: NAME or ENVIRONMENT/NAME. An
// address has a dot, a colon or a scheme, or is localhost.
var serviceArgument = regexp.MustCompile(`^[a-z][-a-z0-9]{0,62}(/[a-z][-a-z0-9]{0,62})?$`)

func namesService(arg string) bool {
	first, _, _ := strings.Cut(arg, "/")
	return first != "localhost" && serviceArgument.MatchString(arg)
}

// findLoaded asks a control plane for the service that an argument means.
func (o *connectOptions) findLoaded(ctx context.Context, dir, arg string) (*loadedService, error) {
	c, err := o.connect(dir)
	if err != nil {
		if greenlight.CodeOf(err) != greenlight.CodeInvalid && o.control+o.state+dir == "" {
			err = greenlight.Errorf(greenlight.CodeOf(err), "%s is taken as the name of a service (an address begins with http://), but %w", arg, err)
		}
		return nil, err
	}
	status, err := c.Status(ctx)
	if err != nil {
		return nil, err
	}
	s := &loadedService{client: c}
	if s.name, err = chooseService(status, arg); err != nil {
		return nil, err
	}
	if s.detail, err = c.Service(ctx, s.name.environment, s.name.service); err != nil {
		return nil, err
	}
	return s, s.locate(status)
}

// locate finds out where its requests go.
func (s *loadedService) locate(status control.Status) error {
	var described spec.Service
	if err := json.Unmarshal(s.detail.Description, &described); err != nil {
		return greenlight.Errorf(greenlight.CodeUnsupported, "the description of %s cannot be read: %w", s.name, err)
	}
	switch {
	case status.Gateway.Address == "":
		return greenlight.Errorf(greenlight.CodeUnavailable, "the gateway does not run, so nothing can be sent to %s", s.name)
	case len(s.detail.URLs) == 0 || len(described.Routes) == 0:
		return greenlight.Errorf(greenlight.CodeUnsupported, "%s has no route through the gateway; give it one with routes", s.name)
	}
	s.h2c = described.Protocol == "h2c"
	s.route, s.quota, s.gateway = described.Routes[0], float64(described.Resources.CPU)/1000, status.Gateway.PID
	var err error
	if s.url, err = url.Parse(strings.Replace(s.detail.URLs[0], "*.", "load.", 1)); err != nil {
		return err
	}
	s.address, s.here, err = seenFromHere(s.client.Address(), status.Gateway.Address)
	return err
}

// seenFromHere is where a gateway is for this machine, and whether it is on
// it: what the control plane says is as its own machine sees it.
func seenFromHere(controlPlane, gateway string) (address string, here bool, err error) {
	host, port, err := net.SplitHostPort(gateway)
	if err != nil {
		return "", false, err
	}
	ip := net.ParseIP(host)
	everywhere := host == "" || ip != nil && ip.IsUnspecified()
	at := controlHost(controlPlane)
	if at == "" {
		if everywhere {
			host = "127.0.0.1"
		}
		return net.JoinHostPort(host, port), true, nil
	}
	switch {
	case everywhere:
		return net.JoinHostPort(at, port), false, nil
	case ip != nil && ip.IsLoopback():
		return "", false, greenlight.Errorf(greenlight.CodeUnavailable, "the gateway listens on %s of the control plane's machine only; run the test there", gateway)
	}
	return gateway, false, nil
}

// controlHost is the host of a control plane's address, "" for this machine.
func controlHost(address string) string {
	if strings.HasPrefix(address, "unix://") {
		return ""
	}
	if _, rest, found := strings.Cut(address, "://"); found {
		address = rest
	}
	host := strings.TrimSuffix(address, "/")
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return ""
	}
	return host
}

// pathOf is a path as the service sees it, as the gateway wants it.
func (s *loadedService) pathOf(path string) string {
	if s.route.Strip {
		return strings.TrimSuffix(s.url.Path, "/") + path
	}
	return path
}

// target is the service at a path as it sees it; "" is the model's that takes
// rows, or where its route begins.
func (s *loadedService) target(ctx context.Context, path string) (*load.Target, error) {
	if path != "" && !strings.HasPrefix(path, "/") {
		return nil, greenlight.Errorf(greenlight.CodeInvalid, "the path %q must begin with a slash", path)
	}
	if path == "" && len(s.detail.Models) > 0 {
		path = s.detail.Models[0].Path
	}
	to := s.url.String()
	if path != "" {
		root := *s.url
		root.Path = ""
		to = root.String() + s.pathOf(path)
	}
	return load.ParseTargetAt(ctx, to, s.address)
}

// sample is the request that the service's model says works.
func (s *loadedService) sample() (load.Request, error) {
	if len(s.detail.Models) == 0 {
		return load.Request{}, nil
	}
	m := s.detail.Models[0]
	if len(m.Sample) == 0 {
		return load.Request{}, greenlight.Errorf(greenlight.CodeUnavailable,
			"no ready replica of %s tells a request that works; give --body, --proof or --requests", s.name)
	}
	return load.Request{Method: "POST", Body: string(m.Sample), Verbatim: true}, nil
}

// relative puts the paths of requests, which are as the service sees them, to
// where the gateway has them.
func (s *loadedService) relative(requests []load.Request) {
	for i := range requests {
		if r := &requests[i]; strings.HasPrefix(r.Path, "/") {
			r.Path = s.pathOf(r.Path)
		}
		s.relative(requests[i].Then)
	}
}
