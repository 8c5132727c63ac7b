package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/modelserver"
)

type proveOptions struct {
	proof  string
	asJSON bool
}

func newProve(env Env) *cobra.Command {
	var o proveOptions
	cmd := &cobra.Command{
		Use:   "prove MODEL",
		Short: "Replay a model's proof and print the largest deviation",
		Long: `Replay a model's proof: run the reference inputs in proof.json and compare with
the outputs that the training framework itself gave. Beyond the tolerance the
worst row is shown and the exit code is 3.
` + exitCodesHelp,
		Example: `  greenlight prove examples/penguins
  greenlight prove model.onnx --proof reference.json --json`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runProve(cmd.Context(), env, o, args[0])
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.proof, "proof", "", "proof file (default: proof.json beside the model)")
	f.BoolVar(&o.asJSON, "json", false, "print as JSON")
	return cmd
}

func runProve(ctx context.Context, env Env, o proveOptions, arg string) error {
	m, err := loadModel(ctx, env, arg, true)
	if err != nil {
		return err
	}
	defer m.Close()
	path := o.proof
	if path == "" {
		path = m.ProofPath
	}
	proof, err := modelserver.ReadProof(os.DirFS(filepath.Dir(path)), filepath.Base(path))
	if errors.Is(err, fs.ErrNotExist) {
		return greenlight.Errorf(greenlight.CodeNotFound, "no proof at %s; the training script writes it, see examples/proof.py", path)
	}
	if err != nil {
		return err
	}
	result, err := proof.Replay(ctx, m.File, m.Session())
	if o.asJSON {
		return printProofJSON(env, m, result, err)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(env.Stdout, "%s: proven against %s: %d rows, %d values within tolerance, %d equal; largest deviation %.3g\n",
		m.Name, result.Framework, result.Rows, result.Values, result.Exact, result.Deviation)
	return err
}

// printProofJSON prints the verdict either way; the error still decides the
// exit code.
func printProofJSON(env Env, m *modelserver.Model, result *modelserver.ProofResult, failure error) error {
	out := struct {
		Model  string                   `json:"model"`
		Proven bool                     `json:"proven"`
		Reason string                   `json:"reason,omitempty"`
		Proof  *modelserver.ProofResult `json:"proof,omitempty"`
	}{Model: m.Name, Proven: failure == nil, Proof: result}
	if failure != nil {
		out.Reason = failure.Error()
	}
	if err := writeJSON(env.Stdout, out); err != nil {
		return err
	}
	return failure
}
