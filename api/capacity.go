package api

import (
	"context"
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"

	capacityplan "github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/control"
)

type (
	keepingPlan struct {
		OfService
		Body json.RawMessage
	}
	ofPlans struct {
		OfService
		Limit int `query:"limit" minimum:"0" maximum:"50" doc:"at most; 0 is all"`
	}
	// OfPlan names a capacity plan of a service.
	OfPlan struct {
		OfService
		ID string `path:"id" maxLength:"64" doc:"id of the capacity plan; newest is the newest" example:"20260102-030405000-4b7d9a"`
	}
	grading struct {
		OfPlan
		Body capacityplan.Grade
	}
	wondering struct {
		OfPlan
		Body capacityplan.Change
	}
)

func (s *server) registerCapacity() {
	add(s, "keep-capacity", func(ctx context.Context, in *keepingPlan) (control.CapacityPlan, error) {
		return s.Plane.KeepPlan(ctx, in.Env, in.Service, in.Body, actorOf(ctx))
	}, func(op *huma.Operation) { op.MaxBodyBytes = control.MaxCapacityPlan })
	add(s, "capacities", func(ctx context.Context, in *ofPlans) ([]control.CapacityPlan, error) {
		return s.Plane.Plans(ctx, in.Env, in.Service, in.Limit)
	})
	add(s, "capacity", func(ctx context.Context, in *OfPlan) (control.CapacityDetail, error) {
		return s.Plane.CapacityPlan(ctx, in.Env, in.Service, in.ID)
	})
	add(s, "grade-capacity", func(ctx context.Context, in *grading) (control.CapacityPlan, error) {
		return s.Plane.KeepGrade(ctx, in.Env, in.Service, in.ID, in.Body, actorOf(ctx))
	})
	add(s, "what-if", func(ctx context.Context, in *wondering) (control.WhatIf, error) {
		return s.Plane.WhatIf(ctx, in.Env, in.Service, in.ID, in.Body)
	})
}
