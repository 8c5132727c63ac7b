package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/capacity"
	"github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/measure"
)

type capacityCheckOptions struct {
	measureFlags
	subject measuredSystem // only what is not kept
	connect connectOptions
	at      int
	limit   string
	json    bool
}

func newCapacityCheck(env Env) *cobra.Command {
	var o capacityCheckOptions
	cmd := &cobra.Command{
		Use:   "check [PLAN.json | [ENV/]SERVICE]",
		Short: "Hold a capacity plan against production, or a measurement",
		Long: `Hold a plan (` + usualPlan + `, another file, or the newest that is kept of SERVICE)
against what production did since it was made: the traffic that the control plane
counted, period by period, and the load tests of the service that it keeps. Left out,
and counted, are tests with errors, searches for the knee, and tests of replicas with
another CPU quota than the plan's. Of the period that runs, the average is judged
after a week, the busiest minute at once.

With --at, measure what the plan predicts for so many replicas, in the same way and
on replicas of the same size; twice as many as it was made from prove the most.
evidence.json, which capacity plan wrote beside PLAN.json, says what is measured.
The grade is kept with the plan where a control plane runs the service.

A plan has expired, and the exit code is 3, when its date has passed, when demand
is outside its band, when capacity is off by more than --limit, or when p99 is above
the SLO where the plan says that it is not. The control plane looks each hour whether
the newest plan of a service has, and alerts.
` + connectHelp + exitCodesHelp,
		Example: `  greenlight capacity check
  greenlight capacity check production/api --json
  greenlight capacity check capacity-plan/plan.json --at 8 --limit 15%`,
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("at") {
				return o.stand(cmd.Context(), env, optionalArgument(args, ""))
			}
			return o.run(cmd.Context(), env, optionalArgument(args, usualPlan))
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.at, "at", 0, "measure so many replicas instead")
	f.StringVar(&o.limit, "limit", "", "by how much the plan may be off (default: what it says itself)")
	f.BoolVar(&o.json, "json", false, "print the grade as JSON")
	o.addRunFlags(f)
	o.subject.addHeaderFlag(f)
	o.connect.register(cmd)
	return cmd
}

// capacityGrade is the outcome of a check.
type capacityGrade struct {
	plan.Grade
	Rates     []float64 `json:"rates"` // of each round
	ExpiresAt time.Time `json:"expires_at"`
	Outdated  bool      `json:"outdated"` // its date has passed
	Notes     []string  `json:"notes"`
}

func (o *capacityCheckOptions) run(ctx context.Context, env Env, path string) error {
	p, e, err := readCapacityPlan(path)
	if err != nil {
		return err
	}
	if p.Policy.MaxError, err = o.limitOf(p); err != nil {
		return err
	}
	if o.at < 1 || o.at > len(p.Curve) {
		return &usageError{fmt.Errorf("--at %d: the plan predicts for 1 to %d replicas", o.at, len(p.Curve))}
	}
	e.Measured.headers, e.Measured.timeout = o.subject.headers, o.subject.timeout
	progress := newStepProgress(env.Stderr, o.quiet)
	defer progress.finish()
	found, err := o.measure(ctx, &env, e, progress)
	if err != nil {
		return err
	}
	progress.finish()
	g, err := grade(p, found, env.Build.Version, time.Now())
	if err != nil {
		return err
	}
	keeper := planKeeper{o.connect, env.Stderr, o.quiet, e.Measured.Description, serviceName{e.Measured.Environment, e.Measured.Service}}
	defer keeper.grade(ctx, p, g.Grade)
	if o.json {
		err = writeJSON(env.Stdout, g)
	} else {
		err = printGrade(env.Stdout, g)
	}
	return errors.Join(err, g.verdict())
}

// limitOf is by how much the plan may be off.
func (o *capacityCheckOptions) limitOf(p *plan.Plan) (float64, error) {
	if o.limit == "" {
		return p.Policy.MaxError, nil
	}
	limit, err := parseShare("--limit", o.limit)
	if err == nil && !(limit > 0 && limit <= 1) {
		err = &usageError{fmt.Errorf("--limit %s: want a share above 0%% and at most 100%%", o.limit)}
	}
	return limit, err
}

// usualAt is the number of replicas whose measurement proves the most.
func usualAt(p *plan.Plan) int {
	return min(int(2*p.Evidence.MaxN), len(p.Curve))
}

func (o *capacityCheckOptions) measure(ctx context.Context, env *Env, e *capacityEvidence, progress *stepProgress) (found *measure.Evidence, err error) {
	ctx, stop := untilHangup(ctx)
	defer stop()
	o.cpu, o.clients = e.Evidence.Quota, e.Evidence.Clients
	options := o.options([]int{o.at}, progress.step)
	if err := options.Check(); err != nil {
		return nil, misused(err) // before anything runs
	}
	progress.step(fmt.Sprintf("bringing up a system of its own with %s", e.Measured.Service))
	t, err := env.bringUp(ctx, &e.Measured, nil, e.Evidence.Quota)
	if err != nil {
		return nil, err
	}
	t.Wait = o.wait
	defer func() {
		progress.step("stopping it")
		err = errors.Join(err, t.end())
	}()
	return measure.Again(ctx, t, options)
}

// grade holds the mean of the rounds against the plan.
func grade(p *plan.Plan, found *measure.Evidence, version string, now time.Time) (*capacityGrade, error) {
	g := &capacityGrade{ExpiresAt: p.ExpiresAt, Outdated: !now.Before(p.ExpiresAt), Notes: append([]string{machineNote(version)}, found.Notes...)}
	sum, n := 0.0, 0
	for _, r := range found.Runs {
		g.Rates = append(g.Rates, r.Rate)
		sum += r.Rate
		n = r.N
	}
	if len(g.Rates) == 0 {
		return nil, greenlight.Errorf(greenlight.CodeInternal, "nothing was measured")
	}
	var err error
	g.Grade, err = p.Grade([]capacity.Point{{N: float64(n), X: sum / float64(len(g.Rates))}}, nil)
	return g, err
}

func (g *capacityGrade) verdict() error {
	switch {
	case g.Expired:
		return greenlight.Errorf(greenlight.CodeRefused, "the plan is off by %.1f %%, more than %.4g %%: it has expired; make it anew with greenlight capacity plan", 100*g.Worst, 100*g.Limit)
	case g.Outdated:
		return greenlight.Errorf(greenlight.CodeRefused, "the plan has expired on %s; make it anew with greenlight capacity plan", g.ExpiresAt.Format(time.DateOnly))
	}
	return nil
}
