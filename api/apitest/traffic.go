package apitest

import (
	"context"
	"time"

	"github.com/greenlight-dev/greenlight/control"
)

// Traffic has one hour.
func (p *Plane) Traffic(_ context.Context, environment, name string, q control.TrafficQuery) ([]control.TrafficPeriod, error) {
	from := At.Truncate(time.Hour)
	return []control.TrafficPeriod{{From: from, To: from.Add(time.Hour), Requests: 36_000, Errors: 36, Mean: 10, Peak: 25, Observed: 3600}},
		p.called("Traffic %s %s %s..%s %s", environment, name, q.From.Format(time.RFC3339), q.To.Format(time.RFC3339), q.Step)
}
