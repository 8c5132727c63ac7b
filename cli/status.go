package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api/client"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/observe"
)

type statusOptions struct {
	connectOptions
	json, watch bool
	environment string
}

func newStatus(env Env) *cobra.Command {
	var o statusOptions
	cmd := &cobra.Command{
		Use:   "status [DIR]",
		Short: "Show environments, services and replicas as they are",
		Long: `Show how the environments are: each service with its release, replicas (ready and
desired), requests in the last second at the gateway with the share that failed
and the times that half and 99 in 100 stayed below, and where it is. What is not
good has its reason below it.

--watch goes on: on a terminal the table is live, elsewhere it is printed anew
when a state changes.
` + connectHelp + exitCodesHelp,
		Example: `  greenlight status
  greenlight status shop --watch
  greenlight status --json | jq '.environments[].services[] | {name, ready, desired}'`,
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runStatus(cmd.Context(), env, o, optionalArgument(args, ""))
		},
	}
	o.register(cmd)
	f := cmd.Flags()
	f.BoolVar(&o.json, "json", false, "print as JSON; with --watch one line for each change")
	f.BoolVarP(&o.watch, "watch", "w", false, "go on until Ctrl-C")
	f.StringVar(&o.environment, "env", "", "show only this environment")
	return cmd
}

func runStatus(ctx context.Context, env Env, o statusOptions, dir string) error {
	c, err := o.connect(dir)
	if err != nil {
		return err
	}
	if o.watch {
		return o.follow(ctx, env, c)
	}
	s, err := c.Status(ctx)
	if err != nil {
		return err
	}
	if err := o.choose(&s); err != nil {
		return err
	}
	if o.json {
		return writeJSON(env.Stdout, s)
	}
	view := statusView{palette: paletteFor(env.Stdout), now: time.Now()}
	_, err = fmt.Fprint(env.Stdout, view.text(s))
	return err
}

// choose leaves only the environment that was asked for.
func (o *statusOptions) choose(s *control.Status) error {
	if o.environment == "" {
		return nil
	}
	i := slices.IndexFunc(s.Environments, func(e control.Environment) bool { return e.Name == o.environment })
	if i < 0 {
		return greenlight.Errorf(greenlight.CodeNotFound, "there is no environment %q, only %s", o.environment, environmentNames(*s))
	}
	s.Environments = s.Environments[i : i+1]
	return nil
}

// follow shows every change until ctx ends.
func (o *statusOptions) follow(ctx context.Context, env Env, c *client.Client) error {
	w := &statusWatch{options: o, env: env, view: statusView{palette: paletteFor(env.Stdout)}}
	if isTerminal(env.Stdout) && !o.json {
		w.live = &screen{w: env.Stdout}
	}
	watcher := client.Watcher{
		Status: w.status,
		Lost: func(err error) {
			fmt.Fprintf(env.Stderr, "greenlight: the control plane is lost (%v); waiting for it\n", err)
			if w.live != nil {
				w.live.shown = 0
			}
		},
	}
	if w.live != nil {
		watcher.Samples = w.samples
	}
	return c.Stream(ctx, 0, watcher)
}

// statusWatch shows a status that changes.
type statusWatch struct {
	options *statusOptions
	env     Env
	view    statusView
	live    *screen // nil without a terminal
	last    control.Status
	printed string
}

func (w *statusWatch) status(s control.Status) error {
	if err := w.options.choose(&s); err != nil {
		return err
	}
	w.last = s
	if w.options.json {
		return writeJSONLine(w.env.Stdout, s)
	}
	if w.live != nil {
		return w.draw()
	}
	// Without a terminal numbers that always move are no change.
	w.view.now = time.Now()
	text := w.view.text(w.last)
	if quiet := w.view.text(still(s)); quiet != w.printed {
		w.printed = quiet
		_, err := fmt.Fprintf(w.env.Stdout, "%s\n%s", time.Now().Format(time.TimeOnly), text)
		return err
	}
	return nil
}

func (w *statusWatch) samples(samples map[string]observe.Sample) error {
	for i := range w.last.Environments {
		e := &w.last.Environments[i]
		for j := range e.Services {
			if sample, ok := samples[e.Name+"/"+e.Services[j].Name]; ok {
				e.Services[j].Traffic = sample
			}
		}
	}
	return w.draw()
}

func (w *statusWatch) draw() error {
	if w.last.Environments == nil {
		return nil
	}
	w.view.now = time.Now()
	w.live.show(w.view.text(w.last))
	return nil
}

// still is a copy of s without what changes all the time.
func still(s control.Status) control.Status {
	s.Environments = slices.Clone(s.Environments)
	for i := range s.Environments {
		e := &s.Environments[i]
		e.AppliedAt = time.Time{}
		e.Services = slices.Clone(e.Services)
		for j := range e.Services {
			e.Services[j].Traffic = observe.Sample{}
		}
	}
	return s
}
