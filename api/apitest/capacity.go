package apitest

import (
	"context"
	"encoding/json"

	"github.com/greenlight-dev/greenlight/capacity"
	capacityplan "github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/control"
)

// PlanID is the id of every capacity plan.
const PlanID = "20260102-030405000-5c8e0b"

func capacityPlan(environment, service string) control.CapacityPlan {
	return control.CapacityPlan{
		ID: PlanID, Environment: environment, Service: service, MadeAt: At, ExpiresAt: At.AddDate(0, 6, 0), ExpiresWhy: "it is old then",
		By: "user:ada", Summary: "2 replicas in Jan 2026", Bottleneck: "replicas", Limit: 400, Period: "Jan 2026", Replicas: 2, Peak: 80, Met: true,
		P99: 0.1, Law: capacity.Law{Alpha: 0.02, Beta: 0.0004, Gamma: 62}, MaxN: 4,
	}
}

const capacityText = `{"version":1,"service":"iris"}`

// KeepPlan keeps nothing.
func (p *Plane) KeepPlan(_ context.Context, environment, service string, plan json.RawMessage, actor string) (control.CapacityPlan, error) {
	return capacityPlan(environment, service), p.called("KeepPlan %s %s %s by %s", environment, service, plan, actor)
}

// Plans has one plan, with a grade.
func (p *Plane) Plans(_ context.Context, environment, service string, limit int) ([]control.CapacityPlan, error) {
	c := capacityPlan(environment, service)
	c.Grade = &control.CapacityGrade{At: At, By: "user:ada", Grade: capacityplan.Grade{Worst: 0.04, Held: 1, Of: 1, Limit: 0.2, Text: "capacity is off by at most 4 %"}}
	return []control.CapacityPlan{c}, p.called("Plans %s %s %d", environment, service, limit)
}

// CapacityPlan has no more than its form says.
func (p *Plane) CapacityPlan(_ context.Context, environment, service, id string) (control.CapacityDetail, error) {
	d := control.CapacityDetail{CapacityPlan: capacityPlan(environment, service), Grades: []control.CapacityGrade{}, Plan: json.RawMessage(capacityText)}
	return d, p.called("CapacityPlan %s %s %s", environment, service, id)
}

// KeepGrade keeps nothing.
func (p *Plane) KeepGrade(_ context.Context, environment, service, id string, g capacityplan.Grade, actor string) (control.CapacityPlan, error) {
	return capacityPlan(environment, service), p.called("KeepGrade %s %s %s %d of %d by %s", environment, service, id, g.Held, g.Of, actor)
}

// WhatIf changes nothing.
func (p *Plane) WhatIf(_ context.Context, environment, service, id string, c capacityplan.Change) (control.WhatIf, error) {
	said, err := json.Marshal(c)
	if err != nil {
		return control.WhatIf{}, err
	}
	return control.WhatIf{From: id, Plan: json.RawMessage(capacityText)}, p.called("WhatIf %s %s %s %s", environment, service, id, said)
}
