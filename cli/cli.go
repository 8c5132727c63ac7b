// Package cli holds the commands, one file each. Flags, exit codes and JSON
// output are Greenlight's interface for scripts and stay as they are.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/engine"
	"github.com/greenlight-dev/greenlight/modelserver"
)

// Exit codes.
const (
	ExitOK      = 0
	ExitFailed  = 1
	ExitUsage   = 2
	ExitChanges = 2 // of plan: something would change
	ExitRefused = 3 // a check said no: a proof, later a gate
)

const exitCodesHelp = `
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 refused by a check.`

// Env is what the commands work with.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Engines        func() []engine.Engine
	// ControlPlane makes the control plane of a state folder in this process:
	// it listens when this returns.
	ControlPlane func(ctx context.Context, o PlaneOptions) (Plane, error)
	Build        Build
	// Now is when a capacity plan is made; nil is time.Now.
	Now func() time.Time
}

func (env *Env) now() time.Time {
	if env.Now == nil {
		return time.Now()
	}
	return env.Now()
}

// usageError marks a mistake in the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// Run executes one command line, without the program's name, and gives the
// exit code. It ends early when ctx is done.
func Run(ctx context.Context, args []string, env Env) int {
	ctx, readers := watchReaders(ctx, &env)
	defer readers.stop()
	root := newRoot(env)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch {
	case readers.gone.Load():
		return exitPipe
	case err == nil:
		return ExitOK
	case errors.Is(err, errChanges):
		return ExitChanges
	}
	if errors.Is(err, context.Canceled) { // by a signal: of ctx, or of a part that listens to one more
		err = errors.New("interrupted")
	}
	fmt.Fprintln(env.Stderr, "greenlight:", err)
	return exitCode(err)
}

func exitCode(err error) int {
	var usage *usageError
	switch {
	case errors.As(err, &usage):
		return ExitUsage
	case greenlight.CodeOf(err) == greenlight.CodeRefused:
		return ExitRefused
	}
	return ExitFailed
}

func newRoot(env Env) *cobra.Command {
	root := &cobra.Command{
		Use:   "greenlight",
		Short: "Take a trained model to production and keep it there",
		Long: `Greenlight takes a trained model, or any program that speaks HTTP, to production
and keeps it there: greenlight up runs what greenlight.yaml describes.

A model is an ONNX file, as scikit-learn (skl2onnx), PyTorch (torch.onnx), Keras
and TensorFlow (tf2onnx), XGBoost and LightGBM (onnxmltools) export it.
` + exitCodesHelp,
		Example: `  greenlight up
  greenlight status --watch
  greenlight serve model.onnx
  greenlight inspect model.onnx
  greenlight predict model.onnx rows.csv > predictions.csv`,
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
		Args:                       knownCommand,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(env.Stdin)
	root.SetOut(env.Stdout)
	root.SetErr(env.Stderr)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
	})
	root.CompletionOptions.DisableDefaultCmd = true
	addCommands(root, "system", "The system:", newUp(env), newDown(env), newStatus(env), newLogs(env), newEvents(env),
		newOpen(env), newScale(env), newRestart(env), newControl(env))
	addCommands(root, "description", "Its description:", newInit(env), newValidate(env), newPlan(env), newSchema(env))
	addCommands(root, "models", "Models:", newServe(env), newPredict(env), newInspect(env), newProve(env))
	addCommands(root, "load", "What it can carry:", newLoad(env), newCapacity(env))
	addCommands(root, "more", "More:", newBackup(env), newRestore(env), newToken(env), newGateway(env), newVersion(env),
		newCompletion(env), newMan(env))
	root.SetHelpCommandGroupID("more")
	root.InitDefaultHelpCmd()
	for _, cmd := range root.Commands() {
		if cmd.Name() == "help" {
			cmd.Args = func(_ *cobra.Command, args []string) error {
				_, rest, _ := root.Find(args)
				return knownCommand(root, rest)
			}
		}
	}
	return root
}

// addCommands lists commands under a title of their own.
func addCommands(root *cobra.Command, id, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: id, Title: title})
	for _, cmd := range commands {
		cmd.GroupID = id
	}
	root.AddCommand(commands...)
}

// knownCommand refuses what is left after the commands were found, with the
// command that may have been meant.
func knownCommand(root *cobra.Command, rest []string) error {
	if len(rest) == 0 {
		return nil
	}
	hint := ""
	if meant := root.SuggestionsFor(rest[0]); len(meant) > 0 {
		hint = "; did you mean " + strings.Join(meant, " or ") + "?"
	}
	return &usageError{fmt.Errorf("unknown command %q%s; see greenlight --help", rest[0], hint)}
}

// takes checks the number of arguments, and names those that the command's
// usage line lists when it is wrong.
func takes(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= least && len(args) <= most {
			return nil
		}
		_, want, _ := strings.Cut(cmd.Use, " ")
		if want == "" {
			want = "no arguments"
		}
		got := "nothing"
		if len(args) > 0 {
			got = fmt.Sprintf("%q", args)
		}
		return &usageError{fmt.Errorf("%s takes %s, got %s; see %s --help", cmd.Name(), want, got, cmd.CommandPath())}
	}
}

// writeJSON prints v indented, for scripts and people alike.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// loadModel loads the model that a command was given.
func loadModel(ctx context.Context, env Env, arg string, skipProof bool) (*modelserver.Model, error) {
	src, err := modelserver.ParseSource(arg)
	if err != nil {
		return nil, &usageError{err}
	}
	return modelserver.Load(ctx, src, modelserver.LoadOptions{Engines: env.Engines(), SkipProof: skipProof})
}
