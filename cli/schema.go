package cli

import (
	"github.com/spf13/cobra"

	"github.com/greenlight-dev/greenlight/spec"
)

func newSchema(env Env) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of greenlight.yaml",
		Long: `Print the JSON Schema (draft 2020-12) of greenlight.yaml, for completion and
checks in editors. greenlight init names it in the file's first line, which
editors with the YAML language server read:

  # yaml-language-server: $schema=` + spec.SchemaURL + `

Offline, write it to a file and name that file there.
` + exitCodesHelp,
		Example: `  greenlight schema > greenlight.schema.json`,
		Args:    takes(0, 0),
		RunE: func(*cobra.Command, []string) error {
			_, err := env.Stdout.Write(spec.Schema())
			return err
		},
	}
}
