package store

import (
	"context"
	"encoding/json"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
)

// Journal says which steps of which plans were begun and how they ended. A
// step is begun before its effect and ended after it; after a crash the open
// ones are those whose effect is in doubt.
type Journal interface {
	// BeginSteps writes that steps are about to be taken, all or none, and
	// returns them with their ids; Began is now where it was zero.
	BeginSteps(ctx context.Context, steps ...Step) ([]Step, error)

	// EndSteps writes how steps ended, together with the events that tell of
	// it, all or none. A step that has ended already is ErrConflict.
	EndSteps(ctx context.Context, ends ...StepEnd) error

	// OpenSteps lists the steps that were begun and not ended, oldest first.
	OpenSteps(ctx context.Context) ([]Step, error)

	// PlanSteps lists the steps of one plan in the order they were begun.
	PlanSteps(ctx context.Context, plan string) ([]Step, error)
}

// Step is one step of a plan.
type Step struct {
	ID          int64           `json:"id"`
	Plan        string          `json:"plan"` // the plan it belongs to
	Kind        string          `json:"kind"` // "start", "stop", "route", …
	Environment string          `json:"environment,omitempty"`
	Service     string          `json:"service,omitempty"`
	Subject     string          `json:"subject,omitempty"` // a replica, a release
	Detail      json.RawMessage `json:"detail,omitempty"`  // what is needed to repeat it
	Began       time.Time       `json:"began"`
	Ended       time.Time       `json:"ended,omitzero"`
	Outcome     Outcome         `json:"outcome,omitempty"`
	Reason      string          `json:"reason,omitempty"` // why it failed or was dropped
}

// StepEnd is how one step ended.
type StepEnd struct {
	ID      int64
	Outcome Outcome
	Reason  string
	Ended   time.Time // now when zero
	Events  []greenlight.Event
}

// Outcome is how a step ended.
type Outcome string

// The outcomes of a step.
const (
	StepDone    Outcome = "done"    // its effect is there
	StepFailed  Outcome = "failed"  // it is not; Reason says why
	StepDropped Outcome = "dropped" // found open after a crash and given up: the next plan decides anew
)

// CheckStep says what is wrong with a step that is to be begun.
func CheckStep(s *Step) error {
	c := check{what: "step " + s.Kind}
	c.required("plan", s.Plan)
	c.required("kind", s.Kind)
	c.names("environment", s.Environment, "service", s.Service, "subject", s.Subject)
	c.document("detail", s.Detail, true)
	c.time("began", s.Began)
	return c.err
}

// CheckStepEnd says what is wrong with an end that is to be written.
func CheckStepEnd(s *StepEnd) error {
	c := check{what: "end of a step"}
	switch s.Outcome {
	case StepDone, StepFailed, StepDropped:
	default:
		c.failf("outcome %q is none of %s, %s, %s", s.Outcome, StepDone, StepFailed, StepDropped)
	}
	c.size("reason", len(s.Reason), MaxMessage)
	c.time("ended", s.Ended)
	return c.err
}
