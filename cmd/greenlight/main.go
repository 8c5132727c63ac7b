// Command greenlight takes a trained model to production and keeps it there.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/greenlight-dev/greenlight/app"
	"github.com/greenlight-dev/greenlight/cli"
)

// version and commit are set by the linker (see the Makefile).
var version, commit string

func main() { run(environment()) }

// environment is what commands work with outside of tests.
func environment() cli.Env {
	return cli.Env{
		Stdin:        os.Stdin,
		Stdout:       os.Stdout,
		Stderr:       os.Stderr,
		Engines:      app.Engines,
		ControlPlane: controlPlane,
		Build:        cli.BuildInfo(version, commit),
	}
}

// run does what the command line says, and ends the process.
func run(env cli.Env) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := cli.Run(ctx, os.Args[1:], env)
	stop()
	os.Exit(code)
}

func controlPlane(ctx context.Context, o cli.PlaneOptions) (cli.Plane, error) {
	a, err := app.New(ctx, app.Options(o))
	if err != nil {
		return nil, err // no *App in a Plane that is not nil
	}
	return a, nil
}
