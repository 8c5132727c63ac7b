package client_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/greenlight-dev/greenlight/api/apitest"
	"github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/control"
)

func TestCapacityPlans(t *testing.T) {
	f := start(t)
	c := open(t, f.Socket, "")
	kept, err := c.KeepPlan(t.Context(), "dev", "iris", &plan.Plan{Version: plan.Version, Service: "iris"})
	if err != nil || kept.ID != apitest.PlanID || kept.Law.Gamma != 62 {
		t.Errorf("keep: %+v, %v", kept, err)
	}
	plans, err := c.Plans(t.Context(), "dev", "iris", 3)
	if err != nil || len(plans) != 1 || plans[0].Grade.Worst != 0.04 {
		t.Errorf("list: %+v, %v", plans, err)
	}
	one, err := c.CapacityPlan(t.Context(), "dev", "iris", control.NewestPlan)
	if err != nil || !strings.Contains(string(one.Plan), `"service":"iris"`) {
		t.Errorf("one: %s, %v", one.Plan, err)
	}
	if _, err := c.KeepGrade(t.Context(), "dev", "iris", kept.ID, plan.Grade{Held: 1, Of: 2, Limit: 0.2}); err != nil {
		t.Error(err)
	}
	rate, zones := 80.0, 3
	changed, err := c.WhatIf(t.Context(), "dev", "iris", kept.ID, plan.Change{Rate: &rate, Zones: &zones})
	if err != nil || changed.From != kept.ID || len(changed.Plan) == 0 {
		t.Errorf("what if: %+v, %v", changed, err)
	}
	calls := f.plane.Calls()
	for _, want := range []string{"Plans dev iris 3", "CapacityPlan dev iris newest", `WhatIf dev iris ` + kept.ID + ` {"rate":80,"zones":3}`} {
		if !slices.Contains(calls, want) {
			t.Errorf("the plane was asked %q, not %q", calls, want)
		}
	}
	if !slices.ContainsFunc(calls, func(c string) bool {
		return strings.HasPrefix(c, "KeepGrade dev iris "+kept.ID+" 1 of 2 by ")
	}) {
		t.Errorf("the grade did not arrive: %q", calls)
	}
}
