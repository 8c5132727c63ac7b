package cli

import (
	"context"
	"strings"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api/client"
	"github.com/greenlight-dev/greenlight/control"
)

// serviceName is one service of a control plane.
type serviceName struct{ environment, service string }

func (n serviceName) String() string { return n.environment + "/" + n.service }

// status connects, and asks for everything at this moment.
func (o *connectOptions) status(ctx context.Context) (*client.Client, control.Status, error) {
	c, err := o.connect("")
	if err != nil {
		return nil, control.Status{}, err
	}
	status, err := c.Status(ctx)
	return c, status, err
}

// service connects, and gives the service that an argument means.
func (o *connectOptions) service(ctx context.Context, arg string) (*client.Client, serviceName, error) {
	c, status, err := o.status(ctx)
	if err != nil {
		return nil, serviceName{}, err
	}
	name, err := chooseService(status, arg)
	return c, name, err
}

// services are the same of a service, or of all where the argument is "".
func (o *connectOptions) services(ctx context.Context, arg string) (*client.Client, []serviceName, error) {
	c, status, err := o.status(ctx)
	if err != nil || arg == "" {
		return c, servicesOf(status), err
	}
	name, err := chooseService(status, arg)
	return c, []serviceName{name}, err
}

// chooseService finds the service that an argument means: NAME where only one
// environment has it, else ENV/NAME.
func chooseService(s control.Status, arg string) (serviceName, error) {
	var found, all []string
	var chosen serviceName
	for _, n := range servicesOf(s) {
		all = append(all, n.String())
		if arg == n.service || arg == n.String() {
			chosen = n
			found = append(found, n.String())
		}
	}
	switch {
	case len(found) == 1:
		return chosen, nil
	case len(found) > 1:
		return serviceName{}, greenlight.Errorf(greenlight.CodeInvalid, "%s is in several environments; say which: %s", arg, strings.Join(found, ", "))
	case len(all) == 0:
		return serviceName{}, greenlight.Errorf(greenlight.CodeNotFound, "there is no service %q: nothing is described yet; greenlight up applies a greenlight.yaml", arg)
	}
	return serviceName{}, greenlight.Errorf(greenlight.CodeNotFound, "there is no service %q, only %s", arg, strings.Join(firstOf(all, 20), ", "))
}

func servicesOf(s control.Status) []serviceName {
	var list []serviceName
	for _, e := range s.Environments {
		for _, service := range e.Services {
			list = append(list, serviceName{e.Name, service.Name})
		}
	}
	return list
}

// firstOf is at most n of the list, with dots for the rest.
func firstOf(list []string, n int) []string {
	if len(list) <= n {
		return list
	}
	return append(list[:n:n], "…")
}

func environmentNames(s control.Status) string {
	var names []string
	for _, e := range s.Environments {
		names = append(names, e.Name)
	}
	if len(names) == 0 {
		return "none yet"
	}
	return strings.Join(names, ", ")
}

// serviceIn is the service in a status, nil when it is not there.
func serviceIn(s *control.Status, name serviceName) *control.Service {
	for i := range s.Environments {
		if s.Environments[i].Name != name.environment {
			continue
		}
		for j := range s.Environments[i].Services {
			if service := &s.Environments[i].Services[j]; service.Name == name.service {
				return service
			}
		}
	}
	return nil
}
