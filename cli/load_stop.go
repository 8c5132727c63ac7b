package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/control"
)

type loadStopOptions struct {
	connectOptions
	json bool
}

func newLoadStop(env Env) *cobra.Command {
	var o loadStopOptions
	cmd := &cobra.Command{
		Use:   "stop SERVICE [ID]",
		Short: "Stop a load test that runs",
		Long: `Ask a load test of SERVICE to stop, whoever runs it: the one with this ID, as
greenlight load list shows it, or the only one. It ends within seconds and
prints what it measured until then.
` + connectHelp + exitCodesHelp,
		Example: `  greenlight load stop web
  greenlight load stop production/web 20260102-030405000-4b7d9a`,
		Args: takes(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runLoadStop(cmd.Context(), env, o, args[0], optionalArgument(args[1:], ""))
		},
	}
	o.register(cmd)
	cmd.Flags().BoolVar(&o.json, "json", false, "print the load test as JSON")
	completeServices(cmd, "")
	return cmd
}

func runLoadStop(ctx context.Context, env Env, o loadStopOptions, arg, id string) error {
	c, names, err := o.services(ctx, arg)
	if err != nil {
		return err
	}
	name := names[0]
	live, err := c.LiveLoads(ctx, name.environment, name.service)
	if err != nil {
		return err
	}
	if id, err = liveLoadMeant(name, live, id); err != nil {
		return err
	}
	stopping, err := c.StopLoad(ctx, name.environment, name.service, id)
	if err != nil {
		return err
	}
	if o.json {
		return writeJSON(env.Stdout, stopping)
	}
	_, err = fmt.Fprintf(env.Stdout, "%s: load test %s stops\n", name, id)
	return err
}

// liveLoadMeant is the id of the load test that is meant: the given one, or that of
// the only one.
func liveLoadMeant(name serviceName, live []control.LiveLoad, id string) (string, error) {
	var ids []string
	for i := range live {
		if live[i].State != control.LoadEnded {
			ids = append(ids, live[i].ID)
		}
	}
	switch {
	case id != "":
		return id, nil // the control plane says when there is none
	case len(ids) == 0:
		return "", greenlight.Errorf(greenlight.CodeNotFound, "no load test of %s runs", name)
	case len(ids) > 1:
		return "", &usageError{fmt.Errorf("%d load tests of %s run; say which: %s", len(ids), name, strings.Join(ids, ", "))}
	}
	return ids[0], nil
}
