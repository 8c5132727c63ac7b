package cli

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/greenlight-dev/greenlight/capacity/plan"
	"github.com/greenlight-dev/greenlight/control"
)

type capacityListOptions struct {
	connectOptions
	json bool
}

func newCapacityList(env Env) *cobra.Command {
	var o capacityListOptions
	cmd := &cobra.Command{
		Use:   "list [[ENV/]SERVICE]",
		Short: "List the capacity plans that are kept",
		Long: fmt.Sprintf(`List the capacity plans of SERVICE, or of every service, that the control plane
keeps, newest first: the last %d of each.
`, control.PlansKept) + connectHelp + exitCodesHelp,
		Example: `  greenlight capacity list
  greenlight capacity list production/api --json`,
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runCapacityList(cmd.Context(), env, o, optionalArgument(args, ""))
		},
	}
	o.register(cmd)
	cmd.Flags().BoolVar(&o.json, "json", false, "print as JSON")
	completeServices(cmd, "")
	return cmd
}

func runCapacityList(ctx context.Context, env Env, o capacityListOptions, arg string) error {
	c, names, err := o.services(ctx, arg)
	if err != nil {
		return err
	}
	all := []control.CapacityPlan{}
	for _, n := range names {
		plans, err := c.Plans(ctx, n.environment, n.service, 0)
		if err != nil {
			return err
		}
		all = append(all, plans...)
	}
	if o.json {
		return writeJSON(env.Stdout, all)
	}
	return printPlans(env.Stdout, all, time.Now())
}

func printPlans(out io.Writer, plans []control.CapacityPlan, now time.Time) error {
	if len(plans) == 0 {
		_, err := fmt.Fprintln(out, "no capacity plans are kept yet; greenlight capacity plan SERVICE --rate 100 makes one")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SERVICE\tID\tMADE\tPLAN\tREPLICAS\tPEAK\tSLO\tGIVES WAY FIRST\tEXPIRES\tCHECKED")
	for i := range plans {
		p := &plans[i]
		checked := "–"
		if p.Grade != nil {
			checked = fmt.Sprintf("off by %.3g %%", 100*p.Grade.Worst)
		}
		fmt.Fprintf(w, "%s/%s\t%s\t%s\t%s\t%d\t%s\tp99 < %s\t%s, at %s\t%s\t%s\n", p.Environment, p.Service, p.ID, p.MadeAt.Format(time.DateOnly), planStands(p, now),
			p.Replicas, plan.Rate(p.Peak), plan.Seconds(p.P99), tame(p.Bottleneck), plan.Rate(p.Limit), p.ExpiresAt.Format(time.DateOnly), checked)
	}
	return w.Flush()
}

// planStands is how a plan stands, in a word or two.
func planStands(p *control.CapacityPlan, now time.Time) string {
	switch {
	case p.Expired(now):
		return "expired"
	case !p.Met:
		return "not met"
	}
	return "holds"
}

type capacityShowOptions struct {
	connectOptions
	output, html, markdown string
	json                   bool
}

func newCapacityShow(env Env) *cobra.Command {
	var o capacityShowOptions
	cmd := &cobra.Command{
		Use:   "show [ENV/]SERVICE [ID]",
		Short: "Show a capacity plan that is kept",
		Long: `Show a capacity plan of SERVICE that the control plane keeps: the one with this ID,
or the newest.
` + connectHelp + exitCodesHelp,
		Example: `  greenlight capacity show api
  greenlight capacity show production/api 20260102-030405000-4b7d9a --html plan.html`,
		Args: takes(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runCapacityShow(cmd.Context(), env, o, args[0], optionalArgument(args[1:], control.NewestPlan))
		},
	}
	o.register(cmd)
	f := cmd.Flags()
	f.StringVar(&o.output, "output", "", "write the plan to this file, as JSON")
	f.StringVar(&o.html, "html", "", "write the plan with charts to this file")
	f.StringVar(&o.markdown, "markdown", "", "write the plan to this file, as Markdown")
	f.BoolVar(&o.json, "json", false, "print the plan as JSON")
	completeServices(cmd, "")
	return cmd
}

func runCapacityShow(ctx context.Context, env Env, o capacityShowOptions, arg, id string) error {
	c, name, err := o.service(ctx, arg)
	if err != nil {
		return err
	}
	detail, err := c.CapacityPlan(ctx, name.environment, name.service, id)
	if err != nil {
		return err
	}
	p, err := detail.Read()
	if err != nil {
		return err
	}
	if err := o.write(p); err != nil {
		return err
	}
	if o.json {
		return writeJSON(env.Stdout, p)
	}
	if err := printCapacityPlan(env.Stdout, p); err != nil {
		return err
	}
	return printGrades(env.Stdout, detail, time.Now())
}

func (o *capacityShowOptions) write(p *plan.Plan) error {
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{{o.output, asJSON(p)}, {o.html, p.WriteHTML}, {o.markdown, p.WriteMarkdown}} {
		if f.name == "" {
			continue
		}
		if err := writeLoadFile(f.name, f.write); err != nil {
			return err
		}
	}
	return nil
}

// printGrades says what a plan came to since.
func printGrades(out io.Writer, d control.CapacityDetail, now time.Time) error {
	if planStands(&d.CapacityPlan, now) == "expired" {
		fmt.Fprintln(out, "\nthe plan has expired; make it anew with greenlight capacity plan")
	}
	for _, g := range d.Grades {
		if _, err := fmt.Fprintf(out, "checked  %s: %s\n", g.At.Format(time.DateOnly), tame(g.Text)); err != nil {
			return err
		}
	}
	return nil
}
