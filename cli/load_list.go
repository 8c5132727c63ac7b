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
		Short: "List the load tests of services that run and that are kept",
		Long: fmt.Sprintf(`List the load tests of SERVICE, or of every service: those that run, then those
that the control plane keeps, newest first: the last %d of each. In JSON, one that
runs has "running" with all that is known of it.
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
	c, names, err := o.services(ctx, arg)
	if err != nil {
		return err
	}
	running, kept := []listedLoad{}, []listedLoad{}
	for _, n := range names {
		live, err := c.LiveLoads(ctx, n.environment, n.service)
		if err != nil {
			return err
		}
		running = append(running, listRunning(live)...)
		runs, err := c.Loads(ctx, n.environment, n.service, 0)
		if err != nil {
			return err
		}
		for _, run := range runs {
			kept = append(kept, listedLoad{LoadRun: run})
		}
	}
	all := append(running, kept...)
	if o.json {
		return writeJSON(env.Stdout, all)
	}
	return printLoads(env.Stdout, all, time.Now())
}

// listedLoad is a load test that is kept or runs.
type listedLoad struct {
	control.LoadRun
	Running *control.LiveLoad `json:"running,omitempty"`
}

// listRunning are those that run; the result of one that ended is kept, or
// nobody keeps it.
func listRunning(live []control.LiveLoad) (list []listedLoad) {
	for i := range live {
		t := &live[i]
		t.Seconds = nil
		if t.State == control.LoadEnded {
			continue
		}
		list = append(list, listedLoad{Running: t, LoadRun: control.LoadRun{
			ID: t.ID, Environment: t.Environment, Service: t.Service, StartedAt: t.StartedAt, By: t.By, Scenario: t.Scenario, Model: t.Model, Clients: t.Clients,
			Planned: t.Last.Planned, Rate: t.Rate, Requests: t.Requests, Errors: t.Errors, Elapsed: t.Elapsed, P50: t.P50, P99: t.P99,
			Void: t.VoidReason != "", VoidReason: t.VoidReason, Thresholds: len(t.Thresholds), Failed: []string{},
		}})
	}
	return list
}

func printLoads(out io.Writer, runs []listedLoad, now time.Time) error {
	if len(runs) == 0 {
		_, err := fmt.Fprintln(out, "no load test runs, and none is kept yet; greenlight load SERVICE --rate 50 runs one")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SERVICE\tID\tWHEN\tLOAD\tACHIEVED\tERRORS\tP50\tP99\tP99.9\tVERDICT")
	for i := range runs {
		r := &runs[i].LoadRun
		id, slowest, said := r.ID, load.Seconds(r.P999), loadSaid(r)
		if live := runs[i].Running; live != nil {
			slowest, said = "–", liveSaid(live)
		}
		fmt.Fprintf(w, "%s/%s\t%s\t%s ago\t%s\t%s\t%.3g %%\t%s\t%s\t%s\t%s\n", r.Environment, r.Service, id, now.Sub(r.StartedAt).Round(time.Second),
			tame(loadAsked(r)), load.PerSecond(r.Rate), 100*r.Errors, load.Seconds(r.P50), load.Seconds(r.P99), slowest, tame(said))
	}
	return w.Flush()
}

// loadAsked is what a test asked for, in a few words.
func loadAsked(r *control.LoadRun) string {
	asked := load.PerSecond(r.Planned)
	if r.Model == "closed" {
		asked = counted(r.Clients, "client")
	}
	if r.Knee != nil {
		asked = "knee " + load.PerSecond(*r.Knee)
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

// liveSaid is how far a test that runs is.
func liveSaid(t *control.LiveLoad) string {
	said := string(t.State)
	if t.Phase != "" {
		said += ", " + t.Phase
	}
	if t.Total > 0 {
		said += fmt.Sprintf(", %.0f s to go", max(0, t.Total-t.Elapsed))
	}
	return said
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
