package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api/client"
	"github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/control"
)

// usualPlan is the file that capacity plan writes where nobody says otherwise.
const usualPlan = "capacity-plan/plan.json"

// inProduction is a plan with the service that it is of, as a control plane
// runs it.
type inProduction struct {
	plan   *plan.Plan
	grade  *plan.Grade // what it came to in a check; nil for none
	client *client.Client
	name   serviceName
}

// stand holds a plan against what production did since it was made.
func (o *capacityCheckOptions) stand(ctx context.Context, env Env, arg string) error {
	in, err := o.inProduction(ctx, env, arg)
	if err != nil {
		return err
	}
	if in.plan.Policy.MaxError, err = o.limitOf(in.plan); err != nil {
		return err
	}
	now := time.Now()
	seen, err := in.production(ctx, now)
	if err != nil {
		return err
	}
	s := in.plan.Stand(now, seen)
	if in.client == nil {
		s.Notes = append(s.Notes, "no control plane tells what production did")
	}
	if o.json {
		err = writeJSON(env.Stdout, s)
	} else {
		err = printStanding(env.Stdout, s)
	}
	if err == nil && s.Expired {
		err = greenlight.Errorf(greenlight.CodeRefused, "%s; make it anew with greenlight capacity plan", s.Text)
	}
	return err
}

// inProduction finds the plan that an argument means, and who runs its service.
func (o *capacityCheckOptions) inProduction(ctx context.Context, env Env, arg string) (*inProduction, error) {
	if arg == "" {
		arg = usualPlan
		if _, err := os.Stat(arg); err != nil {
			return nil, greenlight.Errorf(greenlight.CodeNotFound, "there is no %s here; name the plan's file, or the service whose newest plan is meant", usualPlan)
		}
	}
	if _, err := os.Stat(arg); err != nil && namesService(arg) {
		return o.keptPlan(ctx, arg)
	}
	return o.planFile(ctx, env, arg)
}

// keptPlan is the newest plan of a service that its control plane keeps.
func (o *capacityCheckOptions) keptPlan(ctx context.Context, arg string) (*inProduction, error) {
	c, err := o.connect.connect("")
	if err != nil {
		return nil, err
	}
	status, err := c.Status(ctx)
	if err != nil {
		return nil, err
	}
	in := &inProduction{client: c}
	if in.name, err = chooseService(status, arg); err != nil {
		return nil, err
	}
	d, err := c.CapacityPlan(ctx, in.name.environment, in.name.service, control.NewestPlan)
	if err != nil {
		return nil, err
	}
	if d.Grade != nil {
		in.grade = &d.Grade.Grade
	}
	in.plan, err = d.Read()
	return in, err
}

// planFile is a plan in a file; evidence.json beside it says in which
// environment the service is. Without a control plane, a plan whose date has
// passed has expired all the same.
func (o *capacityCheckOptions) planFile(ctx context.Context, env Env, path string) (*inProduction, error) {
	p, err := readPlan(path)
	if err != nil {
		return nil, err
	}
	k := planKeeper{connectOptions: o.connect, stderr: env.Stderr, quiet: o.quiet, name: serviceName{service: p.Service}}
	if _, e, err := readCapacityPlan(path); err == nil {
		k.dir, k.name = e.Measured.Description, serviceName{e.Measured.Environment, e.Measured.Service}
	} else if greenlight.CodeOf(err) != greenlight.CodeNotFound {
		return nil, err
	}
	in := &inProduction{plan: p, name: k.name}
	if in.client, in.name, err = o.runs(ctx, &k, p); err != nil || in.client == nil {
		if err == nil && time.Now().Before(p.ExpiresAt) {
			err = greenlight.Errorf(greenlight.CodeUnavailable, "no control plane that runs %s of the system %s is found, so nothing is known of production; "+
				"name it with --control or --state, or measure with --at %d", p.Service, p.System, usualAt(p))
		}
		return in, err
	}
	plans, err := in.client.Plans(ctx, in.name.environment, in.name.service, 0)
	for _, kept := range plans {
		if kept.MadeAt.Equal(p.MadeAt) && kept.Grade != nil {
			in.grade = &kept.Grade.Grade
		}
	}
	return in, err
}

// runs is the control plane that runs the service of a plan, nil for none.
func (o *capacityCheckOptions) runs(ctx context.Context, k *planKeeper, p *plan.Plan) (*client.Client, serviceName, error) {
	if k.name.environment != "" {
		c, _, err := k.find(ctx, p)
		return c, k.name, err
	}
	c, err := o.connect.connect("")
	if err != nil {
		return nil, k.name, k.unlessFound(err)
	}
	status, err := c.Status(ctx)
	if err != nil {
		return nil, k.name, k.unlessFound(err)
	}
	name, err := chooseService(status, p.Service)
	return c, name, err
}

// production is what the control plane knows of the time since the plan was
// made.
func (in *inProduction) production(ctx context.Context, now time.Time) (plan.Production, error) {
	if in.client == nil {
		return plan.Production{Grade: in.grade}, nil
	}
	from := in.plan.MadeAt
	if oldest := now.Add(-longestHistory); from.Before(oldest) {
		from = oldest
	}
	var hours []control.TrafficPeriod
	var err error
	if from.Before(now) {
		if hours, err = in.client.Traffic(ctx, in.name.environment, in.name.service, control.TrafficQuery{From: from, To: now, Step: control.TrafficHours}); err != nil {
			return plan.Production{}, err
		}
	}
	runs, err := in.client.Loads(ctx, in.name.environment, in.name.service, 0)
	seen := control.ProductionOf(hours, runs)
	seen.Grade = in.grade
	return seen, err
}

func printStanding(out io.Writer, s *plan.Standing) error {
	var b strings.Builder
	colours := paletteFor(out)
	if len(s.Periods) > 0 {
		standingPeriods(s).write(&b, colours)
		b.WriteString("\n")
	}
	if len(s.Tests)+len(s.Capacity) > 0 {
		standingTests(s).write(&b, colours)
		b.WriteString("\n")
	}
	for _, note := range s.Notes {
		fmt.Fprintln(&b, wrapped(note, lineWidth, ""))
	}
	if !s.Expired {
		fmt.Fprintln(&b, wrapped(s.Text, lineWidth, ""))
	}
	for _, r := range s.Reasons {
		fmt.Fprintln(&b, wrapped("expired: "+tame(r.Text), lineWidth, "  "))
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func standingPeriods(s *plan.Standing) *table {
	t := &table{}
	t.add(cell{"period", dim, false}, cell{"seen", dim, true}, cell{"average", dim, true}, cell{"forecast", dim, false}, cell{},
		cell{"busiest minute", dim, true}, cell{"at most", dim, true}, cell{})
	for _, d := range s.Periods {
		label := tame(d.Label)
		if d.Running {
			label += " so far"
		}
		held, colour := "held", green
		switch {
		case !d.Judged:
			held, colour = "too early", dim
		case !d.Held:
			held, colour = "outside", red
		}
		peak, peakColour := "held", green
		if !d.PeakHeld {
			peak, peakColour = "above", red
		}
		t.add(cell{text: label}, cell{text: roughly(time.Duration(d.Observed * float64(time.Second))), right: true}, cell{text: plan.Rate(d.Mean), right: true},
			cell{text: plan.Rate(d.Forecast.Low) + " – " + plan.Rate(d.Forecast.High)}, cell{text: held, colour: colour},
			cell{text: plan.Rate(d.Peak), right: true}, cell{text: plan.Rate(d.PeakBand.High), right: true}, cell{text: peak, colour: peakColour})
	}
	return t
}

// standingTests has load tests; those that were more than the replicas carry
// are held against the curve.
func standingTests(s *plan.Standing) *table {
	t := &table{}
	t.add(cell{"load test", dim, false}, cell{"replicas", dim, true}, cell{"rate", dim, true}, cell{"p99", dim, true}, cell{"simulated", dim, false}, cell{})
	for _, g := range s.Tests {
		held, colour := "", plain
		if g.Broken {
			held, colour = "above the SLO", red
		}
		t.add(cell{text: tame(g.ID)}, cell{text: strconv.Itoa(g.Replicas), right: true}, cell{text: plan.Rate(g.Rate), right: true}, cell{text: plan.Seconds(g.P99), right: true},
			cell{text: fmt.Sprintf("%s (%+.0f %%)", plan.Seconds(g.Predicted), 100*g.Error)}, cell{text: held, colour: colour})
	}
	for _, c := range s.Capacity {
		t.add(cell{text: "at its limit"}, cell{text: strconv.FormatFloat(c.N, 'g', -1, 64), right: true}, cell{text: plan.Rate(c.Measured), right: true}, cell{text: "–", right: true},
			cell{text: fmt.Sprintf("%s (%+.0f %%)", plan.Rate(c.Predicted), 100*c.Error)}, cell{})
	}
	return t
}
