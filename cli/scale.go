package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/greenlight-dev/greenlight/api/client"
	"github.com/greenlight-dev/greenlight/control"
)

// waitOptions are the flags of a change that takes its time.
type waitOptions struct {
	noWait  bool
	timeout time.Duration
}

func (o *waitOptions) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&o.noWait, "no-wait", false, "return as soon as it has begun")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 5*time.Minute, "how long to wait until it is done")
}

type scaleOptions struct {
	connectOptions
	waitOptions
	auto bool
}

func newScale(env Env) *cobra.Command {
	var o scaleOptions
	cmd := &cobra.Command{
		Use:   "scale SERVICE [N]",
		Short: "Set the number of a service's replicas",
		Long: `Run N replicas of SERVICE, whatever its description and its load say, until --auto
goes back to the description. Waits until they are ready.

SERVICE is a name, or ENVIRONMENT/NAME where several environments have it.
` + connectHelp + exitCodesHelp,
		Example: `  greenlight scale iris 3
  greenlight scale production/iris 10 --no-wait
  greenlight scale iris --auto`,
		Args: takes(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error { return runScale(cmd.Context(), env, o, args) },
	}
	o.connectOptions.register(cmd)
	o.waitOptions.register(cmd)
	cmd.Flags().BoolVar(&o.auto, "auto", false, "go back to what the description says")
	completeServices(cmd, "")
	return cmd
}

// maxReplicas is the most that a description may ask for too.
const maxReplicas = 1000

func (o *scaleOptions) target(args []string) (control.ScaleTo, error) {
	switch {
	case o.auto && len(args) == 1:
		return control.ScaleTo{}, nil
	case o.auto:
		return control.ScaleTo{}, &usageError{errors.New("--auto takes the number from the description; leave N away")}
	case len(args) == 1:
		return control.ScaleTo{}, &usageError{errors.New("scale takes SERVICE N, or SERVICE --auto; see greenlight scale --help")}
	}
	n, err := strconv.Atoi(args[1])
	if err != nil || n < 0 || n > maxReplicas {
		return control.ScaleTo{}, &usageError{fmt.Errorf("%q is no number of replicas from 0 to %d", args[1], maxReplicas)}
	}
	return control.ScaleTo{Replicas: &n}, nil
}

func runScale(ctx context.Context, env Env, o scaleOptions, args []string) error {
	to, err := o.target(args)
	if err != nil {
		return err
	}
	c, err := o.connect("")
	if err != nil {
		return err
	}
	before, err := c.Status(ctx)
	if err != nil {
		return err
	}
	name, err := chooseService(before, args[0])
	if err != nil {
		return err
	}
	service, err := c.Scale(ctx, name.environment, name.service, to)
	if err != nil {
		return err
	}
	if !o.noWait {
		if err := waitForService(ctx, c, o.timeout, name, crashesIn(&before), scaledTo(service.Desired)); err != nil {
			return err
		}
	}
	how := "as the description says"
	if to.Replicas != nil {
		how = "until greenlight scale " + args[0] + " --auto"
	}
	verb := "has"
	if o.noWait {
		verb = "gets"
	}
	_, err = fmt.Fprintf(env.Stdout, "%s %s %s, %s\n", name, verb, counted(service.Desired, "replica"), how)
	return err
}

// scaledTo tells whether a service has settled at n replicas.
func scaledTo(n int) func(*control.Service) bool {
	return func(s *control.Service) bool {
		return s.Desired == n && s.Ready == n && len(s.Replicas) == n && settled(s)
	}
}

// waitForService waits until done holds for a service, or a replica crashes
// that had not before.
func waitForService(ctx context.Context, c *client.Client, timeout time.Duration, name serviceName, before crashes, done func(*control.Service) bool) error {
	gone := fmt.Errorf("%s is not described any more", name)
	w := settling{
		client: c, timeout: timeout,
		done: func(s *control.Status) bool {
			service := serviceIn(s, name)
			return service != nil && done(service)
		},
		failed: func(s *control.Status) error {
			service := serviceIn(s, name)
			if service == nil {
				return gone
			}
			if r := before.another(service); r != nil {
				return newStartFailure(ctx, c, name, *r)
			}
			return nil
		},
		missing: func(s *control.Status) string { return missingOf(name, serviceIn(s, name)) },
	}
	return w.wait(ctx)
}
