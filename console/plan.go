package console

import "github.com/greenlight-dev/greenlight/control"

// environmentPlan is what is to be done in one environment.
type environmentPlan struct {
	Environment control.Environment
	Plan        control.Plan
}

// Path is where a service of the environment has its own page.
func (p environmentPlan) Path(service string) string { return servicePath(p.Environment.Name, service) }
