package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/control"
)

type restartOptions struct {
	connectOptions
	waitOptions
	replica string
}

func newRestart(env Env) *cobra.Command {
	var o restartOptions
	cmd := &cobra.Command{
		Use:   "restart SERVICE",
		Short: "Replace a service's replicas, one after the other",
		Long: `Replace the replicas of SERVICE by new ones of the same release, or only the one
that --replica names. A new one is ready before an old one stops, so that no
request fails. Waits until it is done.

SERVICE is a name, or ENVIRONMENT/NAME where several environments have it.
` + connectHelp + exitCodesHelp,
		Example: `  greenlight restart iris
  greenlight restart iris --replica iris-4b7d9aa-1`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return runRestart(cmd.Context(), env, o, args[0]) },
	}
	o.connectOptions.register(cmd)
	o.waitOptions.register(cmd)
	cmd.Flags().StringVar(&o.replica, "replica", "", "only this replica")
	completeServices(cmd, "")
	return cmd
}

func runRestart(ctx context.Context, env Env, o restartOptions, arg string) error {
	c, err := o.connect("")
	if err != nil {
		return err
	}
	s, err := c.Status(ctx)
	if err != nil {
		return err
	}
	name, err := chooseService(s, arg)
	if err != nil {
		return err
	}
	old, err := o.processes(name, serviceIn(&s, name))
	if err != nil {
		return err
	}
	if err := c.Restart(ctx, name.environment, name.service, o.replica); err != nil {
		return err
	}
	what := counted(len(old), "replica") + " of " + name.String()
	if o.noWait {
		_, err = fmt.Fprintf(env.Stdout, "restarting %s\n", what)
		return err
	}
	if err := waitForService(ctx, c, o.timeout, name, crashesIn(&s), replaced(old)); err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Stdout, "restarted %s\n", what)
	return err
}

// processes are those that have to go.
func (o *restartOptions) processes(name serviceName, s *control.Service) ([]int, error) {
	var pids []int
	var ids []string
	for _, r := range s.Replicas {
		ids = append(ids, r.ID)
		if o.replica == "" || r.ID == o.replica {
			pids = append(pids, r.PID)
		}
	}
	if o.replica != "" && !slices.Contains(ids, o.replica) {
		return nil, greenlight.Errorf(greenlight.CodeNotFound, "%s has no replica %q, only %v", name, o.replica, firstOf(ids, 20))
	}
	return pids, nil
}

// replaced tells whether none of the old processes is left and the service is
// whole.
func replaced(old []int) func(*control.Service) bool {
	return func(s *control.Service) bool {
		if s.Ready < s.Desired || len(s.Replicas) != s.Desired || !settled(s) {
			return false
		}
		return !slices.ContainsFunc(s.Replicas, func(r control.Replica) bool { return r.PID != 0 && slices.Contains(old, r.PID) })
	}
}
