package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	greenlight "github.com/greenlight-dev/greenlight"
	"github.com/greenlight-dev/greenlight/spec"
)

type validateOptions struct {
	environment string
	json        bool
}

func newValidate(env Env) *cobra.Command {
	var o validateOptions
	cmd := &cobra.Command{
		Use:   "validate [FILE|DIR]",
		Short: "Check greenlight.yaml",
		Long: `Check a description: greenlight.yaml of this folder, of DIR, or FILE.

Everything that is wrong is reported at once, with file, line, column and the
source line, for all environments; models and folders that are named must exist.
With --env only that environment is checked, and the variables and secrets that
it takes from where greenlight runs must be set.
` + exitCodesHelp,
		Example: `  greenlight validate
  greenlight validate shop --env production
  greenlight validate --json | jq '.errors[].message'`,
		Args: takes(0, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			return runValidate(env, o, optionalArgument(args, "."))
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.environment, "env", "", "the environment to check (default: all)")
	f.BoolVar(&o.json, "json", false, "print the result as JSON")
	return cmd
}

func optionalArgument(args []string, otherwise string) string {
	if len(args) == 0 {
		return otherwise
	}
	return args[0]
}

// validation is the result as JSON.
type validation struct {
	File         string                 `json:"file"`
	OK           bool                   `json:"ok"`
	Name         string                 `json:"name,omitempty"`
	Environments []validatedEnvironment `json:"environments,omitempty"`
	Errors       spec.Errors            `json:"errors"`
}

type validatedEnvironment struct {
	Name     string   `json:"name"`
	Backend  string   `json:"backend"`
	Services []string `json:"services"`
}

func runValidate(env Env, o validateOptions, arg string) error {
	path, err := descriptionPath(arg)
	if err != nil {
		return err
	}
	result := validation{File: path, Errors: spec.Errors{}}
	err = validate(path, o.environment, &result)
	var mistakes spec.Errors
	if err != nil && !errors.As(err, &mistakes) {
		return err
	}
	result.OK = err == nil
	result.Errors = append(result.Errors, mistakes...)
	if o.json {
		if err := writeJSON(env.Stdout, result); err != nil {
			return err
		}
	} else {
		result.print(env)
	}
	if result.OK {
		return nil
	}
	return greenlight.Errorf(greenlight.CodeInvalid, "%s has %s", path, mistakeCount(len(mistakes)))
}

func validate(path, environment string, result *validation) error {
	file, err := readDescription(path)
	if err != nil {
		return err
	}
	names := file.Environments()
	o := spec.ResolveOptions{FS: os.DirFS(filepath.Dir(path))}
	if environment != "" {
		o.Lookup = os.LookupEnv
		names = []string{environment}
		_, err = file.Resolve(environment, o)
	} else {
		err = file.Check(o)
	}
	if err != nil {
		return err
	}
	result.Name = file.Name()
	for _, name := range names {
		system, err := file.Resolve(name, spec.ResolveOptions{})
		if err != nil {
			return err
		}
		e := validatedEnvironment{Name: name, Backend: system.Environment.Backend}
		for _, s := range system.Services {
			e.Services = append(e.Services, s.Name)
		}
		result.Environments = append(result.Environments, e)
	}
	return nil
}

// print shows the result to a person: mistakes on standard error.
func (v *validation) print(env Env) {
	if !v.OK {
		fmt.Fprintln(env.Stderr, v.Errors)
		return
	}
	fmt.Fprintf(env.Stdout, "%s is right: system %s\n", v.File, v.Name)
	for _, e := range v.Environments {
		fmt.Fprintf(env.Stdout, "  %s (backend %s): %s\n", e.Name, e.Backend, strings.Join(e.Services, ", "))
	}
}

func mistakeCount(n int) string {
	if n == 1 {
		return "1 mistake"
	}
	return fmt.Sprintf("%d mistakes", n)
}

// descriptionPath is the description that an argument means: a file, or
// greenlight.yaml of a folder.
func descriptionPath(arg string) (string, error) {
	info, err := os.Stat(arg)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", greenlight.Errorf(greenlight.CodeNotFound, "no file or folder %s", arg)
	case err != nil:
		return "", greenlight.WithCode(greenlight.CodeInvalid, err)
	case !info.IsDir():
		return arg, nil
	}
	path := filepath.Join(arg, spec.FileName)
	if _, err := os.Stat(path); err != nil {
		return "", greenlight.Errorf(greenlight.CodeNotFound, "%s holds no %s; greenlight init writes one", arg, spec.FileName)
	}
	return path, nil
}

// readDescription reads and parses the description at path. What the file's
// author did wrong is spec.Errors.
func readDescription(path string) (*spec.File, error) {
	data, err := readDescriptionText(path)
	if err != nil {
		return nil, err
	}
	return spec.Parse(path, data)
}

// readDescriptionText reads no more than a description may have, and one byte.
func readDescriptionText(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, greenlight.WithCode(greenlight.CodeNotFound, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, spec.MaxFileBytes+1))
	return data, greenlight.WithCode(greenlight.CodeInvalid, err)
}
