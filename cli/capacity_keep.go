package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/greenlight-dev/greenlight/api/client"
	"github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/control"
)

// planKeeper hands plans and grades to the control plane that runs the
// service. There need not be one, so what fails is only said.
type planKeeper struct {
	connectOptions
	stderr io.Writer
	quiet  bool
	dir    string // where the control plane is looked for, "" here and above
	name   serviceName
}

// asked tells whether somebody named a control plane.
func (k *planKeeper) asked() bool { return k.control+k.state != "" }

// find is the control plane that runs the service of a plan, and where its
// console is; nil where nobody named one and none does.
func (k *planKeeper) find(ctx context.Context, p *plan.Plan) (c *client.Client, console string, err error) {
	c, err = k.connect(k.dir)
	if err != nil {
		return nil, "", k.unlessFound(err)
	}
	status, err := c.Status(ctx)
	if err != nil {
		return nil, "", k.unlessFound(err)
	}
	for _, e := range status.Environments {
		for i := range e.Services {
			if e.Name == k.name.environment && e.System == p.System && e.Services[i].Name == k.name.service {
				if a := status.Control.Address; a != "" {
					console = httpURL(a)
				}
				return c, console, nil
			}
		}
	}
	return nil, "", k.unlessFound(fmt.Errorf("it runs no %s of the system %s", k.name, p.System))
}

// unlessFound is the error where somebody named a control plane: then it is
// missed.
func (k *planKeeper) unlessFound(err error) error {
	if k.asked() {
		return err
	}
	return nil
}

// keep hands a plan over and says where it is seen.
func (k *planKeeper) keep(ctx context.Context, p *plan.Plan) {
	k.hand(ctx, p, "plan", func(ctx context.Context, c *client.Client) (control.CapacityPlan, error) {
		return c.KeepPlan(ctx, k.name.environment, k.name.service, p)
	})
}

// grade hands a grade over, and its plan where that is not kept yet.
func (k *planKeeper) grade(ctx context.Context, p *plan.Plan, g plan.Grade) {
	k.hand(ctx, p, "grade", func(ctx context.Context, c *client.Client) (control.CapacityPlan, error) {
		kept, err := k.kept(ctx, c, p)
		if err != nil {
			return kept, err
		}
		return c.KeepGrade(ctx, k.name.environment, k.name.service, kept.ID, g)
	})
}

// kept is a plan as the control plane has it, from now on if not before.
func (k *planKeeper) kept(ctx context.Context, c *client.Client, p *plan.Plan) (control.CapacityPlan, error) {
	plans, err := c.Plans(ctx, k.name.environment, k.name.service, 0)
	if err != nil {
		return control.CapacityPlan{}, err
	}
	for _, kept := range plans {
		if kept.MadeAt.Equal(p.MadeAt) && kept.Law == p.Evidence.Law {
			return kept, nil
		}
	}
	return c.KeepPlan(ctx, k.name.environment, k.name.service, p)
}

func (k *planKeeper) hand(ctx context.Context, p *plan.Plan, what string, give func(context.Context, *client.Client) (control.CapacityPlan, error)) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTime)
	defer cancel()
	c, console, err := k.find(ctx, p)
	if c == nil && err == nil {
		return
	}
	var kept control.CapacityPlan
	if err == nil {
		kept, err = give(ctx, c)
	}
	switch {
	case err != nil:
		fmt.Fprintf(k.stderr, "the control plane does not keep the %s: %v\n", what, err)
	case k.quiet:
	case console == "":
		fmt.Fprintf(k.stderr, "kept with %s; greenlight capacity show %s shows it again\n", kept.ID, k.name)
	default:
		fmt.Fprintf(k.stderr, "console  %s/capacity/%s/%s\n", console, k.name, kept.ID)
	}
}
