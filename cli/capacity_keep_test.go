package cli

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/greenlight-dev/greenlight/api"
	"github.com/greenlight-dev/greenlight/api/apitest"
	"github.com/greenlight-dev/greenlight/capacity"
	"github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/store/sqlite"
)

// TestPlansReachTheControlPlane holds who is given a plan, and what is said.
func TestPlansReachTheControlPlane(t *testing.T) {
	s, err := sqlite.Open(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p := &apitest.Plane{}
	served := apitest.Serve(t, api.Options{Plane: p, Events: s, Tokens: s})
	made := plan.Plan{System: "shop", Service: "iris", MadeAt: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}
	known := made
	known.MadeAt, known.Evidence.Law = apitest.At, capacity.Law{Alpha: 0.02, Beta: 0.0004, Gamma: 62}
	other := made
	other.System = "zoo"
	iris := serviceName{"dev", "iris"}
	console := "console  http://127.0.0.1:7070/capacity/dev/iris/" + apitest.PlanID + "\n"
	grade := func(k *planKeeper, p *plan.Plan) {
		k.grade(t.Context(), p, plan.Grade{Held: 1, Of: 1, Limit: 0.2, Capacity: []plan.GradedPoint{{N: 8}}})
	}
	keep := func(k *planKeeper, p *plan.Plan) { k.keep(t.Context(), p) }
	for _, tt := range []struct {
		name    string
		do      func(*planKeeper, *plan.Plan)
		plan    *plan.Plan
		control string
		service serviceName
		quiet   bool
		said    string
		calls   []string // beginnings, Status left out
	}{
		{"a plan", keep, &made, served.Socket, iris, false, console, []string{`KeepPlan dev iris {"version":0,"system":"shop"`}},
		{"quietly", keep, &made, served.Socket, iris, true, "", []string{"KeepPlan"}},
		{"another system", keep, &other, served.Socket, iris, false, "the control plane does not keep the plan: it runs no dev/iris of the system zoo\n", nil},
		{"another service", keep, &made, served.Socket, serviceName{"dev", "web"}, false, "does not keep the plan: it runs no dev/web of the system shop\n", nil},
		{"nobody asked for", keep, &made, "", iris, false, "", nil},
		{"nobody there", keep, &made, "unix:///nowhere", iris, true, "the control plane does not keep the plan: ", nil},
		{"a grade", grade, &known, served.Socket, iris, false, console, []string{"Plans dev iris 0", "KeepGrade dev iris " + apitest.PlanID + " 1 of 1 by "}},
		{"a grade of a new plan", grade, &made, served.Socket, iris, false, console, []string{"Plans dev iris 0", "KeepPlan dev iris", "KeepGrade dev iris"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := len(p.Calls())
			var said bytes.Buffer
			k := planKeeper{connectOptions{control: tt.control}, &said, tt.quiet, t.TempDir(), tt.service}
			tt.do(&k, tt.plan)
			if got := said.String(); got != tt.said && !(tt.said != "" && strings.Contains(got, tt.said)) {
				t.Errorf("said %q, want %q", got, tt.said)
			}
			calls := slices.DeleteFunc(p.Calls()[before:], func(c string) bool { return c == "Status" })
			if len(calls) != len(tt.calls) {
				t.Fatalf("asked %q, want %q", calls, tt.calls)
			}
			for i, c := range calls {
				if !strings.HasPrefix(c, tt.calls[i]) {
					t.Errorf("asked %q, want %q", c, tt.calls[i])
				}
			}
		})
	}
}
