package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api/client"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/load"
)

type loadListOptions struct {
	connectOptions
	json bool
}

func newLoadList(env Env) *cobra.Command {
	var o loadListOptions
	cmd := &cobra.Command{
		Use:   "list [SERVICE]",
		Short: "List the load tests of services that are kept",
		Long: fmt.Sprintf(`List the load tests of SERVICE, or of every service, that the control plane keeps,
newest first: the last %d of each.
`, control.LoadsKept) + connectHelp + exitCodesHelp,
		Example: `  greenlight load list
  greenlight load list production/web --json`,
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runLoadList(cmd.Context(), env, o, optionalArgument(args, ""))
		},
	}
	o.register(cmd)
	cmd.Flags().BoolVar(&o.json, "json", false, "print as JSON")
	completeServices(cmd, "")
	return cmd
}

func runLoadList(ctx context.Context, env Env, o loadListOptions, arg string) error {
	c, err := o.connect("")
	if err != nil {
		return err
	}
	status, err := c.Status(ctx)
	if err != nil {
		return err
	}
	names := servicesOf(status)
	if arg != "" {
		name, err := chooseService(status, arg)
		if err != nil {
			return err
		}
		names = []serviceName{name}
	}
	all := []control.LoadRun{}
	for _, n := range names {
		runs, err := c.Loads(ctx, n.environment, n.service, 0)
		if err != nil {
			return err
		}
		all = append(all, runs...)
	}
	if o.json {
		return writeJSON(env.Stdout, all)
	}
	return printLoads(env.Stdout, all, time.Now())
}

func printLoads(out io.Writer, runs []control.LoadRun, now time.Time) error {
	if len(runs) == 0 {
		_, err := fmt.Fprintln(out, "no load tests are kept yet; greenlight load SERVICE --rate 50 runs one")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SERVICE\tID\tWHEN\tLOAD\tACHIEVED\tERRORS\tP50\tP99\tP99.9\tVERDICT")
	for i := range runs {
		r := &runs[i]
		fmt.Fprintf(w, "%s/%s\t%s\t%s ago\t%s\t%.4g/s\t%.3g %%\t%s\t%s\t%s\t%s\n", r.Environment, r.Service, r.ID, now.Sub(r.StartedAt).Round(time.Second),
			tame(loadAsked(r)), r.Rate, 100*r.Errors, load.Seconds(r.P50), load.Seconds(r.P99), load.Seconds(r.P999), tame(loadSaid(r)))
	}
	return w.Flush()
}

// loadAsked is what a test asked for, in a few words.
func loadAsked(r *control.LoadRun) string {
	asked := fmt.Sprintf("%.4g/s", r.Planned)
	if r.Model == "closed" {
		asked = counted(r.Clients, "client")
	}
	if r.Scenario != "" {
		asked = r.Scenario + ", " + asked
	}
	return asked
}

// loadSaid is the verdict on a test.
func loadSaid(r *control.LoadRun) string {
	switch {
	case r.Void:
		return "void"
	case len(r.Failed) > 0:
		return "not met: " + strings.Join(r.Failed, ", ")
	case r.Stopped != "":
		return "stopped"
	case r.Thresholds > 0:
		return "met"
	}
	return "–"
}

type loadShowOptions struct {
	connectOptions
	output, html string
	json         bool
}

func newLoadShow(env Env) *cobra.Command {
	var o loadShowOptions
	cmd := &cobra.Command{
		Use:   "show SERVICE [ID]",
		Short: "Show a load test that is kept",
		Long: `Show a load test of SERVICE that the control plane keeps: the one with this ID, or
the newest.
` + connectHelp + exitCodesHelp,
		Example: `  greenlight load show web
  greenlight load show web 20260102-030405000-4b7d9a --html report.html`,
		Args: takes(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runLoadShow(cmd.Context(), env, o, args[0], optionalArgument(args[1:], ""))
		},
	}
	o.register(cmd)
	f := cmd.Flags()
	f.StringVar(&o.output, "output", "", "write the result to this file, as JSON")
	f.StringVar(&o.html, "html", "", "write a report with charts to this file")
	f.BoolVar(&o.json, "json", false, "print the result as JSON")
	completeServices(cmd, "")
	return cmd
}

func runLoadShow(ctx context.Context, env Env, o loadShowOptions, arg, id string) error {
	c, err := o.connect("")
	if err != nil {
		return err
	}
	result, err := keptLoad(ctx, c, arg, id)
	if err != nil {
		return err
	}
	written := loadOptions{output: o.output, html: o.html, json: o.json}
	return written.write(env, result)
}

// keptLoad is a result that a control plane keeps; the newest without an id.
func keptLoad(ctx context.Context, c *client.Client, arg, id string) (*load.Result, error) {
	status, err := c.Status(ctx)
	if err != nil {
		return nil, err
	}
	name, err := chooseService(status, arg)
	if err != nil {
		return nil, err
	}
	if id == "" {
		runs, err := c.Loads(ctx, name.environment, name.service, 1)
		if err != nil {
			return nil, err
		}
		if len(runs) == 0 {
			return nil, greenlight.Errorf(greenlight.CodeNotFound, "no load test of %s is kept yet; greenlight load %s --rate 50 runs one", name, name)
		}
		id = runs[0].ID
	}
	detail, err := c.Load(ctx, name.environment, name.service, id)
	if err != nil {
		return nil, err
	}
	return load.ReadResult(bytes.NewReader(detail.Result))
}
