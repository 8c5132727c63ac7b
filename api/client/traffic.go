package client

import (
	"context"
	"net/http"

	"github.com/greenlight-dev/greenlight/control"
)

// Traffic is what a service was asked by hour or day, oldest first.
func (c *Client) Traffic(ctx context.Context, environment, service string, q control.TrafficQuery) ([]control.TrafficPeriod, error) {
	r := ofService(http.MethodGet, environment, service, "traffic")
	r.query = values("from", moment(q.From), "to", moment(q.To), "step", q.Step)
	return fetch[[]control.TrafficPeriod](ctx, c, r)
}
