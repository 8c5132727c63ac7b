package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/greenlight-dev/greenlight/control"
)

// registerLiveLoads has the operations of load tests that run.
func (s *server) registerLiveLoads() {
	add(s, "live-loads", func(ctx context.Context, in *OfService) ([]control.LiveLoad, error) {
		return s.Plane.LiveLoads(ctx, in.Env, in.Service)
	})
	add(s, "report-load", func(ctx context.Context, in *reportingLoad) (control.LoadOrder, error) {
		return s.Plane.ReportLoad(ctx, in.Env, in.Service, in.ID, in.Body, actorOf(ctx))
	}, func(op *huma.Operation) { op.MaxBodyBytes = control.MaxLoadReport })
	add(s, "stop-load", func(ctx context.Context, in *OfLoad) (control.LiveLoad, error) {
		return s.Plane.StopLoad(ctx, in.Env, in.Service, in.ID, actorOf(ctx))
	})
}
