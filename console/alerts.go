package console

import (
	"net/url"

	"github.com/greenlight-dev/greenlight/control"
)

// planPath is where the capacity plan of an alert is.
func planPath(environment, service string, a control.Alert) string {
	return capacityPath(environment, service) + "/" + url.PathEscape(a.Subject)
}

// PlanPath is where the capacity plan of an alert is.
func (r serviceRow) PlanPath(a control.Alert) string { return planPath(r.Environment, r.Name, a) }

// PlanPath is where the capacity plan of an alert is.
func (p servicePage) PlanPath(a control.Alert) string { return planPath(p.Environment, p.Name, a) }
