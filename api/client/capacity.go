package client

import (
	"context"
	"net/http"

	"github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/control"
)

// KeepPlan hands a capacity plan in.
func (c *Client) KeepPlan(ctx context.Context, environment, service string, p *plan.Plan) (control.CapacityPlan, error) {
	return fetch[control.CapacityPlan](ctx, c, ofService(http.MethodPost, environment, service, "capacity").with(p))
}

// Plans lists the capacity plans of a service that are kept, newest first, at
// most limit; 0 is all.
func (c *Client) Plans(ctx context.Context, environment, service string, limit int) ([]control.CapacityPlan, error) {
	r := ofService(http.MethodGet, environment, service, "capacity")
	r.query = values("limit", number(int64(limit)))
	return fetch[[]control.CapacityPlan](ctx, c, r)
}

// CapacityPlan is one capacity plan with everything in it; control.NewestPlan
// is the newest.
func (c *Client) CapacityPlan(ctx context.Context, environment, service, id string) (control.CapacityDetail, error) {
	return fetch[control.CapacityDetail](ctx, c, ofService(http.MethodGet, environment, service, "capacity", id))
}

// KeepGrade attaches to a capacity plan what it came to when it was held
// against something measured later.
func (c *Client) KeepGrade(ctx context.Context, environment, service, id string, g plan.Grade) (control.CapacityPlan, error) {
	return fetch[control.CapacityPlan](ctx, c, ofService(http.MethodPost, environment, service, "capacity", id, "grade").with(g))
}

// WhatIf makes a capacity plan anew with changes; nothing is kept of it.
func (c *Client) WhatIf(ctx context.Context, environment, service, id string, change plan.Change) (control.WhatIf, error) {
	return fetch[control.WhatIf](ctx, c, ofService(http.MethodPost, environment, service, "capacity", id, "what-if").with(change))
}
