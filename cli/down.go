package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api/client"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/store"
)

type downOptions struct {
	connectOptions
	yes     bool
	timeout time.Duration
}

func newDown(env Env) *cobra.Command {
	var o downOptions
	cmd := &cobra.Command{
		Use:   "down [DIR]",
		Short: "Stop everything that greenlight up runs",
		Long: `Stop the replicas in order, then the gateway, then the control plane. Requests under
way are finished. Data, history and logs stay in the state folder, so that
greenlight up brings everything back.

On a terminal the system's name must be typed; --yes stands in for it. Where the
control plane was killed, what it left running is found and stopped.
` + connectHelp + exitCodesHelp,
		Example: `  greenlight down
  greenlight down shop --yes`,
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runDown(cmd.Context(), env, o, optionalArgument(args, ""))
		},
	}
	o.register(cmd)
	cmd.Flags().BoolVar(&o.yes, "yes", false, "do not ask")
	cmd.Flags().DurationVar(&o.timeout, "timeout", 5*time.Minute, "how long to wait until all has stopped")
	return cmd
}

func runDown(ctx context.Context, env Env, o downOptions, dir string) error {
	if o.control != "" {
		c, err := o.connect(dir)
		if err != nil {
			return err
		}
		return o.stop(ctx, env, c, "")
	}
	if dir != "" && o.state == "" {
		if state, err := stateFor("", dir); err != nil || isFolder(dir) && !isFolder(state) {
			fmt.Fprintf(env.Stdout, "%s is down already: nothing was ever started there\n", dir)
			return err
		}
	}
	state, err := o.stateFolder(dir)
	if err != nil {
		return err
	}
	c, err := client.Discover(state)
	if errors.Is(err, client.ErrNotRunning) {
		return o.stopLeftovers(ctx, env, state)
	}
	if err != nil {
		return err
	}
	return o.stop(ctx, env, c, state)
}

// stopLeftovers stops what a control plane that was killed, or ended by
// Ctrl-C, left running: one in this process takes it over and changes nothing
// before it stops it.
func (o *downOptions) stopLeftovers(ctx context.Context, env Env, state string) error {
	options, err := env.planeOptions(&planeFlags{}, state)
	if err != nil {
		return err
	}
	options.Idle = true
	plane, err := env.runPlane(ctx, options)
	if err != nil {
		return err
	}
	defer func() {
		plane.stop()
		_ = plane.wait()
	}()
	c, err := plane.client(ctx)
	if errors.Is(err, errPlaneEnded) {
		return errors.Join(err, plane.wait())
	}
	if err != nil {
		return err
	}
	s, err := c.Status(ctx)
	if err != nil {
		return err
	}
	if running(&s) == "" {
		_, err := fmt.Fprintf(env.Stdout, "%s is down already; its data and history are in %s\n", systemName(s, parentOf(state)), shortPath(state))
		return err
	}
	if err := o.begin(ctx, env, c, &s, state); err != nil {
		return err
	}
	select {
	case <-plane.ended.Done():
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(o.timeout):
		return greenlight.Errorf(greenlight.CodeUnavailable, "not everything has stopped after %s; greenlight down again goes on with it", o.timeout)
	}
	if err := plane.wait(); err != nil {
		return err
	}
	o.stopped(env, &s, state)
	return nil
}

// stop stops everything through a control plane that runs.
func (o *downOptions) stop(ctx context.Context, env Env, c *client.Client, state string) error {
	s, err := c.Status(ctx)
	if err != nil {
		return err
	}
	last, err := newestEvent(ctx, c)
	if err != nil {
		return err
	}
	if err := o.begin(ctx, env, c, &s, state); err != nil {
		return err
	}
	if err := o.waitUntilGone(ctx, env, c, &s, last.ID); err != nil {
		return err
	}
	o.stopped(env, &s, state)
	return nil
}

func (o *downOptions) begin(ctx context.Context, env Env, c *client.Client, s *control.Status, state string) error {
	name := systemName(*s, parentOf(state))
	what := running(s)
	if what == "" {
		what = "the control plane"
	}
	if err := confirm(env, o.yes, name, fmt.Sprintf("this stops %s: %s", name, what)); err != nil {
		return err
	}
	return c.Down(ctx)
}

func (o *downOptions) stopped(env Env, s *control.Status, state string) {
	kept := ""
	if state != "" {
		kept = "; data and history stay in " + shortPath(state)
	}
	fmt.Fprintf(env.Stdout, "%s is down%s\n", systemName(*s, parentOf(state)), kept)
}

// waitUntilGone tells what happens until the control plane does not answer any
// more, and on this machine until its process has ended.
func (o *downOptions) waitUntilGone(ctx context.Context, env Env, c *client.Client, s *control.Status, after int64) error {
	show := eventPrinter(env.Stdout, false)
	deadline := time.Now().Add(o.timeout)
	for answers := true; ; {
		if answers {
			events, err := c.Events(ctx, store.EventQuery{After: after})
			answers = err == nil
			for _, e := range events {
				after = e.ID
				_ = show(e)
			}
		}
		if !answers && (o.control != "" || !alive(s.Control.PID)) {
			return nil
		}
		if time.Now().After(deadline) {
			return greenlight.Errorf(greenlight.CodeUnavailable, "not everything has stopped after %s; it goes on, see greenlight status", o.timeout)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// running says what runs, "" for nothing.
func running(s *control.Status) string {
	replicas := 0
	for _, e := range s.Environments {
		for _, service := range e.Services {
			for _, r := range service.Replicas {
				if r.PID != 0 {
					replicas++
				}
			}
		}
	}
	switch {
	case replicas > 0 && s.Gateway.PID != 0:
		return counted(replicas, "replica") + " and the gateway"
	case replicas > 0:
		return counted(replicas, "replica")
	case s.Gateway.PID != 0:
		return "the gateway"
	}
	return ""
}
