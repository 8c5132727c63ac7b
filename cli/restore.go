package cli

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api/client"
	"github.com/greenlight-dev/greenlight/control"
	"github.com/greenlight-dev/greenlight/store"
)

type restoreOptions struct {
	connectOptions
	yes     bool
	timeout time.Duration
}

func newRestore(env Env) *cobra.Command {
	var o restoreOptions
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Go back to a backup",
		Long: `Replace what the control plane keeps by the backup FILE and make the environments
what they were when it was taken. The file is checked first. What happened since
is lost, so that on a terminal the system's name must be typed; --yes stands in
for it.
` + connectHelp + exitCodesHelp,
		Example: `  greenlight restore shop.backup
  greenlight restore shop.backup --yes`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return runRestore(cmd.Context(), env, o, args[0]) },
	}
	o.register(cmd)
	cmd.Flags().BoolVar(&o.yes, "yes", false, "do not ask")
	cmd.Flags().DurationVar(&o.timeout, "timeout", time.Minute, "how long to wait for the control plane to be back")
	return cmd
}

func runRestore(ctx context.Context, env Env, o restoreOptions, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return greenlight.WithCode(greenlight.CodeNotFound, err)
	}
	defer f.Close()
	c, err := o.connect("")
	if err != nil {
		return err
	}
	before, err := c.Status(ctx)
	if err != nil {
		return err
	}
	if err := confirm(env, o.yes, systemName(before, "."), "everything that happened since the backup "+file+" is lost"); err != nil {
		return err
	}
	asked, err := newestEvent(ctx, c)
	if err != nil {
		return err
	}
	if err := c.Restore(ctx, f); err != nil {
		return err
	}
	if err := waitForRestore(ctx, c, asked.Time, o.timeout); err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Stdout, "restored %s; greenlight status shows how it goes on\n", file)
	return err
}

// waitForRestore waits for the event that tells how it went. It stands in the
// store that was put in place, so that ids say nothing about what is new.
func waitForRestore(ctx context.Context, c *client.Client, after time.Time, timeout time.Duration) error {
	deadline := time.After(timeout)
	for {
		for _, kind := range []string{"restored", "restore.failed"} {
			events, err := c.Events(ctx, store.EventQuery{Kind: kind, Newest: true, Limit: 1})
			if err != nil || len(events) == 0 || !events[0].Time.After(after) {
				continue // it does not answer for a moment
			}
			if kind == "restored" {
				return nil
			}
			return greenlight.Errorf(greenlight.CodeInvalid, "%s", tame(events[0].Message))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline:
			return greenlight.Errorf(greenlight.CodeUnavailable, "the backup was taken, but no control plane is back after %s; greenlight up starts one", timeout)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// systemName is what a person types to confirm: the name of the system, or of
// the folder while there is none.
func systemName(s control.Status, folder string) string {
	for _, e := range s.Environments {
		if e.System != "" {
			return e.System
		}
	}
	if abs, err := filepath.Abs(folder); err == nil {
		folder = filepath.Base(abs)
	}
	return cmp.Or(folder, "greenlight")
}

// confirm asks a person to type the system's name. Without a person --yes must
// have been said.
func confirm(env Env, yes bool, name, consequence string) error {
	if yes {
		return nil
	}
	if !isTerminal(env.Stdin) {
		return &usageError{fmt.Errorf("%s; say --yes if that is wanted", consequence)}
	}
	fmt.Fprintf(env.Stderr, "%s. Type %s to go on: ", consequence, name)
	line, err := bufio.NewReader(io.LimitReader(env.Stdin, 1<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimSpace(line) != name {
		return greenlight.Errorf(greenlight.CodeRefused, "that is not %s; nothing was done", name)
	}
	return nil
}
