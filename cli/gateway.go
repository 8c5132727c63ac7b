package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/greenlight-dev/greenlight/gateway"
	"github.com/greenlight-dev/greenlight/gateway/handover"
)

type gatewayOptions struct {
	config, process string
	listen          string
	public          bool
	control         string
	tokenFile       string
	linger, grace   time.Duration
}

func newGateway(env Env) *cobra.Command {
	var o gatewayOptions
	cmd := &cobra.Command{
		Use:   "gateway",
		Short: "Route, balance and guard requests to services",
		Long: `Route, balance and guard requests to services, in a process of its own that goes
on without whoever configures it. greenlight up starts one and configures it.

The configuration is kept in --config and steered at --control:
  GET, PUT /config                      the configuration, applied as a whole
  GET /status, GET /metrics             what is going on
  POST /drain, /pause, /resume?service=NAME
  POST /upgrade                         hand over to a new process

SIGHUP hands the listening sockets over to a new process of the same command
line, without losing a request, as POST /upgrade does. SIGTERM or Ctrl-C:
finish the requests under way, exit 0.

Other machines can connect only with --public. The control endpoint is for this
machine alone: a unix socket, or a loopback address that wants a token from
--token-file or the variable GREENLIGHT_TOKEN.
` + exitCodesHelp,
		Example: `  greenlight gateway --config gateway.json --control unix:///run/greenlight/gateway.sock
  greenlight gateway --config gateway.json --listen :80 --public
  curl -s --unix-socket /run/greenlight/gateway.sock http://gateway/status`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return runGateway(cmd.Context(), env, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.config, "config", "", "file that the configuration is kept in")
	f.StringVar(&o.process, "process-file", "", "file that says which process serves (default: --config's name with .process)")
	f.StringVar(&o.listen, "listen", "127.0.0.1:8080", "address for plain requests; port 0 takes a free one, \"\" none")
	f.BoolVar(&o.public, "public", false, "let other machines connect")
	f.StringVar(&o.control, "control", "", "control endpoint: unix:///path or http://127.0.0.1:PORT")
	f.StringVar(&o.tokenFile, "token-file", "", "file with the token that the control endpoint wants")
	f.DurationVar(&o.linger, "linger", time.Second, "how long a stopping process goes on answering on open connections")
	f.DurationVar(&o.grace, "grace", 30*time.Second, "how long requests may take to finish when it stops")
	return cmd
}

func runGateway(ctx context.Context, env Env, o gatewayOptions) error {
	options, err := o.compile(env)
	if err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		// A proxy's live heap is a few megabytes and its garbage many times
		// that; collecting less often buys a tenth of its throughput.
		debug.SetGCPercent(400)
	}
	g, err := gateway.New(options)
	if err != nil {
		return err
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	done := make(chan struct{})
	go upgradeOn(hup, done, g)
	announceGateway(env.Stdout, g.Status(), options)
	err = g.Run(ctx)
	signal.Stop(hup)
	close(done)
	if g.Status().Successor == 0 {
		fmt.Fprintln(env.Stdout, "stopped")
	}
	if closeErr := g.Close(); err == nil {
		err = closeErr
	}
	return err
}

// upgradeOn hands over whenever the signal comes; a failure is logged by the
// gateway, which goes on.
func upgradeOn(hup <-chan os.Signal, done <-chan struct{}, g *gateway.Gateway) {
	for {
		select {
		case <-hup:
			_, _ = g.Upgrade()
		case <-done:
			return
		}
	}
}

// compile checks the flags.
func (o *gatewayOptions) compile(env Env) (gateway.Options, error) {
	token, err := readToken(o.tokenFile)
	if err != nil {
		return gateway.Options{}, err
	}
	if err := o.check(token); err != nil {
		return gateway.Options{}, &usageError{err}
	}
	inherited, err := handover.Receive()
	if err != nil {
		return gateway.Options{}, err
	}
	self, err := ownCommand()
	if err != nil {
		return gateway.Options{}, err
	}
	options := gateway.Options{
		Listen: o.listen, Public: o.public, ConfigFile: o.config, ProcessFile: o.process, Control: o.control,
		Linger: o.linger, Grace: o.grace, Successor: self, Inherited: inherited, Version: env.Build.Version,
		Stdout: env.Stdout, Log: slog.New(slog.NewTextHandler(env.Stderr, nil)),
	}
	if o.process == "" && o.config != "" {
		options.ProcessFile = o.config + ".process"
	}
	if u, err := gateway.ParseControl(o.control); err == nil && u.Scheme == "http" {
		options.ControlToken = token
	}
	return options, nil
}

func (o *gatewayOptions) check(token string) error {
	if o.linger <= 0 || o.grace <= 0 {
		return fmt.Errorf("--linger and --grace must be above 0")
	}
	if o.listen != "" {
		host, port, err := net.SplitHostPort(o.listen)
		if err == nil {
			_, err = net.LookupPort("tcp", port)
		}
		switch {
		case err != nil:
			return fmt.Errorf("--listen %q: want HOST:PORT, as 127.0.0.1:8080", o.listen)
		case !o.public && !isLoopback(host):
			return fmt.Errorf("--listen %s lets other machines in: say --public if that is wanted, or listen on 127.0.0.1", o.listen)
		}
	}
	if o.control == "" {
		return nil
	}
	u, err := gateway.ParseControl(o.control)
	if err != nil {
		return fmt.Errorf("--control: %w", err)
	}
	if u.Scheme == "http" && token == "" {
		return fmt.Errorf("--control %s is open to every user of this machine, which needs a token: "+
			"give --token-file FILE or set GREENLIGHT_TOKEN, or use unix:///path", o.control)
	}
	return nil
}

// ownCommand is this process's command line with the program's path as it was
// found at the start: what lies there later is the upgrade.
func ownCommand() ([]string, error) {
	path, err := exec.LookPath(os.Args[0])
	if err != nil {
		return nil, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	return append([]string{path}, os.Args[1:]...), nil
}

func announceGateway(w io.Writer, s gateway.Status, o gateway.Options) {
	for _, l := range s.Listeners {
		scheme := "http"
		if l.TLS {
			scheme = "https"
		}
		fmt.Fprintf(w, "gateway at %s://%s\n", scheme, l.Address)
	}
	if o.Control != "" {
		fmt.Fprintf(w, "steered at %s\n", o.Control)
	}
	if len(s.Services) == 0 {
		fmt.Fprintln(w, "no services yet: PUT /config to the control endpoint")
	}
}
