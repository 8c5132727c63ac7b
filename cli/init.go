package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/examples"
	"github.com/greenlight-dev/greenlight/spec"
	"github.com/greenlight-dev/greenlight/spec/detect"
)

func newInit(env Env) *cobra.Command {
	var example string
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Write a first greenlight.yaml",
		Long: `Write a first greenlight.yaml for what is in this folder or DIR: ONNX models,
Flask and FastAPI applications, Node programs with a start script, Go programs
that serve. With --example, for an example whose model is written beside it:
` + strings.Join(examples.Names(), ", ") + `.

Nothing is ever overwritten.
` + exitCodesHelp,
		Example: `  greenlight init
  greenlight init shop --example penguins`,
		Args: takes(0, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			return runInit(env.Stdout, optionalArgument(args, "."), example)
		},
	}
	cmd.Flags().StringVar(&example, "example", "", "write this example: "+strings.Join(examples.Names(), ", "))
	return cmd
}

func runInit(out io.Writer, dir, example string) error {
	if example != "" {
		files, err := examples.Files(example)
		if err != nil {
			return &usageError{err}
		}
		if err := writeExample(dir, files); err != nil {
			return err
		}
		fmt.Fprintf(out, "wrote the example %s to %s\n", example, dir)
	}
	first, err := writeFirstDescription(dir, example)
	if err != nil {
		return err
	}
	first.print(out)
	here := ""
	if dir != "." {
		here = " " + shellQuote(dir)
	}
	fmt.Fprintf(out, "next:\n  greenlight up%s\n", here)
	return nil
}

// firstDescription is a description that was written for what a folder holds.
type firstDescription struct {
	path     string
	services []detect.Service
}

func (d *firstDescription) print(out io.Writer) {
	for _, s := range d.services {
		fmt.Fprintf(out, "found %s: %s (%s)\n", s.Name, s.Kind, s.Why)
		if s.Hint != "" {
			fmt.Fprintf(out, "  to do: %s\n", s.Hint)
		}
	}
	fmt.Fprintf(out, "wrote %s\n", d.path)
}

// writeFirstDescription writes the description of what the folder holds: the
// system name, "" for the folder's. It fails where there is one already, or
// nothing that it knows.
func writeFirstDescription(dir, name string) (*firstDescription, error) {
	path := filepath.Join(dir, spec.FileName)
	if _, err := os.Lstat(path); err == nil {
		return nil, existsAlready(path)
	}
	services, err := detect.Folder(os.DirFS(dir))
	if err != nil {
		return nil, greenlight.Errorf(greenlight.CodeNotFound, "cannot look into %s: %w", dir, err)
	}
	if len(services) == 0 {
		return nil, greenlight.Errorf(greenlight.CodeNotFound, "%s holds nothing that greenlight knows: no *.onnx, no Flask or FastAPI application, "+
			"no package.json with a start script, no Go program that serves; add one, or begin with --example %s", dir, examples.Names()[0])
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if name == "" {
		name = detect.Label(filepath.Base(abs), "system")
	}
	if len(services) == 1 && services[0].Model == spec.ModelFile { // it says nothing of itself
		services[0].Name = name
	}
	text := detect.Describe(name, services)
	if err := writeNew(path, text); err != nil {
		return nil, err
	}
	return &firstDescription{path, services}, nil
}

// writeExample writes an example's files, none of which may be there.
func writeExample(dir string, files map[string][]byte) error {
	names := append([]string{spec.FileName}, slices.Sorted(maps.Keys(files))...)
	for _, name := range names {
		path := filepath.Join(dir, name)
		if _, err := os.Lstat(path); err == nil {
			return existsAlready(path)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return greenlight.WithCode(greenlight.CodeInvalid, err)
	}
	for _, name := range names[1:] {
		if err := writeNew(filepath.Join(dir, name), files[name]); err != nil {
			return err
		}
	}
	return nil
}

// writeNew writes a file that does not exist yet.
func writeNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return existsAlready(path)
	}
	if err != nil {
		return greenlight.WithCode(greenlight.CodeInvalid, err)
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

func existsAlready(path string) error {
	return greenlight.Errorf(greenlight.CodeInvalid, "%s exists already and was left as it is; nothing was written", path)
}
