package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api/client"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/spec"
)

type upOptions struct {
	planeFlags
	environment string
	detach      bool
	timeout     time.Duration
}

// planeFlags say how a control plane that is started runs.
type planeFlags struct {
	gateway, control, state      string
	publicGateway, publicControl bool
}

func (o *planeFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.gateway, "gateway", "127.0.0.1:8080", "address that services are reached at; port 0 takes a free one")
	f.StringVar(&o.control, "control", "127.0.0.1:7070", "address of console and API; port 0 takes a free one, \"\" none")
	f.StringVar(&o.state, "state", "", "state folder (default: "+stateName+" beside the description)")
	f.BoolVar(&o.publicGateway, "public", false, "let other machines connect to the gateway")
	f.BoolVar(&o.publicControl, "public-control", false, "let other machines connect to console and API, with a token")
}

func newUp(env Env) *cobra.Command {
	var o upOptions
	cmd := &cobra.Command{
		Use:   "up [DIR|FILE]",
		Short: "Run what greenlight.yaml describes, and keep it running",
		Long: `Make it so: run the services that greenlight.yaml of this folder, of DIR, or FILE
describes, behind a gateway, and keep them running. A folder that holds a model or
a program but no greenlight.yaml gets one first.

The control plane stays in the foreground and tells what happens. Ctrl-C ends only
it: replicas and gateway serve on, and the next greenlight up takes them over;
greenlight down stops them. With -d it goes to the background once all is ready.

Where a control plane runs already, up hands it the description, shows what
changes and returns when that is done. Variables (${VAR}) are taken from here;
secrets from where the control plane runs.
` + exitCodesHelp,
		Example: `  greenlight up examples/penguins
  greenlight up -d --env production
  greenlight up shop --gateway 127.0.0.1:0 --control 127.0.0.1:0`,
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runUp(cmd.Context(), env, o, optionalArgument(args, "."))
		},
	}
	o.register(cmd)
	f := cmd.Flags()
	f.StringVar(&o.environment, "env", "", "the environment (default: the only one, or dev)")
	f.BoolVarP(&o.detach, "detach", "d", false, "go to the background when all is ready")
	f.DurationVar(&o.timeout, "timeout", 5*time.Minute, "how long to wait until all is ready")
	return cmd
}

// up is one run of the command.
type up struct {
	env         Env
	options     upOptions
	arg         string // as the user gave it
	state       string // absolute
	description *description
	system      *spec.System
	crashes     crashes // before it was applied
}

func runUp(ctx context.Context, env Env, o upOptions, arg string) error {
	if err := o.check(); err != nil {
		return &usageError{err}
	}
	u := &up{env: env, options: o, arg: arg}
	if err := u.writeFirst(); err != nil {
		return err
	}
	var err error
	if u.description, err = openDescription(env.Stderr, arg, o.environment); err != nil {
		return err
	}
	if u.state, err = stateFor(o.state, arg); err != nil {
		return err
	}
	c, err := client.Discover(u.state)
	notRunning := errors.Is(err, client.ErrNotRunning)
	if err != nil && !notRunning {
		return err
	}
	if u.system, err = u.description.resolve(env.Stderr, notRunning); err != nil {
		return err
	}
	switch {
	case !notRunning:
		return u.handOver(ctx, c)
	case o.detach:
		return u.inBackground(ctx)
	}
	return u.inForeground(ctx)
}

func (o *planeFlags) check() error {
	for _, a := range []struct {
		flag, address, allow string
		public, optional     bool
	}{
		{"--gateway", o.gateway, "--public", o.publicGateway, false},
		{"--control", o.control, "--public-control", o.publicControl, true},
	} {
		if a.optional && a.address == "" {
			continue
		}
		host, port, err := net.SplitHostPort(a.address)
		if err == nil {
			_, err = net.LookupPort("tcp", port)
		}
		switch {
		case err != nil:
			return fmt.Errorf("%s %q: want HOST:PORT, as 127.0.0.1:8080", a.flag, a.address)
		case !a.public && !isLoopback(host):
			return fmt.Errorf("%s %s lets other machines in: say %s if that is wanted, or use 127.0.0.1", a.flag, a.address, a.allow)
		}
	}
	return nil
}

// stateFor is the absolute path of the state folder: the one given, or the
// one beside a description.
func stateFor(given, arg string) (string, error) {
	if given == "" {
		folder := arg
		if !isFolder(arg) {
			folder = filepath.Dir(arg)
		}
		given = filepath.Join(folder, stateName)
	}
	return filepath.Abs(given)
}

// writeFirst writes the description of a folder that has none.
func (u *up) writeFirst() error {
	if !isFolder(u.arg) {
		return nil
	}
	if _, err := os.Lstat(filepath.Join(u.arg, spec.FileName)); err == nil {
		return nil
	}
	first, err := writeFirstDescription(u.arg, "")
	if err != nil {
		if _, there := os.Lstat(filepath.Join(u.arg, spec.FileName)); there == nil {
			return nil // another greenlight up has written it at the same moment
		}
		return err
	}
	first.print(u.env.Stdout)
	return nil
}

// handOver gives the description to a control plane that runs.
func (u *up) handOver(ctx context.Context, c *client.Client) error {
	fmt.Fprintf(u.env.Stdout, "a control plane is running here already; %s goes to it\n", shortPath(u.description.path))
	s, err := c.Status(ctx)
	if err != nil {
		return err
	}
	u.noteOtherAddress("--gateway", u.options.gateway, s.Gateway.Address)
	u.noteOtherAddress("--control", u.options.control, s.Control.Address)
	return u.apply(ctx, c)
}

// noteOtherAddress tells that a flag has no effect. A default or a free port
// asks for nothing in particular.
func (u *up) noteOtherAddress(flag, asked, used string) {
	_, port, _ := net.SplitHostPort(asked)
	if port == "0" || asked == used || used == "" || asked == "127.0.0.1:8080" || asked == "127.0.0.1:7070" {
		return
	}
	fmt.Fprintf(u.env.Stderr, "greenlight: %s stays %s while this control plane runs; greenlight down, then up, changes it\n", flag, used)
}

// apply puts the description in force, waits until it is so, and says where
// everything is.
func (u *up) apply(ctx context.Context, c *client.Client) error {
	last, err := newestEvent(ctx, c)
	if err != nil {
		return err
	}
	before, err := c.Status(ctx)
	if err != nil {
		return err
	}
	u.crashes = crashesIn(&before)
	applied, err := c.Apply(ctx, u.description.environment, u.description.sent())
	if err != nil {
		return &applyError{err}
	}
	for _, difference := range applied.Plan.Differences {
		fmt.Fprintf(u.env.Stdout, "  %s\n", tame(difference))
	}
	s, err := u.wait(ctx, c, applied, last.ID)
	if err != nil {
		return err
	}
	u.announce(ctx, c, s, environmentIn(s, applied.Environment))
	return nil
}

// applyError is a description that the control plane did not take.
type applyError struct{ err error }

func (e *applyError) Error() string { return e.err.Error() }
func (e *applyError) Unwrap() error { return e.err }

// inForeground runs the control plane in this process.
func (u *up) inForeground(ctx context.Context) error {
	plane, err := u.env.startPlane(ctx, &u.options.planeFlags, u.state)
	if err != nil {
		return err
	}
	err = u.attend(ctx, plane)
	plane.stop()
	if ended := plane.wait(); err == nil || errors.Is(err, context.Canceled) {
		err = ended
	}
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		fmt.Fprintf(u.env.Stdout, "the control plane has stopped; replicas and gateway serve on; greenlight down%s stops them\n", u.argument())
		return nil
	}
	fmt.Fprintln(u.env.Stdout, "everything has stopped")
	return nil
}

// attend applies the description and then tells what happens until the control
// plane ends or ctx does. A service that does not start is told, and tried
// again and again.
func (u *up) attend(ctx context.Context, plane *runningPlane) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	context.AfterFunc(plane.ended, cancel)
	c, err := plane.client(ctx)
	if err != nil {
		return err
	}
	err = u.apply(ctx, c)
	var refused *applyError
	switch {
	case ctx.Err() != nil:
		return nil
	case errors.As(err, &refused):
		return err
	case err != nil && endsSoon(plane.ended):
		return nil // its own error says why
	case err != nil:
		fmt.Fprintf(u.env.Stderr, "greenlight: %v\n", err)
		fmt.Fprintln(u.env.Stdout, "it is tried again and again; Ctrl-C ends the control plane")
	default:
		fmt.Fprintln(u.env.Stdout, "Ctrl-C ends the control plane; replicas and gateway serve on")
	}
	return u.follow(ctx, c)
}

// argument repeats the user's argument and state folder, for a command to be
// typed next.
func (u *up) argument() string {
	switch {
	case u.options.state != "":
		return " --state " + shellWord(u.options.state)
	case u.arg == ".":
		return ""
	}
	if !isFolder(u.arg) {
		return " " + shellWord(filepath.Dir(u.arg))
	}
	return " " + shellWord(u.arg)
}

// wait shows what happens until the environment is as described.
func (u *up) wait(ctx context.Context, c *client.Client, applied control.Applied, after int64) (*control.Status, error) {
	progress := newUpProgress(u.env.Stdout, applied.Environment)
	var last *control.Status
	w := settling{
		client: c, timeout: u.options.timeout, after: after,
		event: progress.event,
		status: func(s *control.Status) {
			last = s
			progress.status(s)
		},
		done:    func(s *control.Status) bool { return inForce(s, applied) },
		failed:  func(s *control.Status) error { return u.failure(ctx, c, s, applied) },
		missing: func(s *control.Status) string { return missingIn(s, applied.Environment) },
	}
	err := w.wait(ctx)
	return last, err
}

// inForce tells whether an environment has come to be as it was applied, with
// a gateway in front of it.
func inForce(s *control.Status, applied control.Applied) bool {
	e := environmentIn(s, applied.Environment)
	if e == nil || e.Revision < applied.Revision || s.Gateway.PID == 0 || s.Gateway.Note != "" {
		return false
	}
	for i := range e.Services {
		if !settled(&e.Services[i]) {
			return false
		}
	}
	return true
}

func environmentIn(s *control.Status, name string) *control.Environment {
	for i := range s.Environments {
		if s.Environments[i].Name == name {
			return &s.Environments[i]
		}
	}
	return nil
}

// failure is why the environment will not come to be so.
func (u *up) failure(ctx context.Context, c *client.Client, s *control.Status, applied control.Applied) error {
	e := environmentIn(s, applied.Environment)
	if e == nil || e.Revision < applied.Revision {
		return nil
	}
	for i := range e.Services {
		if r := u.crashes.another(&e.Services[i]); r != nil {
			return newStartFailure(ctx, c, serviceName{e.Name, e.Services[i].Name}, *r)
		}
	}
	if s.Gateway.PID == 0 && s.Gateway.Note != "" {
		return greenlight.Errorf(greenlight.CodeUnavailable, "the gateway does not start: %s", tame(s.Gateway.Note))
	}
	return nil
}

// missingIn says which services are not there yet.
func missingIn(s *control.Status, environment string) string {
	if s.Gateway.PID == 0 || s.Gateway.Note != "" {
		return "the gateway does not run: " + s.Gateway.Note
	}
	e := environmentIn(s, environment)
	if e == nil {
		return environment + " is not there"
	}
	for i := range e.Services {
		if !settled(&e.Services[i]) {
			return missingOf(serviceName{e.Name, e.Services[i].Name}, &e.Services[i])
		}
	}
	return e.Note
}
