package api

import (
	"context"
	"time"

	"github.com/greenlight-dev/greenlight/control"
)

type ofTraffic struct {
	OfService
	From time.Time `query:"from" doc:"the period that holds it is the first; without, 35 days back, or all with days"`
	To   time.Time `query:"to" doc:"periods that begin earlier; now without"`
	Step string    `query:"step" enum:"hour,day" default:"hour" doc:"length of a period; days are of UTC"`
}

func (s *server) registerTraffic() {
	add(s, "traffic", func(ctx context.Context, in *ofTraffic) ([]control.TrafficPeriod, error) {
		return s.Plane.Traffic(ctx, in.Env, in.Service, control.TrafficQuery{From: in.From, To: in.To, Step: in.Step})
	})
}
