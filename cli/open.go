package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"github.com/spf13/cobra"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api/client"
)

type openOptions struct {
	connectOptions
	print bool
}

// consoleName is what open calls the console.
const consoleName = "console"

func newOpen(env Env) *cobra.Command {
	var o openOptions
	cmd := &cobra.Command{
		Use:   "open [console|SERVICE]",
		Short: "Open the console or a service in the browser",
		Long: `Open the console in the browser, or the address of SERVICE. Without a display, or
with --print, the address is printed.
` + connectHelp + exitCodesHelp,
		Example: `  greenlight open
  curl -s "$(greenlight open iris --print)"`,
		Args: takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runOpen(cmd.Context(), env, o, optionalArgument(args, consoleName))
		},
	}
	o.register(cmd)
	cmd.Flags().BoolVar(&o.print, "print", false, "print the address and open nothing")
	completeServices(cmd, "")
	return cmd
}

func runOpen(ctx context.Context, env Env, o openOptions, arg string) error {
	c, err := o.connect("")
	if err != nil {
		return err
	}
	url, err := urlOf(ctx, c, arg)
	if err != nil {
		return err
	}
	if !o.print {
		if command := browser(); command != nil {
			if err := exec.CommandContext(ctx, command[0], append(command[1:], url)...).Run(); err == nil {
				fmt.Fprintf(env.Stderr, "opened %s\n", url)
				return nil
			}
		}
	}
	_, err = fmt.Fprintln(env.Stdout, url)
	return err
}

// urlOf is where the console or a service is.
func urlOf(ctx context.Context, c *client.Client, arg string) (string, error) {
	s, err := c.Status(ctx)
	if err != nil {
		return "", err
	}
	if arg == consoleName {
		if s.Control.Address == "" {
			return "", greenlight.Errorf(greenlight.CodeNotFound, "the control plane listens on its socket only, so that there is no console; start it with --control 127.0.0.1:7070")
		}
		return httpURL(s.Control.Address) + "/", nil
	}
	name, err := chooseService(s, arg)
	if err != nil {
		return "", err
	}
	if urls := serviceIn(&s, name).URLs; len(urls) > 0 {
		return urls[0], nil
	}
	return "", greenlight.Errorf(greenlight.CodeNotFound, "%s has no routes, so that it has no address at the gateway", name)
}

// browser is the command that opens an address, nil where there is no display.
func browser() []string {
	var command []string
	switch {
	case runtime.GOOS == "darwin":
		command = []string{"open"}
	case runtime.GOOS == "windows":
		command = []string{"rundll32", "url.dll,FileProtocolHandler"}
	case os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != "":
		command = []string{"xdg-open"}
	default:
		return nil
	}
	if _, err := exec.LookPath(command[0]); err != nil {
		return nil
	}
	return command
}
