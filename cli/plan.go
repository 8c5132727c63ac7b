package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/greenlight-dev/greenlight/api/client"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/plan"
	"github.com/greenlight-dev/greenlight/release"
	"github.com/greenlight-dev/greenlight/spec"
)

// errChanges ends a command with exit code 2 and without a message: there are
// changes.
var errChanges = errors.New("there are changes")

type planOptions struct {
	connectOptions
	file string
	json bool
}

func newPlan(env Env) *cobra.Command {
	var o planOptions
	cmd := &cobra.Command{
		Use:   "plan [ENV]",
		Short: "Show what greenlight up would change",
		Long: `Show what greenlight up would change in an environment of greenlight.yaml: what the
file says otherwise than the description in force, and the steps that would be
taken, in order, each with its reason. Nothing is changed.

Where no control plane runs, everything would be made anew.
` + connectHelp + `
Exit codes: 0 nothing would change, 1 failed, 2 there are changes (or wrong
usage, which says so), 3 refused by a check.`,
		Example: `  greenlight plan
  greenlight plan production --file shop/greenlight.yaml --json`,
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runPlan(cmd.Context(), env, o, optionalArgument(args, ""))
		},
	}
	o.register(cmd)
	cmd.Flags().StringVar(&o.file, "file", ".", "the description, or its folder")
	cmd.Flags().BoolVar(&o.json, "json", false, "print as JSON")
	return cmd
}

func runPlan(ctx context.Context, env Env, o planOptions, environment string) error {
	d, err := openDescription(env.Stderr, o.file, environment)
	if err != nil {
		return err
	}
	c, err := o.running()
	if err != nil {
		return err
	}
	system, err := d.resolve(env.Stderr, c == nil)
	if err != nil {
		return err
	}
	var changes control.Plan
	if c != nil {
		changes, err = c.Preview(ctx, d.environment, d.sent())
	} else {
		changes, err = o.withoutPlane(d, system)
	}
	if err != nil {
		return err
	}
	if o.json {
		err = writeJSON(env.Stdout, changes)
	} else {
		_, err = fmt.Fprint(env.Stdout, planText(changes, c != nil))
	}
	if err == nil && !changes.Empty() {
		err = errChanges
	}
	return err
}

// running connects to the control plane beside the description; nil when none
// was asked for by name and none runs.
func (o *planOptions) running() (*client.Client, error) {
	if o.control != "" {
		return o.connect("")
	}
	state, err := stateFor(o.state, o.file)
	if err != nil {
		return nil, err
	}
	c, err := client.Discover(state)
	if errors.Is(err, client.ErrNotRunning) {
		return nil, nil
	}
	return c, err
}

// withoutPlane makes the plan that a control plane would begin with.
func (o *planOptions) withoutPlane(d *description, system *spec.System) (control.Plan, error) {
	state, err := stateFor(o.state, o.file)
	if err != nil {
		return control.Plan{}, err
	}
	releases := make(map[string]string, len(system.Services))
	for i := range system.Services {
		r, err := release.New(&system.Services[i], os.DirFS("/"), filepath.Dir(d.path), state)
		if err != nil {
			return control.Plan{}, err
		}
		releases[r.Service] = r.Digest()
	}
	return planFromNothing(system, releases)
}

// planFromNothing is the plan for a system of which nothing runs, with the
// digests of its releases.
func planFromNothing(system *spec.System, releases map[string]string) (control.Plan, error) {
	p := control.Plan{Environment: system.Environment.Name, Steps: []plan.Step{}, Differences: []string{}, Drift: []string{}}
	desired := plan.Desired{Environment: p.Environment}
	for i := range system.Services {
		s := &system.Services[i]
		p.Differences = append(p.Differences, fmt.Sprintf("services.%s: new, %s", s.Name, serviceWords(s)))
		desired.Services = append(desired.Services, plan.Service{Name: s.Name, Release: releases[s.Name], Replicas: s.Replicas.Min, DependsOn: s.DependsOn})
	}
	steps, err := plan.Steps(desired, plan.Observed{})
	p.Steps = append(p.Steps, steps...)
	return p, err
}

// serviceWords is what a service runs, in a few words.
func serviceWords(s *spec.Service) string {
	words := s.Image
	switch s.Kind() {
	case "model":
		var paths []string
		for _, m := range s.Models {
			paths = append(paths, m.Path)
		}
		words = "model " + strings.Join(firstOf(paths, 5), ", ")
	case "run":
		words = "run " + cut(strings.Join(s.Run, " "), 60)
	}
	if s.Replicas.Min != s.Replicas.Max {
		return fmt.Sprintf("%s, %d to %d replicas", words, s.Replicas.Min, s.Replicas.Max)
	}
	return words + ", " + counted(s.Replicas.Max, "replica")
}

// planText is a plan for a person.
func planText(p control.Plan, running bool) string {
	var b strings.Builder
	if !running {
		b.WriteString("no control plane is running here: everything would be new\n")
	}
	if p.Empty() {
		fmt.Fprintf(&b, "%s is as described: nothing would change\n", p.Environment)
		return b.String()
	}
	list := func(title string, lines []string) {
		if len(lines) == 0 {
			return
		}
		fmt.Fprintf(&b, "%s\n", title)
		for _, line := range lines {
			fmt.Fprintf(&b, "  %s\n", tame(line))
		}
	}
	title := p.Environment + " is described otherwise:"
	if !running {
		title = p.Environment + " is new:"
	}
	list(title, p.Differences)
	list("replicas that are not as their release is:", p.Drift)
	var steps []string
	for i, step := range p.Steps {
		steps = append(steps, fmt.Sprintf("%2d. %s", i+1, step))
	}
	list("steps:", steps)
	return b.String()
}
