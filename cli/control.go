package cli

import (
	"path/filepath"

	"github.com/spf13/cobra"
)

// newControl is the control plane alone, as greenlight up -d starts it.
func newControl(env Env) *cobra.Command {
	var o planeFlags
	cmd := &cobra.Command{
		Use:    "control",
		Short:  "Run the control plane alone",
		Hidden: true,
		Long: `Run the control plane of a state folder in the foreground, with what was applied
to it before. greenlight up -d starts it so; a service manager may too.
` + exitCodesHelp,
		Example: `  greenlight control --state /var/lib/shop`,
		Args:    takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return &usageError{err}
			}
			if o.state == "" {
				o.state = stateName
			}
			state, err := filepath.Abs(o.state)
			if err != nil {
				return err
			}
			plane, err := env.startPlane(cmd.Context(), &o, state)
			if err != nil {
				return err
			}
			return plane.wait()
		},
	}
	o.register(cmd)
	return cmd
}
