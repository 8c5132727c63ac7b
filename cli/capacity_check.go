package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"text/tabwriter"
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
	at      int
	limit   string
	json    bool
}

func newCapacityCheck(env Env) *cobra.Command {
	var o capacityCheckOptions
	cmd := &cobra.Command{
		Use:   "check PLAN.json",
		Short: "Hold a capacity plan against a measurement",
		Long: `Measure what a plan predicts for a number of replicas that it was not made from,
in the same way and on replicas of the same size, and print how far it was off.
evidence.json, which capacity plan wrote beside PLAN.json, says what is measured.

An error beyond --limit, or a plan that has expired, is exit code 3.
` + exitCodesHelp,
		Example: `  greenlight capacity check capacity/plan.json
  greenlight capacity check capacity/plan.json --at 6 --limit 15%`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), env, args[0]) },
	}
	f := cmd.Flags()
	f.IntVar(&o.at, "at", 0, "how many replicas are measured (default: twice the most that the plan was made from)")
	f.StringVar(&o.limit, "limit", "", "by how much the plan may be off (default: what it says itself)")
	f.BoolVar(&o.json, "json", false, "print the grade as JSON")
	o.addRunFlags(f)
	o.subject.addHeaderFlag(f)
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
	if o.limit != "" {
		if p.Policy.MaxError, err = parseShare("--limit", o.limit); err != nil {
			return err
		}
	}
	if o.at == 0 {
		o.at = min(int(2*p.Evidence.MaxN), len(p.Curve))
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
	if o.json {
		err = writeJSON(env.Stdout, g)
	} else {
		err = printGrade(env.Stdout, g)
	}
	return errors.Join(err, g.verdict())
}

func (o *capacityCheckOptions) measure(ctx context.Context, env *Env, e *capacityEvidence, progress *stepProgress) (found *measure.Evidence, err error) {
	o.cpu, o.clients = e.Evidence.Quota, e.Evidence.Clients
	options := o.options([]int{o.at}, progress.step)
	progress.step(fmt.Sprintf("bringing up a system of its own with %s", e.Measured.Service))
	t, err := env.bringUp(ctx, &e.Measured, map[string]string{}, e.Evidence.Quota)
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

func printGrade(out io.Writer, g *capacityGrade) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "replicas\tpredicted\t95 % interval\tmeasured\terror\tinterval\t")
	for _, p := range g.Capacity {
		held := "held"
		if !p.Held {
			held = "did not hold"
		}
		if p.Fitted {
			held += " (fitted to it: proves little)"
		}
		fmt.Fprintf(w, "%g\t%s/s\t%s … %s\t%s/s\t%+.1f %%\t%s\t\n", p.N, three(p.Predicted), three(p.Low), three(p.High), three(p.Measured), 100*p.Error, held)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, note := range g.Notes {
		fmt.Fprintln(out, note)
	}
	if math.Abs(g.Worst) <= g.Limit && !g.Outdated {
		fmt.Fprintf(out, "the plan holds: off by %.1f %%, within %.4g %%; it expires %s\n", 100*g.Worst, 100*g.Limit, g.ExpiresAt.Format(time.DateOnly))
	}
	return nil
}
