package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/api/client"
)

func newBackup(env Env) *cobra.Command {
	var o connectOptions
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Save what the control plane keeps, while it runs",
		Long: `Write what the control plane keeps to FILE, or to standard output for -: the
descriptions of all environments, releases, events, settings and tokens. It goes
on running. FILE can be read by nobody else; one that is there is replaced once
the new one is complete.

Models and volumes are not in it: they are files beside the state.
` + connectHelp + exitCodesHelp,
		Example: `  greenlight backup shop.backup
  greenlight backup - | age -r "$KEY" > shop.backup.age`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error { return runBackup(cmd.Context(), env, o, args[0]) },
	}
	o.register(cmd)
	return cmd
}

func runBackup(ctx context.Context, env Env, o connectOptions, file string) error {
	c, err := o.connect("")
	if err != nil {
		return err
	}
	if file == "-" {
		return c.Backup(ctx, env.Stdout)
	}
	size, err := backupTo(ctx, c, file)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Stdout, "wrote %s, %d bytes\n", file, size)
	return err
}

// backupTo writes beside the file first, so that half a backup never has its
// name.
func backupTo(ctx context.Context, c *client.Client, file string) (size int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*") // 0600
	if err != nil {
		return 0, greenlight.WithCode(greenlight.CodeInvalid, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	err = c.Backup(ctx, f)
	if err == nil {
		err = f.Sync()
	}
	if info, statErr := f.Stat(); statErr == nil {
		size = info.Size()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return 0, err
	}
	return size, os.Rename(f.Name(), file)
}
